"""Only a few expensive reads run at a time. An answer that its client does not read costs other clients nothing."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.audit_log import Key, entries_of, put_log, sign, tampering
from support.raw_http import MEBIBYTE
from support.strace import strace, threads
from support.waiting import eventually

OUTPUT = 24 * MEBIBYTE
AT_A_TIME = 4


@pytest.fixture
def laden(stopped_endpoint):
    """One run with an output far larger than the buffers between service and client."""
    stopped_endpoint.set(SYNC_OUTPUT_LIMIT_BYTES=2 * OUTPUT)
    stopped_endpoint.script(f"head -c {OUTPUT} /dev/zero | tr '\\0' x")
    stopped_endpoint.start()
    assert stopped_endpoint.run().code == 200
    return stopped_endpoint


def started(endpoint, path, number):
    """A client that has read the beginning of an answer and then stops reading."""
    wire = endpoint.wire(source=f"127.0.2.{number}", receive_buffer=4096)
    wire.token = endpoint.token("auditor", role="admin")
    wire.send(wire.head(f"GET {path} HTTP/1.1"))
    wire.more()
    assert wire.buffer.startswith(b"HTTP/1.1 200 ")
    return wire


def test_runs_with_their_output_are_shown_to_few_at_a_time(laden):
    held = [started(laden, "/admin/runs/1", number) for number in range(1, AT_A_TIME + 1)]
    refused = laden.admin("/admin/runs/1")
    refused.is_error(429)
    assert refused.header("Retry-After") == "10"
    # Cheap requests and ranges of the output are still answered.
    assert laden.admin("/admin/runs").code == 200 and laden.status() == "idle" and laden.answers_others()
    assert laden.admin("/admin/runs/1/output", headers=["Range: bytes=-5"]).body == b"xxxxx"
    for wire in held:
        wire.socket.close()
    eventually(lambda: laden.admin("/admin/runs/1").code == 200, "there is room again")


@pytest.mark.memory
def test_outputs_that_nobody_takes_hold_neither_memory_nor_threads(laden):
    """There are more readers than threads, and their answers are larger than the memory limit."""
    laden.stop()
    laden.start()
    with started(laden, "/admin/runs/1/output", 1):
        before = laden.memory()
        held = [started(laden, "/admin/runs/1/output", number) for number in range(2, 52)]
        assert laden.admin("/admin/runs").code == 200 and laden.admin("/admin/runs/1/output").body == b"x" * OUTPUT
        grown = laden.memory() - before
        print(f"50 stopped readers of {OUTPUT / MEBIBYTE:.0f} MiB, {laden.scheme}: {grown / MEBIBYTE:.0f} MiB on top of "
              f"{before / MEBIBYTE:.0f}", file=sys.stderr)
        assert grown < 4 * OUTPUT
        for wire in held:
            wire.socket.close()


def test_readers_that_have_stopped_do_not_keep_the_service_from_leaving(laden):
    held = [started(laden, path, 1) for path in ("/admin/runs/1", "/admin/runs/1/output")]
    laden.stop()
    assert "stopped" in laden.output()
    for wire in held:
        wire.socket.close()


def test_a_head_request_takes_no_slot(laden):
    for _ in range(AT_A_TIME + 2):
        with laden.wire() as wire:
            wire.token = laden.token("auditor", role="admin")
            wire.send(wire.head("HEAD /admin/runs/1 HTTP/1.1", "Connection: close"))
            while wire.more():
                pass
            assert wire.buffer.startswith(b"HTTP/1.1 200 ")


def test_one_verification_at_a_time(laden):
    """Many at once are all answered, some with 429. Afterwards a new one is accepted."""
    with ThreadPoolExecutor(12) as pool:
        answers = [answer for answer in pool.map(lambda _: laden.admin("/admin/audit/verify"), range(36))]
    codes = {answer.code for answer in answers}
    assert codes == {200, 429}
    assert laden.admin("/admin/audit/verify").json["status"] == "ok"


@pytest.mark.root
def test_a_search_of_a_long_log_holds_no_run_up(installed):
    """The search is for a kind of event that no index has. It follows `next` through the whole log. The disk takes seven
    milliseconds per page, so the search takes eight seconds. That is too long for one transaction."""
    def search_all():
        found, cursor = [], ""
        while True:
            page = installed.admin(f"/admin/audit?event=run_finished&limit=200{cursor}").json
            found += [event["run"] for event in page["events"]]
            if not page["next"]:
                return found
            cursor = f"&cursor={page['next']}"

    installed.script("exit 0")
    installed.command("run")
    entries = entries_of(installed)
    later = json.dumps({"at": "2026-01-01T00:00:00.000000Z", "event": "service_stopped"}, separators=(",", ":")).encode()
    entries += [later] * (50_000 - len(entries))
    with tampering(installed) as connection:
        put_log(connection, entries)
        sign(connection, entries, Key(installed.state / "audit.key"))
    installed.start()
    eventually(lambda: "the history is intact" in installed.output(), "the verification at the start is over")
    slow = ("-P", str(installed.database), "-e", "trace=pread64", "-e", "inject=pread64:delay_enter=7000")
    codes = []
    with strace(threads(installed.process.pid), *slow), ThreadPoolExecutor(1) as pool:
        search = pool.submit(search_all)
        while not search.done() or not codes:
            codes.append(installed.run().code)
        assert search.result()[-1] == 1
    assert len(codes) > 3 and set(codes) == {200}, codes
    page = installed.admin("/admin/audit?event=service_stopped&limit=200").json
    assert len(page["events"]) == 200 and page["next"]
