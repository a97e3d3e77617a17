#!/usr/bin/python3
"""Times config/sync_fkk_db.sh beside `mariadb-dump | mariadb`, in turns, between two MariaDB servers on this machine.

Both copy 480,000 rows in 8 tables, in three situations: the target is empty (first), it has the same rows already (repeat), or one row
of each table differs (changed). The median of the script divided by the median of the pipe is the result. The script's time is
also shown by phase: a phase lasts from one line of its log to the next. Where the user may mount, both servers keep their
data in memory, so the figures leave out the disk.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests/EndToEnd"))

from support.mariadb import Server, make_data_folder  # noqa: E402  the path comes first

TABLES, ROWS = 8, 60_000
TABLE = """
CREATE TABLE t{n} (id INT PRIMARY KEY, part VARCHAR(40) NOT NULL, amount DECIMAL(12,3), made DATETIME NOT NULL, note TEXT, KEY (part));
INSERT INTO t{n} SELECT seq, CONCAT('part-', {n}, '-', seq * 7919 % {rows}), seq / 8, '2024-01-01' + INTERVAL seq MINUTE,
    CONCAT(SHA2(seq, 256), ' it''s ', SHA2(seq + {n}, 256)) FROM seq_1_to_{rows};
"""


def make_source(server):
    tables = "".join(TABLE.format(n=n, rows=ROWS) for n in range(TABLES))
    server.sql(f"CREATE DATABASE fkk; USE fkk; {tables}")


def write_settings(folder, servers):
    credentials = folder / "sync.cnf"
    credentials.touch(mode=0o600)
    credentials.write_text("".join(
        f"[client_{side}]\nuser=root\nsocket={server.socket}\n" for side, server in servers.items()))
    settings = {
        "SYNC_SOURCE_DB": "fkk", "SYNC_TARGET_DB": "fkk", "SYNC_CREDENTIALS_FILE": credentials, "SYNC_WORK_DIR": folder,
        "SYNC_LOCK_PATH": folder / "lock", "SYNC_LOG_PATH": folder / "log",
    }
    (folder / "sync.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))


def run_script(script, folder, phases):
    """The seconds it takes. Adds those of each phase to phases, by the line of the log that begins it."""
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYNC_SETTINGS_FILE": str(folder / "sync.conf")}
    start = seen = time.monotonic()
    phase, output = "Start", []
    with subprocess.Popen([script], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            now = time.monotonic()
            phases.setdefault(phase, []).append(now - seen)
            phase, seen = line.rstrip().split("] ")[-1], now
            output.append(line)
    if process.returncode != 0:
        sys.exit(f"the script failed:\n{''.join(output)}")
    return time.monotonic() - start


def run_pipe(servers):
    """The seconds it takes."""
    start = time.monotonic()
    dump = subprocess.Popen(
        ["mariadb-dump", "--no-defaults", "--user=root", f"--socket={servers['source'].socket}", "--single-transaction", "--quick",
         "fkk"], stdout=subprocess.PIPE)
    subprocess.run(["mariadb", "--no-defaults", "--user=root", f"--socket={servers['target'].socket}", "fkk"],
                   stdin=dump.stdout, check=True)
    dump.stdout.close()
    if dump.wait() != 0:
        sys.exit("mariadb-dump failed")
    return time.monotonic() - start


CHANGES = "".join(f"UPDATE t{n} SET note = 'changed' WHERE id = {ROWS // 2};" for n in range(TABLES))
# What happens at the target before each measurement. The pipe has the same rows there as the script.
SITUATIONS = {
    "first": "DROP DATABASE fkk; CREATE DATABASE fkk",
    "repeat": "SELECT 1",
    "changed": f"USE fkk; {CHANGES}",
}


def report(situation, samples, phases):
    script, pipe = (statistics.median(seconds) for seconds in samples.values())
    print(f"{situation}: {script / pipe:.2f}")
    for name, seconds in samples.items():
        print(f"  {name}: median {statistics.median(seconds):.2f} s, from {min(seconds):.2f} to {max(seconds):.2f} s")
    for name, seconds in phases.items():
        print(f"  {statistics.median(seconds):8.2f} s  {name}")
    return {"ratio": script / pipe, "seconds": samples, "phases": phases}


def measure(servers, folder, script, turns):
    samples = {situation: {"script": [], "pipe": []} for situation in SITUATIONS}
    phases = {situation: {} for situation in SITUATIONS}
    run_pipe(servers)
    for _ in range(turns):
        for situation, before in SITUATIONS.items():
            servers["target"].sql(before)
            samples[situation]["script"].append(run_script(script, folder, phases[situation]))
            servers["target"].sql(before)
            samples[situation]["pipe"].append(run_pipe(servers))
    return {situation: report(situation, samples[situation], phases[situation]) for situation in SITUATIONS}


def options():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=5, metavar="N", help="how often each of the two copies (5)")
    parser.add_argument("--script", default=ROOT / "config/sync_fkk_db.sh", metavar="FILE", help="another version of the script")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep every sample")
    return parser.parse_args()


def main(chosen):
    servers = {}
    # SystemExit passes through finally, so TERM leaves no server behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A short path: a Unix socket's has 107 bytes.
    with tempfile.TemporaryDirectory(prefix="bench", dir="/tmp") as name:
        folder = Path(name)
        try:
            make_data_folder(folder / "template")
            for side in ("source", "target"):
                (folder / side).mkdir()
                servers[side] = Server(folder / side, folder / "template")
                servers[side].start()
            make_source(servers["source"])
            servers["target"].sql("CREATE DATABASE fkk")
            write_settings(folder, servers)
            results = measure(servers, folder, chosen.script, chosen.turns)
        finally:
            for server in servers.values():
                server.remove()
    if chosen.json:
        chosen.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main(options())
