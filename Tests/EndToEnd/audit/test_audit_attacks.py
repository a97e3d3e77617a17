"""Attacks on a history of a thousand runs. Each works on a copy of one installation whose runs are real.

These are without the key and found without anything kept elsewhere: by exit code 1, and the first bad entry or run named.
"""

import re
import sqlite3
import time
from contextlib import closing

import pytest

from support.assertions import reasons
from support.audit_log import (
    RUNS, Key, changed, copy_of, entries_of, entry_of, forged_log, head_of, is_found, is_intact, opened, put_forged, put_log,
    sign, size_of, stored_hashes, tampering, thousand_runs, verify,
)
from support.sqlite_pages import File, leaves
from support.waiting import DEADLINE, eventually

RUN, OTHER = RUNS // 2, RUNS // 2 + 7
NOT_EXCLUDED = "rollback and re-signing not excluded"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return thousand_runs(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(original, tmp_path):
    return copy_of(original, tmp_path)


def test_the_history_itself_is_intact(original):
    kept = [original.folder / name for name in ("older", "yesterday", "newest")]
    vkey = original.command("audit", "vkey").stdout.strip()
    said = f"It extends the checkpoint of {size_of(head_of(original))} entries."
    is_intact(verify(original, *kept, vkey=vkey), f"{RUNS} runs", "Intact.", said)
    is_intact(verify(original), f"{RUNS} runs", NOT_EXCLUDED, "the key was taken from the log itself")


# Only a table, an entry or an output is changed. The triggers are dropped first, and put back afterwards.


def update(table, assignment):
    def attack(connection):
        connection.execute(f"UPDATE {table} SET {assignment} WHERE id = {RUN}")
    return attack


def delete_rows(connection):
    for table in ("run_output", "run_finished", "run_started"):
        connection.execute(f"DELETE FROM {table} WHERE id = {RUN}")


def swap_rows(connection):
    for table in ("run_started", "run_finished", "run_output"):
        for old, new in ((RUN, 10**9), (OTHER, RUN), (10**9, OTHER)):
            connection.execute(f"UPDATE {table} SET id = {new} WHERE id = {old}")


def insert_backdated(connection):
    for table in ("run_started", "run_finished", "run_output"):
        columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id")
        connection.execute(f"INSERT INTO {table} (id, {columns}) SELECT {RUNS + 1}, {columns} FROM {table} WHERE id = 3")


@pytest.mark.parametrize("attack, said", [
    (update("run_started", "user = 'eva'"), f"run {RUN}: user in run_started is not what entry"),
    (update("run_started", "started_at = '2020-01-01T00:00:00.000Z'"), f"run {RUN}: started_at in run_started is not"),
    (update("run_started", "reason = 'because'"), f"run {RUN}: reason in run_started is not"),
    (update("run_finished", "exit_code = 99"), f"run {RUN}: exit_code in run_finished is not what entry"),
    (update("run_finished", "outcome = 'cancelled'"), f"run {RUN}: outcome in run_finished is not"),
    (update("run_finished", "finished_at = '2020-01-01T00:00:00.000Z'"), f"run {RUN}: finished_at in run_finished is not"),
    (update("run_finished", f"output_sha256 = '{'0' * 64}'"), f"run {RUN}: output_sha256 in run_finished is not"),
    (update("run_output", "bytes = x'00'"), f"the output of run {RUN} is not the one recorded in entry"),
    (delete_rows, f"run {RUN} of entry"),
    (swap_rows, f"run {RUN}: "),
    (insert_backdated, f"run {RUNS + 1}"),
], ids=("user", "time", "reason", "exit_code", "outcome", "end", "digest", "output", "delete", "swap", "insert"))
def test_only_a_row_is_changed(copy, attack, said):
    with tampering(copy) as connection:
        attack(connection)
    is_found(verify(copy), said)


def test_the_triggers_refuse_what_is_tried_with_them(copy):
    for sql in (f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}", f"DELETE FROM leaf WHERE entry = {RUN}",
                f"REPLACE INTO checkpoint VALUES ({size_of(head_of(copy))}, x'00')", "DELETE FROM run_output"):
        assert copy.sqlite3(sql).returncode != 0, sql
    is_intact(verify(copy), NOT_EXCLUDED)


def test_only_an_entry_is_changed(copy):
    entry = entry_of(copy, RUN, "run_started")
    with tampering(copy) as connection:
        forged = changed(entries_of(copy)[entry], user="eva")
        connection.execute("UPDATE leaf SET bytes = ? WHERE entry = ?", (forged, entry))
    is_found(verify(copy), f"entry {entry} was altered", f"run {RUN}: user in run_started is not what entry {entry} says")


def test_an_entry_its_row_and_its_hash_are_changed(copy):
    entry = entry_of(copy, RUN, "run_started")
    forged = changed(entries_of(copy)[entry], user="eva")
    position = len(stored_hashes(entries_of(copy)[:entry])[0])
    with tampering(copy) as connection:
        connection.execute("UPDATE leaf SET bytes = ? WHERE entry = ?", (forged, entry))
        connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}")
        connection.execute("UPDATE tree_hash SET hash = ? WHERE position = ?", (stored_hashes([forged])[1], position))
    even = entry - entry % 2
    is_found(verify(copy), f"the hash stored over entries {even} to {even + 1} is not the one they give")


def test_an_entry_its_row_and_every_hash_are_changed(copy):
    entries = forged_log(copy, RUN)
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)
    is_found(verify(copy), f"the log differs before entry {len(entries)} from what was signed")


@pytest.mark.parametrize("attack, said", [
    (lambda entries, e: entries[:e] + entries[e + 1:], "the log differs before entry|cut off before entry"),
    (lambda entries, e: entries[:e] + [entries[e + 2], entries[e + 1], entries[e]] + entries[e + 3:], "the log differs"),
    (lambda entries, e: entries[:e] + [entries[e - 4]] + entries[e:], "the log differs before entry"),
], ids=("delete", "swap", "insert"))
def test_entries_are_moved_and_every_hash_follows(copy, attack, said):
    with tampering(copy) as connection:
        put_log(connection, attack(entries_of(copy), entry_of(copy, RUN)))
    result = verify(copy)
    is_found(result)
    assert any(part in result.stdout for part in said.split("|")), result.stdout


def test_entries_are_deleted_with_their_run(copy):
    entry = entry_of(copy, RUN, "run_started")
    with tampering(copy) as connection:
        delete_rows(connection)
        connection.execute(f"DELETE FROM run_entry WHERE run = {RUN}")
        connection.execute(f"DELETE FROM leaf WHERE entry IN ({entry}, {entry + 1})")
    is_found(verify(copy), f"entries {entry} to {entry + 1} missing")


def test_entries_are_added_behind_the_last(copy):
    entries = entries_of(copy)
    entries.append(entries[entry_of(copy, RUN)])
    with tampering(copy) as connection:
        put_log(connection, entries)
    is_found(verify(copy), f"{len(entries) - 1}", "signed by nobody")


def test_an_entry_is_put_in_past_sqlite(copy):
    """In the file's pages, under the number of another: a list of the newest shows it first, a look-up does not find it."""
    def varint(number):
        return bytes([0x80 | number >> 7, number & 0x7F]) if number > 127 else bytes([number])

    entries = entries_of(copy)
    other = len(entries) - 5
    forged = changed(entries[other], user="eva")
    with tampering(copy) as connection:
        connection.execute("INSERT INTO leaf VALUES (?, ?)", (len(entries), forged))
    pages = copy.database.read_bytes()
    # A cell: its length, its number, four bytes that tell the columns' types, the columns.
    types = pages.index(forged) - 4
    before = pages[:types].removesuffix(varint(len(entries)))
    copy.database.write_bytes(before + varint(other) + pages[types:])
    assert len(before) < types and copy.sql("SELECT entry FROM leaf ORDER BY entry DESC LIMIT 1")[0][0] == other
    is_found(verify(copy), f"entry {other} is there twice or out of order")


def test_an_output_is_made_to_look_redacted(copy):
    with tampering(copy) as connection:
        connection.execute(f"INSERT INTO output_redaction VALUES ({RUN}, 5)")
        connection.execute(f"DELETE FROM run_output WHERE id = {RUN}")
    is_found(verify(copy), f"the output of run {RUN}, recorded in entry {entry_of(copy, RUN)}, is missing")


def test_receipts_are_led_to_another_entry(copy):
    """`run_entry` is where a receipt looks its entry up."""
    with tampering(copy) as connection:
        connection.execute(f"DELETE FROM run_entry WHERE run = {RUN}")
        connection.execute(f"INSERT INTO run_entry VALUES ({RUN}, {entry_of(copy, OTHER)})")
    is_found(verify(copy), f"run {RUN}")


def test_a_redacted_output_is_put_back(copy):
    """The digest fits; and yet somebody wanted it gone."""
    output, = copy.sql(f"SELECT bytes FROM run_output WHERE id = {RUN}")[0]
    assert copy.command("history", "redact", str(RUN), "--reason", "for a test").returncode == 0
    with tampering(copy) as connection:
        connection.execute("INSERT INTO run_output VALUES (?, ?)", (RUN, output))
    is_found(verify(copy), f"the output of run {RUN}, redacted under entry", "is there again")


def put_schema(service, name, sql):
    """The text alone; what is stored stays as it was made."""
    with opened(service) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def test_a_run_is_hidden_from_who_searches_by_user(copy):
    """Rows and schema are as they were, only the index does not list the run."""
    hide_from_index(copy, RUN)
    runs = [run for run, in copy.sql(f"SELECT id FROM run_started WHERE user = 'rina' AND id BETWEEN {RUN - 1} AND {RUN + 1}")]
    assert runs == [RUN - 1, RUN + 1]
    is_found(verify(copy), f"row {RUN} missing from index run_started_by_user")


@pytest.mark.parametrize("table, column, value", [
    ("run_started", "isolated", "7"), ("run_started", "reason", "x'00'"), ("run_finished", "signal", "0.5"),
    ("run_finished", "lock_file_seen", "2"),
])
def test_a_value_that_this_program_never_writes(copy, table, column, value):
    """It may be shown as the one that was there; a table that was loosened for a moment takes it."""
    sql = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")[0][0]
    put_schema(copy, table, sql.replace(") STRICT", ")").replace("CHECK (isolated IN (0, 1))", "").replace(
        "CHECK (lock_file_seen IN (0, 1))", ""))
    with tampering(copy) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {value} WHERE id = {RUN}")
    put_schema(copy, table, sql)
    is_found(verify(copy), f"run {RUN}: {column} in {table} is not what entry")


def test_a_text_that_is_no_text(installed):
    """Bytes that are not UTF-8 where a replacement character was; shown, both look the same."""
    installed.script("exit 0")
    installed.start()
    assert installed.run(token=installed.token('x"\ufffd')).code == 200
    installed.stop()
    is_intact(verify(installed))
    with tampering(installed) as connection:
        connection.execute("UPDATE run_started SET user = cast(x'7822ff' AS TEXT) WHERE id = 1")
    is_found(verify(installed), "run 1: user in run_started is not what entry")


def test_an_output_that_is_no_bytes(copy):
    """A text where an output was empty."""
    copy.script("exit 0")
    assert copy.command("run").returncode == 0
    sql = copy.sql("SELECT sql FROM sqlite_schema WHERE name = 'run_output'")[0][0]
    put_schema(copy, "run_output", sql.replace(") STRICT", ")"))
    with tampering(copy) as connection:
        connection.execute(f"UPDATE run_output SET bytes = 'evil' WHERE id = {RUNS + 1}")
    put_schema(copy, "run_output", sql)
    is_found(verify(copy), f"the output of run {RUNS + 1} is not the one recorded")


@pytest.mark.parametrize("sql", [
    "DROP TRIGGER leaf_update",
    "DROP TRIGGER run_started_delete; CREATE TRIGGER run_started_delete BEFORE DELETE ON run_started BEGIN SELECT 1; END",
    "CREATE TRIGGER quiet AFTER INSERT ON run_started BEGIN SELECT 1; END",
    "ALTER TABLE run_started ADD COLUMN really TEXT",
    "DROP VIEW runs; CREATE VIEW runs AS SELECT s.*, f.* FROM run_started s JOIN run_finished f ON f.id = s.id",
    "CREATE TABLE beside (id INTEGER PRIMARY KEY)",
], ids=("trigger dropped", "trigger replaced", "trigger added", "column", "view", "table"))
def test_the_schema_is_altered(copy, sql):
    assert copy.sqlite3(sql).returncode == 0
    is_found(verify(copy), "schema")


# What a reader does not come across: rows under keys that no query asks for, and ways through the file's pages that lead
# elsewhere than the one the verification takes.


def in_any_table(sql):
    """Past the constraints, with the triggers in place."""
    def attack(copy):
        with opened(copy) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            connection.execute("PRAGMA foreign_keys = OFF")
            connection.execute(sql)
    return attack


FIRST = -2**63


def copied_run(run, table="run_started"):
    def attack(copy):
        columns = ", ".join(f'"{row[1]}"' for row in copy.sql(f"PRAGMA table_info({table})") if row[1] != "id")
        in_any_table(f"INSERT INTO {table} (id, {columns}) SELECT {run}, {columns} FROM {table} WHERE id = 3")(copy)
    return attack


@pytest.mark.parametrize("attack, said", [
    (in_any_table("INSERT INTO leaf SELECT -1, bytes FROM leaf WHERE entry = 5"), "entry -1 is signed by nobody"),
    (in_any_table("INSERT INTO tree_hash SELECT -1, hash FROM tree_hash WHERE position = 5"), "at position -1"),
    (in_any_table("INSERT INTO checkpoint SELECT -1, note FROM checkpoint ORDER BY size LIMIT 1"), "stored under -1 entries"),
    (copied_run(0), "run 0 has no entry for its row in run_started"),
    (copied_run(-7), "run -7 has no entry for its row in run_started"),
    (in_any_table(f"INSERT INTO run_output VALUES ({RUNS + 9}, x'00')"), f"run {RUNS + 9} has no entry for its row in run_output"),
    (in_any_table("INSERT INTO run_entry VALUES (-1, 5)"), "run -1 has no entry for its row in run_entry"),
    (in_any_table("INSERT INTO output_redaction VALUES (-1, 5)"), "run -1 has no entry for its row in output_redaction"),
    (in_any_table("INSERT INTO schema_migrations VALUES (0, 'x', 'x', 'x')"), "the row of migration 0"),
    (copied_run(FIRST), f"run {FIRST} has no entry for its row in run_started"),
    (copied_run(FIRST, "run_finished"), f"run {FIRST} has no entry for its row in run_finished"),
    (in_any_table(f"INSERT INTO run_output VALUES ({FIRST}, x'00')"), f"run {FIRST} has no entry for its row in run_output"),
    (in_any_table(f"INSERT INTO run_entry VALUES ({FIRST}, {FIRST})"), f"run {FIRST} has no entry for its row in run_entry"),
    (in_any_table(f"INSERT INTO output_redaction VALUES ({FIRST}, 5)"), f"run {FIRST} has no entry for its row in output_redaction"),
], ids=("leaf", "tree_hash", "checkpoint", "run 0", "run -7", "run_output", "run_entry", "output_redaction", "schema_migrations",
        "first run", "first end", "first output", "first run_entry", "first redaction"))
def test_a_row_under_a_key_that_nobody_writes(copy, attack, said):
    attack(copy)
    is_found(verify(copy), said)


def test_the_api_serves_no_entry_that_is_not_verified(copy):
    """Below the first, behind the last that is signed, and runs below the first."""
    size = size_of(head_of(copy))
    for entry in (-1, size + 1000):
        in_any_table(f"INSERT INTO leaf SELECT {entry}, bytes FROM leaf WHERE entry = {entry_of(copy, RUN)}")(copy)
    in_any_table(f"INSERT INTO run_entry VALUES ({RUN}, {size + 1000})")(copy)
    copied_run(-7)(copy)
    copy.start()
    try:
        newest = copy.admin("/admin/audit?limit=1").json["events"][0]["entry"]
        assert 0 <= newest < size + 1000, newest
        oldest = copy.admin("/admin/audit?limit=200&cursor=3").json
        assert [found["entry"] for found in oldest["events"]] == [2, 1, 0] and oldest["next"] is None, oldest
        assert copy.admin(f"/admin/runs/{RUN}/receipt").code == 404
        assert copy.admin("/admin/runs?cursor=3").json["runs"][-1]["id"] == 1
    finally:
        copy.stop()


def change_interior_key(table):
    """Of two pages, the first takes over a key of the second: a look-up of it goes where it is not."""
    def attack(copy):
        file = File(copy)
        page = file.root(table)
        while page.child(0).is_interior:
            page = page.child(0)
        assert page.is_interior, "the table has several pages"
        # Where the key before and the key after have as many bytes.
        index = page.count - 1
        page.set_key(index, page.key(index)[0] + 1)
        file.write()
    return attack


def move_index_cell(copy):
    """A run is not found by its user any more; a look-up stops before it."""
    file = File(copy)
    page = leaves(file.root("run_started_by_user"))[-1]
    page.swap_cells(0, page.count - 1)
    file.write()


def forge_row_on_the_last_page(copy):
    """Under the key of another entry: a list of the newest shows it, reading from the first to the last does not."""
    file = File(copy)
    page = file.root("leaf").last_leaf()
    assert page.number != file.root("leaf").number and page.count > 2
    last, _ = page.key(page.count - 1)
    page.set_key(page.count - 1, last - 300)
    file.write()


@pytest.mark.parametrize("attack", [
    *(change_interior_key(table) for table in (
        "run_finished", "run_started", "run_output", "leaf", "tree_hash", "checkpoint")),
    move_index_cell, forge_row_on_the_last_page,
], ids=("run_finished", "run_started", "run_output", "leaf", "tree_hash", "checkpoint", "index", "last page"))
def test_pages_are_edited_past_sqlite(copy, attack):
    before = copy.sql("SELECT count(*) FROM run_started"), copy.sql("SELECT count(*) FROM leaf")
    attack(copy)
    assert (copy.sql("SELECT count(*) FROM run_started"), copy.sql("SELECT count(*) FROM leaf")) == before, "all rows are there"
    is_found(verify(copy), "the file itself, table ")
    refused = copy.command("audit", "resume", "--reason", "for a test")
    assert refused.returncode == 1 and "cannot be accepted" in refused.stderr, "another look may find other rows"


@pytest.mark.parametrize("sql", [
    "UPDATE schema_migrations SET name = 'other' WHERE number = 1", "UPDATE schema_migrations SET checksum = '00' WHERE number = 2",
    "UPDATE schema_migrations SET applied_at = 'yesterday' WHERE number = 2", "DELETE FROM schema_migrations WHERE number = 1",
])
def test_the_record_of_migrations_is_altered(copy, sql):
    with tampering(copy) as connection:
        connection.execute(sql)
    is_found(verify(copy), "schema_migrations: the row of migration ")


@pytest.mark.parametrize("note", ["x'00'", "(SELECT note FROM checkpoint WHERE size < 40 ORDER BY size DESC LIMIT 1)"])
def test_an_older_checkpoint_is_altered(copy, note):
    size, = copy.sql("SELECT size FROM checkpoint WHERE size > 100 ORDER BY size LIMIT 1")[0]
    with tampering(copy) as connection:
        connection.execute(f"UPDATE checkpoint SET note = {note} WHERE size = {size}")
    is_found(verify(copy), f"the checkpoint stored under {size} entries is not the one signed over them")


def test_a_newer_schema_is_no_tampering(copy):
    """Written by a version that knows more than this one: nothing can be said of it."""
    with opened(copy) as connection:
        number, = connection.execute("SELECT max(number) + 1 FROM schema_migrations").fetchone()
        connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
        connection.execute(f"INSERT INTO schema_migrations VALUES ({number}, 'later', '00', '2030-01-01T00:00:00.000Z')")
    result = verify(copy)
    assert result.returncode == 3 and "written by a newer version" in result.stderr, result


def test_a_deleted_record_of_a_migration_is_no_older_schema(copy):
    with tampering(copy) as connection:
        connection.execute("DELETE FROM schema_migrations WHERE number = 2")
    is_found(verify(copy), "schema_migrations: the row of migration 2 is missing")


# What was accepted is that, and hides nothing else


def resumed(copy):
    return copy.command("audit", "resume", "--reason", "for a test")


def cannot_be_accepted(copy):
    refused = resumed(copy)
    assert refused.returncode == 1 and "cannot be accepted" in refused.stderr, refused


def loosely(copy, table, sql):
    """While the table takes values of any type. Afterwards its schema is as it was."""
    schema = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")[0][0]
    put_schema(copy, table, schema.replace(") STRICT", ")"))
    with tampering(copy) as connection:
        connection.execute(sql)
    put_schema(copy, table, schema)


def hide_from_index(copy, run):
    name = "run_started_by_user"
    sql = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{name}'")[0][0]
    with opened(copy) as connection:
        connection.execute(f"DROP INDEX {name}")
        connection.execute(f"{sql} WHERE id <> {run}")
    put_schema(copy, name, sql)


def is_new(result, said):
    is_found(result)
    assert any(line.startswith("✗ ") and said in line for line in result.stdout.splitlines()), result.stdout


def test_more_problems_than_sqlite_lists(copy):
    """Behind its hundredth message SQLite does not look any further."""
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
    """What such an object does may be altered later, in the table that it reads."""
    assert copy.sqlite3(sql).returncode == 0
    is_found(verify(copy), "schema")
    cannot_be_accepted(copy)


def test_an_added_table_can_be_accepted(copy):
    """With the index that belongs to it."""
    assert copy.sqlite3("CREATE TABLE beside (name TEXT UNIQUE)").returncode == 0
    assert resumed(copy).returncode == 0
    is_found(verify(copy), "TAMPERED: 0 new problems, 2 accepted")


# What keeps the verification from going on


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
    """Whoever holds the lock while the service starts keeps nothing hidden."""
    with tampering(copy) as connection:
        connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}")
    try:
        assert any(lock_at_the_start(copy) for _ in range(20)), "the verification is always faster than the lock"
        eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
        assert copy.run().code == 503
    finally:
        copy.stop()


def lock_at_the_start(copy):
    """Whether the lock came before the verification was over."""
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


# The seal


def test_the_newest_checkpoint_is_deleted(copy):
    size = size_of(head_of(copy))
    with tampering(copy) as connection:
        connection.execute(f"DELETE FROM checkpoint WHERE size = {size}")
    is_found(verify(copy), "signed by nobody")


def test_every_checkpoint_is_deleted(copy):
    """A missing seal is damage, not something that could not be checked."""
    with tampering(copy) as connection:
        connection.execute("DELETE FROM checkpoint")
    assert verify(copy).returncode == 1, verify(copy)


@pytest.mark.parametrize("note", [b"no checkpoint", b""])
def test_a_spoiled_checkpoint_is_the_newest(copy, note):
    with tampering(copy) as connection:
        connection.execute("INSERT INTO checkpoint VALUES (?, ?)", (10**9, note))
    is_found(verify(copy), "signed by nobody")


def test_the_checkpoint_is_filed_under_another_size(copy):
    """Whatever that hides: rows without entries are looked for all the same."""
    with tampering(copy) as connection:
        insert_backdated(connection)
        connection.execute(f"UPDATE checkpoint SET size = size + 1 WHERE size = {size_of(head_of(copy))}")
    is_found(verify(copy), f"run {RUNS + 1} has no entry")


def test_the_next_append_is_blocked(copy):
    with tampering(copy) as connection:
        connection.execute("INSERT INTO tree_hash SELECT max(position) + 1, hash FROM tree_hash")
    assert copy.command("run").returncode == 1
    is_found(verify(copy), "hashes are stored over entries that are not there")


def test_a_checkpoint_by_another_key(copy, tmp_path):
    entries = forged_log(copy, RUN)
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)
        sign(connection, entries, Key.new(tmp_path / "own.key"))
    is_found(verify(copy), f"the checkpoint of {len(entries)} entries is not signed by the key of this log")


# Exit code 3: nothing is known


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
