"""A server that nobody asks anything: how long it takes to start, and how much memory it has."""

import time

from comparison import Comparison
from ours import modes
from peers import FastAPI, Gin, Nginx, Webhook
from processes import megabytes

SETTLED = 1  # seconds from the first answer until memory is measured


def idle(bench):
    start = Comparison("start", "From start to the first answer", "ms")
    memory = Comparison("memory", "Resident memory of all processes, idle", "MB")
    for server in bench.in_turns(bench.servers((*modes(), Gin, Nginx, FastAPI, Webhook))):
        try:
            start.add(server.name, {"value": server.start() * 1000})
            time.sleep(SETTLED)
            pids = server.pids()
            memory.add(server.name, {"value": megabytes(pids, "VmRSS"), "private": megabytes(pids, "RssAnon"),
                                     "largest": max(megabytes([pid], "VmRSS") for pid in pids)})
        finally:
            server.stop()
    memory.notes.append("VmRSS; a page that two processes of one server share counts twice. Private is RssAnon, without the pages of files")
    yield start
    yield memory
