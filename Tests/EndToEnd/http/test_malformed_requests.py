"""Malformed and incomplete requests, sent over a bare socket. None of them does anything."""

import json

import pytest

from support.http_client import Connection

RUN = "POST /sync/run HTTP/1.1"
STATUS = "GET /sync/status HTTP/1.1"
IDLE = b'{"status":"idle","message":"No sync is currently running"}'


@pytest.fixture
def counted(service):
    """A service whose script leaves a line a run; at the end one whole request must be run number 1 and line 1."""
    service.counting_script()
    yield service
    assert service.run().header("Sync-Run-Id") == "1", "an earlier, refused request was recorded as a run"
    assert service.times_run() == 1, "an earlier, refused request reached the script"


def refused(connection, code, closed=True):
    answer = connection.answer()
    answer.is_error(code)
    if closed:
        assert connection.is_closed(), "refused, but not closed"


# Requests that never become complete. name: headers, what follows them
CUT_SHORT = {
    "in the head": None,
    "before the body": (["Content-Length: 2"], b""),
    "in the body": (["Content-Length: 10"], b"{}"),
    "in a chunk": (["Transfer-Encoding: chunked"], b"10\r\n{}"),
    "before the last chunk": (["Transfer-Encoding: chunked"], b"2\r\n{}\r\n"),
}


@pytest.mark.parametrize("case", CUT_SHORT)
def test_an_incomplete_request_does_nothing(counted, case):
    with Connection(counted) as connection:
        if CUT_SHORT[case] is None:
            connection.send(connection.head(RUN).removesuffix(b"\r\n"))
        else:
            headers, body = CUT_SHORT[case]
            connection.send(connection.head(RUN, *headers) + body)
        connection.finish()
        while connection.more():
            pass
        assert not connection.buffer or connection.answer().code == 400


# Requests that are refused, and the connection with them. name: line, headers, body, code
CLOSED = {
    "Upgrade": (RUN, ["Connection: upgrade", "Upgrade: websocket"], b"", 400),
    "Upgrade to h2c": (
        STATUS, ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"], b"", 400),
    "body too large": (RUN, ["Content-Length: 65537"], b"", 413),
    "body too large, without token": (RUN, ["Content-Length: 500000000"], b"x" * 1000, 413),
    "body too large, elsewhere": ("POST /nowhere HTTP/1.1", ["Content-Length: 500000000"], b"", 413),
    "chunks too large": (
        RUN, ["Transfer-Encoding: chunked"], b"8000\r\n" + b"x" * 32768 + b"\r\n8001\r\n" + b"x" * 32769, 413),
    "URI too long": (f"GET /{'a' * 5000} HTTP/1.1", [], b"", 414),
    "query too long": (f"GET /sync/status?{'a' * 5000} HTTP/1.1", [], b"", 414),
    "one header too large": (STATUS, [f"X-Large: {'a' * 17000}"], b"", 431),
    "too many headers": (STATUS, ["a:"] * 255, b"", 431),
    "many headers too large": (STATUS, [f"X-{n}: {'a' * 90}" for n in range(200)], b"", 431),
}


@pytest.mark.parametrize("case", CLOSED)
def test_refused_and_closed(counted, case):
    line, headers, body, code = CLOSED[case]
    with Connection(counted) as connection:
        connection.send(connection.head(line, *headers) + body)
        refused(connection, code)


def test_connect_is_refused_and_closed(counted):
    with Connection(counted) as connection:
        connection.send(connection.head(f"CONNECT {connection.host} HTTP/1.1"))
        answer = connection.answer()
        answer.is_error(answer.code)
        assert answer.code in (400, 405) and connection.is_closed()


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX-Endless: ", b"POST /sync/run HTTP/1.1\r\n"])
def test_an_endless_head_is_not_collected(counted, start):
    """Neither line nor header ever ends: the service must answer and close long before four megabytes."""
    with Connection(counted) as connection:
        connection.send(start)
        for _ in range(64):
            connection.send(b"a" * 65536)
        try:
            answer = connection.answer()
        except ConnectionResetError:
            return
        assert answer.code in (400, 414, 431) and connection.is_closed()


# Not HTTP as it should be; the parser's own refusals may be an empty 400. name: whole request head, body
MALFORMED = {
    "unknown transfer coding": (RUN, ["Transfer-Encoding: xchunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    "two transfer codings": (RUN, ["Transfer-Encoding: gzip, chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    "both lengths": (RUN, ["Content-Length: 2", "Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
    "two lengths": (RUN, ["Content-Length: 2", "Content-Length: 3"], b"{} "),
    "negative length": (RUN, ["Content-Length: -1"], b""),
    "space before the colon": (RUN, ["X-A : b"], b""),
    "folded header": (RUN, ["X-A: b\r\n c"], b""),
    "a NUL": (RUN, ["X-A: b\0c"], b""),
    "no version": ("POST /sync/run", [], b""),
    "not a method": ("sync please HTTP/1.1", [], b""),
    "not HTTP": ("\x16\x03\x01\x02\x00\x01", [], b""),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests_do_nothing(counted, case):
    line, headers, body = MALFORMED[case]
    with Connection(counted) as connection:
        connection.send(connection.head(line, *headers) + body)
        answer = connection.answer()
        assert answer.code in (400, 501, 505), answer
        assert answer.body == b"" or answer.json["status"] == "error"
        assert connection.is_closed()


@pytest.mark.parametrize("hosts", [[], ["Host: localhost", "Host: localhost"], ["Host: a b"], ["Host: user@localhost"]])
def test_a_request_needs_exactly_one_valid_host(counted, hosts):
    """RFC 9112, section 3.2: none, two, or one with an invalid value is 400."""
    with Connection(counted) as connection:
        connection.send(connection.head(RUN, *hosts, host=False))
        refused(connection, 400, closed=False)


WRONG_METHODS = [
    ("GET", "/sync/run", "POST"), ("PUT", "/sync/run", "POST"), ("DELETE", "/sync/run", "POST"),
    ("POST", "/sync/status", "GET"), ("PATCH", "/sync/log", "GET"), ("POST", "/admin/runs", "GET"),
    ("DELETE", "/admin/runs/1", "GET"), ("PUT", "/admin/runs/1/output", "GET"), ("POST", "/healthz", "GET"),
]


@pytest.mark.parametrize("method, path, allowed", WRONG_METHODS)
def test_a_wrong_method_gets_405_and_allow(shared, method, path, allowed):
    answer = shared.request(method, path, token=shared.token(role="admin"))
    answer.is_error(405)
    assert allowed in [name.strip() for name in answer.header("Allow").split(",")]
    assert method not in answer.header("Allow")


@pytest.mark.parametrize("path", [
    "/", "/sync", "/sync/run/", "/sync/runs", "/SYNC/run", "/admin", "/admin/runs/0", "/admin/runs/1",
    "/admin/runs/x", "/admin/runs/-1", "/admin/runs/99999999999999999999", "/admin/runs/9223372036854775807/output",
])
def test_unknown_paths_get_404(shared, path):
    shared.request("GET", path, token=shared.token(role="admin")).is_error(404)


def test_limits_let_through_what_is_just_below(shared):
    assert shared.request("GET", "/" + "a" * 4000).code == 404
    assert shared.request("GET", "/sync/status", headers=[f"X-Large: {'a' * 14000}"]).code == 200


def test_pipelined_requests_are_answered_in_order(service):
    service.script("echo ran")
    with Connection(service) as connection:
        connection.send(
            connection.head(STATUS) + connection.head("GET /nowhere HTTP/1.1")
            + connection.head(RUN, "Content-Length: 2") + b"{}" + connection.head(STATUS)
            + connection.head("GET /sync/log HTTP/1.1", "Connection: close")
        )
        assert connection.answer().body == IDLE
        assert connection.answer().code == 404
        assert json.loads(connection.answer().body)["output"] == "ran\n"
        assert connection.answer().body == IDLE
        assert connection.answer().code == 500
        assert connection.is_closed()


def test_a_request_in_small_pieces(service):
    service.script("exit 0")
    with Connection(service) as connection:
        request = connection.head(RUN, "Transfer-Encoding: chunked") + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
        for index in range(len(request)):
            connection.send(request[index:index + 1])
        assert connection.answer().code == 200


def test_a_refusal_does_not_end_the_connection_without_need(shared):
    with Connection(shared) as connection:
        connection.send(connection.head("GET /nowhere HTTP/1.1"))
        connection.answer().is_error(404)
        connection.send(connection.head(STATUS, token=False))
        connection.answer().is_error(401)
        connection.send(connection.head(STATUS))
        assert connection.answer().body == IDLE


def test_expect_100_continue(shared):
    shared.script("exit 0")
    assert shared.run(body="{}", headers=["Expect: 100-continue"]).code == 200


def test_a_head_request_gets_no_body(shared):
    with Connection(shared) as connection:
        connection.send(connection.head("HEAD /healthz HTTP/1.1", "Connection: close"))
        while connection.more():
            pass
        head, _, rest = connection.buffer.partition(b"\r\n\r\n")
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 405")) and rest == b""
