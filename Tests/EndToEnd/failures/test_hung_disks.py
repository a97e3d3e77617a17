"""A hanging disk of the script holds every process that touches it in the kernel. The service asks about such paths through
one process each, and everything else goes on. The hang is a delay before one system call of the runner, on one path."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.assertions import reasons
from support.service import admin
from support.strace import TracedService
from support.waiting import eventually

HOUR = 3600 * 1_000_000  # microseconds


@pytest.fixture
def watched(tmp_path_factory):
    service = TracedService(tmp_path_factory.mktemp("s"))
    yield service
    service.remove()


def runners(service):
    """The runners of this installation."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(service.folder):
                found += [int(entry.name)] if (entry / "comm").read_text().strip() == "sync-runner" else []
        except OSError:
            continue
    return found


def hang(service, path, call):
    """From now on the next runner that starts waits an hour before this call on this path."""
    service.arm("-e", f"trace={call}", "-P", str(path), "-e", f"inject={call}:delay_enter={HOUR}")


def hangs_at_the_log(service):
    service.script("exit 0")
    service.log_path.write_text("a line\n")
    service.start()
    hang(service, service.log_path, "openat")
    before = len(runners(service))
    answer = service.request("GET", "/sync/log")
    answer.is_json(500, '{"status":"error","message":"Error reading log file"}')
    assert len(runners(service)) == before + 1, "one runner hangs at the log"
    return before


@pytest.mark.root
def test_a_log_that_hangs(watched):
    """Status, readiness and runs go on; the log's endpoint gives its documented error; one process hangs, never two."""
    before = hangs_at_the_log(watched)
    for _ in range(20):
        watched.request("GET", "/sync/log").is_json(500, '{"status":"error","message":"Error reading log file"}')
        assert watched.status() == "idle"
        assert reasons(watched) == []
    assert watched.run().code == 200 and watched.record(1)["outcome"] == "succeeded"
    assert len(runners(watched)) == before + 1, "no second one"
    assert watched.output().count("the script's log has not answered") == 1, "told once, not with every poll"


@pytest.mark.root
def test_many_ask_for_a_log_that_hangs(watched):
    """All at the same time: they wait for one answer, and the status does not wait with them."""
    before = hangs_at_the_log(watched)
    with ThreadPoolExecutor(40) as pool:
        logs = [pool.submit(watched.request, "GET", "/sync/log") for _ in range(20)]
        statuses = [pool.submit(watched.status) for _ in range(20)]
        assert {status.result() for status in statuses} == {"idle"}
        assert {log.result().code for log in logs} == {500}
    assert len(runners(watched)) == before + 1


@pytest.mark.root
def test_a_run_beside_a_log_that_hangs(watched):
    hangs_at_the_log(watched)
    barrier = watched.waiting_script()
    client = watched.begin_run()
    barrier.reached()
    assert watched.status() == "running"
    assert reasons(watched) == [], "a run in progress counts as ready"
    barrier.release()
    assert client.result().code == 200
    assert watched.status() == "idle"


@pytest.mark.root
def test_a_log_that_answers_again(watched):
    """A late answer is dropped; the next question gets a new answer."""
    before = hangs_at_the_log(watched)
    tracers = [pid for pid in strays(watched) if "strace" in Path(f"/proc/{pid}/comm").read_text()]
    assert len(tracers) == 1
    # Without its tracer the runner goes on with the call it was kept from.
    os.kill(tracers[0], 9)
    watched.log_path.write_text("another line\n")

    def answers():
        answer = watched.request("GET", "/sync/log")
        return answer.code == 200 and answer.json["log"] == "another line"
    eventually(answers, "the log is shown again")
    assert len(runners(watched)) == before + 1, "by the runner that had hung"


def strays(service):
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "cwd") == str(service.folder):
                yield int(entry.name)
        except OSError:
            continue


@pytest.mark.root
def test_a_lock_file_that_hangs(watched):
    """Whether the script runs outside the service is unknown. The answer says so; it is never `idle`."""
    watched.script("exit 0")
    watched.start()
    assert watched.status() == "idle", "the last answer before it hangs"
    kept = {pid: Path(f"/proc/{pid}/fd") for pid in runners(watched)}
    before = len(kept)
    hang(watched, watched.lock_path, "newfstatat")
    # The kept runner is gone; the one that takes its place hangs.
    for pid in kept:
        os.kill(pid, 9)
    answer = watched.request("GET", "/sync/status")
    answer.is_error(503)
    assert "lock file has not answered" in answer.json["message"] and "the last answer is" in answer.json["message"], answer
    assert answer.header("Retry-After") and str(watched.folder) not in answer.text
    for _ in range(10):
        watched.request("GET", "/sync/status").is_error(503)
        assert reasons(watched) == [], "readiness does not look at it"
        watched.request("GET", "/healthz", token=None).is_json(200, '{"status":"ok"}')
    for path, body in (("/admin/lock", None), ("/admin/lock/clear", json.dumps({"reason": "for a test"}))):
        admin(watched, "POST" if body else "GET", path, body=body).is_error(503)
    assert len(runners(watched)) <= before, "one hangs, and none takes its place"
    assert watched.output().count("the status is unknown") == 1


@pytest.mark.root
def test_a_run_is_seen_although_the_lock_file_hangs(watched):
    """The run lock is asked for on a way of its own."""
    watched.start()
    for pid in runners(watched):
        os.kill(pid, 9)
    barrier = watched.waiting_script()
    client = watched.begin_run()
    barrier.reached()
    hang(watched, watched.lock_path, "newfstatat")
    assert watched.status() == "running"
    beside = watched.command("history", "list")
    assert beside.returncode == 0
    barrier.release()
    assert client.result().code == 200
    watched.request("GET", "/sync/status").is_error(503)


@pytest.mark.root
def test_a_run_of_the_command_line_is_seen_although_the_lock_file_hangs(watched):
    watched.start()
    barrier = watched.waiting_script()
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(watched.command, "run")
        barrier.reached()
        for pid in [pid for pid in runners(watched) if is_kept(pid)]:
            os.kill(pid, 9)
        hang(watched, watched.lock_path, "newfstatat")
        assert watched.status() == "running"
        barrier.release()
        assert beside.result().returncode == 0
    watched.request("GET", "/sync/status").is_error(503)


def is_kept(pid):
    """A runner without children supervises nothing."""
    return not Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def test_the_status_is_never_older_than_its_question(service):
    """Many look at once and share a look. None is told of a time before it asked."""
    service.script("exit 0")
    with ThreadPoolExecutor(8) as pool:
        for round_ in range(30):
            polls = [pool.submit(service.status) for _ in range(7)]
            service.lock_path.touch()
            assert service.status() == "running", round_
            service.lock_path.unlink()
            assert service.status() == "idle", round_
            assert {poll.result() for poll in polls} <= {"idle", "running"}


@pytest.mark.root
def test_the_runner_is_not_asked_for_a_run_in_progress(watched):
    """Nor is a runner needed to see one: only the kernel is asked."""
    watched.start()
    barrier = watched.waiting_script()
    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(watched.command, "run")
        barrier.reached()
        count = len(runners(watched))
        for _ in range(50):
            assert watched.status() == "running"
        assert len(runners(watched)) == count
        barrier.release()
        assert beside.result().returncode == 0
