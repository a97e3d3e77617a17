"""The three documented endpoints, byte for byte: texts, key order, status codes, content type."""

import base64
import json
import os
import signal
import sqlite3
from contextlib import closing

import pytest

from support.audit_log import events_of, size_of
from support.waiting import DEADLINE

RUNNING = '{"status":"running","message":"Sync is already running. Please wait for it to complete."}'
NOT_SET = '{"status":"error","message":"SYNC_SCRIPT_PATH environment variable is not set","output":""}'
STATUS_RUNNING = '{"status":"running","message":"Sync is currently running"}'
STATUS_IDLE = '{"status":"idle","message":"No sync is currently running"}'
LOG_ERROR = '{"status":"error","message":"Error reading log file"}'


def success(output):
    return f'{{"status":"success","message":"Sync script executed successfully","output":"{output}"}}'


def failure(why, output=""):
    return f'{{"status":"error","message":"Failed to execute sync script: {why}","output":"{output}"}}'


# case: script, code, body
RUNS = {
    "success": ('echo "Script output here..."', 200, success("Script output here...\\n")),
    "success without output": ("exit 0", 200, success("")),
    "slashes stay": ('echo "/var/log/x.log </b>"', 200, success("/var/log/x.log </b>\\n")),
    "quotes and backslashes": (r"""printf '"a"\\b\tc\r\n'""", 200, success(r"\"a\"\\b\tc\r\n")),
    "control characters": (r"printf '\033[0m\001'", 200, success(r"\u001b[0m\u0001")),
    "not ASCII": ("printf 'selesai \u2713 \U0001f600'", 200, success("selesai \u2713 \U0001f600")),
    "not UTF-8": (r"printf 'a\377b'", 200, success("a\ufffdb")),
    "exit 2": ("echo 'Sync is already running'; exit 2", 409, RUNNING),
    "exit 3": ("echo gagal >&2; exit 3", 500, failure("exited with code 3", "gagal\\n")),
    "exit 1": ("exit 1", 500, failure("exited with code 1")),
    "exit 255": ("exit 255", 500, failure("exited with code 255")),
    "killed": ("echo before; kill -9 $$", 500, failure("killed by signal 9", "before\\n")),
    "terminated": ("kill -15 $$", 500, failure("killed by signal 15")),
}


@pytest.mark.parametrize("case", RUNS)
def test_a_run_is_answered_as_documented(shared, case):
    script, code, body = RUNS[case]
    shared.script(script)
    shared.run().is_json(code, body)


def test_a_second_run_is_answered_409(service):
    barrier = service.waiting_script()
    first = service.begin_run()
    barrier.reached()
    service.run().is_json(409, RUNNING)
    barrier.release()
    first.result().is_json(200, success(""))


@pytest.mark.parametrize("value", [None, ""])
def test_a_run_without_a_script_set_is_answered_500(installed, value):
    installed.set(SYNC_SCRIPT_PATH=value)
    installed.start()
    installed.run().is_json(500, NOT_SET)
    assert installed.sql("SELECT count(*) FROM run_started") == [(0,)]


def test_a_run_that_timed_out_is_answered_500(installed):
    installed.set(SYNC_TIMEOUT_SECONDS=1)
    installed.start()
    installed.script("echo begun; sleep 1000")
    installed.run().is_json(500, failure("timed out after 1 seconds", "begun\\n"))


def test_a_cancelled_run_is_answered_500(service):
    barrier = service.waiting_script(before="echo begun")
    run = service.begin_run()
    barrier.reached()
    admin = service.token("auditor", role="admin")
    assert service.request("POST", "/admin/runs/1/cancel", token=admin).code == 202
    run.result().is_json(500, failure("cancelled by an administrator", "begun\\n"))
    record = service.record(1)
    assert (record["outcome"], record["exit_code"], record["signal"]) == ("cancelled", None, 15)
    service.request("POST", "/admin/runs/1/cancel", token=admin).is_error(409)


def test_run_whose_supervisor_dies_is_interrupted(service):
    barrier = service.waiting_script(before=f'echo $PPID > "{service.folder}/supervisor"')
    run = service.begin_run()
    barrier.reached()
    supervisor = int((service.folder / "supervisor").read_text())
    assert os.readlink(f"/proc/{supervisor}/exe").endswith("/sync-runner")
    os.kill(supervisor, signal.SIGKILL)
    barrier.release()
    run.result().is_json(500, failure("interrupted"))
    record = service.record(1)
    assert (record["outcome"], record["exit_code"], record["signal"]) == ("interrupted", None, None)


def test_a_run_that_cannot_be_recorded_does_not_run(service):
    """Another process locks the database for longer than the service waits."""
    service.counting_script()
    holder = sqlite_holding(service.database)
    try:
        answer = service.run()
    finally:
        holder.rollback()
        holder.close()
    assert answer.code == 503 and int(answer.header("Retry-After")) > 0
    assert answer.header("Content-Type") == "application/json"
    assert list(answer.json) == ["status", "message", "output"]
    assert (answer.json["status"], answer.json["output"]) == ("error", "")
    assert service.times_run() == 0
    assert service.run().header("Sync-Run-Id") == "1", "the refused run took a number"
    assert service.times_run() == 1


def sqlite_holding(database):
    connection = sqlite3.connect(database, isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_the_status_is_answered_as_documented(service):
    def get():
        return service.request("GET", "/sync/status")

    get().is_json(200, STATUS_IDLE)
    barrier = service.waiting_script()
    run = service.begin_run()
    barrier.reached()
    get().is_json(200, STATUS_RUNNING)
    barrier.release()
    run.result()
    get().is_json(200, STATUS_IDLE)

    service.lock_path.touch()
    get().is_json(200, STATUS_RUNNING)
    assert service.lock_path.exists()
    service.lock_path.unlink()  # as documented: rm of the stale lock file
    get().is_json(200, STATUS_IDLE)


def test_the_log_is_answered_as_documented(service):
    def get():
        return service.request("GET", "/sync/log")

    get().is_json(500, LOG_ERROR)
    service.log_path.write_text("[2025-01-01 00:00:00] Starting /opt/x\nLine 2 \"two\"\n")
    get().is_json(200, r'{"status":"success","log":"[2025-01-01 00:00:00] Starting /opt/x\nLine 2 \"two\""}')


def test_the_service_leaves_the_lock_file_to_the_script(service):
    service.script("exit 0")
    service.lock_path.write_text("mine")
    assert service.run().code == 200
    assert service.lock_path.read_text() == "mine"


# script's lock file: there before, made by the run and left -> outcome
EXIT_2 = {
    "lock file before": (True, "exit 2", "already_running"),
    "lock file at the end": (False, 'touch "$LOCK"; exit 2', "already_running"),
    "no lock file": (False, "exit 2", "failed"),
    "lock file come and gone": (False, 'touch "$LOCK"; rm "$LOCK"; exit 2', "failed"),
}


@pytest.mark.parametrize("case", EXIT_2)
def test_exit_2_is_answered_409_and_recorded_as_what_it_was(shared, case):
    before, script, outcome = EXIT_2[case]
    shared.script(f'LOCK="{shared.lock_path}"\n{script}')
    if before:
        shared.lock_path.touch()
    answer, record = shared.run_recorded()
    shared.lock_path.unlink(missing_ok=True)
    answer.is_json(409, RUNNING)
    assert (record["outcome"], record["exit_code"]) == (outcome, 2)
    assert record["lock_file_seen"] is (outcome == "already_running")


def test_the_checkpoint_header_covers_the_run_without_a_read_of_the_history(service):
    """Another program has locked the database, and the answer still has its header."""
    barrier = service.waiting_script()
    first = service.begin_run()
    barrier.reached()
    with closing(sqlite3.connect(service.database, isolation_level=None, timeout=DEADLINE)) as holder:
        (started,) = events_of(service, "run_started")
        holder.execute("BEGIN EXCLUSIVE")
        refused = service.run()
        holder.execute("ROLLBACK")
    barrier.release()
    answer = first.result()
    (finished,) = events_of(service, "run_finished")
    sizes = [size_of(base64.b64decode(each.header("Sync-Checkpoint"))) for each in (refused, answer)]
    assert (refused.code, answer.code) == (409, 200)
    assert started["entry"] < sizes[0] <= finished["entry"] < sizes[1]


def test_run_id_travels_in_a_header(shared):
    shared.script("exit 0")
    first, second = shared.run(), shared.run()
    assert int(second.header("Sync-Run-Id")) == int(first.header("Sync-Run-Id")) + 1


BODIES = {
    "an empty object": "{}",
    "not JSON": "not json",
    "a path": '{"path":"/bin/sh","SYNC_SCRIPT_PATH":"/bin/sh"}',
    "64 KiB": "x" * 65536,
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_is_read_and_ignored(shared, case):
    shared.script('cat; echo "$# ${SYNC_SCRIPT_PATH-none}"')
    for headers in ([], ["Content-Type: application/json"], ["Transfer-Encoding: chunked"]):
        shared.run(body=BODIES[case], headers=headers).is_json(200, success("0 none\\n"))


def test_a_run_goes_on_without_its_client(service):
    barrier = service.waiting_script(after="echo to the end")
    run = service.begin_run()
    barrier.reached()
    run.abandon()
    assert service.status() == "running"
    barrier.release()
    assert service.record(1)["outcome"] == "succeeded"
    assert json.loads(service.admin("/admin/runs/1").body)["output"] == "to the end\n"


def test_health_needs_no_token(shared):
    assert shared.request("GET", "/healthz", token=None).code == 200
