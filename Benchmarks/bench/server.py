"""A server under measurement. One runs at a time; it keeps its folder and its port between its turns."""

import time
from contextlib import contextmanager

from client import Connection, WrongAnswer, expect
from processes import tree

PATIENCE = 30  # seconds; bounds a failure only
WARM_UP = 200  # requests


def eventually(condition, what, patience=PATIENCE, pause=0.0005):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {patience} s: {what}")
        time.sleep(pause)


class Server:
    """What a measurement uses of a server. Subclasses have `folder`, `port`, `token`, `script_path`, `lock_path`, `log_path`
    and `authority`, which is None without TLS, and say how to launch and stop the processes.
    """

    name = ""
    probe = ("GET", "/sync/status")

    def launch(self):
        """Starts the processes and does not wait until they serve."""
        raise NotImplementedError

    def stop(self):
        raise NotImplementedError

    def remove(self):
        """Stops the processes if they run, and ends what they left."""
        raise NotImplementedError

    def main_processes(self):
        """The Popen objects of the processes that `launch` started."""
        raise NotImplementedError

    def output(self):
        """What the server printed."""
        raise NotImplementedError

    def url(self, path):
        return f"{'https' if self.authority else 'http'}://127.0.0.1:{self.port}{path}"

    def pids(self):
        return [pid for process in self.main_processes() for pid in tree(process.pid)]

    def start(self):
        """Launches the server and waits for its first right answer; the seconds that took."""
        begin = time.monotonic()
        self.launch()
        eventually(self._answers, f"{self.name} answers; see its output:\n{self.output()}")
        return time.monotonic() - begin

    @contextmanager
    def running(self):
        """Starts the server, warms it up, and stops it at the end of the block."""
        self.start()
        try:
            with Connection(self) as connection:
                for _ in range(WARM_UP):
                    connection.expect(200, *self.probe)
            yield self
        finally:
            self.stop()

    def _answers(self):
        for process in self.main_processes():
            if process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {process.returncode}:\n{self.output()}")
        try:
            expect(self, 200, *self.probe)
            return True
        except (OSError, WrongAnswer):
            return False
