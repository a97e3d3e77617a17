"""The history at scale, through the API and the commands: one of 1,000 runs, and one of a million runs with five million entries."""

import json
import re
import subprocess
import time

from support.service import BINARY, Service

from client import Connection, repeated
from comparison import Comparison
from ours import Ours
from server import eventually

SMALL = 1000
ORIGIN = "bench.example/sync-history"  # AuditBenchmark's
RUNS, AUDIT = "/admin/runs", "/admin/audit"
OCTOBER = "since=2018-10-01&until=2018-11-01"
# Values that are common, rare or absent in what AuditBenchmark makes.
PAGES = {
    "runs, newest": RUNS,
    "runs, in the middle": RUNS + "?cursor={middle}",
    "runs, one month": f"{RUNS}?{OCTOBER}",
    "runs, one month, failed": f"{RUNS}?{OCTOBER}&outcome=failed",
    "runs, one month, user, trigger": f"{RUNS}?{OCTOBER}&user=user11&trigger=cli",
    "runs, before all": RUNS + "?until=2000-01-01",
    "runs, user": RUNS + "?user=user7",
    "runs, rare user": RUNS + "?user=guest",
    "runs, unknown user": RUNS + "?user=nobody",
    "runs, common trigger": RUNS + "?trigger=api",
    "runs, rare trigger": RUNS + "?trigger=cli",
    "runs, user, rare trigger": RUNS + "?user=user11&trigger=cli",
    "runs, user, rare outcome": RUNS + "?user=user49&outcome=cancelled",
    "runs, rare trigger and outcome": RUNS + "?trigger=cli&outcome=cancelled",
    **{f"runs, {outcome}": f"{RUNS}?outcome={outcome}" for outcome in (
        "succeeded", "failed", "timed_out", "cancelled", "interrupted", "already_running", "start_failed")},
    "one run": RUNS + "/{middle}",
    "output of a run": RUNS + "/{middle}/output",
    "receipt of a run": RUNS + "/{middle}/receipt",
    "entries, newest": AUDIT,
    "entries, in the middle": AUDIT + "?cursor={middle}",
    **{f"entries, {event}": f"{AUDIT}?event={event}" for event in (
        "run_started", "history_read", "access_denied", "lock_cleared", "genesis", "key_changed")},
}


class OursWithHistory(Ours):
    """The service with a history that AuditBenchmark made. An administrator asks it."""

    def __init__(self, bench, runs):
        super().__init__(bench)
        self.runs = runs
        self.service.set(AUDIT_ORIGIN=ORIGIN)
        # The folder is empty, but AuditBenchmark makes it.
        self.service.state.rmdir()
        subprocess.run([bench.programs["AuditBenchmark"], "fill", self.service.state, str(runs)], check=True, stdout=subprocess.DEVNULL)
        self.token = self.service.token("auditor", role="admin", lifetime=6 * 3600)

    def start_and_verify(self):
        """Starts, and waits until the verification in the background is over, which would disturb a measurement."""
        verified = "the history is intact"
        before = self.service.output().count(verified)
        self.start()
        eventually(lambda: self.service.output().count(verified) > before, "the history is verified", patience=900, pause=0.2)


def history(bench):
    if not bench.programs["AuditBenchmark"].exists():
        raise RuntimeError(f"{bench.programs['AuditBenchmark']} is missing: scripts/build.sh -c release makes it")
    small, large = bench.add(OursWithHistory(bench, SMALL)), bench.add(OursWithHistory(bench, bench.runs))
    yield start(bench, small, large)
    yield verification(bench, large)
    yield pages(bench, small, large)


def pages(bench, small, large):
    comparison = Comparison("pages", f"Pages and filters of the history of {large.runs:,} runs", "ms")
    comparison.notes.append(
        "Small is a history of 1,000 runs. The quotient is shown where both answers have as many rows. Each request also records "
        "in the audit log that the history was read")
    for server in small, large:
        server.start_and_verify()
    for turn in bench.in_turns([large]):
        with Connection(small) as of_small, Connection(large) as of_large:
            for name, path in PAGES.items():
                (few, less), (rows, more) = (
                    cost(connection, path.format(middle=server.runs // 2), bench.seconds / 10)
                    for connection, server in ((of_small, small), (of_large, large)))
                growth = {"growth": more / less} if few == rows else {}
                comparison.add(name, {"value": more, "rows": rows, "small": less, "small_rows": few, **growth})
    for server in small, large:
        server.stop()
    return comparison


def cost(connection, path, seconds):
    """How many rows the answer has, and its time in milliseconds."""
    body = connection.expect(200, "GET", path)
    page = json.loads(body) if body.startswith(b"{") else {}
    rows = next((len(rows) for rows in page.values() if isinstance(rows, list)), 1)
    return rows, repeated(lambda: connection.expect(200, "GET", path), seconds, warm_up=2)["value"]


def start(bench, small, large):
    comparison = Comparison("start-history", "From start to the first answer, with a history", "ms")
    for server in bench.in_turns([small, large]):
        try:
            comparison.add(f"{server.runs:,} runs", {"value": server.start() * 1000})
        finally:
            server.stop()
    return comparison


def verification(bench, large):
    comparison = Comparison("verification", "sync-service audit verify", "entries/s", higher_is_better=True)
    for server in bench.in_turns([large]):
        begin = time.monotonic()
        done = subprocess.run([BINARY, "audit", "verify"], cwd=server.folder, env=Service.environment(), capture_output=True, text=True)
        elapsed = time.monotonic() - begin
        if done.returncode != 0:
            raise RuntimeError(f"audit verify failed:\n{done.stderr[-2000:]}")
        entries = int(re.search(r"([\d,]+) entries", done.stdout)[1].replace(",", ""))
        comparison.add(f"{server.runs:,} runs", {"value": entries / elapsed, "entries": entries})
    return comparison
