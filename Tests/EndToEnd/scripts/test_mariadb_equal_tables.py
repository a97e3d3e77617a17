"""config/sync_fkk_db.sh where a table of the target is equal to the source's already: it is not copied again, whatever happens
meanwhile."""

import os
import signal

import pytest

from support.service import free_port
from support.waiting import eventually

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]

# The connection that keeps writers away. It is the only one of the sync that stays in the database.
HOLDER = "SELECT id FROM information_schema.processlist WHERE user = 'writer' AND db = 'fkk'"
BEFORE_THE_COMPARISON = r"/\*!50003 CREATE\*/ .*packages_again", "fkk_sync_new"


@pytest.fixture
def synced(small_sync):
    """A target that one sync has made equal."""
    small_sync.succeeds()
    return small_sync


def table_ids(sync):
    """InnoDB's number of each table. A table that was copied has another."""
    rows = sync.target.sql("SELECT name, table_id FROM information_schema.innodb_sys_tables WHERE name LIKE 'fkk/%'")
    return {name.removeprefix("fkk/"): number for name, number in rows}


def is_held(sync):
    return sync.target.sql(HOLDER) != []


def stop_before_the_comparison(sync):
    run = sync.stopped_before(*BEFORE_THE_COMPARISON)
    return run


def test_an_equal_table_is_not_copied(synced):
    before = table_ids(synced)
    output = synced.succeeds()
    after = table_ids(synced)
    equal = {name for name in before if before[name] == after[name]}
    # The others have triggers, foreign keys, or a name in the text of a trigger.
    assert {"empty", "odd@0020@0060name@0020@002dx"} | {"operators"} == equal
    assert "Not copied, because they are equal: 2 tables" in output


def test_an_equal_table_of_many_rows_is_not_copied(synced):
    """Several clients share the work, so some of them have several tables."""
    names = [f"big_{number}" for number in range(5)]
    for name in names:
        synced.source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, text VARCHAR(100)) SELECT seq AS id, SHA2(seq, 256) AS text "
                          "FROM seq_1_to_20000", "few")
    try:
        synced.source_contents["few"].update({name: value for name, value in synced.source.contents("few").items() if "big_" in name})
        synced.succeeds()
        before = table_ids(synced)
        synced.target.sql("UPDATE big_1 SET text = 'changed' WHERE id = 17; DELETE FROM big_3 WHERE id = 20000", "fkk")
        synced.succeeds()
        after = table_ids(synced)
        assert [name for name in names if before[name] == after[name]] == ["big_0", "big_2", "big_4"]
    finally:
        for name in names:
            synced.source.sql(f"DROP TABLE {name}", "few")
            synced.source_contents["few"].pop(f"TABLE {name}", None)


@pytest.mark.parametrize("change", [
    "UPDATE `odd ``name -x` SET text = 'y'",
    "INSERT INTO `odd ``name -x` VALUES ('x')",
    "ALTER TABLE empty ADD COLUMN more INT",
    "ALTER TABLE empty COMMENT 'mine'",
    "ALTER TABLE empty ENGINE=MyISAM",
    "CREATE TRIGGER mine BEFORE INSERT ON empty FOR EACH ROW SET NEW.id = 1",
    "ALTER TABLE empty ADD UNIQUE (id); CREATE TABLE mine (id INT, FOREIGN KEY (id) REFERENCES empty (id))",
])
def test_a_table_that_differs_is_copied(synced, change):
    synced.target.sql(change, "fkk")
    table = "odd@0020@0060name@0020@002dx" if "odd" in change else "empty"
    before = table_ids(synced)
    synced.succeeds()
    assert table_ids(synced)[table] != before.get(table)


@pytest.mark.parametrize("change", [
    "CREATE TRIGGER mine BEFORE INSERT ON `odd ``name -x` FOR EACH ROW INSERT INTO empty VALUES (1)",
    "CREATE PROCEDURE mine () INSERT INTO empty VALUES (1); "
    "CREATE TRIGGER mine BEFORE INSERT ON `odd ``name -x` FOR EACH ROW CALL mine()",
    "CREATE DEFINER=writer@'127.0.0.1' PROCEDURE mine () INSERT INTO empty VALUES (1); "
    "CREATE TRIGGER mine BEFORE INSERT ON `odd ``name -x` FOR EACH ROW CALL mine()",
], ids=["trigger", "routine of another account", "own routine"])
def test_a_table_that_a_trigger_of_the_target_writes_to(synced, change):
    """The switch locks it together with the trigger's table, so it must not wait for the lock that keeps writers away."""
    synced.target.sql(change, "fkk")
    before = table_ids(synced)
    synced.succeeds()
    assert table_ids(synced)["empty"] != before["empty"]


def test_a_write_before_the_comparison(synced):
    """The table had the same checksum as the source's. The comparison notices the write, and the table is copied."""
    run = stop_before_the_comparison(synced)
    synced.target.sql("INSERT INTO empty VALUES (1)", "fkk")
    synced.client.go_on()
    answer = run.result()
    assert answer.code == 200 and "Somebody uses or has changed them. Copying them" in answer.json["output"]
    synced.target_is_new()
    synced.nothing_is_left()


def test_a_write_between_the_dump_and_the_checksums(synced):
    """Source and target have equal checksums, but the dump has other rows. The dump counts."""
    synced.target.sql("INSERT INTO empty VALUES (1)", "fkk")
    run = synced.stopped_before("CHECKSUM TABLE", "few")
    synced.source.sql("INSERT INTO empty VALUES (1)", "few")
    try:
        synced.client.go_on()
        answer = run.result()
        assert answer.code == 200 and "Somebody uses or has changed them. Copying them" in answer.json["output"]
        synced.target_is_new()
    finally:
        synced.source.sql("DELETE FROM empty", "few")


def test_a_writer_waits_from_the_comparison_to_the_switch(synced):
    run = synced.stopped_before("RENAME TABLE")
    assert is_held(synced)
    write = synced.target.client("SET lock_wait_timeout = 1; INSERT INTO empty VALUES (1)", "fkk")
    assert "Lock wait timeout" in write.stderr
    assert synced.target.sql("SELECT COUNT(*) FROM empty", "fkk") == [("0",)], "readers do not wait"
    synced.client.go_on()
    assert run.result().code == 200
    assert not is_held(synced)
    synced.target_is_new()
    synced.nothing_is_left()


def test_the_connection_that_keeps_writers_away_ends(synced):
    """The sync says so, because it cannot know what was written. The next one compares again."""
    run = synced.stopped_before("RENAME TABLE")
    ((connection,),) = synced.target.sql(HOLDER)
    synced.target.sql(f"KILL {connection}")
    eventually(lambda: not is_held(synced), "the lock is free")
    synced.target.sql("INSERT INTO empty VALUES (1)", "fkk")
    synced.client.go_on()
    synced.failed(run.result(), "ERROR: the target has its new tables, but the connection ended that kept writers away")
    synced.nothing_is_left()
    synced.succeeds()


@pytest.mark.parametrize("number, why", [(signal.SIGTERM, "exited with code 143"), (signal.SIGKILL, "killed by signal 9")])
def test_stopped_while_the_tables_are_held(synced, number, why):
    run = synced.stopped_before("LOCK TABLES", "fkk")
    os.kill(synced.script_pid(), number)
    synced.failed(run.result(), "Comparing tables that the target has already", why)
    eventually(lambda: not is_held(synced), "the lock is free")
    synced.credentials(source_port=free_port())
    synced.fails("ERROR: the source did not answer")
    synced.target_is_new()
    synced.nothing_is_left()
    synced.credentials()
    synced.succeeds()


def test_killed_before_the_switch(synced):
    run = synced.stopped_before("RENAME TABLE")
    synced.kill_script()
    synced.failed(run.result(), "Not copied, because they are equal", "killed by signal 9")
    eventually(lambda: not is_held(synced), "the lock is free")
    synced.succeeds()


def test_a_writer_in_the_way_of_the_comparison(synced):
    """Its transaction is in the way of the switch too, as it always was."""
    synced.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    writer = synced.target.session("START TRANSACTION; INSERT INTO empty VALUES (1)", "fkk")
    synced.fails("ERROR: cannot switch: .*Lock wait timeout")
    writer.kill()
    writer.communicate()
    synced.nothing_is_left()
    synced.succeeds()


def test_no_time_to_compare(synced):
    """Tables that are too big for SYNC_LOCK_WAIT_SECONDS are copied."""
    script = synced.service.script_path
    script.write_text(script.read_text().replace("comparable_bytes=$((", "comparable_bytes=$((0 * "))
    before = table_ids(synced)
    synced.succeeds()
    assert table_ids(synced)["empty"] != before["empty"]
