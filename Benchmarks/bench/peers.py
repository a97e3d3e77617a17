"""The peers: programs that users would write or install instead of the service."""

import os
import signal
import subprocess
from pathlib import Path

from support.service import Service, free_port

from server import PATIENCE, Server

PEERS = Path(__file__).resolve().parents[1] / "peers"
# The documented answer of GET /sync/status.
IDLE = '{"status":"idle","message":"No sync is currently running"}'


def build_go(source, binary, cache):
    """Builds a Go program from Debian's packages, without the network."""
    subprocess.run(
        ["go", "build", "-o", binary, source], check=True,
        env={**os.environ, "GOPATH": "/usr/share/gocode", "GO111MODULE": "off", "GOCACHE": str(cache), "GOFLAGS": ""})


class Peer(Server):
    """A peer is one process with its children, and is told its settings by environment or by a file."""

    def __init__(self, bench, authority=None):
        self.bench, self.authority, self.token, self.port = bench, authority, bench.token, free_port()
        self.folder = bench.new_folder(type(self).__name__.lower())
        self.script_path, self.lock_path, self.log_path = (self.folder / name for name in ("sync.sh", "sync.lock", "sync.log"))
        self.secret_path = self.folder / "jwt.secret"
        Service.write_private(self.secret_path, bench.secret + b"\n")
        self.process = None
        self.script("exit 0")

    def command(self):
        raise NotImplementedError

    def environment(self):
        names = {"PORT": self.port, "JWT_SECRET_FILE": self.secret_path, "SYNC_SCRIPT_PATH": self.script_path,
                 "SYNC_LOCK_PATH": self.lock_path, "SYNC_LOG_PATH": self.log_path}
        if self.authority:
            names |= {"TLS_CERT_FILE": self.authority.certificate, "TLS_KEY_FILE": self.authority.key}
        return {name: str(value) for name, value in names.items()}

    def script(self, body):
        """Replaces the script by rename, because a shell may still read the old one."""
        new = self.folder / "sync.sh.new"
        new.write_text(f"#!/bin/sh\n{body}\n")
        new.chmod(0o755)
        new.rename(self.script_path)

    def template(self, name, **values):
        """A file of Benchmarks/peers with its @NAMES@ filled in; the path of the result. It may hold the token."""
        text = (PEERS / name).read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.folder / name
        Service.write_private(path, text.encode())
        return path

    def launch(self):
        with (self.folder / "server.log").open("ab") as output:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, env=Service.environment(self.environment()), stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True)

    def stop(self):
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def remove(self):
        try:
            self.stop()
        finally:
            Service.end_leftovers(self)

    def main_processes(self):
        return [self.process]

    def output(self):
        path = self.folder / "server.log"
        return path.read_text(errors="replace")[-2000:] if path.exists() else ""


class Gin(Peer):
    name = "gin + golang-jwt"

    def command(self):
        return [self.bench.programs["gin"]]


class Nginx(Peer):
    name = "nginx, fixed body"

    def command(self):
        tls = f"ssl_certificate {self.authority.certificate}; ssl_certificate_key {self.authority.key};" if self.authority else ""
        configuration = self.template(
            "nginx.conf", FOLDER=self.folder, PORT=self.port, BODY=IDLE, LISTEN="ssl" if self.authority else "", TLS=tls)
        return ["/usr/sbin/nginx", "-e", self.folder / "error.log", "-p", self.folder, "-c", configuration]


class FastAPI(Peer):
    name = "FastAPI + PyJWT"

    def command(self):
        return ["/usr/bin/python3", PEERS / "fastapi_serve.py"]


class Webhook(Peer):
    """It has no status and no tokens. It compares the header with a fixed value and runs the script."""

    name = "webhook"
    probe = ("GET", "/")

    def command(self):
        hooks = self.template("hooks.json", SCRIPT=self.script_path, FOLDER=self.folder, TOKEN=self.token)
        return ["/usr/bin/webhook", "-hooks", hooks, "-ip", "127.0.0.1", "-port", str(self.port), "-urlprefix", "sync"]
