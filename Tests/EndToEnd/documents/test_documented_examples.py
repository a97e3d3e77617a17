"""The documentation's own scripts and its front-end code, run as they stand: only paths, port and token are put in.

The files in documented/ are copies of the API documentation's code blocks; they are never edited to suit a test.
"""

import re
import subprocess
from pathlib import Path

import pytest

DOCUMENTED = Path(__file__).with_name("documented")
STAMPED = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "


PATHS = {"/tmp/sync_fkk_db.lock": "lock_path", "/var/log/sync_fkk_db.log": "log_path"}


def install(service, name):
    text = (DOCUMENTED / name).read_text()
    for documented, ours in PATHS.items():
        assert documented in text
        text = text.replace(documented, str(getattr(service, ours)))
    service.script_path.write_text(text)
    service.script_path.chmod(0o755)


def stamped(lines):
    return re.compile("".join(f"{STAMPED}{re.escape(line)}\n" for line in lines))


EXAMPLE_LOG = [
    "=== Starting database sync ===",
    "Dumping source database...",
    "Importing to target database...",
    "=== Sync completed successfully ===",
    "Cleanup completed",
]


def test_lock_file_mechanism(service):
    install(service, "lock_file_mechanism.sh")
    answer, record = service.run_recorded()
    assert (answer.code, answer.json["output"], record["outcome"]) == (200, "", "succeeded")
    assert not service.lock_path.exists()

    service.lock_path.touch()
    answer, record = service.run_recorded()
    assert (answer.code, answer.json["status"]) == (409, "running")
    assert (record["outcome"], record["exit_code"]) == ("already_running", 2)
    assert record["output"] == "Sync is already running\n"
    assert service.status() == "running"
    service.lock_path.unlink()
    assert service.status() == "idle"


def test_example_script(service):
    install(service, "example_script.sh")
    answer, record = service.run_recorded()
    assert (answer.code, record["outcome"]) == (200, "succeeded")
    assert stamped(EXAMPLE_LOG).fullmatch(answer.json["output"])
    assert not service.lock_path.exists()
    log = service.request("GET", "/sync/log").json
    assert log == {"status": "success", "log": answer.json["output"].removesuffix("\n")}

    service.lock_path.touch()
    answer, record = service.run_recorded()
    assert (answer.code, record["outcome"]) == (409, "already_running")
    assert stamped(["ERROR: Sync is already running"]).fullmatch(record["output"])


@pytest.fixture
def front_end(service):
    """Starts node with the documented example. Its five seconds between polls become fifty milliseconds."""
    started = []

    def start():
        text = (DOCUMENTED / "usage_example.js").read_text()
        assert text.count("http://localhost:8000") == 3
        given = f"const token = '{service.token()}';\n" \
                "const setTimeout = (f, ms) => globalThis.setTimeout(f, ms / 100);\n"
        file = service.folder / "usage_example.js"
        file.write_text(given + text.replace("http://localhost:8000", f"http://localhost:{service.port}"))
        started.append(subprocess.Popen(["node", file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_usage_example_runs_the_sync(service, front_end):
    service.script("echo done")
    output, _ = front_end().communicate(timeout=60)
    assert "status: 'success'" in output
    assert "message: 'Sync script executed successfully'" in output
    assert r"output: 'done\n'" in output


def test_usage_example_waits_for_a_running_sync_and_shows_its_log(service, front_end):
    service.log_path.write_text("not finished\n")
    barrier = service.waiting_script(after=f'echo "finished: all rows" > "{service.log_path}"')
    run = service.begin_run()
    barrier.reached()
    process = front_end()
    told = ""
    while "}" not in told:
        line = process.stdout.readline()
        assert line, f"node ended early: {told}"
        told += line
    assert "status: 'running'" in told
    barrier.release()
    output, _ = process.communicate(timeout=60)
    assert output == "finished: all rows\n"
    assert run.result().code == 200
