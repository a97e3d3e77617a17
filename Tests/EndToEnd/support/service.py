"""An installed sync-service in a folder of its own: settings, secret, script, and the built binary run as users run it."""

import os
import random
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import jwt

from support.http_client import Pending, fetch
from support.waiting import DEADLINE, Barrier, eventually

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("SYNC_SERVICE_BIN", ROOT / ".build/debug/sync-service")).resolve()
RUNNER = BINARY.with_name("sync-runner")

# Exit codes of sync-service
ALREADY_RUNNING, NOT_CHECKED, USAGE, UNAVAILABLE, CONFIGURATION = 2, 3, 64, 69, 78

# Root may read and write everything. Where a permission must count, the service runs without that privilege.
WITHOUT_OVERRIDE = (
    ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
)


def free_port():
    """A free loopback port below the range from which the kernel takes outgoing ones."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


class Service:
    """One installation. `settings` overrides the defaults below; None leaves a setting out."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.script_path = folder / "sync.sh"
        self.lock_path = folder / "sync.lock"
        self.log_path = folder / "sync.log"
        self.secret_path = folder / "jwt.secret"
        self.state = folder / "state"
        self.database = self.state / "history.sqlite"
        self.output_path = folder / "service.log"
        self.secret = b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        self.port = free_port()
        self.process = None
        self.state.mkdir(mode=0o700)
        self.write_private(self.secret_path, self.secret + b"\n")
        self.settings = {
            "PORT": self.port,
            "JWT_SECRET_FILE": self.secret_path,
            "SYNC_STATE_DIR": self.state,
            "SYNC_SCRIPT_PATH": self.script_path,
            "SYNC_LOCK_PATH": self.lock_path,
            "SYNC_LOG_PATH": self.log_path,
            "SYNC_STOP_GRACE_SECONDS": 1,
        }
        self.set(**settings)

    # Settings and files

    def set(self, **settings):
        self.settings.update(settings)
        lines = [f"{name}={value}\n" for name, value in self.settings.items() if value is not None]
        self.write_private(self.folder / ".env", "".join(lines).encode())

    @staticmethod
    def write_private(path, content):
        path.write_bytes(content)
        path.chmod(0o600)

    def script(self, body, shebang="#!/bin/bash", mode=0o755):
        """Puts the script in place by rename: a shell that still reads the one before must not see this one."""
        new = self.folder / "sync.sh.new"
        new.write_text(f"{shebang}\n{body}\n")
        new.chmod(mode)
        new.rename(self.script_path)

    def counting_script(self, body="exit 0"):
        """A script that leaves one line a run; `times_run` counts them."""
        self.script(f'echo run >> "{self.folder}/ran"\n{body}')

    def times_run(self):
        ran = self.folder / "ran"
        return len(ran.read_text().splitlines()) if ran.exists() else 0

    def waiting_script(self, before="", after="exit 0"):
        barrier = Barrier(self.folder)
        self.script(f"{before}\n{barrier.wait}\n{after}")
        return barrier

    # The process

    def start(self, *prefix, environment=None):
        self.launch(*prefix, environment=environment)
        eventually(self._answers, "GET /healthz answers")
        return self

    def launch(self, *prefix, environment=None):
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, BINARY, "serve"], cwd=self.folder, env=self.environment(environment),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )

    def _answers(self):
        code = self.process.poll()
        assert code is None, f"the service left with {code}:\n{self.output()}"
        try:
            return self.request("GET", "/healthz", token=None, seconds=5).code == 200
        except ConnectionError:
            return False

    def stop(self):
        """TERM, and a kill of that one process where it does not follow, which fails the test."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the service did not leave on SIGTERM")

    def remove(self):
        """Stops the service and ends what it left, even where stopping fails."""
        try:
            self.stop()
        finally:
            self.end_leftovers()

    def end_leftovers(self):
        """Ends scripts and daemons of this test, by id: processes whose working directory is this folder."""
        for entry in Path("/proc").iterdir():
            try:
                where = os.readlink(entry / "cwd") if entry.name.isdigit() else ""
            except OSError:
                continue
            if where == str(self.folder) or where.startswith(f"{self.folder}/"):
                os.kill(int(entry.name), signal.SIGKILL)

    def output(self):
        return self.output_path.read_text(errors="replace") if self.output_path.exists() else ""

    @staticmethod
    def environment(extra=None):
        kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
        return {"HOME": "/", "LANG": "en_US.UTF-8", "TZ": "Asia/Jakarta", "USER": "test", **kept, **(extra or {})}

    def command(self, *arguments, prefix=(), environment=None, binary=BINARY):
        """Runs a command of sync-service beside (or without) a running one; the completed process, text."""
        return subprocess.run(
            [*prefix, binary, *arguments], cwd=self.folder, env=self.environment(environment),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=2 * DEADLINE,
        )

    def refused_start(self, *prefix, environment=None, binary=BINARY):
        """Starts `serve` where it must refuse; exit code and message. One that serves anyway fails here."""
        try:
            done = self.command("serve", prefix=prefix, environment=environment, binary=binary)
        except subprocess.TimeoutExpired as still_serving:
            raise AssertionError(f"it serves: {still_serving.stderr}") from None
        return done.returncode, done.stderr + done.stdout

    # Requests

    def token(self, user="rina", role=None, lifetime=600, algorithm="HS256", secret=None, headers=None, **claims):
        """A token by PyJWT; a claim given as None is left out."""
        now = int(time.time())
        claims = {"sub": user, "role": role, "iat": now, "exp": now + lifetime, **claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.secret if secret is None else secret, algorithm, headers)

    def request(self, method, path, token="", seconds=2 * DEADLINE, **options):
        return self.begin(method, path, token, seconds, **options).result()

    def begin(self, method, path, token="", seconds=2 * DEADLINE, **options) -> Pending:
        """Sends a request without waiting for its answer. Token: "" a user's, None none, else as given."""
        token = self.token() if token == "" else token
        return fetch(method, f"http://127.0.0.1:{self.port}{path}", token, seconds, **options)

    def run(self, **options):
        return self.request("POST", "/sync/run", **options)

    def begin_run(self, **options):
        return self.begin("POST", "/sync/run", **options)

    def status(self):
        return self.request("GET", "/sync/status").json["status"]

    def admin(self, path, **options):
        return self.request("GET", path, token=self.token("auditor", role="admin"), **options)

    def record(self, run_id):
        """A run as the admin API shows it, once it has ended."""
        def ended():
            answer = self.admin(f"/admin/runs/{run_id}")
            assert answer.code == 200, answer
            return answer.json if answer.json["outcome"] != "running" else None
        return eventually(ended, f"run {run_id} has ended")

    def run_recorded(self):
        """Runs the script; the answer and the record that belongs to it."""
        answer = self.run()
        return answer, self.record(answer.header("Sync-Run-Id"))

    # The history file

    def sql(self, text, *values):
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=DEADLINE)
        try:
            return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def sqlite3(self, text):
        """Runs the sqlite3 command line on the history."""
        return subprocess.run(
            ["sqlite3", "-cmd", f".timeout {DEADLINE * 1000}", self.database, text], capture_output=True, text=True
        )


def hang_up(service, taken=True):
    """Sends SIGHUP and waits until the service has said what it made of it; that line."""
    said = "settings reloaded" if taken else "settings not reloaded"
    before = service.output().count("reloaded")
    service.process.send_signal(signal.SIGHUP)
    eventually(lambda: service.output().count("reloaded") > before, "the service speaks of the reload")
    (line,) = [line for line in service.output().splitlines() if "reloaded" in line][before:]
    assert said in line, line
    return line


def spool(service, run, kind):
    return service.state / "run" / f"run-{run}.{kind}"


def admin(service, method, path, **options):
    return service.request(method, path, token=service.token("auditor", role="admin"), **options)
