"""Hostile tokens, built byte by byte, most of them with a correct MAC. Each gets the same bytes of a 401 and starts no run
(RFC 7515, RFC 7519, RFC 8725)."""

import base64
import hashlib
import hmac
import json
import time
from itertools import count

import pytest

from support.raw_http import RUN

HEADER = b'{"alg":"HS256","typ":"JWT"}'
SOURCES = count(1)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def claims(**changes):
    """Valid claims with changes. None leaves a claim out."""
    now = int(time.time())
    merged = {"sub": "rina", "role": "admin", "iat": now, "exp": now + 600, **changes}
    return json.dumps({name: value for name, value in merged.items() if value is not None}).encode()


def raw_claims(members):
    """Valid claims and further members, verbatim."""
    return claims()[:-1] + b"," + members + b"}"


def mac(endpoint, signed, digest=hashlib.sha256, secret=None):
    return hmac.new(secret or endpoint.secret, signed, digest).digest()


def token(endpoint, header=HEADER, payload=None, **options):
    return segments(endpoint, encode(header), encode(claims() if payload is None else payload), **options)


def segments(endpoint, header, payload, **options):
    """A token of these segments, with a correct MAC over their bytes."""
    signed = header + b"." + payload
    return signed + b"." + encode(mac(endpoint, signed, **options))


def header(**members):
    return json.dumps({"alg": "HS256", "typ": "JWT", **members}).encode()


def last_bits(segment):
    """The same bytes, but an unused bit of the last character is set."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(segment) % 4, "no spare bits"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) | 1:][:1]


def odd(data):
    """JSON whose base64 has unused bits."""
    return data if len(data) % 3 else data + b" "


def deep(levels):
    return raw_claims(b'"x":' + b"[" * (levels - 1) + b"]" * (levels - 1))


def filled(endpoint, size):
    """A token of exactly this many bytes that is valid except for its length. None if base64 cannot have that length."""
    for filling in range(size):
        made = token(endpoint, payload=raw_claims(b'"fill":"' + b"x" * filling + b'"'))
        if len(made) >= size - 3:
            break
    return made


# Headers with a correct MAC. name: header
HEADERS = {
    **{f"alg {value!r}": header(alg=value) for value in (
        "none", "None", "NONE", "nOnE", "", "hs256", "Hs256", "HS256 ", " HS256", "HS2560", "HS25", "HS384", "HS512", "RS256", "ES256",
        "PS256", "EdDSA", "A128KW", "dir", "HMAC", "SHA256", ["HS256"], ["none", "HS256"], {"HS256": 1},
        None, True, 256, "HS256\0", "HS\uff12\uff15\uff16")},
    "no alg": b'{"typ":"JWT"}',
    "Alg": b'{"Alg":"HS256"}',
    "empty object": b"{}",
    **{f"{name} {value!r}": header(**{name: value}) for name, value in (
        ("crit", []), ("crit", ["exp"]), ("crit", ["b64"]), ("crit", None), ("b64", True), ("b64", False), ("zip", "DEF"), ("zip", None),
        ("jku", "https://evil.example/keys"), ("jwk", {"kty": "oct", "k": "AAAA"}), ("jwk", None), ("x5u", "https://evil.example/c"),
        ("x5c", ["AAAA"]), ("x5c", []))},
    **{f"typ {value!r}": header(typ=value) for value in (
        "JWE", "JWS", "at+jwt", "JWT ", "", "JWT\0", "application/json", None, 1, True, ["JWT"], {"JWT": 1})},
    "alg twice": b'{"alg":"HS256","alg":"HS256"}',
    "alg twice, none first": b'{"alg":"none","alg":"HS256"}',
    "alg twice, none last": b'{"alg":"HS256","alg":"none"}',
    "alg twice, escaped": b'{"alg":"HS256","\\u0061lg":"none"}',
    "another name twice": b'{"alg":"HS256","kid":"1","kid":"2"}',
    "a name twice further in": b'{"alg":"HS256","kid":{"a":1,"a":2}}',
    "crit, escaped": b'{"alg":"HS256","cri\\u0074":[]}',
    "an array": b'["HS256"]',
    "a string": b'"HS256"',
    "null": b"null",
    "nothing": b"",
    "something behind": HEADER + b"{}",
    "a byte order mark": b"\xef\xbb\xbf" + HEADER,
    "UTF-16": HEADER.decode().encode("utf-16"),
    "not UTF-8": b'{"alg":"HS256","kid":"\xff"}',
    "a lone surrogate": b'{"alg":"HS256","kid":"\\ud800"}',
    "overlong UTF-8": b'{"alg":"HS256","kid":"\xc0\xaf"}',
    "a comment": b'{"alg":"HS256"/**/}',
    "single quotes": b"{'alg':'HS256'}",
    "a comma too much": b'{"alg":"HS256",}',
    "a control character": b'{"alg":"HS256","kid":"\n"}',
    "nine levels": b'{"alg":"HS256","kid":' + b"[" * 8 + b"]" * 8 + b"}",
    "thousands of levels": b'{"alg":"HS256","kid":' + b"[" * 5000,
}

# Claims with a correct MAC. name: payload
PAYLOADS = {
    **{f"{name} {value}": (lambda name=name, value=value: claims(**{name: None})[:-1] + f',"{name}":{value}}}'.encode())
       for name in ("exp", "nbf", "iat") for value in (
           f'"{int(time.time()) + 300}"', "true", "false", "null", "[]", "{}", "-1", "-0.5", "1e400", "-1e400", "1e30", "253402300800",
           "9223372036854775808", "99999999999999999999999999", '"1e10"', "[1]") if (name, value) != ("exp", "null-")},
    **{f"sub {value}": (lambda value=value: claims(sub=None)[:-1] + b',"sub":' + value.encode() + b"}") for value in (
        "null", "true", "1.5", "1e3", "[]", '["rina"]', "{}", '""', '"a\\u0000b"', '"a\\nb"', '"a\\u007fb"',
        '"\\u009bx"', '"\\ud800"', f'"{"x" * 257}"',
        "99999999999999999999")},
    **{f"name {value}": (lambda value=value: raw_claims(b'"name":' + value.encode())) for value in ("1", "[]", "{}", "true", f'"{"x" * 257}"')},
    "no exp": lambda: claims(exp=None),
    "no sub": lambda: claims(sub=None),
    "expired": lambda: claims(exp=int(time.time()) - 60),
    "expires at 0": lambda: claims(exp=0),
    "not yet": lambda: claims(nbf=int(time.time()) + 120),
    "issued in the future": lambda: claims(iat=int(time.time()) + 120),
    "lives too long": lambda: claims(exp=int(time.time()) + 90100),
    "exp twice": lambda: raw_claims(f'"exp":{int(time.time()) + 300}'.encode()),
    "exp twice, escaped": lambda: raw_claims(f'"\\u0065xp":{int(time.time()) + 300}'.encode()),
    "sub twice": lambda: raw_claims(b'"sub":"rina"'),
    "role twice": lambda: raw_claims(b'"role":"user"'),
    "a name twice further in": lambda: raw_claims(b'"x":[{"a":1,"a":1}]'),
    "an array": lambda: b"[" + claims() + b"]",
    "null": lambda: b"null",
    "nothing": lambda: b"",
    "something behind": lambda: claims() + b"x",
    "two objects": lambda: claims() + claims(),
    "a NUL behind": lambda: claims() + b"\0",
    "a byte order mark": lambda: b"\xef\xbb\xbf" + claims(),
    "not UTF-8": lambda: raw_claims(b'"x":"\xff"'),
    "NaN": lambda: raw_claims(b'"x":NaN'),
    "nine levels": lambda: deep(9),
    "thousands of levels": lambda: claims()[:-1] + b',"x":' + b"[" * 5000,
}

# The compact form itself, name: endpoint -> token
FORMS = {
    "header padded": lambda d: segments(d, encode(b'{"alg":"HS256"} ') + b"=", encode(claims())),
    "claims padded": lambda d: segments(d, encode(HEADER), base64.urlsafe_b64encode(odd(claims()))),
    "signature padded": lambda d: token(d) + b"=",
    "all padded with dots": lambda d: token(d) + b".",
    "header with spare bits": lambda d: segments(d, last_bits(encode(odd(HEADER))), encode(claims())),
    "claims with spare bits": lambda d: segments(d, encode(HEADER), last_bits(encode(odd(claims())))),
    "signature with spare bits": lambda d: b".".join([*token(d).split(b".")[:2], last_bits(token(d).split(b".")[2])]),
    "header with a character too much": lambda d: segments(d, encode(HEADER) + b"A", encode(claims())),
    "standard alphabet": lambda d: segments(d, encode(HEADER), base64.b64encode(b'{"~~~":"???",' + claims()[1:]).rstrip(b"=")),
    "blank before": lambda d: b" " + token(d),
    "tab before": lambda d: b"\t" + token(d),
    "blank inside": lambda d: segments(d, encode(HEADER), encode(claims())[:10] + b" " + encode(claims())[10:]),
    "foreign character": lambda d: segments(d, encode(HEADER), encode(claims()) + b"*"),
    "foreign bytes": lambda d: segments(d, encode(HEADER), encode(claims()) + b"\xc3\xa9"),
    "in quotes": lambda d: b'"' + token(d) + b'"',
    "a comma behind": lambda d: token(d) + b",",
    "two tokens": lambda d: token(d) + b", Bearer " + token(d),
    "empty header": lambda d: segments(d, b"", encode(claims())),
    "empty claims": lambda d: segments(d, encode(HEADER), b""),
    "empty signature": lambda d: token(d).rpartition(b".")[0] + b".",
    "dots": lambda d: b"..",
    "two segments": lambda d: token(d).rpartition(b".")[0],
    "four segments": lambda d: token(d) + b"." + encode(b"x"),
    "five, as if encrypted": lambda d: b".".join([encode(b'{"alg":"dir","enc":"A128GCM"}'), b"", b"AAAA", b"AAAA", b"AAAA"]),
    "JSON serialization": lambda d: json.dumps({"payload": encode(claims()).decode(), "signatures": []}).encode(),
    "truncated MAC": lambda d: token(d)[:-22],
    "longer MAC": lambda d: token(d) + b"AAAA",
    "MAC of SHA-512": lambda d: token(d, digest=hashlib.sha512),
    "MAC of nothing": lambda d: token(d).rpartition(b".")[0] + b"." + encode(mac(d, b"")),
    "MAC in hex": lambda d: token(d).rpartition(b".")[0] + b"." + mac(d, token(d).rpartition(b".")[0]).hex().encode(),
    "plain hash for a MAC": lambda d: token(d).rpartition(b".")[0] + b"." + encode(hashlib.sha256(token(d)).digest()),
    "MAC with an empty secret": lambda d: token(d, secret=b"\0"),
    "MAC with the secret and its newline": lambda d: token(d, secret=d.secret + b"\n"),
    "zeros for a MAC": lambda d: token(d).rpartition(b".")[0] + b"." + encode(bytes(32)),
    "over 8 KiB": lambda d: filled(d, 8200),
    "16 KiB": lambda d: b"A" * 15000,
    "dots by the thousand": lambda d: b"." * 8000,
}


def asked(endpoint, value, line=RUN, *headers):
    """One request with this behind `Bearer `, from an address of its own: too many refusals from one are a 429."""
    number = next(SOURCES)
    with endpoint.wire(source=f"127.0.{16 + number // 250}.{1 + number % 250}") as wire:
        authorization = b"Authorization: Bearer " + value + b"\r\n" if value is not None else b""
        head = wire.head(line, *headers, "Connection: close", token=False)
        wire.send(head[:-2] + authorization + b"\r\n")
        (answer,) = wire.everything()
        return answer


def refused(endpoint, value):
    before = endpoint.times_run()
    answer = asked(endpoint, value)
    assert answer.code == 401, answer
    assert answer.text == '{"status":"error","message":"A valid bearer token is required"}', "the body tells why"
    assert answer.header("WWW-Authenticate") == 'Bearer realm="sync", error="invalid_token"'
    assert endpoint.times_run() == before


@pytest.mark.parametrize("case", HEADERS)
def test_a_hostile_header_is_refused(endpoint, case):
    refused(endpoint, token(endpoint, header=HEADERS[case]))
    refused(endpoint, token(endpoint, header=HEADERS[case]).rpartition(b".")[0] + b".")


@pytest.mark.parametrize("case", PAYLOADS)
def test_hostile_claims_are_refused(endpoint, case):
    refused(endpoint, token(endpoint, payload=PAYLOADS[case]()))


@pytest.mark.parametrize("case", FORMS)
def test_a_hostile_compact_form_is_refused(endpoint, case):
    refused(endpoint, FORMS[case](endpoint))


def test_tokens_just_within_the_limits_are_accepted(endpoint):
    """Similar tokens without a fault are valid, so each refusal above has its own reason."""
    fine = [
        token(endpoint), token(endpoint, header=b'{"alg":"HS256"}'), token(endpoint, header=b' {"typ" : "jwt" , "alg" : "HS256" , "kid" : "1" } '),
        token(endpoint, payload=deep(8)), filled(endpoint, 8190), token(endpoint, payload=claims(exp=float(int(time.time())) + 300.5)),
        token(endpoint, payload=raw_claims(b'"name":""')), token(endpoint, payload=raw_claims(b'"name":"a\\u001b[2Jb"')),
        token(endpoint, payload=raw_claims(b'"\\u0045xp":1')),
        token(endpoint, payload=claims(sub="x" * 256)), token(endpoint, payload=raw_claims(b'"nbf":1e9')), token(endpoint, payload=claims(iat=None)),
    ]
    for value in fine:
        assert asked(endpoint, value, "GET /admin/runs HTTP/1.1").code == 200, value


def test_two_authorization_headers(endpoint):
    before = endpoint.times_run()
    good = f"Authorization: Bearer {token(endpoint).decode()}"
    for second in (good, "Authorization: Bearer garbage", "authorization: Basic eDp5", "AUTHORIZATION:"):
        for headers in ([good, second], [second, good]):
            assert asked(endpoint, None, RUN, *headers).code == 400
    assert endpoint.times_run() == before


@pytest.mark.parametrize("scheme_name", ["Basic", "Digest", "Token", "JWT", "Bearer:", "Bear", "BearerX", "Bearer\t", ""])
def test_other_schemes_are_no_token(endpoint, scheme_name):
    answer = asked(endpoint, None, RUN, f"Authorization: {scheme_name} {token(endpoint).decode()}")
    assert answer.code == 401 and answer.header("WWW-Authenticate").startswith('Bearer realm="sync"')


def test_a_token_elsewhere_is_never_read(endpoint):
    before = endpoint.times_run()
    good = token(endpoint).decode()
    for name in ("access_token", "token", "jwt", "authorization", "bearer"):
        for line in (f"POST /sync/run?{name}={good} HTTP/1.1", f"POST /sync/run?{name}=Bearer%20{good} HTTP/1.1"):
            answer = asked(endpoint, None, line)
            assert answer.code == 401 and answer.header("WWW-Authenticate") == 'Bearer realm="sync"'
    for header_name in ("Cookie: token=", "Cookie: Authorization=Bearer ", "X-Authorization: Bearer ", "Proxy-Authorization: Bearer ",
                        "X-Access-Token: ", "Sec-WebSocket-Protocol: bearer, ", "X-Forwarded-User: "):
        assert asked(endpoint, None, RUN, header_name + good).code == 401, header_name
    body = f"access_token={good}"
    for kind in ("application/x-www-form-urlencoded", "application/json"):
        with endpoint.wire() as wire:
            wire.send(wire.head(RUN, f"Content-Type: {kind}", f"Content-Length: {len(body)}", token=False) + body.encode())
            assert wire.answer().code == 401
    assert endpoint.times_run() == before
    assert good not in endpoint.output() and token(endpoint).decode().split(".")[2] not in endpoint.output()


def test_refusals_leave_neither_token_nor_secret_in_the_log(endpoint):
    value = token(endpoint, payload=claims(sub="MARKER-in-claims", exp=1))
    refused(endpoint, value)
    refused(endpoint, token(endpoint, header=b'{"alg":"MARKER-in-header"}'))
    written = endpoint.output()
    for part in (*value.decode().split("."), "MARKER", endpoint.secret.decode()):
        assert part not in written


def test_a_missing_issuer_or_audience(stopped_endpoint):
    stopped_endpoint.set(JWT_ISSUER="https://id.example", JWT_AUDIENCE="sync")
    stopped_endpoint.counting_script()
    stopped_endpoint.start()
    right = {"iss": "https://id.example", "aud": "sync"}
    assert asked(stopped_endpoint, token(stopped_endpoint, payload=claims(**right))).code == 200
    for wrong in ({"iss": None}, {"aud": None}, {"iss": ["https://id.example"]}, {"iss": "https://ID.example"}, {"iss": "https://id.example "},
                  {"aud": ""}, {"aud": []}, {"aud": ["sync", 1]}, {"aud": [["sync"]]}, {"aud": {"sync": 1}}, {"aud": "Sync"}, {"aud": "sync,other"}):
        assert asked(stopped_endpoint, token(stopped_endpoint, payload=claims(**{**right, **wrong}))).code == 401, wrong
