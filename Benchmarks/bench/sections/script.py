"""The sync script beside a plain pipe, as Benchmarks/sync-script measures them. Here `ours` is the script."""

import json
import subprocess
import sys
from pathlib import Path

from comparison import Comparison
from ours import Ours

PROGRAM = Path(__file__).resolve().parents[2] / "sync-script/bench.py"
TITLES = {"first": "into an empty database", "repeat": "nothing has changed", "changed": "one row of each table has changed"}
PIPE = "mariadb-dump into mariadb"


def script(bench):
    record = bench.folder / "sync-script.json"
    process = subprocess.Popen(
        [sys.executable, PROGRAM, "--turns", str(bench.turns), "--json", record], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        if process.wait() != 0:
            raise RuntimeError(f"{PROGRAM.name} ended with {process.returncode}")
    finally:
        # TERM, not KILL: it ends its database servers.
        process.terminate()
        process.wait()
    for situation, result in json.loads(record.read_text()).items():
        comparison = Comparison(f"script-{situation}", f"sync_fkk_db.sh, 480,000 rows, {TITLES.get(situation, situation)}", "s")
        for name, contestant in (Ours.name, "script"), (PIPE, "pipe"):
            for seconds in result["seconds"][contestant]:
                comparison.add(name, {"value": seconds})
        yield comparison
