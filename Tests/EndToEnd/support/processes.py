"""Processes of a test: finding them and killing them."""

import os
from pathlib import Path

from support.waiting import eventually


def alive(pid):
    """Whether the process exists and is more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes(service):
    """The script and what came of it: the folder in their arguments, and a name in their environment that service and
    supervisor lack."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            ours = str(service.folder).encode() in (entry / "cmdline").read_bytes()
            if ours and b"SYNC_RUN_ID=" in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except (OSError, ValueError):
            continue
    return [pid for pid in found if alive(pid)]


WHO = 'echo $$ $PPID > "{folder}/who.new"; mv "{folder}/who.new" "{folder}/who"'


def naming(service):
    """A line for a script that writes its own and its supervisor's process number down."""
    return WHO.format(folder=service.folder)


def named(service):
    """Script and supervisor, as the script wrote them down."""
    return map(int, (service.folder / "who").read_text().split())


def kill(*pids):
    """KILL for these processes, at once, and waits until they are gone."""
    for pid in pids:
        try:
            os.kill(pid, 9)
        except ProcessLookupError:
            pass
    eventually(lambda: not any(alive(pid) for pid in pids), f"{pids} are gone")


def end_all(service):
    """The machine's processes are gone at once: service, runners and scripts."""
    service.process.kill()
    service.end_leftovers()
    service.process.wait()
    service.process = None


def kill_service(service):
    service.process.kill()
    service.process.wait()
    service.process = None
