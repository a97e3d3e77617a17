"""SIGHUP changes secrets, users and JWT_NOT_BEFORE while connections and runs go on. Invalid values and other settings
change nothing."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.audit_log import events_of
from support.raw_http import RUN, STATUS
from support.service import hang_up
from support.waiting import eventually

NEW = b"another secret, as long as it has to be: 0123456789abcdef"


def code(endpoint, token, path="/sync/status"):
    return endpoint.request("GET", path, token=token, source="127.0.2.1").code


def test_rotation_of_the_secret(own_endpoint):
    old, new = own_endpoint.token(), own_endpoint.token(secret=NEW)
    assert (code(own_endpoint, old), code(own_endpoint, new)) == (200, 401)

    previous = own_endpoint.folder / "jwt.previous"
    own_endpoint.write_private(previous, own_endpoint.secret)
    own_endpoint.write_private(own_endpoint.secret_path, NEW)
    own_endpoint.set(JWT_PREVIOUS_SECRET_FILE=previous)
    assert (code(own_endpoint, old), code(own_endpoint, new)) == (200, 401), "nothing changes before the signal"
    hang_up(own_endpoint)
    assert (code(own_endpoint, old), code(own_endpoint, new)) == (200, 200)

    own_endpoint.set(JWT_PREVIOUS_SECRET_FILE=None)
    hang_up(own_endpoint)
    assert (code(own_endpoint, old), code(own_endpoint, new)) == (401, 200)


@pytest.mark.parametrize("link", [os.symlink, lambda target, name: os.link(target, name)])
def test_a_secret_under_a_new_name_is_no_log(own_endpoint, link):
    """Nor is the file that held the secret before: tokens of it may still be around."""
    new = own_endpoint.folder / "another.secret"
    own_endpoint.write_private(new, NEW)
    own_endpoint.set(JWT_SECRET_FILE=new)
    hang_up(own_endpoint)
    for secret in (new, own_endpoint.secret_path):
        own_endpoint.log_path.unlink(missing_ok=True)
        link(secret, own_endpoint.log_path)
        answer = own_endpoint.request("GET", "/sync/log", token=own_endpoint.token(secret=NEW))
        answer.is_error(500)
    own_endpoint.log_path.unlink()
    own_endpoint.log_path.write_text("a line\n")
    assert own_endpoint.request("GET", "/sync/log", token=own_endpoint.token(secret=NEW)).json["log"] == "a line"


def test_denied_users(own_endpoint):
    rina, agus = own_endpoint.token("rina"), own_endpoint.token("agus", role="admin")
    assert (code(own_endpoint, rina), code(own_endpoint, agus, "/admin/runs")) == (200, 200)
    own_endpoint.set(DENY_USERS="agus")
    hang_up(own_endpoint)
    assert (code(own_endpoint, rina), code(own_endpoint, agus), code(own_endpoint, agus, "/admin/runs")) == (200, 401, 401)
    own_endpoint.set(DENY_USERS=None)
    hang_up(own_endpoint)
    assert code(own_endpoint, agus) == 200


def test_revoking_what_was_issued_before(own_endpoint):
    before = own_endpoint.token(iat=int(time.time()) - 100)
    assert code(own_endpoint, before) == 200
    own_endpoint.set(JWT_NOT_BEFORE=int(time.time()) - 50)
    hang_up(own_endpoint)
    assert (code(own_endpoint, before), code(own_endpoint, own_endpoint.token())) == (401, 200)


def test_who_may_run_and_who_administrates(own_endpoint):
    token = own_endpoint.token("dewi")

    def codes():
        return own_endpoint.run(token=token).code, code(own_endpoint, token, "/admin/runs")

    assert codes() == (200, 403)
    own_endpoint.set(RUN_USERS="rina", ADMIN_USERS="dewi")
    hang_up(own_endpoint)
    assert codes() == (403, 200)
    own_endpoint.set(RUN_USERS=None, ADMIN_USERS=None)
    hang_up(own_endpoint)
    assert codes() == (200, 403)


def changes(endpoint, outcome="reloaded"):
    """The newest settings_changed event."""
    return [found for found in events_of(endpoint, "settings_changed") if found["outcome"] == outcome][-1]


def hang_up_recorded(endpoint, taken=True):
    """Sends SIGHUP; the line that the service logs. The event follows the line, and this waits for it."""
    before = len(events_of(endpoint, "settings_changed"))
    line = hang_up(endpoint, taken)
    eventually(lambda: len(events_of(endpoint, "settings_changed")) > before, "the event is recorded")
    return line


def test_a_secret_that_changes_is_named_and_never_shown(own_endpoint):
    own_endpoint.write_private(own_endpoint.secret_path, NEW)
    own_endpoint.set(DENY_USERS="agus-is-denied")
    line = hang_up_recorded(own_endpoint)
    assert "DENY_USERS, JWT_SECRET_FILE" in line
    found = changes(own_endpoint)
    assert (found["changed"], found["need_restart"]) == (["DENY_USERS", "JWT_SECRET_FILE"], [])
    assert "agus-is-denied" not in f"{line}{found}" and NEW.decode() not in f"{line}{found}"
    hang_up_recorded(own_endpoint)
    assert changes(own_endpoint)["changed"] == []


def test_only_what_is_documented_is_taken_over(stopped_endpoint):
    """A role that becomes an administrator's, and an audience that is asked for no longer, wait for a restart and are named."""
    stopped_endpoint.set(JWT_AUDIENCE="sync")
    stopped_endpoint.counting_script()
    stopped_endpoint.start()
    staff, other = stopped_endpoint.token(role="staff", aud="sync"), stopped_endpoint.token(role="admin", aud="another")

    def codes():
        return code(stopped_endpoint, staff, "/admin/runs"), code(stopped_endpoint, other)

    assert codes() == (403, 401)
    stopped_endpoint.set(JWT_AUDIENCE=None, JWT_ADMIN_ROLE="staff", JWT_RUN_ROLE="operator", LOG_LEVEL="notice", DENY_USERS="agus")
    line = hang_up_recorded(stopped_endpoint)
    waiting = ["JWT_ADMIN_ROLE", "JWT_AUDIENCE", "JWT_RUN_ROLE", "LOG_LEVEL"]
    assert codes() == (403, 401)
    assert "DENY_USERS" in line and "restart: " + ", ".join(waiting) in line
    found = changes(stopped_endpoint)
    assert (found["changed"], found["need_restart"]) == (["DENY_USERS"], waiting)
    hang_up_recorded(stopped_endpoint)
    assert changes(stopped_endpoint)["need_restart"] == waiting, "it is said until the restart"
    stopped_endpoint.stop()
    stopped_endpoint.start()
    assert code(stopped_endpoint, staff, "/admin/runs") == 200


def test_a_secret_for_another_algorithm_is_not_taken_over(stopped_endpoint):
    """JWT_ALGORITHM needs a restart; a secret that is too short for the one in force would refuse every token."""
    stopped_endpoint.secret = b"x" * 64
    stopped_endpoint.write_private(stopped_endpoint.secret_path, stopped_endpoint.secret)
    stopped_endpoint.set(JWT_ALGORITHM="HS512")
    stopped_endpoint.start()
    token = stopped_endpoint.token(algorithm="HS512")
    stopped_endpoint.write_private(stopped_endpoint.secret_path, b"y" * 32)
    stopped_endpoint.set(JWT_ALGORITHM="HS256")
    assert "JWT_ALGORITHM" in hang_up(stopped_endpoint, taken=False)
    assert code(stopped_endpoint, token) == 200


def test_a_refused_reload_is_recorded(own_endpoint):
    own_endpoint.set(JWT_NOT_BEFORE="yesterday")
    hang_up_recorded(own_endpoint, taken=False)
    assert "yesterday" not in str(changes(own_endpoint, "refused"))


@pytest.mark.slow
def test_a_reload_that_cannot_be_recorded_says_what_is_in_force(service):
    """Another program holds the database for longer than a recording waits: the new secret is in force at once and the log says
    so, and then that the event is missing; it follows."""
    with closing(sqlite3.connect(service.database, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        service.write_private(service.secret_path, NEW)
        assert "JWT_SECRET_FILE" in hang_up(service)
        assert (code(service, service.token()), code(service, service.token(secret=NEW))) == (401, 200)
        eventually(lambda: "settings_changed is not in the history yet" in service.output(), "it gives up for now", seconds=120)
        assert "the old ones go on" not in service.output()
        holder.execute("ROLLBACK")
    eventually(lambda: events_of(service, "settings_changed"), "the event is recorded once it can be")
    assert changes(service)["changed"] == ["JWT_SECRET_FILE"]


def test_many_signals_take_no_threads(stopped_endpoint):
    """Each pool keeps its threads. Swift and Dispatch have threads of their own, which come and go."""
    pools = "runs cancelling status readiness log questions writing reads searches verifying settings".split()

    def threads():
        tasks = Path(f"/proc/{stopped_endpoint.process.pid}/task").iterdir()
        names = sorted((task / "comm").read_text().strip() for task in tasks)
        return [name for name in names if name.rsplit("-", 1)[0] in pools], len(names)

    stopped_endpoint.set(AUDIT_CHECKPOINT_FILE=stopped_endpoint.folder / "checkpoints")
    stopped_endpoint.start()
    hang_up(stopped_endpoint)
    named, all_before = threads()
    assert {name.rsplit("-", 1)[0] for name in named} == set(pools)
    for _ in range(200):
        hang_up(stopped_endpoint)
    named_after, all_after = threads()
    assert named_after == named
    assert all_after <= all_before + 2


def short_secret(endpoint):
    endpoint.write_private(endpoint.secret_path, b"short")


def secret_gone(endpoint):
    endpoint.secret_path.unlink()


def secret_for_all(endpoint):
    endpoint.secret_path.chmod(0o644)


def file_for_all(endpoint):
    (endpoint.folder / ".env").chmod(0o666)


def file_gone(endpoint):
    (endpoint.folder / ".env").unlink()


def not_a_setting(endpoint):
    endpoint.set(JWT_NOT_BEFOR="2026-01-01T00:00:00Z")


def bad_time(endpoint):
    endpoint.set(JWT_NOT_BEFORE="yesterday")


def no_line(endpoint):
    path = endpoint.folder / ".env"
    endpoint.write_private(path, path.read_bytes() + b"what is this\n")


# what is broken: how, and a word of the message
BROKEN = {
    "secret too short": (short_secret, "JWT_SECRET_FILE"), "secret gone": (secret_gone, "JWT_SECRET_FILE"),
    "secret for all to read": (secret_for_all, "JWT_SECRET_FILE"), "file for all to write": (file_for_all, ".env"),
    "file gone": (file_gone, "JWT_SECRET_FILE"), "unknown name": (not_a_setting, "JWT_NOT_BEFOR"),
    "bad time": (bad_time, "JWT_NOT_BEFORE"), "no setting": (no_line, "line"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_wrong_new_values_leave_the_old_ones(own_endpoint, case):
    own_endpoint.set(DENY_USERS="agus")
    hang_up(own_endpoint)
    content = own_endpoint.secret
    # A good change in the same file must not be taken over by half.
    own_endpoint.set(DENY_USERS="rina")
    spoil, word = BROKEN[case]
    spoil(own_endpoint)
    line = hang_up(own_endpoint, taken=False)
    assert word in line and "short" not in line.split("JWT_SECRET_FILE")[0]
    assert content.decode() not in own_endpoint.output()
    assert (code(own_endpoint, own_endpoint.token("rina")), code(own_endpoint, own_endpoint.token("agus"))) == (200, 401)
    # Mended, it is taken.
    own_endpoint.write_private(own_endpoint.secret_path, content)
    own_endpoint.set(DENY_USERS="rina", JWT_NOT_BEFORE=None, JWT_NOT_BEFOR=None)
    (own_endpoint.folder / ".env").chmod(0o600)
    hang_up(own_endpoint)
    assert (code(own_endpoint, own_endpoint.token("rina")), code(own_endpoint, own_endpoint.token("agus"))) == (401, 200)


def test_connections_and_runs_go_on(own_endpoint):
    """One connection waits for its run, one stands half way in its request, one is kept alive."""
    barrier = own_endpoint.waiting_script(after="echo done")
    with own_endpoint.wire() as running, own_endpoint.wire() as halfway, own_endpoint.wire() as kept:
        kept.send(kept.head(STATUS))
        assert kept.answer().code == 200
        running.send(running.head(RUN))
        barrier.reached()
        head = halfway.head(STATUS)
        halfway.send(head[:40])
        own_endpoint.set(DENY_USERS="somebody")
        for _ in range(5):
            hang_up(own_endpoint)
        halfway.send(head[40:])
        assert halfway.answer().code == 200
        kept.send(kept.head(STATUS))
        assert kept.answer().json["status"] == "running"
        own_endpoint.set(DENY_USERS="rina")
        hang_up(own_endpoint)
        for wire in (kept, halfway):
            wire.send(wire.head(STATUS))
            assert wire.answer().code == 401, "an open connection is no way round"
        barrier.release()
        answer = running.answer()
        assert answer.code == 200 and answer.json["output"] == "done\n", "who was allowed to start it gets the answer"


def test_a_storm_of_signals_under_requests(own_endpoint):
    for number in range(40):
        own_endpoint.process.send_signal(signal.SIGHUP)
        assert own_endpoint.status() == "idle"
    assert own_endpoint.process.poll() is None


def heeds_hang_up(endpoint):
    """Whether SIGHUP is blocked, ignored or caught in the process."""
    lines = Path(f"/proc/{endpoint.process.pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk:", "SigIgn:", "SigCgt:"))]
    return any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


def test_a_signal_before_the_service_is_ready(stopped_endpoint):
    """`systemctl reload` right behind a start must not end it: SIGHUP is heeded before any other work is begun."""
    for _ in range(5):
        said = stopped_endpoint.output()
        stopped_endpoint.launch()
        eventually(lambda: heeds_hang_up(stopped_endpoint) or stopped_endpoint.output() != said, "it has begun")
        for _ in range(20):
            stopped_endpoint.process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        assert stopped_endpoint.process.poll() is None, f"ended with {stopped_endpoint.process.returncode}"
        eventually(stopped_endpoint._answers, "it serves")
        stopped_endpoint.stop()
