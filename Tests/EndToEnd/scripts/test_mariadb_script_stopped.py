"""config/sync_fkk_db.sh between two real MariaDB servers: what remains after a stop, a kill, a lost connection or a
blocked table at every step."""

import os
import signal
import subprocess

import pytest

from support.mariadb import comparable
from support.processes import alive
from support.service import free_port
from support.waiting import eventually

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]


# Killed

@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_stopped_in_the_middle_of_the_import(sync, number, code):
    run = sync.stopped_before("LOCK TABLES `sections`")
    os.kill(sync.script_pid(), number)
    sync.failed(run.result(), f"ERROR: stopped by {number.name}; the target is as it was", f"exited with code {code}")
    sync.target_is_old()
    sync.nothing_is_left()


def test_killed_in_the_middle_of_the_import(sync):
    run = sync.stopped_before("LOCK TABLES `sections`")
    importing = sync.target.sql("SELECT COUNT(*) FROM packages", "fkk_sync_new")
    assert int(importing[0][0]) > 50_000
    sync.kill_script()
    sync.failed(run.result(), "Importing", "killed by signal 9")
    assert sync.tables_are() == "old" and sync.target.contents("fkk") == sync.old
    sync.credentials(source_port=free_port())
    sync.fails("Removed .*which a sync that was killed had left")
    sync.target_is_old()
    sync.nothing_is_left()
    sync.credentials()
    sync.succeeds()


# The switch's steps, each named by the statement before which the script is killed: where, what, which tables are there.
STEPS = {
    "first helper made": (None, "CREATE TABLE `fkk_sync_new`", "old"),
    "second helper made": (None, "CREATE TABLE `fkk_sync_old`", "old"),
    "marker made": (None, "CREATE TABLE sync_fkk_db_switch", "old"),
    "marker filled": (None, "INSERT INTO sync_fkk_db_switch", "old"),
    "first trigger dropped": (None, "DROP TRIGGER IF EXISTS `fkk`.`packages_old`", "old"),
    "second trigger dropped": (None, "DROP TRIGGER IF EXISTS `fkk`.`sections_old`", "old"),
    "tables renamed": (None, "RENAME TABLE", "old"),
    "old view dropped": ("fkk", "DROP VIEW", "new"),
    "routine dropped": ("fkk", "DROP PROCEDURE IF EXISTS `fkk`.`tidy`", "new"),
    "routine made": ("fkk", "CREATE PROCEDURE", "new"),
    "view replaced": ("fkk", r"/\*!50001 VIEW `heavy`", "new"),
    "trigger made": ("fkk", r"/\*!50003 CREATE\*/ .*packages_again", "new"),
    "event made": ("fkk", r"/\*!50106 CREATE\*/", "new"),
    "first helper dropped": (None, "DROP DATABASE `fkk_sync_new`", "new"),
    "second helper dropped": (None, "DROP DATABASE `fkk_sync_old`", "new"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_in_the_middle_of_the_switch(small_sync, step):
    database, statement, tables = STEPS[step]
    run = small_sync.stopped_before(statement, database)
    small_sync.kill_script()
    small_sync.failed(run.result(), "Importing into fkk_sync_new", "killed by signal 9")
    assert small_sync.tables_are() == tables
    # The next run settles it from the target alone, even where it gets no further.
    small_sync.credentials(source_port=free_port())
    small_sync.fails("ERROR: the source did not answer")
    small_sync.target_is_old() if tables == "old" else small_sync.target_is_new()
    small_sync.nothing_is_left()


@pytest.mark.parametrize("statement, database", [("RENAME TABLE", None), (r"/\*!50106 CREATE\*/", "fkk")])
def test_target_server_dies_in_the_middle_of_the_switch(small_sync, statement, database):
    run = small_sync.stopped_before(statement, database)
    small_sync.target.kill()
    small_sync.client.go_on()
    small_sync.failed(run.result(), "The next run settles what is left on the target server")
    small_sync.target.start()
    assert small_sync.tables_are() == ("new" if database else "old")
    small_sync.succeeds()


def test_term_during_the_switch_waits_for_its_end(small_sync):
    run = small_sync.stopped_before("RENAME TABLE")
    os.kill(small_sync.script_pid(), signal.SIGTERM)
    small_sync.client.go_on()
    assert run.result().code == 200
    small_sync.target_is_new()


def test_a_reader_in_the_way_of_the_switch(small_sync):
    """The script drops nothing before it has all locks."""
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    reader = small_sync.target.session("START TRANSACTION; SELECT * FROM changes", "fkk")
    output = small_sync.fails("ERROR: cannot switch: .*Lock wait timeout")
    reader.communicate()
    assert "Undoing" not in output
    small_sync.target_is_old()
    small_sync.succeeds()


def reader_between_triggers_and_tables(small_sync, table):
    """A reader starts after the triggers are dropped and before the tables are moved."""
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    run = small_sync.stopped_before("RENAME TABLE")
    assert [name for name in small_sync.target.contents("fkk") if name.startswith("TRIGGER")] == ["TRIGGER operators_kept"]
    reader = small_sync.target.session(f"START TRANSACTION; SELECT * FROM {table}", "fkk")
    small_sync.client.go_on()
    return run, reader


@pytest.mark.parametrize("owner", ["writer@'127.0.0.1'", "root@localhost"])
def test_the_triggers_are_put_back(small_sync, owner):
    """The triggers keep their DEFINER if the account may set it."""
    small_sync.reset(owner)
    run, reader = reader_between_triggers_and_tables(small_sync, "changes")
    output = small_sync.failed(run.result(), "ERROR: cannot switch: .*Lock wait timeout")
    reader.communicate()
    assert "Undoing a switch that was interrupted" in output
    assert comparable(small_sync.target.contents("fkk")) == comparable(small_sync.old)
    if owner.startswith("writer"):
        small_sync.target_is_old()
    small_sync.succeeds()


def test_the_triggers_are_put_back_once_nobody_is_in_the_way(small_sync):
    run, reader = reader_between_triggers_and_tables(small_sync, "packages")
    eventually(lambda: "in the way of the triggers" in small_sync.service.log_path.read_text(), "it tries again")
    reader.communicate()
    small_sync.failed(run.result(), "ERROR: cannot switch: .*Lock wait timeout")
    small_sync.target_is_old()
    small_sync.nothing_is_left()


def test_already_running(small_sync):
    run = small_sync.stopped_before("LOCK TABLES `sections`")
    done = subprocess.run([small_sync.service.script_path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "Sync is already running" in done.stdout
    assert alive(small_sync.script_pid())
    small_sync.client.go_on()
    assert run.result().code == 200


# Cancelled and cut off in the switch

@pytest.fixture
def reader(small_sync):
    """A transaction at the target that has read a table. It blocks the switch."""
    session = small_sync.target.session("START TRANSACTION; SELECT * FROM packages LIMIT 1", "fkk")
    yield session
    session.communicate()


def waits_for_a_lock(server):
    return server.sql("SELECT 1 FROM information_schema.processlist WHERE user = 'writer' AND state LIKE 'Waiting for table%'")


def test_a_cancel_while_the_switch_waits_is_no_kill(small_sync, reader):
    run = small_sync.service.begin_run()
    eventually(lambda: waits_for_a_lock(small_sync.target), "the switch waits for the reader")
    assert small_sync.service.request("POST", "/admin/runs/1/cancel", token=small_sync.service.token(role="admin")).code == 202
    assert run.result().code == 500
    record = small_sync.service.record(1)
    assert (record["outcome"], record["exit_code"], record["signal"]) == ("cancelled", 1, None), record
    assert "ERROR: cannot switch: " in record["output"]
    small_sync.target_is_old()
    small_sync.nothing_is_left()


@pytest.mark.parametrize("grace, wait, fix", [
    (10, 6, "set SYNC_LOCK_WAIT_SECONDS to 5, or set SYNC_STOP_GRACE_SECONDS of sync-service to 12"),
    (5, "", "set SYNC_LOCK_WAIT_SECONDS to 2, or set SYNC_STOP_GRACE_SECONDS of sync-service to 10"),
    (2, 1, "fix: set SYNC_STOP_GRACE_SECONDS of sync-service to 4"),
], ids=["by the settings", "by default", "too short for any"])
def test_a_wait_that_does_not_fit_into_the_grace(sync, grace, wait, fix):
    sync.service.stop()
    sync.service.set(SYNC_STOP_GRACE_SECONDS=grace)
    sync.service.start(environment={"PATH": sync.client.path})
    sync.settings(SYNC_LOCK_WAIT_SECONDS=wait)
    sync.fails(fix)
    sync.target_is_old()
    sync.nothing_is_left()


def test_the_reader_of_the_output_goes_away(small_sync):
    """The reader of stdout goes away, and then the switch fails. The script restores the triggers and removes the lock."""
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    small_sync.client.stop_before("RENAME TABLE")
    run = subprocess.Popen([small_sync.service.script_path], env={"PATH": small_sync.client.path},
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    small_sync.client.wait()
    assert "TRIGGER packages_old" not in small_sync.target.contents("fkk")
    reader = small_sync.target.session("START TRANSACTION; SELECT * FROM changes", "fkk")
    run.stdout.close()
    small_sync.client.go_on()
    assert run.wait() == 1
    reader.communicate()
    small_sync.target_is_old()
    small_sync.nothing_is_left()
    log = small_sync.service.log_path.read_text()
    assert "ERROR: cannot switch: " in log and "Undoing a switch that was interrupted" in log


def test_the_log_becomes_unwritable_during_the_switch(small_sync):
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    run = small_sync.stopped_before("RENAME TABLE")
    small_sync.service.log_path.unlink()
    small_sync.service.log_path.mkdir()
    reader = small_sync.target.session("START TRANSACTION; SELECT * FROM changes", "fkk")
    small_sync.client.go_on()
    small_sync.failed(run.result(), "Undoing a switch that was interrupted")
    reader.communicate()
    small_sync.target_is_old()
    small_sync.nothing_is_left()


# The lock and the leftovers

def test_a_client_that_outlives_the_script_keeps_the_lock(small_sync):
    """The kernel frees the lock with the last process that has it, not with the file."""
    run = small_sync.stopped_before("LOCK TABLES `sections`")
    small_sync.client.go_on("SELECT SLEEP(1000);\n")
    asleep = "SELECT id FROM information_schema.processlist WHERE info = 'SELECT SLEEP(1000)'"
    ((connection,),) = eventually(lambda: small_sync.target.sql(asleep), "the client waits for the server")
    small_sync.kill_script()
    small_sync.failed(run.result(), "Importing", "killed by signal 9")
    assert small_sync.service.run().code == 409
    assert small_sync.service.record(2)["outcome"] == "already_running"
    small_sync.target.sql(f"KILL {connection}")
    small_sync.tables_are()
    assert "Took over the lock of a sync that was killed" in small_sync.succeeds()


def test_a_lock_file_of_another_script(small_sync):
    """The script respects the file, because it cannot know more than that it exists."""
    small_sync.service.lock_path.touch()
    assert small_sync.service.run().code == 409
    assert small_sync.service.lock_path.read_bytes() == b""
    small_sync.service.lock_path.unlink()
    small_sync.succeeds()


def test_what_is_not_ours_is_not_swept(small_sync):
    others = [small_sync.work / name for name in ("sync_fkk_db.conf.bak", "sync_fkk_db.12345678", "sync_fkk_db.backup20")]
    others[0].write_text("kept")
    for folder in others[1:]:
        folder.mkdir()
        (folder / "precious").touch()
    assert small_sync.service.run().code == 200
    assert sorted(small_sync.work.iterdir()) == sorted(others)
    assert (others[1] / "precious").exists()
