"""Rows, entries and schema of a history are altered without the key. `audit verify` exits with 1 and names the first bad one.

Each test attacks a copy of one installation with a thousand real runs. The verification needs no older checkpoint.
"""

import pytest

from support.audit_log import (
    RUNS, changed, entries_of, entry_of, forged_log, head_of, is_found, is_intact, put_forged, put_log, size_of, stored_hashes,
    tampering, verify,
)
from support.tampering import hide_from_index, insert_backdated, put_schema

pytestmark = pytest.mark.slow

RUN, OTHER = RUNS // 2, RUNS // 2 + 7
NOT_EXCLUDED = "rollback and re-signing not excluded"


def test_the_history_itself_is_intact(original):
    kept = [original.folder / name for name in ("older", "yesterday", "newest")]
    vkey = original.command("audit", "vkey").stdout.strip()
    said = f"It extends the checkpoint of {size_of(head_of(original))} entries."
    is_intact(verify(original, *kept, vkey=vkey), f"{RUNS} runs", "Intact.", said)
    is_intact(verify(original), f"{RUNS} runs", NOT_EXCLUDED, "the key was taken from the log itself")


# These attacks change only a table, an entry or an output. They drop the triggers first and restore them afterwards.


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
    """The attack writes the entry into the file's pages, with the number of another. A list of the newest entries shows it first,
    but a lookup does not find it."""
    def varint(number):
        return bytes([0x80 | number >> 7, number & 0x7F]) if number > 127 else bytes([number])

    entries = entries_of(copy)
    other = len(entries) - 5
    forged = changed(entries[other], user="eva")
    with tampering(copy) as connection:
        connection.execute("INSERT INTO leaf VALUES (?, ?)", (len(entries), forged))
    pages = copy.database.read_bytes()
    # A cell has its length, its row number, four bytes for the types of the columns, and the columns.
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
    """A receipt finds its entry through the table `run_entry`."""
    with tampering(copy) as connection:
        connection.execute(f"DELETE FROM run_entry WHERE run = {RUN}")
        connection.execute(f"INSERT INTO run_entry VALUES ({RUN}, {entry_of(copy, OTHER)})")
    is_found(verify(copy), f"run {RUN}")


def test_a_redacted_output_is_put_back(copy):
    """The digest is correct, but the log says that a redaction removed these bytes."""
    output, = copy.sql(f"SELECT bytes FROM run_output WHERE id = {RUN}")[0]
    assert copy.command("history", "redact", str(RUN), "--reason", "for a test").returncode == 0
    with tampering(copy) as connection:
        connection.execute("INSERT INTO run_output VALUES (?, ?)", (RUN, output))
    is_found(verify(copy), f"the output of run {RUN}, redacted under entry", "is there again")


def test_a_run_is_hidden_from_a_search_by_user(copy):
    """Rows and schema are unchanged, but the index does not list the run."""
    hide_from_index(copy, RUN)
    runs = [run for run, in copy.sql(f"SELECT id FROM run_started WHERE user = 'rina' AND id BETWEEN {RUN - 1} AND {RUN + 1}")]
    assert runs == [RUN - 1, RUN + 1]
    is_found(verify(copy), f"row {RUN} missing from index run_started_by_user")


@pytest.mark.parametrize("name", ["run_started_by_trigger", "run_finished_by_outcome", "leaf_by_event"])
def test_a_row_is_hidden_from_a_filter(copy, name):
    hide_from_index(copy, 0 if name == "leaf_by_event" else RUN, name)
    is_found(verify(copy), "row ", f"missing from index {name}")


@pytest.mark.parametrize("table, column, value", [
    ("run_started", "isolated", "7"), ("run_started", "reason", "x'00'"), ("run_finished", "signal", "0.5"),
    ("run_finished", "lock_file_seen", "2"),
])
def test_a_value_that_this_program_never_writes(copy, table, column, value):
    """A client may show it like the original value. The attack loosens the table's schema to store it."""
    sql = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{table}'")[0][0]
    put_schema(copy, table, sql.replace(") STRICT", ")").replace("CHECK (isolated IN (0, 1))", "").replace(
        "CHECK (lock_file_seen IN (0, 1))", ""))
    with tampering(copy) as connection:
        connection.execute(f"UPDATE {table} SET {column} = {value} WHERE id = {RUN}")
    put_schema(copy, table, sql)
    is_found(verify(copy), f"run {RUN}: {column} in {table} is not what entry")


def test_a_text_that_is_not_utf_8(installed):
    """Bytes that are not UTF-8 replace a replacement character. Clients show both in the same way."""
    installed.script("exit 0")
    installed.start()
    assert installed.run(token=installed.token('x"\ufffd')).code == 200
    installed.stop()
    is_intact(verify(installed))
    with tampering(installed) as connection:
        connection.execute("UPDATE run_started SET user = cast(x'7822ff' AS TEXT) WHERE id = 1")
    is_found(verify(installed), "run 1: user in run_started is not what entry")


def test_an_output_that_is_no_bytes(copy):
    """A text replaces an empty output."""
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
