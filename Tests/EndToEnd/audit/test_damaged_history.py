"""The service on a damaged history: it neither runs nor signs until an administrator accepts that damage, and no other."""

import json

import pytest

from support.assertions import reasons
from support.audit_log import RUNS, Key, entries_of, event, events_of, forged_log, is_found, put_forged, tampering, verify
from support.waiting import eventually

pytestmark = pytest.mark.slow

RUN = RUNS // 2


def own_key(service):
    return Key(service.state / "audit.key")


# The service on such a history


def damage(connection):
    connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {RUN}")


def alter_schema(connection):
    connection.execute("CREATE TABLE beside (id INTEGER PRIMARY KEY)")


def delete_seal(connection):
    connection.execute("DELETE FROM checkpoint")


def spoil_seal(connection):
    """Replaces the newest checkpoint by a text that is not one."""
    connection.execute("UPDATE checkpoint SET note = x'00' WHERE size = (SELECT max(size) FROM checkpoint)")


def spoil_entry(connection):
    connection.execute("UPDATE leaf SET bytes = x'00' WHERE entry = 5")


def spoil_page(connection):
    """Overwrites a page of the table of outputs, so that SQLite fails while it reads the table."""
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
    """The service cannot record the end of that run. Clients can read everything else."""
    tamper(copy, f"{STRAY_RUN}; CREATE TABLE beside (id INTEGER PRIMARY KEY)")
    copy.start()
    assert "history_damaged" in reasons(copy)
    assert copy.admin(f"/admin/runs/{RUNS}").code == 200 and copy.status() == "idle"


def test_an_end_that_was_deleted_is_not_recorded_again(copy):
    """At the start the run seems unfinished, but the log has its end."""
    tamper(copy, "DELETE FROM run_finished WHERE id = 9")
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    copy.stop()
    assert len([found for found in events_of(copy, "run_finished") if found["run"] == 9]) == 1
    is_found(verify(copy), "run 9 of entry ", "is missing in run_finished")


def test_damage_that_was_accepted(copy):
    """`audit resume` records the decision. Runs continue, and `audit verify` still reports the damage."""
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
    """The acceptance covers only that damage, not other damage of the same amount."""
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
    """The new checkpoint signs the entries and the stored hashes. The verification also finds other damage."""
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
    """The attack alters entries that it covers, with every hash, and spoils the newest checkpoint."""
    with tampering(copy) as connection:
        put_forged(connection, forged_log(copy, RUN), RUN)
        spoil_seal(connection)
    is_found(verify(copy), "signed by nobody", "from what was signed")


def test_a_spoiled_checkpoint_under_more_entries_than_there_are(copy):
    """A new checkpoint would not be the newest one."""
    with tampering(copy) as connection:
        connection.execute("INSERT INTO checkpoint VALUES (1000000000, x'00')")
    before = entries_of(copy)
    done = copy.command("audit", "resume", "--reason", "known")
    assert done.returncode == 1 and "restore a backup" in done.stderr, done
    assert entries_of(copy) == before


def test_a_spoiled_checkpoint_and_another_key(copy):
    """Only the key that the entries end with may continue the log."""
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
    (f"UPDATE run_output SET bytes = x'01' WHERE id = {RUN}", f"UPDATE run_output SET bytes = x'02' WHERE id = {RUN}",
     f"the output of run {RUN} is not the one"),
    ("UPDATE leaf SET bytes = x'00' WHERE entry = 5", "UPDATE leaf SET bytes = x'01' WHERE entry = 5", "entry 5 was altered"),
    ("DELETE FROM leaf WHERE entry = 5", "DELETE FROM tree_hash WHERE position = 20", "is missing"),
    ("DELETE FROM run_entry WHERE run = 9", "DELETE FROM run_output WHERE id = 9", "the output of run 9, recorded in entry"),
    ("UPDATE schema_migrations SET name = 'one' WHERE number = 1", "UPDATE schema_migrations SET name = 'two' WHERE number = 1",
     "the row of migration 1"),
    ("UPDATE checkpoint SET note = x'00' WHERE size = 3", "UPDATE checkpoint SET note = x'01' WHERE size = 3", "stored under 3 entries"),
], ids=("view", "trigger", "table again", "stray row again", "output again", "entry again", "hash", "row", "migration again",
        "checkpoint again"))
def test_an_acceptance_covers_only_its_damage(copy, known, new, said):
    """Every reader tells the new damage from the accepted damage, and the service refuses it."""
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
    """Without the key, an attacker makes an entry look like `recovered`."""
    with tampering(copy) as connection:
        damage(connection)
        forged = json.dumps({"at": json.loads(entries_of(copy)[5])["at"], "event": "recovered", "problem_count": 10**9},
                            separators=(",", ":")).encode()
        connection.execute("UPDATE leaf SET bytes = ? WHERE entry = 5", (forged,))
    copy.start()
    eventually(lambda: "history_damaged" in reasons(copy), "readyz names the damage")
    assert copy.run().code == 503
