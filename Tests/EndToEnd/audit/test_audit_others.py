"""The trail in others' hands: verifiers that others wrote, receipts, pinned and changed keys, and checkpoints that left the
machine.

Tests/Verifiers/prepare.sh builds the verifiers (Debian's golang-go, golang-golang-x-mod-dev and python3-venv).
"""

import base64
import json
import os
import re
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from support.assertions import reasons
from support.audit_log import (
    Key, changed, entries_of, event, events_of, head_of, is_found, is_intact, put_log, run_until, sign, size_of, stored_hashes,
    tampering, verify,
)
from support.service import ROOT
from support.waiting import eventually

VERIFIERS = ROOT / "Tests/Verifiers"
BUILT = ROOT / ".build/verifiers"


@pytest.fixture(scope="module", autouse=True)
def prepared():
    subprocess.run([VERIFIERS / "prepare.sh"], check=True, capture_output=True)


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=120)


def go(vkey, *arguments):
    return run(BUILT / "verify", "-vkey", vkey, *arguments)


def scales(vkey, *arguments):
    arguments = [f"-{part}" if str(part).startswith("-") else part for part in arguments]
    return run(BUILT / "python/bin/python", VERIFIERS / "scales.py", "--vkey", vkey, *arguments)


def openssl(vkey, checkpoint):
    return run(VERIFIERS / "openssl.sh", vkey, checkpoint)


@pytest.fixture(params=[go, scales])
def verifier(request):
    return request.param


def accepted(result):
    assert result.returncode == 0, result
    return result.stdout


def refused(result):
    assert result.returncode == 1 and "REFUSED" in result.stderr, result


def vkey_of(service):
    return service.command("audit", "vkey").stdout.strip()


def export(service, name="export"):
    folder = service.folder / name
    done = service.command("audit", "export", folder)
    assert done.returncode == 0, done
    return folder


@pytest.fixture(scope="module")
def exported(shared):
    """Three hundred entries and more, exported; a checkpoint kept on the way, and receipts."""
    shared.script('echo "output of run $SYNC_RUN_ID"')
    run_until(shared, 60)
    (shared.folder / "older").write_bytes(head_of(shared))
    run_until(shared, 150)
    shared.vkey = vkey_of(shared)
    shared.export = export(shared)
    assert size_of((shared.export / "checkpoint").read_bytes()) > 256
    return shared


# Export and receipts


def test_the_export_is_accepted(exported, verifier):
    said = accepted(verifier(exported.vkey, "-log", exported.export, "-checkpoint", exported.folder / "older"))
    assert "extends 1 older checkpoints" in said
    accepted(openssl(exported.vkey, exported.export / "checkpoint"))


def test_outputs_are_beside_the_export(exported):
    names = {file.name for file in (exported.export / "outputs").iterdir()}
    assert {sha256(f"output of run {run}\n".encode()).hexdigest() for run in range(1, 151)} == names
    for file in (exported.export / "outputs").iterdir():
        assert sha256(file.read_bytes()).hexdigest() == file.name


def edit_entry(folder):
    path = folder / "tile/entries/000"
    path.write_bytes(path.read_bytes().replace(b'"user":"rina"', b'"user":"eva!"', 1))


def edit_hash(folder):
    path = folder / "tile/0/000"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)


def edit_size(folder):
    path = folder / "checkpoint"
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"%d" % (int(lines[1]) - 1)
    path.write_bytes(b"\n".join(lines))


def remove_bundle(folder):
    (folder / "tile/entries/000").unlink()


@pytest.mark.parametrize("attack", [edit_entry, edit_hash, edit_size, remove_bundle])
def test_a_tampered_export_is_refused(exported, verifier, attack, tmp_path):
    folder = shutil.copytree(exported.export, tmp_path / "export")
    attack(folder)
    refused(verifier(exported.vkey, "-log", folder))
    if attack is edit_size:
        assert openssl(exported.vkey, folder / "checkpoint").returncode == 1


def test_receipts(exported, verifier, tmp_path):
    for number in (1, 2, 75, 150):
        answer = exported.admin(f"/admin/runs/{number}/receipt")
        assert answer.code == 200 and answer.header("Content-Type").startswith("text/plain"), answer
        file = tmp_path / f"{number}.tlog-proof"
        file.write_bytes(answer.body)
        said = accepted(verifier(exported.vkey, "-receipt", file))
        assert f'"run":{number},' in said and '"event":"run_finished"' in said
        entry = re.search(b"^extra (.*)$", answer.body, re.MULTILINE).group(1)
        forged = base64.b64encode(base64.b64decode(entry).replace(b'"exit_code":0', b'"exit_code":1'))
        assert forged != entry
        file.write_bytes(answer.body.replace(entry, forged))
        refused(verifier(exported.vkey, "-receipt", file))
    exported.admin("/admin/runs/999/receipt").is_error(404)


def test_a_checkpoint_comes_with_the_answer(exported):
    answer = exported.run()
    note = base64.b64decode(answer.header("Sync-Checkpoint"))
    assert note == exported.admin("/admin/audit/checkpoint").body == head_of(exported)
    (exported.folder / "note").write_bytes(note)
    accepted(openssl(exported.vkey, exported.folder / "note"))
    is_intact(verify(exported, exported.folder / "note", vkey=exported.vkey), "Intact.")
    # The start's checkpoint went to the log, from where journald or syslog carries it on.
    logged = re.findall(r"note=(\S+).*checkpoint$", exported.output(), re.MULTILINE)
    started = int(answer.header("Sync-Run-Id"))
    eventually(lambda: len(re.findall(r"note=(\S+).*checkpoint$", exported.output(), re.MULTILINE)) == started, "in the log")
    assert size_of(base64.b64decode(logged[-1])) < size_of(note)


# The events over HTTP


def test_events_page_by_page(exported):
    everything = events_of(exported)
    found, cursor = [], ""
    while cursor is not None:
        answer = exported.admin(f"/admin/audit?limit=100{cursor and '&cursor=' + cursor}").json
        assert len(answer["events"]) <= 100
        found += answer["events"]
        cursor = answer["next"]
    # Those that were asked for while events were added begin with newer ones.
    assert found[-len(everything):] == everything[::-1]
    finished = exported.admin("/admin/audit?event=run_finished&limit=3").json["events"]
    assert [one["event"] for one in finished] == ["run_finished"] * 3
    for query in ("limit=0", "limit=201", "cursor=0", "cursor=x", "event=nonsense", "user=rina"):
        exported.admin(f"/admin/audit?{query}").is_error(400)


def test_verify_over_http(exported):
    """One at a time: each reads the whole log."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exported.admin("/admin/audit/verify"), range(8)))
    assert {answer.code for answer in answers} == {200, 429}
    report = next(answer.json for answer in answers if answer.code == 200)
    assert report["status"] == "ok" and report["size"] > 256 and report["problems"] == []
    assert len(base64.b64decode(report["root"])) == 32


# Keys


def no_run_and_yet_reading(service):
    service.counting_script()
    service.log_path.write_text("a line\n")
    service.start()
    eventually(lambda: "history_damaged" in reasons(service), "readyz names it")
    assert service.request("GET", "/readyz", token=None).json == {"status": "not_ready"}
    answer = service.run()
    assert answer.code == 503 and list(answer.json) == ["status", "message", "output"], answer
    assert service.request("GET", "/sync/status").json["status"] == "idle"
    assert service.request("GET", "/sync/log").json["log"] == "a line"
    service.stop()
    assert service.command("run").returncode == 1
    assert service.times_run() == 0


def goes_on_after_resume(service, reason="restored by hand"):
    assert service.command("audit", "resume", "--reason", reason).returncode == 0
    recovered = event(service, "recovered")
    assert recovered["reason"] == reason and recovered["problem_count"] > 0 and "AUDIT_VKEY" in recovered["problems"][0]
    service.start()
    assert service.run().code == 200 and service.times_run() == 1
    assert reasons(service) == []
    service.stop()


def test_a_pinned_history_is_gone(installed):
    installed.script("exit 0")
    installed.command("run")
    installed.set(AUDIT_VKEY=vkey_of(installed))
    assert installed.command("run").returncode == 0
    installed.database.unlink()
    no_run_and_yet_reading(installed)
    goes_on_after_resume(installed)
    is_intact(verify(installed), "rollback and re-signing not excluded")


def test_a_history_that_is_not_the_pinned_one(installed, tmp_path):
    installed.script("exit 0")
    installed.command("run")
    shutil.copy2(installed.database, tmp_path / "ours")
    ours = vkey_of(installed)
    installed.database.unlink()
    (installed.state / "audit.key").rename(tmp_path / "key")
    installed.command("run")
    installed.set(AUDIT_VKEY=ours)
    theirs = vkey_of(installed)
    assert theirs != ours
    installed.command("run")
    no_run_and_yet_reading(installed)
    is_found(verify(installed), f"the log belongs to the key {theirs}, expected is {ours}")
    # The right one is put back:
    for file, target in (("ours", installed.database), ("key", installed.state / "audit.key")):
        shutil.copy2(tmp_path / file, target)
    assert installed.command("run").returncode == 0
    is_intact(verify(installed), "2 runs")


def entries_naming_ours(entries, ours, theirs):
    """Ours as it was."""
    return entries


def entries_approving_ours(entries, ours, theirs):
    """Theirs, which pretends to have gone over to our key."""
    origin = json.loads(entries[0])["origin"]
    beginning = changed(entries[0], vkey=theirs.vkey(origin))
    root = base64.b64encode(stored_hashes([beginning])[1]).decode()
    signature = theirs.signature(origin, f"{origin}\nkey_changed\n1\n{root}\n{ours}\n")
    return [beginning, changed(entries[0], event="key_changed", vkey=ours, signature=signature)] + entries[1:]


@pytest.mark.parametrize("forge", [entries_naming_ours, entries_approving_ours])
def test_a_history_that_only_names_the_pinned_key(installed, tmp_path, forge):
    """Anybody can write our key's name into a log; the key in the file did not come from it."""
    installed.script("exit 0")
    installed.command("run")
    ours = vkey_of(installed)
    installed.set(AUDIT_VKEY=ours)
    theirs = Key.new(tmp_path / "own.key")
    entries = forge(entries_of(installed), ours, theirs)
    with tampering(installed) as connection:
        put_log(connection, entries)
        sign(connection, entries, theirs)
    shutil.copy2(theirs.path, installed.state / "audit.key")
    no_run_and_yet_reading(installed)
    is_found(verify(installed), "is not signed by the key of this log")


def test_another_key_from_now_on(installed):
    """Twice. Each of the three keys may be pinned: somebody may have noted it while it was the newest."""
    installed.script("exit 0")
    installed.command("run")
    keys, kept = [vkey_of(installed)], [installed.folder / "kept0"]
    kept[0].write_bytes(head_of(installed))
    for number in (1, 2):
        done = installed.command("audit", "rotate-key")
        keys.append(vkey_of(installed))
        assert done.returncode == 0 and done.stdout.strip().splitlines()[-1] == keys[-1] != keys[-2]
        assert not list(installed.state.glob("audit.key.*"))
        installed.command("run")
        kept.append(installed.folder / f"kept{number}")
        kept[-1].write_bytes(head_of(installed))
    for pinned in keys:
        is_intact(verify(installed, *kept, vkey=pinned), "changes the key", "Intact.")
        installed.set(AUDIT_VKEY=pinned)
        assert installed.command("run").returncode == 0
    folder = export(installed)
    accepted(go(keys[0], "-log", folder, *(part for file in kept for part in ("-checkpoint", file))))
    accepted(scales(keys[2], "-log", folder, "-checkpoint", kept[2]))
    assert openssl(keys[0], folder / "checkpoint").returncode == 1
    accepted(openssl(keys[2], folder / "checkpoint"))
    installed.set(AUDIT_VKEY=keys[1])
    installed.start()
    assert reasons(installed) == [] and installed.run().code == 200
    assert installed.command("audit", "rotate-key").returncode != 0, "not while the service runs"


# Checkpoints that left


def test_every_checkpoint_goes_to_the_file(installed):
    file = installed.folder / "checkpoints"
    installed.set(AUDIT_CHECKPOINT_FILE=file)
    installed.script("exit 0")
    installed.start()
    installed.run_recorded()
    installed.command("run")
    installed.stop()
    lines = file.read_bytes().split(b"\n")[1:]
    # Three lines, an empty one, a signature; an empty line before each.
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
