"""Scripts that must not be started: each reason as documented, and the record of it."""

import os

import pytest


def missing(service):
    service.script_path.unlink()


def folder(service):
    missing(service)
    service.script_path.mkdir()


def symlink(service):
    service.script_path.rename(service.folder / "real.sh")
    service.script_path.symlink_to("real.sh")


def fifo(service):
    missing(service)
    os.mkfifo(service.script_path, 0o755)


def mode(bits):
    return lambda service: service.script_path.chmod(bits)


def in_folder(bits):
    def arrange(service):
        outer = service.folder / "outer"
        inner = outer / "inner"
        inner.mkdir(parents=True)
        outer.chmod(bits)
        service.script_path.rename(inner / "sync.sh")
        service.set(SYNC_SCRIPT_PATH=inner / "sync.sh")
    return arrange


def below_a_file(service):
    service.set(SYNC_SCRIPT_PATH=service.script_path / "sync.sh")


def foreign(service):
    os.chown(service.script_path, 65534, -1)


def text(content):
    def arrange(service):
        service.script_path.write_text(content)
    return arrange


UNSAFE, DENIED, IRREGULAR = "unsafe permissions", "permission denied", "not a regular file"

# case: arrangement, why
CHECKS = {
    "missing": (missing, "not found"),
    "a directory": (folder, IRREGULAR),
    "a symlink": (symlink, IRREGULAR),
    "a FIFO": (fifo, IRREGULAR),
    "mode 644": (mode(0o644), DENIED),
    "mode 600": (mode(0o600), DENIED),
    "mode 664": (mode(0o664), UNSAFE),
    "mode 775": (mode(0o775), UNSAFE),
    "mode 757": (mode(0o757), UNSAFE),
    "mode 777": (mode(0o777), UNSAFE),
    "mode 4755": (mode(0o4755), UNSAFE),
    "mode 2755": (mode(0o2755), UNSAFE),
    "below a world-writable folder": (in_folder(0o777), UNSAFE),
    "below a group-writable folder": (in_folder(0o775), UNSAFE),
    "no interpreter line": (text("echo hello\n"), "cannot be executed"),
    "interpreter missing": (text("#!/nonexistent/bash\necho hello\n"), "cannot be executed"),
    "interpreter not executable": (text("#!/etc/passwd\n"), "cannot be executed"),
    "empty": (text(""), "cannot be executed"),
    "not a program": (text("\x7fELF nonsense"), "cannot be executed"),
    "of another user": (foreign, UNSAFE),
}
ROOTS = {"of another user", "below a sticky folder of root's"}  # only root makes these


def cases(table):
    return [pytest.param(case, marks=pytest.mark.root) if case in ROOTS else case for case in table]


@pytest.mark.parametrize("case", cases(CHECKS))
def test_a_script_that_is_unfit_is_not_started(installed, case):
    arrange, why = CHECKS[case]
    installed.counting_script("echo ran")
    arrange(installed)
    installed.start()
    answer, record = installed.run_recorded()
    answer.is_json(500, f'{{"status":"error","message":"Failed to execute sync script: {why}","output":""}}')
    assert (record["id"], record["outcome"]) == (1, "start_failed")
    assert (record["exit_code"], record["signal"], record["output_bytes"]) == (None, None, 0)
    assert record["started_at"] and record["finished_at"]
    assert installed.times_run() == 0
    assert installed.status() == "idle", "the run lock is free again"
    command = installed.command("run")
    assert command.returncode not in (0, 2) and why in command.stderr + command.stdout


# case: arrangement of a script that is fine
FINE = {
    "mode 750": mode(0o750), "mode 755": mode(0o755), "mode 700": mode(0o700), "mode 555": mode(0o555),
    "below a folder for its owner": in_folder(0o700), "below a sticky folder of root's": in_folder(0o1777),
}


@pytest.mark.parametrize("case", cases(FINE))
def test_a_script_that_is_fit_is_started(installed, case):
    installed.counting_script()
    FINE[case](installed)
    installed.start()
    assert installed.run().code == 200
    assert installed.times_run() == 1


def test_no_script_set_is_no_run(installed):
    installed.set(SYNC_SCRIPT_PATH=None)
    installed.start()
    assert installed.run().json["message"] == "SYNC_SCRIPT_PATH environment variable is not set"
    assert "Sync-Run-Id" not in dict(installed.run().headers)
    assert installed.admin("/admin/runs").json == {"runs": [], "next": None}
    command = installed.command("run")
    assert command.returncode not in (0, 2) and "SYNC_SCRIPT_PATH" in command.stderr
