"""SIGHUP: secrets, users and JWT_NOT_BEFORE change while connections and runs go on; wrong new values and other settings
change nothing."""

import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from door import RUN, STATUS, authority, closed_door, open_door, scheme  # noqa: F401
from harness import eventually
from trail import events_of

NEW = b"another secret, as long as it has to be: 0123456789abcdef"


def hang_up(door, taken=True):
    """Sends SIGHUP and waits until the service has said what it made of it; that line."""
    said = "settings reloaded" if taken else "settings not reloaded"
    before = door.output().count("reloaded")
    door.process.send_signal(signal.SIGHUP)
    eventually(lambda: door.output().count("reloaded") > before, "the service speaks of the reload")
    (line,) = [line for line in door.output().splitlines() if "reloaded" in line][before:]
    assert said in line, line
    return line


def code(door, token, path="/sync/status"):
    return door.request("GET", path, token=token, source="127.0.2.1").code


def test_rotation_of_the_secret(open_door):
    old, new = open_door.token(), open_door.token(secret=NEW)
    assert (code(open_door, old), code(open_door, new)) == (200, 401)

    previous = open_door.folder / "jwt.previous"
    open_door.write_private(previous, open_door.secret)
    open_door.write_private(open_door.secret_path, NEW)
    open_door.set(JWT_PREVIOUS_SECRET_FILE=previous)
    assert (code(open_door, old), code(open_door, new)) == (200, 401), "nothing changes before the signal"
    hang_up(open_door)
    assert (code(open_door, old), code(open_door, new)) == (200, 200)

    open_door.set(JWT_PREVIOUS_SECRET_FILE=None)
    hang_up(open_door)
    assert (code(open_door, old), code(open_door, new)) == (401, 200)


@pytest.mark.parametrize("link", [os.symlink, lambda target, name: os.link(target, name)])
def test_a_secret_under_a_new_name_is_no_log(open_door, link):
    """Nor is the file that held the secret before: tokens of it may still be around."""
    new = open_door.folder / "another.secret"
    open_door.write_private(new, NEW)
    open_door.set(JWT_SECRET_FILE=new)
    hang_up(open_door)
    for secret in (new, open_door.secret_path):
        open_door.log_path.unlink(missing_ok=True)
        link(secret, open_door.log_path)
        answer = open_door.request("GET", "/sync/log", token=open_door.token(secret=NEW))
        answer.is_error(500)
    open_door.log_path.unlink()
    open_door.log_path.write_text("a line\n")
    assert open_door.request("GET", "/sync/log", token=open_door.token(secret=NEW)).json["log"] == "a line"


def test_denied_users(open_door):
    rina, agus = open_door.token("rina"), open_door.token("agus", role="admin")
    assert (code(open_door, rina), code(open_door, agus, "/admin/runs")) == (200, 200)
    open_door.set(DENY_USERS="agus")
    hang_up(open_door)
    assert (code(open_door, rina), code(open_door, agus), code(open_door, agus, "/admin/runs")) == (200, 401, 401)
    open_door.set(DENY_USERS=None)
    hang_up(open_door)
    assert code(open_door, agus) == 200


def test_revoking_what_was_issued_before(open_door):
    before = open_door.token(iat=int(time.time()) - 100)
    assert code(open_door, before) == 200
    open_door.set(JWT_NOT_BEFORE=int(time.time()) - 50)
    hang_up(open_door)
    assert (code(open_door, before), code(open_door, open_door.token())) == (401, 200)


def test_who_may_run_and_who_administrates(open_door):
    token = open_door.token("dewi")

    def codes():
        return open_door.run(token=token).code, code(open_door, token, "/admin/runs")

    assert codes() == (200, 403)
    open_door.set(RUN_USERS="rina", ADMIN_USERS="dewi")
    hang_up(open_door)
    assert codes() == (403, 200)
    open_door.set(RUN_USERS=None, ADMIN_USERS=None)
    hang_up(open_door)
    assert codes() == (200, 403)


def changes(door, outcome="reloaded"):
    """The newest settings_changed event."""
    return [found for found in events_of(door, "settings_changed") if found["outcome"] == outcome][-1]


def test_a_secret_that_changes_is_named_and_never_shown(open_door):
    open_door.write_private(open_door.secret_path, NEW)
    open_door.set(DENY_USERS="agus-is-denied")
    line = hang_up(open_door)
    assert "DENY_USERS, JWT_SECRET_FILE" in line
    found = changes(open_door)
    assert (found["changed"], found["need_restart"]) == (["DENY_USERS", "JWT_SECRET_FILE"], [])
    assert "agus-is-denied" not in f"{line}{found}" and NEW.decode() not in f"{line}{found}"
    hang_up(open_door)
    assert changes(open_door)["changed"] == []


def test_only_what_is_documented_is_taken_over(closed_door):
    """A role that becomes an administrator's, and an audience that is asked for no longer, wait for a restart and are named."""
    closed_door.set(JWT_AUDIENCE="sync")
    closed_door.counting_script()
    closed_door.start()
    staff, other = closed_door.token(role="staff", aud="sync"), closed_door.token(role="admin", aud="another")

    def codes():
        return code(closed_door, staff, "/admin/runs"), code(closed_door, other)

    assert codes() == (403, 401)
    closed_door.set(JWT_AUDIENCE=None, JWT_ADMIN_ROLE="staff", JWT_RUN_ROLE="operator", LOG_LEVEL="notice", DENY_USERS="agus")
    line = hang_up(closed_door)
    waiting = ["JWT_ADMIN_ROLE", "JWT_AUDIENCE", "JWT_RUN_ROLE", "LOG_LEVEL"]
    assert codes() == (403, 401)
    assert "DENY_USERS" in line and "restart: " + ", ".join(waiting) in line
    found = changes(closed_door)
    assert (found["changed"], found["need_restart"]) == (["DENY_USERS"], waiting)
    hang_up(closed_door)
    assert changes(closed_door)["need_restart"] == waiting, "it is said until the restart"
    closed_door.stop()
    closed_door.start()
    assert code(closed_door, staff, "/admin/runs") == 200


def test_a_secret_for_another_algorithm_is_not_taken_over(closed_door):
    """JWT_ALGORITHM needs a restart; a secret that is too short for the one in force would refuse every token."""
    closed_door.secret = b"x" * 64
    closed_door.write_private(closed_door.secret_path, closed_door.secret)
    closed_door.set(JWT_ALGORITHM="HS512")
    closed_door.start()
    token = closed_door.token(algorithm="HS512")
    closed_door.write_private(closed_door.secret_path, b"y" * 32)
    closed_door.set(JWT_ALGORITHM="HS256")
    assert "JWT_ALGORITHM" in hang_up(closed_door, taken=False)
    assert code(closed_door, token) == 200


def test_a_refused_reload_is_recorded(open_door):
    open_door.set(JWT_NOT_BEFORE="yesterday")
    hang_up(open_door, taken=False)
    assert "yesterday" not in str(changes(open_door, "refused"))


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


def test_many_signals_take_no_threads(open_door):
    def threads():
        return len(os.listdir(f"/proc/{open_door.process.pid}/task"))

    hang_up(open_door)
    before = threads()
    for _ in range(30):
        hang_up(open_door)
    assert threads() <= before + 2


def short_secret(door):
    door.write_private(door.secret_path, b"short")


def secret_gone(door):
    door.secret_path.unlink()


def secret_for_all(door):
    door.secret_path.chmod(0o644)


def file_for_all(door):
    (door.folder / ".env").chmod(0o666)


def file_gone(door):
    (door.folder / ".env").unlink()


def not_a_setting(door):
    door.set(JWT_NOT_BEFOR="2026-01-01T00:00:00Z")


def bad_time(door):
    door.set(JWT_NOT_BEFORE="yesterday")


def no_line(door):
    path = door.folder / ".env"
    door.write_private(path, path.read_bytes() + b"what is this\n")


# what is broken: how, and a word of the message
BROKEN = {
    "secret too short": (short_secret, "JWT_SECRET_FILE"), "secret gone": (secret_gone, "JWT_SECRET_FILE"),
    "secret for all to read": (secret_for_all, "JWT_SECRET_FILE"), "file for all to write": (file_for_all, ".env"),
    "file gone": (file_gone, "JWT_SECRET_FILE"), "unknown name": (not_a_setting, "JWT_NOT_BEFOR"),
    "bad time": (bad_time, "JWT_NOT_BEFORE"), "no setting": (no_line, "line"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_wrong_new_values_leave_the_old_ones(open_door, case):
    open_door.set(DENY_USERS="agus")
    hang_up(open_door)
    content = open_door.secret
    # A good change in the same file must not be taken over by half.
    open_door.set(DENY_USERS="rina")
    spoil, word = BROKEN[case]
    spoil(open_door)
    line = hang_up(open_door, taken=False)
    assert word in line and "short" not in line.split("JWT_SECRET_FILE")[0]
    assert content.decode() not in open_door.output()
    assert (code(open_door, open_door.token("rina")), code(open_door, open_door.token("agus"))) == (200, 401)
    # Mended, it is taken.
    open_door.write_private(open_door.secret_path, content)
    open_door.set(DENY_USERS="rina", JWT_NOT_BEFORE=None, JWT_NOT_BEFOR=None)
    (open_door.folder / ".env").chmod(0o600)
    hang_up(open_door)
    assert (code(open_door, open_door.token("rina")), code(open_door, open_door.token("agus"))) == (401, 200)


def test_connections_and_runs_go_on(open_door):
    """One connection waits for its run, one stands half way in its request, one is kept alive."""
    gate = open_door.waiting_script(after="echo done")
    with open_door.wire() as running, open_door.wire() as halfway, open_door.wire() as kept:
        kept.send(kept.head(STATUS))
        assert kept.answer().code == 200
        running.send(running.head(RUN))
        gate.reached()
        head = halfway.head(STATUS)
        halfway.send(head[:40])
        open_door.set(DENY_USERS="somebody")
        for _ in range(5):
            hang_up(open_door)
        halfway.send(head[40:])
        assert halfway.answer().code == 200
        kept.send(kept.head(STATUS))
        assert kept.answer().json["status"] == "running"
        open_door.set(DENY_USERS="rina")
        hang_up(open_door)
        for wire in (kept, halfway):
            wire.send(wire.head(STATUS))
            assert wire.answer().code == 401, "an open connection is no way round"
        gate.open()
        answer = running.answer()
        assert answer.code == 200 and answer.json["output"] == "done\n", "who was allowed to start it gets the answer"


def test_a_storm_of_signals_under_requests(open_door):
    for number in range(40):
        open_door.process.send_signal(signal.SIGHUP)
        assert open_door.status() == "idle"
    assert open_door.process.poll() is None


def heeds_hang_up(door):
    """Whether SIGHUP is blocked, ignored or caught in the process."""
    lines = Path(f"/proc/{door.process.pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk:", "SigIgn:", "SigCgt:"))]
    return any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


def test_a_signal_before_the_service_is_ready(closed_door):
    """`systemctl reload` right behind a start must not end it: SIGHUP is heeded before any other work is begun."""
    for _ in range(5):
        said = closed_door.output()
        closed_door.launch()
        eventually(lambda: heeds_hang_up(closed_door) or closed_door.output() != said, "it has begun")
        for _ in range(20):
            closed_door.process.send_signal(signal.SIGHUP)
            time.sleep(0.005)
        assert closed_door.process.poll() is None, f"ended with {closed_door.process.returncode}"
        eventually(closed_door._answers, "it serves")
        closed_door.stop()
