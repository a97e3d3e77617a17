"""What is counted instead of timed: the system calls of a status and of a run."""

import re

from support.strace import strace

from client import Connection
from comparison import Comparison
from ours import modes
from peers import FastAPI, Gin, Nginx

SHOWN = 8  # calls by name in the notes
LINE = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", re.MULTILINE)


def calls(bench):
    yield compared(bench, (*modes(), Gin, Nginx, FastAPI), "GET", "/sync/status", 1000)
    yield compared(bench, (*modes(), Gin, FastAPI), "POST", "/sync/run", 20)


def compared(bench, kinds, method, path, requests):
    comparison = Comparison(f"calls-{path.rsplit('/', 1)[1]}", f"System calls of {method} {path}, one after the other", "calls each")
    for server in bench.servers(kinds):
        counts = counted(server, method, path, requests)
        comparison.add(server.name, {"value": sum(counts.values())})
        most = sorted(counts, key=counts.get, reverse=True)[:SHOWN]
        comparison.notes.append(f"{server.name}: " + ", ".join(f"{name} {counts[name]:.1f}" for name in most))
    return comparison


def counted(server, method, path, requests):
    """Calls for each request, by name, of all processes of the server and of those that they start."""
    record = server.folder / "calls"
    with server.running(), Connection(server) as connection:
        connection.expect(200, method, path)
        with strace(server.pids(), "-f", "-c", output=record):
            for _ in range(requests):
                connection.expect(200, method, path)
    return {name: int(count) / requests for count, name in LINE.findall(record.read_text()) if name != "total"}
