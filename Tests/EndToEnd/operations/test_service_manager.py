"""What a service manager is told (sd_notify(3)), over a socket as systemd makes it."""

import os
import signal
import socket
import time
from contextlib import contextmanager

import pytest

from support.processes import kill_service
from support.waiting import DEADLINE, eventually


@contextmanager
def manager(path):
    """The manager's socket; its messages, one by one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + path[1:] if path.startswith("@") else path)
        listening.settimeout(DEADLINE)
        yield lambda: listening.recv(4096).decode()


@pytest.mark.parametrize("form", ["file", "abstract"])
def test_ready_reloading_stopping(installed, form):
    installed.script("exit 0")
    path = f"{installed.folder}/notify" if form == "file" else f"@sync-service-{os.getpid()}"
    with manager(path) as message:
        installed.launch(environment={"NOTIFY_SOCKET": path})
        assert message() == "READY=1"
        assert installed.run().code == 200, "ready means that it answers"
        installed.process.send_signal(signal.SIGHUP)
        lines = message().split("\n")
        # systemd compares this with its own clock to tell a new reload from an old one (Type=notify-reload).
        assert lines[0] == "RELOADING=1" and lines[1].startswith("MONOTONIC_USEC=")
        assert abs(int(lines[1].split("=")[1]) / 1e6 - time.monotonic()) < DEADLINE
        assert message() == "READY=1"
        installed.stop()
        assert message() == "STOPPING=1"


def test_ready_again_after_a_bad_reload(installed):
    """Else the manager would wait for ever and then kill a service that serves."""
    path = f"{installed.folder}/notify"
    with manager(path) as message:
        installed.launch(environment={"NOTIFY_SOCKET": path})
        assert message() == "READY=1"
        installed.set(JWT_LEEWAY_SECONDS="many")
        installed.process.send_signal(signal.SIGHUP)
        assert message().startswith("RELOADING=1")
        assert message() == "READY=1"
        eventually(lambda: "not reloaded" in installed.output(), "it says so")


def test_ready_only_after_settling(installed):
    """What was asked for after READY=1 sees no run that is long over."""
    barrier = installed.waiting_script()
    installed.start()
    installed.begin_run()
    barrier.reached()
    kill_service(installed)
    barrier.release()
    eventually(lambda: (installed.state / "run/run-1.result").exists(), "the run is over")
    path = f"{installed.folder}/notify"
    with manager(path) as message:
        installed.launch(environment={"NOTIFY_SOCKET": path})
        assert message() == "READY=1"
        assert installed.sql("SELECT outcome FROM run_finished") == [("succeeded",)]


def test_watchdog_messages_are_sent_as_asked(installed):
    path = f"{installed.folder}/notify"
    with manager(path) as message:
        installed.launch(environment={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        assert message() == "READY=1"
        assert [message(), message()] == ["WATCHDOG=1"] * 2


def test_without_a_watchdog_none_are_sent(installed):
    path = f"{installed.folder}/notify"
    with manager(path) as message:
        installed.launch(environment={"NOTIFY_SOCKET": path})
        assert message() == "READY=1"
        installed.stop()
        assert message() == "STOPPING=1"


@pytest.mark.parametrize("path", ["", "relative", "/nowhere/at/all", "@" + "x" * 200, "/" + "x" * 200])
def test_a_manager_that_is_not_there(installed, path):
    installed.start(environment={"NOTIFY_SOCKET": path})
