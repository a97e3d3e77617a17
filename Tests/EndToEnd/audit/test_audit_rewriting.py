"""Histories that are consistent with themselves: rolled back, signed anew, replaced. Without an older checkpoint nobody can
tell, and `audit verify` must say so; with one it must. And what the service itself does when it finds its history
changed: it must neither run nor sign.
"""

import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from support.assertions import reasons
from support.audit_log import (
    RUNS, Key, changed, copy_of, entries_of, entry_of, event, events_of, forged_log, head_of, is_found, is_intact, put_forged,
    put_log, run_until, sign, size_of, tampering, thousand_runs, verify,
)
from support.service import BINARY, ROOT
from support.waiting import DEADLINE, eventually

RUN = RUNS // 2
NOT_EXCLUDED = "rollback and re-signing not excluded"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return thousand_runs(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(original, tmp_path):
    copy = copy_of(original, tmp_path)
    yield copy
    copy.remove()


def own_key(service):
    return Key(service.state / "audit.key")


# Against an older checkpoint


def test_the_newest_ten_are_cut_off(original, copy):
    """Needs no key: the checkpoint of then is still in its table."""
    entry = entry_of(copy, RUNS - 9, "run_started")
    with tampering(copy) as connection:
        for table in ("run_output", "run_finished", "run_started"):
            connection.execute(f"DELETE FROM {table} WHERE id > {RUNS - 10}")
        entries = entries_of(original)[:entry]
        put_log(connection, entries)
        connection.execute(f"DELETE FROM checkpoint WHERE size > {entry}")
    is_intact(verify(copy), f"{RUNS - 10} runs", NOT_EXCLUDED)
    is_intact(verify(copy, original.folder / "older"), "It extends the checkpoint of")
    size = size_of(head_of(original))
    is_found(verify(copy, original.folder / "newest"),
             f"a checkpoint has {size} entries, the log {entry}: it was cut off")


def test_the_file_of_yesterday_is_put_back(original, copy):
    shutil.copy2(original.folder / "yesterday.sqlite", copy.database)
    is_intact(verify(copy), NOT_EXCLUDED)
    size, kept = size_of((original.folder / "yesterday").read_bytes()), size_of(head_of(original))
    is_found(verify(copy, original.folder / "newest"), f"a checkpoint has {kept} entries, the log {size}: it was cut off")


def test_the_file_of_yesterday_is_put_back_and_goes_on(original, copy):
    """Longer than it was, so that its length tells nothing."""
    shutil.copy2(original.folder / "yesterday.sqlite", copy.database)
    copy.start()
    run_until(copy, RUNS + 5)
    copy.stop()
    is_intact(verify(copy), NOT_EXCLUDED)
    size, agreed = size_of(head_of(original)), size_of((original.folder / "yesterday").read_bytes())
    is_found(verify(copy, original.folder / "yesterday", original.folder / "newest"),
             f"the log differs before entry {size} from what was signed; up to entry {agreed - 1} it agrees")


def test_everything_is_signed_anew(original, copy):
    """With the key."""
    entries = forged_log(copy, RUN)
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)
        sign(connection, entries, own_key(copy))
    is_intact(verify(copy), f"{RUNS} runs", NOT_EXCLUDED)
    is_intact(verify(copy, vkey=own_key(copy).vkey(json.loads(entries[0])["origin"])), NOT_EXCLUDED)
    older, later = size_of((original.folder / "older").read_bytes()), size_of((original.folder / "yesterday").read_bytes())
    is_found(verify(copy, original.folder / "yesterday"), f"the log differs before entry {later} from what was signed")
    is_found(verify(copy, original.folder / "older", original.folder / "yesterday"),
             f"the log differs before entry {later} from what was signed; up to entry {older - 1} it agrees")


def test_everything_is_replaced(original, copy, tmp_path):
    """By a log of another key under the same origin."""
    entries = forged_log(copy, RUN)
    origin = json.loads(entries[0])["origin"]
    ours, theirs = own_key(copy).vkey(origin), Key.new(tmp_path / "own.key")
    entries[0] = changed(entries[0], vkey=theirs.vkey(origin))
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)
        sign(connection, entries, theirs)
    shutil.copy2(theirs.path, copy.state / "audit.key")
    is_intact(verify(copy), NOT_EXCLUDED, "the key was taken from the log itself")
    is_found(verify(copy, vkey=ours), f"the log belongs to the key {theirs.vkey(origin)}, expected is {ours}")
    size = size_of((original.folder / "older").read_bytes())
    is_found(verify(copy, original.folder / "older"),
             f"the checkpoint of {size} entries is not signed by the key of this log", f"differs before entry {size}")


def test_a_checkpoint_nobody_signed_proves_nothing(original, copy, tmp_path):
    note = (original.folder / "older").read_bytes()
    lines = note.split(b"\n")
    lines[4] = lines[4].replace(lines[4][-20:-16], b"AAAA")
    (tmp_path / "forged").write_bytes(b"\n".join(lines))
    is_found(verify(copy, tmp_path / "forged"), f"the checkpoint of {size_of(note)} entries is not signed by the key")


# The service on such a history


def damage(connection):
    connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}")


def alter_schema(connection):
    connection.execute("CREATE TABLE beside (id INTEGER PRIMARY KEY)")


def delete_seal(connection):
    connection.execute("DELETE FROM checkpoint")


def spoil_seal(connection):
    """What is in the place of the newest checkpoint is none."""
    connection.execute("UPDATE checkpoint SET note = x'00' WHERE size = (SELECT max(size) FROM checkpoint)")


def spoil_entry(connection):
    connection.execute("UPDATE leaf SET bytes = x'00' WHERE entry = 5")


def spoil_page(connection):
    """A page of the table of outputs is overwritten, so that SQLite gives up in the midst of reading it."""
    root, = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'run_output'").fetchone()
    size, = connection.execute("PRAGMA page_size").fetchone()
    connection.execute("COMMIT")
    file, = [name for _, schema, name in connection.execute("PRAGMA database_list") if schema == "main"]
    with open(file, "r+b") as database:
        database.seek((root - 1) * size)
        database.write(b"\xff" * size)
    connection.execute("BEGIN IMMEDIATE")


STRAY_RUN = (f"INSERT INTO run_started SELECT {RUNS + 1}, user, user_name, token_fingerprint, \"trigger\", reason, source_ip, request_id, "
             "started_at, script_path, script_sha256, script_uid, isolated, boot_id FROM run_started WHERE id = 3")


def tamper(copy, sql):
    if "TRIGGER" in sql:
        assert copy.sqlite3(sql).returncode == 0
        return
    with tampering(copy) as connection:
        # Commits first, of itself.
        connection.executescript(f"{sql}; BEGIN IMMEDIATE")


@pytest.mark.parametrize("attack", [damage, alter_schema, delete_seal, spoil_seal, spoil_entry, spoil_page])
def test_the_service_does_not_run_on_a_damaged_history(copy, attack):
    with tampering(copy) as connection:
        attack(connection)
    copy.counting_script()
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    answer = copy.run()
    answer.is_json(503, answer.text)
    assert copy.times_run() == 0
    assert copy.request("GET", "/sync/status").code == 200
    copy.log_path.write_text("a line\n")
    assert copy.request("GET", "/sync/log").code == 200
    if attack is spoil_page:
        return
    assert copy.admin("/admin/runs").code == 200
    assert copy.admin("/admin/audit/verify").json["status"] == "tampered"
    events = copy.admin("/admin/audit?event=genesis").json["events"]
    assert [event["entry"] for event in events] == ([] if attack in (delete_seal, spoil_seal) else [0]), "only what is signed"


def test_a_damaged_history_with_an_unfinished_run_is_served(copy):
    """The end of that run cannot be recorded; everything else can be read."""
    tamper(copy, f"{STRAY_RUN}; CREATE TABLE beside (id INTEGER PRIMARY KEY)")
    copy.start()
    assert "history_damaged" in reasons(copy)
    assert copy.admin(f"/admin/runs/{RUNS}").code == 200 and copy.status() == "idle"


def test_an_end_that_was_deleted_is_not_recorded_again(copy):
    """The run looks unfinished at the start. Its end is in the log."""
    tamper(copy, "DELETE FROM run_finished WHERE id = 9")
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    copy.stop()
    assert len([found for found in events_of(copy, "run_finished") if found["run"] == 9]) == 1
    is_found(verify(copy), "run 9 of entry ", "is missing in run_finished")


def test_damage_that_was_accepted(copy):
    """`audit resume` records the decision; runs go on, and verify goes on telling."""
    with tampering(copy) as connection:
        damage(connection)
    result = copy.command("audit", "resume", "--reason", "looked at it with rina")
    assert result.returncode == 0, result
    recovered = event(copy, "recovered")
    assert recovered["reason"] == "looked at it with rina" and recovered["user"].startswith("uid:"), recovered
    assert f"run {RUN}: user in run_started" in recovered["problems"][0], recovered
    copy.start()
    eventually(lambda: "accepted with audit resume" in copy.output(), "the verification at the start is over")
    assert copy.run().code == 200
    copy.stop()
    is_found(verify(copy), f"run {RUN}: user in run_started")


@pytest.mark.parametrize("assignment", [
    f"UPDATE run_started SET user = 'mallory' WHERE id = {RUN}", f"UPDATE run_finished SET exit_code = 99 WHERE id = {RUN + 1}",
], ids=("the same value again", "another"))
def test_damage_that_came_after_the_accepted_one(copy, assignment):
    """What was accepted is that damage, not as much of any other."""
    with tampering(copy) as connection:
        damage(connection)
    assert copy.command("audit", "resume", "--reason", "known").returncode == 0
    with tampering(copy) as connection:
        connection.execute(assignment)
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    assert copy.run().code == 503


def accept(copy, sql):
    """Damage by this statement, accepted by an administrator."""
    tamper(copy, sql)
    done = copy.command("audit", "resume", "--reason", "known")
    assert done.returncode == 0, done


def test_a_spoiled_newest_checkpoint_is_accepted(copy):
    """The entries and the stored hashes tell what to sign, and whatever else is wrong is found as well."""
    with tampering(copy) as connection:
        spoil_seal(connection)
        damage(connection)
    copy.counting_script()
    is_found(verify(copy), "signed by nobody", f"run {RUN}: user in run_started")
    ran = copy.command("run")
    assert ran.returncode == 1 and "audit resume --reason" in ran.stderr and copy.times_run() == 0, ran
    done = copy.command("audit", "resume", "--reason", "known")
    assert done.returncode == 0, done
    is_found(verify(copy), "TAMPERED: 0 new problems, 2 accepted", f"run {RUN}: user in run_started", "checkpoint stored under")
    copy.start()
    eventually(lambda: copy.output().count("damage that was accepted with audit resume: ") == 2, "the log names each")
    assert reasons(copy) == [] and copy.run().code == 200


def test_entries_under_the_last_readable_checkpoint(copy):
    """Entries that it covers were altered with every hash, and the newest one is spoiled."""
    with tampering(copy) as connection:
        put_forged(connection, forged_log(copy, RUN), RUN)
        spoil_seal(connection)
    is_found(verify(copy), "signed by nobody", "from what was signed")


def test_a_spoiled_checkpoint_under_more_entries_than_there_are(copy):
    """No new checkpoint would be the newest one."""
    with tampering(copy) as connection:
        connection.execute("INSERT INTO checkpoint VALUES (1000000000, x'00')")
    before = entries_of(copy)
    done = copy.command("audit", "resume", "--reason", "known")
    assert done.returncode == 1 and "restore a backup" in done.stderr, done
    assert entries_of(copy) == before


def test_a_spoiled_checkpoint_and_another_key(copy):
    """Nobody but the key that the entries end with goes on."""
    Key.new(copy.state / "audit.key")
    with tampering(copy) as connection:
        spoil_seal(connection)
    before = entries_of(copy)
    done = copy.command("audit", "resume", "--reason", "known")
    assert done.returncode == 1 and "AUDIT_KEY_FILE" in done.stderr, done
    assert entries_of(copy) == before


FORGED_VIEW = "DROP VIEW runs; CREATE VIEW runs AS SELECT * FROM (SELECT 1 AS id)"


@pytest.mark.parametrize("known, new, said", [
    ("CREATE TABLE beside (id INTEGER PRIMARY KEY)", FORGED_VIEW, "the view runs was changed"),
    ("CREATE TABLE beside (id INTEGER PRIMARY KEY)", "DROP TRIGGER leaf_update", "the trigger leaf_update is missing"),
    ("CREATE TABLE beside (id INTEGER PRIMARY KEY)", "DROP TABLE beside; CREATE TABLE beside (id TEXT)", "the table beside was added"),
    (STRAY_RUN, f"UPDATE run_started SET user = 'mallory' WHERE id = {RUNS + 1}", f"run {RUNS + 1} has no entry"),
    (f"UPDATE run_output SET bytes = x'01' WHERE id = {RUN}", f"UPDATE run_output SET bytes = x'02' WHERE id = {RUN}", f"the output of run {RUN} is not the one"),
    ("UPDATE leaf SET bytes = x'00' WHERE entry = 5", "UPDATE leaf SET bytes = x'01' WHERE entry = 5", "entry 5 was altered"),
    ("DELETE FROM leaf WHERE entry = 5", "DELETE FROM tree_hash WHERE position = 20", "is missing"),
    ("DELETE FROM run_entry WHERE run = 9", "DELETE FROM run_output WHERE id = 9", "the output of run 9, recorded in entry"),
    ("UPDATE schema_migrations SET name = 'one' WHERE number = 1", "UPDATE schema_migrations SET name = 'two' WHERE number = 1",
     "the row of migration 1"),
    ("UPDATE checkpoint SET note = x'00' WHERE size = 3", "UPDATE checkpoint SET note = x'01' WHERE size = 3", "stored under 3 entries"),
], ids=("view", "trigger", "table again", "stray row again", "output again", "entry again", "hash", "row", "migration again",
        "checkpoint again"))
def test_what_was_accepted_is_that_and_nothing_else(copy, known, new, said):
    """Told apart from it by everyone, and refused by the service."""
    accept(copy, known)
    before = verify(copy)
    is_found(before, "~ accepted with audit resume: ", "TAMPERED: 0 new problems")
    tamper(copy, new)
    result = verify(copy)
    is_found(result)
    assert any(line.startswith("✗ ") and said in line for line in result.stdout.splitlines()), result.stdout
    assert "TAMPERED: 0 new" not in result.stdout
    assert " new problems: " in copy.command("check").stdout
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    assert copy.run().code == 503
    found = copy.admin("/admin/audit/verify").json
    assert found["status"] == "tampered" and any(said in problem for problem in found["problems"]), found


def test_accepted_damage_is_told_apart(copy):
    accept(copy, f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}; CREATE TABLE beside (id INTEGER PRIMARY KEY)")
    result = verify(copy)
    is_found(result, "TAMPERED: 0 new problems, 2 accepted with audit resume")
    assert "✗" not in result.stdout, result.stdout
    found = copy.command("check").stdout
    assert "2 problems that were accepted" in found and "new problems" not in found, found
    copy.start()
    eventually(lambda: copy.output().count("damage that was accepted with audit resume: ") == 2, "the log names each")
    assert reasons(copy) == [] and copy.run().code == 200
    found = copy.admin("/admin/audit/verify").json
    assert found["status"] == "tampered" and found["problems"] == [] and len(found["accepted"]) == 2, found


def test_an_acceptance_that_nobody_gave(copy):
    """Without the key: an entry is made to look like `recovered`."""
    with tampering(copy) as connection:
        damage(connection)
        forged = json.dumps({"at": json.loads(entries_of(copy)[5])["at"], "event": "recovered", "problem_count": 10**9},
                            separators=(",", ":")).encode()
        connection.execute("UPDATE leaf SET bytes = ? WHERE entry = 5", (forged,))
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    assert copy.run().code == 503


def forge_without_key(copy):
    """Entries, hashes and rows fit each other; only the signed root does not."""
    entries = forged_log(copy, RUN)
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)


@pytest.mark.parametrize("command", [
    ["run"], ["token", "--user", "budi"], ["history", "redact", "1", "--reason", "for a test"], ["audit", "export", "out"],
    ["audit", "rotate-key"],
], ids=lambda command: " ".join(command[:2]))
def test_a_command_does_not_sign_what_was_forged(copy, command):
    """An append signs the whole log: it must look first whether that is what was signed last."""
    forge_without_key(copy)
    copy.command(*command)
    is_found(verify(copy))


def test_a_running_service_does_not_sign_what_was_forged(copy):
    copy.start()
    eventually(lambda: "the history is intact" in copy.output(), "the verification at the start is over")
    forge_without_key(copy)
    copy.run()
    copy.stop()
    is_found(verify(copy))


def test_a_command_does_not_go_on_with_a_key_of_somebody(copy, tmp_path):
    """Another key in the file: whoever appends now would make the log unverifiable for good."""
    shutil.copy2(Key.new(tmp_path / "own.key").path, copy.state / "audit.key")
    before = len(events_of(copy))
    copy.command("run")
    assert len(events_of(copy)) == before
    is_intact(verify(copy))


# What verify says of itself


def test_what_it_cannot_exclude_is_said(original):
    """In the words of security/AUDIT_FORMAT.md."""
    document = (ROOT / "security/AUDIT_FORMAT.md").read_text()
    section = document.split("## What cannot be found\n")[1]
    phrases = re.findall(r"`verify` says\s+\"([^\"]+)\"", section)
    said = verify(original).stdout + verify(original, original.folder / "older").stdout
    assert len(phrases) == 4
    for phrase in phrases:
        assert " ".join(phrase.split()) in said, phrase


def test_a_long_log_shows_how_far_it_is(installed):
    installed.script("exit 0")
    installed.command("run")
    entries = entries_of(installed)
    later = json.dumps({"at": "2100-01-01T00:00:00.000000Z", "event": "service_stopped"}, separators=(",", ":")).encode()
    entries += [later] * (200_500 - len(entries))
    with tampering(installed) as connection:
        put_log(connection, entries)
        sign(connection, entries, own_key(installed))
    terminal, other_end = pty.openpty()
    try:
        result = subprocess.run([BINARY, "audit", "verify"], cwd=installed.folder, env=installed.environment(None),
                                stdout=subprocess.PIPE, stderr=other_end, text=True, timeout=DEADLINE)
        shown = os.read(terminal, 4096).decode()
    finally:
        os.close(terminal)
        os.close(other_end)
    assert result.returncode == 0, result
    assert len(re.findall(r"^[12]0\d{4} of 200500 entries\r$", shown, re.MULTILINE)) == 2, shown


# Times


def append_signed(service, at):
    """With the key: an entry of that time behind the last."""
    entries = entries_of(service)
    entries.append(json.dumps({"at": at, "event": "service_stopped"}, separators=(",", ":")).encode())
    with tampering(service) as connection:
        put_log(connection, entries)
        sign(connection, entries, own_key(service))


def test_the_clock_was_set_back(installed):
    """The last entry is of the future: the next start notices, and verify says where times run backwards."""
    installed.script("exit 0")
    installed.command("run")
    append_signed(installed, "2100-01-01T00:00:00.000000Z")
    assert installed.command("run").returncode == 0
    stepped = event(installed, "clock_stepped")
    assert stepped["entry"] == 4 and stepped["step_ms"] < -2000
    is_intact(verify(installed))
    append_signed(installed, "2001-01-01T00:00:00.000000Z")
    is_intact(verify(installed), f"! entry {len(entries_of(installed)) - 1} is", "older than the one before it")


def test_the_clock_was_set_back_before_a_change_of_key(installed):
    """The old key approves the new one for one place: the step has to be recorded before, not in between."""
    installed.script("exit 0")
    installed.command("run")
    append_signed(installed, "2100-01-01T00:00:00.000000Z")
    assert installed.command("audit", "rotate-key").returncode == 0
    assert [found["event"] for found in events_of(installed)[-2:]] == ["clock_stepped", "key_changed"]
    assert installed.command("run").returncode == 0
    is_intact(verify(installed), "changes the key")
