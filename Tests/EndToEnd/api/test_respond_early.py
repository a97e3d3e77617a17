"""Answers before the end of a run: `Prefer: respond-async` (RFC 7240) and SYNC_RESPOND_AFTER_SECONDS."""

from support.waiting import eventually

RUNNING = '{"status":"running","message":"Sync is currently running"}'


def test_prefer_respond_async(service):
    barrier = service.waiting_script()
    answer = service.run(headers=["Prefer: respond-async"])
    answer.is_json(202, RUNNING)
    assert answer.header("Preference-Applied") == "respond-async"
    assert answer.header("Location") == "/sync/status"
    barrier.reached()
    assert service.status() == "running"
    barrier.release()
    eventually(lambda: service.status() == "idle", "the run has ended")
    assert service.record(1)["outcome"] == "succeeded"


def test_respond_after_seconds_answers_202_to_every_client(installed):
    installed.set(SYNC_RESPOND_AFTER_SECONDS=1)
    installed.start()
    barrier = installed.waiting_script()
    installed.run().is_json(202, RUNNING)
    barrier.release()
    assert installed.record(1)["outcome"] == "succeeded"
    installed.script("echo quick")
    eventually(lambda: installed.status() == "idle", "the run has ended")
    assert installed.run().json["output"] == "quick\n"
