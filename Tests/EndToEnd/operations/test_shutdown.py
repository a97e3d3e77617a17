"""SIGTERM: the service leaves at once and the run goes on; the runner ends the script that it started."""

import os
import signal

import pytest

from support.assertions import all_recorded, is_unavailable
from support.http_client import Connection
from support.processes import alive, kill_service, named, naming
from support.runner_protocol import Runner
from support.service import ALREADY_RUNNING
from support.waiting import DEADLINE, eventually


def goes_on(answer):
    is_unavailable(answer, run="1")
    assert answer.json["message"] == "The service is shutting down; the run continues" and answer.json["output"] == ""


def tell(service):
    """TERM, without waiting; the process."""
    process, service.process = service.process, None
    process.send_signal(signal.SIGTERM)
    return process


def test_the_service_leaves_and_the_run_goes_on(service):
    barrier = service.waiting_script(before=f"{naming(service)}; echo before", after="echo after; exit 3")
    client = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    process = tell(service)
    goes_on(client.result())
    assert process.wait() == 0, "it left in peace, although the run goes on"
    assert alive(script) and alive(supervisor)
    assert service.command("run").returncode == ALREADY_RUNNING
    service.start()
    assert service.status() == "running"
    barrier.release()
    run = service.record(1)
    facts = {"outcome": "failed", "exit_code": 3, "finished_at_exact": True, "output": "before\nafter\n"}
    assert {name: run[name] for name in facts} == facts
    all_recorded(service)


def test_a_service_that_leaves_takes_no_new_run(service):
    """A request that is half sent when the service is told to stop keeps the connection; its end must start nothing."""
    barrier = service.waiting_script(before=f'echo run >> "{service.folder}/ran"')
    waiting = service.begin_run()
    barrier.reached()
    with Connection(service) as half:
        half.send(half.head("POST /sync/run HTTP/1.1", "Content-Length: 2"))
        # The answer on another connection shows that the service has read what came before it.
        assert service.status() == "running"
        process = tell(service)
        goes_on(waiting.result())
        half.send(b"{}")
        assert half.is_closed() or half.answer().code in (408, 503)
    assert process.wait() == 0
    barrier.release()
    service.start()
    service.record(1)
    assert service.times_run() == 1 and service.sql("SELECT count(*) FROM run_started") == [(1,)]
    all_recorded(service)


def test_a_client_that_waits_for_a_followed_run(service):
    """After a restart no client waits for the run, and the service leaves as quickly."""
    barrier = service.waiting_script()
    client = service.begin_run()
    barrier.reached()
    kill_service(service)
    client.abandon()
    service.start()
    assert tell(service).wait() == 0
    barrier.release()
    service.start()
    assert service.record(1)["outcome"] == "succeeded"
    all_recorded(service)


def test_shutdown_with_nothing_to_do(service):
    service.script("exit 0")
    assert service.run().code == 200
    assert tell(service).wait() == 0
    service.start()
    assert service.run().header("Sync-Run-Id") == "2"


# TERM for the supervisor: what the script does with its own TERM, and the answer's output
TERMED = {
    "ends": ("echo termed; exit 7", "termed\n"),
    "ignores it": ("", ""),
    "goes on": ("echo termed", "termed\n"),
}


@pytest.mark.parametrize("manner", TERMED)
def test_a_supervisor_that_is_told_to_stop(service, manner):
    handler, output = TERMED[manner]
    # A shell runs its trap between commands; `read` is one of its own and ends at once.
    service.script(f"trap '{handler}' TERM\nmkfifo own; exec 5<>own\n{naming(service)}\nwhile :; do read -r -u 5; done")
    client = service.begin_run()
    eventually((service.folder / "who").exists, "the script runs")
    script, supervisor = named(service)
    os.kill(supervisor, signal.SIGTERM)
    answer = client.result()
    assert (answer.code, answer.json["message"]) == (500, "Failed to execute sync script: interrupted")
    assert answer.json["output"] == output
    assert not alive(script) and service.status() == "idle"
    run = service.record(1)
    assert (run["outcome"], run["finished_at_exact"]) == ("interrupted", True), "the reason is in the record"
    assert (run["exit_code"], run["signal"]) == ((7, None) if manner == "ends" else (None, 9))
    all_recorded(service)


def test_service_and_supervisor_told_to_stop_together(service):
    """As a machine that goes down tells them; the next start finds a result."""
    barrier = service.waiting_script(before=f"{naming(service)}; echo before; trap 'exit 7' TERM")
    client = service.begin_run()
    barrier.reached()
    script, supervisor = named(service)
    process = tell(service)
    os.kill(supervisor, signal.SIGTERM)
    assert process.wait() == 0
    # Whichever came first: the run's end, or the leaving service's word that it goes on.
    assert client.result().code in (500, 503)
    eventually(lambda: not alive(script) and not alive(supervisor), "both are gone")
    service.start()
    run = service.admin("/admin/runs/1").json
    assert (run["outcome"], run["finished_at_exact"], run["output"]) == ("interrupted", True, "before\n")
    all_recorded(service)


def test_a_supervisor_that_is_told_to_stop_before_anything_started(service):
    """Between `ready` and `go`: nothing is executed."""
    service.counting_script()
    run_directory = service.state / "run"
    with Runner() as runner:
        kind, _ = runner.ask(
            "run", script=service.script_path, lock_path=service.lock_path, run_directory=run_directory,
            timeout_seconds=60, grace_seconds=1, output_limit=1000)
        assert kind == "ready"
        assert service.run().code == 409, "the run lock is held"
        os.kill(runner.process.pid, signal.SIGTERM)
        runner.process.wait()
    assert service.times_run() == 0
    assert sorted(path.name for path in run_directory.iterdir()) == ["run.lock"]
    assert service.run().header("Sync-Run-Id") == "1"


@pytest.mark.parametrize("fitness", ["ready", "unfit"])
def test_a_supervisor_that_waits_for_the_service_leaves_on_term(service, fitness):
    """It holds the run lock while the service records the start, or the failed start. Told to stop, it lets go."""
    service.script("exit 0", mode=0o755 if fitness == "ready" else 0o644)
    with Runner() as runner:
        kind, _ = runner.ask(
            "run", script=service.script_path, lock_path=service.lock_path, run_directory=service.state / "run",
            timeout_seconds=60, grace_seconds=1, output_limit=1000)
        assert kind == fitness
        assert service.status() == "running"
        runner.process.terminate()
        runner.process.wait(DEADLINE)
    assert service.status() == "idle"
