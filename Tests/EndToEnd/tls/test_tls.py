"""TLS as a client sees it. `make security-scan` (sslyze, testssl.sh, sslscan) and Tests/TLSTests test more."""

import random
import re
import signal
import socket
import ssl
import subprocess

import pytest

from support.raw_http import HEALTH, RUN, STATUS, Endpoint
from support.service import CONFIGURATION, ROOT, hang_up
from support.waiting import eventually


@pytest.fixture
def stopped_endpoint(tmp_path_factory, authority):
    """With a pair of its own, which tests may replace."""
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), "https", authority)
    endpoint.certificate, endpoint.key = endpoint.folder / "own.pem", endpoint.folder / "own.key"
    endpoint.set(TLS_CERT_FILE=endpoint.certificate, TLS_KEY_FILE=endpoint.key)
    issue(endpoint)
    endpoint.counting_script()
    yield endpoint
    endpoint.remove()


@pytest.fixture
def endpoint(stopped_endpoint):
    return stopped_endpoint.start()


P256 = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def issue(endpoint, names="DNS:localhost,IP:127.0.0.1", days=60, kind=P256, digest="sha256"):
    """A new pair of the tests' CA in the place of the old one."""
    folder, authority = endpoint.folder, endpoint.authority
    (folder / "own.ext").write_text(f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName={names}\n")
    authority.openssl("req", "-newkey", *kind, "-noenc", "-subj", "/CN=own", "-keyout", endpoint.key, "-out", folder / "own.csr")
    authority.openssl("x509", "-req", "-in", folder / "own.csr", "-CA", authority.root, "-CAkey", authority.root.with_name("root.key"),
                      "-days", days, f"-{digest}", "-set_serial", random.getrandbits(120) | 1,
                      "-extfile", folder / "own.ext", "-out", endpoint.certificate)
    endpoint.key.chmod(0o600)


def serial(wire):
    return wire.socket.getpeercert()["serialNumber"]


def plain(endpoint):
    return socket.create_connection(("127.0.0.1", endpoint.port), timeout=30)


def test_the_service_closes_idle_connections_when_it_stops(endpoint):
    """With close_notify, and without waiting the five seconds that a client has for its own."""
    with endpoint.wire() as silent, endpoint.wire() as idle:
        idle.send(idle.head(STATUS))
        assert idle.answer().code == 200
        process, endpoint.process = endpoint.process, None
        process.send_signal(signal.SIGTERM)
        # Neither client does anything more: a read that answers close_notify comes only when the process has ended.
        assert process.wait(30) == 0
        for wire in (silent, idle):
            assert wire.socket.recv(1) == b"", "close_notify, and not only the end of the connection"
        assert "stopped" in endpoint.output()


def test_a_handshake_in_fits_and_starts_takes_nothing_of_the_requests_time(endpoint):
    """See also RequestGuardTests, by its own clock."""
    wire = plain(endpoint)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = endpoint.authority.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
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


def test_failed_handshakes_are_told_and_do_not_fill_the_log(endpoint):
    """Plain HTTP on this port leaves its reason in the log, and a thousand such clients leave one line in ten seconds."""
    for _ in range(300):
        with plain(endpoint) as wire:
            wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                while wire.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    eventually(lambda: "TLS handshake failed" in endpoint.output(), "the failure is told")
    lines = [line for line in endpoint.output().splitlines() if "TLS handshake failed" in line]
    assert "http request" in lines[0] and "127.0.0.1" in lines[0], lines[0]
    assert len(lines) < 20
    assert endpoint.answers_others()


def test_the_line_holds_nothing_of_what_the_client_sent(endpoint):
    with plain(endpoint) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nAuthorization: Bearer verysecret\r\n\r\n")
        try:
            while wire.recv(4096):
                pass
        except ConnectionResetError:
            pass
    eventually(lambda: "TLS handshake failed" in endpoint.output(), "the failure is told")
    assert "verysecret" not in endpoint.output()


def test_a_renewed_pair_is_for_new_connections_and_open_ones_stay(endpoint):
    with endpoint.wire() as old:
        before = serial(old)
        issue(endpoint, names="DNS:localhost,DNS:renamed.example,IP:127.0.0.1")
        hang_up(endpoint)
        with endpoint.wire() as new:
            assert serial(new) != before
            new.host = "renamed.example"
            new.send(new.head(STATUS))
            assert new.answer().code == 200, "the names of the new certificate count"
        old.send(old.head(STATUS))
        assert old.answer().code == 200 and serial(old) == before


def other_key(endpoint):
    endpoint.authority.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", endpoint.key)


def key_for_all(endpoint):
    endpoint.key.chmod(0o644)


# what is wrong with a pair: how, and a word of the message
BAD = {
    "another's key": (other_key, "does not belong"), "expired": (lambda endpoint: issue(endpoint, days=-1), "expired"),
    "a key too short": (lambda endpoint: issue(endpoint, kind=["rsa:1024"]), "bits"),
    "signed with SHA-1": (lambda endpoint: issue(endpoint, digest="sha1"), "signed with"),
    "a key for all to read": (key_for_all, "chmod 640"), "no certificate": (lambda endpoint: endpoint.certificate.write_text("none"), "PEM"),
    "no file": (lambda endpoint: endpoint.certificate.unlink(), "cannot be read"),
    "no key": (lambda endpoint: endpoint.write_private(endpoint.key, b"none"), "PEM"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pair_leaves_the_old_one_serving(endpoint, case):
    spoil, word = BAD[case]
    with endpoint.wire() as wire:
        before = serial(wire)
    spoil(endpoint)
    # A good change in the same breath must not be taken over by half.
    endpoint.set(DENY_USERS="rina")
    assert word in hang_up(endpoint, taken=False)
    with endpoint.wire() as wire:
        assert serial(wire) == before
    assert endpoint.request("GET", "/sync/status").code == 200


@pytest.mark.parametrize("case", BAD)
def test_a_bad_pair_is_told_at_the_start_with_its_fix(stopped_endpoint, case):
    spoil, word = BAD[case]
    spoil(stopped_endpoint)
    code, message = stopped_endpoint.refused_start()
    assert code == CONFIGURATION and word in message and "TLS_CERT_FILE" in message
    checked = stopped_endpoint.command("check")
    assert checked.returncode == 1 and word in checked.stdout + checked.stderr


def test_check_tells_a_certificate_that_ends_soon(stopped_endpoint):
    issue(stopped_endpoint, days=20)
    checked = stopped_endpoint.command("check")
    assert checked.returncode == 1 and "expires in" in checked.stdout + checked.stderr


@pytest.mark.parametrize("missing", [1, 2, 40])
def test_a_request_whose_end_was_cut_off_does_not_run(endpoint, missing):
    """The connection ends without close_notify, so an attacker may have cut the request as well."""
    request = endpoint.wire()
    data = request.head(RUN, "Content-Length: 2") + b"{}"
    request.send(data[:-missing])
    # Past TLS, as an attacker on the way would.
    socket.socket(fileno=request.socket.detach()).close()
    assert endpoint.answers_others() and endpoint.times_run() == 0
    assert endpoint.run().header("Sync-Run-Id") == "1"


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
