"""The script's own lock file after its script was killed. It is shown and explained, removed only when it is certain that no
script runs, and can always be removed by hand."""

import json
import os
import stat
import subprocess
import time

import pytest

from support.assertions import all_recorded
from support.lock_file import REASON, clear, lock
from support.processes import kill, kill_service, named, naming
from support.runner_protocol import Runner
from support.service import RUNNER, admin
from support.waiting import eventually


def refuses(service, word, body=REASON):
    before = service.lock_path.lstat()
    answer = clear(service, body)
    answer.is_error(409)
    assert word in answer.json["message"], answer
    assert service.lock_path.lstat().st_ino == before.st_ino, "the lock file was left"


def test_without_a_lock_file_there_is_nothing_to_clear(service):
    service.script("exit 0")
    assert lock(service) == {"lease_held": False, "holder": None, "lock_file": None, "script_process": "no", "processes": []}
    clear(service).is_error(409)


@pytest.mark.root
def test_the_lock_names_its_file_and_what_is_known_about_it(service):
    service.script("exit 0")
    service.lock_path.touch()
    os.utime(service.lock_path, (time.time() - 3600,) * 2)
    os.chown(service.lock_path, 65534, -1)
    seen = lock(service)
    file, facts = seen["lock_file"], service.lock_path.stat()
    assert (seen["lease_held"], seen["holder"], seen["script_process"]) == (False, None, "no")
    assert list(file) == ["path", "age_seconds", "owner", "device", "inode"]
    assert (file["path"], file["owner"]) == (str(service.lock_path), 65534)
    assert (file["device"], file["inode"]) == (str(facts.st_dev), str(facts.st_ino))
    assert 3600 <= file["age_seconds"] <= 3600 + 60


def test_a_lock_of_a_running_script_is_not_cleared(service):
    barrier = service.waiting_script(before=f'touch "{service.lock_path}"; {naming(service)}', after=f'rm "{service.lock_path}"')
    client = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    seen = lock(service)
    assert (seen["lease_held"], seen["script_process"]) == (True, "yes")
    assert list(seen["holder"]) == ["run", "since", "pid"]
    assert (seen["holder"]["run"], seen["holder"]["pid"]) == (1, supervisor)
    assert script in seen["processes"]
    refuses(service, "running")
    barrier.release()
    assert client.result().code == 200
    assert lock(service)["lock_file"] is None


def test_only_administrators_may_clear_the_lock(service):
    service.lock_path.touch()
    for method, path in (("GET", "/admin/lock"), ("POST", "/admin/lock/clear")):
        service.request(method, path, token=None, body=REASON).is_error(401)
        service.request(method, path, body=REASON).is_error(403)
    admin(service, "POST", "/admin/lock").is_error(405)
    admin(service, "GET", "/admin/lock/clear").is_error(405)
    assert service.lock_path.exists()


@pytest.mark.parametrize("body", [
    None, "", "{}", "[]", "x", '"reason"', '{"reason":""}', '{"reason":"  "}', '{"reason":5}', '{"reason":null}',
    '{"reason":"a","reason":"b"}', json.dumps({"reason": "x" * 1025}), '{"reason":"\\ud800"}', "[" * 5000,
])
def test_clearing_needs_a_reason(service, body):
    service.script("exit 0")
    service.lock_path.touch()
    clear(service, body).is_error(400)
    assert service.lock_path.exists()


def test_a_stale_lock_file_is_cleared(service):
    """A killed script leaves it; until it is gone the status is running and the script answers 2."""
    barrier = service.waiting_script(
        before=f'test -e "{service.lock_path}" && exit 2; touch "{service.lock_path}"; {naming(service)}',
        after=f'rm "{service.lock_path}"')
    client = service.begin_run()
    barrier.reached()
    script, _ = named(service)
    kill(script)
    assert client.result().json["message"].endswith("killed by signal 9")
    assert service.status() == "running"
    assert service.run().code == 409 and service.record(2)["outcome"] == "already_running"
    answer = clear(service)
    assert (answer.code, answer.json["status"]) == (200, "cleared")
    assert not service.lock_path.exists() and service.status() == "idle"
    # The audit log says who cleared it and why.
    assert "auditor" in service.output() and "lost power" in service.output()
    (service.folder / "arrived").unlink()
    client = service.begin_run()
    barrier.reached()
    barrier.release()
    assert client.result().code == 200
    all_recorded(service)


def test_a_lock_file_can_be_removed_by_hand(service):
    service.script("exit 0")
    service.lock_path.touch()
    assert service.status() == "running"
    service.lock_path.unlink()
    assert service.status() == "idle"
    assert service.run().code == 200


def test_the_state_is_the_same_after_a_restart(service):
    service.script("exit 0")
    service.lock_path.touch()
    kill_service(service)
    service.start()
    assert service.status() == "running" and lock(service)["script_process"] == "no"
    assert clear(service).code == 200
    assert service.status() == "idle"


# How a script can be running past the service, as cron or a person started it
STARTS = {
    "by its path": lambda service: [service.script_path],
    "by its interpreter": lambda service: ["/bin/bash", service.script_path],
    "by an interpreter with options": lambda service: ["/usr/bin/env", "bash", "-e", service.script_path],
    "from its folder": lambda service: [f"./{service.script_path.name}"],
    "by a path with dots": lambda service: [f"{service.folder}/../{service.folder.name}/{service.script_path.name}"],
    "in a session of its own": lambda service: ["setsid", service.script_path],
    "by a shell's command line": lambda service: ["/bin/sh", "-c", f"cd {service.folder} && ./{service.script_path.name}; true"],
}


@pytest.mark.parametrize("manner", STARTS)
def test_a_script_that_runs_past_the_service(service, manner):
    barrier = service.waiting_script(before=f'touch "{service.lock_path}"; {naming(service)}')
    process = subprocess.Popen(STARTS[manner](service), cwd=service.folder)
    try:
        barrier.reached()
        assert service.status() == "running", "a cron run counts"
        assert lock(service)["script_process"] == "yes"
        refuses(service, "process of the script")
        barrier.release()
        process.wait()
    finally:
        kill(next(named(service)))
    eventually(lambda: lock(service)["script_process"] == "no", "it has ended")
    assert clear(service).code == 200


def test_without_a_script_set_the_lock_stays(installed):
    """Without a script there is nothing to look for among the processes."""
    installed.set(SYNC_SCRIPT_PATH=None)
    installed.start()
    installed.lock_path.touch()
    refuses(installed, "SYNC_SCRIPT_PATH")


# What cannot be timed from outside is said to the runner itself, in the service's words.


def question(service, **changed):
    facts = service.lock_path.lstat()
    return {
        "run_directory": service.state / "run", "lock_path": service.lock_path, "script": service.script_path,
        "lock_file": f"{facts.st_dev}:{facts.st_ino}", "lock_file_modified": facts.st_mtime_ns // 1_000_000,
        "lock_file_owner": facts.st_uid, **changed,
    }


@pytest.fixture
def stale(service):
    service.script("exit 0")
    service.lock_path.touch()
    return service


CHANGES = {
    "another inode": {"lock_file": "1:1"},
    "another time": {"lock_file_modified": 5},
    "another owner": {"lock_file_owner": 4711},
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_lock_file_that_is_another_by_now(stale, change):
    with Runner() as runner:
        kind, fields = runner.ask("lock-clear", **question(stale, **CHANGES[change]))
        assert kind == "lock-kept" and "another" in fields["reason"]
        assert stale.lock_path.exists()
        assert runner.ask("lock-clear", **question(stale)) == ("lock-cleared", {}), "the same runner, the true file"
    assert not stale.lock_path.exists()


def test_a_lock_file_that_came_anew(stale):
    """The script ended and another began between the look and the removal: same name, another file."""
    seen = question(stale)
    new = stale.folder / "new.lock"
    new.touch()
    new.rename(stale.lock_path)
    with Runner() as runner:
        assert runner.ask("lock-clear", **seen)[0] == "lock-kept"
    assert stale.lock_path.exists()


def test_a_lock_file_that_is_gone_by_now(stale):
    seen = question(stale)
    stale.lock_path.unlink()
    with Runner() as runner:
        assert runner.ask("lock-clear", **seen)[0] == "lock-kept"


def test_a_run_that_started_meanwhile_keeps_its_lock(stale):
    seen = question(stale)
    barrier = stale.waiting_script()
    client = stale.begin_run()
    barrier.reached()
    with Runner() as runner:
        kind, fields = runner.ask("lock-clear", **seen)
        assert kind == "lock-kept" and "running" in fields["reason"]
    barrier.release()
    client.result()
    with Runner() as runner:
        assert runner.ask("lock-clear", **seen)[0] == "lock-cleared"


@pytest.mark.root
def test_processes_that_cannot_be_seen(stale):
    """/proc mounted with hidepid, and a runner that is not root: none that it sees proves nothing."""
    hidden = "mount -t proc -o hidepid=invisible proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups -- \"$0\""
    shared = stale.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    for folder in (stale.folder, stale.folder.parent, stale.folder.parent.parent):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    with Runner("unshare", "--mount", "sh", "-c", hidden, str(RUNNER)) as runner:
        assert runner.ask("script-process", script=stale.script_path, lock_path=stale.lock_path) == ("script-process", {"found": "cannot_see"})
        kind, fields = runner.ask("lock-clear", **question(stale, run_directory=shared))
        assert kind == "lock-kept" and "can be seen" in fields["reason"]
    assert stale.lock_path.exists()


def test_a_lock_file_that_cannot_be_removed(stale):
    """A folder under that name, which some scripts make in place of a file (mkdir is atomic as well)."""
    stale.lock_path.unlink()
    stale.lock_path.mkdir()
    assert stale.status() == "running"
    answer = clear(stale)
    answer.is_error(409)
    assert stale.lock_path.exists()
    stale.lock_path.rmdir()
    assert stale.status() == "idle"
