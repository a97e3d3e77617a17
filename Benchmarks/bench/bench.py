"""What all sections share: the folder, the secret, the certificate, the length of the turns, and the servers to remove."""

import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from support.certificates import Authority
from support.service import Service

from ours import token


class Bench:
    def __init__(self, folder, options, programs):
        """`programs` are paths by name, of the clients and peers that were built and of AuditBenchmark."""
        self.folder, self.programs = folder, programs
        self.turns, self.seconds, self.runs = options.turns, options.seconds, options.runs
        self.secret = secrets.token_hex(32).encode()
        self.token = token(self.secret)
        self._authority = None
        self._removals = ExitStack()

    @property
    def authority(self):
        """It has signed one P-256 certificate, which all servers use."""
        if self._authority is None:
            self._authority = Authority(self.new_folder("certificate"))
        return self._authority

    def new_folder(self, name):
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))
        path.chmod(0o755)
        return path

    def servers(self, kinds, authority=None):
        """Sets up one server of each kind. `remove_servers` removes them."""
        return [self.add(kind(self, authority)) for kind in kinds]

    def add(self, server):
        """The server, to be removed by `remove_servers`."""
        self._removals.callback(server.remove)
        return server

    def remove_servers(self):
        self._removals.close()

    def end_leftovers(self):
        """Ends, by id, processes whose working directory is in the folder: scripts, and supervisors of runs."""
        Service.end_leftovers(self)

    def in_turns(self, contestants):
        """A, B, C, A, B, C, …"""
        for turn in range(self.turns):
            for contestant in contestants:
                if sys.stderr.isatty():
                    print(f"\r\033[Kturn {turn + 1} of {self.turns}: {contestant.name}", end="", file=sys.stderr, flush=True)
                yield contestant
        if sys.stderr.isatty():
            print(end="\r\033[K", file=sys.stderr, flush=True)
