"""What the script finds when it starts, and what it cannot do to the service."""

import hashlib
import json
import os
import pwd
import re
from pathlib import Path

import pytest

from support.processes import alive

INSPECT = r'''
import json, os, resource, sys
descriptors = {}
for name in os.listdir("/proc/self/fd"):
    try:
        descriptors[name] = os.readlink(f"/proc/self/fd/{name}")
    except FileNotFoundError:
        pass  # the listing's own
status = dict(line.split(":\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\t" in line)
umask = os.umask(0)
print(json.dumps({
    "environment": dict(item.split("=", 1) for item in open("/proc/self/environ").read().split("\0") if item),
    "descriptors": descriptors, "pid": os.getpid(), "session": os.getsid(0), "group": os.getpgrp(),
    "terminal": open("/proc/self/stat").read().rsplit(")", 1)[1].split()[4],
    "umask": umask, "NoNewPrivs": status["NoNewPrivs"], "Groups": status["Groups"],
    "core": resource.getrlimit(resource.RLIMIT_CORE), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
    "path": sys.argv[0], "arguments": sys.argv[1:], "cwd": os.getcwd(),
}))
'''


@pytest.fixture(scope="module")
def seen(shared):
    """What a script sees of itself."""
    shared.script(INSPECT, shebang="#!/usr/bin/python3 -I")
    answer = shared.run()
    assert answer.code == 200, answer
    return json.loads(answer.json["output"])


def test_the_script_gets_the_documented_environment(seen, shared):
    assert sorted(seen["environment"]) == ["HOME", "LANG", "PATH", "SHELL", "SYNC_RUN_ID", "SYNC_STOP_GRACE_SECONDS", "TZ", "USER"]
    assert seen["environment"]["SYNC_RUN_ID"] == "1"
    assert seen["environment"]["SYNC_STOP_GRACE_SECONDS"] == str(shared.settings["SYNC_STOP_GRACE_SECONDS"])
    given, user = shared.environment(), pwd.getpwuid(os.geteuid())
    assert [seen["environment"][name] for name in ("LANG", "TZ", "PATH")] == [given["LANG"], given["TZ"], given["PATH"]]
    assert [seen["environment"][name] for name in ("HOME", "USER", "SHELL")] == [user.pw_dir, user.pw_name, user.pw_shell]
    assert all(part.startswith("/") for part in seen["environment"]["PATH"].split(":"))


def test_the_script_gets_only_its_output_and_the_run_lock(seen, shared):
    kinds = seen["descriptors"]
    run_lock = str(shared.state / "run" / "run.lock")
    assert kinds["0"] == "/dev/null"
    assert kinds["1"].startswith("pipe:") and kinds["1"] == kinds["2"], "one pipe keeps the order"
    assert [target for number, target in kinds.items() if number not in ("0", "1", "2")] == [run_lock]


def test_session_umask_privileges_core(seen):
    assert seen["session"] == seen["group"] == seen["pid"] and seen["terminal"] == "0"
    assert seen["umask"] == 0o027
    assert seen["NoNewPrivs"] == "1"
    assert seen["core"] == [0, 0]
    assert seen["files"] <= 1024, "select(2) fails with higher numbers"


def test_path_and_folder(seen, shared):
    assert seen["path"] == str(shared.script_path)
    assert seen["arguments"] == []
    assert seen["cwd"] == str(shared.folder)


def test_dirname_and_dollar_zero_work(shared):
    (shared.folder / "helper.txt").write_text("beside me\n")
    shared.script('echo "$0"; cat "$(dirname "$0")/helper.txt"')
    assert shared.run().json["output"] == f"{shared.script_path}\nbeside me\n"


def test_the_script_begins_with_default_signals(shared):
    """Seen by a program that changes neither masks nor dispositions; the service's own threads block TERM.

    32 and 33 are glibc's own: its posix_spawn leaves them ignored, and no program can set them.
    """
    shared.script("exec cat /proc/self/status", shebang="#!/bin/sh")
    status = dict(re.findall(r"^(\w+):\t(.*)$", shared.run().json["output"], re.MULTILINE))
    glibc = 1 << 31 | 1 << 32
    for mask in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"):
        assert int(status[mask], 16) & ~glibc == 0, mask


def test_names_that_are_passed_on(installed):
    installed.set(SYNC_ENV_PASS="SYNC_FLAVOUR,PGHOST,ABSENT", SYNC_WORKING_DIR="/usr")
    installed.script('echo "$SYNC_FLAVOUR $PGHOST ${ABSENT-unset} ${OTHER-unset} $(pwd)"')
    installed.start(environment={"SYNC_FLAVOUR": "mint", "PGHOST": "db one", "OTHER": "x", "JWT_SECRET_HINT": "x"})
    assert installed.run().json["output"] == "mint db one unset unset /usr\n"


def test_no_secret_reaches_the_script(installed):
    installed.set(JWT_SECRET_FILE=None, JWT_SECRET=installed.secret.decode())
    installed.start(environment={"JWT_PREVIOUS_HINT": "x"})
    installed.script("cat /proc/$$/environ /proc/$PPID/environ /proc/$PPID/cmdline | tr '\\0' '\\n'")
    output = installed.run().json["output"]
    assert installed.secret.decode() not in output and "SYNC_RUN_ID=1" in output


# Output

def test_stdout_and_stderr_in_the_order_written(shared):
    shared.script("for i in $(seq 200); do echo $i; echo $i >&2; done")
    assert shared.run().json["output"] == "".join(f"{i}\n{i}\n" for i in range(1, 201))


def test_bytes_are_kept_exactly(shared):
    shared.script(f'head -c 100000 /dev/urandom | tee "{shared.folder}/stream"')
    answer, record = shared.run_recorded()
    stream = (shared.folder / "stream").read_bytes()
    assert answer.json["output"] == stream.decode(errors="replace")
    assert (record["output_bytes"], record["output_truncated"]) == (100000, False)
    assert record["output_sha256"] == hashlib.sha256(stream).hexdigest()
    assert shared.admin(f"/admin/runs/{record['id']}/output").body == stream


def test_a_run_without_output_records_none(shared):
    shared.script("exit 0")
    record = shared.run_recorded()[1]
    assert (record["output"], record["output_bytes"], record["output_truncated"]) == ("", 0, False)
    assert record["output_sha256"] == hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("size", [4096, 4097, 50_000_000])
def test_output_over_the_limit_keeps_both_ends(installed, size):
    limit = 4096
    installed.set(SYNC_OUTPUT_LIMIT_BYTES=limit)
    installed.start()
    installed.script(f'seq 10000000 | head -c {size} > "{installed.folder}/stream"; cat "{installed.folder}/stream"')
    answer, record = installed.run_recorded()
    stream = (installed.folder / "stream").read_bytes()
    assert len(stream) == record["output_bytes"] == size
    assert record["output_sha256"] == hashlib.sha256(stream).hexdigest()
    assert record["output_truncated"] is (size > limit)
    assert answer.json["output"] == record["output"]
    if size <= limit:
        assert answer.json["output"].encode() == stream
        return
    first, last = stream[:limit // 2].decode(), stream[-limit // 2:].decode()
    between = answer.json["output"].removeprefix(first).removesuffix(last)
    assert len(between) == len(answer.json["output"]) - limit
    assert between.strip("\n") == f"[... {size - limit} bytes left out ...]"
    assert (first + between).endswith("\n") and f"\n{between.strip()}" in first + between, "a line of its own"


def test_a_script_that_closes_its_output_runs_on(service):
    barrier = service.waiting_script(before="echo said; exec >&- 2>&-", after="exit 3")
    run = service.begin_run()
    barrier.reached()
    assert not run.is_answered and service.status() == "running"
    barrier.release()
    answer = run.result()
    assert answer.json["message"] == "Failed to execute sync script: exited with code 3"
    assert answer.json["output"] == "said\n"


def test_a_grandchild_that_keeps_the_output_open_does_not_keep_the_run(service):
    """The runner waits five seconds for the pipe's end; the request's own deadline bounds this test."""
    service.script(f'sleep 1000 & echo $! > "{service.folder}/grandchild"; echo said')
    answer = service.run(seconds=60)
    assert (answer.code, answer.json["output"]) == (200, "said\n")
    service.script("echo next")
    assert service.run().json["output"] == "next\n"


def test_a_script_that_ignores_term_is_killed_after_the_grace(installed):
    installed.set(SYNC_TIMEOUT_SECONDS=1)
    installed.start()
    installed.script(f"""trap 'echo termed' TERM; echo $$ > "{installed.folder}/pid"; while :; do sleep 1000; done""")
    answer, record = installed.run_recorded()
    assert answer.json["message"] == "Failed to execute sync script: timed out after 1 seconds"
    assert "termed\n" in answer.json["output"], "TERM first, then KILL"
    assert (record["outcome"], record["exit_code"], record["signal"]) == ("timed_out", None, 9)
    assert not alive(int((installed.folder / "pid").read_text()))


def test_the_time_limit_reaches_other_sessions(installed):
    installed.set(SYNC_TIMEOUT_SECONDS=1)
    installed.start()
    pid = installed.folder / "pid"
    installed.script(f"""setsid bash -c 'trap "" TERM; echo $$ > "{pid}"; exec sleep 1000' & wait""")
    record = installed.run_recorded()[1]
    assert record["outcome"] == "timed_out"
    assert not alive(int(pid.read_text())), "a process in its own session outlived the time limit"


def test_many_files_of_the_service_stay_with_it(service):
    """The script may see neither connections nor the database, at any descriptor number."""
    service.script("ls -l /proc/$$/fd")
    waiting = [service.begin("GET", "/sync/status") for _ in range(5)]
    output = service.run().json["output"]
    assert "socket:" not in output and "history.sqlite" not in output and "jwt" not in output
    assert {request.result().code for request in waiting} == {200}


def test_what_the_service_inherited_stays_with_it(installed):
    """A descriptor that the service's parent left open, as shells and supervisors do."""
    installed.start("bash", "-c", 'exec "$0" "$@" 9</etc/hostname')
    assert Path(f"/proc/{installed.process.pid}/fd/9").exists()
    installed.script("ls -l /proc/$$/fd")
    assert "/etc/hostname" not in installed.run().json["output"]


def test_a_changed_script_is_recorded(service):
    service.script("exit 0")
    before = hashlib.sha256(service.script_path.read_bytes()).hexdigest()
    record = service.run_recorded()[1]
    assert (record["script_sha256"], record["script_changed"]) == (before, False)
    service.script(f'echo "# more" >> "{service.script_path}"')
    before = hashlib.sha256(service.script_path.read_bytes()).hexdigest()
    record = service.run_recorded()[1]
    assert (record["script_sha256"], record["script_changed"]) == (before, True)
    assert record["script_path"] == str(service.script_path) and record["script_uid"] == os.geteuid()
