"""The package on a booted Debian 12: systemd starts the units as they are shipped, and the tests are what an operator and
a script do. One machine for the whole file, from the installation to the purge, in that order."""

import json
import re
import time

import pytest

from machine import Machine, eventually, higher_version, processes_in

pytestmark = [pytest.mark.root, pytest.mark.slow]

BARRIER = "touch /var/lib/sync-script/arrived; read -r answer </opt/sync/barrier; exit \"$answer\""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("m"))
    made.fetch_dependencies()
    try:
        yield made.boot()
    finally:
        made.power_off()
        assert not list(processes_in(made.folder))


def state(machine, unit):
    return machine.run("systemctl", "is-active", unit, code=None).strip()


def runs(machine):
    return json.loads(machine.ask("GET", "/admin/runs"))["runs"]


def last_run(machine):
    """The newest run, once it has ended."""
    def ended():
        run = runs(machine)[0]
        return run if run["outcome"] != "running" else None
    return eventually(ended, "the run has ended")


def listening(machine):
    return [line.split()[1] for name in ("tcp", "tcp6") for line in machine.run("cat", f"/proc/net/{name}").splitlines()[1:]
            if line.split()[3] == "0A"]


class Waiting:
    """A run that waits at a FIFO; what is written there is its exit code."""

    def __init__(self, machine):
        self.machine = machine
        machine.script(BARRIER)
        machine.sh("rm -f /var/lib/sync-script/arrived; [ -p /opt/sync/barrier ] || mkfifo -m 666 /opt/sync/barrier")
        self.client = machine.begin(*machine.request("POST", "/sync/run"))
        eventually(machine.path("/var/lib/sync-script/arrived").exists, "the script is at its barrier")

    def end(self, code):
        self.machine.sh(f"echo {code} >/opt/sync/barrier")
        self.client.communicate()


def test_a_first_audited_run(machine, capsys):
    """What MIGRATION.md and README tell a new operator to do."""
    began = time.monotonic()
    machine.install()
    assert listening(machine) == [], "nothing listens before there is a script"
    assert state(machine, "sync-service") == "inactive" and state(machine, "sync-runner.socket") == "active"
    assert machine.run("systemctl", "is-enabled", "sync-service-run.timer", code=1).strip() == "disabled"
    # Who looks before naming a script is told what is missing, and has started a runner that knows none.
    assert "script.env" in machine.run("sync-service", "check", code=1)
    machine.run("systemctl", "restart", "sync-service")
    assert "not started: name the script in /etc/sync-service/script.env" in machine.run("systemctl", "status", "sync-service", code=3)
    machine.script("echo hello; id -un")
    machine.name_script()
    machine.run("systemctl", "restart", "sync-service")
    assert state(machine, "sync-service") == "active"
    answer = json.loads(machine.ask("POST", "/sync/run"))
    assert answer == {"status": "success", "message": "Sync script executed successfully", "output": "hello\nsync-runner\n"}
    assert "succeeded" in machine.run("sync-service", "history")
    machine.run("sync-service", "audit", "verify")
    with capsys.disabled():
        print(f"\nfrom apt install to a first audited run: {time.monotonic() - began:.1f} s", end=" ")
    run = runs(machine)[0]
    assert run["isolated"] is True and run["outcome"] == "succeeded" and run["boot_id"]
    assert listening(machine) == ["0100007F:1F40"], "127.0.0.1:8000 and nothing else"


def test_users_modes_files(machine):
    for user, home in (("sync-service", "/var/lib/sync-service"), ("sync-runner", "/var/lib/sync-script")):
        name, _, uid, _, _, found, shell = machine.run("getent", "passwd", user).strip().split(":")
        assert found == home and shell == "/usr/sbin/nologin" and 0 < int(uid) < 1000
        assert machine.run("passwd", "-S", user).split()[1] == "L"
    expected = {
        "/etc/sync-service": "750 root sync-service", "/etc/sync-service/service.env": "640 root sync-service",
        "/etc/sync-service/jwt.secret": "640 root sync-service", "/etc/sync-service/script.env": "644 root root",
        "/var/lib/sync-service": "700 sync-service sync-service", "/var/lib/sync-service/audit.key": "600 sync-service sync-service",
        "/var/lib/sync-service/history.sqlite": "600 sync-service sync-service",
        "/var/lib/sync-runner": "2770 sync-runner sync-service", "/var/lib/sync-script": "700 sync-runner sync-runner",
        "/var/log/sync-runner": "2750 sync-runner adm", "/run/sync-runner": "755 root root",
        "/run/sync-runner/runner.sock": "660 root sync-service", "/run/sync-runner/lock": "755 sync-runner sync-runner",
        "/usr/bin/sync-service": "755 root root", "/usr/bin/sync-runner": "755 root root",
    }
    assert {path: machine.run("stat", "-c", "%a %U %G", path).strip() for path in expected} == expected
    assert machine.path("/etc/sync-service/jwt.secret").stat().st_size == 64
    machine.run("systemd-analyze", "verify", "--man=no", *(f"/lib/systemd/system/{unit}" for unit in (
        "sync-service.service", "sync-service-run.service", "sync-service-run.timer", "sync-runner.service", "sync-runner.socket")))


def test_what_a_script_may_do(machine):
    machine.write("/etc/systemd/system/target.service", "[Service]\nExecStart=/usr/bin/systemd-socket-activate --accept --inetd "
                  "-l 127.0.0.1:5432 -l /run/target.sock /bin/cat\n")
    machine.run("systemctl", "start", "target")
    eventually(lambda: len(listening(machine)) == 2, "the database stands in")
    machine.sh("chmod 666 /run/target.sock")
    machine.script("""set -eu
        wanted=$(($(nice) + 5))
        [ "$(nice -n 5 nice)" = $((wanted < 19 ? wanted : 19)) ]
        ionice -c 3 true
        setpriv --pdeathsig KILL -- true
        ulimit -n 64
        echo temporary >"$(mktemp)"; echo temporary >"$(mktemp -p /var/tmp)"
        echo log >>"$SYNC_LOG_PATH"; echo $$ >"$SYNC_LOCK_PATH"; rm "$SYNC_LOCK_PATH"
        touch ~/own; chgrp "$(id -g)" ~/own; chown --reference ~/own ~/own
        exec 5<>/dev/tcp/127.0.0.1/5432; echo by TCP >&5; read -r said <&5; echo "$said"
        [ "$(curl -s -m 1 --http0.9 --unix-socket /run/target.sock http://target/by-socket | head -c 14)" = "GET /by-socket" ]
        echo done""")
    assert json.loads(machine.ask("POST", "/sync/run"))["output"] == "by TCP\ndone\n"
    machine.run("systemctl", "stop", "target")
    assert json.loads(machine.ask("GET", "/sync/log"))["log"] == "log"
    assert machine.run("stat", "-c", "%a %U %G", "/var/log/sync-runner/sync_fkk_db.log").strip() == "640 sync-runner adm"
    assert list(machine.path("/tmp").glob("tmp.*")) == [], "its /tmp is its own"


FORBIDDEN = {
    "the record": "cat /var/lib/sync-service/history.sqlite",
    "the signing key": "cat /var/lib/sync-service/audit.key",
    "the secret": "cat /etc/sync-service/jwt.secret",
    "the settings": "cat /etc/sync-service/service.env",
    "a signal for the service": "kill -0 $(pidof sync-service)",
    "a signal for the runner": "kill -0 $(pidof sync-runner)",
    "the service's memory": "cat /proc/$(pidof sync-service)/environ",
    "the runner's memory": "for p in $(pidof sync-runner); do cat /proc/$p/environ && break; done",
    "itself": "echo >>/opt/sync/sync.sh",
    "programs": "touch /usr/local/bin/new",
    "the runner's socket": "mv /run/sync-runner/runner.sock /run/sync-runner/old",
    "being the service": "curl -sS -m 5 --unix-socket /run/sync-runner/runner.sock http://x/",
    "another root's rights": "setpriv --reuid 0 true || unshare --user true",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_what_a_script_may_not_do(machine, what):
    machine.script(f"if {{ {FORBIDDEN[what]}; }} >/dev/null 2>&1; then echo allowed; else echo denied; fi")
    assert json.loads(machine.ask("POST", "/sync/run"))["output"] == "denied\n"


def test_the_sqlite_script_and_the_drop_in_of_the_package(machine):
    machine.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "sqlite3")
    machine.run("cp", "/usr/share/sync-service/scripts/sync_sqlite.sh", "/opt/sync/sync.sh")
    machine.write("/opt/sync/sync_sqlite.conf", "SYNC_SOURCE_DB=/srv/source.db\nSYNC_TARGET_DB=/srv/target/target.db\n")
    machine.sh("install -d -o sync-runner /srv/target; sqlite3 /srv/source.db 'CREATE TABLE t (a); INSERT INTO t VALUES (1), (2)'")
    denied = json.loads(machine.ask("POST", "/sync/run"))
    assert denied["status"] == "error" and "cannot write to the folder of the target" in denied["output"]
    machine.sh("install -D /usr/share/doc/sync-service/examples/paths.conf.example /etc/systemd/system/sync-runner.service.d/paths.conf\n"
               "systemctl daemon-reload; systemctl restart sync-runner")
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"
    assert machine.run("sqlite3", "/srv/target/target.db", "SELECT sum(a) FROM t") == "3\n"
    # Once more, over a target that is there: its owner is kept.
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"
    machine.run("rm", "-r", "/etc/systemd/system/sync-runner.service.d")


def test_the_lock_is_one_for_cron_and_the_service(machine):
    machine.script("exit 0")
    machine.sh("echo $$ >/run/sync-runner/lock/sync_fkk_db.lock")
    assert json.loads(machine.ask("GET", "/sync/status"))["status"] == "running"
    machine.run("rm", "/run/sync-runner/lock/sync_fkk_db.lock")
    assert "does not see the folder" not in machine.run("sync-service", "check", code=None)
    settings = machine.path("/etc/sync-service/script.env")
    kept = settings.read_text()
    settings.write_text(kept.replace("SYNC_LOCK_PATH=/run/sync-runner/lock/", "SYNC_LOCK_PATH=/tmp/"))
    machine.run("systemctl", "restart", "sync-service")
    said = machine.run("sync-service", "check", "--as-runner", code=1)
    assert "SYNC_LOCK_PATH: the runner does not see the folder /tmp that is seen here" in said
    settings.write_text(kept)
    machine.run("systemctl", "restart", "sync-service")


def test_the_log_is_rotated(machine):
    machine.run("apt-get", "install", "-q", "-y", "--no-install-recommends", "logrotate")
    machine.script('echo before >>"$SYNC_LOG_PATH"')
    machine.ask("POST", "/sync/run")
    machine.run("logrotate", "--force", "/etc/logrotate.d/sync-service")
    machine.script('echo after >>"$SYNC_LOG_PATH"')
    machine.ask("POST", "/sync/run")
    assert json.loads(machine.ask("GET", "/sync/log"))["log"] == "after"
    assert machine.run("stat", "-c", "%a %U %G", "/var/log/sync-runner/sync_fkk_db.log").strip() == "640 sync-runner adm"
    assert machine.path("/var/log/sync-runner/sync_fkk_db.log.1").exists()


REPLACE = "install -m 600 /etc/sync-service/{0} /root/new && mv /root/new /etc/sync-service/{0}"
# mistake: the command that makes it, what check says of it
MISTAKES = {
    "a secret that an editor replaced": (REPLACE.format("jwt.secret"), "user sync-service cannot read /etc/sync-service/jwt.secret"),
    "settings that an editor replaced": (REPLACE.format("service.env"), "user sync-service cannot read /etc/sync-service/service.env"),
    "a script that an editor replaced": ("chmod 750 /opt/sync/sync.sh", "let user sync-runner read and execute it"),
    "a script for all to write": ("chmod 777 /opt/sync/sync.sh", "can be written by others"),
    "a script of somebody": ("chown nobody /opt/sync/sync.sh", "belongs to user nobody"),
    "a log that root began": ("chown root:root /var/log/sync-runner/sync_fkk_db.log", "user sync-runner cannot write its log"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_check_says_to_do_mends_it(machine, mistake):
    command, said = MISTAKES[mistake]
    machine.script('echo once >>"$SYNC_LOG_PATH" || exit 1')
    machine.run("chown", "root:root", "/opt/sync/sync.sh")
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"
    machine.sh(command)
    found = machine.run("sync-service", "check", code=1)
    assert said in found
    fix = re.search("fix: .*", found[found.rindex("✗", 0, found.index(said)):]).group()
    machine.sh(re.search("ch(own|mod) [^;]*", fix).group())
    assert said not in machine.run("sync-service", "check", code=None)
    machine.run("systemctl", "restart", "sync-service")
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"


def test_mistakes_that_no_command_mends(machine):
    machine.script("exit 0")
    machine.sh("chown root:sync-runner /opt/sync/sync.sh && chmod 750 /opt/sync/sync.sh")
    said = machine.run("sync-service", "check", code=1)
    assert "the script does not mention /run/sync-runner/lock/sync_fkk_db.lock" in said, "a script that the service cannot read"
    machine.script("exit 0")
    machine.sh("cp /opt/sync/sync.sh /root; sed -i s,=/opt/sync/,=/root/, /etc/sync-service/script.env; systemctl restart sync-service")
    assert "the folder /root is closed to user sync-runner" in machine.run("sync-service", "check", code=1)
    machine.sh("sed -i s,=/root/,=/opt/sync/, /etc/sync-service/script.env; systemctl restart sync-service")
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success", "one restart is enough for both"
    said = machine.run("setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "sync-service", "run", code=78)
    assert "Permission denied. To fix it: run this as root." in said


@pytest.mark.parametrize("section", [
    "The first run", "Every night", "Reading the journal", "Backup", "Checkpoints in a file", "Restore", "Rotating the JWT secret",
    "Renewing the certificate", "Rotating the signing key", "Backup", "Moving to a new machine", "A stale lock file"])
def test_the_operations_page(machine, section):
    """Its commands, as written."""
    machine.script("exit 0")
    for name in ("pem", "key"):
        machine.write(f"/root/renewed.{name}", "stands for one\n")
    machine.sh("echo $$ >/run/sync-runner/lock/sync_fkk_db.lock" if "lock" in section else "true")
    if section == "Moving to a new machine":
        # On which there are no checkpoints yet, not even of a stop.
        machine.sh("systemctl stop sync-service; rm -f /var/backups/checkpoints/sync-service")
    page = machine.path("/usr/share/doc/sync-service/OPERATIONS.md").read_text()
    text = page.partition(f"## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert blocks
    for block in blocks:
        machine.run("rm", "-f", "/var/backups/sync-service/history.new")
        machine.sh(block)
    # A reload goes on for a moment after systemctl is back.
    eventually(lambda: state(machine, "sync-service") == "active", "it is active again")
    assert not machine.path("/run/sync-runner/lock/sync_fkk_db.lock").exists()
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"
    machine.run("sync-service", "audit", "verify")


@pytest.mark.parametrize("way", [
    "systemctl restart sync-service", "systemctl restart sync-runner", "systemctl restart sync-service sync-runner",
    "systemctl kill -s KILL --kill-whom=main sync-service", "systemctl kill -s KILL --kill-whom=main sync-runner",
    "systemctl stop sync-service sync-runner sync-runner.socket; systemctl start sync-service"])
def test_a_run_goes_on(machine, way):
    waiting = Waiting(machine)
    number = runs(machine)[0]["id"]
    machine.sh(way)
    eventually(lambda: state(machine, "sync-service") == "active" and state(machine, "sync-runner.socket") == "active", "back again")
    eventually(lambda: '"running"' in machine.ask("GET", "/sync/status", ), "the run is still there")
    waiting.end(7)
    run = last_run(machine)
    assert (run["id"], run["outcome"], run["exit_code"]) == (number, "failed", 7)
    machine.script("exit 0")
    assert json.loads(machine.ask("POST", "/sync/run"))["status"] == "success"


def test_an_upgrade_in_mid_run(machine, tmp_path):
    waiting = Waiting(machine)
    number = runs(machine)[0]["id"]
    before = machine.run("systemctl", "show", "-P", "MainPID", "sync-service", "sync-runner").split()
    secret = machine.path("/etc/sync-service/jwt.secret").read_bytes()
    settings = machine.path("/etc/sync-service/script.env").read_bytes()
    machine.install(higher_version(tmp_path))
    assert "+later" in machine.run("dpkg-query", "-W", "-f", "${Version}", "sync-service")
    after = machine.run("systemctl", "show", "-P", "MainPID", "sync-service", "sync-runner").split()
    assert not set(before) & set(after), "both were restarted"
    assert machine.path("/etc/sync-service/jwt.secret").read_bytes() == secret
    assert machine.path("/etc/sync-service/script.env").read_bytes() == settings
    assert '"running"' in machine.ask("GET", "/sync/status")
    waiting.end(9)
    run = last_run(machine)
    assert (run["id"], run["outcome"], run["exit_code"]) == (number, "failed", 9)
    machine.run("sync-service", "audit", "verify")


def test_reload_and_watchdog(machine):
    machine.run("systemctl", "reload", "sync-service")
    eventually(lambda: "settings reloaded" in machine.run("journalctl", "-u", "sync-service", "--no-pager"), "reloaded")
    shown = machine.run("systemctl", "show", "-P", "WatchdogUSec", "-P", "NRestarts", "sync-service").split()
    assert shown[0] == "1min"
    # One that hangs is started again.
    machine.write("/etc/systemd/system/sync-service.service.d/watchdog.conf", "[Service]\nWatchdogSec=2s\n")
    machine.sh("systemctl daemon-reload; systemctl restart sync-service")
    pid = machine.run("systemctl", "show", "-P", "MainPID", "sync-service").strip()
    machine.run("systemctl", "kill", "-s", "STOP", "--kill-whom=main", "sync-service")
    eventually(lambda: machine.run("systemctl", "show", "-P", "MainPID", "sync-service").strip() not in (pid, "0"), "another one serves")
    machine.sh("rm -r /etc/systemd/system/sync-service.service.d; systemctl daemon-reload; systemctl restart sync-service")


def test_cron_and_an_operator(machine):
    machine.script("echo by hand; exit 5")
    assert "by hand" in machine.run("sync-service", "run", "--reason", "nightly", code=5)
    run = runs(machine)[0]
    assert (run["trigger"], run["exit_code"], run["reason"], run["isolated"]) == ("cli", 5, "nightly", True)
    assert "root" in run["user"]


def test_the_timer(machine):
    """It starts the same run as cron does, with the checkpoint where the service writes its own."""
    # The operations page has enabled it by now, and given it another time.
    machine.sh("systemctl disable --now sync-service-run.timer; rm -r /etc/systemd/system/sync-service-run.timer.d; systemctl daemon-reload")
    machine.script("echo by timer")
    machine.write("/etc/systemd/system/sync-service-run.timer.d/soon.conf", "[Timer]\nOnCalendar=\nOnActiveSec=1s\nAccuracySec=1ms\n")
    number = runs(machine)[0]["id"]
    kept = machine.path("/var/backups/checkpoints/sync-service")
    before = kept.stat().st_size
    machine.sh("systemctl daemon-reload; systemctl enable --now sync-service-run.timer")
    eventually(lambda: runs(machine)[0]["id"] == number + 1, "the timer starts a run")
    run = last_run(machine)
    assert (run["trigger"], run["reason"], run["outcome"], run["isolated"]) == ("cli", "timer", "succeeded", True)
    assert "sync-service" in run["user"]
    eventually(lambda: state(machine, "sync-service-run") == "inactive", "the unit has ended")
    assert kept.stat().st_size > before, "its checkpoints are kept as well"
    machine.script("exit 5")
    machine.run("systemctl", "start", "sync-service-run", code=1)
    assert machine.run("systemctl", "show", "-P", "ExecMainStatus", "sync-service-run").strip() == "5"
    waiting = Waiting(machine)
    machine.run("systemctl", "start", "sync-service-run", code=1)
    assert machine.run("systemctl", "show", "-P", "ExecMainStatus", "sync-service-run").strip() == "2"
    waiting.end(0)
    # It stays enabled, so that the purge has to remove its link.
    machine.sh("rm -r /etc/systemd/system/sync-service-run.timer.d; systemctl daemon-reload; systemctl restart sync-service-run.timer")
    assert machine.run("systemctl", "is-enabled", "sync-service-run.timer").strip() == "enabled"


def test_a_shutdown_ends_a_run_on_record(machine):
    waiting = Waiting(machine)
    number = runs(machine)[0]["id"]
    machine.power_off()
    waiting.client.communicate()
    machine.boot()
    eventually(lambda: state(machine, "sync-service") == "active", "it starts by itself")
    run = last_run(machine)
    assert (run["id"], run["outcome"]) == (number, "interrupted")
    assert machine.run("stat", "-c", "%U", "/run/sync-runner/lock").strip() == "sync-runner"
    machine.run("sync-service", "audit", "verify")


def test_remove_keeps_the_record(machine):
    machine.run("apt-get", "remove", "-q", "-y", "sync-service")
    assert listening(machine) == [] and state(machine, "sync-runner.socket") != "active"
    for kept in ("/var/lib/sync-service/history.sqlite", "/etc/sync-service/jwt.secret", "/etc/sync-service/script.env"):
        assert machine.path(kept).exists()
    machine.install()
    eventually(lambda: state(machine, "sync-service") == "active", "the script is still named")
    assert len(runs(machine)) > 5
    machine.run("sync-service", "audit", "verify")


def test_purge(machine):
    machine.run("apt-get", "purge", "-q", "-y", "sync-service")
    elsewhere = " ".join(f"-not -path '{place}/*'" for place in ("/proc", "/root", "/var/backups", "/var/cache", "/var/lib/systemd"))
    left = machine.sh(f"find / -xdev \\( -name '*sync-service*' -o -name '*sync-runner*' -o -name sync-script \\) {elsewhere}")
    assert left == ""
