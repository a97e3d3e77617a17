"""Requests that two readers could split differently are refused, and the connection is closed. The bytes after them are
never read as a request (RFC 9112, sections 3, 5, 6, 7 and 11.2). Pumping in more takes no memory."""

import random
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.raw_http import HEALTH, MEBIBYTE, RUN, STATUS, pump

CHUNKED = "Transfer-Encoding: chunked"
EMPTY_CHUNKS = b"0\r\n\r\n"

# name: line, headers, body. Behind each of them a whole and valid run is sent.
AMBIGUOUS = {
    "CL and TE": (RUN, ["Content-Length: 5", CHUNKED], EMPTY_CHUNKS),
    "TE and CL": (RUN, [CHUNKED, "Content-Length: 5"], EMPTY_CHUNKS),
    "CL 0 and TE": (RUN, ["Content-Length: 0", CHUNKED], EMPTY_CHUNKS),
    "two CLs": (RUN, ["Content-Length: 0", "Content-Length: 5"], b"hello"),
    "two equal CLs": (RUN, ["Content-Length: 5", "Content-Length: 5"], b"hello"),
    "CLs in a list": (RUN, ["Content-Length: 5, 5"], b"hello"),
    "CL with sign": (RUN, ["Content-Length: +5"], b"hello"),
    "CL negative": (RUN, ["Content-Length: -5"], b"hello"),
    "CL in hex": (RUN, ["Content-Length: 0x5"], b"hello"),
    "CL empty": (RUN, ["Content-Length:"], b""),
    "CL with blank inside": (RUN, ["Content-Length: 5 0"], b"hello"),
    "CL beyond 64 bits": (RUN, ["Content-Length: 18446744073709551621"], b"hello"),
    "CL in other digits": (RUN, ["Content-Length: \u0665".encode().decode("latin-1")], b"hello"),
    "TE xchunked": (RUN, ["Transfer-Encoding: xchunked"], EMPTY_CHUNKS),
    "TE identity": (RUN, ["Transfer-Encoding: identity"], b""),
    "TE gzip": (RUN, ["Transfer-Encoding: gzip"], b""),
    "TE gzip, chunked": (RUN, ["Transfer-Encoding: gzip, chunked"], EMPTY_CHUNKS),
    "TE chunked, identity": (RUN, ["Transfer-Encoding: chunked, identity"], EMPTY_CHUNKS),
    "TE chunked twice": (RUN, ["Transfer-Encoding: chunked, chunked"], EMPTY_CHUNKS),
    "two TEs": (RUN, [CHUNKED, CHUNKED], EMPTY_CHUNKS),
    "two TEs, one other": (RUN, [CHUNKED, "Transfer-Encoding: identity"], EMPTY_CHUNKS),
    "TE quoted": (RUN, ['Transfer-Encoding: "chunked"'], EMPTY_CHUNKS),
    "TE with parameter": (RUN, ["Transfer-Encoding: chunked;q=1"], EMPTY_CHUNKS),
    "TE empty": (RUN, ["Transfer-Encoding:"], EMPTY_CHUNKS),
    "TE with vertical tab": (RUN, ["Transfer-Encoding: \x0bchunked"], EMPTY_CHUNKS),
    "TE before the colon": (RUN, ["Transfer-Encoding : chunked"], EMPTY_CHUNKS),
    "TE with blank before the name": (RUN, ["X: y", " Transfer-Encoding: chunked"], EMPTY_CHUNKS),
    "chunked on HTTP/1.0": ("POST /sync/run HTTP/1.0", [CHUNKED], EMPTY_CHUNKS),
    "folded header": (RUN, ["X-A: b\r\n c"], b""),
    "folded with tab": (RUN, ["X-A: b\r\n\tc"], b""),
    "folded Host": (RUN, ["Connection: close\r\n ,close"], b""),
    "bare LF ends a header": (RUN, ["X-A: b\nContent-Length: 5"], b"hello"),
    "bare LF ends the head": (RUN, ["X-A: b\n"], b""),
    "bare CR in a value": (RUN, ["X-A: b\rContent-Length: 5"], b"hello"),
    "bare CR before CRLF": (RUN, ["X-A: b\r"], b""),
    "NUL in a value": (RUN, ["X-A: b\0c"], b""),
    "NUL in a name": (RUN, ["X\0A: b"], b""),
    "NUL in the target": ("POST /sync/run\0 HTTP/1.1", [], b""),
    "other controls in a value": (RUN, ["X-A: b\x01c"], b""),
    "DEL in a value": (RUN, ["X-A: b\x7fc"], b""),
    "two blanks in the line": ("POST  /sync/run HTTP/1.1", [], b""),
    "tab in the line": ("POST\t/sync/run HTTP/1.1", [], b""),
    "blank behind the line": ("POST /sync/run HTTP/1.1 ", [], b""),
    "blank in the target": ("POST /sync/ run HTTP/1.1", [], b""),
    "absolute form": ("POST http://localhost/sync/run HTTP/1.1", [], b""),
    "version 2.0": ("POST /sync/run HTTP/2.0", [], b""),
    "version 1.2": ("POST /sync/run HTTP/1.2", [], b""),
    "version 0.9": ("POST /sync/run", [], b""),
    "version in lower case": ("POST /sync/run http/1.1", [], b""),
    "header without colon": (RUN, ["X-A"], b""),
    "header without name": (RUN, [": b"], b""),
    "header name with bracket": (RUN, ["X(A): b"], b""),
    "chunk size empty": (RUN, [CHUNKED], b"\r\n\r\n"),
    "chunk size with sign": (RUN, [CHUNKED], b"+5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with 0x": (RUN, [CHUNKED], b"0x5\r\nhello\r\n0\r\n\r\n"),
    "chunk size with blank": (RUN, [CHUNKED], b" 5\r\nhello\r\n0\r\n\r\n"),
    "chunk size beyond 32 bits": (RUN, [CHUNKED], b"100000005\r\nhello\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": (RUN, [CHUNKED], b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "chunk longer than said": (RUN, [CHUNKED], b"4\r\nhello\r\n0\r\n\r\n"),
    "chunk ends in LF": (RUN, [CHUNKED], b"5\nhello\r\n0\r\n\r\n"),
    "chunk data ends in LF": (RUN, [CHUNKED], b"5\r\nhello\n0\r\n\r\n"),
    "chunk extension with LF": (RUN, [CHUNKED], b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    "chunk extension without end": (RUN, [CHUNKED], b"5;" + b"a" * 70000 + b"\r\nhello\r\n0\r\n\r\n"),
    "trailer fields": (RUN, [CHUNKED], b"0\r\nContent-Length: 5\r\n\r\n"),
    "Expect other": (RUN, ["Expect: 200-ok", "Content-Length: 0"], b""),
    "Upgrade": (RUN, ["Connection: upgrade", "Upgrade: websocket"], b""),
    "HTTP/2 preface": ("PRI * HTTP/2.0", [], b"SM\r\n\r\n"),
    "CONNECT": ("CONNECT localhost:80 HTTP/1.1", [], b""),
}


def expect_one_refusal(endpoint, data, codes=(400, 413, 431, 501, 505)):
    before = endpoint.times_run()
    with endpoint.wire() as wire:
        wire.send(data)
        found = wire.everything()
    assert len(found) == 1, f"{len(found)} answers: {[answer.code for answer in found]}"
    assert found[0].code in codes
    assert found[0].body == b"" or found[0].json["status"] == "error"
    assert endpoint.times_run() == before, "a run was smuggled in"


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_refused_closed_and_nothing_behind_it(endpoint, case):
    line, headers, body = AMBIGUOUS[case]
    with endpoint.wire() as wire:
        data = wire.head(line, *headers).decode().encode("latin-1") + body + wire.head(RUN)
    expect_one_refusal(endpoint, data)


@pytest.mark.parametrize("hosts", [
    [], ["Host: localhost", "Host: localhost"], ["Host: localhost", "host: evil.example"], ["Host: localhost, evil.example"],
    ["Host:"], ["Host: "], ["Host: localhost\x80"],
])
def test_only_exactly_one_host_is_accepted(endpoint, hosts):
    before = endpoint.times_run()
    with endpoint.wire() as wire:
        wire.send(wire.head(RUN, *hosts, "Connection: close", host=False))
        assert [answer.code for answer in wire.everything()] == [400]
    assert endpoint.times_run() == before


@pytest.mark.parametrize("lead", [b"\r\n", b"\n", b" ", b"\t", b"\r\n\r\n", b"\0", b"\r\n" * 40000, b" " * 100000])
def test_leading_blanks_are_refused(endpoint, lead):
    with endpoint.wire() as wire:
        data = lead + wire.head(RUN)
    expect_one_refusal(endpoint, data, (400, 414, 431))


# What parsers read differently. Valid or not: one request is one answer, and a run that was refused has not run.
# name: headers, body
AGREEMENT = {
    "TE with blanks behind": (["Transfer-Encoding: chunked "], EMPTY_CHUNKS),
    "TE with tab behind": (["Transfer-Encoding: chunked\t"], EMPTY_CHUNKS),
    "TE with tab before": (["Transfer-Encoding:\tchunked"], EMPTY_CHUNKS),
    "TE in capitals": (["Transfer-Encoding: CHUNKED"], EMPTY_CHUNKS),
    "CL with tab behind": (["Content-Length: 2\t"], b"{}"),
    "CL with zeros": (["Content-Length: 0002"], b"{}"),
    "chunk size with zeros": ([CHUNKED], b"00000002\r\n{}\r\n000\r\n\r\n"),
    "chunk size in capitals": ([CHUNKED], b"A\r\n0123456789\r\n0\r\n\r\n"),
    "chunk extension": ([CHUNKED], b"2;a=b\r\n{}\r\n0;c\r\n\r\n"),
    "chunk extension, quoted": ([CHUNKED], b'2;a="b;c"\r\n{}\r\n0\r\n\r\n'),
    "chunk extension, quote left open": ([CHUNKED], b'2;a="b\r\n{}\r\n0\r\n\r\n'),
    "chunk extension with control": ([CHUNKED], b"2;a\x01\r\n{}\r\n0\r\n\r\n"),
    "chunk extension with other bytes": ([CHUNKED], b"2;\xff\x80\r\n{}\r\n0\r\n\r\n"),
    "chunk extension with blanks": ([CHUNKED], b"2 ;a\r\n{}\r\n0\r\n\r\n"),
    "chunk extension, empty": ([CHUNKED], b"2;\r\n{}\r\n0;;\r\n\r\n"),
    "chunk extension of blanks": ([CHUNKED], b"2; \r\n{}\r\n0\r\n\r\n"),
    "chunk extension with =": ([CHUNKED], b"2;=\r\n{}\r\n0\r\n\r\n"),
    "Connection with odd options": (["Connection: , ,close,,"], b""),
    "keep-alive and close": (["Connection: keep-alive, close"], b""),
    "header bytes over 127": (["X: \x80\xff"], b""),
    "TE with the Kelvin sign for k": (["Transfer-Encoding: " + "chun\u212aed".encode().decode("latin-1")], EMPTY_CHUNKS),
    "close behind a comma with an accent": (["Connection: " + "x,\u0301,close".encode().decode("latin-1")], b""),
    "as many headers as there may be": ([f"X-{number}: x" for number in range(254)], b""),
    "header of every token character": (["!#$%&'*+-.^_`|~: x"], b""),
}


def one_answer(endpoint, data):
    """Sends a request and a look at the health behind it, and asserts what the wire then shows."""
    before = endpoint.times_run()
    with endpoint.wire() as wire:
        wire.send(data + wire.head(HEALTH, "Connection: close", token=False))
        found = wire.everything()
    codes = [answer.code for answer in found]
    ran = endpoint.times_run() - before
    if codes[0] == 200:
        # Behind a proxy a second answer would go to another client.
        assert (len(codes), ran) == (1, 1) if b"close" in data else (codes, ran) == ([200, 200], 1), (codes, ran)
    else:
        assert len(codes) == 1 and ran == 0, (codes, ran)


@pytest.mark.parametrize("case", AGREEMENT)
def test_one_request_is_one_answer(endpoint, case):
    headers, body = AGREEMENT[case]
    with endpoint.wire() as wire:
        data = wire.head(RUN, *headers).decode().encode("latin-1") + body
    one_answer(endpoint, data)


INSERTIONS = [b" ", b"\t", b"\x0b", b"\x01", b"\x7f", b"\x80", b"\xff", b",", b";", b'"', b"0", b"5", b"-", b"+", b":", b"=", b"\r", b"\n", b"\r\n"]


def mutations(seed, count, request):
    """The request with a byte or two put in, taken out or changed anywhere behind the method."""
    numbers = random.Random(seed)
    for _ in range(count):
        data = bytearray(request)
        for _ in range(numbers.choice((1, 1, 2))):
            place = numbers.randrange(5, len(data))
            match numbers.randrange(3):
                case 0: data[place:place] = numbers.choice(INSERTIONS)
                case 1: data[place:place + 1] = numbers.choice(INSERTIONS)
                case 2: del data[place]
        yield bytes(data)


def codes_of_one_request(endpoint, data):
    """The answers to one request and to a last one behind it; empty where the service still waits for the rest."""
    with endpoint.wire() as wire:
        # The handshake may take a busy machine longer.
        wire.socket.settimeout(0.3)
        wire.send(data)
        try:
            if not wire.more():
                return []
        except TimeoutError:
            return []
        wire.socket.settimeout(30)
        wire.send(wire.head(HEALTH, "Connection: close", token=False))
        return [(answer.code, bool(answer.body)) for answer in wire.everything()]


def test_every_refusal_says_why(endpoint):
    """A client never sees an empty 400, whatever was damaged."""
    with endpoint.wire() as wire:
        chunked = wire.head("GET /nowhere HTTP/1.1", CHUNKED, "X-A: b", token=False) + b'3;a="b"\r\nabc\r\n1;c\r\nd\r\n0\r\n\r\n'
        sized = wire.head("GET /nowhere HTTP/1.1", "Content-Length: 9", "X-A: b", token=False) + b"GET / HTT"
    requests = [*mutations(1, 600, chunked), *mutations(2, 300, sized)]
    with ThreadPoolExecutor(16) as pool:
        for data, found in zip(requests, pool.map(lambda data: codes_of_one_request(endpoint, data), requests)):
            assert (400, False) not in found, (data, found)


def test_pipelined_answers_keep_their_order(endpoint):
    """Quick requests wait behind a slow one."""
    endpoint.counting_script("sleep 0.5; echo slow")
    try:
        with endpoint.wire() as wire:
            wire.send(wire.head(RUN, "Content-Length: 2") + b"{}" + wire.head(STATUS) + wire.head("GET /nowhere HTTP/1.1")
                      + wire.head(RUN, CHUNKED) + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + wire.head(HEALTH, "Connection: close") + wire.head(RUN))
            found = wire.everything()
        assert [answer.code for answer in found] == [200, 200, 404, 200, 200]
        assert found[0].json["output"] == found[3].json["output"] == "slow\n"
        assert found[1].json["status"] == "idle" and found[4].json == {"status": "ok"}
    finally:
        endpoint.counting_script()


# What comes before 300 MB: headers that are refused, or requests without end
FLOODS = {
    "after Upgrade": lambda wire: (wire.head(STATUS, "Connection: upgrade", "Upgrade: websocket", token=False), b"x" * 65536),
    "after CONNECT": lambda wire: (wire.head("CONNECT localhost:80 HTTP/1.1", token=False), b"x" * 65536),
    "after a body announced too large": lambda wire: (wire.head(RUN, "Content-Length: 314572800", token=False), b"x" * 65536),
    "chunks without end": lambda wire: (wire.head(RUN, CHUNKED, token=False), b"1000\r\n" + b"x" * 4096 + b"\r\n"),
    "one-byte chunks": lambda wire: (wire.head(RUN, CHUNKED, token=False), b"1\r\nx\r\n" * 8192),
    "one header without end": lambda wire: (wire.head(STATUS, token=False)[:-2] + b"X-A: ", b"x" * 65536),
    "headers without end": lambda wire: (wire.head(STATUS, token=False)[:-2], b"X-A: b\r\n" * 8192),
    "a target without end": lambda wire: (b"GET /", b"x" * 65536),
    "blanks without end": lambda wire: (b"", b"\r\n" * 32768),
    "requests without end": lambda wire: (b"", wire.head("GET /nowhere HTTP/1.1", token=False) * 2000),
}


@pytest.mark.slow
@pytest.mark.memory
@pytest.mark.parametrize("case", FLOODS)
def test_300_megabytes_take_no_memory(own_endpoint, case):
    for _ in range(3):
        assert own_endpoint.answers_others()
    before = own_endpoint.peak_memory()
    with own_endpoint.wire() as wire:
        first, piece = FLOODS[case](wire)
        wire.send(first)
        pump(wire, piece, 300 * MEBIBYTE, seconds=3)
        grown = own_endpoint.peak_memory() - before
    print(f"300 MB {case}, {own_endpoint.scheme}: {grown / MEBIBYTE:.1f} MiB on top of {before / MEBIBYTE:.0f}", file=sys.stderr)
    assert grown < 24 * MEBIBYTE
    assert own_endpoint.answers_others()
