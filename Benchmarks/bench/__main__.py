"""Measures the service beside peers, in turns, in one run. scripts/bench.sh calls it; docs/PERFORMANCE.md explains it."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE, RESULTS = ROOT / "Benchmarks", ROOT / ".build/bench"
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

from support.service import BINARY  # noqa: E402  the path comes first

from bench import Bench  # noqa: E402
from client import WrongAnswer  # noqa: E402
from conditions import conditions, heading  # noqa: E402
from goals import verdicts  # noqa: E402
from peers import build_go  # noqa: E402
from report import comparison_table, fill_document, goal_table, write_json  # noqa: E402
from sections import DEFAULT, SECTIONS  # noqa: E402

FAILURES = (AssertionError, OSError, RuntimeError, subprocess.SubprocessError, TimeoutError, WrongAnswer)
END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh", description=__doc__)
    parser.add_argument("--sections", default=",".join(DEFAULT), metavar="A,B", help=f"what to measure ({','.join(DEFAULT)})")
    parser.add_argument("--turns", type=positive, default=5, metavar="N", help="how often each contestant is measured (5)")
    parser.add_argument("--seconds", type=positive, default=2, metavar="N", help="how long one measurement lasts (2)")
    parser.add_argument("--runs", type=int, default=1_000_000, metavar="N", help="how many the large history has (1000000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep every sample (.build/bench/TIME.json)")
    parser.add_argument("--document", type=Path, metavar="FILE", help="a page to write the tables into, between its two marks")
    parsed = parser.parse_args()
    parsed.sections = parsed.sections.split(",")
    unknown = set(parsed.sections) - set(SECTIONS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; the sections are {','.join(SECTIONS)}")
    return parsed


def positive(text):
    if not 0 < int(text) <= 1000:
        raise ValueError(text)
    return int(text)


def built_programs(folder):
    """What runs beside the service: our programs and those that this builds."""
    programs = {"gin": folder / "gin", "handshaker": folder / "handshaker", "AuditBenchmark": BINARY.with_name("AuditBenchmark")}
    build_go(HERE / "peers/gin/main.go", programs["gin"], folder / "go-cache")
    build_go(HERE / "bench/handshaker/main.go", programs["handshaker"], folder / "go-cache")
    return programs


def measure(bench, sections):
    """Prints each table as soon as it is measured. Returns the comparisons, and the sections that failed."""
    comparisons, failed = [], []
    for name in sections:
        try:
            for comparison in SECTIONS[name](bench):
                comparisons.append(comparison)
                print(comparison_table(comparison), flush=True)
        except FAILURES as error:
            # The other sections can still be measured.
            failed.append(name)
            print(f"ERROR: section {name}: {error}", file=sys.stderr, flush=True)
        bench.remove_servers()
    return comparisons, failed


def main(chosen):
    known = conditions(BINARY, chosen)
    print(heading(known), flush=True)
    programs = built_programs(RESULTS)
    # Not in /tmp, which may be in memory: syncs must reach a disk.
    folder = Path(tempfile.mkdtemp(prefix="sync-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    tempfile.tempdir = str(folder)
    bench = Bench(folder, chosen, programs)
    try:
        comparisons, failed = measure(bench, chosen.sections)
    finally:
        # A second Ctrl-C must not leave servers behind.
        for number in END_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        bench.remove_servers()
        bench.end_leftovers()
        shutil.rmtree(folder, ignore_errors=True)
    reached = verdicts(comparisons)
    goals = goal_table(reached) if reached else ""
    print(goals)
    path = chosen.json or RESULTS / f"{known['time'].replace(':', '')}.json"
    write_json(path, known, comparisons, reached)
    print(f"Every sample: {path}")
    if chosen.document:
        fill_document(chosen.document, "\n".join([heading(known), *map(comparison_table, comparisons), goals]))
    if failed:
        sys.exit(f"ERROR: these sections failed: {', '.join(failed)}")


def leave(number, _):
    sys.exit(128 + number)


if __name__ == "__main__":
    for number in END_SIGNALS:
        signal.signal(number, leave)
    main(options())
