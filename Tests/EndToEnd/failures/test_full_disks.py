"""Full and read-only disks. A run that cannot be recorded does not start. A run that took place is recorded once, as soon as
there is room."""

import subprocess
from contextlib import contextmanager

import pytest

from support.assertions import all_recorded, is_unavailable, reasons
from support.disks import Ext4, disk, fill
from support.processes import kill_service
from support.service import BINARY, UNAVAILABLE
from support.waiting import eventually

pytestmark = pytest.mark.root

LARGE = 2_000_000  # bytes a script prints here: more than is kept


@pytest.fixture
def small(installed):
    """An installation whose state lies on a small disk, its run directory too."""
    with disk(installed.state, 16):
        yield installed
        installed.stop()
        installed.end_leftovers()


@pytest.fixture
def apart(installed):
    """State and run directory are on separate small disks."""
    run = installed.folder / "run"
    run.mkdir(mode=0o700)
    installed.set(SYNC_RUN_DIR=run)
    installed.run_directory = run
    with disk(installed.state, 16), disk(run, 16):
        yield installed
        installed.stop()
        installed.end_leftovers()


# Full


def refuses_to_run(service):
    before = service.times_run()
    is_unavailable(service.run())
    assert service.times_run() == before, "what cannot be recorded is not executed"
    done = service.command("run")
    assert done.returncode == 1 and "nothing was started" in done.stderr
    assert service.times_run() == before
    assert service.status() == "idle" and service.request("GET", "/healthz", token=None).code == 200


def test_a_disk_that_is_full_before_the_first_run_refuses_it(small):
    small.counting_script()
    small.start()
    filler = fill(small.state)
    refuses_to_run(small)
    eventually(lambda: "disk_reserve" in reasons(small), "readiness names the full disk")
    assert small.sql("SELECT count(*) FROM run_started") == [(0,)]
    filler.unlink()
    assert small.run().header("Sync-Run-Id") == "1"
    eventually(lambda: reasons(small) == [], "it is ready again")
    all_recorded(small)


def test_a_disk_that_is_full_before_a_run_refuses_it(small):
    """The reserve for the end of a run exists, but there is no room for its output."""
    small.counting_script()
    small.start()
    assert small.run().code == 200
    filler = fill(small.state)
    refuses_to_run(small)
    eventually(lambda: "disk_reserve" in reasons(small), "ready means that a run would start now")
    filler.unlink()
    eventually(lambda: reasons(small) == [], "it is ready again")
    assert small.run().header("Sync-Run-Id") == "2"
    all_recorded(small)


def test_the_history_full_before_a_run(apart):
    """The runner's disk has room. The history's disk has no room for the start of a run."""
    apart.counting_script()
    apart.start()
    filler = fill(apart.state)
    refuses_to_run(apart)
    eventually(lambda: "disk_reserve" in reasons(apart), "readiness names the full disk")
    filler.unlink()
    assert apart.run().header("Sync-Run-Id") == "1"
    all_recorded(apart)


def test_the_run_directory_full_before_a_run(apart):
    apart.counting_script()
    apart.start()
    filler = fill(apart.run_directory)
    refuses_to_run(apart)
    eventually(lambda: "disk_reserve" in reasons(apart), "readiness knows what the runner needs")
    assert sorted(path.name for path in apart.run_directory.iterdir()) == ["filler", "run.lock"]
    filler.unlink()
    assert apart.run().header("Sync-Run-Id") == "1"
    all_recorded(apart)


def begin(service):
    service.script("exit 0")
    service.start()
    assert service.run().code == 200
    barrier = service.waiting_script(after=f"head -c {LARGE} /dev/zero | tr '\\0' x; exit 3")
    client = service.begin_run()
    barrier.reached()
    return barrier, client


def is_whole(run):
    assert (run["outcome"], run["exit_code"], run["output_bytes"], run["finished_at_exact"]) == ("failed", 3, LARGE, True)
    assert run["output_truncated"] and run["output"].startswith("x" * 1000) and run["output"].endswith("x" * 1000)


def test_a_disk_that_fills_during_a_run_does_not_disturb_it(small):
    """The disk fills to the last byte and nothing is lost, because the service reserves the room before the script starts."""
    barrier, client = begin(small)
    filler = fill(small.state)
    barrier.release()
    answer = client.result()
    assert (answer.code, answer.json["message"]) == (500, "Failed to execute sync script: exited with code 3")
    is_whole(small.record(2))
    filler = fill(small.state)
    is_unavailable(small.run())
    eventually(lambda: "disk_reserve" in reasons(small), "readiness names the full disk")
    filler.unlink()
    small.script("exit 0")
    assert small.run().header("Sync-Run-Id") == "3"
    all_recorded(small)


def test_the_run_directory_full_during_a_run(apart):
    barrier, client = begin(apart)
    fill(apart.run_directory)
    barrier.release()
    assert client.result().code == 500
    is_whole(apart.record(2))
    all_recorded(apart)


@contextmanager
def without_any_room(service):
    """An operator has also removed the reserve for the end of a run, to make room."""
    (service.state / "reserve").unlink()
    fill(service.state)
    yield
    (service.state / "filler").unlink()


def test_no_room_for_the_end(apart):
    barrier, client = begin(apart)
    result = apart.run_directory / "run-2.result"
    with without_any_room(apart):
        barrier.release()
        is_unavailable(client.result(), run="2")
        assert result.exists(), "the result waits"
        assert apart.admin("/admin/runs/2").json["outcome"] == "running"
        is_unavailable(apart.run())
        assert "last_run_unrecorded" in reasons(apart)
    is_whole(apart.record(2))
    eventually(lambda: not result.exists(), "the spool is cleared")
    apart.script("exit 0")
    eventually(lambda: apart.run().code == 200, "runs begin again")
    all_recorded(apart)


def test_no_room_for_the_end_and_a_killed_service(apart):
    barrier, client = begin(apart)
    result = apart.run_directory / "run-2.result"
    with without_any_room(apart):
        barrier.release()
        is_unavailable(client.result(), run="2")
        kill_service(apart)
        # No client may see a finished run as running.
        code, message = apart.refused_start()
        assert code == UNAVAILABLE and "full" in message
        assert result.exists(), "and it survives that"
    apart.start()
    is_whole(apart.admin("/admin/runs/2").json)
    all_recorded(apart)


@pytest.mark.slow
def test_no_room_for_the_end_of_a_run_of_the_command_line(apart):
    apart.start()
    barrier = apart.waiting_script(after="echo done; exit 3")
    command = subprocess.Popen(
        [BINARY, "run"], cwd=apart.folder, env=apart.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    barrier.reached()
    with without_any_room(apart):
        barrier.release()
        _, told = command.communicate()
        assert command.returncode == 1 and "not recorded yet" in told
        assert (apart.run_directory / "run-1.result").exists()
    # The running service records it. The next start may be months away.
    assert apart.record(1)["exit_code"] == 3
    all_recorded(apart)


# Read-only: the file system finds an error and protects itself


def leave(service):
    service.stop()
    service.end_leftovers()


def test_read_only_from_one_moment_to_the_next(installed):
    installed.counting_script("exit 3")
    with Ext4(installed.state) as ext4:
        installed.start()
        assert installed.run().code == 500
        ext4.turn_read_only()
        is_unavailable(installed.run())
        assert installed.times_run() == 1 and reasons(installed)
        assert installed.admin("/admin/runs/1").json["exit_code"] == 3, "what is recorded can still be read"
        leave(installed)
        code, message = installed.refused_start()
        assert code == UNAVAILABLE and "read" in message.lower() and str(installed.state) in message
        ext4.mend()
        installed.start()
        eventually(lambda: reasons(installed) == [], "it is ready again")
        assert installed.run().header("Sync-Run-Id") == "2"
        all_recorded(installed)
        leave(installed)


@pytest.mark.parametrize("which", ["history", "both"])
def test_a_disk_that_turns_read_only_during_a_run_loses_no_run(installed, which):
    """The result is stored on the disk that still accepts it. A run without a stored result ends as interrupted."""
    if which == "history":
        run = installed.folder / "run"
        run.mkdir(mode=0o700)
        installed.set(SYNC_RUN_DIR=run)
    with Ext4(installed.state) as ext4:
        installed.start()
        barrier = installed.waiting_script(before="echo run >> ran", after="exit 3")
        client = installed.begin_run()
        barrier.reached()
        ext4.turn_read_only()
        barrier.release()
        is_unavailable(client.result(), run="1")
        assert reasons(installed)
        is_unavailable(installed.run())
        assert installed.times_run() == 1
        kill_service(installed)
        ext4.mend()
        installed.start()
        run = installed.record(1)
        if which == "history":
            assert (run["outcome"], run["exit_code"], run["finished_at_exact"]) == ("failed", 3, True)
        else:
            assert (run["outcome"], run["exit_code"], run["finished_at_exact"]) == ("interrupted", None, False)
        installed.script("exit 0")
        assert installed.run().header("Sync-Run-Id") == "2"
        all_recorded(installed)
        leave(installed)
