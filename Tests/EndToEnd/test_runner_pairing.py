"""The service and the sync-runner beside it belong together; anything else in its place is refused in clear words."""

import shutil

import pytest

from harness import BINARY, CONFIGURATION


@pytest.mark.parametrize("answer", ["echo garbage", "head -c 100000 /dev/zero", "exit 0", "exec >&-; sleep 1000"])
def test_a_runner_that_talks_differently(installed, answer):
    """A runner of another version is refused with a clear word; here, one that does not speak the protocol at all."""
    binary = installed.folder / "bin" / "sync-service"
    binary.parent.mkdir()
    shutil.copy(BINARY, binary)
    runner = binary.with_name("sync-runner")
    runner.write_text(f"#!/bin/bash\n{answer}\n")
    runner.chmod(0o755)
    installed.counting_script()
    done = installed.command("run", binary=binary)
    assert done.returncode not in (0, 2) and "sync-runner" in done.stderr
    assert installed.times_run() == 0


def test_a_missing_runner(installed):
    binary = installed.folder / "bin" / "sync-service"
    binary.parent.mkdir()
    shutil.copy(BINARY, binary)
    code, message = installed.refused_start(binary=binary)
    assert code in (1, CONFIGURATION) and "sync-runner" in message
