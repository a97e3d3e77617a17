"""TLS as a client meets it, beside what sslyze, testssl.sh and sslscan ask (make security-scan) and Tests/TLSTests."""

import random
import re
import signal
import socket
import ssl
import subprocess

import pytest

from door import HEALTH, RUN, STATUS, Door, authority  # noqa: F401
from door import _given_back
from harness import CONFIGURATION, ROOT, eventually
from test_reload import hang_up


@pytest.fixture
def closed_door(tmp_path_factory, authority):
    """With a pair of its own, which tests may replace."""
    door = Door(tmp_path_factory.mktemp("s"), "https", authority)
    door.certificate, door.key = door.folder / "own.pem", door.folder / "own.key"
    door.set(TLS_CERT_FILE=door.certificate, TLS_KEY_FILE=door.key)
    issue(door)
    door.counting_script()
    yield door
    _given_back(door)


@pytest.fixture
def door(closed_door):
    return closed_door.start()


P256 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def issue(door, names="DNS:localhost,IP:127.0.0.1", days=60, kind=P256, digest="sha256"):
    """A new pair of the tests' CA in the place of the old one."""
    folder, authority = door.folder, door.authority
    (folder / "own.ext").write_text(f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n")
    authority.openssl("req", "-newkey", *kind, "-noenc", "-subj", "/CN=own", "-keyout", door.key, "-out", folder / "own.csr")
    authority.openssl("x509", "-req", "-in", folder / "own.csr", "-CA", authority.root, "-CAkey", authority.root.with_name("root.key"),
                      "-days", days, f"-{digest}", "-set_serial", random.getrandbits(120) | 1, "-extfile", folder / "own.ext", "-out", door.certificate)
    door.key.chmod(0o600)


def serial(wire):
    return wire.socket.getpeercert()["serialNumber"]


def plain(door):
    return socket.create_connection(("127.0.0.1", door.port), timeout=30)


def test_whoever_is_only_connected_is_left_at_once_when_the_service_stops(door):
    """With close_notify, and without waiting the five seconds that a client has for its own."""
    with door.wire() as silent, door.wire() as idle:
        idle.send(idle.head(STATUS))
        assert idle.answer().code == 200
        process, door.process = door.process, None
        process.send_signal(signal.SIGTERM)
        # Neither client does anything more: a read that answers close_notify comes only when the process has ended.
        assert process.wait(30) == 0
        for wire in (silent, idle):
            assert wire.socket.recv(1) == b"", "close_notify, and not only the end of the connection"
        assert "stopped" in door.output()


def test_a_handshake_in_fits_and_starts_takes_nothing_of_the_requests_time(door):
    """See also RequestGuardTests, by its own clock."""
    wire = plain(door)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = door.authority.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in outgoing.read():
                wire.sendall(bytes([byte]))
            incoming.write(wire.recv(65536))
    client.write(f"{HEALTH}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    for byte in outgoing.read():
        wire.sendall(bytes([byte]))
    while True:
        try:
            assert client.read(65536).startswith(b"HTTP/1.1 200 ")
            break
        except ssl.SSLWantReadError:
            incoming.write(wire.recv(65536))
    wire.close()


def test_failed_handshakes_are_told_and_do_not_fill_the_log(door):
    """Somebody who speaks plain HTTP here finds the reason in the log; a thousand of them one line in ten seconds."""
    for _ in range(300):
        with plain(door) as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                while wire.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    eventually(lambda: "TLS handshake failed" in door.output(), "the failure is told")
    lines = [line for line in door.output().splitlines() if "TLS handshake failed" in line]
    assert "http request" in lines[0] and "127.0.0.1" in lines[0], lines[0]
    assert len(lines) < 20
    assert door.answers_others()


def test_the_line_holds_nothing_of_what_the_client_sent(door):
    with plain(door) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer verysecret\r\n\r\n")
        try:
            while wire.recv(4096):
                pass
        except ConnectionResetError:
            pass
    eventually(lambda: "TLS handshake failed" in door.output(), "the failure is told")
    assert "verysecret" not in door.output()


def test_a_renewed_pair_is_for_new_connections_and_open_ones_stay(door):
    with door.wire() as old:
        before = serial(old)
        issue(door, names="DNS:localhost,DNS:renamed.example,IP:127.0.0.1")
        hang_up(door)
        with door.wire() as new:
            assert serial(new) != before
            new.host = "renamed.example"
            new.send(new.head(STATUS))
            assert new.answer().code == 200, "the names of the new certificate count"
        old.send(old.head(STATUS))
        assert old.answer().code == 200 and serial(old) == before


def other_key(door):
    door.authority.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", door.key)


def key_for_all(door):
    door.key.chmod(0o644)


# what is wrong with a pair: how, and a word of the message
BAD = {
    "another's key": (other_key, "does not belong"), "expired": (lambda door: issue(door, days=-1), "expired"),
    "a key too short": (lambda door: issue(door, kind=["rsa:1024"]), "bits"),
    "signed with SHA-1": (lambda door: issue(door, digest="sha1"), "signed with"),
    "a key for all to read": (key_for_all, "chmod 640"), "no certificate": (lambda door: door.certificate.write_text("none"), "PEM"),
    "no file": (lambda door: door.certificate.unlink(), "cannot be read"),
    "no key": (lambda door: door.write_private(door.key, b"none"), "PEM"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pair_leaves_the_old_one_serving(door, case):
    spoil, word = BAD[case]
    with door.wire() as wire:
        before = serial(wire)
    spoil(door)
    # A good change in the same breath must not be taken over by half.
    door.set(DENY_USERS="rina")
    assert word in hang_up(door, taken=False)
    with door.wire() as wire:
        assert serial(wire) == before
    assert door.request("GET", "/sync/status").code == 200


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pair_is_told_at_the_start_with_its_fix(closed_door, case):
    spoil, word = BAD[case]
    spoil(closed_door)
    code, message = closed_door.refused_start()
    assert code == CONFIGURATION and word in message and "TLS_CERT_FILE" in message
    checked = closed_door.command("check")
    assert checked.returncode == 1 and word in checked.stdout + checked.stderr


def test_check_tells_a_certificate_that_ends_soon(closed_door):
    issue(closed_door, days=20)
    checked = closed_door.command("check")
    assert checked.returncode == 1 and "expires in" in checked.stdout + checked.stderr


@pytest.mark.parametrize("missing", [1, 2, 40])
def test_a_request_whose_end_was_cut_off_does_not_run(door, missing):
    """The connection ends without close_notify: whoever did that may have cut the request as well."""
    request = door.wire()
    data = request.head(RUN, "Content-Length: 2") + b"{}"
    request.send(data[:-missing])
    # Past TLS, as an attacker on the way would.
    socket.socket(fileno=request.socket.detach()).close()
    assert door.answers_others() and door.times_run() == 0
    assert door.run().header("Sync-Run-Id") == "1"


def test_the_trial_in_the_readme(installed):
    """Its commands as they stand there, at a port of our own."""
    section = (ROOT / "README.md").read_text().split("### HTTPS\n")[1].split("\n##")[0]
    first, second = [block.replace("\n    ", "\n").strip() for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)]
    commands, serve = first.rsplit("\n", 1)
    assert serve == "sync-service serve"
    shell = dict(cwd=installed.folder, env=installed.environment(), capture_output=True, text=True)
    made = subprocess.run(["bash", "-ec", commands], **shell)
    assert made.returncode == 0, made.stderr
    installed.launch()
    curl = second.replace(":8000", f":{installed.port}") + " --silent --show-error --noproxy '*'"
    answer = eventually(lambda: subprocess.run(["bash", "-c", curl], **shell).stdout, "the documented command is answered")
    assert answer == '{"status":"ok"}'
