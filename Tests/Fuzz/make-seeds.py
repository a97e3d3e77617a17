"""make-seeds.py FOLDER: writes the first inputs of each fuzzer, one folder per target. The unit tests use the same forms."""

import base64
import json
import sys
from pathlib import Path

NOW = 1_800_000_000
HEAD = "Host: localhost\r\nAuthorization: Bearer a.b.c\r\n"


def encoded(text):
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def field(name, value):
    return bytes([len(name)]) + name.encode() + len(value).to_bytes(4, "big") + value


def message(kind, *fields):
    return b"\0" + field("version", b"1") + field("kind", kind.encode()) + b"".join(field(name, value.encode()) for name, value in fields)


CLAIMS = json.dumps({"sub": "ana", "name": "Ana", "role": ["admin", "x"], "iat": NOW, "nbf": NOW, "exp": NOW + 3600,
                     "iss": "https://id.example", "aud": ["sync"]})
RESULT = [("lock_file_seen", "false"), ("script_changed", "false"), ("output_bytes", "3"), ("output_sha256", "0" * 64),
          ("finished_at", "1800000000000"), ("duration_ms", "12"), ("exit_code", "2"), ("stop", "timeout"), ("signal", "9")]
RUN = [("script", "/a"), ("lock_path", "/b"), ("run_directory", "/c"), ("timeout_seconds", "5"), ("grace_seconds", "1"),
       ("output_limit", "1024"), ("environment", "A=b")]

SEEDS = {
    "JSON": [text.encode() for text in (
        "null", "true", "-0.5e+3", "9223372036854775807", '"a\\u00e9\\ud83d\\ude00\\n\\/"', '[1,[2,{"a":[]}]]', CLAIMS, '{"a":1,"\\u0061":2}',
        "[" * 257 + "]" * 257, '"\\ud800"', " \t\r\n[ ] ")],
    "Token": [
        b"\0" + f'{encoded("""{"alg":"HS256"}""")}.{encoded(CLAIMS)}.AAAA'.encode(), b"\1" + CLAIMS.encode(),
        b"\1" + json.dumps({"sub": 7, "exp": NOW + 1.5}).encode(), b'\2{"alg":"HS256","typ":"jwt","kid":"1"}\0' + CLAIMS.encode(),
        b'\2{"alg":"none","crit":["exp"],"b64":false}\0{}', b"\3" + f'{encoded("""{"alg":"HS256"}""")}.{encoded(CLAIMS)}'.encode()],
    "Framing": [text.encode() for text in (
        f"GET /sync/status HTTP/1.1\r\n{HEAD}\r\n", "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        f"POST /sync/run HTTP/1.1\r\n{HEAD}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n{{}}",
        f"POST /sync/run HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n1;x=y\r\n{{\r\n1\r\n}}\r\n0\r\n\r\n",
        f'POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chunked\r\n\r\n00a;n="v;\\"";m\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\n',
        f"GET / HTTP/1.1\r\n{HEAD}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        f"GET / HTTP/1.1\r\n{HEAD}Connection: close, Upgrade\r\n\r\n",
        f"POST / HTTP/1.1\r\n{HEAD}Transfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n", f"GET / HTTP/1.1\r\n{HEAD}Connection: x,\u0301,close\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\n", f"OPTIONS * HTTP/1.1\r\n{HEAD}X: a\r\n b\r\n\r\n")],
    "RunProtocol": [
        message("run", *RUN), message("ended", *RESULT), message("go", ("run", "1")), message("ready", ("script_sha256", "a"), ("script_uid", "0")),
        message("unfit", ("why", "not found"), ("detail", "x"), ("script_uid", "0")),
        message("lock-info", ("lease_held", "true"), ("holder_pid", "1"), ("holder_since", "2")),
        message("lock-file", ("lock_file", "1:2"), ("lock_file_modified", "3"), ("lock_file_owner", "0")),
        message("log-tail", ("log_path", "/a"), ("state_directory", "/b"), ("forbidden", "1:2")),
        b"\1" + (16).to_bytes(8, "big") + (40).to_bytes(8, "big") + b"0123456789abcdef",
        b"\1" + (65536).to_bytes(8, "big") + (2**63 - 1).to_bytes(8, "big") + b"x" * 300,
        b"\2\x08hello\xffworld, more than fits\xff!",
        b"\3\0script=/a\nlock_path=/b\nrun_directory=/c\ntimeout_seconds=5\ngrace_seconds=1\noutput_limit=9",
        b"\3\x06lock_file_seen=true\nscript_changed=false\noutput_bytes=1\noutput_sha256=" + b"0" * 64 + b"\nfinished_at=5\nduration_ms=1"],
}

for target, seeds in SEEDS.items():
    folder = Path(sys.argv[1]) / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:02}").write_bytes(seed)
