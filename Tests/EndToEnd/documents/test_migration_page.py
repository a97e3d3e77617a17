"""docs/MIGRATION.md is true: its texts are the program's, its settings exist, its commands work."""

import re
import subprocess
import textwrap

import pytest

from support.service import ROOT

PAGE = (ROOT / "docs/MIGRATION.md").read_text()
BLOCKS = [textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.M | re.S)]
SOURCES = "".join(path.read_text() for path in (ROOT / "Sources").rglob("*.swift"))


def test_every_text_is_one_of_the_program():
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE.partition("| text | Indonesian |")[2].partition("\n## ")[0], re.M)
    texts = [row.removeprefix("… ").removesuffix(": …") for row in rows]
    assert len(texts) == 17
    for text in texts:
        # Numbers are filled in.
        before, _, after = re.sub(r"\d+", "\0", text).partition("\0")
        assert before in SOURCES and after in SOURCES, text


def test_every_setting_exists():
    declared = (ROOT / "Sources/SyncService/Settings/SettingDeclarations.swift").read_text()
    for name in set(re.findall(r"\b(?:JWT|SYNC|CORS|ADMIN|TLS)_[A-Z_]+\b", PAGE)):
        assert f'"{name}"' in declared, name


def test_an_issuer_that_signs_id_and_username(installed):
    installed.set(JWT_USER_CLAIM="id", JWT_NAME_CLAIM="username", ADMIN_USERS="7,12")
    installed.script("exit 0")
    installed.start()
    answer = installed.run(token=installed.token(sub=None, id=12, username="rina"))
    assert answer.code == 200
    run = installed.request("GET", "/admin/runs/1", token=installed.token(sub=None, id=7, username="budi")).json
    assert (run["user"], run["user_name"]) == ("12", "rina")


# Step 4: the lock and the log move

NEW_LOCK, NEW_LOG = "/run/sync-runner/lock/sync_fkk_db.lock", "/var/log/sync-runner/sync_fkk_db.log"
OWN = "/opt/bea-cukai-app"


class Machine:
    def __init__(self, folder):
        self.folder = folder
        self.script = folder / "sync_fkk_db.sh"

    def block(self, beginning, lock="/tmp/sync_fkk_db.lock", log="/var/log/sync_fkk_db.log"):
        (text,) = [block for block in BLOCKS if block.startswith(beginning)]
        for line, path in (("LOCK=/tmp/sync_fkk_db.lock\n", lock), ("LOG=/var/log/sync_fkk_db.log\n", log)):
            assert beginning != "LOCK=" or text.count(line) == 1
            text = text.replace(line, f"{line.partition('=')[0]}={path}\n")
        text = text.replace(f"{OWN}/sync_fkk_db.sh", str(self.script))
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.mark.parametrize("written, becomes", [
    ('LOCK_FILE="/tmp/sync_fkk_db.lock"', f'LOCK_FILE="{NEW_LOCK}"'),
    ("LOCK_FILE=/tmp/sync_fkk_db.lock", f"LOCK_FILE={NEW_LOCK}"),
    ('LOCK_FILE="${SYNC_LOCK_PATH:-/tmp/sync_fkk_db.lock}"', f'LOCK_FILE="${{SYNC_LOCK_PATH:-{NEW_LOCK}}}"'),
    ("/tmp/sync_fkk_db.lock", NEW_LOCK),
    ("rm -f /tmp/sync_fkk_db.lock /tmp/sync_fkk_db.lock", f"rm -f {NEW_LOCK} {NEW_LOCK}"),
    ("exec >>/var/log/sync_fkk_db.log 2>&1", f"exec >>{NEW_LOG} 2>&1"),
    # Other paths that end alike stay as they are.
    (f'LOCK_FILE="{OWN}/tmp/sync_fkk_db.lock"', None),
    ('LOCK_FILE="$APP/tmp/sync_fkk_db.lock"', None),
    ('LOCK_FILE="${APP}/tmp/sync_fkk_db.lock"', None),
    ('LOCK_FILE="$(dirname x)/tmp/sync_fkk_db.lock"', None),
    ('LOG="/srv/var/log/sync_fkk_db.log"', None),
])
def test_the_paths_in_the_script_are_replaced(machine, written, becomes):
    machine.script.write_text(f"#!/bin/bash\n{written}\n")
    assert written in machine.block("grep")
    machine.block("LOCK=")
    assert machine.script.read_text() == f"#!/bin/bash\n{becomes or written}\n"


def test_paths_of_the_scripts_own_folder(machine):
    """What the script has is written into the first two lines."""
    machine.script.write_text(f'LOCK_FILE="{OWN}/tmp/sync_fkk_db.lock"\nLOG={OWN}/logs/sync.log\n')
    machine.block("LOCK=", f"{OWN}/tmp/sync_fkk_db.lock", f"{OWN}/logs/sync.log")
    assert machine.script.read_text() == f'LOCK_FILE="{NEW_LOCK}"\nLOG={NEW_LOG}\n'
