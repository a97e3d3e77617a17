"""config/nginx.conf.example in a real nginx: the record names the client, long runs are answered in time, web pages get
their CORS headers, /admin stays inside, other paths go to the old backend. Also the configuration for an old front end."""

import http.server
import os
import shutil
import subprocess
import threading

import pytest

from support.http_client import fetch
from support.service import ROOT, Service, free_port
from support.waiting import eventually

pytestmark = pytest.mark.nginx

EXAMPLE = ROOT / "config/nginx.conf.example"
FOR_OLD_FRONT_ENDS = ROOT / "config/nginx-old-front-end.conf.example"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
APP = "https://app.example"
CLIENT = "127.0.0.77"  # loopback too, but not the address of nginx


class OldBackend(http.server.BaseHTTPRequestHandler):
    """An old backend that only has a sign-in."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.path == "/api/auth/login?next=1"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b"signed in: " + body if known else b"")

    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


class Proxied(Service):
    """An installation behind nginx with the example's configuration; requests go to nginx."""

    def __init__(self, folder, authority, read_timeout="60s", old_front_end=False):
        super().__init__(folder, TRUSTED_PROXIES="127.0.0.1", CORS_ALLOW_ORIGINS=APP)
        self.tls_port = free_port()
        self.old_backend = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OldBackend)
        threading.Thread(target=self.old_backend.serve_forever, daemon=True).start()
        changes = {
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{self.port};",
            "server 127.0.0.1:8001;": f"server 127.0.0.1:{self.old_backend.server_port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls_port} ssl http2;",
            "/etc/ssl/sync.example/fullchain.pem": str(authority.certificate),
            "/etc/ssl/sync.example/privkey.pem": str(authority.key),
            "server_name sync.example;": "server_name localhost;",
            "proxy_read_timeout 60s;": f"proxy_read_timeout {read_timeout};",
        }
        if old_front_end:
            changes["#include /etc/nginx/snippets/sync-old-front-end.conf;"] = f"include {FOR_OLD_FRONT_ENDS};"
        text = EXAMPLE.read_text()
        for before, after in changes.items():
            assert text.count(before) == 1, f"{before!r} is not in the example once"
            text = text.replace(before, after)
        (folder / "sync-service.conf").write_text(text)
        places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            # The workers' default user may not enter the folder in which nginx buffers bodies.
            f"{'user root;' if os.geteuid() == 0 else ''}\ndaemon off;\nworker_processes 1;\n"
            f"pid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{places}include {folder}/sync-service.conf;\n}}\n")
        folder.chmod(0o755)
        self.nginx = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf"], stdin=subprocess.DEVNULL)

    def begin(self, method, path, token="", seconds=60, **options):
        token = self.token() if token == "" else token
        return fetch(method, f"https://127.0.0.1:{self.tls_port}/api{path}", token, seconds, **options)

    def end(self):
        try:
            self.stop()
        finally:
            self.nginx.terminate()
            self.nginx.wait()
            self.old_backend.shutdown()
            self.end_leftovers()


@pytest.fixture
def behind(tmp_path_factory, authority):  # noqa: F811
    made = []

    def make(**options):
        made.append(Proxied(tmp_path_factory.mktemp("s"), authority, **options))
        return made[-1]
    yield make
    for service in made:
        service.end()


def test_the_record_names_the_client(behind):
    service = behind()
    service.script("echo hello")
    service.start()
    spoofed = ["X-Forwarded-For: 198.51.100.7", "X-Real-IP: 198.51.100.7", "Forwarded: for=198.51.100.7"]
    answer = service.run(headers=spoofed, source=CLIENT)
    assert answer.code == 200 and answer.json["output"] == "hello\n"
    assert service.record(answer.header("Sync-Run-Id"))["source_ip"] == CLIENT


def test_other_hosts_are_refused_by_the_service(behind):
    service = behind()
    service.start()
    assert service.request("GET", "/sync/status", headers=["Host: localhost"]).code == 200
    assert service.request("GET", "/sync/status", headers=["Host: evil.example"]).code == 400


def test_a_long_run_is_answered_below_the_time_out(behind):
    service = behind(read_timeout="20s")
    service.set(SYNC_RESPOND_AFTER_SECONDS=1)
    barrier = service.waiting_script()
    service.start()
    answer = service.run()
    answer.is_json(202, '{"status":"running","message":"Sync is currently running"}')
    assert answer.header("Location") == "/api/sync/status", "the path by which the client gets there"
    assert service.status() == "running"
    barrier.release()
    assert service.record(1)["outcome"] == "succeeded"


def test_without_it_nginx_gives_up_and_the_run_goes_on(behind):
    service = behind(read_timeout="1s")
    barrier = service.waiting_script()
    service.start()
    assert service.run().code == 504
    eventually(lambda: service.status() == "running", "the run is still there")
    barrier.release()
    assert service.record(1)["outcome"] == "succeeded"


def test_web_pages(behind):
    service = behind()
    service.script("exit 0")
    service.start()
    asked = service.request("OPTIONS", "/sync/run", token=None, headers=[
        f"Origin: {APP}", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"])
    assert asked.code in (200, 204) and asked.header("Access-Control-Allow-Origin") == APP
    assert "POST" in asked.header("Access-Control-Allow-Methods")
    answer = service.run(headers=[f"Origin: {APP}"])
    assert answer.code == 200 and answer.header("Access-Control-Allow-Origin") == APP
    assert "Sync-Run-Id" in answer.header("Access-Control-Expose-Headers")
    stranger = service.run(headers=["Origin: https://evil.example"])
    assert stranger.header("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize("path", [
    "/admin/runs", "/admin/", "/sync/../admin/runs", "/sync/%2e%2e/admin/runs", "/sync/..%2fadmin/runs", "//admin/runs",
    "/sync/..;/admin/runs", "/ADMIN/runs", "/readyz", "/openapi.json", "/../admin/runs"])
def test_the_administration_stays_inside(behind, path):
    service = behind()
    service.start()
    address = f"https://127.0.0.1:{service.tls_port}/api{path}"
    done = subprocess.run(
        ["curl", "--config", "-", "-sS", "--path-as-is", "--interface", CLIENT, "-w", "%{http_code}", address],
        input=f'header = "Authorization: Bearer {service.token(role="admin")}"\n', capture_output=True, text=True, check=True)
    assert done.stdout[-3:] in ("403", "404") and '"runs"' not in done.stdout


def test_the_administration_from_a_listed_network(behind):
    service = behind()
    service.start()
    assert service.admin("/admin/runs").json == {"runs": [], "next": None}
    assert service.request("GET", "/admin/runs").code == 403, "a user's token does not do"


def test_the_rest_goes_to_the_old_backend(behind):
    service = behind()
    service.start()
    body = "x" * 100_000
    answer = service.request("POST", "/auth/login?next=1", token=None, body=body)
    assert answer.code == 200 and answer.text == f"signed in: {body}"
    assert service.request("GET", "/auth/logout", token=None).code == 404


# A front end that cannot be changed yet

@pytest.fixture
def old(behind):
    return behind(old_front_end=True)


def test_an_old_front_end_gets_200_where_a_sync_runs(old):
    barrier = old.waiting_script()
    old.start()
    run = old.begin_run()
    barrier.reached()
    answer = old.run(headers=[f"Origin: {APP}"])
    answer.is_json(200, '{"status":"running","message":"Sync is already running. Please wait for it to complete."}')
    assert answer.header("Access-Control-Allow-Origin") == APP
    assert "Access-Control-Allow-Origin" not in dict(old.run().headers)
    barrier.release()
    answer = run.result()
    answer.is_json(200, '{"status":"success","message":"Sync script executed successfully","output":""}')
    assert answer.header("Sync-Run-Id") == "1"


def test_an_old_front_end_gets_the_log_as_content(old):
    said = '{"status":"success","log":"in the log itself"}'
    old.script(f"echo '{said}' >>{old.log_path}; exit 3")
    old.start()
    assert old.request("GET", "/sync/log").json == {"status": "error", "message": "Error reading log file"}
    assert old.run().code == 500, "as documented, and as before"
    assert old.request("GET", "/sync/log").json == {"status": "success", "content": said}
    assert old.request("GET", "/sync/status").json["status"] == "idle"
    assert old.request("GET", "/sync/log", token=None).code == 401 and old.run(token=None).code == 401
