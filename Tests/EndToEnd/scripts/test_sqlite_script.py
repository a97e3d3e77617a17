"""config/sync_sqlite.sh through the API: the copied rows, and what is left after a kill or without an output."""

import fcntl
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from support.processes import alive
from support.service import ROOT
from support.waiting import eventually


class Sync:
    def __init__(self, service):
        self.service = service
        self.folder = service.folder / "target"
        self.folder.mkdir()
        self.source, self.target = service.folder / "source.db", self.folder / "target.db"
        self.fill(self.source, range(1000))
        self.fill(self.target, [-1])
        shutil.copy(ROOT / "config/sync_sqlite.sh", service.script_path)
        (service.folder / "sync_sqlite.conf").write_text("".join(f"{name}={value}\n" for name, value in {
            "SYNC_SOURCE_DB": self.source, "SYNC_TARGET_DB": self.target,
            "SYNC_LOCK_PATH": service.lock_path, "SYNC_LOG_PATH": service.log_path}.items()))
        service.start()

    @staticmethod
    def fill(path, rows):
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (a)")
        connection.executemany("INSERT INTO t VALUES (?)", ((row,) for row in rows))
        connection.commit()
        connection.close()

    def rows(self):
        return sqlite3.connect(self.target).execute("SELECT count(*) FROM t").fetchone()[0]

    def nothing_is_left(self):
        assert self.locks() == []
        assert list(self.folder.iterdir()) == [self.target]

    def locks(self):
        """The lock file and those that were prepared to become it."""
        lock = self.service.lock_path
        return sorted(path.name for path in lock.parent.iterdir() if path.name.startswith(lock.name))

    def run_with(self, tool, body):
        """The script with a program of ours in place of one of its own; "$real" is that one, and $PPID the script."""
        tools = self.service.folder / "bin"
        tools.mkdir(exist_ok=True)
        (tools / tool).write_text(f"""#!/bin/bash
real={shutil.which(tool)} lock={self.service.lock_path} turns={tools}/turns
echo >>"$turns"
turn=$(wc -l <"$turns")
{body}
""")
        (tools / tool).chmod(0o755)
        try:
            return subprocess.run([self.service.script_path], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                  env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
        finally:
            shutil.rmtree(tools)

    def writer(self):
        """A writer to the source. The copy waits for it."""
        connection = sqlite3.connect(self.source, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        return connection

    def script_pid(self):
        return int(self.service.lock_path.read_text().splitlines()[0])

    def copying(self):
        def started():
            return self.service.log_path.exists() and "Copying" in self.service.log_path.read_text()
        eventually(started, "the script waits for the source")


@pytest.fixture
def sync(installed):
    return Sync(installed)


def test_the_target_is_the_source(sync):
    answer = sync.service.run()
    assert answer.code == 200 and "Verified: 1000 rows in 1 tables" in answer.json["output"], answer
    assert sync.service.log_path.read_text() == answer.json["output"]
    assert sync.rows() == 1000
    sync.nothing_is_left()


def test_a_killed_sync_leaves_a_lock_that_the_next_takes_over(sync):
    writer = sync.writer()
    run = sync.service.begin_run()
    sync.copying()
    pid = sync.script_pid()
    children = [int(child) for child in open(f"/proc/{pid}/task/{pid}/children").read().split()]
    os.kill(pid, signal.SIGKILL)
    assert run.result().json["message"].endswith("killed by signal 9")
    eventually(lambda: not any(alive(child) for child in children), "its programs are killed as well")
    assert sync.rows() == 1 and sync.service.lock_path.exists()
    writer.close()
    output = sync.service.run().json["output"]
    assert f"Took over the lock of a sync that was killed (PID {pid})" in output
    assert "which a sync that was killed had left" in output
    assert sync.rows() == 1000
    sync.nothing_is_left()


def test_its_lock_is_cleared_only_when_it_is_dead(sync):
    """The name it was started by does not matter: the kernel knows which process holds the lock."""
    def lock(method, path, **options):
        return sync.service.request(method, path, token=sync.service.token(role="admin"), **options)
    alias = sync.service.folder / "nightly"
    alias.symlink_to(sync.service.script_path)
    writer = sync.writer()
    run = subprocess.Popen(["./nightly"], cwd=alias.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    sync.copying()
    assert lock("GET", "/admin/lock").json["script_process"] == "yes"
    assert lock("POST", "/admin/lock/clear", body='{"reason":"it looks dead"}').code == 409
    assert sync.service.lock_path.exists()
    run.kill()
    run.wait()
    eventually(lambda: lock("GET", "/admin/lock").json["script_process"] == "no", "its programs are gone too")
    assert lock("POST", "/admin/lock/clear", body='{"reason":"killed at night"}').code == 200
    assert not sync.service.lock_path.exists()
    writer.close()


def test_a_second_sync_exits_with_2(sync):
    writer = sync.writer()
    run = sync.service.begin_run()
    sync.copying()
    second = subprocess.run([sync.service.script_path], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert second.returncode == 2 and f"Sync is already running (lock file {sync.service.lock_path}, PID {sync.script_pid()})" in second.stdout
    writer.close()
    assert run.result().code == 200
    sync.nothing_is_left()


def test_syncs_that_start_at_once_over_a_stale_lock(sync):
    """One of them takes it over; the others find that one running, or run after it."""
    writer = sync.writer()
    run = sync.service.begin_run()
    sync.copying()
    os.kill(sync.script_pid(), signal.SIGKILL)
    run.result()
    syncs = [subprocess.Popen([sync.service.script_path], stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL) for _ in range(5)]
    ended = []
    eventually(lambda: len(ended) == 4 or ended.extend(s for s in syncs if s not in ended and s.poll() is not None), "four have left")
    assert [s.returncode for s in ended] == [2] * 4
    writer.close()
    assert next(s for s in syncs if s not in ended).wait() == 0
    said = "".join(s.communicate()[0] for s in syncs)
    assert said.count("Took over the lock") == 1 and said.count("Sync completed") == 1
    sync.nothing_is_left()


@pytest.mark.parametrize("tool, body", [
    ("mktemp", '"$real" "$@"; kill -KILL $PPID'),       # empty, and not locked
    ("chmod", "kill -KILL $PPID"),                      # with its lines
    ("ln", 'kill -KILL $(head -n 1 "$3"); "$real" "$@"'),   # under both names
])
def test_killed_while_it_prepares_its_lock(sync, tool, body):
    for _ in range(3):
        assert sync.run_with(tool, body).returncode == -signal.SIGKILL
    assert len(set(sync.locks()) - {sync.service.lock_path.name}) == 3
    output = sync.service.run().json["output"]
    assert output.count(", a lock that nobody held") == 3
    sync.nothing_is_left()


def test_both_scripts_take_the_lock_alike():
    """What is shown here of one holds for the other."""
    def functions(name):
        text = (ROOT / "config" / name).read_text()
        return text[text.index("# The lock file is prepared"):text.index("\n}\n", text.index("remove_prepared()"))]
    assert functions("sync_sqlite.sh") == functions("sync_fkk_db.sh")


@pytest.mark.root
def test_prepared_locks_that_are_not_swept(sync):
    """Locks that a process holds, or that are not certain to be ours, stay."""
    def named(end):
        return sync.service.lock_path.with_name(f"{sync.service.lock_path.name}.{end}")
    held, folder, link, foreign = (named(f"prepared_by_sync.0000000{number}") for number in range(4))
    others = [held, foreign, named("prepared_by_sync.1234567"), named("prepared_by_sync."), named("12345678"), named("original")]
    for file in others:
        file.write_text("4711\nheld with flock\n")
    os.chown(foreign, 65534, -1)
    folder.mkdir()
    link.symlink_to(held)
    with open(held) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert sync.service.run().code == 200
    assert sync.locks() == sorted(path.name for path in [*others, folder, link])
    assert sync.rows() == 1000


def test_a_prepared_lock_is_swept_before_it_is_locked(sync):
    """A running sync removes it. The script prepares another."""
    run = sync.run_with("mktemp", """
file=$("$real" "$@") && echo "$file"
[[ $file == "$lock".* ]] || exit 0
case $turn in
    1) rm "$file" ;;
    2) exec 8<"$file" && flock 8 && { (sleep 0.5; rm "$file") >/dev/null 2>&1 & } ;;
esac""")
    assert run.returncode == 0, run
    assert sync.rows() == 1000
    eventually(lambda: len(sync.locks()) == 0, "nothing is left")


def test_locks_that_come_and_go(sync):
    """At each check of the script, the lock of before is gone."""
    run = sync.run_with("ln", '((turn > 6)) || exit 1; exec "$real" "$@"')
    assert run.returncode == 0, run
    sync.nothing_is_left()


def test_locks_that_are_replaced_all_the_time(sync):
    """Other syncs take the lock and are killed, again and again. So this one ends with `already running`."""
    def left(name):
        return f"printf '4711\\nheld with flock\\n' >$lock.{name} && mv -f $lock.{name} $lock"
    sync.service.lock_path.write_text("4711\nheld with flock\n")
    run = sync.run_with("flock", f'[[ $1 != -w ]] || {{ {left("new")}; }}; exec "$real" "$@"')
    assert run.returncode == 2 and "Sync is already running" in run.stdout, run
    assert sync.rows() == 1
    assert sync.service.run().code == 200
    sync.nothing_is_left()


def test_a_link_that_was_made_by_a_program_that_failed(sync):
    run = sync.run_with("ln", '"$real" "$@"; kill -KILL $$')
    assert run.returncode == 0, run
    sync.nothing_is_left()


def test_a_disk_without_hard_links(sync):
    run = sync.run_with("ln", "echo Operation not permitted >&2; exit 1")
    assert run.returncode == 1 and f"cannot create the lock {sync.service.lock_path}: Operation not permitted" in run.stdout, run
    assert sync.rows() == 1
    sync.nothing_is_left()


def test_syncs_start_and_are_killed_at_once(sync):
    """Each one is killed, or syncs, or finds another one running. Two never run at once, and nothing is left."""
    chance = random.Random(4711)
    syncs, began = [], sync.service.folder / "began"
    tools = sync.service.folder / "bin"
    tools.mkdir()
    # Each has the lock by then, and holds this one as well: two at once would meet here.
    (tools / "sqlite3").write_text(f"""#!/bin/bash
exec 8>>{began} && flock -n 8 || {{ echo two at once >>{began}.twice; exit 1; }}
exec {shutil.which("sqlite3")} "$@"
""")
    (tools / "sqlite3").chmod(0o755)
    killed = set()
    for _ in range(15):
        some = [subprocess.Popen([sync.service.script_path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                 stdin=subprocess.DEVNULL, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
                for _ in range(6)]
        for one in chance.sample(some, 4):
            time.sleep(chance.random() * 0.05)
            one.kill()
            killed.add(one)
        syncs += some
    said = [one.communicate()[0] for one in syncs]
    wrong = [text for one, text in zip(syncs, said) if one.returncode not in (0, 2) and one not in killed]
    assert wrong == []
    assert not began.with_name("began.twice").exists()
    assert sync.service.run().code == 200
    sync.nothing_is_left()


def test_a_lock_file_of_another_script(sync):
    sync.service.lock_path.write_text("4711\n")
    assert sync.service.run().code == 409
    assert sync.service.lock_path.read_text() == "4711\n" and sync.rows() == 1


def test_files_of_others_stay(sync):
    others = [sync.folder / ".sync_sqlite.original", sync.folder / ".sync_sqlite.12345678"]
    others[0].write_text("kept")
    others[1].mkdir()
    assert sync.service.run().code == 200
    assert sorted(sync.folder.iterdir()) == sorted([*others, sync.target])


def test_the_reader_of_the_output_goes_away(sync):
    writer = sync.writer()
    run = subprocess.Popen([sync.service.script_path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    sync.copying()
    run.stdout.close()
    writer.close()
    assert run.wait() == 0
    assert "Sync completed successfully" in sync.service.log_path.read_text()
    assert sync.rows() == 1000
    sync.nothing_is_left()


def test_where_setpriv_is_forbidden(sync):
    """As in a sandbox that allows no capset(2)."""
    tools = sync.service.folder / "bin"
    tools.mkdir()
    (tools / "setpriv").write_text("#!/bin/sh\necho setpriv: activate capabilities: Operation not permitted >&2\nexit 127\n")
    (tools / "setpriv").chmod(0o755)
    sync.service.stop()
    sync.service.start(environment={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert sync.service.run().code == 200
    assert sync.rows() == 1000
    sync.nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_stopped_while_nobody_reads(sync, number):
    writer = sync.writer()
    run = subprocess.Popen([sync.service.script_path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    sync.copying()
    run.stdout.close()
    run.send_signal(number)
    assert run.wait() == 128 + number
    writer.close()
    assert f"stopped by {number.name}; the target is as it was" in sync.service.log_path.read_text()
    assert sync.rows() == 1
    sync.nothing_is_left()


def test_a_log_that_cannot_be_written_stops_it(sync):
    sync.service.log_path.mkdir()
    assert sync.service.run().code == 500
    assert sync.rows() == 1
    sync.nothing_is_left()
