"""AUDIT_CHECKPOINT_FILE: a history behind the checkpoints that left it refuses runs and signs nothing until somebody decides, by
`audit resume`, to go on. The file itself may be torn, long or hostile."""

import base64
import json
import os
import shutil

import pytest

from support.assertions import reasons
from support.audit_log import (
    Key, changed, entries_of, events_of, head_of, is_found, is_intact, put_log, sign, size_of, tampering, verify,
)
from support.disks import disk, fill
from support.waiting import eventually

COULD_NOT_CHECK = 3


@pytest.fixture
def kept(installed):
    """Three runs, with their checkpoints in a file outside, and the history as it was after two of them."""
    installed.set(AUDIT_CHECKPOINT_FILE=installed.folder / "checkpoints")
    installed.file = installed.folder / "checkpoints"
    installed.script("exit 0")
    for _ in range(2):
        assert installed.command("run").returncode == 0
    installed.older = installed.folder / "older.sqlite"
    shutil.copy2(installed.database, installed.older)
    assert installed.command("run").returncode == 0
    installed.newest = size_of(head_of(installed))
    return installed


def roll_back(service):
    shutil.copy2(service.older, service.database)


def notes_in(file):
    """The notes in a file, by their signature lines."""
    lines = file.read_bytes().split(b"\n")
    return [b"\n".join(lines[at - 4:at + 1]) + b"\n" for at, line in enumerate(lines) if line.startswith("— ".encode())]


def run_leaves_its_notes(service):
    """A run whose every checkpoint is whole in the file."""
    before = size_of(head_of(service))
    assert service.command("run").returncode == 0
    stored = [bytes(note) for note, in service.sql("SELECT note FROM checkpoint WHERE size > ?", before)]
    assert len(stored) == 2 and set(stored) <= set(notes_in(service.file))


def is_refused(service, size=None, found=None):
    """Every way to start a run refuses, nothing is signed, and everything that tells says why."""
    before = head_of(service) if service.database.exists() else None
    counted = service.times_run()
    ran = service.command("run")
    assert ran.returncode == 1 and "audit resume --reason" in ran.stderr, ran
    for command in (["token", "--user", "budi"], ["audit", "rotate-key"], ["backup", "copy.sqlite"]):
        assert service.command(*command).returncode == 1
    if before:
        is_found(verify(service), *(["it was cut off"] if size and size > found else []))
        assert "problems" in service.command("check").stdout
    service.start()
    try:
        assert "history_rolled_back" in reasons(service)
        answer = service.run()
        answer.is_json(503, answer.text)
        assert service.status() == "idle"
        if before:
            assert service.admin("/admin/audit/verify").json["status"] == "tampered"
    finally:
        service.stop()
    output = service.output()
    assert f"{service.file} holds a checkpoint of {size or service.newest} entries" in output, output
    assert service.times_run() == counted
    assert (head_of(service) if before else None) == before, "no size is signed a second time"


def resumed(service):
    done = service.command("audit", "resume", "--reason", "restored after a crash")
    assert done.returncode == 0, done
    return events_of(service, "recovered")[-1]


def goes_on(service):
    """Runs by command and by request, and nothing is found."""
    assert service.command("run").returncode == 0
    service.start()
    try:
        assert reasons(service) == [] and service.run().code == 200
        assert service.admin("/admin/audit/verify").json["status"] == "ok"
    finally:
        service.stop()
    return verify(service)


def test_an_older_history_is_refused(kept):
    kept.counting_script()
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_a_missing_history_is_refused(kept):
    """The key is still there, so that a new history would sign its first sizes a second time."""
    kept.counting_script()
    kept.database.unlink()
    is_refused(kept)
    assert entries_of(kept) == []
    recovered = resumed(kept)
    assert recovered["given_up"]["size"] == kept.newest
    is_intact(goes_on(kept))


def test_a_history_that_has_grown_past_is_refused(kept):
    """Longer than the newest checkpoint, so that its size tells nothing: it went on without the file."""
    kept.counting_script()
    roll_back(kept)
    kept.set(AUDIT_CHECKPOINT_FILE=None)
    for _ in range(4):
        assert kept.command("run").returncode == 0
    kept.set(AUDIT_CHECKPOINT_FILE=kept.file)
    is_refused(kept)


def test_an_older_history_is_put_under_a_running_service(kept):
    """It remembers what it has seen, and the next start finds it in the file."""
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
    """What is open is no longer what others find: no run starts, and readyz tells."""
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
    """Somebody who may append puts a checkpoint that the history extends behind the one it does not, again and again."""
    kept.counting_script()
    note = gone_on(kept)[-1]
    with kept.file.open("ab") as file:
        file.write((b"\n" + note) * 300)
    is_refused(kept)


def test_checkpoints_of_a_history_that_went_on_hide_no_rollback(kept):
    """Each of them is another one."""
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
    """It says the same as the signed one and stands before it."""
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
    """With the key: one user is another, and everything is signed anew."""
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
    """Although the file still holds what was given up, with larger sizes than the history has now."""
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
    """Before it has grown past what was given up, where old and new checkpoints have the same sizes."""
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
    """An older history than the resumed one does not know of the decision."""
    kept.counting_script()
    roll_back(kept)
    resumed(kept)
    roll_back(kept)
    is_refused(kept, kept.newest, kept.newest - 2)


def test_a_copy_of_what_was_given_up_excuses_nothing(kept):
    """Somebody who may append puts the checkpoint that was given up behind the new ones, and an older history in place."""
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
    """Without the key: an entry is made to look as if it gave the checkpoint up."""
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


# The file


def test_a_torn_note_spoils_no_other(kept):
    """A full disk keeps the beginning of a note; the next one is whole, and what is torn is said."""
    whole = kept.file.read_bytes()
    for count in range(1, len(notes_in(kept.file)[-1]), 17):
        kept.file.write_bytes(whole + b"\n" + notes_in(kept.file)[-1][:count])
        run_leaves_its_notes(kept)
        is_intact(verify(kept), f"It extends the checkpoint of {size_of(head_of(kept))} entries.", str(kept.file))
        kept.file.write_bytes(whole)


def test_a_full_disk_tears_a_note(kept):
    """What a note begins with is there, and the next note is whole."""
    place = kept.folder / "small"
    place.mkdir()
    with disk(place, 1):
        kept.set(AUDIT_CHECKPOINT_FILE=place / "checkpoints")
        kept.file = place / "checkpoints"
        assert kept.command("run").returncode == 0
        # The rest of the file's page takes the beginning of a note, the disk no more.
        with kept.file.open("ab") as file:
            file.write(b"\n" * (3900 - kept.file.stat().st_size))
        filler = fill(place)
        kept.counting_script()
        done = kept.command("run")
        assert done.returncode == 0 and "AUDIT_CHECKPOINT_FILE" in done.stderr and kept.times_run() == 1, done
        assert kept.file.stat().st_size == 4096
        filler.unlink()
        run_leaves_its_notes(kept)
        is_intact(verify(kept), f"It extends the checkpoint of {size_of(head_of(kept))} entries.", "torn")


def test_notes_are_synced(kept):
    """Before the command ends the note is on the disk, and the name of a new file as well."""
    trace, file = kept.folder / "trace", kept.folder / "elsewhere"
    kept.set(AUDIT_CHECKPOINT_FILE=file)
    done = kept.command("run", prefix=("strace", "-f", "-y", "-o", str(trace), "-e", "trace=write,fsync"))
    assert done.returncode == 0
    lines = [line for line in trace.read_text().splitlines() if f"<{file}>" in line or "fsync(" in line and f"<{kept.folder}>" in line]
    calls = [line.split("(")[0].split()[-1] for line in lines]
    assert calls[:3] == ["write", "fsync", "fsync"], lines
    assert calls[3:5] == ["write", "fsync"], lines


def test_a_disk_that_hangs_holds_no_run_up(kept):
    """The file's disk takes longer to answer than anybody waits: the run is told of it and goes on."""
    kept.counting_script()
    done = kept.command("run", prefix=(
        "strace", "-f", "-o", "/dev/null", "-P", str(kept.file), "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=15000000"))
    assert done.returncode == 0 and "does not answer" in done.stderr and kept.times_run() == 1, done


@pytest.mark.parametrize("content", [
    b"\0" * 3_000_000, b"\n" * 3_000_000, b"\xe2\x80\x94 x y\n" * 200_000, b"a\nb\nc\n\n" * 300_000, b"A" * 3_000_000,
    "— log.example AAAA\n".encode() * 100_000 + b"\n",
], ids=("NULs", "line feeds", "signature lines", "texts", "one line", "signatures"))
def test_hostile_content_keeps_nothing_from_running(kept, content):
    """Nobody's note is in it, so it says nothing; whoever may write the file cannot stop runs with it."""
    kept.file.write_bytes(content)
    is_intact(verify(kept), "no checkpoint of this log")
    is_intact(goes_on(kept), "It extends the checkpoint of")


def test_notes_of_others_say_nothing(kept):
    """A checkpoint under our name by another key, with a larger size."""
    other = Key.new(kept.folder / "other.key")
    origin = json.loads(entries_of(kept)[0])["origin"]
    with kept.file.open("ab") as file:
        file.write(b"\n" + other.checkpoint(origin, entries_of(kept) * 2))
    is_intact(verify(kept), "none of this log's keys signed 1 of the checkpoints")
    is_intact(goes_on(kept))


def test_only_the_end_of_a_long_file_is_read(kept):
    """A gigabyte, sparse: the newest note is at its end."""
    notes = kept.file.read_bytes()
    with kept.file.open("wb") as file:
        file.truncate(1 << 30)
        file.seek(0, 2)
        file.write(b"\n" + notes)
    trace = kept.folder / "trace"
    done = kept.command("audit", "verify", prefix=("strace", "-f", "-y", "-o", str(trace), "-e", "trace=pread64,read"))
    is_intact(done, f"It extends the checkpoint of {kept.newest} entries.", "bytes of")
    read = [int(line.rsplit("= ", 1)[1]) for line in trace.read_text().splitlines() if f"<{kept.file}>" in line]
    assert 0 < sum(read) <= 1 << 20, read


@pytest.mark.parametrize("make", [
    lambda file: file.mkdir(), lambda file: os.mkfifo(file), lambda file: file.symlink_to(file.parent / "elsewhere"),
], ids=("folder", "FIFO", "link"))
def test_what_is_no_file_is_told(kept, make):
    kept.file.unlink()
    make(kept.file)
    kept.counting_script()
    done = kept.command("run")
    assert done.returncode == 0 and "AUDIT_CHECKPOINT_FILE" in done.stderr and kept.times_run() == 1, done
    done = verify(kept)
    assert done.returncode == COULD_NOT_CHECK and str(kept.file) in done.stderr, done


# What an auditor brings


def header_form(kept):
    kept.start()
    try:
        return kept.run().header("Sync-Checkpoint")
    finally:
        kept.stop()


def test_a_checkpoint_in_every_form(kept):
    header = header_form(kept)
    size = size_of(base64.b64decode(header))
    newest = size_of(head_of(kept))
    forms = {
        "many": kept.file.read_bytes(), "one": base64.b64decode(header), "base64": header.encode(), "base64 line": header.encode() + b"\n",
        "header": f"HTTP/1.1 200 OK\r\nSync-Run-Id: 4\r\nsync-checkpoint: {header}\r\n\r\n".encode(),
    }
    kept.set(AUDIT_CHECKPOINT_FILE=None)
    for name, content in forms.items():
        (kept.folder / "brought").write_bytes(content)
        is_intact(verify(kept, kept.folder / "brought"), f"It extends the checkpoint of {newest if name == 'many' else size} entries.")
    roll_back(kept)
    for content in forms.values():
        (kept.folder / "brought").write_bytes(content)
        is_found(verify(kept, kept.folder / "brought"), "it was cut off")


def test_what_holds_no_checkpoint_checks_nothing(kept):
    for content in (b"", b"nothing\n", notes_in(kept.file)[-1][:-30], b"A" * 200):
        (kept.folder / "brought").write_bytes(content)
        done = verify(kept, kept.folder / "brought")
        assert done.returncode == COULD_NOT_CHECK and "no checkpoint" in done.stderr, done
    done = verify(kept, kept.folder / "missing")
    assert done.returncode == COULD_NOT_CHECK, done


def test_an_auditor_is_told_of_what_was_given_up(kept):
    """A decision of an administrator does not excuse what an auditor kept."""
    (kept.folder / "brought").write_bytes(notes_in(kept.file)[-1])
    roll_back(kept)
    resumed(kept)
    is_intact(verify(kept))
    is_found(verify(kept, kept.folder / "brought"))
