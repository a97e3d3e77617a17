"""Every event of the audit log says who, from where and about what. Hostile names stay within one entry; no secret is in it."""

import json
import os
import pwd
import re
import secrets
import signal
import time
from hashlib import sha256

import pytest

from support.audit_log import entries_of, event, events_of, is_intact, verify
from support.http_client import Connection
from support.service import ALREADY_RUNNING, ROOT, admin

USER = f"uid:{os.getuid()}({pwd.getpwuid(os.getuid()).pw_name})"
HOSTILE = "a\r\nb\"c'\\d\te \u2028\U0001f600 {\"event\":\"run_finished\"}"
SHOWN = HOSTILE.translate({ord(one): None for one in "\r\n\t\u2028"})


def fingerprint(token):
    return sha256(token.encode()).hexdigest()[:16]


def is_by(found, token, user="rina"):
    """Asserts that the event names user, token, address and request."""
    assert found["user"] == user and found["token_fingerprint"] == fingerprint(token), found
    assert found["source_ip"] == "127.0.0.1" and re.fullmatch("[0-9a-f]{16}", found["request_id"]), found
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["at"]), found


def test_start_and_stop_are_events(installed):
    installed.start()
    installed.stop()
    first, started, stopped = events_of(installed)
    assert [first["event"], started["event"], stopped["event"]] == ["genesis", "service_started", "service_stopped"]
    assert first["vkey"] == installed.command("audit", "vkey").stdout.strip() and first["vkey"].startswith(first["origin"])
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        assert started["boot_id"] == file.read().strip()
    assert started["clock_synchronised"] in (True, False) and isinstance(started["clock_error_us"], int)


def test_a_run_s_entry_says_the_same_as_its_row(service):
    service.script("echo printed; exit 3")
    token = service.token(name="Rina Sari")
    service.run(token=token)
    service.record(1)
    started, finished = event(service, "run_started"), event(service, "run_finished")
    is_by(started, token)
    assert started["boot_id"] and started["clock_synchronised"] in (True, False) and "clock_error_us" in started
    assert finished["stored_output_sha256"] == finished["output_sha256"] == sha256(b"printed\n").hexdigest()
    flags = {"isolated", "finished_at_exact", "output_truncated", "script_changed", "lock_file_seen"}
    for table, found in (("run_started", started), ("run_finished", finished)):
        columns = [row[1] for row in service.sql(f"PRAGMA table_info({table})")]
        row = dict(zip(columns, service.sql(f"SELECT * FROM {table} WHERE id = 1")[0]))
        assert row.pop("id") == found["run"] == 1
        for name, value in row.items():
            wanted = bool(value) if name in flags and value is not None else value
            assert found[name] == wanted, (name, found)


def test_a_refused_run_and_a_cancel_are_events(service):
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    token = service.token("budi")
    assert service.run(token=token).code == 409
    is_by(event(service, "run_refused", outcome="busy"), token, "budi")
    answer = admin(service, "POST", "/admin/runs/1/cancel")
    assert answer.code == 202
    found = event(service, "run_cancel_requested", run=1)
    assert found["user"] == "auditor" and found["source_ip"] == "127.0.0.1" and found["request_id"], found
    client.result()
    record = service.record(1)
    assert record["outcome"] == "cancelled"
    assert found["entry"] < event(service, "run_finished", run=1)["entry"]


def test_a_run_refused_on_the_command_line_is_an_event(service):
    """A run that is refused on the command line is in the audit log too."""
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    assert service.command("run").returncode == ALREADY_RUNNING
    barrier.release()
    client.result()
    assert event(service, "run_refused", outcome="busy")["user"] == USER


def test_a_lock_file_that_somebody_left(service):
    service.script("exit 0")
    service.lock_path.touch()
    seen = event(service, "external_run_seen", outcome="seen")
    assert seen["lock_file_owner"] == 0 and seen["lock_file_modified"].endswith("Z"), seen
    token = service.token("auditor", role="admin")
    body = json.dumps({"reason": HOSTILE})
    assert service.request("POST", "/admin/lock/clear", token=token, body=body).code == 200
    cleared = event(service, "lock_cleared")
    is_by(cleared, token, "auditor")
    assert cleared["reason"] == HOSTILE
    event(service, "external_run_seen", outcome="gone")


def test_refused_requests_are_events(service):
    bad = service.token(secret=b"z" * 64)
    assert service.request("GET", "/sync/status", token=bad).code == 401
    failed = event(service, "auth_failed")
    assert failed["token_fingerprint"] == fingerprint(bad) and failed["source_ip"] == "127.0.0.1" and failed["request_id"]
    assert failed["reason"] == "signature"
    token = service.token()
    assert service.request("GET", "/admin/runs", token=token).code == 403
    denied = event(service, "access_denied")
    is_by(denied, token)
    assert denied["path"] == "/admin/runs"


@pytest.mark.parametrize("path, what", [
    ("/admin/runs", "runs"), ("/admin/runs/1", "run"), ("/admin/runs/1/output", "output"), ("/admin/audit", "audit"),
    ("/admin/runs/1/receipt", "receipt"),
])
def test_reading_the_history_is_an_event(shared, path, what):
    if not shared.sql("SELECT 1 FROM run_finished"):
        shared.script("exit 0")
        shared.run_recorded()
    token = shared.token(f"reader of {what}", role="admin")
    assert shared.request("GET", path, token=token).code == 200
    found = event(shared, "history_read", user=f"reader of {what}")
    is_by(found, token, f"reader of {what}")
    assert found["what"] == what and found.get("of_run") == (1 if "/1" in path else None)


def test_commands_are_events_of_their_user(installed):
    """The events name the user that the kernel reports: redaction, export, token, rotation, acceptance."""
    installed.script("echo a password")
    installed.command("run", "--reason", HOSTILE)
    assert event(installed, "run_started")["user"] == USER and event(installed, "run_started")["reason"] == HOSTILE
    assert installed.command("history", "redact", "1", "--reason", "printed a password").returncode == 0
    redacted = event(installed, "output_redacted", run=1)
    assert (redacted["user"], redacted["reason"]) == (USER, "printed a password")
    assert b"a password" not in installed.sql("SELECT coalesce(group_concat(bytes), '') FROM run_output")[0][0].encode()
    is_intact(verify(installed), f"the output of run 1 was redacted under entry {redacted['entry']}")
    token = installed.command("token", "--user", "budi", "--role", "admin", "--ttl", "5m").stdout.strip()
    issued = event(installed, "token_issued")
    assert (issued["user"], issued["for_user"], issued["role"], issued["ttl_seconds"]) == (USER, "budi", "admin", 300)
    assert issued["issued_fingerprint"] == fingerprint(token)
    assert installed.command("audit", "export", installed.folder / "out").returncode == 0
    assert event(installed, "history_exported")["user"] == USER
    assert installed.command("audit", "resume", "--reason", "for a test").returncode == 0
    assert event(installed, "recovered")["user"] == USER
    assert installed.command("audit", "rotate-key").returncode == 0
    assert event(installed, "key_changed").get("user") == USER
    is_intact(verify(installed))


def test_a_redacted_output_is_not_in_the_file(installed):
    """It is neither in rows nor in free pages. Short outputs are within one page, long ones in many pages."""
    words = [f"password-{secrets.token_hex(8)}" for _ in range(2)]
    for word, times in zip(words, (1, 20_000)):
        installed.script(f"yes {word} | head -n {times}")
        installed.command("run")
    assert all(word.encode() in installed.database.read_bytes() for word in words)
    for run in (1, 2):
        assert installed.command("history", "redact", str(run), "--reason", "printed a password").returncode == 0
    assert not [word for word in words if word.encode() in installed.database.read_bytes()]
    assert not list(installed.state.glob("*-journal"))


def test_a_backup_is_an_export(installed):
    """A backup is a copy of everything, so it is recorded like an export."""
    installed.script("exit 0")
    installed.command("run")
    assert installed.command("backup", installed.folder / "copy.sqlite").returncode == 0
    assert event(installed, "history_exported")["user"] == USER


@pytest.mark.parametrize("reason, token", [
    ("expired", lambda s: s.token(exp=1)), ("claims", lambda s: s.token("a\u200bb")), ("malformed", lambda s: "not-a-token-at-all"),
    ("algorithm", lambda s: s.token(algorithm="HS512")), ("lifetime", lambda s: s.token(lifetime=10_000_000)),
    ("denied_user", lambda s: s.token("agus")), ("revoked", lambda s: s.token(iat=1_500_000_000, exp=int(time.time()) + 60)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_why_a_token_was_refused(installed, reason, token):
    """The reason is one of the service's words. It contains nothing that the client sent."""
    installed.set(DENY_USERS="agus", JWT_NOT_BEFORE="2020-01-01T00:00:00Z", JWT_MAX_LIFETIME_SECONDS=1_000_000 if reason != "revoked" else 31_000_000)
    installed.start()
    if reason == "revoked":
        installed.set(JWT_NOT_BEFORE=int(time.time()))
        installed.stop()
        installed.start()
        value = installed.token(iat=int(time.time()) - 100)
    else:
        value = token(installed)
    assert installed.request("GET", "/sync/status", token=value).code == 401
    found = event(installed, "auth_failed")
    assert found["reason"] == reason
    assert set(found) == {"at", "entry", "event", "reason", "request_id", "source_ip", "token_fingerprint", "user"} and found["user"] is None


def test_a_reload_is_an_event(service):
    service.set(JWT_NOT_BEFORE="2020-01-01T00:00:00Z")
    service.process.send_signal(signal.SIGHUP)
    assert event(service, "settings_changed")["changed"] == ["JWT_NOT_BEFORE"]


def test_the_document_tells_of_events_as_they_are(installed):
    """The log in the example of security/AUDIT_FORMAT.md has the same form as a real one."""
    document = (ROOT / "security/AUDIT_FORMAT.md").read_text()
    shown = [json.loads(text) for text in re.findall(r"^\$ printf %s '(\{.*\})'", document, re.MULTILINE)]
    assert [one["event"] for one in shown] == ["genesis", "run_started", "run_finished"]
    installed.script("echo printed")
    installed.start()
    installed.run_recorded()
    installed.stop()
    for one in shown:
        ours = event(installed, one["event"])
        for key, value in one.items():
            assert type(ours[key]) is type(value), (key, ours)
        row = re.search(rf"^\| `{one['event']}` \|.*$", document, re.MULTILINE)[0]
        named = set(re.findall(r"`(\w+)`", row)) - {one["event"]}
        assert named | {"entry", "at", "event"} == set(ours), (named, ours)


def test_no_secret_is_in_the_database(service):
    tokens = [service.token(), service.token("auditor", role="admin"), service.token(secret=b"z" * 64), "nonsense-nonsense"]
    service.script("exit 0")
    service.run(token=tokens[0])
    for token in tokens:
        service.request("GET", "/admin/runs", token=token)
        service.request("GET", f"/admin/audit?event={token}", token=tokens[1])
    tokens.append(service.command("token", "--user", "budi").stdout.strip())
    service.stop()
    key = "".join((service.state / "audit.key").read_text().splitlines()[1:-1])
    content = service.database.read_bytes() + service.output().encode()
    for secret in [service.secret.decode(), key, *tokens, *(part for token in tokens for part in token.split(".")[1:])]:
        assert len(secret) > 20 or secret == "nonsense-nonsense"
        assert secret.encode() not in content, secret


# Hostile names


@pytest.mark.parametrize("user, wanted", [
    (SHOWN, 200), ("a\u2028b", 401), ("a\u202eb", 401), ("a\u200bb", 401), ("\"" * 256, 200), ("\U0001f600" * 64, 200), (HOSTILE, 401),
    ("a\0b", 401), ("\x01" * 200, 401), ("x" * 257, 401), ("x" * 65536, 431),
], ids=("words", "line separator", "turned around", "not to be seen", "quotes", "wide", "lines", "NUL", "control", "too long", "64 KiB"))
def test_hostile_users(service, user, wanted):
    """The service refuses the user, or writes one bounded entry that agrees with its row."""
    service.script("exit 0")
    before = len(entries_of(service))
    with Connection(service) as connection:
        connection.token = service.token(user, name=user)
        connection.send(connection.head("POST /sync/run HTTP/1.1", "Content-Length: 0"))
        code = connection.answer().code
    assert code == wanted
    service.stop()
    entries = entries_of(service)[before:]
    kinds = [json.loads(entry)["event"] for entry in entries]
    assert kinds == {200: ["run_started", "run_finished"], 401: ["auth_failed"], 431: []}[code] + ["service_stopped"]
    assert code != 200 or json.loads(entries[0])["user"] == json.loads(entries[0])["user_name"] == user
    assert all(len(entry) <= 32768 for entry in entries)
    is_intact(verify(service))


def test_hostile_reasons(installed):
    """The reasons come from the command line and have the maximum length."""
    installed.script("exit 0")
    installed.command("run")
    for number, reason in enumerate(("x" * 65536, "\"" * 40000, "\u00e9" * 40000, "line\r\n" * 5000, "\x01" * 30000)):
        before = len(entries_of(installed))
        done = installed.command("audit", "resume", f"--reason={reason}")
        entries = entries_of(installed)[before:]
        assert done.returncode == 0 and len(entries) == 1, (number, done)
        assert len(entries[0]) <= 32768 and json.loads(entries[0])["reason"].endswith(
            f"…[{len(reason.encode())} bytes, sha256 {sha256(reason.encode()).hexdigest()}]")
    is_intact(verify(installed))


def test_a_reason_with_every_control_character(service):
    service.script("exit 0")
    reason = "".join(map(chr, range(32))) + "\x7f\u0085"
    service.lock_path.touch()
    assert admin(service, "POST", "/admin/lock/clear", body=json.dumps({"reason": reason})).code == 200
    assert event(service, "lock_cleared")["reason"] == reason
    service.stop()
    is_intact(verify(service))
