"""Two ways to speak HTTP: curl for whole, well-formed requests, a bare socket for everything else."""

import json
import socket
import subprocess
from dataclasses import dataclass


@dataclass
class Answer:
    code: int
    headers: list
    body: bytes

    @classmethod
    def parse_head(cls, head):
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        return cls(int(lines[0].split()[1]), headers, b"")

    def header(self, name):
        """The one value of a header, None without it; a header sent twice fails."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} sent {len(values)} times"
        return values[0] if values else None

    @property
    def text(self):
        return self.body.decode("utf-8")

    @property
    def json(self):
        return json.loads(self.body)

    def is_json(self, code, text):
        """Asserts code, content type and every byte of the body."""
        assert (self.code, self.text) == (code, text)
        assert self.header("Content-Type") == "application/json"

    def is_error(self, code):
        """Asserts an error of the documented shape, and that it gives nothing of the inside away."""
        assert self.code == code, self
        assert self.header("Content-Type") == "application/json"
        assert list(self.json) == ["status", "message"] and self.json["status"] == "error"
        message = self.json["message"]
        assert message and not any(word in message.lower() for word in ("/", "select ", "swift", "nio", "sqlite"))


class Pending:
    """A request under way in a curl process of its own."""

    def __init__(self, process):
        self.process = process

    @property
    def is_answered(self):
        return self.process.poll() is not None

    def result(self):
        out, errors = self.process.communicate()
        if self.process.returncode != 0:
            raise ConnectionError(f"curl left with {self.process.returncode}: {errors.decode()}")
        while True:
            head, _, out = out.partition(b"\r\n\r\n")
            answer = Answer.parse_head(head)
            if answer.code >= 200:
                answer.body = out
                return answer

    def abandon(self):
        """The client goes away."""
        self.process.kill()
        self.process.communicate()


def fetch(method, url, token, seconds, headers=(), body=None, source=None):
    arguments = ["curl", "--config", "-", "-sS", "-i", "-X", method, "--max-time", str(seconds), "--noproxy", "*"]
    for header in headers:
        arguments += ["-H", header]
    if source is not None:
        arguments += ["--interface", source]
    if body is not None:
        arguments += ["--data-binary", body]
    process = subprocess.Popen(
        [*arguments, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    # The token goes in by standard input: arguments are for every user of the machine to read.
    process.stdin.write(f'header = "Authorization: Bearer {token}"\n'.encode() if token is not None else b"")
    process.stdin.close()
    process.stdin = None
    return Pending(process)


class Connection:
    """A bare TCP connection to the service."""

    def __init__(self, service, seconds=30):
        self.host = f"127.0.0.1:{service.port}"
        self.token = service.token()
        self.socket = socket.create_connection(("127.0.0.1", service.port), timeout=seconds)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def head(self, line, *headers, host=True, token=True):
        """The text of a request head, its empty line included."""
        lines = [line, *([f"Host: {self.host}"] if host else []),
                 *([f"Authorization: Bearer {self.token}"] if token else []), *headers, "", ""]
        return "\r\n".join(lines).encode()

    def send(self, data):
        """Sends what the service will take; that it closed meanwhile shows at the answer."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def finish(self):
        """No more from us (FIN); answers still arrive."""
        self.socket.shutdown(socket.SHUT_WR)

    def more(self):
        data = self.socket.recv(65536)
        self.buffer += data
        return bool(data)

    def answer(self):
        """The next answer, of which Content-Length gives the size."""
        while b"\r\n\r\n" not in self.buffer:
            assert self.more(), f"closed without an answer; had {self.buffer!r}"
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        answer = Answer.parse_head(head)
        if answer.code < 200:
            return self.answer()
        size = int(answer.header("Content-Length"))
        while len(self.buffer) < size:
            assert self.more(), "closed within a body"
        answer.body, self.buffer = self.buffer[:size], self.buffer[size:]
        return answer

    def is_closed(self):
        """Waits for the service to close; false where it sends something instead or nothing until the time-out."""
        try:
            return not self.buffer and not self.more()
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
