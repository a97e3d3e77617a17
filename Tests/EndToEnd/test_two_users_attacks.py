"""Two users and those who mean harm or are clumsy: a script against runner and service, and an operator who sets it up wrong."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from harness import CONFIGURATION, eventually
from twousers import RUNNER, SERVICE, Separated, becoming

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT to become two users: run these tests as root")


@pytest.fixture
def prepared():
    separated = Separated()
    separated.script("exit 0")
    yield separated
    separated.remove()


@pytest.fixture
def service(prepared):
    return prepared.start()


def message(kind, **fields):
    """As the run protocol writes it."""
    pairs = [("version", "1"), ("kind", kind), *fields.items()]
    return b"".join(bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value.encode() for name, value in pairs)


# The script

@pytest.mark.parametrize("whose", ["listener", "supervisor"])
@pytest.mark.parametrize("limit", ["cpu=0:0", "fsize=0:0", "nofile=3:3"])
def test_it_cannot_set_limits(service, whose, limit):
    """No CPU time or no room to write ends a process as a kill would, and only the user counts for prlimit(2)."""
    target = service.runner_process.pid if whose == "listener" else "$PPID"
    service.script(f"prlimit --pid {target} --{limit} 2>&1; prlimit --nofile=20:20 bash -c 'ulimit -n'; ulimit -n 30 && ulimit -n")
    output = service.run().json["output"]
    assert "Operation not permitted" in output and output.endswith("20\n30\n"), output
    assert service.run().code == 200


def test_no_process_hides_behind_its_first_thread(prepared):
    """With that one gone it looks like a zombie, and went on beside the next run."""
    prepared.set(SYNC_TIMEOUT_SECONDS=2)
    service = prepared.start()
    service.script(f"""exec /usr/bin/python3 - <<'PY'
import ctypes, os, signal, threading, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    open("{service.shared}/pid", "w").write(str(os.getpid()))
    threading.Thread(target=time.sleep, args=(100,)).start()
    ctypes.CDLL(None).pthread_exit(None)
time.sleep(100)
PY""")
    assert service.run().code == 500
    assert service.record(1)["outcome"] == "timed_out"
    process = Path("/proc") / (service.shared / "pid").read_text()
    assert not process.exists(), (process / "status").read_text()
