"""Real MariaDB servers for tests: own data directory, loopback port and socket; and a client that stops at a statement."""

import contextlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from support.service import free_port
from support.waiting import DEADLINE, eventually

SBIN = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
CLIENT = shutil.which("mariadb", path=SBIN)
AS_ROOT = ["--user=root"] if os.geteuid() == 0 else []
MEGABYTE = 1 << 20

ROUTINES = "SELECT routine_name FROM information_schema.routines WHERE"
OBJECTS = {
    "TABLE": "SELECT table_name FROM information_schema.tables WHERE table_type <> 'VIEW' AND table_schema",
    "VIEW": "SELECT table_name FROM information_schema.views WHERE table_schema",
    "TRIGGER": "SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema",
    "PROCEDURE": f"{ROUTINES} routine_type = 'PROCEDURE' AND routine_schema",
    "FUNCTION": f"{ROUTINES} routine_type = 'FUNCTION' AND routine_schema",
    "EVENT": "SELECT event_name FROM information_schema.events WHERE event_schema",
}


def make_data_folder(path):
    """An empty installation in which root has no password, for servers to be copied from."""
    subprocess.run(
        [shutil.which("mariadb-install-db", path=SBIN), "--no-defaults", *AS_ROOT, f"--datadir={path}", "--skip-test-db",
         "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M"],
        check=True, capture_output=True, stdin=subprocess.DEVNULL,
    )


class Server:
    """One mariadbd. The folder's path is short: a Unix socket's has 107 bytes."""

    def __init__(self, folder, template):
        self.folder = folder
        self.data = folder / "data"
        self.socket = folder / "socket"
        self.log = folder / "server.log"
        self.port = free_port()
        self.process = None
        self.sessions = []
        self.data.mkdir()
        # Its own file system, so that a test can fill it. Without the right to mount, full_disk limits the tablespace.
        self.mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", self.data], capture_output=True
        ).returncode == 0
        shutil.copytree(template, self.data, dirs_exist_ok=True)

    def start(self, *options):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [shutil.which("mariadbd", path=SBIN), "--no-defaults", *AS_ROOT, f"--datadir={self.data}",
                 f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.socket}",
                 f"--pid-file={self.folder}/pid", "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=64M",
                 "--character-set-server=utf8mb4", "--sql-mode=TRADITIONAL", "--skip-name-resolve", *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        eventually(self._answers, "the server answers")
        return self

    def _answers(self):
        assert self.process.poll() is None, f"mariadbd left:\n{self.log.read_text()[-3000:]}"
        return self.client("SELECT 1").returncode == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(DEADLINE)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def remove(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        if self.mounted:
            subprocess.run(["umount", self.data], check=True)

    @contextlib.contextmanager
    def full_disk(self, left):
        """Inside, the server can write this many bytes more, about: its file system is full, or its tablespace."""
        if self.mounted:
            ballast = self.data / "ballast"
            with ballast.open("wb") as file:
                try:
                    while True:
                        file.write(bytes(MEGABYTE))
                        file.flush()
                except OSError:
                    os.truncate(ballast, max(0, ballast.stat().st_size - left))
            try:
                yield
            finally:
                ballast.unlink()
        else:
            size = (self.data / "ibdata1").stat().st_size // MEGABYTE
            self.stop()
            limit = f"ibdata1:12M:autoextend:max:{size + left // MEGABYTE}M"
            self.start("--innodb-file-per-table=0", f"--innodb-data-file-path={limit}")
            try:
                yield
            finally:
                self.stop()
                self.start()

    # SQL, as root through the socket

    def client(self, sql, database=None):
        return subprocess.run(
            [CLIENT, "--no-defaults", "--user=root", f"--socket={self.socket}", "--default-character-set=utf8mb4",
             "--batch", "--skip-column-names", "--comments", "--local-infile", "--init-command=SET sql_mode=''",
             *([database] if database else [])],
            input=sql, capture_output=True, text=True, errors="surrogateescape",
        )

    def sql(self, sql, database=None):
        """The answer's rows, each a tuple of text."""
        done = self.client(sql, database)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.split("\n")[:-1]]

    def session(self, sql, database):
        """A client that has executed this. It keeps its connection and its locks until communicate() or end_sessions()."""
        process = subprocess.Popen(
            [CLIENT, "--no-defaults", "--user=root", f"--socket={self.socket}", "--batch", "--unbuffered", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.sessions.append(process)
        process.stdin.write(f"{sql}; SELECT 'executed';\n")
        process.stdin.flush()
        while "executed" not in (line := process.stdout.readline()):
            assert line, "the session ended"
        return process

    def end_sessions(self):
        """Ends the sessions of a test. A session that a failed test left would block the next test with its locks."""
        for process in self.sessions:
            if process.poll() is None:
                process.communicate()
        self.sessions.clear()

    def databases(self):
        return {name for (name,) in self.sql("SHOW DATABASES")} - {"information_schema", "mysql", "performance_schema", "sys"}

    def contents(self, database):
        """Every table, as (definition, checksum of all rows), and every other object, as the server would write it."""
        found = {}
        for kind, query in OBJECTS.items():
            for (name,) in self.sql(f"{query} = '{database}'"):
                quoted = f"`{name.replace('`', '``')}`"
                row = self.sql(f"SHOW CREATE {kind} {quoted}", database)[0]
                definition = next(field for field in row if field.upper().startswith("CREATE "))
                if kind == "TABLE":
                    # The counter moves with every insert, undone ones too, and tells nothing about rows.
                    definition = re.sub(r" AUTO_INCREMENT=\d+", "", definition)
                    checksum = self.sql(f"CHECKSUM TABLE {quoted} EXTENDED", database)[0][1]
                    found[f"TABLE {name}"] = definition, checksum
                else:
                    found[f"{kind} {name}"] = definition
        return found


def tables_of(contents):
    return {name: value for name, value in contents.items() if name.startswith("TABLE ")}


def comparable(contents):
    """Without what a copy need not have: DEFINERs, and how the beginning of a trigger was once typed."""
    def head(found):
        words = re.sub(r"\w+\s*\.\s*", "", found[0].replace("\\n", " ")).lower().split()
        return " ".join(words)

    def text(value):
        value = re.sub(r"DEFINER=`[^`]*`@`[^`]*` ", "", value)
        return re.sub(r"^CREATE TRIGGER .*?\bEACH\b.*?ROW", head, value, flags=re.IGNORECASE)

    return {name: text(value) if isinstance(value, str) else value for name, value in contents.items()}


class StoppingClient:
    """A `mariadb` for the front of PATH. Once, it stops before a statement that the test names and waits for the test.

    At that moment the server has executed all statements before it, and the client waits for more input.
    """

    # A sync starts dozens of clients, so the shell decides whether this is one to look at.
    PROGRAM = r"""#!/bin/sh
folder=${0%/*}
[ -e "$folder/stop" ] || exec 'CLIENT' "$@"
exec /usr/bin/python3 -I "$folder/stopping.py" "$@"
"""
    STOPPING = r"""
import array, fcntl, json, os, re, subprocess, sys, termios, time
CLIENT = "CLIENT"
folder = os.path.dirname(sys.argv[0])
try:
    stop = json.load(open(folder + "/stop"))
except FileNotFoundError:
    stop = None  # another client has stopped meanwhile
if stop is None or stop["database"] not in (None, sys.argv[-1]):
    os.execv(CLIENT, [CLIENT, *sys.argv[1:]])
# With the descriptors of the script, as the client itself would have them.
client = subprocess.Popen([CLIENT, *sys.argv[1:]], stdin=subprocess.PIPE, close_fds=False)
pattern = re.compile(stop["before"].encode())

def has_executed_its_input():
    # The pipe comes first: with an empty pipe, a client that sleeps in read(0, ...) has executed everything.
    unread = array.array("i", [0])
    fcntl.ioctl(client.stdin, termios.FIONREAD, unread)
    with open(f"/proc/{client.pid}/syscall") as call:
        return unread[0] == 0 and call.read().split()[1:2] == ["0x0"]

try:
    for line in sys.stdin.buffer:
        if pattern and pattern.match(line):
            client.stdin.flush()
            while client.poll() is None and not has_executed_its_input():
                time.sleep(0.01)
            pattern = None
            os.rename(folder + "/stop", folder + "/stopped")
            client.stdin.write(open(folder + "/barrier", "rb").read())
        client.stdin.write(line)
        client.stdin.flush()
    client.stdin.close()
except BrokenPipeError:
    pass
sys.exit(client.wait())
"""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        program = folder / "mariadb"
        program.write_text(self.PROGRAM.replace("CLIENT", CLIENT))
        program.chmod(0o755)
        (folder / "stopping.py").write_text(self.STOPPING.replace('"CLIENT"', repr(CLIENT)))
        os.mkfifo(folder / "barrier")

    @property
    def path(self):
        return f"{self.folder}:{os.environ['PATH']}"

    def stop_before(self, statement, database=None):
        """Statement: a pattern for the beginning of a line. Database: only clients that were started in it."""
        (self.folder / "stopped").unlink(missing_ok=True)
        (self.folder / "stop").write_text(json.dumps({"before": statement, "database": database}))

    def wait(self):
        eventually((self.folder / "stopped").exists, "the client is where it stops")

    def go_on(self, statement=""):
        """Lets the client go on, with a statement of ours first."""
        (self.folder / "barrier").write_text(statement)


# MySQL's programs are not in Debian 12. These are MariaDB's under the names that MySQL's have. They know no option and
# take no statement that MySQL 8.0 lacks, the server says that it is MySQL 8, and a dump looks like one of MySQL's.
MYSQL_STAND_IN = r"""#!/usr/bin/python3 -I
import os, re, subprocess, sys
PROGRAM, OPTIONS = %(program)r, %(options)r
given = [argument[2:].partition("=")[0] for argument in sys.argv[1:] if argument.startswith("--") and argument != "--"]
if "help" in given:
    print("\n".join(f"  --{name}  words" for name in OPTIONS))
    sys.exit(0)
for name in given:
    if name not in OPTIONS:
        sys.exit(f"{sys.argv[0]}: [ERROR] unknown option '--{name}'.")
arguments = [a for a in sys.argv[1:] if not a.startswith(("--column-statistics", "--set-gtid-purged"))]
if PROGRAM.endswith("dump"):
    assert {"column-statistics", "set-gtid-purged"} <= set(given)
    code = subprocess.run([PROGRAM, *arguments]).returncode
    result = next(a.partition("=")[2] for a in arguments if a.startswith("--result-file="))
    dump = open(result, "rb").read()
    dump = re.sub(rb"^/\*M!999999.*\n", b"", dump)
    dump = re.sub(rb"^(INSERT INTO `.*` VALUES)\n", rb"\1 ", dump, flags=re.M)
    dump = re.sub(rb"\),\n(?=\()", b"),", dump)
    open(result, "wb").write(dump)
    sys.exit(code)
text = sys.stdin.buffer.read()
for line in text.split(b"\n"):
    if re.match(rb"(/\*!\d+ )?CREATE OR REPLACE(?! ALGORITHM)|CREATE DATABASE .*COMMENT", line) or b"SCHEMA_COMMENT" in line or b"mysql.proc" in line:
        sys.exit(f"ERROR 1064 (42000): You have an error in your SQL syntax near {line[:60]}")
text = text.replace(b"SELECT VERSION();", b"SELECT '8.0.44-0ubuntu0.22.04.1';").replace(b"CURRENT_ROLE()", b"'NONE'")
print("mysql: [Warning] something that MySQL's client finds worth saying", file=sys.stderr)
sys.exit(subprocess.run([PROGRAM, *arguments], input=text).returncode)
"""
MYSQL_OPTIONS = {
    "mysql": ["help", "no-defaults", "defaults-file", "defaults-group-suffix", "default-character-set", "batch", "skip-column-names", "raw",
              "comments", "binary-mode", "skip-local-infile", "no-auto-rehash", "connect-timeout", "max-allowed-packet", "init-command"],
    "mysqldump": ["help", "no-defaults", "defaults-file", "defaults-group-suffix", "default-character-set", "no-tablespaces", "skip-comments",
                  "max-allowed-packet", "result-file", "single-transaction", "quick", "hex-blob", "skip-triggers", "triggers", "skip-opt",
                  "set-charset", "no-data", "no-create-info", "routines", "events", "column-statistics", "set-gtid-purged"],
}


def mysql_stand_ins(folder):
    """A PATH with all programs of this machine but MariaDB's, and MySQL's stand-ins."""
    folder.mkdir()
    others = folder / "others"
    others.mkdir()
    for program in (found for place in ("/usr/sbin", "/usr/bin") for found in Path(place).iterdir()):
        if not program.name.startswith(("mariadb", "mysql")) and not (others / program.name).exists():
            (others / program.name).symlink_to(program)
    for name, real in (("mysql", CLIENT), ("mysqldump", shutil.which("mariadb-dump", path=SBIN))):
        (folder / name).write_text(MYSQL_STAND_IN % {"program": real, "options": MYSQL_OPTIONS[name]})
        (folder / name).chmod(0o755)
    return f"{folder}:{others}"
