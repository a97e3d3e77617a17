"""The program's own table of routes. Tests that read it also test the routes that are added later."""

import subprocess
from typing import NamedTuple

from support.service import BINARY


class Route(NamedTuple):
    method: str
    path: str
    role: str | None  # None: needs no token
    reads_body: bool

    @property
    def target(self):
        """The path with a number in it."""
        return self.path.replace("{id}", "1")


def read():
    lines = subprocess.run([BINARY, "routes"], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [line.split(" ") for line in lines]
    return [Route(method, path, None if role == "-" else role, body == "body") for method, path, role, body in rows]


ROUTES = read()
PATHS = sorted({route.path for route in ROUTES})
TARGETS = sorted({route.target for route in ROUTES})


def offered(path):
    """The methods of a path, as the Allow header must list them."""
    methods = {route.method for route in ROUTES if path in (route.path, route.target)}
    return methods | ({"HEAD"} if "GET" in methods else set()) | {"OPTIONS"}


def name(route):
    """A test's name."""
    return f"{route.method} {route.path}"
