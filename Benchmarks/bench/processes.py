"""What the kernel tells about the processes of a server."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid):
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def megabytes(pids, kind):
    """The sum of a line of /proc/PID/status, such as VmRSS. A page that several processes share counts once for each."""
    return sum(_kib(pid, kind) for pid in pids) * 1024 / 1e6


def processor_seconds(pids):
    """The time that the processes used, and those of their children that have ended."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def context_switches(pids):
    """How often a thread of the processes stopped to run. Threads that have ended do not count."""
    return sum(_switches(task) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*"))


def _switches(task):
    try:
        lines = (task / "status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches:" in line)


def _kib(pid, kind):
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))


def _ticks(pid):
    try:
        # The name is in parentheses and may contain blanks.
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))
