"""config/nginx.conf.example in a real nginx: who asked is recorded, long runs are answered in time, web pages get their
permission, and the administration stays inside."""

import shutil
import subprocess

import pytest

from client import fetch
from door import authority  # noqa: F401
from harness import ROOT, Service, eventually, free_port

EXAMPLE = ROOT / "config/nginx.conf.example"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
APP = "https://app.example"
CLIENT = "127.0.0.77"  # loopback too, but not the address of nginx


class Proxied(Service):
    """An installation behind nginx with the example's configuration; requests go to nginx."""

    def __init__(self, folder, authority, read_timeout="60s"):
        super().__init__(folder, TRUSTED_PROXIES="127.0.0.1", CORS_ALLOW_ORIGINS=APP)
        self.tls_port = free_port()
        changes = {
            "server 127.0.0.1:8000;": f"server 127.0.0.1:{self.port};",
            "listen 443 ssl http2;": f"listen 127.0.0.1:{self.tls_port} ssl http2;",
            "/etc/ssl/sync.example/fullchain.pem": str(authority.certificate),
            "/etc/ssl/sync.example/privkey.pem": str(authority.key),
            "server_name sync.example;": "server_name localhost;",
            "proxy_read_timeout 60s;": f"proxy_read_timeout {read_timeout};",
        }
        text = EXAMPLE.read_text()
        for before, after in changes.items():
            assert text.count(before) == 1, f"{before!r} is not in the example once"
            text = text.replace(before, after)
        (folder / "sync-service.conf").write_text(text)
        places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"daemon off;\nworker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
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
    gate = service.waiting_script()
    service.start()
    answer = service.run()
    answer.is_json(202, '{"status":"running","message":"Sync is currently running"}')
    assert answer.header("Location") == "/sync/status"
    assert service.status() == "running"
    gate.open()
    assert service.record(1)["outcome"] == "succeeded"


def test_without_it_nginx_gives_up_and_the_run_goes_on(behind):
    service = behind(read_timeout="1s")
    gate = service.waiting_script()
    service.start()
    assert service.run().code == 504
    eventually(lambda: service.status() == "running", "the run is still there")
    gate.open()
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
