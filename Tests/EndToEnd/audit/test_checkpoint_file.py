"""AUDIT_CHECKPOINT_FILE itself: each checkpoint is written to it, and it may be torn, long, hostile or missing."""

import base64
import json
import os
import time

import pytest

from support.audit_log import Key, entries_of, head_of, is_found, is_intact, size_of, verify
from support.checkpoint_file import COULD_NOT_CHECK, goes_on, notes_in, resumed, roll_back, run_leaves_its_notes
from support.disks import disk, fill


def test_a_torn_note_spoils_no_other(kept):
    """A full disk cuts a note off. The next note is complete, and the verification reports the torn one."""
    whole = kept.file.read_bytes()
    for count in range(1, len(notes_in(kept.file)[-1]), 17):
        kept.file.write_bytes(whole + b"\n" + notes_in(kept.file)[-1][:count])
        run_leaves_its_notes(kept)
        is_intact(verify(kept), f"It extends the checkpoint of {size_of(head_of(kept))} entries.", str(kept.file))
        kept.file.write_bytes(whole)


@pytest.mark.root
def test_a_full_disk_tears_a_note(kept):
    """The file has the beginning of a note, and then a complete note."""
    place = kept.folder / "small"
    place.mkdir()
    with disk(place, 1):
        kept.set(AUDIT_CHECKPOINT_FILE=place / "checkpoints")
        kept.file = place / "checkpoints"
        assert kept.command("run").returncode == 0
        # The rest of the file's last page has room for the beginning of a note. The disk has no more room.
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


@pytest.mark.root
def test_notes_are_synced(kept):
    """Before the command ends, the note and the name of a new file are on the disk."""
    trace, file = kept.folder / "trace", kept.folder / "elsewhere"
    kept.set(AUDIT_CHECKPOINT_FILE=file)
    done = kept.command("run", prefix=("strace", "-f", "-y", "-o", str(trace), "-e", "trace=write,fsync"))
    assert done.returncode == 0
    lines = [line for line in trace.read_text().splitlines() if f"<{file}>" in line or "fsync(" in line and f"<{kept.folder}>" in line]
    calls = [line.split("(")[0].split()[-1] for line in lines]
    assert calls[:3] == ["write", "fsync", "fsync"], lines
    assert calls[3:5] == ["write", "fsync"], lines


@pytest.mark.root
@pytest.mark.slow
def test_a_disk_that_hangs_holds_no_run_up(kept):
    """If the file's disk answers too late, the run's output says so and the run continues."""
    kept.counting_script()
    done = kept.command("run", prefix=(
        "strace", "-f", "-o", "/dev/null", "-P", str(kept.file), "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=15000000"))
    assert done.returncode == 0 and "does not answer" in done.stderr and kept.times_run() == 1, done


@pytest.mark.parametrize("content", [
    b"\0" * 3_000_000, b"\n" * 3_000_000, b"\xe2\x80\x94 x y\n" * 200_000, b"a\nb\nc\n\n" * 300_000, b"A" * 3_000_000,
    "— log.example AAAA\n".encode() * 100_000 + b"\n",
], ids=("NULs", "line feeds", "signature lines", "texts", "one line", "signatures"))
def test_hostile_content_keeps_nothing_from_running(kept, content):
    """The content has no valid note, so it proves nothing, and a writer of the file cannot stop runs with it."""
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


@pytest.mark.root
def test_only_the_end_of_a_long_file_is_read(kept):
    """The file is sparse and has a gigabyte. The newest note is at its end."""
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
def test_a_checkpoint_path_that_is_not_a_file_is_reported(kept, make):
    kept.file.unlink()
    make(kept.file)
    kept.counting_script()
    done = kept.command("run")
    assert done.returncode == 0 and "AUDIT_CHECKPOINT_FILE" in done.stderr and kept.times_run() == 1, done
    done = verify(kept)
    assert done.returncode == COULD_NOT_CHECK and str(kept.file) in done.stderr, done


# Checkpoints that an auditor kept


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


def test_a_file_without_a_checkpoint_checks_nothing(kept):
    for content in (b"", b"nothing\n", notes_in(kept.file)[-1][:-30], b"A" * 200):
        (kept.folder / "brought").write_bytes(content)
        done = verify(kept, kept.folder / "brought")
        assert done.returncode == COULD_NOT_CHECK and "no checkpoint" in done.stderr, done
    done = verify(kept, kept.folder / "missing")
    assert done.returncode == COULD_NOT_CHECK, done


def test_an_auditor_is_told_of_what_was_given_up(kept):
    """An administrator's decision does not make an auditor's checkpoint match."""
    (kept.folder / "brought").write_bytes(notes_in(kept.file)[-1])
    roll_back(kept)
    resumed(kept)
    is_intact(verify(kept))
    is_found(verify(kept, kept.folder / "brought"))


# Checkpoints outside the history


def test_every_checkpoint_goes_to_the_file(installed):
    file = installed.folder / "checkpoints"
    installed.set(AUDIT_CHECKPOINT_FILE=file)
    installed.script("exit 0")
    installed.start()
    installed.run_recorded()
    installed.command("run")
    installed.stop()
    lines = file.read_bytes().split(b"\n")[1:]
    # A note has three lines, an empty one and a signature. An empty line precedes each note.
    notes = [b"\n".join(lines[start:start + 5]) + b"\n" for start in range(0, len(lines) - 1, 6)]
    sizes = [size_of(note) for note in notes]
    stored = [size for size, in installed.sql("SELECT size FROM checkpoint ORDER BY size")]
    assert sizes[-1] == size_of(head_of(installed)) and set(stored[1:]) <= set(sizes), (sizes, stored)
    assert sizes == sorted(sizes)
    (installed.folder / "last").write_bytes(notes[-1])
    assert notes[-1] == head_of(installed)
    is_intact(verify(installed, installed.folder / "last"), f"It extends the checkpoint of {sizes[-1]} entries.")
    assert "AUDIT_CHECKPOINT_FILE" not in installed.command("check").stdout


def test_a_checkpoint_file_that_cannot_be_written_stops_nothing(installed):
    installed.set(AUDIT_CHECKPOINT_FILE=installed.folder / "nowhere/checkpoints")
    installed.counting_script()
    done = installed.command("run")
    assert done.returncode == 0 and "AUDIT_CHECKPOINT_FILE" in done.stderr and installed.times_run() == 1, done


def test_check_warns_while_none_leaves(installed):
    installed.script("exit 0")
    assert "AUDIT_CHECKPOINT_FILE is not set" in installed.command("check").stdout


def test_check_warns_when_the_newest_outside_is_old(installed):
    file = installed.folder / "checkpoints"
    installed.set(AUDIT_CHECKPOINT_FILE=file)
    installed.script("exit 0")
    installed.command("run")
    long_ago = time.time() - 8.5 * 86400
    os.utime(file, (long_ago, long_ago))
    assert f"the newest checkpoint in {file} is 8 days old" in installed.command("check").stdout
    file.unlink()
    assert f"{file} is missing" in installed.command("check").stdout
