"""The record of runs: its facts, who may read it, and that recorded rows cannot be changed."""

import hashlib
import os
import pwd
import re
from datetime import datetime, timezone
from urllib.parse import urlencode

import pytest

RUN_KEYS = [
    "id", "user", "user_name", "token_fingerprint", "trigger", "reason", "source_ip", "request_id", "started_at",
    "finished_at", "finished_at_exact", "duration_ms", "outcome", "exit_code", "signal", "output_bytes",
    "output_truncated", "output_sha256", "script_path", "script_sha256", "script_changed", "lock_file_seen",
    "script_uid", "isolated", "boot_id",
]
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def moment(text):
    assert TIME.fullmatch(text), f"{text} is not RFC 3339, UTC, with milliseconds"
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_every_fact_of_a_run(service):
    service.script("echo hello; exit 3")
    before = datetime.now(timezone.utc).timestamp()
    token = service.token("rina", name="Rina S.")
    answer = service.run(token=token)
    after = datetime.now(timezone.utc).timestamp()
    run = service.record(answer.header("Sync-Run-Id"))
    assert list(run) == RUN_KEYS + ["output"]
    assert moment(run["started_at"]) <= moment(run["finished_at"])
    assert before - 0.001 <= moment(run["started_at"]).timestamp() and moment(run["finished_at"]).timestamp() <= after
    assert 0 <= run["duration_ms"] <= (after - before) * 1000 + 1
    assert hashlib.sha256(token.encode()).hexdigest().startswith(run["token_fingerprint"])
    assert len(run["token_fingerprint"]) >= 8 and run["request_id"]
    expected = {
        "id": 1, "user": "rina", "user_name": "Rina S.", "trigger": "api", "reason": None, "source_ip": "127.0.0.1",
        "finished_at_exact": True, "outcome": "failed", "exit_code": 3, "signal": None, "output": "hello\n",
        "output_bytes": 6, "output_truncated": False, "output_sha256": hashlib.sha256(b"hello\n").hexdigest(),
        "script_path": str(service.script_path), "script_changed": False, "lock_file_seen": False,
        "script_sha256": hashlib.sha256(service.script_path.read_bytes()).hexdigest(),
        "script_uid": os.geteuid(), "isolated": False,
        "boot_id": open("/proc/sys/kernel/random/boot_id").read().strip(),
    }
    assert {name: run[name] for name in expected} == expected


@pytest.mark.parametrize("script, outcome, code, number", [
    ("exit 0", "succeeded", 0, None), ("exit 3", "failed", 3, None), ("exit 2", "failed", 2, None),
    ("kill -9 $$", "failed", None, 9), ("kill -15 $$", "failed", None, 15),
])
def test_each_outcome_is_recorded(shared, script, outcome, code, number):
    shared.script(script)
    run = shared.run_recorded()[1]
    assert (run["outcome"], run["exit_code"], run["signal"]) == (outcome, code, number)


def test_a_running_run(service):
    barrier = service.waiting_script()
    pending = service.begin_run()
    barrier.reached()
    run = service.admin("/admin/runs/1").json
    assert run["outcome"] == "running"
    assert [run[name] for name in ("finished_at", "duration_ms", "exit_code", "signal", "output_sha256")] == [None] * 5
    assert service.admin("/admin/runs?outcome=running").json["runs"][0]["id"] == 1
    barrier.release()
    pending.result()
    assert service.record(1)["outcome"] == "succeeded"


@pytest.fixture(scope="module")
def listed(shared):
    """A history with six runs: three users, two outcomes, two triggers."""
    users = ("rina", "budi", "rina", "budi", "rina")
    for user, script in zip(users, ("exit 0", "exit 3", "exit 3", "exit 0", "echo x")):
        shared.script(script)
        shared.run(token=shared.token(user))
    assert shared.command("run", "--reason", "nightly").returncode == 0
    shared.listing = page(shared, limit=200)["runs"]
    return shared


def page(service, **parameters):
    answer = service.admin("/admin/runs" + (f"?{urlencode(parameters)}" if parameters else ""))
    assert answer.code == 200 and answer.header("Content-Type") == "application/json", answer
    assert list(answer.json) == ["runs", "next"]
    return answer.json


def ids(service, **parameters):
    return [run["id"] for run in page(service, **parameters)["runs"]]


def test_a_listing_begins_with_the_newest_run(listed):
    numbers = ids(listed)
    assert numbers == sorted(numbers, reverse=True) and numbers[-1] == 1
    assert all(list(run) == RUN_KEYS for run in listed.listing), "a listing never carries output"


def test_filters_select_runs(listed):
    def where(condition):
        return [run["id"] for run in listed.listing if condition(run)]

    for user in ("rina", "budi", "nobody"):
        assert ids(listed, user=user) == where(lambda run: run["user"] == user)
    for outcome in ("succeeded", "failed", "timed_out"):
        assert ids(listed, outcome=outcome) == where(lambda run: run["outcome"] == outcome)
    for trigger in ("api", "cli"):
        assert ids(listed, trigger=trigger) == where(lambda run: run["trigger"] == trigger)
    both = where(lambda run: (run["user"], run["outcome"]) == ("rina", "failed"))
    assert ids(listed, user="rina", outcome="failed") == both
    middle = listed.listing[len(listed.listing) // 2]["started_at"]
    assert ids(listed, since=middle) == where(lambda run: run["started_at"] >= middle)
    assert ids(listed, until=middle) == where(lambda run: run["started_at"] < middle)
    assert ids(listed, since=middle.replace("Z", "+00:00")) == ids(listed, since=middle)
    assert ids(listed, since="2000-01-01", until="9999-12-31") == ids(listed)
    assert ids(listed, since="2999-01-01T00:00:00Z") == [] == ids(listed, until="2000-01-01T00:00:00Z")


def test_pages_stay_put_while_runs_are_added(listed):
    whole = ids(listed)
    first = page(listed, limit=2)
    listed.script("exit 0")
    added = int(listed.run().header("Sync-Run-Id"))
    collected, cursor = [run["id"] for run in first["runs"]], first["next"]
    while cursor is not None:
        assert isinstance(cursor, str)
        following = page(listed, limit=2, cursor=cursor)
        collected += [run["id"] for run in following["runs"]]
        cursor = following["next"]
    assert collected == whole and added not in collected
    assert page(listed, limit=len(whole) + 1)["next"] is None, "a full last page has no next"


@pytest.mark.parametrize("query", [
    "limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=99999999999999999999", "cursor=x", "cursor=-1",
    "outcome=fine", "trigger=cron", "since=yesterday", "until=2025-13-01T00:00:00Z", "until=10000-01-01", "until=10000-01-01T00:00:00Z",
    "since=2025-02-30", "since=2025-02-29T00:00:00Z", "since=2025-01-01T99:00:00Z", "since=2025-01-01T00:60:00Z", "since=2025-01-01T00:00:60Z",
    "since=2025-01-01T00:00:00", "since=2025-01-01%2000:00:00Z", "since=2025-01-01T00:00:00+07:00", "since=2025-01-01T00:00:00.Z",
    "until=9999-12-31T23:59:59-00:01", "until=2025-01-01T00:00:00%2B24:00", "since=", "until=%202025-01-01",
    "limit=1&limit=2", "outcom=failed",
])
def test_bad_queries_are_refused(listed, query):
    listed.admin(f"/admin/runs?{query}").is_error(400)


def test_a_filter_is_never_sql(listed):
    assert ids(listed, user="' OR 1=1 --") == [] == ids(listed, user="%")


def test_stored_output_exactly(service):
    service.script(r"printf 'a\0b\377\r\n<script>'")
    service.run()
    stored = b"a\0b\xff\r\n<script>"
    answer = service.admin("/admin/runs/1/output")
    assert (answer.code, answer.body) == (200, stored)
    assert answer.header("Content-Type").startswith("text/plain")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Length") == str(len(stored))


# Range header: code, the bytes of "0123456789", Content-Range
RANGES = {
    "bytes=0-3": (206, b"0123", "bytes 0-3/10"),
    "bytes=4-": (206, b"456789", "bytes 4-9/10"),
    "bytes=-3": (206, b"789", "bytes 7-9/10"),
    "bytes=-30": (206, b"0123456789", "bytes 0-9/10"),
    "bytes=8-100": (206, b"89", "bytes 8-9/10"),
    "bytes=9-9": (206, b"9", "bytes 9-9/10"),
    "bytes=10-": (416, None, "bytes */10"),
    # RFC 9110, section 14.2: a Range that is not understood is ignored.
    "bytes=99999999999999999999-": (200, b"0123456789", None),
    "bytes=5-3": (200, b"0123456789", None),
    "lines=0-3": (200, b"0123456789", None),
    "nonsense": (200, b"0123456789", None),
}


@pytest.fixture(scope="module")
def digits(shared):
    shared.script("printf 0123456789")
    return f"/admin/runs/{shared.run().header('Sync-Run-Id')}/output"


@pytest.mark.parametrize("value", RANGES)
def test_a_range_of_an_output_is_answered(shared, digits, value):
    code, body, where = RANGES[value]
    answer = shared.admin(digits, headers=[f"Range: {value}"])
    assert (answer.code, answer.header("Content-Range")) == (code, where)
    assert body is None or answer.body == body


TABLES = ("run_started", "run_finished", "run_output", "schema_migrations")


@pytest.mark.parametrize("table", TABLES)
def test_recorded_rows_cannot_be_changed(service, table):
    """The attempt uses the sqlite3 command line, whose connection has none of the service's settings."""
    service.script("echo hello")
    service.run()
    rows = service.sql(f"SELECT * FROM {table}")
    assert rows
    columns = [row[1] for row in service.sql(f"PRAGMA table_info({table})")]
    attempts = [f'UPDATE {table} SET "{column}" = "{column}"' for column in columns]
    attempts += [
        f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}", f"REPLACE INTO {table} SELECT * FROM {table}",
        f"DELETE FROM {table}",
        "PRAGMA recursive_triggers=OFF; PRAGMA foreign_keys=OFF; DELETE FROM " + table,
    ]
    for attempt in attempts:
        done = service.sqlite3(attempt)
        assert done.returncode != 0, f"accepted: {attempt}"
    assert service.sql(f"SELECT * FROM {table}") == rows


def test_the_start_is_on_disk_before_the_script_runs(service):
    """The script itself finds its run in the database."""
    service.script(f'''sqlite3 -readonly "{service.database}" "SELECT id, user FROM run_started"; echo "$SYNC_RUN_ID"''')
    assert service.run().json["output"] == "1|rina\n1\n"


@pytest.mark.root
def test_order_of_syncs_and_exec(installed):
    """strace shows that the commit of the start is synced before exec, and that the result is renamed before the unlock."""
    trace = installed.folder / "trace"
    installed.start(
        "strace", "-D", "-f", "-y", "-qq", "-o", str(trace),
        "-e", "trace=execve,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2,flock",
    )
    installed.script("exit 0")
    before = len(trace.read_text().splitlines())
    installed.run()
    calls = trace.read_text().splitlines()[before:]

    def index(pattern, start=0):
        found = [number for number, call in enumerate(calls) if number >= start and re.search(pattern, call)]
        assert found, f"no {pattern} in:\n" + "\n".join(calls)
        return found[0]

    executed = index(rf'execve\("{re.escape(str(installed.script_path))}"')
    synced = index(r"(fsync|fdatasync)\(\d+<[^>]*/history\.sqlite>")
    journal_gone = index(r'unlink(at)?\(.*history\.sqlite-journal"')
    folder_synced = index(rf"(fsync|fdatasync)\(\d+<{re.escape(str(installed.state))}>", journal_gone)
    assert synced < journal_gone < folder_synced < executed
    renamed = index(r"rename(at|at2)?\(", executed)
    unlocked = index(r"flock\(\d+<[^>]*run\.lock>, LOCK_UN", executed)
    assert re.search(r"fsync\(", calls[renamed - 1]), "the result is synced before it gets its name"
    index(rf"fsync\(\d+<{re.escape(str(installed.state))}/run", renamed)
    assert renamed < unlocked


@pytest.mark.root
@pytest.mark.parametrize("body, most", [("exit 0", 12), ("echo done", 13)], ids=["without output", "with output"])
def test_syncs_of_a_run(installed, body, most):
    """Five for each of the two transactions, two for the result and its name, one for output."""
    trace = installed.folder / "trace"
    installed.start("strace", "-D", "-f", "-y", "-qq", "-o", str(trace), "-e", "trace=fsync,fdatasync,syncfs,sync,msync,sync_file_range")
    installed.script(body)
    installed.run()
    before = len(trace.read_text().splitlines())
    installed.run()
    calls = [call for call in trace.read_text().splitlines()[before:] if re.search(r"sync\w*\(", call)]
    assert 0 < len(calls) <= most, "\n".join(calls)


def test_numbers_have_no_gaps(service):
    barrier = service.waiting_script()
    pending = service.begin_run()
    barrier.reached()
    assert {service.run().code for _ in range(3)} == {409}
    assert service.command("run").returncode == 2
    barrier.release()
    pending.result()
    service.script_path.chmod(0o644)
    assert service.run().header("Sync-Run-Id") == "2", "a script that fails its checks is a run"
    service.script("exit 0")
    assert service.command("run").returncode == 0
    assert service.run().header("Sync-Run-Id") == "4"
    assert ids(service) == [4, 3, 2, 1]


def test_a_run_by_the_command_line(service):
    service.script("echo by hand")
    told = {"USER": "mallory", "LOGNAME": "mallory"}
    assert service.command("run", "--reason", "after the migration", environment=told).returncode == 0
    run = service.record(1)
    user = f"uid:{os.geteuid()}({pwd.getpwuid(os.geteuid()).pw_name})"
    assert run["user"] == user or run["user"].startswith(user), "who it was comes from the kernel, never from $USER"
    assert "mallory" not in str(run)
    assert (run["trigger"], run["reason"], run["output"]) == ("cli", "after the migration", "by hand\n")
    assert (run["token_fingerprint"], run["source_ip"]) == (None, None)


def test_the_history_survives_a_restart(service):
    service.script("echo kept")
    service.run()
    before = service.admin("/admin/runs/1").body
    service.stop()
    service.start()
    assert service.admin("/admin/runs/1").body == before
    assert service.run().header("Sync-Run-Id") == "2"


def test_the_file_is_private(service):
    service.script("exit 0")
    service.run()
    assert service.database.stat().st_mode & 0o777 == 0o600
    for path in service.state.rglob("*"):
        assert path.lstat().st_mode & 0o007 == 0, f"{path} can be read by others"
