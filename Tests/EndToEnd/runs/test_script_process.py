"""Whether a process of the script runs outside the service. It is found however it was started. `no` is said only when that
is certain, even on a busy machine."""

import os
import pty
import shutil
import subprocess
import sys

import pytest

from support.lock_file import clear, lock
from support.processes import kill
from support.runner_protocol import Runner
from support.service import RUNNER
from support.waiting import eventually

OFD_SETLK = 37
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")


class Living:
    """A script that has made its lock file, left its folder and waits, started past the service."""

    def __init__(self, service, shebang="#!/bin/bash"):
        self.service = service
        self.barrier = service.waiting_script()
        self.pid_path = service.folder / "pid"
        self.body = f'touch "{service.lock_path}"; echo $$ > "{self.pid_path}"; cd /; {self.barrier.wait}'
        if "python" in shebang or "interpreter" in shebang:
            self.body = (
                f'import os\nopen("{service.lock_path}", "w")\nopen("{self.pid_path}", "w").write(str(os.getpid()))\nos.chdir("/")\n'
                f'open("{self.barrier.arrived}", "w")\nopen("{self.barrier.path}").readline()')
        service.script(self.body, shebang=shebang)
        self.processes = []

    def start(self, command, **options):
        self.processes.append(subprocess.Popen(command, cwd=self.service.folder, **options))
        self.barrier.reached()

    def end(self):
        pids = [process.pid for process in self.processes]
        if self.pid_path.exists():
            pids.append(int(self.pid_path.read_text()))
        kill(*pids)
        for process in self.processes:
            process.wait()


@pytest.fixture
def living(service):
    script = Living(service)
    yield script
    script.end()


def linked(service, name="nightly"):
    (service.folder / name).symlink_to(service.script_path)
    return service.folder / name


def wrapper(service, text):
    path = service.folder / "wrapper"
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)
    return path


# Each is refused; the process table shows some of them for certain.
STARTS = {
    "from its folder, which it leaves": lambda service: ["./sync.sh"],
    "by an interpreter from its folder": lambda service: ["bash", "sync.sh"],
    "by dash": lambda service: ["dash", "./sync.sh"],
    "by a link of another name": lambda service: [linked(service)],
    "by a relative link of another name": lambda service: ["./" + linked(service).name],
    "by an interpreter and a link": lambda service: ["bash", "-e", linked(service).name],
    "by the interpreter's path beside options": lambda service: ["bash", "-euo", "pipefail", linked(service).name],
    "by a command line": lambda service: ["bash", "-c", "cd . && ./sync.sh; true"],
    "as standard input": lambda service: ["sh", "-c", "exec bash < sync.sh"],
    "as dash's standard input": lambda service: ["sh", "-c", "exec dash < sync.sh"],
    "through a pipe": lambda service: ["bash", "-c", "cat sync.sh | bash"],
    "sourced by a command line": lambda service: ["bash", "-c", ". ./sync.sh"],
    "sourced by another script": lambda service: [wrapper(service, ". ./sync.sh")],
    "sourced by another script that leaves its folder": lambda service: ["bash", wrapper(service, ". ./sync.sh").name],
    "sourced by a pattern": lambda service: [wrapper(service, f'for f in "{service.folder}"/sy*.sh; do . "$f"; done')],
    "as the text of a command line": lambda service: ["bash", "-c", service.script_path.read_text()],
    "by a descriptor": lambda service: ["bash", "-c", "exec bash /dev/fd/7 7< sync.sh"],
}


@pytest.mark.parametrize("manner", STARTS)
def test_a_living_script_keeps_its_lock(living, manner):
    living.start(STARTS[manner](living.service))
    assert lock(living.service)["script_process"] in ("yes", "cannot_see")
    clear(living.service).is_error(409)
    assert living.service.lock_path.exists()


@pytest.mark.parametrize("command", [["./sync.sh"], ["/usr/bin/python3", "-u", "sync.py"], ["./nightly"]])
def test_a_living_python_script_keeps_its_lock(service, command):
    """Python reads its script whole and closes it, so that only the command line is left."""
    script = Living(service, "#!/usr/bin/env python3")
    linked(service), linked(service, "sync.py")
    try:
        script.start(command)
        clear(service).is_error(409)
        assert service.lock_path.exists()
    finally:
        script.end()


@pytest.mark.parametrize("shebang", [
    "#!{folder}/interpreter", "#!/usr/bin/env -S -u FOO python3", "#!/usr/bin/env -S nice python3",
    "#!/usr/bin/env -S setpriv --pdeathsig KILL python3"])
def test_a_living_script_whose_interpreter_is_hard_to_tell_keeps_its_lock(service, shebang):
    (service.folder / "interpreter").symlink_to("/usr/bin/python3")
    script = Living(service, shebang.format(folder=service.folder))
    try:
        script.start([linked(service)])
        clear(service).is_error(409)
        assert service.lock_path.exists()
    finally:
        script.end()


@pytest.mark.parametrize("update", ["replaced", "removed"])
def test_a_living_script_whose_file_was_updated_keeps_its_lock(living, update):
    living.start(["./sync.sh"])
    if update == "replaced":
        living.service.script("exit 0")
    else:
        living.service.script_path.unlink()
    clear(living.service).is_error(409)
    assert living.service.lock_path.exists()


def test_a_living_compiled_script_keeps_its_lock(service):
    shutil.copy2("/bin/sleep", service.script_path)
    service.lock_path.touch()
    process = subprocess.Popen(["./sync.sh", "600"], cwd=service.folder)
    try:
        assert lock(service)["script_process"] == "yes"
    finally:
        process.kill()
        process.wait()
    assert lock(service)["script_process"] == "no"


@pytest.mark.root
@pytest.mark.parametrize("manner", ["from its folder", "by a link", "as standard input"])
def test_a_runner_without_privileges_is_not_sure_about_root(living, manner):
    """What another user's process has open, and where it stands, is hidden from the runner."""
    service = living.service
    commands = {"from its folder": ["./sync.sh"], "by a link": ["./nightly"], "as standard input": ["sh", "-c", "exec bash < sync.sh"]}
    linked(service)
    living.start(commands[manner])
    for folder in (service.folder, service.folder.parent, service.folder.parent.parent):
        folder.chmod(0o755)
    with unprivileged(service) as runner:
        kind, found = runner.ask("script-process", script=service.script_path, lock_path=service.lock_path)
        assert kind == "script-process" and found["found"] in ("yes", "cannot_see")


def unprivileged(service):
    """A runner of another user, from a folder that it may read."""
    program = service.folder / "sync-runner"
    shutil.copy2(RUNNER, program)
    program.chmod(0o755)
    return Runner(*NOBODY, program)


# A lock on the lock file is a fact of the kernel. Who holds it does not matter, nor by what name the script runs.

FLOCK = "fcntl.flock(lock, fcntl.LOCK_EX)"
RECORD = f"fcntl.fcntl(lock, {OFD_SETLK}, struct.pack('hhqqi4x', 1, 0, 0, 0, 0))"


@pytest.mark.parametrize("call", [FLOCK, RECORD, "fcntl.lockf(lock, fcntl.LOCK_EX)", "fcntl.flock(lock, fcntl.LOCK_SH)"])
def test_a_held_lock_file_is_never_cleared(service, call):
    service.script("exit 0")
    program = f"import fcntl, struct, sys\nlock = open(sys.argv[1], 'a+')\n{call}\nprint('held', flush=True)\nsys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", program, service.lock_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    assert lock(service)["script_process"] == "yes"
    clear(service).is_error(409)
    holder.kill()
    holder.communicate()
    assert lock(service)["script_process"] == "no"
    assert clear(service).code == 200


def test_a_lock_that_a_child_inherited_is_never_cleared(service):
    """The process that locked the file is gone; a child lives with its descriptor."""
    service.script("exit 0")
    starter = 'exec 9>>"$1"; flock -n 9 || exit 2; sleep 600 >/dev/null & echo $!'
    child = int(subprocess.run(["bash", "-c", starter, "bash", service.lock_path], stdout=subprocess.PIPE, text=True, check=True).stdout)
    clear(service).is_error(409)
    kill(child)
    assert clear(service).code == 200


def test_asking_disturbs_no_starter(service):
    """Each of many starters gets the lock, although the service is asked for it all the time."""
    service.script("exit 0")
    service.lock_path.touch()
    starters = subprocess.Popen(
        ["bash", "-c", 'for i in {1..300}; do flock -n "$1" true || exit 9; done', "bash", service.lock_path])
    while starters.poll() is None:
        lock(service)
    assert starters.returncode == 0


def test_a_killed_script_that_locked_its_file_can_be_cleared(living):
    service = living.service
    service.script(f'exec 9>>"{service.lock_path}"; flock -n 9 || exit 2; {living.body}')
    living.start(["./sync.sh"])
    assert lock(service)["script_process"] == "yes"
    living.end()
    living.processes.clear()
    assert service.status() == "running"
    assert lock(service)["script_process"] == "no"
    assert clear(service).code == 200 and service.status() == "idle"


# Everyday


def test_no_among_many_other_processes(service):
    """Shells with scripts of their own, an interactive one at a terminal, Python, pipes, and what another user runs."""
    service.script("exit 0")
    service.lock_path.touch()
    other = service.folder / "other"
    other.write_text("#!/bin/bash\nread -r _ < gate2\n")
    other.chmod(0o755)
    os.mkfifo(service.folder / "gate2")
    link = service.folder / "other-link"
    link.symlink_to(other)
    commands = [
        [other], ["./other"], ["bash", "-e", link], ["bash", "-c", "read -r _ < gate2"], ["/bin/sh", "-c", "sleep 600; true"],
        ["/usr/bin/python3", "-c", "import time; time.sleep(600)"], ["/usr/bin/python3", "-m", "http.server", "-b", "127.0.0.1", "0"],
        ["sleep", "600"], ["cat", "gate2"], ["bash", "-euo", "pipefail", "-c", "sleep 600; true"],
    ]
    if os.geteuid() == 0:
        commands += [[*NOBODY, "bash", "-c", "sleep 600; true"], [*NOBODY, "sleep", "600"], [*NOBODY, "bash", "-s"]]
    processes = [subprocess.Popen(command, cwd=service.folder, stdin=subprocess.PIPE) for command in commands]
    ours, terminal = pty.openpty()
    processes.append(subprocess.Popen(["bash", "--norc", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True))
    try:
        eventually(lambda: lock(service)["script_process"] == "no", "the script is known not to run")
        assert clear(service).code == 200
    finally:
        kill(*(process.pid for process in processes))
        for process in processes:
            process.communicate()
        os.close(ours), os.close(terminal)


@pytest.mark.root
def test_a_runner_without_privileges_is_sure_on_an_ordinary_machine(service):
    """Daemons and shells of root, and kernel threads: it sees little of them, and the lock file is its own user's."""
    service.script("exit 0")
    service.lock_path.touch()
    os.chown(service.lock_path, 65534, -1)
    for folder in (service.folder, service.folder.parent, service.folder.parent.parent):
        folder.chmod(0o755)
    processes = [subprocess.Popen(command) for command in (
        ["sleep", "600"], ["bash", "-c", "sleep 600; true"], ["/usr/bin/python3", "-c", "import time; time.sleep(600)"],
        [*NOBODY, "sleep", "600"])]
    try:
        with unprivileged(service) as runner:
            assert runner.ask("script-process", script=service.script_path, lock_path=service.lock_path) == ("script-process", {"found": "no"})
    finally:
        kill(*(process.pid for process in processes))
        for process in processes:
            process.wait()


def test_a_missing_script_leaves_the_question_open(service):
    """Without a script there is no file to look for in processes."""
    service.lock_path.touch()
    assert lock(service)["script_process"] == "cannot_see"
    clear(service).is_error(409)
