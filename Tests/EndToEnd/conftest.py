"""Fixtures of all end-to-end tests. Each test gets a folder that only its user may enter. Its processes end with the test."""

import os

import pytest

from support.certificates import Authority
from support.raw_http import SCHEMES, Endpoint
from support.service import BINARY, RUNNER, Service


def pytest_sessionstart():
    os.umask(0o022)
    for binary in (BINARY, RUNNER):
        if not os.access(binary, os.X_OK):
            pytest.exit(f"{binary} is missing: build first (make build), or set SYNC_SERVICE_BIN", returncode=2)


@pytest.fixture
def installed(tmp_path_factory):
    """An installation that is not running. The folder's name is short: Unix sockets below it have 107 bytes."""
    service = Service(tmp_path_factory.mktemp("s"))
    yield service
    service.remove()


@pytest.fixture
def service(installed):
    """A running service with default settings."""
    return installed.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One running service for all tests of a file that leave nothing behind but finished runs."""
    service = Service(tmp_path_factory.mktemp("s")).start()
    yield service
    service.remove()


# The same over HTTP and over HTTPS: every test that uses one of these runs once for each scheme.


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """The certificate authority of the tests. curl trusts it."""
    made = Authority(tmp_path_factory.mktemp("ca"))
    os.environ["CURL_CA_BUNDLE"] = str(made.root)
    return made


@pytest.fixture(scope="module", params=SCHEMES)
def scheme(request):
    return request.param


@pytest.fixture
def stopped_endpoint(tmp_path_factory, scheme, authority):
    """An installation that is not running; `set`, then `start` it."""
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority)
    yield endpoint
    endpoint.remove()


@pytest.fixture
def own_endpoint(stopped_endpoint):
    """A running service for one test."""
    stopped_endpoint.counting_script()
    return stopped_endpoint.start()


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory, scheme, authority):
    """One running service for all tests of a file. At its end the next run has the number that the runs so far
    explain: nothing that was refused was recorded or reached the script."""
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority)
    endpoint.counting_script()
    endpoint.start()
    yield endpoint
    try:
        ran = endpoint.times_run()
        assert endpoint.run().header("Sync-Run-Id") == str(ran + 1)
    finally:
        endpoint.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds what the service wrote to a failure's report."""
    report = (yield).get_result()
    if report.failed:
        for value in item.funcargs.values():
            if isinstance(value, Service):
                report.sections.append((f"service in {value.folder}", value.output()[-3000:]))
