"""kill -9 at each step of an append, and two programs that append at once. The log always ends intact at a durable entry.

A trace of one command finds the steps: each call that changes the database, its journal or their folder. In each round
strace kills the process before one of them.
"""

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.assertions import all_recorded
from support.audit_log import copy_of, entries_of, events_of, head_of, is_intact, size_of, verify
from support.http_client import Connection
from support.service import ALREADY_RUNNING, Service, admin
from support.waiting import eventually

pytestmark = pytest.mark.slow

CALLS = ("pwrite64", "ftruncate", "fdatasync", "fsync", "unlink")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A short history."""
    service = Service(tmp_path_factory.mktemp("s"))
    service.script("echo output")
    service.command("run")
    return service


def traced(service, *arguments, calls=CALLS):
    """strace for the system calls of a process on the database."""
    paths = (service.database, f"{service.database}-journal", service.state)
    where = [part for path in paths for part in ("-P", str(path))]
    return ("strace", *arguments, *where, "-o", str(service.folder / "trace"), "-e", f"trace={','.join(calls)}")


def killing(service, call, occurrence, *arguments):
    return (*traced(service, *arguments, calls=[call]), "-e", f"inject={call}:signal=KILL:when={occurrence}")


def steps(service):
    """The traced calls as (call, occurrence). Each thread has its own count."""
    found = Counter(re.findall(r"^(?:(\d+) +)?(\w+)\(", (service.folder / "trace").read_text(), re.MULTILINE))
    most = {}
    for (_, call), count in found.items():
        most[call] = max(most.get(call, 0), count)
    assert {"pwrite64", "fdatasync", "unlink"} <= set(most), most
    return [(call, occurrence) for call, count in most.items() for occurrence in range(1, count + 1)]


def ends_intact(service, before, kept):
    """The audit log is intact at once and after the next run, and it extends the earlier entries."""
    (service.folder / "kept").write_bytes(kept)
    at_once = verify(service, service.folder / "kept")
    # Only a writer may roll back an incomplete write. A reader gets an error.
    assert at_once.returncode == 0 or (at_once.returncode == 3 and "A writer was interrupted" in at_once.stderr), at_once

    def next_run():
        done = service.command("run")
        # A supervisor without its caller first waits for the end of its script.
        return done if done.returncode != ALREADY_RUNNING else None

    done = eventually(next_run, "the run lock is free")
    assert done.returncode == 0, done
    is_intact(verify(service, service.folder / "kept"), "It extends the checkpoint of")
    assert entries_of(service)[:len(before)] == before
    service.start()
    all_recorded(service)
    service.stop()
    is_intact(verify(service))


def command_rounds(base, tmp_path, *command):
    """Kills the command at each of its steps, each time on a new copy."""
    learning = copy_of(base, tmp_path, "learning")
    assert learning.command(*command, prefix=traced(learning)).returncode == 0
    found = steps(learning)
    for number, (call, occurrence) in enumerate(found):
        service = copy_of(base, tmp_path, f"{number}")
        before, kept = entries_of(service), head_of(service)
        done = service.command(*command, prefix=killing(service, call, occurrence))
        assert done.returncode in (-9, 137), (call, occurrence, done)
        said = re.search(r"run (\d+) started", done.stderr)
        try:
            ends_intact(service, before, kept)
            assert not said or any(event["run"] == int(said.group(1)) for event in events_of(service, "run_started"))
        except AssertionError as error:
            raise AssertionError(f"killed in front of {call} {occurrence}") from error
        finally:
            service.stop()
            service.end_leftovers()
    return found


@pytest.mark.root
def test_a_run_is_killed(base, tmp_path):
    assert len(command_rounds(base, tmp_path, "run")) > 20


@pytest.mark.root
def test_an_event_of_its_own_is_killed(base, tmp_path):
    assert len(command_rounds(base, tmp_path, "audit", "resume", "--reason", "for a test")) > 10


@pytest.mark.root
def test_a_redaction_is_killed(base, tmp_path):
    """Entry, mark and deletion are one transaction."""
    command_rounds(base, tmp_path, "history", "redact", "1", "--reason", "for a test")


@pytest.mark.root
def test_a_change_of_key_is_killed(base, tmp_path):
    """Between the entry that names the new key and that key's file, nothing may be signed with the old key."""
    learning = copy_of(base, tmp_path, "learning")
    assert learning.command("audit", "rotate-key", prefix=traced(learning)).returncode == 0
    for number, (call, occurrence) in enumerate([*steps(learning), ("rename", 1)]):
        service = copy_of(base, tmp_path, f"{number}")
        trace = ("strace", "-o", service.folder / "trace", "-e", "trace=rename", "-e", "inject=rename:signal=KILL:when=1")
        prefix = trace if call == "rename" else killing(service, call, occurrence)
        assert service.command("audit", "rotate-key", prefix=prefix).returncode in (-9, 137)
        service.command("run")
        is_intact(verify(service))


@pytest.mark.root
def test_verify_after_a_kill(base, tmp_path):
    """An auditor who comes right after a crash gets an answer, not the advice to start the service first."""
    service = copy_of(base, tmp_path)
    service.command("audit", "resume", "--reason", "for a test", prefix=killing(service, "unlink", 1))
    assert service.database.with_name("history.sqlite-journal").exists()
    is_intact(verify(service), "1 runs")


@pytest.mark.root
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "unlink"])
def test_the_service_is_killed(base, tmp_path, call):
    """The steps cover the start, the service's events, a run, and reads that are recorded together."""
    def live(service, prefix):
        service.launch(*prefix)
        try:
            eventually(lambda: service.process.poll() is not None or answers(service), "it serves or is gone")
            service.run()
            admin(service, "GET", "/admin/runs")
        except ConnectionError:
            pass
        if service.process.poll() is None:
            service.stop()
            return False
        service.process = None
        return True

    def answers(service):
        try:
            return service.request("GET", "/healthz", token=None, seconds=5).code == 200
        except ConnectionError:
            return False

    learning = copy_of(base, tmp_path, "learning")
    assert not live(learning, traced(learning, "-D", "-f"))
    eventually(lambda: "exited" in (learning.folder / "trace").read_text(), "strace has written all")
    occurrences = [n for name, n in steps(learning) if name == call]
    died = 0
    for number in occurrences[::1 if call != "pwrite64" else 4]:
        service = copy_of(base, tmp_path, f"{number}")
        before, kept = entries_of(service), head_of(service)
        try:
            died += live(service, killing(service, call, number, "-D", "-f"))
            ends_intact(service, before, kept)
        except AssertionError as error:
            raise AssertionError(f"killed in front of {call} {number}") from error
        finally:
            service.end_leftovers()
    # The count is per thread, and the kernel decides which thread makes a call. So only the first occurrence is certain.
    assert died >= 1


def test_service_and_commands_append_at_once(service):
    """The log has the entries of all of them, in one chain."""
    service.script("exit 0")
    service.run_recorded()

    def commands(number):
        return [service.command("token", "--user", f"user{number}") for _ in range(10)]

    def runs(_):
        return [service.command("run") for _ in range(10)]

    def requests(number):
        codes = []
        with Connection(service) as connection:
            connection.token = service.token(f"reader{number}", role="admin")
            for _ in range(20):
                connection.send(connection.head("GET /admin/runs HTTP/1.1"))
                codes.append(connection.answer().code)
                connection.send(connection.head("POST /sync/run HTTP/1.1", "Content-Length: 0"))
                codes.append(connection.answer().code)
        return codes

    with ThreadPoolExecutor(6) as pool:
        issuing = [pool.submit(commands, number) for number in range(2)]
        running = [pool.submit(runs, number) for number in range(2)]
        asking = [pool.submit(requests, number) for number in range(2)]
    assert {done.returncode for future in issuing for done in future.result()} == {0}
    by_command = [done.returncode for future in running for done in future.result()]
    assert set(by_command) <= {0, ALREADY_RUNNING}, by_command
    codes = Counter(code for future in asking for code in future.result())
    assert set(codes) <= {200, 409}, codes
    service.stop()
    assert len(events_of(service, "token_issued")) == 20
    runs_by_api = codes[200] - 40 + 1
    assert len(events_of(service, "run_finished")) == by_command.count(0) + runs_by_api
    counted = sum(event.get("count", 1) for event in events_of(service, "history_read"))
    assert counted == 40 + 1
    assert size_of(head_of(service)) == len(entries_of(service))
    is_intact(verify(service))
