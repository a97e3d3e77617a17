"""Which tokens are accepted. PyJWT, an independent implementation, makes them."""

import base64
import json
import time

import jwt
import pytest

PROTECTED = "/sync/status"


def now():
    """The time at which a token is made. Minutes can pass between the collection of the tests and their run."""
    return int(time.time())


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts(token):
    return token.split(".")


def tampered_claims(service):
    head, _, signature = parts(service.token())
    return f'{head}.{b64(json.dumps({"sub": "root", "exp": now() + 600}).encode())}.{signature}'


# Tokens that must be refused. name: service -> token
REFUSED = {
    "wrong secret": lambda s: s.token(secret=b"x" * 64),
    "no expiry": lambda s: s.token(exp=None),
    "expired": lambda s: s.token(iat=now() - 900, exp=now() - 60),
    "not yet valid": lambda s: s.token(nbf=now() + 600),
    "expiry not a number": lambda s: signed(s, sub="rina", exp=str(now() + 600)),
    "lives too long": lambda s: s.token(lifetime=90001 + 60),
    "lives too long, without iat": lambda s: s.token(lifetime=90001 + 60, iat=None),
    "no user": lambda s: s.token(user=None),
    "empty user": lambda s: s.token(user=""),
    "user is an object": lambda s: signed(s, sub={"a": 1}, exp=now() + 600),
    "user is a fraction": lambda s: signed(s, sub=1.5, exp=now() + 600),
    "algorithm none": lambda s: s.token(algorithm="none", secret=""),
    "algorithm none, any case": lambda s: f'{b64(json.dumps({"alg": "nOnE"}).encode())}.{parts(s.token())[1]}.',
    "HS384 where HS256 is set": lambda s: s.token(algorithm="HS384"),
    "HS512 where HS256 is set": lambda s: s.token(algorithm="HS512"),
    "critical header": lambda s: s.token(headers={"crit": ["b64"], "b64": False}),
    "claims changed": tampered_claims,
    "signature cut off": lambda s: ".".join(parts(s.token())[:2]) + ".",
    "signature too short": lambda s: s.token()[:-3],
    "two parts": lambda s: ".".join(parts(s.token())[:2]),
    "four parts": lambda s: s.token() + ".e30",
    "padded": lambda s: s.token() + "=",
    "not base64url": lambda s: "*" + s.token()[1:],
    "claims are not an object": lambda s: signed_bytes(s, b"[]"),
    "claims are not JSON": lambda s: signed_bytes(s, b"{"),
    "exp twice": lambda s: signed_bytes(s, f'{{"sub":"a","exp":1,"exp":{now() + 600}}}'.encode()),
    "garbage": lambda s: "garbage",
}


def signed(service, **claims):
    return signed_bytes(service, json.dumps(claims).encode())


def signed_bytes(service, payload):
    return jwt.PyJWS().encode(payload, service.secret, "HS256")


@pytest.mark.parametrize("case", REFUSED)
def test_refused_tokens(service, case):
    # Each request has its own address, because too many from one address get 429.
    source = f"127.0.2.{list(REFUSED).index(case) + 1}"
    answer = service.request("GET", PROTECTED, token=REFUSED[case](service), source=source)
    answer.is_error(401)
    assert answer.header("WWW-Authenticate") == 'Bearer realm="sync", error="invalid_token"'
    assert answer.body == service.request("GET", PROTECTED, token=None).body, "the body says why"


@pytest.mark.parametrize("headers", [[], ["Authorization: Basic cmluYTpyaW5h"], ["Authorization;"]])
@pytest.mark.parametrize("method, path", [
    ("POST", "/sync/run"), ("GET", "/sync/status"), ("GET", "/sync/log"),
    ("GET", "/admin/runs"), ("GET", "/admin/runs/1"), ("GET", "/admin/runs/1/output"),
])
def test_without_a_token(shared, method, path, headers):
    shared.counting_script()
    answer = shared.request(method, path, token=None, headers=headers)
    answer.is_error(401)
    assert answer.header("WWW-Authenticate") == 'Bearer realm="sync"'
    assert shared.times_run() == 0


def test_two_authorization_headers_are_refused(shared):
    header = [f"Authorization: Bearer {shared.token()}"]
    assert shared.request("GET", PROTECTED, headers=header).code in (400, 401)


# Valid tokens. name: service -> token
ACCEPTED = {
    "as documented": lambda s: s.token(),
    "without iat": lambda s: s.token(iat=None),
    "expired within the leeway": lambda s: s.token(exp=int(time.time()) - 5),
    "not before, within the leeway": lambda s: s.token(nbf=int(time.time()) + 5),
    "without typ": lambda s: s.token(headers={"typ": None}),
    "integer user": lambda s: signed(s, sub=42, exp=int(time.time()) + 600),
    "fractional times": lambda s: s.token(iat=time.time(), exp=time.time() + 600),
    "claims of an issuer that says more": lambda s: s.token(id=7, username="rina", perms=["a", {"b": None}]),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_tokens(shared, case):
    assert shared.request("GET", PROTECTED, token=ACCEPTED[case](shared)).code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_has_no_case(shared, scheme):
    header = [f"Authorization: {scheme} {shared.token()}"]
    assert shared.request("GET", PROTECTED, token=None, headers=header).code == 200


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_the_other_algorithms(installed, algorithm):
    installed.set(JWT_ALGORITHM=algorithm)
    installed.start()
    assert installed.request("GET", PROTECTED, token=installed.token(algorithm=algorithm)).code == 200
    assert installed.request("GET", PROTECTED, token=installed.token()).code == 401


def test_the_secret_from_the_settings_themselves(installed):
    installed.set(JWT_SECRET_FILE=None, JWT_SECRET=installed.secret.decode())
    installed.start()
    assert installed.status() == "idle"


def test_issuer_and_audience(installed):
    installed.set(JWT_ISSUER="https://id.example", JWT_AUDIENCE="sync")
    installed.start()

    def code(**claims):
        return installed.request("GET", PROTECTED, token=installed.token(**claims)).code

    assert code(iss="https://id.example", aud="sync") == 200
    assert code(iss="https://id.example", aud=["other", "sync"]) == 200
    assert code(iss="https://id.example/", aud="sync") == 401
    assert code(iss="https://id.example", aud="sync2") == 401
    assert code(iss="https://id.example", aud=["other"]) == 401
    assert code(iss="https://id.example") == 401
    assert code(aud="sync") == 401


def test_the_previous_secret_during_rotation(installed):
    old = b"the secret before this one, long enough"
    installed.write_private(installed.folder / "jwt.previous", old)
    installed.set(JWT_PREVIOUS_SECRET_FILE=installed.folder / "jwt.previous")
    installed.start()
    assert installed.request("GET", PROTECTED, token=installed.token(secret=old)).code == 200
    assert installed.request("GET", PROTECTED).code == 200
    assert installed.request("GET", PROTECTED, token=installed.token(secret=b"y" * 40)).code == 401


def test_tokens_from_before_not_before_are_revoked(installed):
    border = now() - 100
    installed.set(JWT_NOT_BEFORE=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(border)))
    installed.start()

    def code(**claims):
        return installed.request("GET", PROTECTED, token=installed.token(**claims)).code

    assert code(iat=border + 10) == 200
    assert code(iat=border - 10) == 401
    assert code(iat=None, exp=now() + 600) == 401, "without iat it may have been issued a lifetime before its expiry"


def test_claims_of_an_existing_issuer(installed):
    installed.set(JWT_USER_CLAIM="id", JWT_NAME_CLAIM="username", JWT_ROLE_CLAIM="roles", JWT_ADMIN_ROLE="auditor")
    installed.start()
    installed.script("exit 0")
    token = installed.token(user=None, id=4711, username="Rina S.", roles=["user", "auditor"])
    assert installed.request("POST", "/sync/run", token=token).code == 200
    run = installed.request("GET", "/admin/runs/1", token=token).json
    assert (run["user"], run["user_name"]) == ("4711", "Rina S.")


def test_admin_paths_want_an_admin(installed):
    installed.set(ADMIN_USERS="dewi,budi")
    installed.start()
    for path in ("/admin/runs", "/admin/runs/1", "/admin/runs/1/output"):
        answer = installed.request("GET", path)
        answer.is_error(403)
        assert answer.header("WWW-Authenticate") == 'Bearer realm="sync", error="insufficient_scope"'
    for token, code in (
        (installed.token("rina", role="admin"), 200),
        (installed.token("rina", role=["x", "admin"]), 200),
        (installed.token("budi"), 200),
        (installed.token("rina", role="Admin"), 403),
        (installed.token("rina", role="administrator"), 403),
        (installed.token("bud"), 403),
    ):
        assert installed.request("GET", "/admin/runs", token=token).code == code


def test_who_may_run_can_be_narrowed(installed):
    installed.set(RUN_USERS="rina", JWT_RUN_ROLE="operator", DENY_USERS="agus")
    installed.start()
    installed.counting_script()
    for token, code in (
        (installed.token("rina"), 200),
        (installed.token("tono", role="operator"), 200),
        (installed.token("tono"), 403),
    ):
        assert installed.request("POST", "/sync/run", token=token).code == code
    assert installed.request("POST", "/sync/run", token=installed.token("agus", role="operator")).code in (401, 403)
    assert installed.times_run() == 2
