"""Both programs share one table of exit statuses (Sources/RunProtocol/ExitStatus.swift). Pages and units repeat it, and each
status occurs here once. 78 keeps systemd from restarting a unit, so no temporary failure may give it."""

import errno
import os
import re
import socket
import subprocess
import threading
from contextlib import contextmanager

import pytest

from support.raw_http import Endpoint
from support.runner_protocol import encoded
from support.service import ALREADY_RUNNING, CONFIGURATION, NOT_CHECKED, ROOT, RUNNER, UNAVAILABLE, USAGE

SOURCE = (ROOT / "Sources/RunProtocol/ExitStatus.swift").read_text()
TABLE = {int(number) for number in re.findall(r"^    case \w+ = (\d+)$", SOURCE, re.MULTILINE)}
WRONG = 1


def test_the_table_is_the_one_that_is_tested_here():
    assert TABLE == {0, WRONG, ALREADY_RUNNING, NOT_CHECKED, USAGE, UNAVAILABLE, CONFIGURATION}


def test_the_pages_have_the_same_table():
    readme = re.search(r"^## Exit statuses\n(.*?)^## ", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[1]
    assert {int(number) for number in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)} == TABLE
    manual = (ROOT / "packaging/sync-service.8").read_text().split(".SH EXIT STATUS", 1)[1].split(".SH", 1)[0]
    assert {int(number) for number in re.findall(r"^\.B (\d+)$", manual, re.MULTILINE)} == TABLE
    runner = (ROOT / "packaging/sync-runner.8").read_text().split(".SH EXIT STATUS", 1)[1].split(".SH", 1)[0]
    assert {int(number) for number in re.findall(r"^\.B (\d+)$", runner, re.MULTILINE)} == {0, WRONG, USAGE, CONFIGURATION}


def test_the_units_do_not_repeat_what_time_does_not_mend():
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", (ROOT / "config/sync-service.service").read_text(), re.MULTILINE)[1]
    assert set(map(int, prevented.split())) == {USAGE, CONFIGURATION}
    # The runner's next question starts it in any case, so that mended settings are enough.
    assert "RestartPreventExitStatus" not in (ROOT / "config/sync-runner.service").read_text()


def test_no_other_source_names_an_exit_status_by_number():
    sources = [path for path in (ROOT / "Sources").rglob("*.swift") if path.name != "ExitStatus.swift"]
    used = [path.name for path in sources if re.search(r"\bexit\(\d|Exit\(code: \d", path.read_text())]
    assert used == []


# Each status


def test_success_exits_with_0(installed):
    assert installed.command("--version").returncode == 0


def test_a_finding_of_check_exits_with_1(installed):
    assert installed.command("check").returncode == WRONG


def test_a_run_in_progress_exits_with_2(service):
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    assert service.command("run").returncode == ALREADY_RUNNING
    barrier.release()
    assert client.result().code == 200


def test_a_verification_that_could_not_check_exits_with_3(installed):
    assert installed.command("audit", "verify").returncode == NOT_CHECKED


def test_wrong_arguments_exit_with_64(installed):
    assert installed.command("serve", "--nonsense").returncode == USAGE
    assert subprocess.run([RUNNER, "nonsense"], capture_output=True, check=False).returncode == USAGE


def test_wrong_settings_exit_with_78(installed):
    installed.set(SYNC_TIMEOUT_SECONDS="soon")
    assert installed.refused_start()[0] == CONFIGURATION
    done = subprocess.run([RUNNER, "listen"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == CONFIGURATION and "sync-runner.socket" in done.stderr


def test_a_busy_port_is_temporary(installed):
    installed.script("exit 0")
    with socket.socket() as other:
        other.bind(("127.0.0.1", installed.port))
        other.listen()
        code, message = installed.refused_start()
    assert code == UNAVAILABLE and f"127.0.0.1:{installed.port}" in message and "in use" in message
    installed.start()


def test_an_address_that_the_machine_does_not_have_yet(installed):
    """As at boot, before the network is up."""
    installed.set(HOST="192.0.2.1", ALLOW_PLAINTEXT="true")
    code, message = installed.refused_start()
    assert code == UNAVAILABLE and "192.0.2.1" in message


def test_a_name_that_does_not_resolve_yet(installed):
    """As at boot, before the resolver is up."""
    installed.set(HOST="no.such.invalid", ALLOW_PLAINTEXT="true")
    code, message = installed.refused_start()
    assert code == UNAVAILABLE and "HOST: the name no.such.invalid" in message and "To fix it" in message
    assert "UnknownHost" not in message


# Files that cannot be read now


@pytest.fixture
def over_tls(tmp_path_factory, authority):
    """It reads every kind of file that a setting names, and has a history."""
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), "https", authority)
    endpoint.previous = endpoint.folder / "previous"
    endpoint.write_private(endpoint.previous, b"p" * 32)
    endpoint.set(JWT_PREVIOUS_SECRET_FILE=endpoint.previous)
    assert endpoint.command("audit", "vkey").returncode == 0
    return endpoint


FILES = {
    "./.env": lambda endpoint: "./.env", "JWT_SECRET_FILE": lambda endpoint: endpoint.secret_path,
    "JWT_PREVIOUS_SECRET_FILE": lambda endpoint: endpoint.previous, "TLS_CERT_FILE": lambda endpoint: endpoint.authority.certificate,
    "TLS_KEY_FILE": lambda endpoint: endpoint.authority.key, "audit.key": lambda endpoint: endpoint.state / "audit.key",
    "history.sqlite": lambda endpoint: endpoint.state / "history.sqlite", "service.lock": lambda endpoint: endpoint.state / "service.lock",
}


def with_failing(call, error, path):
    """A prefix: each such call on the path fails."""
    return ("strace", "-f", "-qq", "-o", "/dev/null", "-P", path, "-e", f"trace={call}", "-e", f"inject={call}:error={error}")


@pytest.mark.root
@pytest.mark.parametrize("error, remedy", [("EIO", "check the disk"), ("ESTALE", "check the disk"), ("EMFILE", "open files")])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_opened_now(over_tls, name, error, remedy):
    """The file may be as it should, so nothing else is advised."""
    code, message = over_tls.refused_start(*with_failing("openat", error, FILES[name](over_tls)))
    assert code == UNAVAILABLE and name in message, (code, message)
    assert os.strerror(getattr(errno, error)) in message, message
    assert "create" not in message and "chmod" not in message, message
    if name not in ("audit.key", "history.sqlite"):
        assert remedy in message, message


@pytest.mark.root
@pytest.mark.parametrize("name", [name for name in FILES if name != "service.lock"])
def test_a_file_that_cannot_be_read_now(over_tls, name):
    code, message = over_tls.refused_start(*with_failing("pread64", "EIO", FILES[name](over_tls)))
    assert code == UNAVAILABLE and name in message, (code, message)


@pytest.mark.root
def test_a_settings_file_that_cannot_be_looked_at_now(over_tls):
    """To go on without it would be to go on with other settings."""
    code, message = over_tls.refused_start(*with_failing("newfstatat", "EIO", "./.env"))
    assert code == UNAVAILABLE and ".env" in message and "check the disk" in message, (code, message)


@pytest.mark.root
@pytest.mark.parametrize("name", ["./.env", "JWT_SECRET_FILE", "JWT_PREVIOUS_SECRET_FILE", "TLS_CERT_FILE", "TLS_KEY_FILE"])
def test_a_file_that_may_not_be_opened(over_tls, name):
    """A wrong mode is a wrong setting."""
    code, message = over_tls.refused_start(*with_failing("openat", "EACCES", FILES[name](over_tls)))
    assert code == CONFIGURATION and name in message and "chmod" in message, (code, message)


def test_a_certificate_of_tomorrow(over_tls):
    """As with a clock that is behind after a boot."""
    folder, openssl = over_tls.folder, over_tls.authority.openssl
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj", "/CN=localhost",
            "-keyout", folder / "late.key", "-out", folder / "late.csr")
    (folder / "ca.index").touch()
    (folder / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=one\n[one]\ndatabase={folder}/ca.index\nnew_certs_dir={folder}\nrand_serial=yes\n"
        "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n")
    openssl("ca", "-batch", "-notext", "-config", folder / "ca.cnf", "-selfsign", "-keyfile", folder / "late.key",
            "-startdate", "20900101000000Z", "-enddate", "20991231000000Z", "-in", folder / "late.csr", "-out", folder / "late.pem")
    over_tls.set(TLS_CERT_FILE=folder / "late.pem", TLS_KEY_FILE=folder / "late.key")
    code, message = over_tls.refused_start()
    assert code == UNAVAILABLE and "not valid before" in message and "clock" in message, (code, message)


@pytest.mark.root
def test_an_audit_key_for_all(installed):
    assert installed.command("audit", "vkey").returncode == 0
    key = installed.state / "audit.key"
    key.chmod(0o644)
    code, message = installed.refused_start()
    assert code == CONFIGURATION and "AUDIT_KEY_FILE" in message and f"chmod 600 {key}." in message, (code, message)
    os.chown(key, 65534, 0)
    key.chmod(0o600)
    code, message = installed.refused_start()
    assert code == CONFIGURATION and f"chown root {key} && chmod 600 {key}." in message, (code, message)


@contextmanager
def runner_of_another_user(service):
    """The socket of a runner that this test plays."""
    shared = service.folder / "shared"
    shared.mkdir()
    os.chown(shared, 65534, 0)
    shared.chmod(0o2770)
    service.script("exit 0")
    service.set(SYNC_RUNNER_SOCKET=service.folder / "runner.sock", SYNC_RUN_DIR=shared)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(service.folder / "runner.sock"))
        listener.listen()
        yield listener


@pytest.mark.root
def test_a_runner_that_answers_late(installed):
    """It accepts and says nothing for now, as on a busy machine."""
    with runner_of_another_user(installed):
        code, message = installed.refused_start()
    assert code == UNAVAILABLE and "has not answered" in message and "systemctl status sync-runner.socket" in message


@pytest.mark.root
@pytest.mark.parametrize("kind, status", [("failed", UNAVAILABLE), ("refused", CONFIGURATION)])
def test_a_runner_that_says_why_not(installed, kind, status):
    """`failed`: it cannot start itself now (EAGAIN). `refused`: its settings are others, which a restart does not mend."""
    def answer(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            message = encoded(kind, reason="so it is")
            connection.sendall(len(message).to_bytes(4, "big") + message)
            connection.recv(1)
    with runner_of_another_user(installed) as listener:
        runner = threading.Thread(target=answer, args=(listener,))
        runner.start()
        code, message = installed.refused_start()
        runner.join()
    assert code == status and "so it is" in message
