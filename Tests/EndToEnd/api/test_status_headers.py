"""The headers of GET /sync/status say how the last run ended. The body stays as documented. Only administrators and the user
who started the run get the headers."""

import sqlite3

import pytest

from support.waiting import eventually

ORIGIN = "https://app.example"
IDLE = '{"status":"idle","message":"No sync is currently running"}'
RUNNING = '{"status":"running","message":"Sync is currently running"}'


def told(service, user="rina", **claims):
    answer = service.request("GET", "/sync/status", token=service.token(user, **claims))
    assert answer.code == 200 and answer.text in (IDLE, RUNNING), "the body stays as documented"
    return answer.header("Sync-Run-Id"), answer.header("Sync-Run-Outcome")


def ends_as(service, number, outcome):
    eventually(lambda: told(service)[1] != "running", "the run has ended")
    assert told(service) == (number, outcome)


def test_before_the_first_run(service):
    assert told(service) == told(service, "auditor", role="admin") == (None, None)


@pytest.mark.parametrize("body, outcome", [("exit 0", "succeeded"), ("exit 3", "failed"), ("kill -9 $$", "failed")])
def test_a_run_that_nobody_waited_for(service, body, outcome):
    barrier = service.waiting_script(after=body)
    answer = service.run(headers=("Prefer: respond-async",))
    assert answer.code == 202
    barrier.reached()
    assert told(service) == ("1", "running")
    barrier.release()
    ends_as(service, "1", outcome)
    assert service.record(1)["outcome"] == outcome


def test_a_run_that_could_not_start(service):
    service.script("exit 0", mode=0o777)
    assert service.run().code == 500
    assert told(service) == ("1", "start_failed")


def test_only_its_user_and_administrators_see_the_last_run(service):
    service.script("exit 0")
    service.run(token=service.token("rina"))
    assert told(service, "rina") == told(service, "auditor", role="admin") == ("1", "succeeded")
    assert told(service, "budi") == told(service, "Rina") == (None, None)
    service.run(token=service.token("budi"))
    assert told(service, "budi") == ("2", "succeeded") and told(service, "rina") == (None, None), "the last run only"


def test_a_run_of_the_command_line(service):
    """Its user is a user of the machine. A token with the same name is another user."""
    service.script("exit 4")
    assert service.command("run").returncode == 4
    eventually(lambda: told(service, "auditor", role="admin") == ("1", "failed"), "the service has taken note")
    user = service.record(1)["user"]
    assert user.startswith("uid:") and told(service, user) == (None, None)


def test_after_a_restart(service):
    service.script("exit 3")
    service.run()
    service.stop()
    service.start()
    assert told(service) == ("1", "failed")


def test_a_run_that_a_restart_followed(service):
    barrier = service.waiting_script(after="exit 3")
    client = service.begin_run()
    barrier.reached()
    service.process.kill()
    service.process.wait()
    client.abandon()
    service.start()
    assert told(service) == ("1", "running")
    barrier.release()
    ends_as(service, "1", "failed")


def test_pages_of_an_allowed_origin_may_read_them(installed):
    installed.set(CORS_ALLOW_ORIGINS=ORIGIN)
    installed.script("exit 0")
    installed.start()
    installed.run()
    answer = installed.request("GET", "/sync/status", headers=(f"Origin: {ORIGIN}",))
    exposed = {name.strip() for name in answer.header("Access-Control-Expose-Headers").split(",")}
    assert {"Sync-Run-Id", "Sync-Run-Outcome"} <= exposed


def test_the_status_reads_no_history(service):
    """The status shows the last run even while another program has locked the database."""
    service.script("exit 0")
    service.run()
    with sqlite3.connect(service.database, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        for _ in range(20):
            assert told(service) == ("1", "succeeded")
        other.execute("ROLLBACK")
