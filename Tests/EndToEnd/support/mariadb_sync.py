"""config/sync_fkk_db.sh between two real MariaDB servers, installed in a service; fixtures for the tests of it."""

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from support.mariadb import StoppingClient, comparable, tables_of
from support.service import ROOT
from support.waiting import eventually

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

    def stopped_before(self, statement, database=None):
        """A run that waits before this statement (``StoppingClient.stop_before``) until ``client.go_on()``."""
        self.client.stop_before(statement, database)
        run = self.service.begin_run()
        self.client.wait()
        return run

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
        assert list(self.service.lock_path.parent.glob(f"{self.service.lock_path.name}*")) == []
        assert list(self.work.iterdir()) == []
