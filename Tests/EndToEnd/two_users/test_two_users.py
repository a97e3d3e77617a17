"""The script runs as a user of its own, behind a socket: what it cannot do, and what still works across users."""

import os
import socket
import subprocess
from pathlib import Path

import pytest

from support.assertions import all_recorded
from support.processes import alive, kill, kill_service
from support.service import CONFIGURATION, UNAVAILABLE
from support.two_users import RUNNER, SERVICE, becoming
from support.waiting import DEADLINE, eventually

pytestmark = [pytest.mark.root, pytest.mark.two_users]


def test_a_run_is_isolated(service):
    service.script('id -u; echo hello > "$(dirname "$0")/shared/sync.log"')
    answer, run = service.run_recorded()
    assert (answer.code, answer.json["output"]) == (200, f"{RUNNER.pw_uid}\n")
    assert (run["isolated"], run["script_uid"], run["outcome"]) == (True, RUNNER.pw_uid, "succeeded")
    assert service.request("GET", "/sync/log").json["log"] == "hello"
    assert list(service.run_directory.iterdir()) == [service.run_directory / "run.lock"], "nothing is left behind"
    verified = service.command("audit", "verify")
    assert verified.returncode == 0 and "isolated" not in verified.stdout
    all_recorded(service)


# What the script cannot do

SIGNAL = 'kill -{} "$target" 2>/dev/null'
# Attaches as a debugger does, without any tool: PTRACE_SEIZE leaves the target running.
TRACE = ("/usr/bin/python3 -c 'import ctypes,sys; sys.exit(ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), 0, 0) != 0)' \"$target\"")
READ = 'cat "{}" >/dev/null 2>&1'


def attempt(service, command, **target):
    """What a script that tries this comes to: whether it could."""
    number = next(iter(target.values()), 0)
    service.script(f'target={number if number else "$PPID"}\nif {command}; then echo done; else echo denied; fi')
    answer = service.run()
    assert answer.code == 200, answer
    return answer.json["output"].strip()


@pytest.mark.parametrize("name", ["state/history.sqlite", "state/audit.key", "jwt.secret", ".env", "state/service.lock"])
def test_the_script_cannot_read_the_service_s_files(service, name):
    assert (service.folder / name).exists()
    assert attempt(service, READ.format(service.folder / name)) == "denied"
    assert attempt(service, READ.format(service.script_path)) == "done", "it can read at all"


@pytest.mark.parametrize("what", ["environ", "mem", "maps", "fd/0", "root/etc/passwd"])
@pytest.mark.parametrize("whose", ["service", "listener", "supervisor"])
def test_the_script_cannot_look_into_our_processes(service, whose, what):
    """Its own supervisor has its user, so only that it is not dumpable keeps the script out."""
    target = {"service": f"/proc/{service.process.pid}", "listener": f"/proc/{service.runner_process.pid}", "supervisor": "/proc/$PPID"}[whose]
    assert attempt(service, READ.format(f"{target}/{what}")) == "denied"
    assert attempt(service, READ.format("/proc/$$/environ")) == "done"


def landlock():
    """The version of Landlock here; signals can be scoped from 6 on (Linux 6.12)."""
    probe = "import ctypes; print(ctypes.CDLL(None).syscall(444, 0, 0, 1))"
    return int(subprocess.run(["/usr/bin/python3", "-c", probe], capture_output=True, text=True, check=True).stdout)


needs_scope = pytest.mark.skipif(landlock() < 6, reason="THIS KERNEL cannot scope signals (Linux 6.12, Landlock 6): not tested")


@pytest.mark.parametrize("whose", ["service", pytest.param("listener", marks=needs_scope), pytest.param("supervisor", marks=needs_scope)])
@pytest.mark.parametrize("signal", ["0", "TERM", "KILL", "STOP"])
def test_the_script_cannot_signal_our_processes(service, whose, signal):
    target = {"service": service.process.pid, "listener": service.runner_process.pid, "supervisor": 0}[whose]
    assert attempt(service, SIGNAL.format(signal), target=target) == "denied"
    assert attempt(service, 'sleep 9 & kill $! && wait $! ; [ $? = 143 ]') == "done", "its own children it can"


@pytest.mark.parametrize("whose", ["service", "listener", "supervisor"])
def test_the_script_cannot_trace_our_processes(service, whose):
    target = {"service": service.process.pid, "listener": service.runner_process.pid, "supervisor": 0}[whose]
    assert attempt(service, TRACE, target=target) == "denied"
    assert attempt(service, "sleep 9 & target=$!; " + TRACE + "; result=$?; kill $target; [ $result = 0 ]") == "done"


def test_the_script_cannot_reach_the_runner(service):
    """Neither by the file's mode nor, were that wrong, by its credentials."""
    connect = f"/usr/bin/python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"{service.socket_path}\"); s.recv(1)'"
    assert attempt(service, f"{connect} 2>/dev/null") == "denied"
    service.socket_path.chmod(0o666)
    attempt(service, connect)
    service.runner_says(f"refused a connection of user {RUNNER.pw_name}")


def test_the_script_cannot_cancel_in_our_name(service):
    """The run's socket is in a folder of the script's user, so the runner does not trust what arrives there."""
    service.script(f"""/usr/bin/python3 - <<'PY'
import socket
message = b"".join(bytes([len(n)]) + n + len(v).to_bytes(4, "big") + v for n, v in [(b"version", b"1"), (b"kind", b"cancel")])
s = socket.socket(socket.AF_UNIX)
s.connect("{service.run_directory}/run-1.sock")
try:
    s.sendall(len(message).to_bytes(4, "big") + message)
    print("answered" if s.recv(1) else "hung up")
except (BrokenPipeError, ConnectionResetError):
    print("hung up")
PY
exit 5""")
    run = service.run_recorded()[1]
    assert (run["outcome"], run["exit_code"], run["output"]) == ("failed", 5, "hung up\n")


def test_the_runner_serves_only_its_client(service):
    """Not even root: only the one user the runner was told of."""
    with socket.socket(socket.AF_UNIX) as stranger:
        # Served, it would be waited for: the silence has to end.
        stranger.settimeout(DEADLINE)
        stranger.connect(str(service.socket_path))
        assert stranger.recv(1) == b""
    service.runner_says("refused a connection of user root")
    assert service.run().code == 200


# What an attacker in the service cannot do

def test_only_the_runners_own_script(prepared):
    other = prepared.folder / "other.sh"
    other.write_text("#!/bin/sh\ntouch " + str(prepared.shared / "ran"))
    other.chmod(0o755)
    prepared.start_runner(SYNC_SCRIPT_PATH=str(other))
    service = prepared.start()
    answer = service.run()
    assert answer.code == 503 and not (prepared.shared / "ran").exists()
    assert "SYNC_SCRIPT_PATH" in service.output() and "restart sync-runner.service" in service.output()
    assert service.sql("SELECT count(*) FROM run_started") == [(0,)]


@pytest.mark.parametrize("setting", ["SYNC_LOG_PATH", "SYNC_LOCK_PATH", "SYNC_RUN_DIR"])
def test_only_the_runners_own_paths(prepared, setting):
    prepared.start_runner(**{setting: "/nowhere/else"})
    if setting == "SYNC_LOG_PATH":
        prepared.log_path.write_text("secret\n")
        service = prepared.start()
        assert service.request("GET", "/sync/log").code == 500
    else:
        prepared.process = None
        code, message = prepared.refused_start(*becoming(SERVICE))
        assert code == CONFIGURATION and setting in message and "restart sync-runner.service" in message


def test_only_the_listed_environment(prepared):
    """With LD_PRELOAD a service that was broken into would run code of its own as the script's user."""
    prepared.script("echo ${EXTRA-unset}")
    prepared.set(SYNC_ENV_PASS="EXTRA", EXTRA="mine")
    prepared.start_runner()
    service = prepared.start()
    assert service.run().json["output"] == "mine\n"
    service.stop_runner()
    service.start_runner(SYNC_ENV_PASS="OTHER")
    assert service.run().code == 503 and "SYNC_ENV_PASS" in service.output()


# What works across the users

def test_a_cancel_ends_a_script_of_the_other_user(service):
    barrier = service.waiting_script(before="trap '' TERM")
    client = service.begin_run()
    barrier.reached()
    assert service.request("POST", "/admin/runs/1/cancel", token=service.token("auditor", role="admin")).code == 202
    assert client.result().code == 500
    assert service.record(1)["outcome"] == "cancelled"


def test_the_runner_s_lock_file_is_seen_and_cleared(service):
    service.lock_path.touch()
    os.chown(service.lock_path, RUNNER.pw_uid, RUNNER.pw_gid)
    assert service.status() == "running"
    lock = service.admin("/admin/lock").json
    assert lock["lock_file"]["owner"] == RUNNER.pw_uid and lock["script_process"] == "no", lock
    cleared = service.request("POST", "/admin/lock/clear", token=service.token("auditor", role="admin"), body='{"reason": "stale"}')
    assert cleared.code == 200 and not service.lock_path.exists()
    assert service.status() == "idle"


def test_the_command_line_beside_the_service(service):
    """As root, as cron calls it: it becomes the service's user and is served like the service."""
    service.script("id -u; exit 3")
    done = service.command("run", "--reason", "nightly")
    assert (done.returncode, done.stdout) == (3, f"{RUNNER.pw_uid}\n")
    run = service.record(1)
    assert (run["user"], run["trigger"], run["isolated"]) == ("uid:0(root)", "cli", True)
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    assert service.command("run").returncode == 2
    barrier.release()
    assert client.result().code == 200


@pytest.mark.parametrize("arguments", [("token", "--user", "x"), ("audit", "resume", "--reason", "test")])
def test_root_is_named_although_it_becomes_another(service, arguments):
    assert service.command(*arguments).returncode == 0
    events = service.admin("/admin/audit").json["events"]
    assert any(event["user"] == "uid:0(root)" for event in events), events


# Restarts and kills

def begin(service, after="echo after; exit 3"):
    barrier = service.waiting_script(before="echo $$ > shared/pid; echo before", after=after)
    client = service.begin_run()
    barrier.reached()
    return barrier, client, int((service.shared / "pid").read_text())


def is_whole(run):
    assert (run["outcome"], run["exit_code"], run["output"], run["isolated"]) == ("failed", 3, "before\nafter\n", True)


def test_the_runner_is_restarted(service):
    barrier, client, _ = begin(service)
    service.stop_runner()
    service.start_runner()
    assert service.status() == "running" and service.run().code == 409
    barrier.release()
    assert client.result().code == 500
    is_whole(service.record(1))
    service.script("exit 0")
    assert service.run().code == 200
    all_recorded(service)


def test_the_runner_is_away_for_a_while(service):
    """Its socket stays open, so requests wait for the new runner."""
    service.stop_runner()
    client = service.begin_run()
    service.start_runner()
    assert client.result().code == 200


def test_a_run_outlives_a_restart_of_both(service):
    barrier, client, _ = begin(service)
    kill_service(service)
    client.abandon()
    service.stop_runner()
    service.start()
    assert service.status() == "running" and service.run().code == 409
    barrier.release()
    is_whole(service.record(1))
    all_recorded(service)


def test_the_supervisor_is_killed(service):
    barrier, client, script = begin(service)
    kill(service.supervisor(script))
    assert service.status() == "running" and alive(script), "the script keeps the run lock"
    barrier.release()
    assert client.result().code == 500
    assert service.record(1)["outcome"] == "interrupted"
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == "2"
    all_recorded(service)


def test_a_run_that_ended_while_the_service_was_away(service):
    barrier, client, script = begin(service)
    kill_service(service)
    client.abandon()
    barrier.release()
    eventually(lambda: not alive(script), "the script has ended")
    service.start()
    is_whole(service.record(1))
    all_recorded(service)


def test_without_a_runner_the_service_does_not_start(prepared):
    prepared.socket.close()
    prepared.socket_path.unlink()
    done = prepared.command("serve", prefix=becoming(SERVICE))
    assert done.returncode == UNAVAILABLE and "sync-runner.socket" in done.stderr
    prepared.socket = socket.socket(socket.AF_UNIX)


def test_the_listener_without_a_socket(prepared):
    done = subprocess.run([prepared.runner_binary, "listen"], capture_output=True, text=True, check=False)
    assert done.returncode == CONFIGURATION and "sync-runner.socket" in done.stderr


def test_a_client_that_is_no_user(prepared):
    prepared.start_runner(SYNC_RUNNER_CLIENT="nobody-at-all")
    assert prepared.runner_process.wait(10) == CONFIGURATION
    prepared.runner_process = None
    assert "SYNC_RUNNER_CLIENT" in prepared.runner_log()


# check

def test_check_as_runner(prepared):
    prepared.script(f": {prepared.lock_path} {prepared.log_path}")
    prepared.log_path.write_text("")
    prepared.log_path.chmod(0o640)
    os.chown(prepared.log_path, RUNNER.pw_uid, RUNNER.pw_gid)
    prepared.set(AUDIT_CHECKPOINT_FILE=prepared.state / "checkpoints")
    prepared.start_runner()
    done = prepared.command("check", "--as-runner")
    assert done.returncode == 0, done.stdout
    for path in (prepared.script_path, prepared.shared, prepared.run_directory):
        assert f"user {RUNNER.pw_name}: {path}: readable" in done.stdout
    os.chown(prepared.shared, 0, 0)
    done = prepared.command("check", "--as-runner")
    assert done.returncode == 1
    assert f"SYNC_LOCK_PATH: the runner's user {RUNNER.pw_name} cannot write in {prepared.shared}" in done.stdout


def test_check_finds_a_tmp_of_its_own(prepared):
    """As PrivateTmp= makes it: another folder under the same name."""
    prepared.log_path.write_text("")
    private = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs tmpfs {prepared.shared} && exec "$@"', "sh")
    prepared.start_runner(*private)
    done = prepared.command("check")
    assert done.returncode == 1
    assert f"SYNC_LOCK_PATH: the runner does not see the folder {prepared.shared}" in done.stdout
    assert "PrivateTmp" in done.stdout


def test_check_finds_kill_0(prepared):
    prepared.script('kill -0 "$pid"')
    prepared.start_runner()
    assert "/proc/$pid" in prepared.command("check").stdout


# What holds without Landlock too, and without a second user

def is_closed(pid):
    """Not dumpable: its files under /proc belong to root (proc(5))."""
    return os.stat(f"/proc/{pid}/environ").st_uid == 0


def test_no_process_of_ours_is_dumpable(service):
    barrier, _, script = begin(service)
    assert not is_closed(script), "the script is its user's own business"
    for pid in (service.process.pid, service.runner_process.pid, service.supervisor(script)):
        assert Path(f"/proc/{pid}/status").read_text().split("\nUid:\t")[1].split("\t")[0] != "0"
        assert is_closed(pid), pid
    barrier.release()


def test_without_a_runner_of_its_own_the_script_may_look_for_processes(prepared):
    """Many scripts ask with kill -0 whether the holder of their lock lives. A wrong no would be a second sync."""
    prepared.set(SYNC_RUNNER_SOCKET=None, SYNC_RUN_DIR=None)
    service = prepared.start()
    other = subprocess.Popen([*becoming(SERVICE), "sleep", "60"])
    try:
        assert attempt(service, SIGNAL.format(0), target=other.pid) == "done"
        assert attempt(service, READ.format(f"/proc/{service.process.pid}/environ")) == "denied", "it is not dumpable"
    finally:
        other.kill()
        other.wait()
