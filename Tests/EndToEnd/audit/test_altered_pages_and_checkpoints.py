"""Attacks on data that no query reads: rows under unused keys, pages of the file, the record of migrations, checkpoints."""

import pytest

from support.audit_log import (
    RUNS, Key, entry_of, forged_log, head_of, is_found, opened, put_forged, sign, size_of, tampering, verify,
)
from support.sqlite_pages import File
from support.tampering import insert_backdated, move_index_cell

pytestmark = pytest.mark.slow

RUN, OTHER = RUNS // 2, RUNS // 2 + 7


# Data that readers do not see: rows under keys that no query asks for, and page links that lead a query to other rows than
# the verification reads.


def in_any_table(sql):
    """Ignores the constraints. The triggers stay."""
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
    """The attack adds entries before the first and after the last signed one, and a run before the first."""
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
    """The first of two pages gets a key of the second, so a lookup of that key goes to the wrong page."""
    def attack(copy):
        file = File(copy)
        page = file.root(table)
        while page.child(0).is_interior:
            page = page.child(0)
        assert page.is_interior, "the table has several pages"
        # The old and the new key must have the same length.
        index = page.count - 1
        page.set_key(index, page.key(index)[0] + 1)
        file.write()
    return attack


def forge_row_on_the_last_page(copy):
    """An entry gets the key of another. A list of the newest entries shows it, but a read from first to last does not."""
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
    """A newer version wrote the history, so this version cannot verify it."""
    with opened(copy) as connection:
        number, = connection.execute("SELECT max(number) + 1 FROM schema_migrations").fetchone()
        connection.execute("CREATE TABLE later (id INTEGER PRIMARY KEY)")
        connection.execute(f"INSERT INTO schema_migrations VALUES ({number}, 'later', '00', '2030-01-01T00:00:00.000Z')")
    result = verify(copy)
    assert result.returncode == 3 and "written by a newer version" in result.stderr, result


@pytest.mark.parametrize("number", [2, 3])
def test_a_deleted_record_of_a_migration_is_no_older_schema(copy, number):
    with tampering(copy) as connection:
        connection.execute(f"DELETE FROM schema_migrations WHERE number = {number}")
    is_found(verify(copy), f"schema_migrations: the row of migration {number} is missing")


# The newest checkpoint


def test_the_newest_checkpoint_is_deleted(copy):
    size = size_of(head_of(copy))
    with tampering(copy) as connection:
        connection.execute(f"DELETE FROM checkpoint WHERE size = {size}")
    is_found(verify(copy), "signed by nobody")


def test_every_checkpoint_is_deleted(copy):
    """A missing checkpoint is damage. It does not count as `could not be checked`."""
    with tampering(copy) as connection:
        connection.execute("DELETE FROM checkpoint")
    assert verify(copy).returncode == 1, verify(copy)


@pytest.mark.parametrize("note", [b"no checkpoint", b""])
def test_a_spoiled_checkpoint_is_the_newest(copy, note):
    with tampering(copy) as connection:
        connection.execute("INSERT INTO checkpoint VALUES (?, ?)", (10**9, note))
    is_found(verify(copy), "signed by nobody")


def test_the_checkpoint_is_filed_under_another_size(copy):
    """The verification still finds rows without entries."""
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
