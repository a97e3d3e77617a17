"""config/sync_fkk_db.sh between two real MariaDB servers, through the API: what arrives, and what every failure leaves."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from harness import ROOT, alive, eventually, free_port
from mariadb import MEGABYTE, Server, StoppingClient, comparable, make_data_folder, mysql_stand_ins, tables_of

HERE = Path(__file__).parent
SCRIPT = ROOT / "config/sync_fkk_db.sh"
PASSWORDS = {"source": "r#1;'x y", "target": "w#2;'x y"}  # with characters that an option file needs quotes for
SOURCES = {"fkk": None, "few": 600}  # databases of the source server, with all packages or some: where rows don't matter
KEPT = ("TABLE operators", "TRIGGER operators_kept")


def package_rows():
    """Debian's package index as LOAD DATA wants it: real rows, more than 50,000."""
    def index():
        return subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    text = index()
    if "Package: " not in text:
        subprocess.run(["apt-get", "update", "-q"], check=True, capture_output=True)
        text = index()
    rows = []
    for record in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Z][\w-]*): (.*)$", record, re.MULTILINE))
        if "Package" in fields:
            names = ("Section", "Package", "Version", "Installed-Size", "Maintainer", "Description")
            values = [fields.get(name) for name in names]
            rows.append("\t".join("\\N" if v is None else v.replace("\\", "\\\\").replace("\t", " ") for v in values))
    assert len(rows) >= 50_000, f"the package index has only {len(rows)} packages"
    return rows


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    make_data_folder(folder / "template")
    made = []
    try:
        for name in ("source", "target"):
            (folder / name).mkdir()
            made.append(Server(folder / name, folder / "template"))
            made[-1].start()
        rows = package_rows()
        made[0].sql("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'r#1;''x y'; GRANT SELECT ON mysql.proc TO reader@'127.0.0.1'")
        for database, count in SOURCES.items():
            (folder / database).write_text("".join(f"{row}\n" for row in rows[:count]))
            sql = (HERE / "mariadb_source.sql").read_text()
            made[0].sql(sql.replace("{database}", database).replace("{rows}", str(folder / database)))
        yield made
    finally:
        for server in made:
            server.remove()


@pytest.fixture(scope="module")
def source_contents(servers):
    return {database: comparable(servers[0].contents(database)) for database in SOURCES}


class Sync:
    """The script, installed beside its settings in a service's folder; the target with its earlier contents."""

    def __init__(self, service, source, target, source_contents):
        self.service, self.source, self.target = service, source, target
        self.source_contents = source_contents
        self.client = StoppingClient(service.folder / "bin")
        self.work = service.folder / "work"
        self.work.mkdir()
        shutil.copy(SCRIPT, service.script_path)
        # The script does not begin where it could not keep within the grace.
        service.set(SYNC_STOP_GRACE_SECONDS=10)
        self.settings()
        self.credentials()
        self.reset()
        service.start(environment={"PATH": self.client.path})

    def settings(self, **others):
        self.source_database = others.get("SYNC_SOURCE_DB", "fkk")
        values = {
            "SYNC_SOURCE_DB": "fkk", "SYNC_TARGET_DB": "fkk", "SYNC_KEEP_TABLES": "operators", "SYNC_WORK_DIR": self.work,
            "SYNC_LOCK_PATH": self.service.lock_path, "SYNC_LOG_PATH": self.service.log_path, **others,
        }
        text = "".join(f"{name}={value}\n" for name, value in values.items())
        (self.service.folder / "sync_fkk_db.conf").write_text(text)

    def credentials(self, source_port=None, **passwords):
        passwords = {**PASSWORDS, **passwords}
        servers = ("source", "reader", source_port or self.source.port), ("target", "writer", self.target.port)
        text = "".join(
            f'[client_{side}]\nhost=127.0.0.1\nport={port}\nuser={user}\npassword="{passwords[side]}"\n'
            for side, user, port in servers
        )
        self.service.write_private(self.service.folder / "sync_fkk_db.cnf", text.encode())

    def reset(self, owner="writer@'127.0.0.1'"):
        for name in self.target.databases():
            self.target.sql(f"DROP DATABASE `{name}`")
        self.target.sql((HERE / "mariadb_target.sql").read_text().replace("{owner}", owner))
        self.old = self.target.contents("fkk")

    # Runs

    @property
    def new(self):
        return {name: value for name, value in self.source_contents[self.source_database].items() if name not in KEPT}

    def succeeds(self):
        answer, record = self.service.run_recorded()
        assert (answer.code, record["outcome"]) == (200, "succeeded"), answer.json["output"]
        self.target_is_new()
        self.nothing_is_left()
        return answer.json["output"]

    def fails(self, message, why="exited with code 1"):
        return self.failed(self.service.run(), message, why)

    def failed(self, answer, message, why="exited with code 1"):
        """Asserts a failed run as client and history see it, and a line of its output; the output."""
        record = self.service.record(answer.header("Sync-Run-Id"))
        assert answer.code == 500, answer
        assert answer.json["message"] == f"Failed to execute sync script: {why}"
        assert re.search(message, answer.json["output"]), answer.json["output"]
        assert record["outcome"] == "failed" and record["output"] == answer.json["output"]
        return answer.json["output"]

    def script_pid(self):
        return int(self.service.lock_path.read_text().splitlines()[0])

    def kill_script(self):
        """SIGKILL to the script alone, as the OOM killer does. Its lock file stays; the next run takes it over."""
        os.kill(self.script_pid(), signal.SIGKILL)

    def rows(self):
        """How many the source has, without sequences, which are tables of one row too."""
        names = self.source.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'fkk' AND table_type = 'BASE TABLE' "
                                "AND table_name <> 'operators'")
        return sum(int(self.source.sql(f"SELECT COUNT(*) FROM `{name.replace('`', '``')}`", "fkk")[0][0]) for (name,) in names)

    # The target

    def target_is_old(self):
        """Every table, row and definition as before the sync, and nothing left beside it."""
        assert self.target.contents("fkk") == self.old
        assert self.target.databases() == {"fkk"}

    def target_is_new(self):
        """Equal to the source, object by object; kept tables as they were; nothing left beside it."""
        found = self.target.contents("fkk")
        assert {name: found.pop(name) for name in KEPT} == {name: self.old[name] for name in KEPT}
        definers = {re.search("DEFINER=([^ ]+)", text)[1] for text in found.values() if isinstance(text, str)}
        assert definers == {"`writer`@`127.0.0.1`"}
        assert comparable(found) == self.new
        assert self.target.databases() == {"fkk"}

    def tables_are(self):
        """Which tables the target has, once the killed script's last statement is through; a mixture fails."""
        connections = "SELECT 1 FROM information_schema.processlist WHERE user = 'writer'"
        eventually(lambda: not self.target.sql(connections), "the killed sync has no connection left")
        found = tables_of(self.target.contents("fkk"))
        if found == tables_of(self.old):
            return "old"
        assert found == {**tables_of(self.new), "TABLE operators": self.old["TABLE operators"]}
        return "new"

    def nothing_is_left(self):
        assert not self.service.lock_path.exists()
        assert list(self.work.iterdir()) == []


@pytest.fixture
def sync(installed, servers, source_contents):
    return Sync(installed, *servers, source_contents)


@pytest.fixture
def small_sync(sync):
    """From the source with few rows: where the point is not in them."""
    sync.settings(SYNC_SOURCE_DB="few")
    return sync


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
    sync.client.stop_before("INSERT INTO `packages`")
    run = sync.service.begin_run()
    sync.client.wait()
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
    small_sync.client.stop_before(before, database="fkk_sync_new")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
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


# Killed

@pytest.mark.parametrize("number, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_stopped_in_the_middle_of_the_import(sync, number, code):
    sync.client.stop_before("LOCK TABLES `sections`")
    run = sync.service.begin_run()
    sync.client.wait()
    os.kill(sync.script_pid(), number)
    sync.failed(run.result(), f"ERROR: stopped by {number.name}; the target is as it was", f"exited with code {code}")
    sync.target_is_old()
    sync.nothing_is_left()


def test_killed_in_the_middle_of_the_import(sync):
    sync.client.stop_before("LOCK TABLES `sections`")
    run = sync.service.begin_run()
    sync.client.wait()
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
    small_sync.client.stop_before(statement, database)
    run = small_sync.service.begin_run()
    small_sync.client.wait()
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
    small_sync.client.stop_before(statement, database)
    run = small_sync.service.begin_run()
    small_sync.client.wait()
    small_sync.target.kill()
    small_sync.client.go_on()
    small_sync.failed(run.result(), "The next run settles what is left on the target server")
    small_sync.target.start()
    assert small_sync.tables_are() == ("new" if database else "old")
    small_sync.succeeds()


def test_term_during_the_switch_waits_for_its_end(small_sync):
    small_sync.client.stop_before("RENAME TABLE")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
    os.kill(small_sync.script_pid(), signal.SIGTERM)
    small_sync.client.go_on()
    assert run.result().code == 200
    small_sync.target_is_new()


def test_a_reader_in_the_way_of_the_switch(small_sync):
    """Nothing is dropped before all locks are there."""
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    reader = small_sync.target.session("START TRANSACTION; SELECT * FROM changes", "fkk")
    output = small_sync.fails("ERROR: cannot switch: .*Lock wait timeout")
    reader.communicate()
    assert "Undoing" not in output
    small_sync.target_is_old()
    small_sync.succeeds()


def reader_between_triggers_and_tables(small_sync, table):
    """Somebody begins to read when the triggers are dropped and the tables not yet moved."""
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    small_sync.client.stop_before("RENAME TABLE")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
    assert [name for name in small_sync.target.contents("fkk") if name.startswith("TRIGGER")] == ["TRIGGER operators_kept"]
    reader = small_sync.target.session(f"START TRANSACTION; SELECT * FROM {table}", "fkk")
    small_sync.client.go_on()
    return run, reader


@pytest.mark.parametrize("owner", ["writer@'127.0.0.1'", "root@localhost"])
def test_the_triggers_are_put_back(small_sync, owner):
    """With their DEFINER where the account may name it."""
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
    small_sync.client.stop_before("LOCK TABLES `sections`")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
    done = subprocess.run([small_sync.service.script_path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 2 and "Sync is already running" in done.stdout
    assert alive(small_sync.script_pid())
    small_sync.client.go_on()
    assert run.result().code == 200


# Cancelled and cut off in the switch

@pytest.fixture
def reader(small_sync):
    """A transaction at the target that has read a table, and so keeps the switch waiting."""
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


def test_nobody_reads_the_output_any_more(small_sync):
    """The reader of stdout goes during the switch, which then fails: the triggers are put back, the lock is removed."""
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


def test_the_log_cannot_be_written_any_more(small_sync):
    small_sync.settings(SYNC_SOURCE_DB="few", SYNC_LOCK_WAIT_SECONDS=1)
    small_sync.client.stop_before("RENAME TABLE")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
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
    small_sync.client.stop_before("LOCK TABLES `sections`")
    run = small_sync.service.begin_run()
    small_sync.client.wait()
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
    """Its existence is all it says, so it is respected."""
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
    sync.client.stop_before("LOCK TABLES `sections`")
    run = sync.service.begin_run()
    sync.client.wait()
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
