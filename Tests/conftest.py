"""Markers that need something of the machine. A test without it is skipped, and the last lines say so loudly.

Markers are declared in pytest.ini.
"""

import os
import shutil

import pytest

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


def has(*programs):
    return all(shutil.which(program, path=PATH) for program in programs)


NEEDS = {
    "root": (lambda: os.geteuid() == 0, "root"),
    "mariadb": (lambda: has("mariadbd", "mariadb", "mariadb-install-db", "mariadb-dump"), "mariadb-server-core and mariadb-client"),
    "nginx": (lambda: has("nginx"), "nginx-light"),
}
not_run = {}


def pytest_collection_modifyitems(items):
    missing = {name: what for name, (met, what) in NEEDS.items() if not met()}
    for item in items:
        for name, what in missing.items():
            if item.get_closest_marker(name):
                item.add_marker(pytest.mark.skip(reason=f"NOT RUN: needs {what}"))


def pytest_runtest_logreport(report):
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        not_run.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)


def pytest_terminal_summary(terminalreporter):
    """Every skipped test is a promise that this machine did not check."""
    for reason, tests in not_run.items():
        terminalreporter.write_line(f"{len(tests)} TESTS WERE SKIPPED. {reason}", red=True, bold=True)
