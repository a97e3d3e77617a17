"""Repeated refusals from one address become 429. Other addresses are not affected."""

import pytest

from support.raw_http import MEBIBYTE, STATUS

ALLOWED = 10


def refusals(endpoint, count, source, path="/sync/status", token="garbage"):
    return [endpoint.request("GET", path, token=token, source=source) for _ in range(count)]


def test_too_many_refusals_from_one_address(own_endpoint):
    found = refusals(own_endpoint, ALLOWED + 3, "127.0.2.1")
    assert [answer.code for answer in found] == [401] * ALLOWED + [429] * 3
    for answer in found[ALLOWED:]:
        answer.is_error(429)
        assert 1 <= int(answer.header("Retry-After")) <= 60
    # The limit is for every route. Other addresses are not affected:
    assert refusals(own_endpoint, 1, "127.0.2.1", "/admin/runs")[0].code == 429
    assert refusals(own_endpoint, 1, "127.0.2.2")[0].code == 401
    assert own_endpoint.request("GET", "/sync/status", source="127.0.2.2").code == 200
    assert own_endpoint.request("GET", "/sync/status", source="127.0.2.1").code == 200, "a valid token counts from everywhere"
    assert own_endpoint.run(source="127.0.2.1").code == 200
    assert own_endpoint.request("GET", "/sync/status", token=None, source="127.0.2.1").code == 401
    assert own_endpoint.request("GET", "/healthz", token=None, source="127.0.2.1").code == 200


def test_a_forbidden_request_is_not_counted(own_endpoint):
    """A valid token without the role is not a guess at a token."""
    assert {answer.code for answer in refusals(own_endpoint, 30, "127.0.2.1", "/admin/runs", own_endpoint.token())} == {403}


def test_guesses_on_one_connection_count_as_well(own_endpoint):
    with own_endpoint.wire(source="127.0.2.1") as wire:
        wire.token = "garbage"
        wire.send(wire.head(STATUS) * 19 + wire.head(STATUS, "Connection: close"))
        codes = [answer.code for answer in wire.everything()]
    assert codes == [401] * ALLOWED + [429] * (20 - ALLOWED)


def test_behind_a_proxy_the_client_counts_and_not_the_proxy(stopped_endpoint):
    stopped_endpoint.set(TRUSTED_PROXIES="127.0.0.1")
    stopped_endpoint.start()

    def code(client):
        return stopped_endpoint.request("GET", "/sync/status", token="garbage", headers=[f"X-Forwarded-For: {client}"]).code

    assert [code("198.51.100.7") for _ in range(ALLOWED + 1)][-1] == 429
    assert code("198.51.100.8") == 401
    # A client with one IPv6 address can use its whole network of 64 bits.
    assert [code(f"2001:db8:0:1::{number}") for number in range(1, ALLOWED + 2)][-1] == 429
    assert code("2001:db8:0:2::1") == 401
    assert code("2001:db8:0:1:ffff:ffff:ffff:ffff") == 429


def test_both_families_on_one_socket(stopped_endpoint):
    """IPv4 peers of such a socket have addresses ::ffff:a.b.c.d. They must not count as one network."""
    stopped_endpoint.set(HOST="::", ALLOW_PLAINTEXT="true")
    stopped_endpoint.start()
    assert refusals(stopped_endpoint, ALLOWED + 1, "127.0.2.1")[-1].code == 429
    assert refusals(stopped_endpoint, 1, "127.0.2.2")[0].code == 401


@pytest.mark.slow
def test_thousands_of_addresses_take_no_memory(stopped_endpoint):
    """There are more addresses than the service remembers. Its memory does not grow, and it locks no address out."""
    stopped_endpoint.set(TRUSTED_PROXIES="127.0.0.1")
    stopped_endpoint.start()

    def flood(begin, end):
        with stopped_endpoint.wire() as wire:
            wire.token = "garbage"
            for number in range(begin, end):
                wire.send(wire.head(STATUS, f"X-Forwarded-For: 10.{number >> 16}.{number >> 8 & 255}.{number & 255}"))
                assert wire.answer().code == 401

    flood(0, 5000)
    before = stopped_endpoint.peak_memory()
    flood(5000, 10000)
    assert stopped_endpoint.peak_memory() - before < 8 * MEBIBYTE
    assert stopped_endpoint.request("GET", "/sync/status").code == 200


def test_a_flood_of_guesses_does_not_fill_the_log(own_endpoint):
    refusals(own_endpoint, ALLOWED + 1, "127.0.2.1")
    before = len(own_endpoint.output())
    with own_endpoint.wire(source="127.0.2.1") as wire:
        wire.token = "garbage"
        for _ in range(500):
            wire.send(wire.head(STATUS))
            assert wire.answer().code == 429
    assert len(own_endpoint.output()) - before < 5000


def test_guesses_at_the_readiness_count_as_well(stopped_endpoint):
    """/readyz tells the reasons only to a valid token. So a client could guess tokens there as well."""
    stopped_endpoint.set(SYNC_SCRIPT_PATH=None)
    stopped_endpoint.start()
    found = refusals(stopped_endpoint, 2 * ALLOWED, "127.0.2.1", "/readyz")
    assert {answer.code for answer in found} <= {503, 429} and all(b"reasons" not in answer.body for answer in found)
    assert refusals(stopped_endpoint, 1, "127.0.2.1")[0].code == 429
