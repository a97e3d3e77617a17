"""A cancel is answered with 202 only where it ends the run, and the record then says `cancelled`. The audit log holds the
request and its result."""

import json

import pytest

from support.assertions import all_recorded
from support.audit_log import event, events_of
from support.cancelling import CANCELLED, cancel, is_accepted
from support.disks import disk, fill
from support.processes import alive, kill, named, naming, processes
from support.service import admin
from support.strace import TracedService
from support.waiting import eventually

REASON = json.dumps({"reason": "for a test"})

IMPOSTOR = """#!/usr/bin/python3
import os, socket, sys
path, ready = sys.argv[1:]
os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
open(ready, "w").close()
while True:
    connection, _ = listener.accept()
    # It echoes each question. Once any answer counted as consent.
    connection.sendall(connection.recv(65536))
"""


def is_cancelled(service, client):
    assert client.result().json["message"] == CANCELLED
    assert processes(service) == [], "nothing of it is left"
    assert service.record(1)["outcome"] == "cancelled"
    eventually(lambda: service.status() == "idle", "the lock is free")
    all_recorded(service)


def test_a_socket_of_the_scripts_own(service):
    """The service does not accept its answer as the supervisor's, and still ends the run."""
    program, ready = service.folder / "impostor.py", service.folder / "ready"
    program.write_text(IMPOSTOR)
    service.script(
        f'/usr/bin/python3 "{program}" "{service.state}/run/run-$SYNC_RUN_ID.sock" "{ready}" &\nwhile :; do sleep 60; done')
    client = service.begin_run()
    eventually(ready.exists, "it listens in the supervisor's place")
    is_accepted(cancel(service))
    is_cancelled(service, client)
    assert "has not taken the run lock" in service.output()


def test_a_supervisor_that_is_gone(service):
    barrier = service.waiting_script(before=naming(service))
    client = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    kill(supervisor)
    assert alive(script)
    is_accepted(cancel(service))
    is_cancelled(service, client)
    assert not alive(script)


def test_a_script_that_is_over_while_its_output_drains(service):
    """A process that the script left keeps the output open. There is nothing to cancel, and the answer says so."""
    service.script(f"{naming(service)}\nsleep 1000 & exit 0")
    client = service.begin_run()
    eventually((service.folder / "who").exists, "the script runs")
    script, _ = named(service)
    eventually(lambda: not alive(script), "the script is over")
    assert cancel(service).code == 409
    assert client.result().code == 200 and service.record(1)["outcome"] == "succeeded"


@pytest.mark.slow
def test_a_run_that_is_ended_for_another_reason(installed):
    """The time limit passed first. The script ignores TERM, so the cancel arrives while the run ends."""
    installed.set(SYNC_TIMEOUT_SECONDS=1, SYNC_STOP_GRACE_SECONDS=10)
    told = installed.folder / "told"
    installed.script(f'trap \'touch "{told}"\' TERM\nwhile :; do sleep 0.1; done')
    installed.start()
    client = installed.begin_run()
    eventually(told.exists, "it was told to end")
    assert cancel(installed).code == 409
    assert client.result().code == 500 and installed.record(1)["outcome"] == "timed_out"
    assert event(installed, "run_cancel_answered", outcome="too_late")["run"] == 1


def test_the_wish_comes_before_the_deed_and_the_answer_behind_it(service):
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    is_accepted(cancel(service))
    client.result()
    service.record(1)
    order = [event(service, kind, run=1)["entry"] for kind in ("run_cancel_requested", "run_finished")]
    assert order == sorted(order)
    answered = event(service, "run_cancel_answered", outcome="ending")
    assert (answered["run"], answered["user"]) == (1, "auditor") and answered["entry"] > order[0]


# The script's lock file


def clear(service):
    return admin(service, "POST", "/admin/lock/clear", body=REASON)


@pytest.mark.root
def test_a_removal_that_cannot_be_recorded_is_not_done(installed):
    installed.script("exit 0")
    with disk(installed.state, 16):
        installed.start()
        assert installed.run().code == 200
        installed.lock_path.touch()
        filler = fill(installed.state)
        clear(installed).is_error(503)
        assert installed.lock_path.exists(), "the file was left"
        filler.unlink()
        assert clear(installed).code == 200 and not installed.lock_path.exists()
        wish, deed = event(installed, "lock_clear_requested"), event(installed, "lock_cleared")
        assert wish["entry"] < deed["entry"] and wish["reason"] == deed["reason"] == "for a test"
        installed.stop()


def test_a_refused_removal_is_in_the_audit_log(service):
    barrier = service.waiting_script(before=f'touch "{service.lock_path}"', after=f'rm "{service.lock_path}"')
    client = service.begin_run()
    barrier.reached()
    clear(service).is_error(409)
    failed = event(service, "lock_clear_failed", outcome="refused")
    assert "running" in failed["why"] and failed["user"] == "auditor"
    barrier.release()
    client.result()


@pytest.fixture
def watched(tmp_path_factory):
    service = TracedService(tmp_path_factory.mktemp("s"))
    yield service
    service.remove()


@pytest.mark.root
def test_a_runner_that_is_lost_during_the_removal_is_not_asked_again(watched):
    watched.script("exit 0")
    watched.start()
    watched.lock_path.touch()
    assert watched.status() == "running"
    watched.arm("-e", "trace=unlink", "-P", str(watched.lock_path), "-e", "inject=unlink:signal=KILL")
    clear(watched).is_error(503)
    # The file may exist or not. The second check must not take it for another file.
    assert event(watched, "lock_clear_failed", outcome="unknown")["user"] == "auditor"
    assert len(events_of(watched, "lock_clear_failed")) == 1 and not events_of(watched, "lock_cleared")
    assert len(events_of(watched, "lock_clear_requested")) == 1
