"""Fixtures. Each test gets a folder that only its user may enter, and whatever was started there is ended again."""

import os

import pytest

from harness import BINARY, RUNNER, Service


def pytest_sessionstart():
    os.umask(0o022)
    for binary in (BINARY, RUNNER):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"{binary} is missing: build first (swift build), or set SYNC_SERVICE_BIN", returncode=2)


@pytest.fixture
def installed(tmp_path_factory):
    """An installation that is not running. The folder's name is short: Unix sockets below it have 107 bytes."""
    service = Service(tmp_path_factory.mktemp("s"))
    yield service
    try:
        service.stop()
    finally:
        service.end_leftovers()


@pytest.fixture
def service(installed):
    """A running service with the default settings of the harness."""
    return installed.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One running service for all tests of a file that leave nothing behind but finished runs."""
    service = Service(tmp_path_factory.mktemp("s")).start()
    yield service
    try:
        service.stop()
    finally:
        service.end_leftovers()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What the service wrote belongs to a failure's report."""
    report = (yield).get_result()
    if report.failed:
        for value in item.funcargs.values():
            if isinstance(value, Service):
                report.sections.append((f"service in {value.folder}", value.output()[-3000:]))
