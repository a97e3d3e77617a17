"""An installation for two users, as the package makes it: the service as one user, runner and script as another, behind a
socket that systemd, here the test, holds open. It needs root."""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from support.service import BINARY, Service
from support.service import RUNNER as RUNNER_BINARY
from support.waiting import DEADLINE, eventually

# Users that every Debian has and nothing else here uses.
SERVICE, RUNNER = pwd.getpwnam("backup"), pwd.getpwnam("games")
SERVICE_GROUP = grp.getgrgid(SERVICE.pw_gid)


def becoming(user):
    """A prefix that runs a command as that user, with no groups but its own."""
    return ("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--init-groups", "--")


class TwoUserService(Service):
    def __init__(self, **settings):
        # Not below pytest's folder, which lets in root only.
        folder = Path(tempfile.mkdtemp(prefix="sync-two-users-"))
        folder.chmod(0o755)
        self.runner_process = None
        self.runner_settings = {}
        super().__init__(folder)
        programs = folder / "bin"
        programs.mkdir(mode=0o755)
        for program in (BINARY, RUNNER_BINARY):
            shutil.copy2(program, programs / program.name)
        self.binary, self.runner_binary = programs / "sync-service", programs / "sync-runner"
        os.chown(self.state, SERVICE.pw_uid, SERVICE.pw_gid)
        self.shared = self._folder("shared", RUNNER, 0o755)
        self.run_directory = self._folder("run", RUNNER, 0o2770, group=SERVICE.pw_gid)
        self.script_path, self.lock_path, self.log_path = folder / "sync.sh", self.shared / "sync.lock", self.shared / "sync.log"
        self.runner_output = folder / "runner.log"
        self.socket_path = folder / "runner.sock"
        # What the socket unit does: it stays open while the runner comes and goes.
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.socket_path))
        os.chown(self.socket_path, 0, SERVICE.pw_gid)
        self.socket_path.chmod(0o660)
        self.socket.listen()
        self.set(SYNC_LOCK_PATH=self.lock_path, SYNC_LOG_PATH=self.log_path, SYNC_RUN_DIR=self.run_directory,
                 SYNC_RUNNER_SOCKET=self.socket_path, **settings)

    def _folder(self, name, owner, mode, group=None):
        path = self.folder / name
        path.mkdir()
        os.chown(path, owner.pw_uid, owner.pw_gid if group is None else group)
        path.chmod(mode)
        return path

    @staticmethod
    def write_private(path, content):
        path.write_bytes(content)
        os.chown(path, 0, SERVICE.pw_gid)
        path.chmod(0o640)

    def waiting_script(self, before="", after="exit 0"):
        barrier = super().waiting_script(before, after)
        for path in (barrier.path, self.folder):
            os.chown(path, RUNNER.pw_uid if path == barrier.path else 0, 0)
        barrier.arrived = self.shared / "arrived"
        barrier.wait = f'touch "{barrier.arrived}"; read -r _ < "{barrier.path}"'
        self.script(f"{before}\n{barrier.wait}\n{after}")
        return barrier

    # The processes

    def start_runner(self, *prefix, **settings):
        names = ("SYNC_RUN_DIR", "SYNC_SCRIPT_PATH", "SYNC_LOCK_PATH", "SYNC_LOG_PATH", "SYNC_LOG_DIR", "SYNC_WORKING_DIR", "SYNC_ENV_PASS")
        own = {name: str(self.settings[name]) for name in names if self.settings.get(name)}
        own |= {"SYNC_RUNNER_CLIENT": SERVICE.pw_name, **self.runner_settings, **settings}
        with self.runner_output.open("ab") as output:
            self.runner_process = subprocess.Popen(
                # The shell's number is the one it keeps through every exec.
                ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh", *prefix, *becoming(RUNNER), self.runner_binary, "listen"],
                cwd=self.folder, env=self.environment(own), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                pass_fds=(3,), preexec_fn=lambda: os.dup2(self.socket.fileno(), 3))

    def stop_runner(self):
        """As `systemctl stop sync-runner.service` with KillMode=process does: that one process, nothing it started."""
        process, self.runner_process = self.runner_process, None
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0

    def launch(self, *prefix, environment=None):
        if self.runner_process is None:
            self.start_runner()
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, *becoming(SERVICE), self.binary, "serve"], cwd=self.folder, env=self.environment(environment),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    def command(self, *arguments, prefix=(), environment=None, binary=None):
        return super().command(*arguments, prefix=prefix, environment=environment, binary=binary or self.binary)

    def supervisor(self, script):
        """The process number of the supervisor above a script."""
        return int(Path(f"/proc/{script}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def remove(self):
        try:
            self.stop()
            if self.runner_process is not None:
                self.stop_runner()
        finally:
            # One that a script has stopped does not leave on TERM.
            self.socket.close()
            self.end_leftovers()
            shutil.rmtree(self.folder)

    def runner_log(self):
        return self.runner_output.read_text() if self.runner_output.exists() else ""

    def runner_says(self, text):
        eventually(lambda: text in self.runner_log(), f"the runner says {text}")
