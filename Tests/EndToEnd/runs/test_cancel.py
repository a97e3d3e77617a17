"""An administrator cancels a run. All its processes end with it, however they hide."""

import fcntl
import os
import subprocess

import pytest

from support.assertions import all_recorded
from support.cancelling import CANCELLED, cancel, is_accepted
from support.processes import alive, kill_service, named, naming, processes
from support.service import ALREADY_RUNNING, BINARY, admin
from support.strace import strace
from support.waiting import eventually


def ends_with_everything(service, client, run=1):
    """Cancels, and asserts that answer, processes, record and status say so."""
    assert processes(service), "there is something to end"
    is_accepted(cancel(service, run))
    answer = client.result()
    assert (answer.code, answer.json["status"], answer.json["message"]) == (500, "error", CANCELLED)
    assert processes(service) == [], "nothing of it is left"
    record = service.record(run)
    assert (record["outcome"], record["finished_at_exact"]) == ("cancelled", True)
    assert service.status() == "idle"
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == str(run + 1)
    all_recorded(service)


def test_a_cancelled_run_is_recorded_as_cancelled(service):
    barrier = service.waiting_script(before="echo before")
    client = service.begin_run()
    barrier.reached()
    is_accepted(cancel(service))
    answer = client.result()
    answer.is_json(500, '{"status":"error","message":"%s","output":"before\\n"}' % CANCELLED)
    run = service.record(1)
    assert (run["outcome"], run["exit_code"], run["signal"], run["output"]) == ("cancelled", None, 15, "before\n")
    all_recorded(service)


def test_only_administrators_may_cancel(service):
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    service.request("POST", "/admin/runs/1/cancel", token=None).is_error(401)
    service.request("POST", "/admin/runs/1/cancel").is_error(403)
    admin(service, "GET", "/admin/runs/1/cancel").is_error(405)
    for path in ("/admin/runs/0/cancel", "/admin/runs/x/cancel", "/admin/runs/1/cancel/"):
        admin(service, "POST", path).is_error(404)
    assert not client.is_answered
    barrier.release()
    assert client.result().code == 200


def test_a_run_that_is_not_running_cannot_be_cancelled(service):
    cancel(service, 1).is_error(404)
    service.script("exit 0")
    service.run()
    cancel(service, 1).is_error(409)
    cancel(service, 2).is_error(404)
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    cancel(service, 1).is_error(409)
    assert not client.is_answered, "the other run goes on"
    barrier.release()
    assert client.result().code == 200


def test_a_second_cancel_changes_nothing(service):
    service.script(f"trap '' TERM\n{naming(service)}\nwhile :; do sleep 1; done")
    client = service.begin_run()
    eventually((service.folder / "who").exists, "the script runs")
    is_accepted(cancel(service))
    assert cancel(service).code in (202, 409)
    assert client.result().json["message"] == CANCELLED
    cancel(service).is_error(409)
    run = service.record(1)
    assert (run["outcome"], run["signal"]) == ("cancelled", 9), "TERM did not suffice"


# Programs that hide. Each is started by the script with its own path first, so that it can be told in the process list.
PYTHON = "#!/usr/bin/python3\nimport os, signal, sys, time\n"
HIDERS = {
    "in a session of its own": "os.setsid()",
    "double-forked": "os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0)",
    "ignoring TERM": "[signal.signal(number, signal.SIG_IGN) for number in (1, 2, 15)]",
    "stopped": "stop = True",
    "stopped and ignoring TERM": "signal.signal(15, signal.SIG_IGN); stop = True",
    "with every descriptor closed": "os.setsid(); os.closerange(0, 64)",
}
THEN = """
open(sys.argv[1], "w").close()
if "stop" in globals(): os.kill(os.getpid(), signal.SIGSTOP)
while True: time.sleep(60)
"""


@pytest.mark.parametrize("manner", HIDERS)
def test_a_cancel_ends_a_hidden_descendant(service, manner):
    program, ready = service.folder / "hider.py", service.folder / "ready"
    program.write_text(f"{PYTHON}{HIDERS[manner]}\n{THEN}")
    service.script(f'/usr/bin/python3 "{program}" "{ready}" &\nwait; while :; do sleep 60; done')
    client = service.begin_run()
    eventually(ready.exists, "it has hidden")
    ends_with_everything(service, client)


def test_a_cancel_ends_a_descendant_of_a_script_that_ended_the_others(service):
    """TERM ends the script at once. Its processes in other sessions still get the grace period and then KILL."""
    program, ready = service.folder / "hider.py", service.folder / "ready"
    program.write_text(f"{PYTHON}os.setsid(); signal.signal(15, signal.SIG_IGN)\n{THEN}")
    service.script(f'/usr/bin/python3 "{program}" "{ready}" </dev/null >/dev/null 2>&1 &\nsleep 1000')
    client = service.begin_run()
    eventually(ready.exists, "it has hidden")
    ends_with_everything(service, client)


def test_a_cancel_ends_five_hundred_children(service):
    program, ready = service.folder / "many.py", service.folder / "ready"
    program.write_text(f"""{PYTHON}
for number in range(500):
    if os.fork() == 0:
        if number % 2: os.setsid()
        if number % 5 == 0: signal.signal(15, signal.SIG_IGN)
        while True: time.sleep(60)
{THEN}""")
    service.script(f'/usr/bin/python3 "{program}" "{ready}"')
    client = service.begin_run()
    eventually(ready.exists, "they are there")
    assert len(processes(service)) > 500
    ends_with_everything(service, client)


def test_a_cancel_ends_a_chain_of_forks(service):
    """Each process starts another one in a new session and ends, so none keeps its number for long. All of them share a
    lock. The kernel frees it when the last process ends."""
    program, ready, lock = (service.folder / name for name in ("chain.py", "ready", "chain.lock"))
    program.write_text(f"""{PYTHON}
import fcntl
lock = open("{lock}", "w")
fcntl.flock(lock, fcntl.LOCK_EX)
open(sys.argv[1], "w").close()
end = time.monotonic() + 60
while time.monotonic() < end:
    if os.fork(): os._exit(0)
    os.setsid()
""")
    service.script(f'/usr/bin/python3 "{program}" "{ready}" & \nwhile :; do sleep 60; done')
    client = service.begin_run()
    eventually(ready.exists, "the chain goes")
    is_accepted(cancel(service))
    assert client.result().json["message"] == CANCELLED
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert service.record(1)["outcome"] == "cancelled"
    all_recorded(service)


@pytest.mark.parametrize("number, exact", [("KILL", False), ("TERM", True)])
def test_a_script_that_turns_on_its_supervisor(service, number, exact):
    service.script(f'echo run >> ran; kill -{number} $PPID; for i in 1 2 3; do sleep 0.1; done; touch "{service.folder}/end"')
    answer = service.run()
    assert (answer.code, answer.json["message"]) == (500, "Failed to execute sync script: interrupted")
    run = service.record(1)
    assert (run["outcome"], run["finished_at_exact"]) == ("interrupted", exact)
    assert (service.folder / "end").exists() is (number == "KILL"), "answered once the script is over, not before"
    assert service.status() == "idle"
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == "2"
    all_recorded(service)


def test_cancel_after_a_restart_of_the_service(service):
    barrier = service.waiting_script(before=naming(service))
    client = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    kill_service(service)
    client.abandon()
    service.start()
    assert service.status() == "running"
    is_accepted(cancel(service))
    assert service.record(1)["outcome"] == "cancelled"
    eventually(lambda: not alive(script) and not alive(supervisor), "both are gone")
    eventually(lambda: service.status() == "idle", "the run lock is free")
    all_recorded(service)


def test_cancel_of_a_run_of_the_command_line(service):
    barrier = service.waiting_script()
    command = subprocess.Popen(
        [BINARY, "run"], cwd=service.folder, env=service.environment(), stderr=subprocess.PIPE, text=True)
    barrier.reached()
    is_accepted(cancel(service))
    _, told = command.communicate()
    assert command.returncode not in (0, ALREADY_RUNNING) and "cancelled by an administrator" in told
    assert service.record(1)["outcome"] == "cancelled"
    all_recorded(service)


def test_who_cancelled_is_in_the_log(service):
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    cancel(service)
    client.result()
    assert "auditor" in service.output()


def test_cancel_races_with_the_end(service):
    """Answer and record agree, whichever is first, and nothing is recorded twice."""
    barrier = service.waiting_script()
    for run in range(1, 11):
        (service.folder / "arrived").unlink(missing_ok=True)
        client = service.begin_run()
        barrier.reached()
        barrier.release()
        code = cancel(service, run).code
        answer, outcome = client.result(), service.record(run)["outcome"]
        assert code in (202, 409)
        assert (answer.code, outcome) in ((200, "succeeded"), (500, "cancelled"))
        assert not (code == 409 and outcome == "cancelled")
    all_recorded(service)


# A supervisor waits; it does not spin. Counted are its system calls, which a loop without a pause makes by the thousand
# in each second.


def calls_of(supervisor, folder, body):
    trace = folder / "calls.trace"
    with strace([supervisor], "-e", "trace=poll,ppoll", output=trace):
        body()
    return len(trace.read_text().splitlines())


@pytest.mark.root
def test_a_run_that_ignores_term_is_waited_for_without_spinning(installed):
    """The script ends at once. Its child stays until KILL, after a grace period of three seconds."""
    installed.set(SYNC_STOP_GRACE_SECONDS=3)
    service = installed.start()
    service.script(f"(trap '' TERM; while :; do sleep 60; done) </dev/null >/dev/null 2>&1 &\n{naming(service)}\nsleep 60")
    client = service.begin_run()
    eventually((service.folder / "who").exists, "the script runs")
    _, supervisor = named(service)

    def cancelled():
        is_accepted(cancel(service))
        client.result()

    assert calls_of(supervisor, service.folder, cancelled) < 300
    assert service.record(1)["outcome"] == "cancelled"


@pytest.mark.root
def test_output_that_stays_open_beyond_the_time_limit_is_waited_for_without_spinning(installed):
    """The script has ended; a daemon keeps its output open until the supervisor turns away after three seconds."""
    installed.set(SYNC_TIMEOUT_SECONDS=1)
    service = installed.start()
    service.script(f"{naming(service)}\nsleep 600 &\nread -r _ < barrier\nexit 0")
    os.mkfifo(service.folder / "barrier")
    client = service.begin_run()
    eventually((service.folder / "who").exists, "the script runs")
    _, supervisor = named(service)

    def ended():
        (service.folder / "barrier").write_text("go\n")
        client.result()

    assert calls_of(supervisor, service.folder, ended) < 100
