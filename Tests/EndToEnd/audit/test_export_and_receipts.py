"""Third-party verifiers accept exports and receipts. Clients read events over HTTP."""

import base64
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from support.audit_log import events_of, head_of, is_intact, run_until, size_of, verify
from support.verifiers import accepted, export, go, openssl, refused, scales, vkey_of
from support.waiting import eventually

pytestmark = [pytest.mark.usefixtures("built_verifiers"), pytest.mark.slow]


@pytest.fixture(params=[go, scales])
def verifier(request):
    return request.param


@pytest.fixture(scope="module")
def exported(shared):
    """An export of more than three hundred entries, an older checkpoint, and receipts."""
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
    # Pages that were requested while events were added begin with newer ones.
    assert found[-len(everything):] == everything[::-1]
    finished = exported.admin("/admin/audit?event=run_finished&limit=3").json["events"]
    assert [one["event"] for one in finished] == ["run_finished"] * 3
    for query in ("limit=0", "limit=201", "cursor=0", "cursor=x", "event=nonsense", "user=rina"):
        exported.admin(f"/admin/audit?{query}").is_error(400)


def test_verify_over_http(exported):
    """Only one runs at a time, because each reads the whole log."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: exported.admin("/admin/audit/verify"), range(8)))
    assert {answer.code for answer in answers} == {200, 429}
    report = next(answer.json for answer in answers if answer.code == 200)
    assert report["status"] == "ok" and report["size"] > 256 and report["problems"] == []
    assert len(base64.b64decode(report["root"])) == 32
