"""Load: wrk for rates, and a client of our own for TLS handshakes."""

import json
import os
import subprocess
from pathlib import Path

from client import WrongAnswer, expect
from processes import processor_seconds

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
CORES = len(os.sched_getaffinity(0))


def rate(server, code, method, path, connections, seconds):
    """Requests per second, p50 and p99 in milliseconds, processor time of the server per request in microseconds.

    Every answer must have that status code, and have the same one before and after the load.
    """
    expect(server, code, method, path)
    said, seconds_used = _measured(server, [
        "wrk", "-t", str(min(CORES, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
        "-s", WRK_SCRIPT, server.url(path)], BENCH_METHOD=method, BENCH_CODE=str(code))
    expect(server, code, method, path)
    if said["wrong"] or said["failed"] or not said["requests"]:
        raise WrongAnswer(f"{server.name} did not answer {method} {path} with {code} each time: {said}")
    return {"value": said["requests"] / (said["microseconds"] / 1e6), "p50": said["p50"] / 1000, "p99": said["p99"] / 1000,
            "processor": seconds_used / said["requests"] * 1e6}


def handshakes(server, client, clients, seconds):
    """Full handshakes per second. Each is complete: over each connection the server answers one request."""
    said, seconds_used = _measured(server, [
        client, server.url("/sync/status"), server.authority.root, str(clients), str(seconds)])
    if said["resumed"] or said["failed"] or not said["handshakes"]:
        raise WrongAnswer(f"{server.name} did not complete every handshake in full: {said}")
    return {"value": said["handshakes"] / (said["microseconds"] / 1e6), "p50": said["p50"] / 1000, "p99": said["p99"] / 1000,
            "processor": seconds_used / said["handshakes"] * 1e6}


def _measured(server, command, **environment):
    """What the client said in its last line, and the processor time that the server used meanwhile."""
    # The token is not in the command line, because every user of the machine can read that.
    environment = {**os.environ, "BENCH_TOKEN": server.token, **environment}
    pids = server.pids()
    before = processor_seconds(pids)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    used = processor_seconds(pids) - before
    if done.returncode != 0:
        raise WrongAnswer(f"{Path(command[0]).name} failed for {server.name}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1]), used
