"""What a service does at its start about runs that still go on, ended meanwhile, or are gone."""

import hashlib
import os
import signal
import subprocess

import pytest

from support.assertions import all_recorded
from support.processes import kill, kill_service, named, naming
from support.runner_protocol import encoded
from support.service import ALREADY_RUNNING, BINARY, spool
from support.waiting import Barrier, eventually

OUTPUT = "before\nafter\n"


def begin(service, after="echo after; exit 3"):
    """A run that printed "before" and waits, its output known to be in the spool."""
    barrier = service.waiting_script(before=f"{naming(service)}; echo before", after=after)
    client = service.begin_run()
    barrier.reached()
    eventually(lambda: b"before\n" in spool(service, 1, "output").read_bytes(), "the output is in the spool")
    return barrier, client


def begin_and_kill_the_service(service):
    barrier, client = begin(service)
    kill_service(service)
    client.abandon()
    return barrier


def is_whole(run):
    """The record that a supervisor leaves which lived to the end."""
    facts = {
        "outcome": "failed", "exit_code": 3, "signal": None, "finished_at_exact": True, "output": OUTPUT,
        "output_bytes": len(OUTPUT), "output_sha256": hashlib.sha256(OUTPUT.encode()).hexdigest(),
        "output_truncated": False,
    }
    assert {name: run[name] for name in facts} == facts
    assert run["duration_ms"] >= 0


def is_interrupted(run):
    facts = {
        "outcome": "interrupted", "exit_code": None, "signal": None, "finished_at_exact": False, "duration_ms": None,
        "output_sha256": None,
    }
    assert {name: run[name] for name in facts} == facts


def test_a_restart_follows_the_run(service):
    barrier = begin_and_kill_the_service(service)
    service.start()
    assert service.status() == "running"
    assert service.run().code == 409
    assert service.command("run").returncode == ALREADY_RUNNING
    assert service.admin("/admin/runs/1").json["outcome"] == "running"
    barrier.release()
    is_whole(service.record(1))
    eventually(lambda: service.status() == "idle", "the run is over")
    all_recorded(service)
    assert sorted(path.name for path in (service.state / "run").iterdir()) == ["run.lock"], "nothing stays in the spool"


def test_a_second_restart_follows_as_well(service):
    barrier = begin_and_kill_the_service(service)
    for _ in range(2):
        service.start()
        assert service.status() == "running"
        kill_service(service)
    service.start()
    barrier.release()
    is_whole(service.record(1))
    before = service.admin("/admin/runs/1").body
    service.stop()
    service.start()
    assert service.admin("/admin/runs/1").body == before, "what is recorded stays"
    all_recorded(service)


def test_a_run_that_ended_while_nobody_served(service):
    barrier = begin_and_kill_the_service(service)
    barrier.release()
    eventually(spool(service, 1, "result").exists, "the result is stored")
    assert service.sql("SELECT count(*) FROM run_finished") == [(0,)]
    service.start()
    # Not `record`, which would wait: it was settled before the listener opened.
    is_whole(service.admin("/admin/runs/1").json)
    assert service.status() == "idle"
    all_recorded(service)


def test_a_run_of_which_nothing_is_left(service):
    begin(service)
    script, supervisor = named(service)
    kill_service(service)
    kill(supervisor, script)
    service.start()
    run = service.admin("/admin/runs/1").json
    is_interrupted(run)
    assert (run["output"], run["output_bytes"]) == ("before\n", 7), "what reached the disk is kept"
    assert service.status() == "idle"
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == "2"
    all_recorded(service)


def test_a_script_that_outlives_its_supervisor_and_the_service(service):
    barrier, _ = begin(service, after=f'touch "{service.folder}/end"')
    _, supervisor = named(service)
    kill_service(service)
    kill(supervisor)
    service.start()
    assert service.status() == "running", "the script holds the run lock"
    assert service.run().code == 409
    barrier.release()
    eventually((service.folder / "end").exists, "the script ran to its end")
    is_interrupted(service.record(1))
    all_recorded(service)


def huge(path):
    path.touch()
    os.truncate(path, 8 << 30)


RESULT = {
    "stop": "none", "exit_code": 0, "lock_file_seen": "false", "script_changed": "false", "output_bytes": 7,
    "output_sha256": "0" * 64, "finished_at": 1_700_000_000_000, "duration_ms": 1,
}

# Each leaves something under the result's name. None of it may be believed, waited for, or do harm.
HOSTILE_RESULTS = {
    "garbage": lambda path: path.write_bytes(os.urandom(3000)),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(encoded("ended", **RESULT)[:-20]),
    "another version": lambda path: path.write_bytes(encoded("ended", version=b"2", **RESULT)),
    "another kind": lambda path: path.write_bytes(encoded("go", run=1)),
    "a length beyond the end": lambda path: path.write_bytes(b"\7version\xff\xff\xff\xff1"),
    "negative numbers": lambda path: path.write_bytes(encoded("ended", **{**RESULT, "output_bytes": -1})),
    "a date out of range": lambda path: path.write_bytes(encoded("ended", **{**RESULT, "finished_at": 2**63 - 1})),
    "a digest of another length": lambda path: path.write_bytes(encoded("ended", **{**RESULT, "output_sha256": "x"})),
    "a link": lambda path: path.symlink_to(path.parent.parent.parent / "planted"),
    "a FIFO": os.mkfifo,
    "a folder": lambda path: (path.mkdir(), (path / "file").touch()),
    "huge": huge,
}


@pytest.mark.parametrize("kind", HOSTILE_RESULTS)
def test_an_invalid_result_is_not_believed(service, kind):
    begin(service)
    script, supervisor = named(service)
    kill_service(service)
    kill(supervisor, script)
    # A true result behind a link would be believed if links were followed.
    (service.folder / "planted").write_bytes(encoded("ended", **RESULT))
    HOSTILE_RESULTS[kind](spool(service, 1, "result"))
    service.start()
    is_interrupted(service.admin("/admin/runs/1").json)
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == "2", "and the next run is none the worse"
    assert service.record(2)["outcome"] == "succeeded"
    all_recorded(service)


def head(limit, total):
    return limit.to_bytes(8, "big", signed=True) + total.to_bytes(8, "big", signed=True)


HOSTILE_OUTPUTS = {
    "a link": lambda path: path.symlink_to(path.parent.parent.parent / "planted"),
    "a FIFO": os.mkfifo,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_bytes(b""),
    "a limit of nothing": lambda path: path.write_bytes(head(0, 100) + b"x" * 100),
    "a negative limit": lambda path: path.write_bytes(head(-5, 100) + b"x" * 100),
    "a negative total": lambda path: path.write_bytes(head(100, -5) + b"x" * 100),
    "the largest numbers": lambda path: path.write_bytes(head(2**63 - 1, 2**63 - 1) + b"x" * 100),
    "a total beyond the end": lambda path: path.write_bytes(head(200, 2**63 - 1) + b"x" * 100),
}


@pytest.mark.parametrize("kind", HOSTILE_OUTPUTS)
def test_an_invalid_output_is_not_stored(service, kind):
    begin(service)
    script, supervisor = named(service)
    kill_service(service)
    kill(supervisor, script)
    # The form of an output behind a link, so that only the link itself is a reason not to read it.
    (service.folder / "planted").write_bytes(head(100, 6) + b"secret")
    output = spool(service, 1, "output")
    output.unlink()
    HOSTILE_OUTPUTS[kind](output)
    service.start()
    run = service.admin("/admin/runs/1").json
    is_interrupted(run)
    assert run["output"] == ""
    service.script("echo fine")
    assert service.run().json["output"] == "fine\n"
    all_recorded(service)


def test_a_script_that_writes_into_the_run_lock_changes_nothing(service):
    """It inherits the run lock's descriptor. What stands in that file is for people; who holds the locks decides."""
    forged = service.folder / "forged"
    forged.write_bytes(encoded("holder", holder_run=99, holder_pid=1, holder_since=0))
    barrier = service.waiting_script(before=f'cat "{forged}" > /proc/self/fd/1000; {naming(service)}; echo before',
                                     after="echo after; exit 3")
    client = service.begin_run()
    barrier.reached()
    kill_service(service)
    client.abandon()
    service.start()
    assert service.admin("/admin/runs/1").json["outcome"] == "running" and service.status() == "running"
    assert service.run().code == 409
    barrier.release()
    is_whole(service.record(1))
    all_recorded(service)


# Runs of the command line


def begin_by_hand(installed, after="echo after; exit 3"):
    barrier = installed.waiting_script(before=f"{naming(installed)}; echo before", after=after)
    command = subprocess.Popen([BINARY, "run"], cwd=installed.folder, env=installed.environment(), stdout=subprocess.PIPE)
    barrier.reached()
    return barrier, command


def test_a_service_that_starts_beside_a_run_of_the_command_line(installed):
    barrier, command = begin_by_hand(installed)
    installed.start()
    assert installed.status() == "running"
    barrier.release()
    output, _ = command.communicate()
    assert (command.returncode, output.decode()) == (3, OUTPUT)
    is_whole(installed.record(1))
    all_recorded(installed)


def test_a_service_that_records_a_run_first_leaves_its_output_to_the_command(installed):
    """The command is stopped while its run ends; the service that starts records the run and clears its spool."""
    barrier, command = begin_by_hand(installed)
    os.kill(command.pid, signal.SIGSTOP)
    barrier.release()
    eventually(spool(installed, 1, "result").exists, "the result is stored")
    installed.start()
    is_whole(installed.record(1))
    assert not spool(installed, 1, "output").exists()
    os.kill(command.pid, signal.SIGCONT)
    output, _ = command.communicate()
    assert (command.returncode, output.decode()) == (3, OUTPUT)
    all_recorded(installed)


def test_a_killed_command_is_followed_by_the_next_service(installed):
    barrier, command = begin_by_hand(installed)
    kill(command.pid)
    command.communicate()
    installed.start()
    assert installed.status() == "running"
    barrier.release()
    is_whole(installed.record(1))
    all_recorded(installed)


@pytest.mark.slow
def test_a_killed_command_is_settled_by_the_service_that_runs(service):
    """Without a restart, which may be months away."""
    barrier, command = begin_by_hand(service)
    kill(command.pid)
    command.communicate()
    barrier.release()
    eventually(lambda: service.status() == "idle", "the run is over")
    is_whole(service.record(1))
    all_recorded(service)


def test_several_runs_that_nobody_settled(installed):
    for _ in range(2):
        _, command = begin_by_hand(installed)
        script, supervisor = named(installed)
        kill(command.pid, supervisor, script)
        command.communicate()
        (installed.folder / "arrived").unlink()
        (installed.folder / "barrier").unlink()
    installed.start()
    for run in (1, 2):
        is_interrupted(installed.admin(f"/admin/runs/{run}").json)
    all_recorded(installed)


def test_the_next_run_does_not_hold_up_the_record_of_the_last(service):
    """While the service sleeps (SIGSTOP) the followed run ends and another takes the run lock: it was never seen free."""
    barrier = begin_and_kill_the_service(service)
    service.start()
    assert service.status() == "running"
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        barrier.release()
        eventually(spool(service, 1, "result").exists, "the first run's result is stored")
        (service.folder / "second").mkdir()
        second = Barrier(service.folder / "second")
        service.script(f"{second.wait}\nexit 0")
        command = eventually(lambda: started(service, second), "the run lock is free for a run of the command line")
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    is_whole(service.record(1))
    assert service.admin("/admin/runs/2").json["outcome"] == "running"
    second.release()
    assert command.wait() == 0
    all_recorded(service)


def started(service, barrier):
    """A run of the command line once it is at its barrier; nothing when the run lock was held."""
    command = subprocess.Popen([BINARY, "run"], cwd=service.folder, env=service.environment())
    eventually(lambda: barrier.arrived.exists() or command.poll() is not None, "the command runs or was refused")
    return command if barrier.arrived.exists() else None
