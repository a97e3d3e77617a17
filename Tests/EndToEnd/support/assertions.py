"""What must hold of answers and of the record after every test."""

from support.waiting import eventually


def reasons(service):
    """The reasons that /readyz gives to a valid token; none when it is ready."""
    answer = service.request("GET", "/readyz")
    assert answer.code == (503 if "reasons" in answer.json else 200), answer
    return answer.json.get("reasons", [])


def is_unavailable(answer, run=None):
    """503 of the documented form; `run` is the number in its header."""
    assert answer.code == 503, answer
    assert list(answer.json) == ["status", "message", "output"] and answer.json["status"] == "error"
    assert int(answer.header("Retry-After")) > 0 and answer.header("Sync-Run-Id") == run


def is_sound(service):
    """Asserts that the file is intact and that numbers have no gaps. Do not call it after an interrupted write."""
    assert service.sql("PRAGMA integrity_check") == [("ok",)]
    numbers = [number for number, in service.sql("SELECT id FROM run_started ORDER BY id")]
    assert numbers == list(range(1, len(numbers) + 1)), "numbers have gaps"
    for table in ("run_finished", "run_output"):
        ended = [number for number, in service.sql(f"SELECT id FROM {table} ORDER BY id")]
        assert len(set(ended)) == len(ended) and set(ended) <= set(numbers)


def trail_is_intact(service):
    """Runs the command that an auditor uses on the current file."""
    verified = service.command("audit", "verify")
    assert verified.returncode == 0, verified


def all_recorded(service):
    """Asserts that every started run has exactly one end in the record."""
    eventually(
        lambda: service.sql("SELECT count(*) FROM run_started WHERE id NOT IN (SELECT id FROM run_finished)") == [(0,)],
        "every run that began has ended in the record")
    is_sound(service)
