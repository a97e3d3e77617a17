"""A history that is behind the checkpoints in AUDIT_CHECKPOINT_FILE refuses runs and signs nothing, until an administrator
decides by `audit resume` to go on.
"""

import base64
import json
import os
import shutil

import pytest

from support.assertions import reasons
from support.audit_log import Key, changed, entries_of, head_of, is_intact, put_log, sign, size_of, tampering, verify
from support.checkpoint_file import goes_on, is_refused, notes_in, resumed, roll_back
from support.waiting import eventually


def test_an_older_history_is_refused(kept):
    kept.counting_script()
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_a_missing_history_is_refused(kept):
    """The key still exists, so a new history would sign its first sizes a second time."""
    kept.counting_script()
    kept.database.unlink()
    is_refused(kept)
    assert entries_of(kept) == []
    recovered = resumed(kept)
    assert recovered["given_up"]["size"] == kept.newest
    is_intact(goes_on(kept))


def test_a_history_that_has_grown_past_is_refused(kept):
    """The history continued without the file. It is longer than the newest checkpoint, so its size reveals nothing."""
    kept.counting_script()
    roll_back(kept)
    kept.set(AUDIT_CHECKPOINT_FILE=None)
    for _ in range(4):
        assert kept.command("run").returncode == 0
    kept.set(AUDIT_CHECKPOINT_FILE=kept.file)
    is_refused(kept)


def test_an_older_history_is_put_under_a_running_service(kept):
    """The service remembers the checkpoint, and the next start finds it in the file."""
    kept.counting_script()
    kept.start()
    assert kept.run().code == 200
    kept.newest = max(map(size_of, notes_in(kept.file)))
    roll_back(kept)
    before = head_of(kept)
    answer = kept.run()
    answer.is_json(503, answer.text)
    assert reasons(kept) == ["history_rolled_back"] and kept.times_run() == 1
    kept.stop()
    assert head_of(kept) == before
    is_refused(kept, kept.newest, size_of(before))


@pytest.mark.parametrize("put_another", [
    lambda service: os.rename(service.older, service.database), lambda service: service.database.unlink(),
], ids=("renamed over it", "deleted"))
def test_the_file_of_a_running_service_is_replaced(kept, put_another):
    """The open file is no longer the one at the path. No run starts, and /readyz says why."""
    kept.counting_script()
    kept.start()
    assert kept.run().code == 200 and reasons(kept) == []
    put_another(kept)
    answer = kept.run()
    answer.is_json(503, answer.text)
    eventually(lambda: "history_unreadable" in reasons(kept), "readyz names it")
    assert kept.times_run() == 1


def gone_on(service):
    """Rolled back, and grown past what was lost without the file; the newest note of that."""
    roll_back(service)
    service.set(AUDIT_CHECKPOINT_FILE=service.folder / "others")
    for _ in range(4):
        assert service.command("run").returncode == 0
    service.set(AUDIT_CHECKPOINT_FILE=service.file)
    return notes_in(service.folder / "others")


def test_copies_hide_no_rollback(kept):
    """An attacker who can append adds many checkpoints that the history extends after the one that it does not."""
    kept.counting_script()
    note = gone_on(kept)[-1]
    with kept.file.open("ab") as file:
        file.write((b"\n" + note) * 300)
    is_refused(kept)


def test_checkpoints_of_a_history_that_went_on_hide_no_rollback(kept):
    """Each of these checkpoints is a different one."""
    roll_back(kept)
    kept.set(AUDIT_CHECKPOINT_FILE=kept.folder / "others")
    kept.start()
    for _ in range(40):
        assert kept.run().code == 200
    kept.stop()
    kept.set(AUDIT_CHECKPOINT_FILE=kept.file)
    with kept.file.open("ab") as file:
        file.write((kept.folder / "others").read_bytes())
    kept.counting_script()
    is_refused(kept)


def test_an_unsigned_copy_hides_no_rollback(kept):
    """A copy of the checkpoint with an invalid signature precedes the signed one."""
    kept.counting_script()
    lost = notes_in(kept.file)[-1]
    lines = lost.split(b"\n")
    dash, name, signature = lines[4].split(b" ")
    blob = base64.b64decode(signature)
    lines[4] = b" ".join([dash, name, base64.b64encode(blob[:4] + bytes(64))])
    with kept.file.open("r+b") as file:
        rest = file.read()
        file.seek(0)
        file.write(b"\n" + b"\n".join(lines) + rest)
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_another_history_of_the_same_size_is_refused(kept):
    """With the key, an attacker changes one user and signs everything anew."""
    kept.counting_script()
    entries = entries_of(kept)
    entries[-1] = changed(entries[-1], duration_ms=7)
    with tampering(kept) as connection:
        connection.execute("UPDATE run_finished SET duration_ms = 7 WHERE id = 3")
        put_log(connection, entries)
        sign(connection, entries, Key(kept.state / "audit.key"))
    is_refused(kept)


def test_the_history_and_the_key_of_before_a_rotation(kept):
    """The new key's checkpoints mean nothing to the old history; the rotation itself was signed by both."""
    kept.counting_script()
    roll_back_files = [(kept.database, kept.folder / "before.sqlite"), (kept.state / "audit.key", kept.folder / "before.key")]
    for file, copy in roll_back_files:
        shutil.copy2(file, copy)
    assert kept.command("audit", "rotate-key").returncode == 0
    assert kept.command("run").returncode == 0
    is_intact(verify(kept))
    kept.newest += 1
    for file, copy in roll_back_files:
        shutil.copy2(copy, file)
    is_refused(kept, kept.newest, kept.newest - 1)


# The decision to go on


def test_a_resumed_history_is_not_refused_again(kept):
    """The file still has the abandoned checkpoints, whose sizes are larger than the history's."""
    roll_back(kept)
    recovered = resumed(kept)
    lost = notes_in(kept.file)
    given_up = next(note for note in lost if size_of(note) == kept.newest)
    assert recovered["reason"] == "restored after a crash" and recovered["user"].startswith("uid:")
    assert (recovered["given_up"]["size"], recovered["given_up"]["root"]) == (kept.newest, given_up.split(b"\n")[2].decode())
    assert kept.file.read_bytes()[recovered["given_up"]["offset"]:].startswith(given_up)
    assert "rolled back" in recovered["problems"][0]
    is_intact(verify(kept), f"entry {recovered['entry']} gave up what {kept.file} holds up to a checkpoint of {kept.newest} entries")
    is_intact(goes_on(kept), "It extends the checkpoint of")


def test_a_resumed_history_is_rolled_back_again(kept):
    """The history is still shorter than the abandoned part, so old and new checkpoints can have the same size."""
    kept.script("exit 0")
    for _ in range(8):
        assert kept.command("run").returncode == 0
    roll_back(kept)
    resumed(kept)
    shutil.copy2(kept.database, kept.older)
    assert kept.command("run").returncode == 0
    kept.newest = size_of(head_of(kept))
    is_intact(verify(kept))
    kept.counting_script()
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)
    second = resumed(kept)
    assert second["given_up"]["size"] == kept.newest
    is_intact(goes_on(kept))


def test_the_decision_is_lost_with_the_history(kept):
    """A history from before the decision does not contain it."""
    kept.counting_script()
    roll_back(kept)
    resumed(kept)
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_a_copy_of_what_was_given_up_excuses_nothing(kept):
    """An attacker who can append adds the given-up checkpoint after the new ones and puts back an older history."""
    given_up = notes_in(kept.file)[-1]
    roll_back(kept)
    resumed(kept)
    shutil.copy2(kept.database, kept.older)
    assert kept.command("run").returncode == 0
    kept.newest = size_of(head_of(kept))
    with kept.file.open("ab") as file:
        file.write(b"\n" + given_up)
    is_intact(verify(kept))
    kept.counting_script()
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_a_decision_that_nobody_signed(kept):
    """Without the key, an attacker makes an entry look as if it abandoned the checkpoint."""
    kept.counting_script()
    note = notes_in(kept.file)[-1].split(b"\n")
    given_up = {"file_size": 10**6, "offset": 0, "root": note[2].decode(), "size": int(note[1])}
    roll_back(kept)
    with tampering(kept) as connection:
        at = json.loads(entries_of(kept)[2])["at"]
        forged = json.dumps({"at": at, "event": "recovered", "given_up": given_up}, separators=(",", ":")).encode()
        connection.execute("UPDATE leaf SET bytes = ? WHERE entry = 2", (forged,))
    ran = kept.command("run")
    assert ran.returncode == 1 and "rolled back" in ran.stderr and kept.times_run() == 0, ran
