"""Faults at named moments: strace on threads of the service, or on the next supervisor that it starts."""

import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path

from support.service import BINARY, RUNNER, Service
from support.waiting import eventually


def threads(pid):
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def run_threads(pid):
    """The threads on which the service performs runs. ServicePools calls them runs-0, runs-1 and so on."""
    found = [tid for tid in threads(pid) if Path(f"/proc/{pid}/task/{tid}/comm").read_text().startswith("runs-")]
    assert found, "no thread of the service is called runs-…"
    return found


def tracer_of(pid):
    return int(re.search(r"TracerPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1))


@contextmanager
def strace(tids, *arguments, output="/dev/null"):
    """strace on exactly these threads, attached when the block begins and detached when it ends."""
    tracer = subprocess.Popen(
        ["strace", "-o", output, *arguments, *(part for tid in tids for part in ("-p", str(tid)))],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )
    try:
        attached = 0
        while attached < len(tids):
            line = tracer.stderr.readline()
            assert line, f"strace {arguments} left"
            attached += " attached" in line
        yield tracer
    finally:
        tracer.terminate()
        tracer.communicate()


def failing(tids, call, error, path=None, when="1+"):
    """The system call fails for these threads, where a path is given only on it, from or at the given occurrence."""
    where = ("-P", str(path)) if path else ()
    return strace(tids, "-e", f"trace={call}", *where, "-e", f"inject={call}:error={error}:when={when}")


class TracedService(Service):
    """An installation whose next supervisor can be started under strace. The service is the built one under another
    name, and the `sync-runner` beside it a script that executes the built one."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        programs = folder / "bin"
        programs.mkdir()
        self.binary = programs / "sync-service"
        _link_or_copy(BINARY, self.binary)
        self.armed, self.used, self.latest = folder / "arm", folder / "armed", folder / "runner.pid"
        runner = programs / "sync-runner"
        # Daemonized, strace leaves the runner what it is: a child of the service under this process number.
        runner.write_text(
            f'#!/bin/sh\necho $$ > "{self.latest}"\nif mv "{self.armed}" "{self.used}" 2>/dev/null; then\n'
            f'  exec strace -D $(cat "{self.used}") {RUNNER}\nfi\nexec {RUNNER}\n')
        runner.chmod(0o755)

    def launch(self, *prefix, environment=None):
        with self.output_path.open("ab") as output:
            self.process = subprocess.Popen(
                [*prefix, self.binary, "serve"], cwd=self.folder, env=self.environment(environment),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )

    def arm(self, *arguments):
        """The next runner that starts is traced with these arguments."""
        self.used.unlink(missing_ok=True)
        new = self.folder / "arm.new"
        new.write_text(" ".join(arguments) + "\n")
        new.rename(self.armed)

    def latest_runner(self):
        """The process number of the runner that was started last."""
        return int(eventually(self.latest.read_text, "a runner has written its number"))


def _link_or_copy(source, target):
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())
        target.chmod(0o755)
