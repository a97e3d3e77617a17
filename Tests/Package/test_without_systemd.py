"""The package in a clean root where no systemd runs: systemd-socket-activate stands in for the socket's unit, and both
programs run as their users. For machines on which a test may not boot one."""

import json

import pytest

from machine import Machine, higher_version

pytestmark = [pytest.mark.root, pytest.mark.slow]


# One shell in one process namespace: all that it starts ends with it.
SESSION = r"""
as() { local user=$1; shift; exec setpriv --reuid "$user" --regid "$user" --init-groups --inh-caps=-all "$@"; }
begin_runner() {
    rm -f /run/sync-runner/runner.sock
    (set -a; . /etc/sync-service/script.env
     exec systemd-socket-activate --listen=/run/sync-runner/runner.sock --setenv=SYNC_RUNNER_CLIENT=sync-service \
         $(sed -n 's/^\(SYNC_[A-Z_]*\)=.*/--setenv=\1/p' /etc/sync-service/script.env) \
         setpriv --reuid sync-runner --regid sync-runner --init-groups --inh-caps=-all /usr/bin/sync-runner listen) >>/root/runner.log 2>&1 &
    runner=$!
    until [ -S /run/sync-runner/runner.sock ]; do sleep 0.05; done
    chgrp sync-service /run/sync-runner/runner.sock
    chmod 660 /run/sync-runner/runner.sock
}
begin_service() {
    (cd / && as sync-service /usr/bin/sync-service serve) >>/root/service.log 2>&1 &
    service=$!
    until curl -sf -o /dev/null http://127.0.0.1:8000/healthz; do kill -0 "$service"; sleep 0.05; done
}
ask() { curl -sS -X "$1" -H @- "http://127.0.0.1:8000$2" <<<"Authorization: Bearer $(sync-service token --user budi --role admin)"; }
set -euo pipefail
begin_runner
begin_service
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = Machine(tmp_path_factory.mktemp("m"))
    made.fetch_dependencies()
    made.install()
    made.name_script()
    return made


def session(machine, text):
    said = machine.sh(SESSION + text, code=None, offline=True)
    logs = "".join(log.read_text() for log in machine.path("/root").glob("*.log"))
    assert said.rstrip().endswith("reached the end"), said + logs
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def test_a_first_audited_run(machine):
    machine.script("id -un; if cat /etc/sync-service/jwt.secret /var/lib/sync-service/audit.key; then echo allowed; fi 2>/dev/null")
    answer, run = session(machine, """
        ask POST /sync/run; echo
        ask GET /admin/runs/1; echo
        sync-service history >/dev/null
        sync-service audit verify >/dev/null
        kill "$service" "$runner"; wait
        echo reached the end""")
    assert answer == {"status": "success", "message": "Sync script executed successfully", "output": "sync-runner\n"}
    assert run["isolated"] is True


def test_an_upgrade_in_mid_run(machine, tmp_path):
    machine.script('touch /var/lib/sync-script/arrived; read -r answer </opt/sync/barrier; exit "$answer"')
    later = machine.receive(higher_version(tmp_path))
    status, run = session(machine, f"""
        rm -f /opt/sync/barrier; mkfifo -m 666 /opt/sync/barrier
        ask POST /sync/run >/dev/null 2>&1 &
        until [ -e /var/lib/sync-script/arrived ]; do sleep 0.05; done
        number=$(ask GET '/admin/runs?limit=1' | sed 's/.*"id":\\([0-9]*\\).*/\\1/')
        apt-get install -q -y {later} >/dev/null 2>&1
        kill -KILL "$service"; kill "$runner"; wait "$service" "$runner" || true
        begin_runner; begin_service
        ask GET /sync/status; echo
        echo 9 >/opt/sync/barrier
        until ask GET "/admin/runs/$number" | grep -q '"outcome":"failed"'; do sleep 0.05; done
        ask GET "/admin/runs/$number"; echo
        sync-service audit verify >/dev/null
        kill "$service" "$runner"; wait || true
        echo reached the end""")
    assert (status["status"], run["exit_code"]) == ("running", 9)
