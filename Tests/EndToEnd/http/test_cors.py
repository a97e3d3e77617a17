"""Which web pages may call the documented endpoints, and read the answers (Fetch standard, CORS protocol)."""

import pytest

from support.raw_http import Endpoint
from support.routes import ROUTES, TARGETS
from support.service import CONFIGURATION

APP = "https://app.example"
OTHER = "https://other.example:8443"
ENDPOINTS = [(route.method, route.target) for route in ROUTES if not route.path.startswith("/admin")]
ADMIN = [target for target in TARGETS if target.startswith("/admin")] + ["/admin/nowhere", "/admin"]


@pytest.fixture(scope="module")
def paged(tmp_path_factory, scheme, authority):
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority, CORS_ALLOW_ORIGINS=f"{APP}, {OTHER}")
    endpoint.counting_script()
    endpoint.start()
    yield endpoint
    endpoint.remove()


def preflight(endpoint, path, origin, method, headers="authorization,content-type"):
    return endpoint.request("OPTIONS", path, token=None, headers=[
        f"Origin: {origin}", f"Access-Control-Request-Method: {method}", f"Access-Control-Request-Headers: {headers}"])


def names(value):
    return {name.strip().lower() for name in (value or "").split(",") if name.strip()}


def cors_headers(answer):
    return [name for name, _ in answer.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("method, path", ENDPOINTS)
@pytest.mark.parametrize("origin", [APP, OTHER])
def test_preflight(paged, method, path, origin):
    before = paged.times_run()
    answer = preflight(paged, path, origin, method, "authorization,content-type,accept,prefer")
    assert answer.code in (200, 204) and answer.body == b""
    assert answer.header("Access-Control-Allow-Origin") == origin
    assert method in answer.header("Access-Control-Allow-Methods").split(", ")
    assert names(answer.header("Access-Control-Allow-Headers")) >= {"authorization", "content-type", "accept", "prefer"}
    assert answer.header("Access-Control-Allow-Credentials") is None
    assert "origin" in names(answer.header("Vary"))
    assert paged.times_run() == before


def readable(answer, origin=APP):
    assert answer.header("Access-Control-Allow-Origin") == origin
    assert names(answer.header("Access-Control-Expose-Headers")) >= {"sync-run-id", "retry-after"}
    assert answer.header("Access-Control-Allow-Credentials") is None
    assert "origin" in names(answer.header("Vary"))


@pytest.mark.parametrize("method, path", ENDPOINTS)
def test_actual_answers_are_readable_with_what_is_exposed(paged, method, path):
    readable(paged.request(method, path, headers=[f"Origin: {APP}"]))


ERRORS = {
    400: dict(method="GET", path="/sync/status", headers=["Host: evil.example"]),
    401: dict(method="POST", path="/sync/run", token=None),
    404: dict(method="GET", path="/sync/nowhere"),
    405: dict(method="DELETE", path="/sync/run"),
    413: dict(method="POST", path="/sync/run", body="x" * 70000),
    431: dict(method="GET", path="/sync/status", headers=["X-A: " + "b" * 20000]),
}


@pytest.mark.parametrize("code", ERRORS)
def test_errors_are_readable_too(paged, code):
    request = dict(ERRORS[code])
    answer = paged.request(headers=[f"Origin: {APP}", *request.pop("headers", [])], **request)
    assert answer.code == code
    readable(answer)


def test_too_many_failures_are_readable(paged):
    found = [paged.request("GET", "/sync/status", token="x", source="127.0.2.1", headers=[f"Origin: {APP}"]) for _ in range(20)]
    assert found[-1].code == 429 and found[-1].header("Retry-After")
    readable(found[-1])


STRANGERS = [
    "null", "*", "https://evil.example", "https://app.example.evil", "https://app.example:443", "https://app.example/",
    "http://app.example", "https://APP.example", "HTTPS://app.example", "https://a.app.example", "https://other.example",
    "app.example", "", "https://app.example https://evil.example", "file://",
]


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_origins_get_no_permission(paged, origin):
    for answer in (preflight(paged, "/sync/run", origin, "POST"),
                   paged.request("GET", "/sync/status", headers=[f"Origin: {origin}" if origin else "Origin;"])):
        assert cors_headers(answer) == []
        assert "origin" in names(answer.header("Vary")), "a cache may show this answer to an origin that is allowed"


def test_two_origins_are_none(paged):
    answer = paged.request("GET", "/sync/status", headers=[f"Origin: {APP}", "Origin: https://evil.example"])
    assert answer.code == 400 or answer.header("Access-Control-Allow-Origin") != "https://evil.example"


def test_without_an_origin_nothing_is_granted_but_caches_are_told(paged):
    answer = paged.request("GET", "/sync/status")
    assert answer.code == 200 and cors_headers(answer) == [] and "origin" in names(answer.header("Vary"))


@pytest.mark.parametrize("path", ADMIN)
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST", "HEAD"])
def test_no_page_reaches_the_administration(paged, method, path):
    token = paged.token(role="admin")
    headers = [f"Origin: {APP}", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"]
    if method == "HEAD":
        with paged.wire() as wire:
            wire.token = token
            wire.send(wire.head(f"HEAD {path} HTTP/1.1", *headers, "Connection: close"))
            while wire.more():
                pass
            assert b"access-control" not in wire.buffer.lower()
    else:
        assert cors_headers(paged.request(method, path, token=token, headers=headers)) == []


def test_without_the_setting_no_page_is_allowed(stopped_endpoint):
    stopped_endpoint.start()
    for answer in (preflight(stopped_endpoint, "/sync/run", APP, "POST"),
                   stopped_endpoint.request("GET", "/sync/status", headers=[f"Origin: {APP}"])):
        assert cors_headers(answer) == []


@pytest.mark.parametrize("origins", [
    "*", "null", "app.example", "https://app.example/", "https://*.example", "https://App.example", "ftp://app.example",
    "https://", "https://user@app.example", "https://app.example,*",
])
def test_wrong_origins_stop_the_start(stopped_endpoint, origins):
    stopped_endpoint.set(CORS_ALLOW_ORIGINS=origins)
    code, message = stopped_endpoint.refused_start()
    assert code == CONFIGURATION and "CORS_ALLOW_ORIGINS" in message
