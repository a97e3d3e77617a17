"""Many starters at once: two services on one history, the API and cron in a loop. The script itself proves that it never ran
twice at a time."""

import subprocess
import threading

import pytest

from support.assertions import all_recorded
from support.processes import kill_service
from support.service import ALREADY_RUNNING, UNAVAILABLE, free_port
from support.waiting import eventually

# A lock of the script's own tells of an overlap at once; the lines tell the order.
WITNESS = '''
exec 9>"{folder}/witness.lock"
flock -n 9 || echo "overlap $SYNC_RUN_ID" >> "{folder}/witness"
echo "start $SYNC_RUN_ID" >> "{folder}/witness"
sleep 0.0$((RANDOM % 5))
echo "end $SYNC_RUN_ID" >> "{folder}/witness"
'''


API_RUNS = "SELECT count(*) FROM run_started WHERE \"trigger\" = 'api'"


def witnessed(service):
    """The runs in the order in which the script ran, having asserted that one ended before the next began."""
    lines = [line.split() for line in (service.folder / "witness").read_text().splitlines()]
    assert all(word != "overlap" for word, _ in lines), lines
    assert [word for word, _ in lines] == ["start", "end"] * (len(lines) // 2), lines
    runs = [int(run) for word, run in lines if word == "start"]
    assert runs == [int(run) for word, run in lines if word == "end"]
    return runs


def second(service, **settings):
    """A second service on the same state directory: exit code and message."""
    environment = {"PORT": str(free_port()), **settings}
    done = service.command("serve", environment=environment)
    return done.returncode, done.stdout + done.stderr


def test_a_second_service_refuses_and_says_why(service):
    code, message = second(service)
    assert code == UNAVAILABLE
    assert f"process {service.process.pid}" in message and str(service.state) in message and "SYNC_STATE_DIR" in message
    service.script("exit 0")
    assert service.run().code == 200, "the first one is none the worse"


@pytest.mark.root
def test_a_second_service_under_another_name_of_the_folder(service):
    """The lock is on the file, not on its path."""
    alias = service.folder / "alias"
    alias.mkdir()
    subprocess.run(["mount", "--bind", service.state, alias], check=True)
    try:
        code, message = second(service, SYNC_STATE_DIR=str(alias))
    finally:
        subprocess.run(["umount", alias], check=True)
    assert code == UNAVAILABLE and f"process {service.process.pid}" in message


def test_a_second_service_while_a_run_goes_on(service):
    """A killed service's run does not keep the next service out, and the refused one changes nothing about it."""
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    kill_service(service)
    client.abandon()
    service.start()
    assert second(service)[0] == UNAVAILABLE
    assert service.status() == "running"
    barrier.release()
    assert service.record(1)["outcome"] == "succeeded"
    all_recorded(service)


def test_the_api_and_three_crons_in_a_loop(service):
    service.script(WITNESS.format(folder=service.folder))
    answers, codes, failures = [], [], []

    def by_api():
        answers.extend(service.run().code for _ in range(30))

    def by_cron():
        codes.extend(service.command("run").returncode for _ in range(15))

    def guarded(body):
        try:
            body()
        except Exception as failure:
            failures.append(failure)

    callers = [threading.Thread(target=guarded, args=(body,)) for body in (by_api, by_cron, by_cron, by_cron)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failures
    assert set(answers) <= {200, 409} and len(answers) == 30
    assert set(codes) <= {0, ALREADY_RUNNING} and len(codes) == 45
    all_recorded(service)
    runs = witnessed(service)
    assert len(runs) == answers.count(200) + codes.count(0) > 0
    assert runs == list(range(1, len(runs) + 1)), "numbers follow the order of the runs"
    assert service.sql("SELECT DISTINCT outcome FROM runs") == [("succeeded",)]
    assert service.sql('SELECT count(*) FROM run_started WHERE "trigger" = \'cli\'') == [(codes.count(0),)]


def test_crons_while_the_service_is_killed_again_and_again(service):
    """Kills come when a run of the API is known to be under way, so that each leaves one to be settled beside cron."""
    service.script(WITNESS.format(folder=service.folder))
    enough, codes = threading.Event(), []

    def cron():
        while not enough.is_set():
            codes.append(service.command("run").returncode)

    crons = [threading.Thread(target=cron) for _ in range(2)]
    for thread in crons:
        thread.start()
    try:
        for _ in range(5):
            before = service.sql(API_RUNS)[0][0]
            eventually(lambda: begun(service, before), "a run of the API has begun")
            kill_service(service)
            service.start()
    finally:
        enough.set()
        for thread in crons:
            thread.join()
    eventually(lambda: service.status() == "idle", "nothing runs any more")
    all_recorded(service)
    assert set(codes) <= {0, ALREADY_RUNNING}
    runs = witnessed(service)
    recorded = dict(service.sql("SELECT id, outcome FROM runs"))
    assert [run for run in runs if recorded[run] != "succeeded"] == [], "every supervisor lived"
    assert {outcome for run, outcome in recorded.items() if run not in runs} <= {"interrupted"}, "recorded, never begun"


def begun(service, before):
    """Asks for a run and goes away; whether one has begun since."""
    client = service.begin_run()
    found = eventually(
        lambda: client.is_answered or service.sql(API_RUNS)[0][0] > before, "the request is answered or its run recorded")
    client.abandon()
    return found and service.sql(API_RUNS)[0][0] > before
