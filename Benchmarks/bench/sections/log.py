"""The log's last lines, of a short log and of a huge one."""

from client import one_after_the_other
from comparison import Comparison
from ours import modes
from peers import FastAPI, Gin

LINES = 100  # what the service and the peers answer
LINE = b"2026-01-31 10:00:00 INFO  a line of a log, as long as such lines usually are: one hundred bytes....\n"
SIZES = {"10 kB": 10_000, "5 GB": 5_000_000_000}


def log(bench):
    comparisons = {title: Comparison(f"log-{title.replace(' ', '')}", f"GET /sync/log of {title}, one after the other", "ms")
                   for title in SIZES}
    for server in bench.in_turns(bench.servers((*modes(), Gin, FastAPI))):
        with server.running():
            for title, size in SIZES.items():
                write_log(server.log_path, size)
                comparisons[title].add(server.name, one_after_the_other(server, "GET", "/sync/log", bench.seconds))
    small, large = comparisons.values()
    large.figures = {f"{name}, of 10 kB": large.median(name) / small.median(name) for name in small.samples}
    large.notes.append("5 GB ÷ 10 kB: " + ", ".join(f"{name} {large.median(name) / small.median(name):.2f}" for name in small.samples))
    yield from comparisons.values()


def write_log(path, size):
    """A log of that size. It ends in twice as many lines as the answer shows: `tail` reads on until it finds the line before the
    first one. All before them is a hole in the file, which takes no room.
    """
    lines = (LINE * 2 * LINES)[-size:]
    with path.open("wb") as file:
        file.truncate(size - len(lines))
        file.seek(0, 2)
        file.write(lines)
    path.chmod(0o644)
