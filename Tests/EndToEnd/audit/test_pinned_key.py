"""AUDIT_VKEY pins a key: a history of another key is refused, and a changed key is followed."""

import base64
import json
import shutil

import pytest

from support.assertions import reasons
from support.audit_log import (
    Key, changed, entries_of, event, head_of, is_found, is_intact, put_log, sign, stored_hashes, tampering, verify,
)
from support.verifiers import accepted, export, go, openssl, scales, vkey_of
from support.waiting import eventually

pytestmark = pytest.mark.usefixtures("built_verifiers")


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
    # Restores the right key:
    for file, target in (("ours", installed.database), ("key", installed.state / "audit.key")):
        shutil.copy2(tmp_path / file, target)
    assert installed.command("run").returncode == 0
    is_intact(verify(installed), "2 runs")


def entries_naming_ours(entries, ours, theirs):
    """Our own history, unchanged."""
    return entries


def entries_approving_ours(entries, ours, theirs):
    """An attacker's history, which pretends that its key changed to ours."""
    origin = json.loads(entries[0])["origin"]
    beginning = changed(entries[0], vkey=theirs.vkey(origin))
    root = base64.b64encode(stored_hashes([beginning])[1]).decode()
    signature = theirs.signature(origin, f"{origin}\nkey_changed\n1\n{root}\n{ours}\n")
    return [beginning, changed(entries[0], event="key_changed", vkey=ours, signature=signature)] + entries[1:]


@pytest.mark.parametrize("forge", [entries_naming_ours, entries_approving_ours])
def test_a_history_that_only_names_the_pinned_key(installed, tmp_path, forge):
    """Anyone can write our key's name into a log. That does not make it our log."""
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
    """The key changes twice. Each of the three keys may be pinned, because an auditor may have noted any of them."""
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
