"""A history that the version before migrations 3 and 4 wrote: opened, brought up to date, and still proven.

`samples/history-2.sql` holds 14 runs with every outcome, a redacted output, refused requests and a change of keys. The
program of that version wrote it, at commit 53a03bd; its key is beside it.
"""

import pytest

from support.audit_log import entries_of, is_intact, verify
from support.samples import put_history
from support.service import NOT_CHECKED

OUTCOMES = [
    "succeeded", "succeeded", "failed", "failed", "already_running", "timed_out", "start_failed", "failed", "succeeded", "succeeded",
    "cancelled", "interrupted", "succeeded", "succeeded",
]
TABLES = (
    "run_started", "run_finished", "run_output", "leaf", "tree_hash", "checkpoint", "run_entry", "output_redaction",
    "schema_migrations",
)


@pytest.fixture
def older(installed):
    put_history(installed, "history-2")
    installed.set(AUDIT_ORIGIN="sync.example/sync-history")
    installed.counting_script()
    return installed


def rows(service):
    """Every row with its rowid and the types of its values."""
    found = {}
    for table in TABLES:
        columns = [f'quote("{row[1]}")' for row in service.sql(f"PRAGMA table_info({table})")]
        key = "" if table == "run_entry" else "rowid, "
        found[table] = service.sql(f"SELECT {key}{', '.join(columns)} FROM {table} ORDER BY {1 if key else '1, 2'}")
    return found


def is_migrated(service, before):
    after = rows(service)
    applied = after.pop("schema_migrations")
    assert applied[:2] == before.pop("schema_migrations") and len(applied) == 4, applied
    assert after == before


def test_every_row_and_proof_stays(older):
    before = rows(older)
    assert [len(before[table]) for table in ("run_started", "run_finished", "run_output", "leaf")] == [14, 14, 13, 42]
    entries = entries_of(older)
    done = older.command("migrate")
    assert done.returncode == 0, done
    is_migrated(older, before)
    assert entries_of(older) == entries
    is_intact(verify(older), "42 entries, 14 runs", "the output of run 2 was redacted", "changes the key")
    status = older.command("migrate", "--status")
    assert status.returncode == 0 and "known values" in status.stdout and "indexes" in status.stdout and "pending" not in status.stdout, status
    integrity = older.sqlite3("PRAGMA integrity_check; PRAGMA foreign_key_check")
    assert integrity.stdout == "ok\n", integrity


def test_a_verification_asks_for_the_migration_first(older):
    result = verify(older)
    assert result.returncode == NOT_CHECKED and "sync-service migrate" in result.stderr, result
    assert older.sql("SELECT count(*) FROM schema_migrations") == [(2,)], "a verification changes nothing"


def test_the_service_goes_on_with_it(older):
    older.set(ADMIN_USERS="auditor")
    before = rows(older)
    older.start()
    shown = older.admin("/admin/runs?limit=200").json["runs"]
    assert [run["outcome"] for run in reversed(shown)] == OUTCOMES
    assert [run["id"] for run in older.admin("/admin/runs?outcome=cancelled").json["runs"]] == [11]
    assert older.record(1)["output"] == "hello\n"
    assert older.run().header("Sync-Run-Id") == "15"
    older.script("exit 0", mode=0o644)
    assert older.run().header("Sync-Run-Id") == "16" and older.record(16)["outcome"] == "start_failed"
    older.stop()
    is_intact(verify(older), "16 runs")
    for table in ("run_started", "run_finished", "run_output"):
        assert rows(older)[table][:len(before[table])] == before[table], table
    lines = older.command("history", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [str(run) for run in range(16, 0, -1)], lines


@pytest.mark.parametrize("sql", [
    "INSERT INTO run_finished SELECT 99, finished_at, 1, 0, 'fine', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL FROM run_finished WHERE id = 1",
    "INSERT INTO run_started SELECT 99, user, NULL, NULL, 'timer', NULL, NULL, 'r', started_at, '/x', NULL, NULL, NULL, NULL "
    "FROM run_started WHERE id = 1",
], ids=("outcome", "trigger"))
def test_an_unknown_value_is_refused(older, sql):
    """By the database itself, on a connection that has none of the service's settings."""
    older.command("migrate")
    done = older.sqlite3(sql)
    assert done.returncode != 0 and "unknown" in done.stderr, done


@pytest.mark.root
def test_a_migration_that_is_killed_is_undone(older, tmp_path):
    """At each write of the rollback journal or the database: the next start migrates."""
    before = rows(older)
    trace = tmp_path / "trace"
    calls = ("strace", "-f", "-qq", "-o", trace, "-e", "trace=pwrite64")
    learning = older.database.read_bytes()
    assert older.command("migrate", prefix=calls).returncode == 0
    count = len(trace.read_text().splitlines())
    assert count > 20, count
    for number in sorted({1, 2, count // 4, count // 2, count - 5, count - 1, count}):
        older.database.write_bytes(learning)
        inject = ("strace", "-f", "-qq", "-o", trace, "-e", "trace=pwrite64", "-e", f"inject=pwrite64:signal=KILL:when={number}")
        assert older.command("migrate", prefix=inject).returncode in (-9, 137), number
        assert older.command("migrate").returncode == 0, number
        is_migrated(older, dict(before))
        is_intact(verify(older), "14 runs")
