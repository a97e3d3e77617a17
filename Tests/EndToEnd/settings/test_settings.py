"""Every wrong setting, file and folder stops the start with exit status 78. The message names the setting, its place and the
remedy."""

import os
import socket

import pytest

from support.raw_http import Endpoint
from support.service import CONFIGURATION, UNAVAILABLE, WITHOUT_OVERRIDE

# setting, a wrong value, words the message must have besides the name
WRONG = [
    ("HOST", "0.0.0.0", ["127.0.0.1"]),
    ("HOST", "not a host", []),
    ("PORT", "0", ["65535"]),
    ("PORT", "70000", ["65535"]),
    ("PORT", "http", ["number"]),
    ("PORT", "80 81", ["number"]),
    ("JWT_SECRET_FILE", "/nonexistent/secret", ["/nonexistent/secret"]),
    ("JWT_PREVIOUS_SECRET_FILE", "/nonexistent/secret", ["/nonexistent/secret"]),
    ("JWT_ALGORITHM", "none", ["HS256"]),
    ("JWT_ALGORITHM", "RS256", ["HS256"]),
    ("JWT_ALGORITHM", "hs256", ["HS256"]),
    ("JWT_ALGORITHM", "HS256,HS384", ["HS256"]),
    ("JWT_LEEWAY_SECONDS", "-1", ["number"]),
    ("JWT_MAX_LIFETIME_SECONDS", "0", ["number"]),
    ("JWT_MAX_LIFETIME_SECONDS", "1d", ["number"]),
    ("JWT_NOT_BEFORE", "yesterday", []),
    ("JWT_NOT_BEFORE", "2026-02-30T12:00:00Z", []),
    ("JWT_NOT_BEFORE", "-1", []),
    ("SYNC_SCRIPT_PATH", "sync.sh", ["absolute"]),
    ("SYNC_LOCK_PATH", "sync.lock", ["absolute"]),
    ("SYNC_LOG_PATH", "./sync.log", ["absolute"]),
    ("SYNC_LOG_DIR", "logs", ["absolute"]),
    ("SYNC_STATE_DIR", "state", ["absolute"]),
    ("SYNC_RUN_DIR", "run", ["absolute"]),
    ("SYNC_WORKING_DIR", "work", ["absolute"]),
    ("SYNC_TIMEOUT_SECONDS", "0", ["number"]),
    ("SYNC_TIMEOUT_SECONDS", "-5", ["number"]),
    ("SYNC_TIMEOUT_SECONDS", "6h", ["number"]),
    ("SYNC_TIMEOUT_SECONDS", "99999999999999999999", ["number"]),
    ("SYNC_STOP_GRACE_SECONDS", "soon", ["number"]),
    ("SYNC_OUTPUT_LIMIT_BYTES", "1M", ["number"]),
    ("SYNC_OUTPUT_LIMIT_BYTES", "-1", ["number"]),
    ("SYNC_ENV_PASS", "JWT_SECRET", ["JWT_SECRET"]),
    ("SYNC_ENV_PASS", "A=b", []),
    ("LOG_LEVEL", "loud", ["info"]),
    ("ALLOWED_HOSTS", "localhost,sync.example:8443", ["sync.example:8443", "write sync.example: the port"]),
    ("ALLOWED_HOSTS", "[2001:db8::7]", ["write 2001:db8::7"]),
    ("ALLOWED_HOSTS", "[2001:db8::7]:8443", ["write 2001:db8::7"]),
    ("ALLOWED_HOSTS", ":8443", ["in front of the port"]),
    ("ALLOWED_HOSTS", "https://sync.example", ["scheme"]),
    ("ALLOWED_HOSTS", "b\u00fccher.example", ["xn--"]),
]


def line_of(service, name):
    lines = (service.folder / ".env").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.startswith(f"{name}="))


@pytest.mark.parametrize("name, value, words", WRONG)
def test_wrong_value_in_the_file(installed, name, value, words):
    installed.set(**{name: value})
    code, message = installed.refused_start()
    assert code == CONFIGURATION, message
    for word in [name, f".env line {line_of(installed, name)}", *words]:
        assert word in message
    assert not installed.database.exists(), "nothing is begun with wrong settings"


@pytest.mark.parametrize("name, value, words", WRONG[::6])
def test_wrong_value_in_the_environment(installed, name, value, words):
    code, message = installed.refused_start(environment={name: value})
    assert code == CONFIGURATION, message
    for word in [name, "environment", *words]:
        assert word in message


@pytest.mark.parametrize("name", [
    "SYNC_SCRIPT_PAHT", "SYNC_TIMEOUT", "JWT_SECRETFILE", "TLS_CERT", "AUDIT_KEYS", "CORS_ORIGIN",
])
def test_unknown_names(installed, name):
    installed.set(**{name: "x"})
    code, message = installed.refused_start()
    assert code == CONFIGURATION
    assert name in message and f".env line {line_of(installed, name)}" in message


def test_one_mistake_always_gets_the_same_answer(installed):
    installed.set(SYNC_LOGPATH="x")
    for _ in range(4):
        assert "did you mean SYNC_LOG_PATH?" in installed.command("check").stderr


@pytest.mark.parametrize("name", ["TLS_CERT_FILE", "CORS_ALLOW_ORIGINS", "SYNC_RUNNER_SOCKET", "AUDIT_VKEY"])
def test_protection_that_is_not_built_is_not_silently_absent(installed, name):
    """An operator who sets one of these relies on it."""
    installed.set(**{name: "/etc/hostname"})
    code, message = installed.refused_start()
    assert code == CONFIGURATION and name in message


def test_unknown_names_in_the_environment_are_a_warning(installed):
    installed.set(SYNC_ENV_PASS="SYNC_FLAVOUR")
    installed.start(environment={"SYNC_SCRIPT_PAHT": "x", "SYNC_FLAVOUR": "x", "OTHER": "x"})
    assert "SYNC_SCRIPT_PAHT" in installed.output()
    assert "SYNC_FLAVOUR" not in installed.output() and "OTHER" not in installed.output()


def test_the_environment_wins_over_the_file(installed):
    port = installed.port
    installed.set(PORT=1)
    installed.start(environment={"PORT": str(port)})
    assert installed.status() == "idle"


def test_another_settings_file(installed):
    (installed.folder / ".env").rename(installed.folder / "other.env")
    assert installed.command("run", "--env-file", "other.env").returncode not in (64, CONFIGURATION)
    done = installed.command("serve", "--env-file", "missing.env")
    assert done.returncode == CONFIGURATION and "missing.env" in done.stderr


# text of the settings file's line -> what SYNC_FLAVOUR then is
SPELLINGS = {
    "FLAVOUR=mint": "mint",
    "FLAVOUR='two words'": "two words",
    'FLAVOUR="say \\"hi\\""': 'say "hi"',
    "export FLAVOUR=mint": "mint",
    "  FLAVOUR=mint  ": "mint",
    "FLAVOUR=mint # not this": "mint",
    "FLAVOUR=a#b": "a#b",
    "FLAVOUR='a # b'": "a # b",
    "FLAVOUR=a=b": "a=b",
    "FLAVOUR=mint\r": "mint",
    "# FLAVOUR=no\n\n\nFLAVOUR=mint": "mint",
    "FLAVOUR='$HOME'": "$HOME",
}


@pytest.mark.parametrize("line", SPELLINGS)
def test_each_spelling_of_a_line_is_read(installed, line):
    installed.set(SYNC_ENV_PASS="FLAVOUR")
    with (installed.folder / ".env").open("a", newline="") as file:
        file.write(line + "\n")
    installed.script(f'printf %s "$FLAVOUR" > "{installed.folder}/flavour"')
    done = installed.command("run")
    assert done.returncode == 0, done
    assert (installed.folder / "flavour").read_text() == SPELLINGS[line]


@pytest.mark.parametrize("line", ["nonsense", "=x", "A B=x", "1A=x", "PORT: 80", "A='open", 'A="x" y', "PORT=1", "A=\xff"])
def test_lines_that_are_no_settings(installed, line):
    before = len(installed.settings)
    with (installed.folder / ".env").open("ab") as file:
        file.write(line.encode("latin-1") + b"\n")
    code, message = installed.refused_start()
    assert code == CONFIGURATION
    assert (".env is not UTF-8" if "\xff" in line else f".env line {before + 1}") in message


# What is wrong with files and folders. case: arrangement, words in the message

def chmod(bits, *names):
    return lambda service: [getattr(service, name).chmod(bits) for name in names]


def secret(content, bits=0o600):
    def arrange(service):
        service.secret_path.write_bytes(content)
        service.secret_path.chmod(bits)
    return arrange


def linked_state(service):
    service.state.rename(service.folder / "real")
    service.state.symlink_to(service.folder / "real")


def state_is_a_file(service):
    service.state.rmdir()
    service.state.write_text("")


def env_mode(bits):
    return lambda service: (service.folder / ".env").chmod(bits)


def foreign(pick):
    return lambda service: os.chown(pick(service), 65534, -1)


REFUSED = {
    "no secret": (lambda s: s.set(JWT_SECRET_FILE=None), ["JWT_SECRET_FILE"]),
    "secret too short": (secret(b"x" * 31), ["JWT_SECRET_FILE", "32"]),
    "secret too short without its newline": (secret(b"x" * 31 + b"\n"), ["JWT_SECRET_FILE", "32"]),
    "secret empty": (secret(b""), ["JWT_SECRET_FILE", "32"]),
    "secret too short for HS384": (lambda s: (secret(b"x" * 47)(s), s.set(JWT_ALGORITHM="HS384")), ["48"]),
    "secret too short for HS512": (lambda s: (secret(b"x" * 63)(s), s.set(JWT_ALGORITHM="HS512")), ["64"]),
    "secret by value too short": (lambda s: s.set(JWT_SECRET_FILE=None, JWT_SECRET="short"), ["JWT_SECRET", "32"]),
    "secret twice": (lambda s: s.set(JWT_SECRET="x" * 40), ["JWT_SECRET_FILE", "JWT_SECRET "]),
    "secret readable by others": (chmod(0o644, "secret_path"), ["JWT_SECRET_FILE", "chmod 640"]),
    "secret writable by its group": (chmod(0o620, "secret_path"), ["JWT_SECRET_FILE", "chmod 640"]),
    "settings writable by others": (env_mode(0o602), [".env", "chmod"]),
    "settings writable by the group": (env_mode(0o660), [".env", "chmod"]),
    "settings in a folder for all to write": (chmod(0o777, "folder"), [".env", "chmod"]),
    "state directory readable by others": (chmod(0o755, "state"), ["SYNC_STATE_DIR", "chmod 700"]),
    "state directory readable by its group": (chmod(0o750, "state"), ["SYNC_STATE_DIR", "chmod 700"]),
    "state directory a symlink": (linked_state, ["SYNC_STATE_DIR", "link"]),
    "state directory a file": (state_is_a_file, ["SYNC_STATE_DIR"]),
    "state directory not writable": (chmod(0o500, "state"), ["SYNC_STATE_DIR"]),
}
# Only root can give a file away.
REFUSED_TO_ROOT = {
    "settings of another user": (foreign(lambda s: s.folder / ".env"), [".env", "chown"]),
    "secret of another user": (foreign(lambda s: s.secret_path), ["JWT_SECRET_FILE", "user root"]),
    "state directory of another user": (foreign(lambda s: s.state), ["SYNC_STATE_DIR", "chown"]),
}


@pytest.mark.parametrize("case", [*REFUSED, *(pytest.param(case, marks=pytest.mark.root) for case in REFUSED_TO_ROOT)])
def test_unsafe_files_stop_the_start(installed, case):
    arrange, words = {**REFUSED, **REFUSED_TO_ROOT}[case]
    arrange(installed)
    code, message = installed.refused_start(*WITHOUT_OVERRIDE)
    assert code == CONFIGURATION, message
    for word in words:
        assert word in message
    assert installed.secret.decode() not in message and "x" * 20 not in message, "a secret in a message"


def test_a_missing_state_directory_is_made_private(installed):
    installed.state.rmdir()
    installed.start()
    assert installed.state.stat().st_mode & 0o777 == 0o700


def test_port_taken(installed):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", installed.port))
        other.listen()
        code, message = installed.refused_start()
    assert code == UNAVAILABLE
    assert str(installed.port) in message and "PORT" in message
    installed.start()


@pytest.fixture
def traced(tmp_path_factory, authority):
    """Over HTTPS, so that it reads every kind of secret file there is."""
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), "https", authority)
    yield endpoint
    endpoint.remove()


@pytest.mark.root
def test_secret_files_are_opened_before_they_are_judged(traced):
    """What was looked at by its name may be another file when it is opened; so each is opened once and judged by its descriptor."""
    traced.counting_script()
    secrets = [traced.folder / ".env", traced.secret_path, traced.state / "audit.key",
               traced.authority.certificate, traced.authority.key]
    traced.start("strace", "-D", "-f", "-qq", "-e", "trace=%file", "-o", traced.folder / "trace")
    traced.stop()
    lines = (traced.folder / "trace").read_text().splitlines()
    for secret in secrets:
        # The audit key is made at the first start, under its name last.
        calls = [line.split("(")[0].split()[-1] for line in lines if f'{secret.name}"' in line and "ENOENT" not in line]
        if secret.name == ".env":
            calls.remove("newfstatat")  # whether it is there at all
        assert "openat" in calls and not {"stat", "lstat", "newfstatat", "statx", "readlink", "access"} & set(calls), (secret, calls)
