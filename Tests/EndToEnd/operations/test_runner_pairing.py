"""The service works only with the sync-runner of its own release. It refuses any other program in its place with a clear
message."""

import shutil
import socket
import struct
import subprocess

import pytest

from support.service import BINARY, RUNNER, UNAVAILABLE

REMEDY = "install sync-service and sync-runner from one release"


def fields(*pairs):
    """A message of the run protocol: each name after its length in 1 byte, each value after its length in 4."""
    encoded = b"".join(
        struct.pack("!B", len(name)) + name + struct.pack("!I", len(value)) + value for name, value in pairs)
    return struct.pack("!I", len(encoded)) + encoded


OF_ANOTHER_RELEASE = fields((b"version", b"999"), (b"kind", b"whatever"))


@pytest.fixture
def paired(installed):
    """Puts another sync-runner beside a copy of sync-service; gives the copy."""
    def pair(runner):
        binary = installed.folder / "bin" / "sync-service"
        binary.parent.mkdir()
        shutil.copy(BINARY, binary)
        if runner is not None:
            (binary.parent / "answer").write_bytes(OF_ANOTHER_RELEASE)
            binary.with_name("sync-runner").write_text(f"#!/bin/bash\n{runner.format(folder=binary.parent)}\n")
            binary.with_name("sync-runner").chmod(0o755)
        installed.counting_script()
        return binary
    return pair


# A runner in its place. case: what it does, words of the message
RUNNERS = {
    "of another release": ("cat {folder}/answer >&0; cat >/dev/null", ["999", REMEDY]),
    "that says nothing sensible": ("echo garbage, and enough of it >&0; cat >/dev/null", [REMEDY]),
    "that says too much": ("head -c 10000000 /dev/zero >&0", [REMEDY]),
    "that leaves": ("exit 0", [REMEDY]),
    "missing": (None, [REMEDY]),
}


@pytest.mark.parametrize("case", RUNNERS)
def test_the_service_refuses_a_runner(installed, paired, case):
    runner, words = RUNNERS[case]
    binary = paired(runner)
    code, message = installed.refused_start(binary=binary)
    assert code == UNAVAILABLE
    assert "sync-runner" in message
    for word in words:
        assert word in message
    run = installed.command("run", binary=binary)
    assert run.returncode not in (0, 2) and "runner" in run.stderr
    assert "999" not in words or "999" in run.stderr
    check = installed.command("check", binary=binary)
    assert check.returncode == 1 and REMEDY in check.stdout
    assert installed.times_run() == 0


def test_the_runner_refuses_a_service_of_another_release():
    ours, theirs = socket.socketpair()
    runner = subprocess.Popen([RUNNER], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    theirs.close()
    ours.settimeout(30)
    ours.sendall(OF_ANOTHER_RELEASE)
    answer = ours.recv(65536)
    ours.close()
    told = runner.communicate(timeout=30)[1]
    for text in (answer, told):
        assert b"999" in text and REMEDY.encode() in text


NONSENSE = {
    "nothing": b"",
    "one byte": b"\0",
    "a huge length": b"\xff\xff\xff\xff",
    "no field": b"\0\0\0\x05abcde",
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "empty messages": b"\0" * 100000,
}


@pytest.mark.parametrize("case", NONSENSE)
def test_the_runner_survives_nonsense(case):
    """It leaves by itself, with an exit code and not by a signal."""
    ours, theirs = socket.socketpair()
    runner = subprocess.Popen([RUNNER], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    theirs.close()
    try:
        ours.sendall(NONSENSE[case])
    except (BrokenPipeError, ConnectionResetError):
        pass
    ours.close()
    runner.communicate(timeout=30)
    assert runner.returncode in (0, 1)
