"""Load: wrk for rates, and a client of our own for TLS handshakes."""

import json
import os
import subprocess
from pathlib import Path

from client import WrongAnswer, expect
from processes import context_switches, processor_seconds

WRK_SCRIPT = Path(__file__).with_name("wrk.lua")
CORES = len(os.sched_getaffinity(0))


def rate(server, code, method, path, connections, seconds):
    """Requests per second, p50 and p99 in milliseconds, and what a request cost the server.

    Every answer must have that status code; the answers before and after the load show that it is the same error.
    """
    expect(server, code, method, path)
    said, cost = _measured(server, [
        "wrk", "-t", str(min(CORES, connections)), "-c", str(connections), "-d", f"{seconds}s", "--timeout", "10s",
        "-s", WRK_SCRIPT, server.url(path)], BENCH_METHOD=method, BENCH_CODE=str(code))
    expect(server, code, method, path)
    if said["wrong"] or said["failed"] or not said["requests"]:
        raise WrongAnswer(f"{server.name} did not answer {method} {path} with {code} each time: {said}")
    return {"value": said["requests"] / (said["microseconds"] / 1e6), "p50": said["p50"] / 1000, "p99": said["p99"] / 1000,
            **each(cost, said["requests"])}


def handshakes(server, client, clients, seconds):
    """Full handshakes per second. Each is complete: over each connection the server answers one request."""
    said, cost = _measured(server, [
        client, server.url("/sync/status"), server.authority.root, str(clients), str(seconds)])
    if said["resumed"] or said["failed"] or not said["handshakes"]:
        raise WrongAnswer(f"{server.name} did not complete every handshake in full: {said}")
    return {"value": said["handshakes"] / (said["microseconds"] / 1e6), "p50": said["p50"] / 1000, "p99": said["p99"] / 1000,
            **each(cost, said["handshakes"])}


def each(cost, count):
    """Microseconds of processor time, and context switches, of each request."""
    return {name: used / count for name, used in cost.items()}


def _measured(server, command, **environment):
    """What the client said in its last line, and what the server used meanwhile."""
    # The token is not in the command line, because every user of the machine can read that.
    environment = {**os.environ, "BENCH_TOKEN": server.token, **environment}
    pids = server.pids()
    processor, switches = processor_seconds(pids), context_switches(pids)
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    used = {"processor": (processor_seconds(pids) - processor) * 1e6, "switches": context_switches(pids) - switches}
    if done.returncode != 0:
        raise WrongAnswer(f"{Path(command[0]).name} failed for {server.name}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1]), used
