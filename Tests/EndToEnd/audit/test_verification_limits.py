"""The limits of the verification: bounded lists, accepted damage, missing tables, locks, and exit status 3."""

import re
import sqlite3
import time
from contextlib import closing

import pytest

from support.assertions import reasons
from support.audit_log import RUNS, is_found, tampering, verify
from support.tampering import hide_from_index, move_index_cell, put_schema
from support.waiting import DEADLINE, eventually

pytestmark = pytest.mark.slow

RUN, OTHER = RUNS // 2, RUNS // 2 + 7


# Accepted damage hides no other damage


def resumed(copy):
    return copy.command("audit", "resume", "--reason", "for a test")


def cannot_be_accepted(copy):
    refused = resumed(copy)
    assert refused.returncode == 1 and "cannot be accepted" in refused.stderr, refused


def loosely(copy, table, sql):
    """The attack lets the table accept values of any type, and then restores the schema."""
    schema = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")[0][0]
    put_schema(copy, table, schema.replace(") STRICT", ")"))
    with tampering(copy) as connection:
        connection.execute(sql)
    put_schema(copy, table, schema)


def is_new(result, said):
    is_found(result)
    assert any(line.startswith("✗ ") and said in line for line in result.stdout.splitlines()), result.stdout


def test_more_problems_than_sqlite_lists(copy):
    """SQLite stops after its hundredth message."""
    loosely(copy, "run_started", "UPDATE run_started SET script_uid = 'x' WHERE id <= 100")
    is_found(verify(copy), "table run_started: there are more problems than SQLite lists")
    cannot_be_accepted(copy)


def test_accepted_values_do_not_use_up_the_list(copy):
    loosely(copy, "run_started", "UPDATE run_started SET script_uid = 'x' WHERE id <= 99")
    assert resumed(copy).returncode == 0
    is_found(verify(copy), "TAMPERED: 0 new problems")
    hide_from_index(copy, RUN)
    is_new(verify(copy), "there are more problems than SQLite lists")


@pytest.mark.parametrize("table, column, where", [("leaf", "bytes", "entry = 5"), ("checkpoint", "note", "size = 3")])
def test_an_accepted_value_that_is_no_bytes_is_replaced(copy, table, column, where):
    loosely(copy, table, f"UPDATE {table} SET {column} = 'first' WHERE {where}")
    assert resumed(copy).returncode == 0
    is_found(verify(copy), "TAMPERED: 0 new problems")
    loosely(copy, table, f"UPDATE {table} SET {column} = 'second' WHERE {where}")
    is_new(verify(copy), "entry 5 " if table == "leaf" else "stored under 3 entries")


@pytest.mark.parametrize("sql", [
    "CREATE TABLE beside (id INTEGER PRIMARY KEY, user TEXT); DROP VIEW runs; CREATE VIEW runs AS SELECT * FROM beside",
    "DROP VIEW runs", "DROP TRIGGER leaf_update", "CREATE TRIGGER quiet AFTER INSERT ON run_started BEGIN SELECT 1; END",
    "DROP INDEX run_started_by_user", "ALTER TABLE run_started ADD COLUMN really TEXT", "CREATE VIEW more AS SELECT 1",
    "CREATE VIRTUAL TABLE more USING fts5(x)",
], ids=("view changed", "view dropped", "trigger dropped", "trigger added", "index dropped", "column", "view added", "virtual table"))
def test_a_schema_that_cannot_be_accepted(copy, sql):
    """An attacker can change later what such an object does, in the table that it reads."""
    assert copy.sqlite3(sql).returncode == 0
    is_found(verify(copy), "schema")
    cannot_be_accepted(copy)


def test_an_added_table_can_be_accepted(copy):
    """With the index that belongs to it."""
    assert copy.sqlite3("CREATE TABLE beside (name TEXT UNIQUE)").returncode == 0
    assert resumed(copy).returncode == 0
    is_found(verify(copy), "TAMPERED: 0 new problems, 2 accepted")


# What stops the verification


@pytest.mark.parametrize("sql, said", [
    *((f"DROP TABLE {table}", f"the table {table} is missing") for table in (
        "run_started", "run_finished", "run_output", "leaf", "tree_hash", "checkpoint", "run_entry", "output_redaction",
        "schema_migrations")),
    ("ALTER TABLE run_started RENAME COLUMN reason TO because", "the table run_started was changed"),
    ("ALTER TABLE leaf RENAME COLUMN bytes TO content", "the table leaf was changed"),
    ("ALTER TABLE schema_migrations RENAME COLUMN name TO title", "the table schema_migrations was changed"),
    ("ALTER TABLE run_output RENAME TO other", "the table run_output is missing"),
])
def test_a_table_is_not_there_or_another(copy, sql, said):
    done = copy.sqlite3(f"PRAGMA legacy_alter_table = ON; {sql}")
    assert done.returncode == 0, done
    is_found(verify(copy), said)


def test_structural_damage_is_told_where_a_table_is_missing(copy):
    move_index_cell(copy)
    assert copy.sqlite3("DROP TABLE run_output").returncode == 0
    is_found(verify(copy), "the file itself, table run_started", "the table run_output is missing")


def test_a_lock_says_nothing_about_the_history(copy):
    """Damaged or not."""
    assert copy.sqlite3("DROP TRIGGER leaf_update").returncode == 0
    with closing(sqlite3.connect(copy.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        result = verify(copy)
    assert result.returncode == 3 and "database is locked" in result.stderr, result


def test_a_lock_only_delays_the_verification_at_the_start(copy):
    """A lock on the database at the start hides no damage."""
    with tampering(copy) as connection:
        connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}")
    try:
        assert any(lock_at_the_start(copy) for _ in range(20)), "the verification is always faster than the lock"
        eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
        assert copy.run().code == 503
    finally:
        copy.stop()


def lock_at_the_start(copy):
    """Whether another program locked the database before the verification ended."""
    copy.stop()
    before = len(copy.output())
    copy.launch()
    with closing(sqlite3.connect(copy.database, isolation_level=None, timeout=DEADLINE)) as connection:
        while "listening" not in copy.output()[before:] and copy.process.poll() is None:
            time.sleep(0.001)
        connection.execute("BEGIN EXCLUSIVE")
        eventually(lambda: re.search("could not be checked|runs are refused", copy.output()[before:]), "the verification ended")
        connection.execute("COMMIT")
    return "could not be checked" in copy.output()[before:]


# Exit code 3: could not check


def test_what_cannot_be_checked(original, copy, tmp_path):
    for name, content in (("none", None), ("empty", b""), ("text", b"no checkpoint\n"), ("binary", bytes(range(256)))):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert verify(copy, tmp_path / name).returncode == 3, name
    assert verify(copy, vkey="nonsense").returncode == 3
    copy.database.write_bytes(b"this is no database " * 1000)
    assert verify(copy).returncode == 3
    copy.database.unlink()
    result = verify(copy)
    assert result.returncode == 3 and "there is no history at" in result.stderr, result
