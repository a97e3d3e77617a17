"""Every route with every kind of caller. One table says what each may do."""

from itertools import count

import pytest

from support.raw_http import Endpoint
from support.routes import PATHS, ROUTES, name, offered

# caller: token, roles it has ("valid": none of them, None: no token that holds)
CALLERS = {
    "nobody": (lambda d: None, None),
    "an empty token": (lambda d: "", None),
    "garbage": (lambda d: "garbage", None),
    "a token signed by another": (lambda d: d.token(secret=b"x" * 64, role="admin"), None),
    "a token without signature": (lambda d: d.token(algorithm="none", secret="", role="admin"), None),
    "an expired administrator": (lambda d: d.token(role="admin", lifetime=-120), None),
    "a denied user": (lambda d: d.token("agus"), None),
    "a denied administrator": (lambda d: d.token("agus", role="admin"), None),
    "a user": (lambda d: d.token("tono"), {"user"}),
    "a runner by name": (lambda d: d.token("rina"), {"user", "runner"}),
    "a runner by role": (lambda d: d.token("tono", role="operator"), {"user", "runner"}),
    "an administrator by role": (lambda d: d.token("tono", role="admin"), {"user", "admin"}),
    "an administrator by one of several roles": (lambda d: d.token("tono", role=["x", "admin"]), {"user", "admin"}),
    "an administrator by name": (lambda d: d.token("dewi"), {"user", "admin"}),
    "an administrator who runs": (lambda d: d.token("rina", role="admin"), {"user", "runner", "admin"}),
    **{f"almost an administrator: {role!r}": (lambda d, role=role: d.token("tono", role=role), {"user"}) for role in (
        "Admin", "ADMIN", "admin ", " admin", "admin\n", "admin\0", "admin,operator", "administrator", "adm\u0131n", "\uff41dmin", "",
        {"admin": True}, ["Admin"], [["admin"]], ["admin", 1], [{"role": "admin"}], True, 1, 0)},
    **{f"almost an administrator by name: {name!r}": (lambda d, name=name: d.token(name), {"user"}) for name in (
        "Dewi", "dewi ", " dewi", "de", "dewi,rina", "dewi2", "d\u0435wi")},
    "an administrator in other claims": (lambda d: d.token(
        "tono", roles=["admin"], admin=True, is_admin=True, scope="admin", groups=["admin"]), {"user"}),
}
SOURCES = count(1)
APP = "https://app.example"


@pytest.fixture(scope="module")
def staffed(tmp_path_factory, scheme, authority):
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority,
                        RUN_USERS="rina", JWT_RUN_ROLE="operator", ADMIN_USERS="dewi", DENY_USERS="agus", CORS_ALLOW_ORIGINS=APP)
    endpoint.counting_script("echo out")
    endpoint.log_path.write_text("a line\n")
    endpoint.start()
    assert endpoint.run().header("Sync-Run-Id") == "1"
    yield endpoint
    endpoint.remove()


def asked(endpoint, method, path, token):
    """Each refused token has its own address, because too many from one address get 429."""
    number = next(SOURCES)
    with endpoint.wire(source=f"127.0.{8 + number // 250}.{1 + number % 250}") as wire:
        headers = [f"Authorization: Bearer {token}"] if token is not None else []
        wire.send(wire.head(f"{method} {path.replace('{id}', '1')} HTTP/1.1", *headers, "Connection: close", token=False))
        if method == "HEAD":
            while wire.more():
                pass
            return int(wire.buffer.split()[1])
        (answer,) = wire.everything()
        return answer.code


def is_as_expected(code, roles, role):
    """Other tests say what an entitled caller gets."""
    if role is not None and roles is None:
        return code == 401
    if role is not None and role not in roles:
        return code == 403
    return code not in (401, 403, 404, 405) and code < 500


@pytest.mark.parametrize("route", ROUTES, ids=name)
def test_every_caller_on_every_route(staffed, route):
    wrong = {}
    for caller, (make, roles) in CALLERS.items():
        ran = staffed.times_run()
        methods = {"GET", "HEAD"} if route.method == "GET" else {route.method}
        codes = {method: asked(staffed, method, route.path, make(staffed)) for method in methods}
        runs = staffed.times_run() - ran
        may_run = route.path == "/sync/run" and roles is not None and "runner" in roles
        if not all(is_as_expected(code, roles, route.role) for code in codes.values()) or runs != may_run:
            wrong[caller] = (codes, runs)
    assert not wrong


def test_the_table_of_routes_is_read_in_full():
    """The program's table has the documented endpoints and every role."""
    assert {("POST", "/sync/run", "runner"), ("GET", "/sync/status", "user"), ("GET", "/sync/log", "user"),
            ("GET", "/admin/runs", "admin"), ("GET", "/healthz", None)} <= {(route.method, route.path, route.role) for route in ROUTES}


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_nowhere_let_in(staffed, path):
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PURGE", "LINK"} - offered(path):
        # Every caller may see the methods of a path, and no other method works.
        for token in (None, "garbage", staffed.token("tono"), staffed.token("rina"), staffed.token(role="admin")):
            answer = staffed.request(method, path.replace("{id}", "1"), token=token)
            answer.is_error(405)
            assert set(answer.header("Allow").split(", ")) == offered(path), method


@pytest.mark.parametrize("path", PATHS)
def test_pages_of_an_allowed_origin_reach_all_but_the_administration(staffed, path):
    """For every method, caller and answer."""
    for method in sorted(offered(path) - {"HEAD"} | {"PUT"}):
        for token in (None, staffed.token("tono"), staffed.token("dewi")):
            answer = staffed.request(method, path.replace("{id}", "1"), token=token, headers=[
                f"Origin: {APP}", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization"])
            given = [name for name, _ in answer.headers if name.lower().startswith("access-control-")]
            if path.startswith("/admin"):
                assert given == [], (method, answer.code)
            else:
                assert answer.header("Access-Control-Allow-Origin") == APP, (method, answer.code)


SPELLINGS = [
    "//admin/runs", "/admin//runs", "/admin/runs/", "/./admin/runs", "/x/../admin/runs", "/%61dmin/runs", "/admin%2fruns", "/ADMIN/runs",
    "/admin/runs;x", "/admin/runs%00", "/admin/runs%20", "/admin/runs#", "/admin\\runs", "/admin/runs/01", "/admin/runs/+1", "/admin/runs/1.0",
    "/admin/runs/0x1", "/admin/runs/%31", "//localhost/admin/runs", "/admin/runs/1/output/", "/sync/run/../../admin/runs", "/;/admin/runs",
]


@pytest.mark.parametrize("path", SPELLINGS)
def test_a_route_has_one_spelling(staffed, path):
    """A proxy that blocks /admin compares paths. So no other form of a path may lead there."""
    assert asked(staffed, "GET", path, staffed.token(role="admin")) in (400, 404)


def test_without_lists_every_valid_token_may_run(tmp_path_factory, scheme, authority):
    endpoint = Endpoint(tmp_path_factory.mktemp("s"), scheme, authority)
    endpoint.counting_script()
    try:
        endpoint.start()
        assert asked(endpoint, "POST", "/sync/run", endpoint.token("anybody")) == 200
        assert asked(endpoint, "POST", "/sync/run", endpoint.token("anybody", role={"admin": True})) == 200
    finally:
        endpoint.remove()
