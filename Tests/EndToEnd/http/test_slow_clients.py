"""Slow clients. Deadlines are absolute, however steadily single bytes come; connections are capped; other clients are
answered meanwhile.

The long waits (10 to 80 s) run at the same time, each against a service of its own, while the other tests run.
"""

import resource
import select
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.raw_http import HEALTH, MEBIBYTE, PROBE, RUN, SCHEMES, STATUS, Endpoint
from support.waiting import eventually

pytestmark = pytest.mark.slow

LOG_BYTES = 900_000  # of NULs, each of which is six bytes in the answer
HARD_LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
GENEROUS = 20  # seconds on top of a deadline, for a busy machine
HEAD_TIME, BODY_TIME, IDLE_TIME, UNREAD_TIME = 10, 30, 60, 60


def dripped(endpoint, first, piece, deadline, pause=0.5):
    """Sends `first`, then `piece` repeatedly until the service closes. Returns its last bytes and the time that it took."""
    with endpoint.wire(source="127.0.2.1", seconds=pause) as wire:
        begun = time.monotonic()
        wire.send(first(wire))
        while time.monotonic() - begun < deadline + GENEROUS:
            try:
                if not wire.more():
                    return wire.buffer, time.monotonic() - begun
            except TimeoutError:
                wire.send(piece)
        return None, None


def dripped_below(endpoint):
    """Sends an incomplete TLS record or request. Returns whether the service closes."""
    with socket.create_connection(("127.0.0.1", endpoint.port), timeout=0.5) as plain:
        begun = time.monotonic()
        plain.sendall(b"\x16\x03\x01\x40\x00" if endpoint.scheme == "https" else b"G")
        while time.monotonic() - begun < HEAD_TIME + GENEROUS:
            try:
                while plain.recv(4096):
                    pass
                return True
            except TimeoutError:
                try:
                    plain.sendall(b"A")
                except OSError:
                    return True
            except OSError:
                return True
        return False


def idle(endpoint):
    with endpoint.wire(source="127.0.2.1", seconds=IDLE_TIME + GENEROUS) as wire:
        begun = time.monotonic()
        wire.send(wire.head(STATUS))
        assert wire.answer().code == 200
        wire.socket.settimeout(IDLE_TIME + GENEROUS)
        return wire.is_closed(), time.monotonic() - begun


def silent(endpoint):
    """Connects and sends nothing."""
    with endpoint.wire(source="127.0.2.1", seconds=HEAD_TIME + GENEROUS) as wire:
        begun = time.monotonic()
        return wire.is_closed(), time.monotonic() - begun


def unread(endpoint, request, times):
    """Asks and asks and reads nothing: closed by the service, or still served at the end?"""
    with endpoint.wire(source="127.0.2.1", receive_buffer=2048, seconds=0.5) as wire:
        data = request(wire)
        try:
            for _ in range(times):
                wire.socket.sendall(data)
        except OSError:
            pass  # the service takes no more
        # The time begins when the kernel's buffer is full, which takes many answers a while. A close that leaves requests
        # unread is a reset, which shows without reading.
        resets = select.poll()
        resets.register(wire.socket, 0)
        if resets.poll(1000 * (UNREAD_TIME + (GENEROUS if times == 1 else 10 * GENEROUS))):
            return True
        # Now everything there is, quickly. A closed connection has an end; a living one goes on to answer.
        wire.socket.settimeout(5)
        end = time.monotonic() + 60
        try:
            while time.monotonic() < end and wire.more():
                wire.buffer = b""
        except OSError as error:
            return not isinstance(error, TimeoutError)
        return time.monotonic() < end


def steady(endpoint):
    """Reads a large answer slowly and without a pause, for longer than a reader that has stopped may take; all of it?"""
    with endpoint.wire(source="127.0.2.1", receive_buffer=2048, seconds=30) as wire:
        wire.send(wire.head("GET /sync/log HTTP/1.1"))
        begun, size = time.monotonic(), 0
        while time.monotonic() - begun < UNREAD_TIME + GENEROUS:
            size += len(wire.socket.recv(1500))
            time.sleep(0.25)
        while data := wire.socket.recv(65536):
            size += len(data)
            if size > 6 * LOG_BYTES:
                return True
        return False


class Waits:
    """All long waits at one endpoint, at the same time."""

    def __init__(self, endpoint, pool):
        self.endpoint, self.probes = endpoint, []
        self.begun = {name: pool.submit(wait, endpoint, *arguments) for name, (wait, *arguments) in {
            "head": (dripped, lambda w: w.head(STATUS)[:-2] + b"X-A: ", b"b", HEAD_TIME),
            "line": (dripped, lambda w: b"G", b"E", HEAD_TIME),
            "later head": (dripped, lambda w: w.head(HEALTH, token=False) + b"GET /", b"x", HEAD_TIME),
            "body": (dripped, lambda w: w.head(RUN, "Content-Length: 60000"), b"b", BODY_TIME),
            "chunks": (dripped, lambda w: w.head(RUN, "Transfer-Encoding: chunked"), b"1\r\nb\r\n", BODY_TIME),
            "extension": (dripped, lambda w: w.head(RUN, "Transfer-Encoding: chunked") + b"1;", b"b", BODY_TIME),
            "idle": (idle,),
            "silent": (silent,),
            "handshake": (dripped_below,),
            "unread": (unread, lambda w: w.head(STATUS) * 50, 2000),
            "unread log": (unread, lambda w: w.head("GET /sync/log HTTP/1.1"), 1),
            "steady": (steady,),
        }.items()}
        self.probing = pool.submit(self.probe)

    def probe(self):
        while not self.begun["body"].done():
            self.probes.append(self.endpoint.answers_others())
            time.sleep(0.5)

    def result(self, name):
        return self.begun[name].result()


@pytest.fixture(scope="module")
def waits_at_all_endpoints(tmp_path_factory, authority):
    endpoints = {scheme: Endpoint(tmp_path_factory.mktemp("s"), scheme, authority) for scheme in SCHEMES}
    with ThreadPoolExecutor(13 * len(endpoints)) as pool:
        for endpoint in endpoints.values():
            endpoint.counting_script()
            endpoint.log_path.write_bytes(bytes(LOG_BYTES))
            endpoint.start()
        yield {scheme: Waits(endpoint, pool) for scheme, endpoint in endpoints.items()}
    try:
        assert all(endpoint.times_run() == 0 for endpoint in endpoints.values())
    finally:
        for endpoint in endpoints.values():
            endpoint.remove()


def test_the_long_waits_begin(waits_at_all_endpoints):
    """Starts the long waits first, so that they run during the other tests. The last tests check the results."""
    assert not any(wait.done() for waits in waits_at_all_endpoints.values() for wait in waits.begun.values())


# Caps

def opened(endpoint, count, source):
    """Connections with one answer each, so that the service certainly counts them."""
    held = [endpoint.wire(source=source) for _ in range(count)]
    for wire in held:
        wire.send(wire.head(HEALTH, token=False))
    for wire in held:
        assert wire.answer().code == 200
    return held


def connect_and_ask(endpoint, source):
    try:
        with endpoint.wire(source=source, seconds=10) as wire:
            wire.send(wire.head(HEALTH, "Connection: close", token=False))
            return wire.everything() != []
    except OSError:  # over TLS already the handshake fails
        return False


def test_a_hundred_connections_from_one_address(own_endpoint):
    held = opened(own_endpoint, 100, "127.0.2.1")
    assert not connect_and_ask(own_endpoint, "127.0.2.1")
    assert own_endpoint.answers_others() and connect_and_ask(own_endpoint, "127.0.2.2")
    held.pop().socket.close()
    eventually(lambda: connect_and_ask(own_endpoint, "127.0.2.1"), "its place is free again")
    for wire in held:
        wire.send(wire.head(STATUS, "Connection: close"))
        assert [answer.code for answer in wire.everything()] == [200]
        wire.socket.close()
    eventually(lambda: connect_and_ask(own_endpoint, "127.0.2.1"), "all places are free again")


def test_a_trusted_proxy_has_no_cap_of_its_own(stopped_endpoint):
    stopped_endpoint.set(TRUSTED_PROXIES="127.0.2.1")
    stopped_endpoint.start()
    held = opened(stopped_endpoint, 110, "127.0.2.1")
    assert connect_and_ask(stopped_endpoint, "127.0.2.1")
    for wire in held:
        wire.socket.close()


def test_a_cap_in_total_that_leaves_descriptors_for_work(stopped_endpoint):
    """With 160 descriptors there are 32 connections, and a run still starts over one of them."""
    stopped_endpoint.counting_script()
    stopped_endpoint.start("prlimit", "--nofile=160:160")
    with stopped_endpoint.wire(source="127.0.2.7") as worker:
        worker.send(worker.head(STATUS))
        assert worker.answer().code == 200
        held = [wire for number in range(1, 5) for wire in opened_while_room(stopped_endpoint, f"127.0.2.{number}")]
        assert not connect_and_ask(stopped_endpoint, "127.0.2.8")
        worker.send(worker.head(RUN))
        assert worker.answer().code == 200
    for wire in held:
        wire.socket.close()
    eventually(lambda: connect_and_ask(stopped_endpoint, "127.0.2.8"), "there is room again")


def opened_while_room(endpoint, source):
    held = []
    for _ in range(20):
        try:
            held.append(endpoint.wire(source=source, seconds=10))
        except OSError:
            break
    return held


def test_a_storm_of_connections_does_not_end_the_listener(stopped_endpoint):
    stopped_endpoint.start("prlimit", "--nofile=160:160")
    for number in range(1, 21):
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: connect_and_ask(stopped_endpoint, f"127.0.3.{n}"), [number] * 40))
    eventually(lambda: connect_and_ask(stopped_endpoint, PROBE), "the listener lives")


@pytest.mark.memory
def test_memory_under_five_thousand_idle_connections(own_endpoint):
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, HARD_LIMIT), HARD_LIMIT))
    before = own_endpoint.peak_memory()
    held = []
    try:
        for number in range(5000):
            wire = own_endpoint.wire(source=f"127.0.4.{1 + number // 60}")
            wire.send(wire.head(HEALTH, token=False))
            held.append(wire)
        assert own_endpoint.answers_others()
        assert all(wire.answer().code == 200 for wire in held[::100])
        grown = own_endpoint.peak_memory() - before
        print(f"5000 idle connections, {own_endpoint.scheme}: {grown / MEBIBYTE:.0f} MiB on top of {before / MEBIBYTE:.0f}", file=sys.stderr)
        assert grown < 300 * MEBIBYTE
    finally:
        for wire in held:
            wire.socket.close()


# slowhttptest: slow headers, slow bodies, slow reading

ATTACKS = {
    "/sync/status": ["-H", "-i", "2"], "/sync/run": ["-B", "-i", "2", "-s", "8192"],
    "/healthz": ["-X", "-w", "16", "-y", "32", "-n", "2", "-z", "8", "-k", "3"],
}


@pytest.fixture
def attacked(tmp_path_factory, scheme, authority):
    """An endpoint for each attack, and slowhttptest at it."""
    endpoints = {path: Endpoint(tmp_path_factory.mktemp("s"), scheme, authority) for path in ATTACKS}
    attacks = {}
    try:
        for path, endpoint in endpoints.items():
            endpoint.counting_script()
            endpoint.start()
        for path, endpoint in endpoints.items():
            attacks[path] = subprocess.Popen(
                ["slowhttptest", *ATTACKS[path], "-c", "300", "-r", "100", "-l", "8", "-u", f"{scheme}://127.0.0.1:{endpoint.port}{path}"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=endpoint.folder)
        yield endpoints, attacks
    finally:
        for attack in attacks.values():
            attack.kill()
            attack.wait()
        for endpoint in endpoints.values():
            endpoint.remove()


def test_slowhttptest(attacked):
    endpoints, attacks = attacked
    probes = dict.fromkeys(endpoints, 0)
    while any(attack.poll() is None for attack in attacks.values()):
        for path, endpoint in endpoints.items():
            assert endpoint.answers_others(), path
            probes[path] += attacks[path].poll() is None
        time.sleep(0.2)
    for path, attack in attacks.items():
        assert probes[path] > 10 and attack.returncode == 0, attack.stdout.read().decode()
        assert endpoints[path].times_run() == 0


# The results of the long waits

@pytest.fixture(params=SCHEMES)
def waits(request, waits_at_all_endpoints):
    return waits_at_all_endpoints[request.param]


@pytest.mark.parametrize("case", ["head", "line", "later head"])
def test_the_deadline_of_a_head_is_absolute(waits, case):
    last, seconds = waits.result(case)
    assert last is not None, "never closed"
    assert b"HTTP/1.1 408 " in last and last.count(b"HTTP/1.1 ") == (2 if case == "later head" else 1)
    assert seconds > HEAD_TIME - 1


@pytest.mark.parametrize("case", ["body", "chunks", "extension"])
def test_the_deadline_of_a_body_is_absolute(waits, case):
    last, seconds = waits.result(case)
    assert last is not None, "never closed"
    # A chunk extension is bounded in bytes as well, and may meet that end first.
    assert last.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ") if case == "extension" else b"HTTP/1.1 408 ")
    assert seconds > BODY_TIME - 1 or case == "extension"


def test_a_silent_connection_is_closed(waits):
    closed, seconds = waits.result("silent")
    assert closed and seconds > HEAD_TIME - 1


def test_the_deadline_of_a_handshake_is_absolute(waits):
    assert waits.result("handshake")


def test_keep_alive_has_an_end(waits):
    closed, seconds = waits.result("idle")
    assert closed and seconds > IDLE_TIME - 1


@pytest.mark.parametrize("case", ["unread", "unread log"])
def test_answers_that_nobody_reads_have_an_end(waits, case):
    """Whether much or little is left to send."""
    assert waits.result(case), "still served after the time a reader has"


def test_a_slow_reader_that_goes_on_is_not_cut_off(waits):
    assert waits.result("steady")


def test_others_were_answered_meanwhile(waits):
    waits.probing.result()
    assert len(waits.probes) > 10 and all(waits.probes)
