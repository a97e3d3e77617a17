"""Histories that earlier versions wrote, stored as SQL."""

import sqlite3
from contextlib import closing

from support.service import ROOT

SAMPLES = ROOT / "Tests/EndToEnd/samples"


def put_history(service, name):
    """Puts a stored history in place, with its key if it has one."""
    with closing(sqlite3.connect(service.database)) as connection:
        connection.executescript((SAMPLES / f"{name}.sql").read_text())
    service.database.chmod(0o600)
    key = SAMPLES / f"{name}.key"
    if key.exists():
        service.write_private(service.state / "audit.key", key.read_bytes())
