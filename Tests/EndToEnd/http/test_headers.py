"""The headers of every answer; HEAD, OPTIONS and TRACE (RFC 9110, section 9.3)."""

import pytest

from support.raw_http import STATUS
from support.routes import ROUTES, TARGETS, name, offered

# name: method, path, options of request, code
ANSWERS = {
    "a run": ("POST", "/sync/run", {}, 200),
    "status": ("GET", "/sync/status", {}, 200),
    "no log": ("GET", "/sync/log", {}, 500),
    "health": ("GET", "/healthz", {"token": None}, 200),
    "readiness": ("GET", "/readyz", {"token": None}, 200),
    "no token": ("GET", "/sync/status", {"token": None}, 401),
    "not allowed": ("GET", "/admin/runs", {}, 403),
    "not there": ("GET", "/nowhere", {}, 404),
    "wrong method": ("DELETE", "/sync/run", {}, 405),
    "TRACE": ("TRACE", "/sync/status", {}, 405),
    "options": ("OPTIONS", "/sync/run", {"token": None}, 204),
    "wrong host": ("GET", "/sync/status", {"headers": ["Host: evil.example"]}, 400),
    "body too large": ("POST", "/sync/run", {"body": "x" * 70000}, 413),
    "headers too large": ("GET", "/sync/status", {"headers": ["X-A: " + "b" * 20000]}, 431),
    "target too long": ("GET", "/" + "a" * 5000, {}, 414),
    "malformed": ("GET", "/sync/status", {"headers": ["Content-Length: x"]}, 400),
    "runs": ("GET", "/admin/runs", {"admin": True}, 200),
    "an output": ("GET", "/admin/runs/1/output", {"admin": True}, 200),
    "a bad query": ("GET", "/admin/runs?limit=x", {"admin": True}, 400),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_every_answer_carries(endpoint, case):
    method, path, options, code = ANSWERS[case]
    options = dict(options)
    if options.pop("admin", False):
        endpoint.run()
        options["token"] = endpoint.token(role="admin")
    answer = endpoint.request(method, path, **options)
    assert answer.code == code
    carries_what_every_answer_carries(answer, path)


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_every_route_carries_it_too(endpoint, route):
    """Without a token, as a user, as an administrator."""
    endpoint.run()
    for token in (None, endpoint.token("tono"), endpoint.token(role="admin")):
        carries_what_every_answer_carries(endpoint.request(route.method, route.target, token=token), route.target)


def carries_what_every_answer_carries(answer, path):
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert "frame-ancestors 'none'" in answer.header("Content-Security-Policy")
    names = {name.lower() for name, _ in answer.headers}
    assert not names & {"server", "x-powered-by", "via", "set-cookie", "etag", "last-modified", "refresh"}
    assert b"hummingbird" not in answer.body.lower() and b"swift" not in answer.body.lower()
    if answer.code != 204:
        assert answer.header("Content-Type").startswith(("application/json", "text/plain"))
    if not path.startswith("/admin/runs/1/output"):
        assert answer.header("Strict-Transport-Security") is None, "HSTS covers every port of the name: opt in"


def head_and_rest(endpoint, line, *headers, token=None):
    with endpoint.wire() as wire:
        wire.token = token or wire.token
        wire.send(wire.head(line, *headers, "Connection: close"))
        while wire.more():
            pass
        head, _, rest = wire.buffer.partition(b"\r\n\r\n")
        return head.decode().split("\r\n"), rest


@pytest.mark.parametrize("path", [*TARGETS, "/nowhere"])
def test_head_says_what_get_would_and_nothing_more(endpoint, path):
    endpoint.run()
    token = endpoint.token(role="admin")
    got, body = head_and_rest(endpoint, f"GET {path} HTTP/1.1", token=token)
    head, rest = head_and_rest(endpoint, f"HEAD {path} HTTP/1.1", token=token)
    assert rest == b"" and (body != b"" or path.endswith("/output"))
    if path.startswith("/admin/audit") or path.endswith("/receipt"):
        # Each read of the history is an entry, so that the next answer may be longer.
        head, got = ([line for line in lines if not line.lower().startswith("content-length")] for lines in (head, got))
    assert head == got


def test_head_runs_nothing(endpoint):
    before = endpoint.times_run()
    head_and_rest(endpoint, "HEAD /sync/run HTTP/1.1")
    assert endpoint.times_run() == before


def test_head_of_an_output(endpoint):
    endpoint.counting_script("seq 100000")
    try:
        path = f"/admin/runs/{endpoint.run().header('Sync-Run-Id')}/output"
        head, rest = head_and_rest(endpoint, f"HEAD {path} HTTP/1.1", token=endpoint.token(role="admin"))
        assert head[0].endswith("200 OK") and rest == b"" and any(line.lower() == "content-length: 588895" for line in head)
    finally:
        endpoint.counting_script()


@pytest.mark.parametrize("path", TARGETS)
def test_options_tells_what_there_is_and_does_nothing(endpoint, path):
    before = endpoint.times_run()
    answer = endpoint.request("OPTIONS", path, token=None)
    assert answer.code == 204 and answer.body == b""
    assert {name.strip() for name in answer.header("Allow").split(",")} == offered(path)
    assert endpoint.times_run() == before


@pytest.mark.parametrize("line", ["OPTIONS * HTTP/1.1", "OPTIONS /nowhere HTTP/1.1"])
def test_options_elsewhere(endpoint, line):
    with endpoint.wire() as wire:
        wire.send(wire.head(line, "Connection: close"))
        assert wire.everything()[0].code in (200, 204, 404)


@pytest.mark.parametrize("line", ["TRACE / HTTP/1.1", "TRACE /sync/status HTTP/1.1", "TRACK /sync/status HTTP/1.1", "DEBUG / HTTP/1.1"])
def test_trace_gives_nothing_back(endpoint, line):
    with endpoint.wire() as wire:
        wire.send(wire.head(line, "X-Secret: marker", "Connection: close"))
        (answer,) = wire.everything()
    assert answer.code in (400, 404, 405, 501)
    assert b"marker" not in answer.body and wire.token.encode() not in answer.body


@pytest.mark.parametrize("line, headers", [
    (STATUS, ["Connection: close"]), ("GET /sync/status HTTP/1.0", []), ("GET /nowhere HTTP/1.1", ["Connection: close"]),
])
def test_the_last_answer_says_that_it_is(endpoint, line, headers):
    """RFC 9112, section 9.6, so that a proxy does not send another request into a connection that ends."""
    with endpoint.wire() as wire:
        wire.send(wire.head(line, *headers))
        (answer,) = wire.everything()
    assert (answer.header("Connection") or "").lower() == "close"


def test_hsts_only_as_set(stopped_endpoint):
    if stopped_endpoint.scheme == "http":
        stopped_endpoint.set(TLS_HSTS_SECONDS=3600)
        code, message = stopped_endpoint.refused_start()
        assert code == 78 and "TLS_HSTS_SECONDS" in message
    else:
        stopped_endpoint.set(TLS_HSTS_SECONDS=3600)
        stopped_endpoint.start()
        for path in ("/healthz", "/nowhere"):
            assert stopped_endpoint.request("GET", path, token=None).header("Strict-Transport-Security") == "max-age=3600"
