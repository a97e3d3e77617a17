"""The machine loses power: an ext4 on a loop device stops at one moment and forgets what was not on the disk, and all
processes end. The record holds every answered run; a run under way is interrupted."""

import os
import signal

import pytest

from support.assertions import all_recorded, trail_is_intact
from support.disks import Ext4
from support.processes import end_all
from support.service import spool
from support.waiting import eventually

pytestmark = pytest.mark.root


@pytest.fixture
def machine(installed):
    """A service whose state lies on a disk that can lose power."""
    with Ext4(installed.state) as installed.ext4:
        yield installed.start()
        installed.stop()
        installed.end_leftovers()


def lose_power(service):
    service.ext4.lose_power()
    end_all(service)
    service.ext4.mend()
    service.start()


def test_an_answered_run_survives_a_power_loss(machine):
    """Again and again: each answer is kept, and numbers go on without a gap."""
    for number in range(1, 6):
        machine.script(f"echo {number}; exit 3")
        answer = machine.run()
        assert answer.header("Sync-Run-Id") == str(number)
        lose_power(machine)
        run = machine.admin(f"/admin/runs/{number}").json
        assert (run["outcome"], run["exit_code"], run["output"]) == ("failed", 3, f"{number}\n")
    all_recorded(machine)
    trail_is_intact(machine)


def test_a_run_is_interrupted_by_a_power_loss(machine):
    barrier = machine.waiting_script(before="echo before")
    client = machine.begin_run()
    barrier.reached()
    lose_power(machine)
    client.abandon()
    run = machine.admin("/admin/runs/1").json
    assert (run["outcome"], run["exit_code"], run["finished_at_exact"]) == ("interrupted", None, False)
    assert run["output"] in ("", "before\n"), "as far as it had reached the disk"
    assert machine.status() == "idle"
    machine.script("exit 0")
    assert machine.run().header("Sync-Run-Id") == "2"
    all_recorded(machine)


def test_a_run_that_has_just_begun_is_interrupted_by_a_power_loss(machine):
    """The power goes while the script begins. Its start is already on the disk."""
    moment = machine.folder / "moment"
    machine.script(f'touch "{moment}"; sleep 1000')
    client = machine.begin_run()
    eventually(moment.exists, "the script began")
    lose_power(machine)
    client.abandon()
    assert machine.admin("/admin/runs/1").json["outcome"] == "interrupted"
    all_recorded(machine)


@pytest.mark.parametrize("printed", ["before\n", ""], ids=["with output", "without output"])
def test_a_stored_result_survives_a_power_loss(machine, printed):
    """The service sleeps while the supervisor stores the result and frees the run lock; then the power goes.
    A run without output syncs no spool, and its result says all the same that nothing is missing."""
    barrier = machine.waiting_script(before=f"printf '{printed}'", after="exit 3")
    client = machine.begin_run()
    barrier.reached()
    os.kill(machine.process.pid, signal.SIGSTOP)
    barrier.release()
    eventually(spool(machine, 1, "result").exists, "the result has its name")
    eventually(lambda: not spool(machine, 1, "sock").exists(), "and the folder is synced")
    lose_power(machine)
    client.abandon()
    run = machine.admin("/admin/runs/1").json
    facts = {"outcome": "failed", "exit_code": 3, "finished_at_exact": True, "output": printed,
             "output_bytes": len(printed), "output_truncated": False}
    assert {name: run[name] for name in facts} == facts
    all_recorded(machine)
