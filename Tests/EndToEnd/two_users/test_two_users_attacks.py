"""Two users under attack or set up wrong: a script against runner and service, and an operator's mistakes."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from support.service import CONFIGURATION
from support.two_users import RUNNER, SERVICE, becoming
from support.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.two_users]


def message(kind, **fields):
    """A message of the run protocol."""
    pairs = [("version", "1"), ("kind", kind), *fields.items()]
    return b"".join(bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value.encode() for name, value in pairs)


# The script

@pytest.mark.parametrize("whose", ["listener", "supervisor"])
@pytest.mark.parametrize("limit", ["cpu=0:0", "fsize=0:0", "nofile=3:3"])
def test_the_script_cannot_set_limits_of_our_processes(service, whose, limit):
    """No CPU time or no room to write ends a process as a kill would, and only the user counts for prlimit(2)."""
    target = service.runner_process.pid if whose == "listener" else "$PPID"
    service.script(f"prlimit --pid {target} --{limit} 2>&1; prlimit --nofile=20:20 bash -c 'ulimit -n'; ulimit -n 30 && ulimit -n")
    output = service.run().json["output"]
    assert "Operation not permitted" in output and output.endswith("20\n30\n"), output
    assert service.run().code == 200


def test_no_process_hides_behind_its_first_thread(prepared):
    """With that one gone it looks like a zombie, and went on beside the next run."""
    prepared.set(SYNC_TIMEOUT_SECONDS=2)
    service = prepared.start()
    service.script(f"""exec /usr/bin/python3 - <<'PY'
import ctypes, os, signal, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    open("{service.shared}/pid", "w").write(str(os.getpid()))
    threading.Thread(target=time.sleep, args=(100,)).start()
    ctypes.CDLL(None).pthread_exit(None)
time.sleep(100)
PY""")
    assert service.run().code == 500
    assert service.record(1)["outcome"] == "timed_out"
    process = Path("/proc") / (service.shared / "pid").read_text()
    assert not process.exists(), (process / "status").read_text()


def test_a_forged_output_stays_small(service):
    """What the script writes over its kept output counts as far as the limit, not as far as the file says."""
    service.script(f"""/usr/bin/python3 - <<'PY'
size = 256 << 20
with open("{service.run_directory}/run-1.output", "r+b") as output:
    output.write(size.to_bytes(8, "big") * 2)
    output.truncate(16 + size)
PY
""")
    answer = service.run()
    assert (answer.code, answer.json["output"]) == (200, "")
    assert "run-1.output" in service.output() and service.database.stat().st_size < 8 << 20


def test_a_socket_that_never_answers_holds_nothing_up(service):
    """A socket in place of the supervisor's: no process accepts, and its queue is full."""
    (service.shared / "deaf.py").write_text(f"""
import os, socket, time
path = "{service.run_directory}/run-1.sock"
os.unlink(path)
deaf = socket.socket(socket.AF_UNIX)
deaf.bind(path)
os.chmod(path, 0o777)
deaf.listen(0)
waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
for one in waiting:
    one.setblocking(False)
    try:
        one.connect(path)
    except BlockingIOError:
        pass
open("{service.shared}/ready", "w").close()
time.sleep(600)
""")
    service.script(f'setsid /usr/bin/python3 "{service.shared}/deaf.py" > /dev/null 2>&1 &\n'
                   f'until [ -e "{service.shared}/barrier" ]; do sleep 0.1; done')
    client = service.begin_run()
    eventually((service.shared / "ready").exists, "the socket is there")
    admin = service.token("auditor", role="admin")
    cancels = [service.begin("POST", "/admin/runs/1/cancel", token=admin) for _ in range(5)]
    codes = {cancel.result().code for cancel in cancels}
    assert 202 in codes and codes <= {202, 409}, "the runner ends the run in the supervisor's place"
    assert client.result().code == 500 and service.record(1)["outcome"] == "cancelled"
    (service.shared / "barrier").touch()
    (service.shared / "deaf.py").unlink()
    assert service.run().code == 200


def test_a_forged_result(service):
    """It adds no lines to the log, and an end in a far future is no reason to wait for it."""
    barrier = service.waiting_script()
    command = subprocess.Popen([*becoming(SERVICE), service.binary, "run"], cwd=service.folder, env=service.environment(),
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    barrier.reached()
    command.kill()
    command.wait()
    [supervisor] = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and is_supervisor(entry, service)]
    os.kill(int(supervisor.name), signal.SIGKILL)
    result = service.run_directory / "run-1.result"
    result.write_bytes(message(
        "ended", exit_code="0", lock_file_seen="false", script_changed="false", output_bytes="0", output_sha256="0" * 64,
        spool_error="x\nforged line", finished_at="253402300799999", duration_ms="1"))
    os.chown(result, RUNNER.pw_uid, SERVICE.pw_gid)
    barrier.release()
    assert service.record(1)["outcome"] == "succeeded"
    assert "forged line" in service.output() and "\nforged line" not in service.output()


def is_supervisor(entry, service):
    """A runner of this installation that has a child."""
    try:
        return (os.readlink(entry / "exe") == str(service.runner_binary) and b"connection" in (entry / "cmdline").read_bytes()
                and (entry / "task" / entry.name / "children").read_text() != "")
    except OSError:
        return False


# An attacker in the service may write in the run directory

def test_the_runs_socket_is_made_closed(prepared):
    """A chmod by name after it was made could be led to another file of the runner's user."""
    calls = prepared.folder / "calls"
    prepared.start_runner("strace", "-D", "-f", "-qq", "-e", "trace=bind,/chmod", "-o", calls)
    service = prepared.start()
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    assert (service.run_directory / "run-1.sock").stat().st_mode & 0o777 == 0o660
    barrier.release()
    assert client.result().code == 200
    seen = eventually(lambda: [line for line in calls.read_text().splitlines() if "run-1.sock" in line], "strace tells")
    assert [line.split()[1].split("(")[0] for line in seen] == ["bind"], seen


def test_the_runners_own_working_directory(prepared):
    prepared.start_runner(SYNC_WORKING_DIR=str(prepared.shared))
    service = prepared.start()
    assert service.run().code == 503
    assert "SYNC_WORKING_DIR" in service.output() and "restart sync-runner.service" in service.output()


# The listener under load and faults

def served(service):
    """What a connection of the service's user is told before it says anything; nothing where it is served."""
    ask = f"""
import socket
s = socket.socket(socket.AF_UNIX)
s.settimeout(2)
s.connect("{service.socket_path}")
try:
    print(s.recv(4096).decode(errors="replace"))
except TimeoutError:
    print("served")
"""
    return subprocess.run([*becoming(SERVICE), "/usr/bin/python3", "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def test_the_listener_outlives_a_lack_of_descriptors(service):
    limit = [*becoming(RUNNER), "prlimit", f"--pid={service.runner_process.pid}"]
    subprocess.run([*limit, "--nofile=5:"], check=True)
    waiting = service.begin_run()
    service.runner_says("a connection waits and cannot be accepted, trying again: accept: Too many open files")
    subprocess.run([*limit, "--nofile=1000:"], check=True)
    assert waiting.result().code == 200


def test_the_listener_says_that_it_cannot_start_a_process(prepared):
    prepared.start_runner("prlimit", "--nproc=1:1")
    told = served(prepared)
    assert "Resource temporarily unavailable" in told and "TasksMax=" in told
    prepared.runner_says("TasksMax=")


def test_a_connection_is_no_listening_socket(prepared):
    """As a socket unit with Accept=yes hands it over."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        listening, prepared.socket = prepared.socket, theirs
        prepared.start_runner()
        code = prepared.runner_process.wait(10)
        prepared.runner_process, prepared.socket = None, listening
    assert code == CONFIGURATION and "Accept=no" in prepared.runner_log()


# The operator

@pytest.mark.parametrize("user", ["root", "sync-service"])
def test_a_listener_of_no_user_of_its_own(prepared, user):
    """Its script could read everything, and the record would say that it was kept apart."""
    prepared.start_runner(SYNC_RUNNER_CLIENT=RUNNER.pw_name) if user != "root" else start_as_root(prepared)
    code = prepared.runner_process.wait(10)
    prepared.runner_process = None
    assert code == CONFIGURATION and "set User= in sync-runner.service" in prepared.runner_log()


def start_as_root(prepared):
    prepared.start_runner("sh", "-c", f'shift {len(becoming(RUNNER))}; exec "$@"', "sh")


@pytest.mark.parametrize("owner, group, mode, what", [
    (RUNNER, SERVICE, 0o770, "does not share"),
    (RUNNER, SERVICE, 0o2700, "does not share"),
    (RUNNER, RUNNER, 0o2770, "does not share"),
    (RUNNER, SERVICE, 0o2777, "others can enter"),
    (SERVICE, RUNNER, 0o2770, "belongs to the service's user"),
    (None, None, 0, "No such file"),
])
def test_a_run_directory_that_is_not_shared(prepared, owner, group, mode, what):
    """Without its bit for the group all would seem well, and every output be lost."""
    if owner is None:
        prepared.run_directory.rmdir()
    else:
        os.chown(prepared.run_directory, owner.pw_uid, group.pw_gid)
        prepared.run_directory.chmod(mode)
    prepared.start_runner()
    code, said = prepared.refused_start(*becoming(SERVICE))
    assert code == CONFIGURATION and "SYNC_RUN_DIR: " in said and what in said
    assert f"install -d -m 2770 -o RUNNER -g {SERVICE.pw_gid} {prepared.run_directory}" in said
    assert "SYNC_RUN_DIR" in prepared.command("check").stdout
    assert owner is not None or not prepared.run_directory.exists()


def test_why_a_script_could_not_be_executed(prepared):
    missing = prepared.folder / "missing"
    prepared.set(SYNC_WORKING_DIR=missing)
    service = prepared.start()
    assert service.run_recorded()[1]["outcome"] == "start_failed"
    assert "could not be executed" in service.output() and str(missing) in service.output()
