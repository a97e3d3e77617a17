"""Only one run at a time, whoever starts it and whichever process dies."""

import json
import os
import signal
import subprocess
import threading

import pytest

from support.assertions import all_recorded
from support.processes import alive, kill, named, naming
from support.service import ALREADY_RUNNING, BINARY, ROOT, UNAVAILABLE
from support.waiting import eventually


def test_fifty_requests_while_a_script_waits(service):
    barrier = service.waiting_script(before=f'echo run >> "{service.folder}/ran"', after="echo let go")
    requests = [service.begin_run() for _ in range(50)]
    eventually(lambda: sum(request.is_answered for request in requests) == 49, "49 requests are answered")
    waiting = [request for request in requests if not request.is_answered]
    refusals = [request.result() for request in requests if request not in waiting]
    assert {answer.code for answer in refusals} == {409}
    barrier.release()
    answer = waiting[0].result()
    assert (answer.code, answer.json["output"]) == (200, "let go\n")
    assert service.times_run() == 1
    assert service.sql("SELECT count(*) FROM run_started") == [(1,)], "a refused request must not be a run"


def test_the_command_line_beside_a_running_service(service):
    barrier = service.waiting_script()
    run = service.begin_run()
    barrier.reached()
    beside = service.command("run")
    assert beside.returncode == ALREADY_RUNNING, beside
    assert "already running" in (beside.stdout + beside.stderr).lower()
    barrier.release()
    assert run.result().code == 200
    assert service.command("run", "--help").returncode == 0
    service.script("exit 0")
    assert service.command("run").returncode == 0
    assert service.run().header("Sync-Run-Id") == "3", "refused starts take no number, the command line's run does"


def test_the_service_beside_a_run_of_the_command_line(service):
    barrier = service.waiting_script()
    beside = threading.Thread(target=lambda: codes.append(service.command("run").returncode))
    codes = []
    beside.start()
    barrier.reached()
    assert service.status() == "running"
    assert service.run().code == 409
    barrier.release()
    beside.join()
    assert codes == [0]
    assert service.status() == "idle"
    service.script("exit 0")
    assert service.run().code == 200


def test_probing_never_disturbs_a_start(service):
    """Status is asked without pause from three sides; every one of forty starts must get the run lock."""
    service.script("exit 0")
    enough = threading.Event()
    asked = []

    def hammer():
        while not enough.is_set():
            asked.append(service.request("GET", "/sync/status").code)

    pollers = [threading.Thread(target=hammer) for _ in range(3)]
    for poller in pollers:
        poller.start()
    try:
        codes = [service.run().code for _ in range(30)]
        codes += [service.command("run").returncode for _ in range(10)]
    finally:
        enough.set()
        for poller in pollers:
            poller.join()
    assert codes == [200] * 30 + [0] * 10
    assert set(asked) == {200}


def test_a_script_that_unlocks_its_descriptors_still_holds_the_run_lock(service):
    unlock = 'for d in /proc/$$/fd/*; do n=${d##*/}; flock -u "$n" 2>/dev/null; done'
    barrier = service.waiting_script(before=f'{unlock}\necho run >> "{service.folder}/ran"')
    run = service.begin_run()
    barrier.reached()
    assert service.command("run").returncode == ALREADY_RUNNING
    assert service.run().code == 409
    assert service.status() == "running"
    barrier.release()
    assert run.result().code == 200
    assert service.times_run() == 1


def test_a_script_whose_supervisor_is_killed_still_holds_the_run_lock(service):
    barrier = service.waiting_script(before=f'echo $$ $PPID > "{service.folder}/pids"')
    run = service.begin_run()
    barrier.reached()
    script, supervisor = map(int, (service.folder / "pids").read_text().split())
    os.kill(supervisor, signal.SIGKILL)
    eventually(lambda: not alive(supervisor), "the supervisor is gone")
    assert alive(script)
    assert service.command("run").returncode == ALREADY_RUNNING
    assert service.run().code == 409
    assert service.status() == "running"
    barrier.release()
    run.result()
    eventually(lambda: service.status() == "idle", "the run lock is free")
    assert service.record(1)["outcome"] == "interrupted"
    service.script("exit 0")
    assert service.run().code == 200


# What scripts do with descriptors of their own, as their authors found it in the manuals of their shells
DESCRIPTORS = {
    "3 to 9": ("#!/bin/bash", "exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1; exec 3>&- 4>&- 5>&-"),
    "3 to 9 of dash": ("#!/bin/dash", "exec 3>&1 4>&1 5>&1 6>&1 7>&1 8>&1 9>&1; exec 3>&- 4>&- 5>&-"),
    "a shell's own": ("#!/bin/bash", 'for i in {1..40}; do exec {saved}>&1; done; exec 255>&- 254>&-; (exec 3>&1; { :; } >&3)'),
    "a low limit of its own": ("#!/bin/bash", "ulimit -n 64; exec 3>&1"),
}


@pytest.mark.parametrize("manner", DESCRIPTORS)
def test_a_script_that_uses_descriptors_keeps_the_run_lock(service, manner):
    shebang, line = DESCRIPTORS[manner]
    barrier = service.waiting_script()
    service.script(f'{line}\n{naming(service)}\n{barrier.wait}', shebang=shebang)
    run = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    kill(supervisor)
    assert alive(script) and service.status() == "running"
    assert service.command("run").returncode == ALREADY_RUNNING and service.run().code == 409
    barrier.release()
    assert run.result().code == 500
    all_recorded(service)


@pytest.mark.parametrize("limit", [64, 1000, 1024, "hard"])
def test_the_lock_descriptor_fits_any_limit(installed, limit):
    """The script has the run lock open under 1000, or under the highest number that the machine allows, and nothing else."""
    installed.start("bash", "-c", f'ulimit -n {limit} && exec "$@"', "bash")
    limit = 1024 if limit == "hard" else limit
    installed.script("ls /proc/$$/fd; ulimit -n")
    *descriptors, own = installed.run().json["output"].split()
    assert int(own) <= 1024
    # 255 is bash's own, or the highest below a limit that is lower.
    assert {int(number) for number in descriptors} - {255, limit - 2} == {0, 1, 2, min(1000, limit - 1)}


CLOSING = {
    "by number": "exec 1000>&-",
    "all that are open": 'for fd in $(ls /proc/$$/fd); do eval "exec $fd>&-"; done',
    "by Python": "python3 -c 'import os; os.closerange(3, 4096)'",
}


@pytest.mark.parametrize("manner", CLOSING)
def test_check_finds_a_script_that_closes_the_run_lock(installed, manner):
    installed.script(CLOSING[manner])
    assert "descriptor 1000" in installed.command("check").stdout


@pytest.mark.parametrize("name", ["sync_sqlite.sh", "sync_fkk_db.sh"])
def test_check_leaves_scripts_alone_that_close_their_own(installed, name):
    installed.script((ROOT / "config" / name).read_text().split("\n", 1)[1])
    assert "descriptor 1000" not in installed.command("check").stdout


def test_a_daemon_left_behind_does_not_hold_the_run_lock(service):
    service.script(f'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > "{service.folder}/daemon"')
    assert service.run().code == 200
    daemon = int((service.folder / "daemon").read_text())
    assert service.status() == "idle"
    service.script(f'test -d /proc/{daemon} && echo still there || echo gone')
    answer = service.run()
    assert answer.code == 200
    assert answer.json["output"] in ("still there\n", "gone\n")
    assert service.command("run").returncode == 0


def test_the_run_lock_is_no_symbolic_link(service):
    """A writer in the run directory cannot make the runner lock or open another file."""
    victim = service.folder / "victim"
    victim.write_text("untouched")
    run_lock = service.state / "run" / "run.lock"
    service.counting_script()
    assert service.run().code == 200
    run_lock.unlink()
    run_lock.symlink_to(victim)
    assert service.run().code in (500, 503)
    assert service.times_run() == 1
    assert victim.read_text() == "untouched"


def test_the_service_refuses_to_start_twice_on_one_state_directory(service):
    second = service.command("serve", environment={"PORT": "1"})
    assert second.returncode == UNAVAILABLE
    message = second.stdout + second.stderr
    assert str(service.process.pid) in message and str(service.state) in message
    assert service.status() == "idle"


def test_the_service_leaves_on_term_and_the_run_goes_on(service):
    barrier = service.waiting_script(after=f'echo to the end > "{service.folder}/end"')
    run = service.begin_run()
    barrier.reached()
    service.stop()
    answer = run.result()
    assert answer.code == 503 and int(answer.header("Retry-After")) > 0, "who waits is told"
    assert list(answer.json) == ["status", "message", "output"] and answer.header("Sync-Run-Id") == "1"
    assert service.command("run").returncode == ALREADY_RUNNING
    barrier.release()
    eventually((service.folder / "end").exists, "the script ran to its end")
    service.start()
    assert service.record(1)["outcome"] == "succeeded"
    service.script("exit 0")
    assert service.run().code == 200


def test_a_killed_service_leaves_no_unfinished_run(service):
    barrier = service.waiting_script(after=f'echo to the end > "{service.folder}/end"')
    run = service.begin_run()
    barrier.reached()
    service.process.kill()
    service.process.wait()
    run.abandon()
    assert service.command("run").returncode == ALREADY_RUNNING, "the script still holds the run lock"
    barrier.release()
    eventually((service.folder / "end").exists, "the script ran to its end")
    service.start()
    eventually(lambda: service.status() == "idle", "the run lock is free")
    assert service.record(1)["outcome"] == "succeeded", "the runner outlives the service, and its result waits"
    service.script("exit 0")
    assert service.run().code == 200
    listed = json.loads(service.admin("/admin/runs").body)["runs"]
    assert [run["outcome"] for run in listed][0] == "succeeded" and len(listed) == 2


def test_a_run_whose_supervisor_is_told_to_stop(service):
    """TERM for the supervisor alone, as a stopping machine sends it: the script gets TERM, and the record says why."""
    barrier = service.waiting_script(before=f"echo $PPID > '{service.folder}/supervisor'; trap 'echo termed; exit 7' TERM")
    run = service.begin_run()
    barrier.reached()
    os.kill(int((service.folder / "supervisor").read_text()), signal.SIGTERM)
    answer = run.result()
    assert answer.json["message"] == "Failed to execute sync script: interrupted"
    assert answer.json["output"] == "termed\n"
    assert service.record(1)["outcome"] == "interrupted"
    assert service.status() == "idle"


def test_a_killed_command_line_run_is_settled_at_the_next_start(installed):
    barrier = installed.waiting_script(after=f'touch "{installed.folder}/end"')
    command = subprocess.Popen([BINARY, "run"], cwd=installed.folder, env=installed.environment())
    barrier.reached()
    command.kill()
    command.wait()
    assert installed.command("run").returncode == ALREADY_RUNNING
    barrier.release()
    eventually((installed.folder / "end").exists, "the script ran to its end")
    installed.start()
    assert installed.record(1)["outcome"] == "succeeded"
    assert installed.status() == "idle"
