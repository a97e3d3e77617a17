"""Only known Host values are answered, which stops DNS rebinding. TRUSTED_PROXIES decides whose forwarding headers count."""

import pytest

from support.raw_http import HEALTH, RUN, Endpoint, is_plain_error
from support.routes import TARGETS

OTHERS = [
    "evil.example", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example", "127.0.0.2", "localhost.",
    "localhost@evil.example", "evil.example@localhost", "localhost/", "localhost#", "localhost?", "localhost\\", "local host",
    "localhost:x", "localhost:80x", "localhost:80:80", "localhost:123456", "localhost: 80", ":8000", "::1", "[::2]", "[::1",
    "[::1]x", "[::1]:x", "[0:0:0:0:0:0:0:1]", "0x7f000001", "2130706433", "127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "null", "*",
]
OURS = ["localhost", "LOCALHOST", "LocalHost:1", "127.0.0.1", "127.0.0.1:65535", "[::1]", "[::1]:8000", "localhost:"]


def asked_as(endpoint, host, line=HEALTH):
    with endpoint.wire() as wire:
        wire.send(wire.head(line, f"Host: {host}", "Connection: close", host=False))
        (answer,) = wire.everything()
        return answer


@pytest.mark.parametrize("host", OTHERS)
def test_other_names_get_nothing(endpoint, host):
    before = endpoint.times_run()
    is_plain_error(asked_as(endpoint, host, RUN), 400)
    assert endpoint.times_run() == before


@pytest.mark.parametrize("path", [*TARGETS, "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_other_names_get_nothing_anywhere(endpoint, method, path):
    is_plain_error(asked_as(endpoint, "evil.example", f"{method} {path} HTTP/1.1"), 400)


@pytest.mark.parametrize("host", OURS)
def test_names_of_this_machine(endpoint, host):
    assert asked_as(endpoint, host).code == 200


def test_http_10_needs_no_name_but_no_other_one_either(endpoint):
    for headers, code in (([], 200), (["Host: localhost"], 200), (["Host: evil.example"], 400)):
        with endpoint.wire() as wire:
            wire.send(wire.head("GET /healthz HTTP/1.0", *headers, host=False, token=False))
            assert [answer.code for answer in wire.everything()] == [code]


def test_names_that_are_allowed(stopped_endpoint):
    stopped_endpoint.set(ALLOWED_HOSTS="Sync.example, 192.0.2.7,2001:db8::7")
    stopped_endpoint.start()
    for host in ("sync.example", "SYNC.EXAMPLE:8443", "192.0.2.7", "192.0.2.7:80", "[2001:db8::7]", "[2001:DB8::7]:443", "localhost"):
        assert asked_as(stopped_endpoint, host).code == 200, host
    for host in ("example", "a.sync.example", "sync.example.evil", "192.0.2.70", "2001:db8::7", "[2001:db8::70]"):
        assert asked_as(stopped_endpoint, host).code == 400, host


# X-Forwarded-For: what is sent, and what the record of the run then names. Trusted are 127.0.0.1 and 192.0.2.1.
HOPS = {
    "none": ([], "127.0.0.1"),
    "one": (["198.51.100.7"], "198.51.100.7"),
    "the rightmost counts": (["203.0.113.1, 198.51.100.7"], "198.51.100.7"),
    "behind two proxies": (["203.0.113.1, 198.51.100.7, 192.0.2.1"], "198.51.100.7"),
    "over two headers": (["203.0.113.1", "198.51.100.7,192.0.2.1"], "198.51.100.7"),
    "proxies only": (["192.0.2.1, 127.0.0.1"], "192.0.2.1"),
    "IPv6": (["2001:DB8:0::7"], "2001:db8::7"),
    "IPv4 in IPv6": (["::ffff:198.51.100.7"], "198.51.100.7"),
    "garbage beside": (["garbage, 198.51.100.7"], "198.51.100.7"),
    "garbage": (["garbage"], "127.0.0.1"),
    "garbage behind": (["198.51.100.7, garbage"], "127.0.0.1"),
    "garbage behind a proxy": (["198.51.100.7, garbage, 192.0.2.1"], "192.0.2.1"),
    "a name": (["localhost"], "127.0.0.1"),
    "with a port": (["198.51.100.7:1234"], "127.0.0.1"),
    "leading zeros": (["198.051.100.007"], "127.0.0.1"),
    "a trick for logs": (["198.51.100.7\tadmin"], "127.0.0.1"),
    "very many": ([",".join(["192.0.2.1"] * 1500)], "192.0.2.1"),
    "empty": ([", ,"], "127.0.0.1"),
    "spoofed to be trusted": (["127.0.0.1, 198.51.100.7"], "198.51.100.7"),
}


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory, scheme, authority):
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority, TRUSTED_PROXIES="127.0.0.1,192.0.2.1")
    endpoint.counting_script()
    endpoint.start()
    yield endpoint
    endpoint.remove()


def source_of_run(endpoint, headers, **options):
    answer = endpoint.run(headers=headers, **options)
    return endpoint.record(answer.header("Sync-Run-Id"))["source_ip"]


@pytest.mark.parametrize("case", HOPS)
def test_the_rightmost_hop_that_is_not_trusted(behind_proxy, case):
    values, source = HOPS[case]
    assert source_of_run(behind_proxy, [f"X-Forwarded-For: {value}" for value in values]) == source


def test_forwarding_headers_of_strangers_are_ignored(behind_proxy):
    spoofed = ["X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7", "Forwarded: for=198.51.100.7"]
    assert source_of_run(behind_proxy, spoofed, source="127.0.0.5") == "127.0.0.5"
    assert source_of_run(behind_proxy, ["Forwarded: for=198.51.100.7"]) == "127.0.0.1"


def test_without_trusted_proxies_nobody_is_believed(endpoint):
    assert source_of_run(endpoint, ["X-Forwarded-For: 198.51.100.7"]) == "127.0.0.1"


def test_one_spelling_for_an_address_on_a_socket_of_both_families(stopped_endpoint):
    stopped_endpoint.set(HOST="::", ALLOW_PLAINTEXT="true")
    stopped_endpoint.counting_script()
    stopped_endpoint.start()
    assert source_of_run(stopped_endpoint, [], source="127.0.0.5") == "127.0.0.5"
