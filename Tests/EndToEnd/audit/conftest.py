"""Histories for attacks, and third-party verifiers."""

import shutil
import subprocess

import pytest

from support.audit_log import copy_of, head_of, size_of, thousand_runs
from support.verifiers import VERIFIERS


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return thousand_runs(tmp_path_factory.getbasetemp())


@pytest.fixture
def copy(original, tmp_path):
    copy = copy_of(original, tmp_path)
    yield copy
    copy.remove()


@pytest.fixture
def kept(installed):
    """Three runs, their checkpoints in AUDIT_CHECKPOINT_FILE, and a copy of the history after two of them."""
    installed.set(AUDIT_CHECKPOINT_FILE=installed.folder / "checkpoints")
    installed.file = installed.folder / "checkpoints"
    installed.script("exit 0")
    for _ in range(2):
        assert installed.command("run").returncode == 0
    installed.older = installed.folder / "older.sqlite"
    shutil.copy2(installed.database, installed.older)
    assert installed.command("run").returncode == 0
    installed.newest = size_of(head_of(installed))
    return installed


@pytest.fixture(scope="session")
def built_verifiers():
    subprocess.run([VERIFIERS / "prepare.sh"], check=True, capture_output=True)
