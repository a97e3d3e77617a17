"""Requests whose every byte is given, over HTTP or HTTPS and from any loopback address."""

import json
import socket
import ssl
from pathlib import Path

from support.http_client import Answer, Connection, fetch
from support.service import Service

SCHEMES = ["http", "https"]

RUN = "POST /sync/run HTTP/1.1"
STATUS = "GET /sync/status HTTP/1.1"
HEALTH = "GET /healthz HTTP/1.1"
PROBE = "127.0.2.9"  # an address that no test attacks from
MEBIBYTE = 1 << 20


class Endpoint(Service):
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
        return RawConnection(self, **options)

    def raw(self, head, **options):
        """The one answer to a request whose every byte is given."""
        with self.wire(**options) as wire:
            wire.send(head)
            return wire.answer()

    def answers_others(self):
        """Whether a client at another address is served."""
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


class RawConnection(Connection):
    """A raw connection, from any loopback address, with as small a receive buffer as wanted."""

    def __init__(self, endpoint, source=None, seconds=30, receive_buffer=None):
        self.host, self.token, self.buffer = f"127.0.0.1:{endpoint.port}", endpoint.token(), b""
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(seconds)
        if source is not None:
            # Many connections from one address must not use up its ports while old ones are in TIME_WAIT.
            plain.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            plain.bind((source, 0))
        plain.connect(("127.0.0.1", endpoint.port))
        self.encrypted = endpoint.scheme == "https"
        self.socket = endpoint.authority.context.wrap_socket(plain, server_hostname="localhost") if self.encrypted else plain

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


def is_plain_error(answer, code):
    """An error as documented; its text may name a path of the API but nothing of the inside."""
    assert answer.code == code, answer
    assert list(json.loads(answer.body)) == ["status", "message"]
