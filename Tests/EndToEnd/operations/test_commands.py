"""The command line: output and exit statuses."""

import json
import os
import re
import subprocess
import time
import tty

import jwt
import pytest

from support.service import BINARY, CONFIGURATION, ROOT, USAGE

COMMANDS = ["serve", "run", "check", "token", "history", "migrate"]


def test_help_and_version(installed):
    done = installed.command("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", done.stdout, re.MULTILINE), command
        assert installed.command(command, "--help").returncode == 0
    done = installed.command("--version")
    assert done.returncode == 0 and done.stdout == (ROOT / "VERSION").read_text()


@pytest.mark.parametrize("arguments", [
    ["--nonsense"], ["nonsense"], ["serve", "extra"], ["run", "--reason"], ["token"],
    ["token", "--user", "a", "--ttl", "soon"], ["history", "show"], ["history", "show", "x"], ["migrate", "--nonsense"],
])
def test_wrong_arguments_are_explained(installed, arguments):
    done = installed.command(*arguments)
    assert done.returncode == USAGE, done
    assert done.stderr and not done.stdout


@pytest.mark.parametrize("arguments", [["run"], ["history"], ["migrate"], ["token", "--user", "a"], ["serve"]])
def test_wrong_settings_stop_every_command(installed, arguments):
    installed.set(SYNC_TIMEOUT_SECONDS="soon")
    done = installed.command(*arguments)
    assert done.returncode == CONFIGURATION and "SYNC_TIMEOUT_SECONDS" in done.stderr


# script -> exit code of `run`
EXITS = {"exit 0": 0, "exit 3": 3, "exit 2": 2, "exit 77": 77}


@pytest.mark.parametrize("script", EXITS)
def test_run_passes_the_exit_code_on(installed, script):
    installed.script(f"echo said; {script}")
    assert installed.command("run").returncode == EXITS[script]


@pytest.mark.parametrize("script", ["kill -9 $$", "sleep 1000"])
def test_run_of_a_script_that_does_not_exit(installed, script):
    installed.set(SYNC_TIMEOUT_SECONDS=1)
    installed.script(script)
    done = installed.command("run")
    assert done.returncode not in (0, 2)
    assert "signal 9" in done.stderr or "timed out after 1 seconds" in done.stderr


def test_token_makes_a_token_that_pyjwt_accepts(service):
    before = int(time.time())
    done = service.command("token", "--user", "rina", "--role", "admin", "--ttl", "1h")
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    token = done.stdout.strip()
    claims = jwt.decode(token, service.secret, algorithms=["HS256"])
    assert (claims["sub"], claims["role"]) == ("rina", "admin")
    assert claims["exp"] - claims["iat"] == 3600 and before <= claims["iat"] <= time.time()
    assert service.request("GET", "/admin/runs", token=token).code == 200
    plain = service.command("token", "--user", "rina").stdout.strip()
    assert service.request("GET", "/sync/status", token=plain).code == 200
    assert service.request("GET", "/admin/runs", token=plain).code == 403


def test_token_follows_the_settings(installed):
    installed.set(JWT_ALGORITHM="HS512", JWT_ISSUER="here", JWT_AUDIENCE="sync")
    installed.set(JWT_USER_CLAIM="id", JWT_ROLE_CLAIM="roles")
    installed.start()
    token = installed.command("token", "--user", "7", "--role", "admin").stdout.strip()
    claims = jwt.decode(token, installed.secret, algorithms=["HS512"], issuer="here", audience="sync")
    assert str(claims["id"]) == "7"
    assert installed.request("GET", "/admin/runs", token=token).code == 200


@pytest.mark.parametrize("ttl", ["0s", "-1h", "100d"])
def test_token_that_would_be_refused_is_not_made(installed, ttl):
    done = installed.command("token", "--user", "rina", "--ttl", ttl)
    assert done.returncode in (USAGE, 1, CONFIGURATION) and not done.stdout


def test_history_lists_and_shows_runs(installed):
    none = installed.command("history")
    assert none.returncode == 1 and str(installed.database) in none.stderr
    installed.command("migrate")
    assert "No runs yet" in installed.command("history").stdout
    assert installed.command("history", "--json").stdout == ""
    installed.script("echo one")
    installed.command("run")
    installed.script("echo two; exit 3")
    installed.command("run", "--reason", "second")
    for arguments in (["history"], ["history", "list"]):
        done = installed.command(*arguments)
        assert done.returncode == 0
        assert "succeeded" in done.stdout and "failed" in done.stdout
        runs = [json.loads(line) for line in installed.command(*arguments, "--json").stdout.splitlines()]
        assert [(run["id"], run["outcome"], run["reason"]) for run in runs] == [(2, "failed", "second"), (1, "succeeded", None)]
        assert "output" not in runs[0]
        assert len(installed.command(*arguments, "--limit", "1", "--json").stdout.splitlines()) == 1
    shown = installed.command("history", "show", "2")
    assert shown.returncode == 0 and "two" in shown.stdout and "exit" in shown.stdout.lower()
    run = json.loads(installed.command("history", "show", "2", "--json").stdout)
    assert (run["id"], run["output"], run["exit_code"]) == (2, "two\n", 3)
    missing = installed.command("history", "show", "9")
    assert missing.returncode == 1 and "9" in missing.stderr


CONTROLS = ["\033", "\007", "\x9b", "\r"]  # the third is CSI in one character, two bytes of UTF-8


def test_a_history_cannot_write_on_the_terminal(installed):
    installed.script(r"printf '\033]0;owned\007\033[2J\302\2332J\rhidden\n'")
    installed.command("run", "--reason", "\033[31mred \x9b31mred")
    for arguments in (["history"], ["history", "show", "1"]):
        ours, theirs = os.openpty()
        tty.setraw(theirs)
        subprocess.run([BINARY, *arguments], cwd=installed.folder, env=installed.environment(), stdout=theirs, check=True)
        os.close(theirs)
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        assert "succeeded" in shown and not [control for control in CONTROLS if control in shown]


def test_a_pipe_gets_the_output_as_it_is(installed):
    installed.script(r"printf '\033[2J'")
    installed.command("run")
    assert installed.command("history", "show", "1").stdout.endswith("\033[2J")


def test_migrate_creates_the_database(installed):
    none = installed.command("migrate", "--status")
    assert none.returncode == 1 and str(installed.database) in none.stderr + none.stdout
    assert not installed.database.exists(), "asking makes nothing"
    done = installed.command("migrate")
    assert done.returncode == 0 and installed.database.exists()
    before = installed.database.read_bytes()
    status = installed.command("migrate", "--status")
    assert status.returncode == 0 and "1" in status.stdout
    assert installed.command("migrate").returncode == 0
    assert installed.database.read_bytes() == before


DOCUMENTED = """LOCK_FILE="{lock}"
LOG_FILE="{log}"
[ -f "$LOCK_FILE" ] && exit 2
echo "$(date) done" | tee -a "$LOG_FILE"
"""


@pytest.fixture
def sound(installed):
    """An installation in which there is nothing to find."""
    installed.script(DOCUMENTED.format(lock=installed.lock_path, log=installed.log_path))
    installed.log_path.write_text("")
    installed.set(AUDIT_CHECKPOINT_FILE=installed.folder / "checkpoints")
    installed.command("run")
    installed.log_path.chmod(0o640)
    return installed


def test_check_finds_nothing(sound):
    done = sound.command("check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_finds_no_fault_in_a_history_that_has_not_begun(installed):
    installed.script("exit 0")
    assert "the history cannot" not in installed.command("check").stdout


def stale_lock(service):
    service.lock_path.touch()


def script_text(lines):
    """A script that says this of its lock, and is right about its log."""
    def arrange(service):
        service.script("\n".join([lines.format(lock=service.lock_path), f'LOG="{service.log_path}"']))
    return arrange


def change_history(change):
    """Other bytes in the history."""
    return lambda service: service.database.write_bytes(change(service.database.read_bytes()))


def put_fifo_for_history(service):
    service.database.unlink()
    os.mkfifo(service.database, 0o600)


UNREADABLE = ["the history cannot be checked", "history.sqlite", "restore a backup"]

# case: arrangement, words of the finding
FINDINGS = {
    "history overwritten": (change_history(lambda content: b"X" + content[1:]), UNREADABLE),
    "history cut in half": (change_history(lambda content: content[:len(content) // 2]), ["the history ", "restore a backup"]),
    "history a FIFO": (put_fifo_for_history, UNREADABLE),
    "no script set": (lambda s: s.set(SYNC_SCRIPT_PATH=None), ["SYNC_SCRIPT_PATH"]),
    "script missing": (lambda s: s.script_path.unlink(), ["SYNC_SCRIPT_PATH", "not found"]),
    "script not executable": (lambda s: s.script_path.chmod(0o644), ["chmod"]),
    "script writable by others": (lambda s: s.script_path.chmod(0o777), ["chmod"]),
    "another lock in the script": (lambda s: s.set(SYNC_LOCK_PATH=s.folder / "another.lock"), ["another.lock"]),
    "another log in the script": (lambda s: s.set(SYNC_LOG_PATH=s.folder / "another.log"), ["another.log"]),
    "lock only in a comment": (script_text("# {lock}\ntouch /else/where.lock"), ["does not mention", "sync.lock", "it mentions /else/where.lock"]),
    "lock in a folder that ends alike": (script_text("LOCK=/opt{lock}"), ["does not mention", "sync.lock", "it mentions /opt/"]),
    "lock from a variable that is not passed": (script_text('LOCK="$SYNC_LOCK_PATH"'), ["does not mention", "SYNC_ENV_PASS"]),
    "log writable by everyone": (lambda s: s.log_path.chmod(0o646), ["everyone on this machine can write the log", "chmod 640"]),
    "log readable by everyone": (lambda s: s.log_path.chmod(0o644), ["sync.log", "chmod 640"]),
    "log missing": (lambda s: s.log_path.unlink(), ["sync.log"]),
    "checkpoints that stopped": (
        lambda s: os.utime(s.folder / "checkpoints", (1, 1)), ["AUDIT_CHECKPOINT_FILE: run 1 left", "ReadWritePaths="]),
    "secret readable by others": (lambda s: s.secret_path.chmod(0o644), ["JWT_SECRET_FILE", "chmod 640"]),
    "state directory open": (lambda s: s.state.chmod(0o755), ["chmod 700"]),
    "stale lock file": (stale_lock, ["sync.lock", "rm"]),
}


@pytest.mark.parametrize("case", FINDINGS)
def test_check_finds(sound, case):
    arrange, words = FINDINGS[case]
    arrange(sound)
    done = sound.command("check")
    assert done.returncode in (1, CONFIGURATION), done
    for word in words:
        assert word in done.stdout + done.stderr


@pytest.mark.parametrize("lines", [
    'LOCK="$(cd "$(dirname "$0")" && pwd)/sync.lock"', 'DIR={folder}; LOCK="$DIR/sync.lock"', 'LOCK="${{LOCK:-{lock}}}"', "exec 8>{lock}",
])
def test_check_understands_how_scripts_write_paths(sound, lines):
    sound.script("\n".join([lines.format(lock=sound.lock_path, folder=sound.folder), f'exec >>"{sound.log_path}"']))
    done = sound.command("check")
    assert done.returncode == 0, done.stdout


def test_check_knows_what_is_passed_to_the_script(sound):
    sound.script('LOCK="${SYNC_LOCK_PATH:-/tmp/other.lock}"\nLOG="$SYNC_LOG_PATH"')
    assert "does not mention" in sound.command("check").stdout
    sound.set(SYNC_ENV_PASS="SYNC_LOCK_PATH,SYNC_LOG_PATH")
    assert sound.command("check").returncode == 0


def test_the_default_lock_and_a_script_that_locks_elsewhere(sound):
    """The default's text is in the script, as a part of its own path."""
    sound.set(SYNC_LOCK_PATH=None)
    sound.script(f'LOCK="/opt/bea-cukai-app/tmp/sync_fkk_db.lock"\nLOG={sound.log_path}')
    assert ("the script does not mention /tmp/sync_fkk_db.lock, which SYNC_LOCK_PATH names; it mentions "
            "/opt/bea-cukai-app/tmp/sync_fkk_db.lock") in sound.command("check").stdout
