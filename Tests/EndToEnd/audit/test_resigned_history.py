"""Histories that are consistent with themselves: cut off, put back, signed anew, replaced. Only an older checkpoint tells;
without one, `audit verify` says what it cannot exclude. Service and commands sign nothing that was forged.
"""

import json
import os
import pty
import re
import shutil
import subprocess

import pytest

from support.audit_log import (
    RUNS, Key, changed, entries_of, entry_of, event, events_of, forged_log, head_of, is_found, is_intact, put_forged, put_log,
    run_until, sign, size_of, tampering, verify,
)
from support.service import BINARY, ROOT
from support.waiting import DEADLINE, eventually

pytestmark = pytest.mark.slow

RUN = RUNS // 2
NOT_EXCLUDED = "rollback and re-signing not excluded"


def own_key(service):
    return Key(service.state / "audit.key")


# Against an older checkpoint


def test_the_newest_ten_are_cut_off(original, copy):
    """The attack needs no key, because the checkpoint of that time is still in its table."""
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
    """The new history is longer, so its length reveals nothing."""
    shutil.copy2(original.folder / "yesterday.sqlite", copy.database)
    copy.start()
    run_until(copy, RUNS + 5)
    copy.stop()
    is_intact(verify(copy), NOT_EXCLUDED)
    size, agreed = size_of(head_of(original)), size_of((original.folder / "yesterday").read_bytes())
    is_found(verify(copy, original.folder / "yesterday", original.folder / "newest"),
             f"the log differs before entry {size} from what was signed; up to entry {agreed - 1} it agrees")


def test_everything_is_signed_anew(original, copy):
    """The attacker has the key."""
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
    """Another log replaces it, with another key and the same origin."""
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


def forge_without_key(copy):
    """Entries, hashes and rows agree. Only the signed root does not."""
    entries = forged_log(copy, RUN)
    with tampering(copy) as connection:
        put_forged(connection, entries, RUN)


@pytest.mark.parametrize("command", [
    ["run"], ["token", "--user", "budi"], ["history", "redact", "1", "--reason", "for a test"], ["audit", "export", "out"],
    ["audit", "rotate-key"],
], ids=lambda command: " ".join(command[:2]))
def test_a_command_does_not_sign_what_was_forged(copy, command):
    """An append signs the whole log. It must first compare the log with the newest checkpoint."""
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
    """Another key is in the file. An append with it would make the log unverifiable for good."""
    shutil.copy2(Key.new(tmp_path / "own.key").path, copy.state / "audit.key")
    before = len(events_of(copy))
    copy.command("run")
    assert len(events_of(copy)) == before
    is_intact(verify(copy))


# What verify says about its limits


def test_verify_says_what_it_cannot_exclude(original):
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
    """With the key, an attacker adds an entry with that time after the last one."""
    entries = entries_of(service)
    entries.append(json.dumps({"at": at, "event": "service_stopped"}, separators=(",", ":")).encode())
    with tampering(service) as connection:
        put_log(connection, entries)
        sign(connection, entries, own_key(service))


def test_the_clock_was_set_back(installed):
    """The last entry is in the future. The next start notices it, and verify says where times run backwards."""
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
    """The old key signs the new one for one position in the log, so the event about the clock must come before both."""
    installed.script("exit 0")
    installed.command("run")
    append_signed(installed, "2100-01-01T00:00:00.000000Z")
    assert installed.command("audit", "rotate-key").returncode == 0
    assert [found["event"] for found in events_of(installed)[-2:]] == ["clock_stepped", "key_changed"]
    assert installed.command("run").returncode == 0
    is_intact(verify(installed), "changes the key")
