"""Only Host values that are ours, so that a page of somebody else's name cannot talk to us (DNS rebinding)."""

import pytest

OTHERS = ["evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "127.0.0.2"]


@pytest.mark.parametrize("host", OTHERS)
def test_other_hosts(shared, host):
    shared.counting_script()
    shared.run(headers=[f"Host: {host}:{shared.port}"]).is_error(400)
    assert shared.times_run() == 0


def test_hosts_that_are_known(installed):
    installed.set(ALLOWED_HOSTS="sync.example")
    installed.start()
    for host, code in (("sync.example", 200), ("SYNC.example:8443", 200), ("evil.example", 400), ("sync.example.evil", 400)):
        assert installed.request("GET", "/healthz", token=None, headers=[f"Host: {host}"]).code == code


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "[::1]"])
def test_loopback_names_are_known(shared, name):
    assert shared.request("GET", "/healthz", token=None, headers=[f"Host: {name}:{shared.port}"]).code == 200
