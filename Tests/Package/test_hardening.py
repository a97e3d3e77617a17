"""security/HARDENING.md on a machine with the package: every line holds, and each line notices what it is there for."""

import re

import pytest

from machine import ROOT, Machine, eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

CLAIMS = re.findall(r"^- (.+)\n  `.+`$", (ROOT / "security/HARDENING.md").read_text(), re.M)
CHECK = "/usr/share/sync-service/hardening-check"


def drop_in(unit, line):
    folder = f"/run/systemd/system/{unit}.service.d"
    return (f"mkdir -p {folder}; printf '[Service]\\n{line}\\n' >{folder}/zz.conf; systemctl daemon-reload",
            f"rm {folder}/zz.conf; systemctl daemon-reload")


SETTINGS = "/etc/sync-service/service.env"
OPEN = (f"cp -p {SETTINGS} /root/kept; sed -i s/^HOST=.*/HOST=0.0.0.0/ {SETTINGS}; echo ALLOW_PLAINTEXT=true >>{SETTINGS}; "
        "systemctl restart sync-service")
CLOSED = f"cp -p /root/kept {SETTINGS}; systemctl restart sync-service"
RECORD = "/var/lib/sync-service/history.sqlite"

# The beginning of each line of the checklist: what breaks it, and what mends that again.
BREAKAGES = {
    "The service and the script run as": drop_in("sync-runner", "User=root"),
    "Neither user can log in": ("usermod -s /bin/bash sync-runner", "usermod -s /usr/sbin/nologin sync-runner"),
    "The script's user cannot change": ("chown sync-runner /opt/sync/sync.sh", "chown root /opt/sync/sync.sh"),
    "Only the service's user reaches": ("chmod 666 /run/sync-runner/runner.sock", "chmod 660 /run/sync-runner/runner.sock"),
    "The script cannot replace the runner's": ("chown sync-runner /run/sync-runner", "chown root /run/sync-runner"),
    "Only root can change settings": ("chmod 644 /etc/sync-service/jwt.secret", "chmod 640 /etc/sync-service/jwt.secret"),
    "Only the service can access": ("chmod 750 /var/lib/sync-service", "chmod 700 /var/lib/sync-service"),
    "The history is intact": (
        f"systemctl stop sync-service; cp -p {RECORD} /root/kept; sed -i s/budi/bodi/g {RECORD}",
        f"cp -p /root/kept {RECORD}; systemctl start sync-service"),
    "Checkpoints are kept": ("mv /srv/checkpoints/kept /srv/checkpoints/away", "mv /srv/checkpoints/away /srv/checkpoints/kept"),
    "No process can read the memory": ("systemctl stop sync-runner", "systemctl start sync-runner"),
    "Neither program leaves core files": drop_in("sync-service", "LimitCORE=infinity"),
    "Without TLS the service listens": (OPEN, CLOSED),
    "Plain HTTP is not allowed": (OPEN, CLOSED),
    "The sandbox, drop-ins included": drop_in("sync-runner", "ProtectSystem=no\\nNoNewPrivileges=no\\nPrivateDevices=no\\nProtectHome=no"),
    "A restart or an upgrade": drop_in("sync-runner", "KillMode=control-group"),
    "The programs and units are": (
        "cp -p /lib/systemd/system/sync-runner.socket /root/kept; echo >>/lib/systemd/system/sync-runner.socket",
        "cp -p /root/kept /lib/systemd/system/sync-runner.socket; systemctl daemon-reload"),
    "The TLS and database libraries": (
        "cp /lib/*/libsqlite3.so.0 /usr/local/lib; ldconfig", "rm /usr/local/lib/libsqlite3.so.0; ldconfig"),
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("m"))
    made.fetch_dependencies()
    try:
        made.boot()
        made.install()
        made.script("echo hello")
        made.name_script()
        # The one line that an operator has to fulfil: where checkpoints are kept.
        made.sh(f"install -d -o sync-service /srv/checkpoints; echo AUDIT_CHECKPOINT_FILE=/srv/checkpoints/kept >>{SETTINGS}")
        made.write("/etc/systemd/system/sync-service.service.d/checkpoints.conf", "[Service]\nReadWritePaths=/srv/checkpoints\n")
        made.sh("systemctl daemon-reload; systemctl start sync-service")
        made.ask("POST", "/sync/run")
        yield made
    finally:
        made.power_off()


def test_every_line_holds(machine):
    said = machine.run(CHECK)
    assert said.splitlines()[-1] == f"{len(CLAIMS)} checked, 0 do not hold."
    assert [line for line in said.splitlines() if not line.startswith("ok ")] == said.splitlines()[-1:]


def test_every_line_has_a_breakage():
    assert [next(begin for begin in BREAKAGES if claim.startswith(begin)) for claim in CLAIMS] == list(BREAKAGES)


@pytest.mark.parametrize("line", BREAKAGES)
def test_a_line_that_does_not_hold_is_named(machine, line):
    breaks, mends = BREAKAGES[line]
    machine.sh(breaks)
    said = machine.run(CHECK, code=1)
    machine.sh(mends)
    assert any(found.startswith(f"DOES NOT HOLD  {line}") for found in said.splitlines()), said


def test_what_was_broken_is_mended_again(machine):
    eventually(lambda: " 0 do not hold" in machine.run(CHECK, code=None), "all lines hold again")


def test_a_page_without_a_checklist_does_not_pass(machine):
    machine.write("/root/empty.md", "# Nothing\n")
    machine.run(CHECK, "/root/empty.md", code=64)
    machine.run(CHECK, "/root/nowhere.md", code=64)
