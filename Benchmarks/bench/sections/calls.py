"""What is counted instead of timed: the system calls of one status."""

import re

from support.strace import strace

from client import Connection
from comparison import Comparison
from ours import modes
from peers import FastAPI, Gin, Nginx

REQUESTS = 1000
SHOWN = 6  # calls by name in the notes
LINE = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", re.MULTILINE)


def calls(bench):
    comparison = Comparison("calls", f"System calls of GET /sync/status, {REQUESTS} requests on one connection", "calls each")
    for server in bench.servers((*modes(), Gin, Nginx, FastAPI)):
        counts = counted(server)
        comparison.add(server.name, {"value": sum(counts.values())})
        most = sorted(counts, key=counts.get, reverse=True)[:SHOWN]
        comparison.notes.append(f"{server.name}: " + ", ".join(f"{name} {counts[name]:.2f}" for name in most))
    yield comparison


def counted(server):
    """Calls for each request, by name, of all processes of the server."""
    record = server.folder / "calls"
    with server.running(), Connection(server) as connection:
        with strace(server.pids(), "-f", "-c", output=record):
            for _ in range(REQUESTS):
                connection.expect(200, "GET", "/sync/status")
    return {name: int(count) / REQUESTS for count, name in LINE.findall(record.read_text()) if name != "total"}
