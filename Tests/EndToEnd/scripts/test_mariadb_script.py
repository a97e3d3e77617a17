"""config/sync_fkk_db.sh between two real MariaDB servers, through the API: the copied contents, what stops it from starting,
and what MySQL needs."""

import re
from pathlib import Path

import pytest

from support.mariadb import MEGABYTE, mysql_stand_ins, tables_of
from support.mariadb_sync import PASSWORDS
from support.service import ROOT, free_port

pytestmark = [pytest.mark.mariadb, pytest.mark.slow]


# What arrives

def test_contents_are_equal(sync):
    output = sync.succeeds()
    assert int(re.search(r"Verified: (\d+) rows", output)[1]) >= 50_000
    columns = {"totals": "section, doubled, note", "heavy": "name, doubled"}
    for name in (name.removeprefix("TABLE ") for name in tables_of(sync.new)):
        columns[name] = "*"
    for name, selected in columns.items():
        select = f"SELECT {selected} FROM `{name.replace('`', '``')}`"
        assert sorted(sync.source.sql(select, "fkk")) == sorted(sync.target.sql(select, "fkk")), name
    zero = "SELECT COUNT(*) FROM packages WHERE released = '0000-00-00 00:00:00' AND checked = '0000-00-00 00:00:00'"
    assert int(sync.target.sql(zero, "fkk")[0][0]) > 30_000
    assert "DEFINER" not in output and "ERROR" not in output
    assert sync.service.log_path.read_text() == output
    sync.succeeds()  # over its own work


def test_trigger_routine_and_view_work_at_the_target(sync):
    """Objects whose DEFINER does not exist fail only when they are used."""
    sync.succeeds()
    sync.target.sql("INSERT INTO packages (section, name, version) VALUES (1, 'mine', '1')", "fkk")
    noted = sync.target.sql("SELECT what FROM changes WHERE what LIKE 'mine%' OR what = 'again'", "fkk")
    assert noted == [("mine ✓",), ("again",)], "both triggers, in their order"
    sync.target.sql("CALL tidy(-1)", "fkk")
    assert sync.target.sql("SELECT COUNT(*) FROM changes WHERE what = 'mine ✓'", "fkk") == [("0",)]
    assert sync.target.sql("SELECT DISTINCT operators FROM heavy", "fkk") == [("2",)]


def test_nothing_secret_in_arguments_or_environment(sync):
    run = sync.stopped_before("INSERT INTO `packages`")
    seen = b""
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                seen += (process / name).read_bytes()
            except OSError:
                continue
    sync.client.go_on()
    answer = run.result()
    assert answer.code == 200
    assert b"--defaults-group-suffix=_target" in seen
    for secret in PASSWORDS.values():
        assert secret.encode() not in seen and secret not in answer.text and secret not in sync.service.log_path.read_text()


def test_example_settings(sync):
    """Every line of the example is understood, the commented ones too; it stops at the credentials it does not find."""
    example = (ROOT / "config/sync_fkk_db.conf.example").read_text()
    (sync.service.folder / "example.conf").write_text(re.sub("^#SYNC_", "SYNC_", example, flags=re.MULTILINE))
    paths = {"SYNC_LOCK_PATH": sync.service.lock_path, "SYNC_LOG_PATH": sync.service.log_path}
    done = sync.service.command(
        binary=sync.service.script_path,
        environment={**paths, "SYNC_SETTINGS_FILE": sync.service.folder / "example.conf"},
    )
    assert done.returncode == 1 and done.stderr == ""
    assert "ERROR: the credentials /var/lib/sync-script/sync_fkk_db.cnf cannot be read" in done.stdout


# Failures before the switch

WRONG = {
    "source down": (lambda sync: sync.credentials(source_port=free_port()), "the source did not answer: .*Can't connect"),
    "source password": (lambda sync: sync.credentials(source="wrong"), "the source did not answer: .*Access denied"),
    "target password": (lambda sync: sync.credentials(target="wrong"), "the target did not answer: .*Access denied"),
    "no source": (lambda sync: sync.settings(SYNC_SOURCE_DB="nothing"), "lacks privileges on nothing: SELECT, SHOW VIEW"),
    "no target": (lambda sync: sync.settings(SYNC_TARGET_DB="nothing"), "the target server has no database nothing"),
    "unknown kept": (lambda sync: sync.settings(SYNC_KEEP_TABLES="operators,operatros"),
                     "names 'operatros', which the target does not have"),
    "key to kept": (lambda sync: sync.settings(SYNC_SOURCE_DB="few", SYNC_KEEP_TABLES="operators,sections"),
                    "foreign key to a table that the target keeps: packages"),
    "key from kept": (lambda sync: sync.settings(SYNC_KEEP_TABLES="operators,packages"),
                      r"a table that stays has a foreign key to one that is replaced; drop the key: fkk\.packages"),
    "unknown setting": (lambda sync: sync.settings(SYNC_COLOUR="red"), "sync_fkk_db.conf, line 7: neither a comment nor"),
    "readable credentials": (lambda sync: (sync.service.folder / "sync_fkk_db.cnf").chmod(0o640),
                             "others can read or write the credentials; fix: chmod 600"),
    "collation": (lambda sync: sync.target.sql("ALTER DATABASE fkk COLLATE latin1_swedish_ci"),
                  "the default collations differ; fix at the target: ALTER DATABASE `fkk` COLLATE utf8mb4_general_ci"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_from_the_start(sync, what):
    break_it, message = WRONG[what]
    break_it(sync)
    sync.fails(f"ERROR: .*{message}")
    sync.target_is_old()
    sync.nothing_is_left()


def test_a_privilege_without_which_triggers_are_unseen(sync):
    sync.source.sql("REVOKE TRIGGER ON fkk.* FROM reader@'127.0.0.1'")
    try:
        sync.fails("the account at the source lacks privileges on fkk: TRIGGER")
        sync.target_is_old()
    finally:
        sync.source.sql("GRANT TRIGGER ON fkk.* TO reader@'127.0.0.1'")


def test_a_database_that_is_not_ours(sync):
    sync.target.sql("CREATE DATABASE fkk_sync_old; CREATE TABLE fkk_sync_old.precious (id INT)")
    sync.fails("database exists")
    assert sync.target.contents("fkk") == sync.old
    assert sync.target.contents("fkk_sync_old") and sync.target.databases() == {"fkk", "fkk_sync_old"}


def test_source_dies_and_returns(sync):
    sync.source.stop()
    try:
        sync.fails("ERROR: the source did not answer")
        sync.target_is_old()
    finally:
        sync.source.start()
    sync.succeeds()


@pytest.mark.parametrize("left", [0, 6 * MEGABYTE])
def test_disk_of_the_target_is_full(sync, left):
    with sync.target.full_disk(left):
        output = sync.fails(r"ERROR: cannot (import|make [a-z_ ]+): .*(is full|No space left)")
        assert "INSERT" not in output, "rows do not belong in a log"
        sync.target_is_old()
        sync.nothing_is_left()
    sync.succeeds()


@pytest.mark.parametrize("before, statement, difference", [
    ("UNLOCK TABLES", "DELETE FROM `changes` LIMIT 1;", "< INSERT INTO `changes` VALUES 503 "),
    (r"/\*!50003 CREATE\*/ .*packages_again", "DROP PROCEDURE tidy;;", "< procedure tidy "),
], ids=["row", "object"])
def test_something_gets_lost_on_the_way(small_sync, before, statement, difference):
    """The comparison with the source notices one row or one object too few."""
    run = small_sync.stopped_before(before, database="fkk_sync_new")
    small_sync.client.go_on(f"{statement}\n")
    small_sync.failed(run.result(), f"ERROR: source and copy differ: {difference}")
    small_sync.target_is_old()


def test_definition_the_target_does_not_take(sync):
    sync.source.sql("CREATE VIEW elsewhere AS SELECT * FROM mysql.proc", "fkk")
    try:
        sync.fails("ERROR: the target does not take a view: .*denied")
        sync.target_is_old()
    finally:
        sync.source.sql("DROP VIEW elsewhere", "fkk")


# MySQL

@pytest.fixture
def as_mysql(sync):
    """A machine with MySQL's programs only."""
    programs = mysql_stand_ins(sync.service.folder / "mysql")
    sync.service.stop()
    sync.service.start(environment={"PATH": programs})
    return sync


def test_names_options_statements_and_dumps_of_mysql(as_mysql):
    output = as_mysql.succeeds()
    assert int(re.search(r"Verified: (\d+) rows", output)[1]) == as_mysql.rows()
    as_mysql.succeeds()


def test_a_table_that_mysql_does_not_rename_atomically(as_mysql):
    as_mysql.target.sql("ALTER TABLE obsolete ENGINE=MyISAM", "fkk")
    as_mysql.old = as_mysql.target.contents("fkk")
    as_mysql.fails("MySQL switches only InnoDB tables whole or not at all; the target has others: obsolete")
    as_mysql.target_is_old()


def test_without_any_client(sync):
    """A PATH without either pair of programs."""
    programs = mysql_stand_ins(sync.service.folder / "none")
    (sync.service.folder / "none" / "mysqldump").unlink()
    sync.service.stop()
    sync.service.start(environment={"PATH": programs})
    sync.fails("the client programs are missing; fix: apt-get install mariadb-client")


def test_text_of_the_source_runs_no_program_here(sync):
    """Where the client reads a command of its own in what it is given, it must not follow it."""
    trace = sync.service.folder / "ran"
    run = sync.stopped_before("LOCK TABLES `sections`")
    sync.client.go_on(f"\\! touch {trace}\nsystem touch {trace}\n")
    sync.failed(run.result(), "ERROR: cannot import: ")
    assert not trace.exists()
    sync.target_is_old()


def test_an_account_that_cannot_read_routines(sync):
    sync.source.sql("REVOKE SELECT ON mysql.proc FROM reader@'127.0.0.1'")
    try:
        sync.fails("cannot read the bodies of routines; fix: GRANT SELECT ON mysql.proc TO it: ")
        sync.target_is_old()
    finally:
        sync.source.sql("GRANT SELECT ON mysql.proc TO reader@'127.0.0.1'")
