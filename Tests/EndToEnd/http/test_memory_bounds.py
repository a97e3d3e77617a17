"""What one client can make the service hold in memory is bounded: unread answers and unfinished bodies."""

import resource
import sys

import pytest

from support.http_client import Connection
from support.raw_http import MEBIBYTE
from support.waiting import eventually

HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
MUCH = {"http": 32 * 1024, "https": 64 * 1024}  # on top of an idle connection; TLS holds the record that has not ended
NULS = MEBIBYTE  # what copytruncate leaves; each becomes six bytes in JSON


def stopped_reader(endpoint, number, line, user="rina"):
    """A client that sends a request and reads nothing."""
    wire = endpoint.wire(source=f"127.0.5.{1 + number // 60}", receive_buffer=4096)
    wire.token = endpoint.token(user)
    wire.send(wire.head(line))
    return wire


def report(endpoint, what, before):
    grown = endpoint.memory() - before
    print(f"{what}, {endpoint.scheme}: {grown / MEBIBYTE:.0f} MiB on top of {before / MEBIBYTE:.0f}", file=sys.stderr)
    return grown


@pytest.mark.slow
@pytest.mark.memory
def test_readers_of_the_log_that_have_stopped(own_endpoint):
    """A hundred of them, of one user: memory stays bounded and others still get the log."""
    own_endpoint.log_path.write_bytes(bytes(NULS))
    assert own_endpoint.request("GET", "/sync/log").json["log"] == "\0" * NULS
    before = own_endpoint.memory()
    held = [stopped_reader(own_endpoint, number, "GET /sync/log HTTP/1.1") for number in range(100)]
    try:
        refused = own_endpoint.request("GET", "/sync/log")
        refused.is_error(429)
        assert refused.header("Retry-After") == "10"
        other = own_endpoint.request("GET", "/sync/log", token=own_endpoint.token("agus"))
        assert other.code == 200 and other.json["log"] == "\0" * NULS
        assert own_endpoint.status() == "idle"
        assert report(own_endpoint, "100 stopped readers of the log", before) < 64 * MEBIBYTE
    finally:
        for wire in held:
            wire.socket.close()
    eventually(lambda: own_endpoint.request("GET", "/sync/log").code == 200, "there is room again")


def test_a_small_log_keeps_no_place(own_endpoint):
    """The usual log is small; clients that do not read it take no place from others."""
    own_endpoint.log_path.write_text("a line\n" * 100)
    held = [stopped_reader(own_endpoint, number, "GET /sync/log HTTP/1.1") for number in range(40)]
    for wire in held:
        wire.more()
    assert own_endpoint.request("GET", "/sync/log").code == 200
    for wire in held:
        wire.socket.close()


def test_a_log_that_is_no_utf_8_is_repaired_across_pieces(own_endpoint):
    """A character that two pieces share stays intact. An invalid one is replaced as Python does it."""
    for lead in range(5):
        content = b"x" * lead + "é€😀".encode() * 30_000 + b"\xe2\x82\xf0\x9f\x98\x80\x80\x80\x80\xc3" * 3000
        own_endpoint.log_path.write_bytes(content)
        assert own_endpoint.request("GET", "/sync/log").json["log"] == content.decode("utf-8", "replace")


@pytest.mark.slow
@pytest.mark.memory
def test_outputs_of_runs_that_nobody_reads(own_endpoint):
    """Each client that started a run gets its whole output, and may not read it."""
    own_endpoint.script(f"head -c {MEBIBYTE} /dev/zero")
    assert own_endpoint.run().json["output"] == "\0" * MEBIBYTE
    before = own_endpoint.memory()
    held = []
    try:
        for number in range(30):
            wire = stopped_reader(own_endpoint, number, "POST /sync/run HTTP/1.1")
            held.append(wire)
            wire.more()
            assert wire.buffer.startswith(b"HTTP/1.1 200 ")
        assert report(own_endpoint, "30 outputs that nobody reads", before) < 64 * MEBIBYTE
    finally:
        for wire in held:
            wire.socket.close()


def test_a_long_output_of_a_failed_run(own_endpoint):
    own_endpoint.script("head -c 300000 /dev/zero; exit 3")
    answer = own_endpoint.run()
    assert answer.code == 500
    assert list(answer.json) == ["status", "message", "output"] and answer.json["output"] == "\0" * 300_000
    assert answer.json["message"] == "Failed to execute sync script: exited with code 3"


def half_sent(endpoint, number, request):
    wire = endpoint.wire(source=f"127.0.6.{1 + number // 60}")
    wire.send(request(wire))
    return wire


@pytest.mark.memory
def test_bodies_that_are_half_sent(own_endpoint):
    """With no token, with a token for a route that reads no body, in chunks, and to a route that is for others: none holds
    much more than its idle connection."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, HARD_LIMIT), HARD_LIMIT))
    body, chunk = b"x" * 60_000, b"ea60\r\n" + b"x" * 59_000
    requests = [
        lambda w: w.head("POST /sync/run HTTP/1.1", "Content-Length: 65536", token=False) + body,
        lambda w: w.head("POST /sync/run HTTP/1.1", "Content-Length: 65536") + body,
        lambda w: w.head("POST /sync/run HTTP/1.1", "Transfer-Encoding: chunked") + chunk,
        lambda w: w.head("POST /admin/lock/clear HTTP/1.1", "Content-Length: 65536") + body,
        lambda w: w.head("POST /nowhere HTTP/1.1", "Content-Length: 65536") + body,
    ]
    held = []
    try:
        for number in range(900):
            held.append(half_sent(own_endpoint, number, lambda w: w.head("GET /healthz HTTP/1.1", token=False)))
        assert all(wire.answer().code == 200 for wire in held)
        before = own_endpoint.memory()
        for number, wire in enumerate(held):
            wire.send(requests[number % len(requests)](wire))
        assert own_endpoint.answers_others()
        assert report(own_endpoint, f"{len(held)} half-sent bodies", before) < len(held) * MUCH[own_endpoint.scheme]
        assert own_endpoint.times_run() == 0
    finally:
        for wire in held:
            wire.socket.close()


def test_a_discarded_body_leaves_the_next_request_whole(own_endpoint):
    """The request after a discarded body is the next one, however the body is cut into pieces."""
    trap = b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for piece in (1, 7, 100_000):
        with own_endpoint.wire() as wire:
            status = wire.head("GET /sync/status HTTP/1.1")
            stream = b"".join([
                wire.head("POST /sync/run HTTP/1.1", f"Content-Length: {len(trap)}") + trap, status,
                wire.head("POST /sync/run HTTP/1.1", "Transfer-Encoding: chunked")
                + b"".join(b"%x\r\n%s\r\n" % (len(trap), trap) for _ in range(3)) + b"0\r\n\r\n", status,
                wire.head("POST /sync/run HTTP/1.1", f"content-length:{len(trap)}", "X-Last: 1", token=False) + trap,
                wire.head("GET /sync/status HTTP/1.1", "Connection: close"),
            ])
            for start in range(0, len(stream), piece):
                wire.send(stream[start:start + piece])
            assert [answer.code for answer in wire.everything()] == [200, 200, 200, 200, 401, 200]
    assert own_endpoint.times_run() == 6


@pytest.mark.slow
def test_large_heads_have_one_budget(own_endpoint):
    """Heads that never end, from many addresses: together they take no more than the budget, and small requests pass."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, HARD_LIMIT), HARD_LIMIT))
    before = own_endpoint.memory()
    held = []
    try:
        for number in range(2500):
            held.append(half_sent(own_endpoint, number, lambda w: b"GET / HTTP/1.1\r\nX: " + b"a" * 15_900))
        assert own_endpoint.answers_others() and own_endpoint.status() == "idle"
        assert report(own_endpoint, f"{len(held)} half-sent heads", before) < 32 * MEBIBYTE + len(held) * 32 * 1024
    finally:
        for wire in held:
            wire.socket.close()


def test_http_10_is_told_whether_the_connection_stays(own_endpoint):
    for headers, said in ((["Connection: keep-alive"], "keep-alive"), ([], "close")):
        with Connection(own_endpoint) if own_endpoint.scheme == "http" else own_endpoint.wire() as wire:
            for _ in range(2 if headers else 1):
                wire.send(wire.head("GET /sync/status HTTP/1.0", *headers))
                answer = wire.answer()
                assert answer.code == 200 and answer.header("Connection") == said
            if not headers:
                assert wire.is_closed()


def test_a_refused_head_request_gets_no_body(own_endpoint):
    """RFC 9110, section 9.3.2: the length of what GET would get, and none of it."""
    with own_endpoint.wire() as wire:
        wire.send(b"HEAD /sync/status HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n\r\n")
        while wire.more():
            pass
        head, _, body = wire.buffer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ") and b"content-length: 0" not in head and body == b""
