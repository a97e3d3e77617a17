"""The creation of an audit log: key, schema and first entry. Several programs start at once, are killed at each step, or find
runs that are older than the audit log."""

import sqlite3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256

import pytest

from support.audit_log import event, events_of, is_found, is_intact, verify
from support.samples import put_history
from support.service import Service


def fresh(folder, name):
    """An installation that was never started."""
    (folder / name).mkdir(mode=0o700)
    service = Service(folder / name)
    service.script("exit 0")
    return service


@pytest.mark.root
@pytest.mark.slow
def test_the_first_start_of_all_is_killed(tmp_path):
    """The next start creates the missing parts of key, schema and first entry."""
    learning = fresh(tmp_path, "learning")
    calls = "trace=openat,write,link,rename,pwrite64,fdatasync,fsync,unlink"
    everything = ("strace", "-o", learning.folder / "trace", "-e", calls)
    assert learning.command("audit", "vkey", prefix=everything).returncode == 0
    lines = (learning.folder / "trace").read_text().splitlines()
    seen, found = Counter(), []
    for line in lines:
        if "(" not in line:
            continue
        call = line.split("(")[0]
        seen[call] += 1
        if call not in ("openat", "write") or f'{learning.state}/' in line or "PRIVATE KEY" in line:
            found.append((call, seen[call]))
    assert len(found) > 20
    for number, (call, occurrence) in enumerate(found):
        service = fresh(tmp_path, f"{number}")
        inject = ("strace", "-o", service.folder / "trace", "-e", f"trace={call}",
                  "-e", f"inject={call}:signal=KILL:when={occurrence}")
        assert service.command("audit", "vkey", prefix=inject).returncode in (-9, 137), (call, occurrence)
        done = service.command("run")
        assert done.returncode == 0, (call, occurrence, done)
        is_intact(verify(service), "1 runs")


def test_several_begin_at_once(tmp_path):
    """There is exactly one key and one first entry, whichever program is first."""
    for number in range(15):
        service = fresh(tmp_path, f"{number}")
        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(lambda _: service.command("audit", "vkey"), range(4)))
        assert {one.returncode for one in done} == {0}, (number, done)
        assert len({one.stdout for one in done}) == 1, (number, done)
        assert [one["event"] for one in events_of(service)] == ["genesis"], number
        is_intact(verify(service))


def test_the_key_is_gone(installed):
    """If entries exist, the service creates no key, because a new key would belong to another log."""
    installed.script("exit 0")
    installed.command("run")
    (installed.state / "audit.key").unlink()
    code, said = installed.refused_start()
    assert code == 1 and "put it back from your backup" in said, (code, said)
    assert not (installed.state / "audit.key").exists()


def test_runs_of_the_time_before(installed):
    put_history(installed, "history-1")
    installed.script("exit 0")
    unknown = verify(installed)
    assert unknown.returncode == 3 and "sync-service migrate" in unknown.stderr, "an older schema is no tampering"
    installed.start()
    assert installed.run().header("Sync-Run-Id") == "4"
    installed.stop()
    imported = events_of(installed, "run_imported")
    assert [one["run"] for one in imported] == [1, 2, 3] and [one["entry"] for one in imported] == [1, 2, 3]
    for one in imported[:2]:
        assert one["witnessed"] is False and one["user"] == "ana" and one["outcome"] == "succeeded"
        assert one["stored_output_sha256"] == sha256(b"old").hexdigest()
    is_intact(verify(installed), "4 runs", "rollback and re-signing not excluded")
    # The third run continued. The service recorded its end at the start.
    assert event(installed, "run_finished", run=3)["outcome"] == "interrupted"
    with closing(sqlite3.connect(installed.database)) as connection:
        connection.execute("DROP TRIGGER run_started_update")
        connection.execute("UPDATE run_started SET user = 'eva' WHERE id = 2")
        connection.commit()
    is_found(verify(installed), "run 2: user in run_started is not what entry 2 says")
