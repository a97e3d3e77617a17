"""Failing disks: strace injects an error where a row is committed and where the supervisor stores its result. After an I/O
error nothing runs until a restart. No run is lost or recorded twice."""

import pytest

from support.assertions import all_recorded, is_unavailable, reasons, trail_is_intact
from support.processes import kill_service
from support.service import spool
from support.strace import TracedService, failing, run_threads
from support.waiting import eventually

pytestmark = pytest.mark.root

JOURNAL, HISTORY = "history.sqlite-journal", "history.sqlite"

# Where the commit of a row can fail: call, file in the state directory ("" the directory itself), occurrence on it. The
# directory's first sync is not among them: SQLite does not look at what comes of it, because the second one counts.
COMMITS = [
    ("openat", JOURNAL, 1), ("pwrite64", JOURNAL, 1), ("fdatasync", JOURNAL, 1), ("fdatasync", JOURNAL, 2),
    ("pwrite64", HISTORY, 1), ("fdatasync", HISTORY, 1), ("unlink", JOURNAL, 1), ("fdatasync", "", 2),
]


def name(case):
    return " ".join(str(part) or "folder" for part in case)


def is_latched(service):
    """After an I/O error nothing runs until a restart, and /readyz says why."""
    assert "not_recording" in reasons(service)
    assert service.request("GET", "/readyz", token=None).json == {"status": "not_ready"}, "no reason without a token"
    is_unavailable(service.run())
    assert "not_recording" in reasons(service)


@pytest.mark.parametrize("case", COMMITS, ids=name)
def test_an_io_error_at_the_start_of_a_run(service, case):
    call, file, occurrence = case
    service.counting_script()
    service.run()
    with failing(run_threads(service.process.pid), call, "EIO", service.state / file, when=occurrence):
        is_unavailable(service.run())
    assert service.times_run() == 1, "nothing is executed without a durable row"
    if call == "openat":
        # SQLite wrote nothing. It reports "unable to open".
        assert service.run().code == 200
    else:
        is_latched(service)
    executed = service.times_run()
    kill_service(service)
    service.start()
    assert reasons(service) == []
    all_recorded(service)
    # The row may exist although its commit failed. Then its outcome is `interrupted` and it keeps its number.
    kept = service.sql("SELECT outcome, exit_code FROM runs WHERE id > 1 AND outcome <> 'succeeded'")
    assert kept in ([], [("interrupted", None)])
    assert service.run().code == 200 and service.times_run() == executed + 1
    all_recorded(service)
    trail_is_intact(service)


@pytest.mark.parametrize("case", COMMITS, ids=name)
def test_an_io_error_at_the_end_of_a_run(service, case):
    call, file, occurrence = case
    barrier = service.waiting_script(before="echo run >> ran", after="echo done; exit 3")
    client = service.begin_run()
    barrier.reached()
    with failing(run_threads(service.process.pid), call, "EIO", service.state / file, when=f"{occurrence}+"):
        barrier.release()
        is_unavailable(client.result(), run="1")
        if call != "openat":
            is_latched(service)
    executed = service.times_run()
    assert executed == 1
    kill_service(service)
    service.start()
    run = service.record(1)
    assert (run["outcome"], run["exit_code"], run["output"], run["finished_at_exact"]) == ("failed", 3, "done\n", True)
    service.script("exit 0")
    assert service.run().header("Sync-Run-Id") == "2"
    all_recorded(service)
    trail_is_intact(service)


@pytest.mark.parametrize("file", [JOURNAL, HISTORY])
def test_no_space_for_the_start(service, file):
    """ENOSPC does not mean that the disk is broken, so runs continue without a restart."""
    service.counting_script()
    with failing(run_threads(service.process.pid), "pwrite64", "ENOSPC", service.state / file, when=1):
        is_unavailable(service.run())
    assert reasons(service) == [] and service.times_run() == 0
    assert service.run().header("Sync-Run-Id") == "1"
    all_recorded(service)


@pytest.mark.parametrize("file", [JOURNAL, HISTORY])
def test_no_space_for_the_end_once(service, file):
    """The service removes its reserve, and the second attempt succeeds."""
    barrier = service.waiting_script(after="exit 3")
    client = service.begin_run()
    barrier.reached()
    with failing(run_threads(service.process.pid), "pwrite64", "ENOSPC", service.state / file, when=1):
        barrier.release()
        assert client.result().json["message"].endswith("exited with code 3")
    assert service.admin("/admin/runs/1").json["exit_code"] == 3 and reasons(service) == []
    all_recorded(service)


def test_no_space_for_the_end_for_long(service):
    barrier = service.waiting_script(after="exit 3")
    client = service.begin_run()
    barrier.reached()
    with failing(run_threads(service.process.pid), "pwrite64", "ENOSPC", service.state / JOURNAL):
        barrier.release()
        is_unavailable(client.result(), run="1")
        assert spool(service, 1, "result").exists(), "the result waits"
    assert service.record(1)["exit_code"] == 3
    service.script("exit 0")
    eventually(lambda: service.run().code == 200, "runs begin again")
    all_recorded(service)


# The supervisor's files. If it cannot store a result, it still sends it to a service that waits.

SUPERVISOR = {
    # At its start: nothing is executed.
    "no run lock file": ("openat", "run.lock", "EIO", 503),
    "no room for the output": ("fallocate", "next.output", "ENOSPC", 503),
    "no room for the result": ("fallocate", "next.result", "ENOSPC", 503),
    "the head of the output": ("pwrite64", "next.output", "EIO", 503),
    # A run with a number has a row.
    "the output's name": ("rename", "next.output", "EIO", 500),
    # At its end: the service is told.
    "the output's sync": ("fsync", "run-1.output", "EIO", 500),
    "the result itself": ("pwrite64", "next.result", "EIO", 500),
    "the result's sync": ("fsync", "next.result", "EIO", 500),
    "the result's name": ("rename", "next.result", "EIO", 500),
}


@pytest.fixture
def watched(tmp_path_factory):
    service = TracedService(tmp_path_factory.mktemp("s"))
    yield service.start()
    service.remove()


@pytest.mark.parametrize("case", SUPERVISOR)
def test_a_supervisor_whose_disk_fails(watched, case):
    call, file, error, code = SUPERVISOR[case]
    watched.script(f'echo run >> "{watched.folder}/ran"; echo done; exit 3')
    watched.arm("-o", "/dev/null", "-e", f"trace={call}", "-P", str(watched.state / "run" / file),
                "-e", f"inject={call}:error={error}")
    answer = watched.run()
    assert answer.code == code
    assert watched.times_run() == (0 if code == 503 or case == "the output's name" else 1)
    all_recorded(watched)
    runs = watched.sql("SELECT outcome, exit_code FROM runs")
    if code == 503:
        assert runs == []
    elif watched.times_run() == 0:
        assert runs[0][0] in ("interrupted", "start_failed") and runs[0][1] is None
    else:
        assert runs == [("failed", 3)] and answer.json["output"] == "done\n"
    watched.script("exit 0")
    assert watched.run().code == 200 and watched.status() == "idle"
    all_recorded(watched)
