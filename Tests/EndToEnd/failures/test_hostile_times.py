"""Hostile numbers: times in a file's metadata (tmpfs stores any), rows of the database. None of them ends a process of ours,
which would be restarted and end again."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from support.service import admin
from support.waiting import eventually

SECONDS = [2**62, -(2**62), 2**63 - 1, -(2**63), 253_402_300_800, -62_167_219_201]


@pytest.fixture
def memory():
    """A folder on tmpfs."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def touch(path, seconds):
    subprocess.run(["touch", "-d", f"@{seconds}", path], check=True)


@pytest.mark.parametrize("seconds", SECONDS)
def test_no_time_of_a_file_ends_a_process(installed, memory, seconds):
    lock, log, checkpoints = memory / "sync.lock", memory / "sync.log", memory / "checkpoints"
    installed.script("exit 0")
    installed.set(SYNC_LOCK_PATH=lock, SYNC_LOG_PATH=log, AUDIT_CHECKPOINT_FILE=checkpoints, SYNC_RUN_DIR=memory / "run")
    service = installed.start()
    assert service.run().code == 200
    log.write_text("a line\n")
    lock.touch()
    for path in (lock, log, checkpoints, memory / "run" / "run.lock", memory / "run"):
        touch(path, seconds)
    assert service.status() == "running"
    seen = admin(service, "GET", "/admin/lock").json
    assert seen["lock_file"]["age_seconds"] >= 0
    assert service.request("GET", "/sync/log").json["log"] == "a line"
    eventually(lambda: any(event["event"] == "external_run_seen" for event in service.admin("/admin/audit").json["events"]), "the watch has seen it")
    assert service.command("check").returncode == 1
    service.stop()
    service.start()
    assert service.status() == "running"
    assert admin(service, "POST", "/admin/lock/clear", body='{"reason": "stale"}').code == 200
    assert service.run().code == 200


# What a writer of the file may put there. The service may refuse runs, but must not end.
ROWS = {
    "a run with the largest number": "INSERT INTO run_started SELECT 9223372036854775807, {columns} FROM run_started LIMIT 1",
    "an entry with the largest number": "INSERT INTO leaf VALUES (9223372036854775807, x'00')",
    "an entry before the largest": "INSERT INTO leaf VALUES (9223372036854775806, x'00')",
    "a duration": "UPDATE run_finished SET duration_ms = -9223372036854775808, exit_code = 9223372036854775807",
    "times": "UPDATE run_finished SET finished_at = 9223372036854775807",
    "sizes": "UPDATE run_finished SET output_bytes = 9223372036854775807",
    "a listing": "INSERT INTO run_entry VALUES (9223372036854775807, 9223372036854775807)",
    "a checkpoint": "UPDATE checkpoint SET size = 9223372036854775807 WHERE size = (SELECT max(size) FROM checkpoint)",
}


@pytest.mark.parametrize("kind", ROWS)
def test_no_row_of_the_database_ends_a_process(installed, kind):
    installed.script("exit 0")
    service = installed.start()
    assert service.run().code == 200
    columns = ", ".join(f'"{name}"' for _, name, *_ in service.sql("PRAGMA table_info(run_started)")[1:])
    service.stop()
    triggers = [name for name, in service.sql("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
    statements = [f"DROP TRIGGER {name}" for name in triggers] + ["PRAGMA ignore_check_constraints = 1", ROWS[kind].format(columns=columns)]
    done = service.sqlite3("; ".join(statements))
    assert done.returncode == 0, done
    for command in (["audit", "verify"], ["history"], ["history", "show", "1"], ["check"], ["run"]):
        assert service.command(*command).returncode >= 0, f"{command} was ended by a signal"
    service.launch()
    for path in ("/healthz", "/admin/runs", "/admin/runs/1", "/admin/audit", "/admin/audit/verify",
                 "/admin/audit/checkpoint", "/admin/runs/1/receipt"):
        if service.process.poll() is None:
            eventually(lambda: service.process.poll() is not None or reachable(service), "it answers or has left")
        if service.process.poll() is None:
            admin(service, "GET", path)
    if service.process.poll() is None:
        service.run()
    else:
        assert service.process.wait() >= 0, "it left by itself, and no signal ended it"
        service.process = None


def reachable(service):
    try:
        return service.request("GET", "/healthz", token=None).code == 200
    except ConnectionError:
        return False
