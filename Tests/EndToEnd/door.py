"""The front door from outside: the service behind HTTP or HTTPS, and raw connections from any loopback address.

Test modules import the fixtures they use from here. Every test runs once for each of SCHEMES.
"""

import functools
import json
import os
import random
import socket
import ssl
import subprocess
from pathlib import Path

import pytest

from client import Answer, Connection, fetch
from harness import Service

SCHEMES = ["http", "https"]

RUN = "POST /sync/run HTTP/1.1"
STATUS = "GET /sync/status HTTP/1.1"
HEALTH = "GET /healthz HTTP/1.1"
PROBE = "127.0.2.9"  # an address that no test attacks from
MEBIBYTE = 1 << 20


class Authority:
    """A certificate authority of the tests' own, and one certificate for this machine's names."""

    def __init__(self, folder):
        self.certificate, self.key, self.root = folder / "cert.pem", folder / "cert.key", folder / "root.pem"
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
        self.openssl("req", "-x509", *curve, "-days", "30", "-subj", "/CN=Test CA", "-keyout", folder / "root.key",
                     "-out", self.root, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self.openssl("req", *curve, "-subj", "/CN=localhost", "-keyout", self.key, "-out", folder / "cert.csr")
        extensions = folder / "cert.ext"
        extensions.write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n"
            "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n")
        self.openssl("x509", "-req", "-in", folder / "cert.csr", "-CA", self.root, "-CAkey", folder / "root.key",
                     "-days", "30", "-set_serial", str(random.getrandbits(120) | 1), "-extfile", extensions, "-out", self.certificate)
        self.key.chmod(0o600)
        self.context = ssl.create_default_context(cafile=self.root)

    @staticmethod
    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Door(Service):
    """An installation that is addressed by its scheme."""

    def __init__(self, folder, scheme, authority, **settings):
        self.scheme, self.authority = scheme, authority
        if scheme == "https":
            settings = {"TLS_CERT_FILE": authority.certificate, "TLS_KEY_FILE": authority.key, **settings}
        super().__init__(folder, **settings)

    def begin(self, method, path, token="", seconds=60, **options):
        token = self.token() if token == "" else token
        return fetch(method, f"{self.scheme}://127.0.0.1:{self.port}{path}", token, seconds, **options)

    def wire(self, **options):
        return Wire(self, **options)

    def raw(self, head, **options):
        """The one answer to a request whose every byte is given."""
        with self.wire(**options) as wire:
            wire.send(head)
            return wire.answer()

    def answers_others(self):
        """Whether somebody at another address is served."""
        return self.request("GET", "/healthz", token=None, seconds=10, source=PROBE).code == 200

    def peak_memory(self):
        """The most the service has had resident, in bytes."""
        return self.memory("VmHWM")

    def memory(self, kind="VmRSS"):
        """What the service has resident now, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {kind}")


class Wire(Connection):
    """A raw connection, from any loopback address, with as small a receive buffer as wanted."""

    def __init__(self, door, source=None, seconds=30, receive_buffer=None):
        self.host, self.token, self.buffer = f"127.0.0.1:{door.port}", door.token(), b""
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(seconds)
        if source is not None:
            # Many connections from one address must not use up its ports while old ones are in TIME_WAIT.
            plain.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            plain.bind((source, 0))
        plain.connect(("127.0.0.1", door.port))
        self.encrypted = door.scheme == "https"
        self.socket = door.authority.context.wrap_socket(plain, server_hostname="localhost") if self.encrypted else plain

    def send(self, data):
        try:
            super().send(data)
        except ssl.SSLError:
            pass

    def more(self):
        try:
            return super().more()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError, BrokenPipeError):
            return False

    def everything(self):
        """All final answers until the service closes; fails where it does not. A HEAD request must not be among them."""
        try:
            while self.more():
                pass
        except TimeoutError:
            raise AssertionError(f"not closed; had {self.buffer!r}") from None
        return answers(self.buffer)


def answers(stream):
    """The final answers in what a service sent."""
    found = []
    while stream:
        head, separator, stream = stream.partition(b"\r\n\r\n")
        assert separator and head.startswith(b"HTTP/1.1 "), f"not an answer: {head!r}"
        answer = Answer.parse_head(head)
        if answer.code < 200:
            continue
        size = int(answer.header("Content-Length") or 0)
        assert len(stream) >= size, "an answer was cut short"
        answer.body, stream = stream[:size], stream[size:]
        found.append(answer)
    return found


def pump(wire, piece, total, seconds=60):
    """Sends `piece` until `total` bytes are gone, the service closes or takes nothing more; how much it was."""
    wire.socket.settimeout(seconds)
    sent = 0
    try:
        while sent < total:
            wire.socket.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


@functools.cache
def _made_authority(folder):
    made = Authority(folder)
    os.environ["CURL_CA_BUNDLE"] = str(made.root)  # for client.fetch
    return made


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """One for all modules, each of which imports this fixture as one of its own."""
    folder = tmp_path_factory.getbasetemp() / "ca"
    folder.mkdir(exist_ok=True)
    return _made_authority(folder)


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request):
    return request.param


def _given_back(door):
    try:
        door.stop()
    finally:
        door.end_leftovers()


@pytest.fixture
def closed_door(tmp_path_factory, scheme, authority):
    """An installation that is not running; `set`, then `start` it."""
    door = Door(tmp_path_factory.mktemp("s"), scheme, authority)
    yield door
    _given_back(door)


@pytest.fixture
def open_door(closed_door):
    """A running service of the test's own."""
    closed_door.counting_script()
    return closed_door.start()


@pytest.fixture(scope="module")
def door(tmp_path_factory, scheme, authority):
    """One running service for all tests of a file. At its end the next run has the number that the runs so far
    explain: nothing that was refused was recorded or reached the script."""
    door = Door(tmp_path_factory.mktemp("s"), scheme, authority)
    door.counting_script()
    door.start()
    yield door
    try:
        ran = door.times_run()
        assert door.run().header("Sync-Run-Id") == str(ran + 1)
    finally:
        _given_back(door)


def is_plain_error(answer, code):
    """An error as documented; its text may name a path of the API but nothing of the inside."""
    assert answer.code == code, answer
    assert list(json.loads(answer.body)) == ["status", "message"]
