"""Our service in both runner modes. The tests' installations start it, so the benchmark measures what the tests test."""

import os
import time
from contextlib import suppress

import jwt
from support.service import Service
from support.two_users import TwoUserService

from server import Server

# All connections come from one address. The service allows 100 for each address, but no limit for a proxy that it trusts.
RAISED_LIMITS = {"TRUSTED_PROXIES": "127.0.0.1"}
# In a session of their own, so that Ctrl-C reaches only the benchmark, which then stops them in order.
OWN_SESSION = ("setsid",)
TOKEN_LIFETIME = 6 * 3600  # seconds; longer than a run of the benchmark


class Ours(Server):
    """The service starts a runner for each run, as its own user."""

    name = "ours"

    def __init__(self, bench, authority=None):
        self.service, self.authority = self.install(bench), authority
        self.service.secret = bench.secret
        self.service.write_private(self.service.secret_path, bench.secret + b"\n")
        self.service.set(**RAISED_LIMITS)
        if authority:
            key = self.service.folder / "tls.key"
            self.service.write_private(key, authority.key.read_bytes())
            self.service.set(TLS_CERT_FILE=authority.certificate, TLS_KEY_FILE=key)
        self.token, self.folder, self.port = bench.token, self.service.folder, self.service.port
        self.lock_path, self.log_path, self.script_path = self.service.lock_path, self.service.log_path, self.service.script_path
        self.script("exit 0")

    def install(self, bench):
        return Service(bench.new_folder("ours"))

    def script(self, body):
        self.service.script(body, shebang="#!/bin/sh")

    def launch(self):
        self.service.launch(*OWN_SESSION)

    def stop(self):
        self.service.stop()

    def remove(self):
        # A service that does not end on TERM was killed; what it left is ended all the same.
        with suppress(AssertionError):
            self.service.remove()

    def main_processes(self):
        return [self.service.process]

    def output(self):
        return self.service.output()[-2000:]


class OursTwoUsers(Ours):
    """Service and runner are two users, as the package installs them. Only root can start this."""

    name = "ours, two users"

    def install(self, bench):
        return TwoUserService()

    def launch(self):
        if self.service.runner_process is None:
            self.service.start_runner(*OWN_SESSION)
        self.service.launch(*OWN_SESSION)

    def stop(self):
        self.service.stop()
        self.service.stop_runner()

    def main_processes(self):
        return [self.service.process, self.service.runner_process]


def modes():
    """The runner modes that this user can start."""
    return (Ours, OursTwoUsers) if os.geteuid() == 0 else (Ours,)


def token(secret):
    now = int(time.time())
    return jwt.encode({"sub": "bench", "iat": now, "exp": now + TOKEN_LIFETIME}, secret, "HS256")
