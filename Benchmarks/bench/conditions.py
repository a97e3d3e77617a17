"""Under what conditions a run of the benchmark was made."""

import hashlib
import os
import platform
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def conditions(binary, options):
    """What the JSON keeps about the run; `binary` is the service that is measured."""
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True).stdout.strip()
    return {
        "time": stamp(time.time()), "commit": commit, "binary": str(binary), "built": stamp(binary.stat().st_mtime),
        "sha256": hashlib.sha256(binary.read_bytes()).hexdigest(), "sections": options.sections, "turns": options.turns,
        "seconds": options.seconds, "cores": len(os.sched_getaffinity(0)), "processor": processor(), "kernel": platform.release(),
        "load_before": os.getloadavg()[0]}


def heading(known):
    return (
        f"{known['time']}, source {known['commit']}, sync-service built {known['built']} with SHA-256 {known['sha256'][:16]}….\n"
        f"{known['cores']} cores of {known['processor']}, Linux {known['kernel']}, load {known['load_before']:.2f} before the start.\n"
        f"Medians of {known['turns']} turns of {known['seconds']} s. One server runs at a time; clients and server share the cores.\n")


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
