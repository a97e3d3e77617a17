"""Waiting for conditions instead of for time: polls with a deadline, and a barrier that holds a script."""

import os
import time

DEADLINE = 30  # seconds; generous, because it only bounds a failure


def eventually(condition, what, seconds=DEADLINE):
    """Polls until the condition gives something true, and returns it; fails by name at the deadline."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Barrier:
    """A FIFO at which a script waits until the test lets it go on."""

    def __init__(self, folder):
        self.path = folder / "barrier"
        self.arrived = folder / "arrived"
        os.mkfifo(self.path)
        self.wait = f'touch "{self.arrived}"; read -r _ < "{self.path}"'

    def reached(self):
        eventually(self.arrived.exists, "the script is at its barrier")

    def release(self):
        eventually(self._let_one_go, "a script waits at the barrier")

    def _let_one_go(self):
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            return False
        os.write(descriptor, b"go\n")
        os.close(descriptor)
        return True
