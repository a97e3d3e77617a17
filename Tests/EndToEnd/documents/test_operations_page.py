"""docs/OPERATIONS.md: its commands run one block after the other, in a folder that stands for the machine."""

import os
import re
import shlex
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest

from support.certificates import Authority
from support.service import BINARY, ROOT, Service
from support.waiting import eventually

PAGE = (ROOT / "docs/OPERATIONS.md").read_text()
BLOCKS = [(title, block) for title, text in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
          for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)]

STUBS = {
    # What systemd does: one process, the signal of each verb, and back when it is done.
    "systemctl": """
        verb=$1; pid=$(cat "$machine/pid" 2>/dev/null || true)
        stop() { [[ -z $pid ]] || ! kill -TERM "$pid" 2>/dev/null || while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done; }
        start() {
            sync-service serve >>"$machine/journal" 2>&1 </dev/null & echo $! >"$machine/pid"
            for _ in {1..600}; do ! curl -sf -o /dev/null "http://127.0.0.1:$port/healthz" || return 0; sleep 0.05; done; exit 1
        }
        case $verb in stop) stop ;; start) start ;; restart) stop; start ;; reload) kill -HUP "$pid" ;; esac""",
    "journalctl": 'cat "$machine/journal"',
    "sync-service": 'exec "$binary" "$@" --env-file "$machine/etc/service.env"',
}


class Sandbox:
    def __init__(self, folder, certificates):
        self.service = Service(folder)
        self.folder, self.port = folder, self.service.port
        self.places = {
            "/etc/sync-service": folder / "etc", "/var/lib/sync-service": folder / "state", "/run/sync-runner/lock": folder / "lock",
            "/var/backups/checkpoints": folder / "checkpoints", "/etc/systemd/system": folder / "units",
            "/var/backups/sync-service": folder / "backups", "/root": folder / "root", "127.0.0.1:8000": f"127.0.0.1:{self.port}",
            " -o sync-service": "", " -g sync-service": "",
        }
        for name in ("etc", "lock", "root", "bin"):
            (folder / name).mkdir(mode=0o700)
        self.service.lock_path = folder / "lock" / "sync.lock"
        self.service.script("echo synced")
        self.settings = folder / "etc" / "service.env"
        secret = folder / "etc" / "jwt.secret"
        Service.write_private(secret, self.service.secret)
        self.service.settings.update(
            JWT_SECRET_FILE=secret, SYNC_LOCK_PATH=self.service.lock_path, AUDIT_ORIGIN="old.example/sync-history")
        Service.write_private(self.settings, "".join(f"{name}={value}\n" for name, value in self.service.settings.items()).encode())
        for name, made in (("pem", certificates.certificate), ("key", certificates.key)):
            (folder / "root" / f"renewed.{name}").write_bytes(made.read_bytes())
        for name, body in STUBS.items():
            stub = folder / "bin" / name
            where = f"machine={shlex.quote(str(folder))} port={self.port} binary={BINARY}"
            stub.write_text(f"#!/bin/bash\nset -euo pipefail\n{where}\n{body}\n")
            stub.chmod(0o755)

    def block(self, text):
        for written, here in self.places.items():
            text = text.replace(written, str(here))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={"PATH": f"{self.folder}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LANG": "C.UTF-8"}, timeout=120)
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}\n{self.journal()[-2000:]}"
        return done.stdout

    def section(self, title):
        return "".join(self.block(block) for found, block in BLOCKS if found == title)

    def journal(self):
        path = self.folder / "journal"
        return path.read_text() if path.exists() else ""

    def command(self, *arguments):
        return self.block(shlex.join(["sync-service", *arguments]))

    def end(self):
        try:
            self.block("systemctl stop")
        finally:
            self.service.end_leftovers()


@pytest.fixture
def sandbox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s")
    (folder / "ca").mkdir()
    made = Sandbox(folder, Authority(folder / "ca"))
    yield made
    made.end()


def test_every_section_with_commands_is_run_below():
    titles = list(dict.fromkeys(title for title, _ in BLOCKS))
    assert titles == ["The first run", "Every night", "Reading the journal", "Backup", "Checkpoints in a file", "Restore", "Moving to a new machine",
                      "Rotating the JWT secret", "Renewing the certificate", "Rotating the signing key", "A stale lock file"]


def test_from_the_first_run_to_a_restored_history(sandbox):
    said = sandbox.section("The first run")
    assert '"output":"synced\\n"' in said and "succeeded" in said
    sandbox.section("Every night")
    assert "run 1" in sandbox.section("Reading the journal")
    sandbox.section("Backup")
    sandbox.command("run")
    assert len(sandbox.command("history").splitlines()) == 3, "a head and two runs"
    sandbox.block("systemctl stop sync-service")
    leave_hot_journal(sandbox.folder / "state/history.sqlite")
    sandbox.section("Restore")
    assert len(sandbox.command("history").splitlines()) == 2
    sandbox.command("run")
    sandbox.command("audit", "verify")


def test_a_history_is_restored_behind_its_checkpoint_file(sandbox):
    sandbox.section("The first run")
    sandbox.section("Backup")
    sandbox.section("Checkpoints in a file")
    sandbox.command("run")
    sandbox.block("systemctl stop sync-service")
    sandbox.section("Restore")
    assert len(sandbox.command("history").splitlines()) == 2
    sandbox.command("run")
    sandbox.command("audit", "verify")


def leave_hot_journal(database):
    """A service killed while it wrote leaves a journal. SQLite would play it into the next file of that name."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA cache_size=1")
    connection.execute("BEGIN IMMEDIATE")
    for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    connection.execute("DELETE FROM run_started")
    connection.execute("CREATE TABLE large AS SELECT zeroblob(100000)")
    connection.execute("INSERT INTO large SELECT zeroblob(100000)")
    journal = database.with_name(database.name + "-journal")
    kept = journal.read_bytes()
    connection.execute("ROLLBACK")
    connection.close()
    journal.write_bytes(kept)


def test_to_a_machine_of_another_name(sandbox):
    sandbox.section("The first run")
    sandbox.section("Backup")
    vkey = sandbox.command("audit", "vkey")
    sandbox.block("systemctl stop")
    # The new machine: nothing but what was carried there; its name would be in a record of its own.
    for path in (sandbox.folder / "state").iterdir():
        assert path.is_file() or path.name == "run"
    sandbox.block(f"find {sandbox.folder}/state {sandbox.folder}/etc -type f -delete; rm {sandbox.folder}/pid")
    archive = sandbox.folder / "backups/etc.tar.gz"
    sandbox.block(f"tar -xzf {archive} -C etc && sed -i /^AUDIT_ORIGIN/d {sandbox.settings} && tar -czf {archive} -C etc . && rm etc/*")
    sandbox.section("Moving to a new machine")
    assert sandbox.command("audit", "vkey") == vkey
    sandbox.command("run")
    sandbox.command("audit", "verify")


def test_secrets_and_keys(sandbox):
    sandbox.section("The first run")
    service = sandbox.service
    old = service.token()
    both, new_only = [block for title, block in BLOCKS if title == "Rotating the JWT secret"]
    sandbox.block(both)
    eventually(lambda: "settings reloaded" in sandbox.journal(), "the new secret is read")
    service.secret = (sandbox.folder / "etc/jwt.secret").read_bytes().removesuffix(b"\n")
    assert service.request("GET", "/sync/status").code == 200 and service.request("GET", "/sync/status", token=old).code == 200
    sandbox.block(new_only)
    eventually(lambda: service.request("GET", "/sync/status", token=old).code == 401, "the old secret is forgotten")
    assert service.request("GET", "/sync/status").code == 200

    vkey = sandbox.command("audit", "vkey")
    assert sandbox.section("Rotating the signing key").splitlines()[-1] != vkey.strip()
    sandbox.section("Renewing the certificate")


def test_checkpoints_in_a_file(sandbox):
    sandbox.section("The first run")
    sandbox.section("Checkpoints in a file")
    sandbox.command("run")
    kept = (sandbox.folder / "checkpoints/sync-service").read_text()
    assert sandbox.command("audit", "checkpoint") in kept


def test_a_stale_lock(sandbox):
    sandbox.section("The first run")
    sandbox.service.lock_path.write_text("killed")
    assert sandbox.service.status() == "running"
    said = sandbox.section("A stale lock file")
    assert '"script_process":"no"' in said and not sandbox.service.lock_path.exists()
    assert sandbox.service.status() == "idle"


def test_a_shutdown_is_told_as_it_is(installed):
    """The page's last sentence."""
    barrier = installed.waiting_script()
    installed.start()
    client = installed.begin_run()
    barrier.reached()
    pid = next(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_runner_of(entry, installed))
    os.kill(pid, signal.SIGTERM)
    client.result()
    assert installed.record(1)["outcome"] == "interrupted"


def _is_runner_of(process, service):
    """Whether it holds the run lock of that installation."""
    try:
        return (process / "comm").read_text().strip() == "sync-runner" and any(
            os.readlink(entry) == f"{service.state}/run/run.lock" for entry in (process / "fd").iterdir())
    except OSError:
        return False
