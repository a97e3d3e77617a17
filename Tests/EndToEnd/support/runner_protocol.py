"""The protocol between service and runner, spoken by hand."""

import socket
import subprocess

from support.service import RUNNER
from support.waiting import DEADLINE

PROTOCOL = b"1"


class Runner:
    """A sync-runner of one's own, spoken to as the service does."""

    def __init__(self, *command):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.process = subprocess.Popen(command or [RUNNER], stdin=theirs, stderr=subprocess.PIPE)
        theirs.close()
        ours.settimeout(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.communicate(timeout=DEADLINE)

    def ask(self, kind, **fields):
        self.send(kind, **fields)
        return self.receive()

    def send(self, kind, **fields):
        message = encoded(kind, **fields)
        self.socket.sendall(len(message).to_bytes(4, "big") + message)

    def receive(self):
        """Kind and fields of one message."""
        return decoded(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the runner hung up"
            data += piece
        return data


def encoded(kind, version=PROTOCOL, **fields):
    pairs = [("version", version), ("kind", kind.encode())]
    pairs += [(name, value if isinstance(value, bytes) else str(value).encode()) for name, value in fields.items()]
    return b"".join(
        bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value for name, value in pairs)


def decoded(data):
    fields = {}
    while data:
        name, data = data[1:1 + data[0]].decode(), data[1 + data[0]:]
        length = int.from_bytes(data[:4], "big")
        fields[name], data = data[4:4 + length].decode(), data[4 + length:]
    fields.pop("version")
    return fields.pop("kind"), fields
