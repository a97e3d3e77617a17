"""The audit log for an attacker or an auditor, in a few lines of Python: the tree, its tables, and a signer with a stolen
key. It shares no code with the service."""

import base64
import functools
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, contextmanager

from support.http_client import Connection
from support.service import Service
from support.waiting import DEADLINE, eventually

RUNS = int(os.environ.get("AUDIT_RUNS", "1000"))


@functools.cache
def thousand_runs(parent):
    """An installation with a thousand recorded runs, made once; tests work on copies of it. AUDIT_RUNS sets another number.

    Beside it lie checkpoints that somebody kept: `older`, after a quarter of the runs, `yesterday`, before the newest
    ten, and `newest`; and `yesterday.sqlite`, the whole history of then.

    `parent` is the folder to make it in.
    """
    folder = parent / "thousand"
    folder.mkdir(mode=0o700)
    service = Service(folder)
    service.script('echo "output of run $SYNC_RUN_ID"; exit $((SYNC_RUN_ID % 3 == 0))')
    for last, name in ((RUNS // 4, "older"), (RUNS - 10, "yesterday"), (RUNS, "newest")):
        service.start()
        try:
            run_until(service, last)
        finally:
            service.stop()
        (service.folder / name).write_bytes(head_of(service))
        shutil.copy2(service.database, service.folder / f"{name}.sqlite")
    return service


def run_until(service, last):
    """Runs by the API up to the run of that number."""
    with Connection(service) as connection:
        run = 0
        while run < last:
            connection.send(connection.head("POST /sync/run HTTP/1.1", "Content-Length: 0"))
            run = int(connection.answer().header("Sync-Run-Id"))


# Tree (RFC 6962, section 2.1)


def leaf_hash(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def stored_hashes(entries):
    """The hashes of all complete subtrees in the order in which they become known, and the root."""
    edge, stored = [], []
    for index, entry in enumerate(entries):
        node = leaf_hash(entry)
        stored.append(node)
        size = index + 1
        while size % 2 == 0:
            node = hashlib.sha256(b"\1" + edge.pop() + node).digest()
            stored.append(node)
            size //= 2
        edge.append(node)
    root = edge.pop()
    while edge:
        root = hashlib.sha256(b"\1" + edge.pop() + root).digest()
    return stored, root


# Signatures (c2sp.org/signed-note), by the openssl command


class Key:
    """An Ed25519 key in a PEM file."""

    def __init__(self, path):
        self.path = path

    @classmethod
    def new(cls, path):
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
        path.chmod(0o600)
        return cls(path)

    @property
    def public(self):
        done = subprocess.run(
            ["openssl", "pkey", "-in", self.path, "-pubout", "-outform", "DER"], check=True, capture_output=True)
        return done.stdout[-32:]

    def identifier(self, origin):
        return hashlib.sha256(origin.encode() + b"\n\1" + self.public).digest()[:4]

    def vkey(self, origin):
        return f"{origin}+{self.identifier(origin).hex()}+{base64.b64encode(bytes([1]) + self.public).decode()}"

    def checkpoint(self, origin, entries):
        """The signed note over these entries."""
        root = base64.b64encode(stored_hashes(entries)[1]).decode()
        text = f"{origin}\n{len(entries)}\n{root}\n"
        return f"{text}\n— {origin} {self.signature(origin, text)}\n".encode()

    def signature(self, origin, text):
        """As in a note's signature line: base64 of the key's ID and the signature."""
        message = self.path.with_name("message")
        message.write_text(text)
        signature = subprocess.run(
            ["openssl", "pkeyutl", "-sign", "-inkey", self.path, "-rawin", "-in", message],
            check=True, capture_output=True).stdout
        return base64.b64encode(self.identifier(origin) + signature).decode()


# The database


def copy_of(service, folder, name="copy", **settings):
    """Another installation with the same history and key."""
    (folder / name).mkdir(mode=0o700)
    copy = Service(folder / name, **settings)
    for file in ("history.sqlite", "audit.key"):
        shutil.copy2(service.state / file, copy.state / file)
    copy.script("exit 0")
    return copy


@contextmanager
def opened(service):
    """A connection with the rights of the file's owner."""
    with closing(sqlite3.connect(service.database, timeout=DEADLINE, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@contextmanager
def tampering(service):
    """The same without the triggers. Afterwards they are exactly as before."""
    with opened(service) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)


def entries_of(service):
    """Every entry's bytes, in order."""
    return [bytes(entry) for entry, in service.sql("SELECT bytes FROM leaf ORDER BY entry")]


def events_of(service, kind=None):
    """Entries as objects, with their number; all, or those of one kind."""
    found = [{"entry": number, **json.loads(entry)} for number, entry in enumerate(entries_of(service))]
    return [event for event in found if kind in (None, event["event"])]


def event(service, kind, **wanted):
    """Waits for an event of this kind with these members, and returns the newest such."""
    def newest():
        fitting = [e for e in events_of(service, kind) if all(e.get(key) == value for key, value in wanted.items())]
        return fitting and fitting[-1]
    return eventually(newest, f"an event {kind} with {wanted} is in the audit log")


def entry_of(service, run, kind="run_finished"):
    """The number of the entry about the start or the end of a run."""
    needle = f'"event":"{kind}"'.encode(), f'"run":{run},'.encode()
    return next(n for n, entry in enumerate(entries_of(service)) if all(part in entry for part in needle))


def head_of(service):
    return bytes(service.sql("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")[0][0])


def size_of(checkpoint):
    return int(checkpoint.split(b"\n")[1])


def changed(entry, **members):
    """The entry with other values, in its only valid encoding."""
    return json.dumps(
        {**json.loads(entry), **members}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def put_hashes(connection, entries):
    """Replaces every stored hash by the hash of these entries."""
    connection.execute("DELETE FROM tree_hash")
    connection.executemany("INSERT INTO tree_hash VALUES (?, ?)", enumerate(stored_hashes(entries)[0]))


def put_log(connection, entries):
    """Replaces all entries and their hashes by these. The checkpoints stay."""
    connection.execute("DELETE FROM leaf")
    connection.executemany("INSERT INTO leaf VALUES (?, ?)", enumerate(entries))
    connection.execute("DELETE FROM run_entry")
    runs = ((json.loads(entry).get("run"), number) for number, entry in enumerate(entries))
    connection.executemany("INSERT INTO run_entry VALUES (?, ?)", (pair for pair in runs if pair[0] is not None))
    put_hashes(connection, entries)


def sign(connection, entries, key):
    """Replaces all checkpoints by one over all entries."""
    origin = json.loads(entries[0])["origin"]
    connection.execute("DELETE FROM checkpoint")
    connection.execute("INSERT INTO checkpoint VALUES (?, ?)", (len(entries), key.checkpoint(origin, entries)))


def forged_log(service, run):
    """All entries, one of them with another user."""
    entries = entries_of(service)
    entry = entry_of(service, run, "run_started")
    entries[entry] = changed(entries[entry], user="eva")
    return entries


def put_forged(connection, entries, run):
    """Such a log with its hashes, and the row that goes with it."""
    put_log(connection, entries)
    connection.execute(f"UPDATE run_started SET user = 'eva' WHERE id = {run}")


# What verify says


def verify(service, *checkpoints, vkey=None):
    arguments = [part for file in checkpoints for part in ("--checkpoint", str(file))]
    return service.command("audit", "verify", *arguments, *(("--vkey", vkey) if vkey else ()))


def is_found(result, *said):
    """Asserts that the verification finds tampering and prints these texts."""
    assert result.returncode == 1, result
    assert "TAMPERED" in result.stdout, result
    for text in said:
        assert text in result.stdout, (text, result.stdout)


def is_intact(result, *said):
    assert result.returncode == 0, result
    for text in said:
        assert text in result.stdout, (text, result.stdout)
