"""Faults at named moments: strace on a thread or on the next supervisor, the runner's protocol spoken by hand, and what
must hold of the record whatever happened. Disks of one's own are in disks.py."""

import os
import re
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path

import harness
from harness import Service, alive, eventually

PROTOCOL = b"1"


# strace


def threads(pid):
    return [int(entry.name) for entry in Path(f"/proc/{pid}/task").iterdir()]


def run_threads(pid):
    """The threads on which the service performs runs: its one pool of four."""
    named = {tid: Path(f"/proc/{pid}/task/{tid}/comm").read_text().strip() for tid in sorted(threads(pid))}
    found = [max(tid for tid in named if named[tid] == "TP-#3")]
    for name in ("TP-#2", "TP-#1", "TP-#0"):
        found.append(max(tid for tid in named if named[tid] == name and tid < found[-1]))
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


class Watched(Service):
    """An installation whose next supervisor can be started under strace. The service is the built one under another
    name, and the `sync-runner` beside it a script that executes the built one."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        programs = folder / "bin"
        programs.mkdir()
        self.binary = programs / "sync-service"
        _link_or_copy(harness.BINARY, self.binary)
        self.armed, self.used, self.latest = folder / "arm", folder / "armed", folder / "runner.pid"
        runner = programs / "sync-runner"
        # Daemonized, strace leaves the runner what it is: a child of the service under this process number.
        runner.write_text(
            f'#!/bin/sh\necho $$ > "{self.latest}"\nif mv "{self.armed}" "{self.used}" 2>/dev/null; then\n'
            f'  exec strace -D $(cat "{self.used}") {harness.RUNNER}\nfi\nexec {harness.RUNNER}\n')
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


# Processes and files of a run


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


def spool(service, run, kind):
    return service.state / "run" / f"run-{run}.{kind}"


def admin(service, method, path, **options):
    return service.request(method, path, token=service.token("auditor", role="admin"), **options)


def reasons(service):
    """What /readyz says to somebody with a token; nothing when it is ready."""
    answer = service.request("GET", "/readyz")
    assert answer.code == (503 if "reasons" in answer.json else 200), answer
    return answer.json.get("reasons", [])


def is_unavailable(answer, run=None):
    """503 of the documented form; `run` is the number in its header."""
    assert answer.code == 503, answer
    assert list(answer.json) == ["status", "message", "output"] and answer.json["status"] == "error"
    assert int(answer.header("Retry-After")) > 0 and answer.header("Sync-Run-Id") == run


# What must hold afterwards


def is_sound(service):
    """The file is whole, and numbers have no gaps. Call it once no write is under way that was cut short."""
    assert service.sql("PRAGMA integrity_check") == [("ok",)]
    numbers = [number for number, in service.sql("SELECT id FROM run_started ORDER BY id")]
    assert numbers == list(range(1, len(numbers) + 1)), "numbers have gaps"
    for table in ("run_finished", "run_output"):
        ended = [number for number, in service.sql(f"SELECT id FROM {table} ORDER BY id")]
        assert len(set(ended)) == len(ended) and set(ended) <= set(numbers)


def trail_is_intact(service):
    """By the command that an auditor uses, over the file as it is now."""
    verified = service.command("audit", "verify")
    assert verified.returncode == 0, verified


def all_recorded(service):
    """Every run that began has ended in the record, exactly once."""
    eventually(
        lambda: service.sql("SELECT count(*) FROM run_started WHERE id NOT IN (SELECT id FROM run_finished)") == [(0,)],
        "every run that began has ended in the record")
    is_sound(service)


# The runner's protocol


class Runner:
    """A sync-runner of one's own, spoken to as the service does."""

    def __init__(self, *command):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.process = subprocess.Popen(command or [harness.RUNNER], stdin=theirs, stderr=subprocess.PIPE)
        theirs.close()
        ours.settimeout(harness.DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.communicate(timeout=harness.DEADLINE)

    def ask(self, kind, **fields):
        self.send(kind, **fields)
        return self.receive()

    def send(self, kind, **fields):
        message = encoded(kind, **fields)
        self.socket.sendall(len(message).to_bytes(4, "big") + message)

    def receive(self):
        """Kind and fields of one message."""
        return decoded(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            assert piece, "the runner hung up"
            data += piece
        return data


def encoded(kind, version=PROTOCOL, **fields):
    pairs = [("version", version), ("kind", kind.encode())]
    pairs += [(name, value if isinstance(value, bytes) else str(value).encode()) for name, value in fields.items()]
    return b"".join(
        bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value for name, value in pairs)


def decoded(data):
    fields = {}
    while data:
        name, data = data[1:1 + data[0]].decode(), data[1 + data[0]:]
        length = int.from_bytes(data[:4], "big")
        fields[name], data = data[4:4 + length].decode(), data[4 + length:]
    fields.pop("version")
    return fields.pop("kind"), fields
