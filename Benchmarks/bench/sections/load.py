"""Requests under load: the status, 409 while a run goes on, and TLS handshakes."""

from client import expect
from comparison import Comparison
from held_run import held_run
from load import handshakes, rate
from ours import modes
from peers import FastAPI, Gin, Nginx

CONNECTIONS = (1, 64, 512)
CONFLICT_CONNECTIONS = 64
HANDSHAKE_CLIENTS = 4
STATUS, RUN = ("GET", "/sync/status"), ("POST", "/sync/run")


def connections(count):
    return f"{count} connection{'s' if count > 1 else ''}"


def http(bench):
    for transport, authority in ("plain", None), ("TLS", bench.authority):
        statuses = {count: Comparison(
            f"status-{count}-{transport.lower()}", f"{' '.join(STATUS)}, {connections(count)}, {transport}", "req/s", higher_is_better=True)
            for count in CONNECTIONS}
        conflict = Comparison(
            f"conflict-{transport.lower()}", f"{' '.join(RUN)} answered 409, {CONFLICT_CONNECTIONS} connections, {transport}", "req/s",
            higher_is_better=True)
        servers = bench.servers((*modes(), Gin, Nginx, FastAPI), authority)
        for server in bench.in_turns(servers):
            with server.running():
                if not isinstance(server, Nginx):
                    # Like every client that polls, this one has run something. Its answers then carry the headers of that run.
                    expect(server, 200, *RUN)
                for count, comparison in statuses.items():
                    # wrk counts from its start. It measures longer where the handshakes would otherwise take most of the time.
                    seconds = bench.seconds * (3 if authority and count > 64 else 1)
                    comparison.add(server.name, rate(server, 200, *STATUS, count, seconds))
                if not isinstance(server, Nginx):
                    with held_run(server):
                        conflict.add(server.name, rate(server, 409, *RUN, CONFLICT_CONNECTIONS, bench.seconds))
        if authority:
            for comparison in (*statuses.values(), conflict):
                comparison.notes.append("The time includes the handshake of each connection")
        yield from statuses.values()
        yield conflict


def handshake(bench):
    comparison = Comparison(
        "handshake", f"Full TLS handshakes, each with one GET /sync/status, {HANDSHAKE_CLIENTS} clients", "per second", higher_is_better=True)
    for server in bench.in_turns(bench.servers((*modes(), Gin, Nginx), bench.authority)):
        with server.running():
            comparison.add(server.name, handshakes(server, bench.programs["handshaker"], HANDSHAKE_CLIENTS, bench.seconds))
    yield comparison
