"""One connection of our own, for one request at a time."""

import http.client
import ssl
import time


class WrongAnswer(Exception):
    """A measurement that is worth nothing, because a server did not give the expected answer."""


class Connection:
    """A keep-alive connection to a server under measurement."""

    def __init__(self, server, timeout=60):
        self.server, self.headers = server, {"Authorization": f"Bearer {server.token}"}
        if server.authority:
            context = ssl.create_default_context(cafile=server.authority.root)
            self.connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=timeout, context=context)
        else:
            self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)

    def request(self, method, path):
        """The status code and the body."""
        try:
            self.connection.request(method, path, headers=self.headers)
            answer = self.connection.getresponse()
            return answer.status, answer.read()
        except TimeoutError:
            raise WrongAnswer(f"{self.server.name} did not answer {method} {path} within {self.connection.timeout} s") from None

    def expect(self, code, method, path):
        """The body of an answer that must have that status code."""
        answered, body = self.request(method, path)
        if answered != code:
            raise WrongAnswer(f"{self.server.name} answered {method} {path} with {answered} instead of {code}: {body[:200]!r}")
        return body

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()


def expect(server, code, method, path):
    """One request on a connection of its own."""
    with Connection(server) as connection:
        return connection.expect(code, method, path)


def one_after_the_other(server, method, path, seconds):
    """The time of a request in milliseconds. Every answer must be 200."""
    with Connection(server) as connection:
        return repeated(lambda: connection.expect(200, method, path), seconds)


def repeated(action, seconds, warm_up=5):
    """Median and 99th percentile of an action's time in milliseconds. The action is repeated for that many seconds."""
    for _ in range(warm_up):
        action()
    times, end = [], time.monotonic() + seconds
    while not times or time.monotonic() < end:
        begin = time.monotonic()
        action()
        times.append((time.monotonic() - begin) * 1000)
    times.sort()
    return {"value": times[len(times) // 2], "p99": times[len(times) * 99 // 100]}
