"""The log sums up floods of events and loses no count."""

import sqlite3
from contextlib import closing

import pytest

from support.audit_log import entries_of, events_of, is_intact, verify
from support.http_client import Connection
from support.waiting import eventually


def test_five_hundred_bad_tokens(service):
    with Connection(service) as connection:
        connection.token = "garbage"
        for _ in range(50):
            connection.send(connection.head("GET /sync/status HTTP/1.1") * 10)
            assert {connection.answer().code for _ in range(10)} <= {401, 429}
    service.stop()
    found = events_of(service, "auth_failed")
    counted = [one for one in found if "count" in one]
    # At most ten single entries, and one summary for every ten seconds.
    assert len(found) - len(counted) <= 10 * max(1, len(counted)) and len(counted) <= 6, len(found)
    assert sum(one.get("count", 1) for one in found) == 500
    for one in counted:
        assert one["source_ip"] == "127.0.0.1" and one["first"] <= one["last"], one
    is_intact(verify(service))


def test_bad_tokens_from_many_addresses(service):
    """Requests without a valid token write at most 60 entries a minute, all addresses together, also at the end."""
    service.set(TRUSTED_PROXIES="127.0.0.1")
    service.stop()
    service.start()
    with Connection(service) as connection:
        connection.token = "garbage"
        for address in range(300):
            connection.send(connection.head("GET /sync/status HTTP/1.1", f"X-Forwarded-For: 198.51.{address // 250}.{address % 250}"))
            connection.answer()
    eventually(lambda: len(events_of(service, "auth_failed")) >= 40, "the first of them are in the audit log")
    assert len(events_of(service, "auth_failed")) <= 2 * 60, "no more than two minutes began"
    service.stop()
    found = events_of(service, "auth_failed")
    assert len(found) <= 2 * 60, len(found)
    assert sum(one.get("count", 1) for one in found) == 300
    rest = [one for one in found if one["source_ip"] is None]
    assert len(rest) == 1 and rest[0]["first"] <= rest[0]["last"], rest
    is_intact(verify(service))


def test_one_user_asks_too_often(service):
    with Connection(service) as connection:
        for _ in range(100):
            connection.send(connection.head("GET /admin/runs HTTP/1.1"))
            assert connection.answer().code == 403
    service.stop()
    found = events_of(service, "access_denied")
    assert sum(one.get("count", 1) for one in found) == 100 and len(found) <= 30
    assert {one["user"] for one in found} == {"rina"}


def total(found):
    return sum(one.get("count", 1) for one in found)


def asked_from(service, connection, address, line="GET /admin/runs HTTP/1.1"):
    connection.send(connection.head(line, f"X-Forwarded-For: {address}"))
    return connection.answer().code


def behind_a_proxy(service):
    service.set(TRUSTED_PROXIES="127.0.0.1")
    service.stop()
    service.start()


def test_a_user_from_many_addresses(service):
    """A token that is used from 200 addresses writes no more entries than one from a few, and nothing of it is lost."""
    behind_a_proxy(service)
    with Connection(service) as connection:
        for number in range(2000):
            assert asked_from(service, connection, f"198.51.100.{number % 200}") == 403
    service.stop()
    found = events_of(service, "access_denied")
    windows = 1 + max(1, sum("count" in one and one["source_ip"] is None for one in found))
    assert total(found) == 2000 and len(found) <= 55 * windows, len(found)
    assert {one["user"] for one in found} == {"rina"}
    is_intact(verify(service))


def test_a_user_from_many_addresses_of_one_network(service):
    """The addresses of one IPv6 network with a prefix of 64 bits count as one address."""
    behind_a_proxy(service)
    with Connection(service) as connection:
        for number in range(200):
            assert asked_from(service, connection, f"2001:db8:0:1::{number:x}") == 403
    service.stop()
    found = events_of(service, "access_denied")
    counted = [one for one in found if "count" in one]
    assert total(found) == 200 and len(found) - len(counted) <= 10 * (len(counted) + 1)
    assert {one["source_ip"] for one in counted} == {"2001:db8:0:1::/64"} and counted[0]["path"] == ["/admin/runs"]


def test_bad_tokens_from_many_addresses_do_not_fill_the_log(service):
    behind_a_proxy(service)
    before = len(service.output())
    with Connection(service) as connection:
        connection.token = "garbage"
        for number in range(3000):
            asked_from(service, connection, f"198.{number // 10 // 250}.100.{number // 10 % 250}", "GET /sync/status HTTP/1.1")
    lines = [line for line in service.output()[before:].splitlines() if "token refused" in line]
    assert 0 < len(lines) <= 300
    assert any("others since the last such line" in line for line in lines) or len(lines) <= 20


def reads_by(service, user):
    return [one for one in events_of(service, "history_read") if one["user"] == user]


def test_the_log_says_who_read_run_17(service):
    """The history names the reader even if many other runs were read in the same seconds."""
    service.script("exit 0")
    for _ in range(20):
        service.run_recorded()
    with Connection(service) as connection:
        connection.token = service.token("reader", role="admin")
        for number in [*range(1, 11), 17, 17, 17, 19]:
            connection.send(connection.head(f"GET /admin/runs/{number}/output HTTP/1.1"))
            assert connection.answer().code in (200, 404)
        connection.send(connection.head("GET /admin/runs/17 HTTP/1.1", "Connection: close"))
        assert connection.answer().code == 200
    service.stop()
    found = reads_by(service, "reader")
    readers = [one for one in found if 17 in (one["of_run"] if isinstance(one["of_run"], list) else [one["of_run"]])]
    assert readers, found
    (summary,) = [one for one in found if "count" in one]
    assert summary["of_run"] == [17, 19] and summary["what"] == ["output", "run"] and summary["user"] == "reader", summary


def test_a_summary_lists_a_thousand_runs_and_says_how_many_more(service):
    """The entry stays within its 32 KiB."""
    with Connection(service) as connection:
        connection.token = service.token("reader", role="admin")
        line = connection.head("GET /admin/runs/1/receipt HTTP/1.1").replace(b"/1/", b"/%d/")
        for number in range(1, 1300):
            connection.send(line % (10**17 + number))
            assert connection.answer().code == 404
    service.stop()
    found = reads_by(service, "reader")
    counted = [one for one in found if "count" in one]
    assert total(found) == 1299
    assert sum(one.get("more", 0) for one in counted) + sum(len(one["of_run"]) for one in counted) + len(found) - len(counted) == 1299
    assert all(len(entry) <= 32768 for entry in entries_of(service))


@pytest.mark.slow
def test_nothing_is_lost_while_the_history_cannot_be_written(service):
    """Another program locks the database while more events arrive than can wait singly."""
    with closing(sqlite3.connect(service.database, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with Connection(service) as connection:
            for number in range(300):
                connection.token = service.token(f"user {number}")
                for _ in range(10):
                    connection.send(connection.head("GET /admin/runs HTTP/1.1"))
                    assert connection.answer().code == 403
        eventually(lambda: "the history cannot be written" in service.output(), "it has tried")
        holder.execute("ROLLBACK")
    service.stop()
    assert total(events_of(service, "access_denied")) == 3000
    is_intact(verify(service))
