"""AUDIT_CHECKPOINT_FILE: the notes in it, a history behind it, and how every way to start a run then refuses."""

import shutil

from support.assertions import reasons
from support.audit_log import events_of, head_of, is_found, size_of, verify

COULD_NOT_CHECK = 3


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
