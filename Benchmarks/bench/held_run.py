"""A run that goes on while something is measured."""

import os
import threading
from contextlib import contextmanager

from client import WrongAnswer, expect
from server import PATIENCE, eventually


class _Run(threading.Thread):
    """POST /sync/run on a thread of its own; `problem` says afterwards why it did not succeed."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.problem = server, "no answer"

    def run(self):
        try:
            expect(self.server, 200, "POST", "/sync/run")
            self.problem = None
        except (OSError, WrongAnswer) as error:
            self.problem = error


@contextmanager
def held_run(server):
    """A run whose script waits until the block ends. It holds its own lock file meanwhile, as documented."""
    fifo = server.folder / "hold"
    os.mkfifo(fifo)
    fifo.chmod(0o666)
    server.script(f'touch "{server.lock_path}"\nread -r _ < "{fifo}"\nrm -f "{server.lock_path}"')
    run = _Run(server)
    run.start()
    try:
        eventually(server.lock_path.exists, f"the script of {server.name} runs")
        yield
    finally:
        # Opened for both directions, the FIFO does not wait for the script, and keeps the line until the script reads it.
        with open(os.open(fifo, os.O_RDWR), "wb", buffering=0) as let_go:
            let_go.write(b"go\n")
            run.join(PATIENCE)
        fifo.unlink()
        server.script("exit 0")
    if run.problem:
        raise WrongAnswer(f"the run of {server.name} that waited failed: {run.problem}")
