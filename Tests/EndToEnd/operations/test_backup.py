"""A copy of the history while the service works, and its restoration (README, `sync-service backup`)."""

import os
import shutil
import sqlite3
import stat
import threading

import pytest

from support.assertions import all_recorded, is_sound, trail_is_intact
from support.disks import disk, fill
from support.service import UNAVAILABLE, USAGE


def rows(path):
    """All of a history file, by Python's own SQLite."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        tables = ("run_started", "run_finished", "run_output")
        return {table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall() for table in tables}
    finally:
        connection.close()


def backup(service, path, **options):
    return service.command("backup", str(path), **options)


def test_a_copy_of_everything(service):
    service.script("echo hello; exit 3")
    for _ in range(3):
        service.run()
    copy = service.folder / "copy.sqlite"
    done = backup(service, copy)
    assert done.returncode == 0 and str(copy) in done.stdout
    assert rows(copy) == rows(service.database) and len(rows(copy)["run_finished"]) == 3
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    beside = sorted(path.name for path in service.folder.glob("copy*"))
    assert beside == ["copy.sqlite"], "one file that can be carried away"


def test_copies_while_runs_go_on(service):
    """Each copy is the history of one moment: numbers without gaps, at most the last run unfinished."""
    service.script("echo hello")
    enough, failures = threading.Event(), []

    def runs():
        while not enough.is_set():
            code = service.run().code
            if code != 200:
                failures.append(code)

    caller = threading.Thread(target=runs)
    caller.start()
    copies = []
    try:
        for number in range(8):
            copy = service.folder / f"copy{number}"
            assert backup(service, copy).returncode == 0
            copies.append(rows(copy))
    finally:
        enough.set()
        caller.join()
    assert not failures, "nobody's run was refused or lost for a backup"
    all_recorded(service)
    whole = rows(service.database)
    for copy in copies:
        for table, content in copy.items():
            assert content == whole[table][:len(content)], "a copy is the beginning of the history"
        assert 0 <= len(copy["run_started"]) - len(copy["run_finished"]) <= 1
        assert len(copy["run_output"]) == len(copy["run_finished"])


@pytest.mark.root
@pytest.mark.slow
def test_no_run_is_refused_for_a_slow_backup(service):
    """Each page takes six milliseconds to write. Runs go on between the steps, so that the copy begins again each time, and
    the last attempt keeps writers out for six seconds: a run waits for it and is not refused."""
    service.script("head -c 1M /dev/urandom | base64 -w 0 | head -c 1M")
    for _ in range(4):
        assert service.run().code == 200
    service.script("echo hello")
    copy, answers, codes = service.folder / "copy", [], []
    slow = ("strace", "-f", "-o", "/dev/null", "-e", "trace=pwrite64", "-e", "inject=pwrite64:delay_exit=6000")
    copying = threading.Thread(target=lambda: answers.append(backup(service, copy, prefix=slow)))
    copying.start()
    while copying.is_alive() or not codes:
        codes.append(service.run().code)
    copying.join()
    assert answers[0].returncode == 0, answers
    assert set(codes) == {200}, codes
    all_recorded(service)
    whole = rows(service.database)
    for table, content in rows(copy).items():
        assert content == whole[table][:len(content)], "a copy is the beginning of the history"
    assert len(rows(copy)["run_started"]) > 4, "runs were recorded while it was copied"


def test_the_way_back(service):
    service.script("echo kept")
    service.run()
    copy = service.folder / "copy"
    assert backup(service, copy).returncode == 0
    before = service.admin("/admin/runs/1").body
    service.run()
    service.stop()
    # As documented: the copy takes the history's place with mode 0600, while nothing serves.
    shutil.copy(copy, service.database)
    service.database.chmod(0o600)
    service.start()
    assert service.admin("/admin/runs/1").body == before
    assert service.admin("/admin/runs/2").code == 404
    assert service.run().header("Sync-Run-Id") == "2", "numbers go on from there"
    all_recorded(service)
    trail_is_intact(service)


def test_the_way_back_with_a_run_that_was_under_way(service):
    """The copy holds a start without its end; the supervisor's result is long gone."""
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    copy = service.folder / "copy"
    assert backup(service, copy).returncode == 0
    barrier.release()
    assert client.result().code == 200
    service.stop()
    shutil.copy(copy, service.database)
    service.start()
    run = service.admin("/admin/runs/1").json
    assert (run["outcome"], run["finished_at_exact"]) == ("interrupted", False)
    all_recorded(service)


def test_nothing_is_overwritten(service):
    taken = service.folder / "taken"
    taken.write_text("precious")
    done = backup(service, taken)
    assert done.returncode == 1 and "exists" in done.stderr
    link = service.folder / "link"
    link.symlink_to(service.folder / "elsewhere")
    assert backup(service, link).returncode == 1
    assert taken.read_text() == "precious" and not (service.folder / "elsewhere").exists()
    assert backup(service, service.database).returncode == 1
    assert service.command("backup").returncode == USAGE
    is_sound(service)


@pytest.mark.root
def test_no_half_copy_stays(service):
    service.script("head -c 1M /dev/urandom")
    for _ in range(3):
        service.run()
    small = service.folder / "small"
    small.mkdir()
    with disk(small, 1):
        done = backup(service, small / "copy")
        assert done.returncode == UNAVAILABLE and done.stderr
        assert list(small.iterdir()) == [], "what is there is a whole copy or nothing"
        fill(small)
        assert backup(service, small / "copy").returncode == UNAVAILABLE
    assert backup(service, service.folder / "no" / "such" / "folder").returncode == 1
    service.script("exit 0")
    assert service.run().code == 200
    all_recorded(service)


@pytest.mark.root
def test_the_copy_belongs_to_the_owner_of_the_history(installed):
    """root's backup of another user's history: written as that user, who may only write where he may."""
    for path in (installed.state, *installed.state.rglob("*")):
        os.chown(path, 65534, 65534)
    for folder in (installed.folder, installed.folder.parent, installed.folder.parent.parent):
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | 0o011)
    installed.script("exit 0")
    place = installed.folder / "place"
    place.mkdir()
    os.chown(place, 65534, 65534)
    assert installed.command("run").returncode == 0, "as root, which becomes the owner first"
    assert backup(installed, place / "copy").returncode == 0
    assert (place / "copy").stat().st_uid == 65534
    assert len(rows(place / "copy")["run_finished"]) == 1
