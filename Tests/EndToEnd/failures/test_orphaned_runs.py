"""A supervisor is killed and its script lives on. The run stays known, can be cancelled and keeps its time limit, even where
the script has closed every descriptor."""

import subprocess

import pytest

from support.assertions import all_recorded
from support.lock_file import lock
from support.processes import alive, kill, named, naming
from support.service import ALREADY_RUNNING, BINARY, admin
from support.two_users import TwoUserService
from support.waiting import eventually

CLOSING = "for d in /proc/$$/fd/*; do n=${d##*/}; [ $n -gt 2 ] && [ $n != 255 ] && eval \"exec $n>&-\"; done"


@pytest.fixture(params=["one user", pytest.param("two users", marks=[pytest.mark.root, pytest.mark.two_users])])
def service(request):
    """In both modes: the runner as the service's child, and behind a socket."""
    if request.param == "one user":
        yield request.getfixturevalue("installed")
        return
    separated = TwoUserService()
    yield separated
    separated.remove()


def orphan(service, before="", body="while :; do sleep 60; done"):
    """A run whose supervisor is gone. The script writes its numbers where its user may."""
    folder = getattr(service, "shared", service.folder)
    service.script(f'{before}\necho $$ $PPID > "{folder}/who.new"; mv "{folder}/who.new" "{folder}/who"\n{body}')
    client = service.begin_run()
    eventually((folder / "who").exists, "the script runs")
    script, supervisor = map(int, (folder / "who").read_text().split())
    kill(supervisor)
    assert alive(script)
    return client, script


def is_interrupted(service, client, script, outcome="interrupted", why="interrupted"):
    answer = client.result()
    assert (answer.code, answer.json["message"]) == (500, f"Failed to execute sync script: {why}")
    eventually(lambda: not alive(script), "the script is gone")
    assert service.record(1)["outcome"] == outcome
    assert service.status() == "idle"
    all_recorded(service)


@pytest.mark.parametrize("term", ["", "trap '' TERM"])
def test_a_run_without_supervisor_can_be_cancelled(service, term):
    service.start()
    client, script = orphan(service, before=term)
    assert admin(service, "POST", "/admin/runs/1/cancel").code == 202
    is_interrupted(service, client, script, "cancelled", "cancelled by an administrator")


def test_the_lock_names_the_processes_of_a_run_without_supervisor(service):
    service.start()
    client, script = orphan(service)
    seen = lock(service)
    assert seen["lease_held"] and script in seen["processes"]
    assert all(alive(pid) for pid in seen["processes"])
    admin(service, "POST", "/admin/runs/1/cancel")
    client.result()
    eventually(lambda: lock(service)["processes"] == [], "nobody holds the lock")


def test_a_run_without_supervisor_has_its_time_limit(service):
    service.set(SYNC_TIMEOUT_SECONDS=4)
    service.start()
    client, script = orphan(service)
    is_interrupted(service, client, script)


def test_a_script_that_closed_every_descriptor_is_still_known(service):
    """It holds no lock, but it became a child of the service or the listener, which are subreapers."""
    service.start()
    client, script = orphan(service, before=CLOSING)
    assert service.run().code == 409
    assert not client.is_answered, "the run is not over"
    assert admin(service, "POST", "/admin/runs/1/cancel").code == 202
    is_interrupted(service, client, script, "cancelled", "cancelled by an administrator")


def test_a_daemon_that_an_earlier_run_left_is_not_ended_with_a_later_one(service):
    service.start()
    folder = getattr(service, "shared", service.folder)
    service.script(f'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > "{folder}/daemon"')
    assert service.run().code == 200
    daemon = int((folder / "daemon").read_text())
    service.script(f'echo $$ $PPID > "{folder}/who"; while :; do sleep 60; done')
    client = service.begin_run()
    eventually(lambda: (folder / "who").exists() and (folder / "who").read_text().endswith("\n"), "the script runs")
    kill(int((folder / "who").read_text().split()[1]))
    assert admin(service, "POST", "/admin/runs/2/cancel").code == 202
    client.result()
    assert service.record(2)["outcome"] == "cancelled"
    assert alive(daemon)
    kill(daemon)


def test_a_run_of_the_command_line_without_supervisor_has_its_time_limit(installed):
    installed.set(SYNC_TIMEOUT_SECONDS=4)
    installed.script(f"{naming(installed)}\nwhile :; do sleep 60; done")
    command = subprocess.Popen([BINARY, "run"], cwd=installed.folder, env=installed.environment(), stderr=subprocess.PIPE, text=True)
    eventually((installed.folder / "who").exists, "the script runs")
    script, supervisor = named(installed)
    kill(supervisor)
    _, told = command.communicate()
    assert command.returncode not in (0, ALREADY_RUNNING) and "interrupted" in told
    eventually(lambda: not alive(script), "the script is gone")


@pytest.mark.slow
def test_what_a_killed_command_and_supervisor_left_has_its_time_limit(installed):
    """No process waits for that run any more. The running service ends it."""
    installed.set(SYNC_TIMEOUT_SECONDS=4)
    service = installed.start()
    service.script(f"{naming(service)}\nwhile :; do sleep 60; done")
    command = subprocess.Popen([BINARY, "run"], cwd=service.folder, env=service.environment(), stderr=subprocess.DEVNULL)
    eventually((service.folder / "who").exists, "the script runs")
    script, supervisor = named(service)
    kill(command.pid, supervisor)
    command.wait()
    eventually(lambda: not alive(script), "the script is gone")
    assert service.record(1)["outcome"] == "interrupted"
    all_recorded(service)


def cancelled_in_its_grace(service):
    """A script that ignores TERM was told to end by its supervisor, which dies before it can send KILL."""
    service.set(SYNC_STOP_GRACE_SECONDS=5)
    service.start()
    folder = getattr(service, "shared", service.folder)
    told = folder / "told"
    service.script(
        f'trap \'touch "{told}"\' TERM\necho $$ $PPID > "{folder}/who.new"; mv "{folder}/who.new" "{folder}/who"\n'
        "while :; do sleep 0.1; done")
    client = service.begin_run()
    eventually((folder / "who").exists, "the script runs")
    script, supervisor = map(int, (folder / "who").read_text().split())
    assert admin(service, "POST", "/admin/runs/1/cancel").code == 202
    eventually(told.exists, "it was told to end")
    kill(supervisor)
    return client, script


def test_a_supervisor_that_dies_in_the_grace_of_a_cancel(service):
    client, script = cancelled_in_its_grace(service)
    is_interrupted(service, client, script, "cancelled", "cancelled by an administrator")


def test_a_restart_in_the_grace_of_a_cancel_without_supervisor(service):
    _, script = cancelled_in_its_grace(service)
    service.stop()
    service.start()
    eventually(lambda: not alive(script), "the script is ended by the service that came next")
    eventually(lambda: service.record(1)["outcome"] == "cancelled", "the answer that was given is kept")
    all_recorded(service)
