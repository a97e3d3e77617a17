"""Unbounded output grows neither program, and count and digest cover the whole stream. `pytest -s` prints the measured
memory (the kernel's high-water mark)."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from support.assertions import all_recorded
from support.processes import kill_service, named, naming
from support.waiting import Barrier, eventually

LIMIT = 16 << 10  # kibibytes of growth, for each program
KEPT = 1 << 20  # SYNC_OUTPUT_LIMIT_BYTES' default

# One write(2) a line, which is what costs: more than a hundred thousand of them a second on any machine.
LINES = "stdbuf -oL seq -f 'line %.0f of a flood of lines' 1000000"

FLOODS = {
    "a gibibyte": "head -c 1G /dev/zero | tr '\\0' x",
    "a million lines": LINES,
    "a line of 100 MB": "head -c 100M /dev/zero | tr '\\0' y; echo",
    "noise": "head -c 64M /dev/urandom | tee {folder}/noise",
}


def peak(pid):
    """The most memory the process ever had resident, in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


def measured(command, folder):
    """What `wc -c`, `sha256sum`, `head` and `tail` make of the stream, in one pass."""
    half, first, last = KEPT // 2, folder / "first", folder / "last"
    done = subprocess.run(
        ["bash", "-c", f"{{ {command}; }} | tee >(wc -c >&2) >(head -c {half} >{first}; cat >/dev/null) "
         f">(tail -c {half} >{last}) | sha256sum"], capture_output=True, text=True, check=True)
    # All of them hold standard error, so that they have ended when it has.
    return int(done.stderr), done.stdout.split()[0], first.read_bytes(), last.read_bytes()


def barrier(service, name):
    (service.folder / name).mkdir()
    return Barrier(service.folder / name)


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_output_is_counted_and_cut(service, kind):
    command = FLOODS[kind].format(folder=service.folder)
    service.script("head -c 2M /dev/zero | tr '\\0' w")
    assert service.run().code == 200, "a first run, so that what is measured is not the first use of everything"
    before, after = barrier(service, "before"), barrier(service, "after")
    service.script(f"{naming(service)}\n{before.wait}\n{command}\n{after.wait}")
    client = service.begin_run()
    before.reached()
    script, supervisor = named(service)
    peaks = {"service": (service.process.pid, peak(service.process.pid)), "runner": (supervisor, peak(supervisor))}
    before.release()
    eventually(after.arrived.exists, "the flood is over", seconds=300)
    growth = {"runner": peak(supervisor) - peaks["runner"][1]}
    after.release()
    answer = client.result()
    growth["service"] = peak(service.process.pid) - peaks["service"][1]
    assert answer.code == 200
    if kind == "noise":
        command = f"cat {service.folder}/noise"
    count, digest, first, last = measured(command, service.folder)
    run = service.admin("/admin/runs?limit=1").json["runs"][0]
    assert (run["output_bytes"], run["output_sha256"], run["output_truncated"]) == (count, digest, True)
    assert run["outcome"] == "succeeded"
    # What is kept are the two ends, and a line that says how much is missing between them.
    kept = service.admin("/admin/runs/2/output").body
    note = b"\n[... %d bytes left out ...]\n" % (count - KEPT)
    assert kept == first + note + last
    assert service.sql("SELECT length(bytes) FROM run_output WHERE id = 2") == [(KEPT + len(note),)]
    print(f"{kind}: {count} bytes in {run['duration_ms']} ms, growth in KiB {growth}", file=sys.stderr)
    assert all(grown < LIMIT for grown in growth.values()), growth
    all_recorded(service)


def test_a_flood_from_many_processes_is_counted(service):
    """Eight processes write into one pipe. Nothing is lost, in any order."""
    service.script("for i in 1 2 3 4 5 6 7 8; do head -c 8M /dev/zero | tr '\\0' $i & done; wait")
    answer, run = service.run_recorded()
    assert (answer.code, run["output_bytes"], run["output_truncated"]) == (200, 64 << 20, True)


def test_a_flood_is_counted_without_the_service(service):
    """The service is killed at its start; the supervisor alone counts and digests."""
    first = barrier(service, "first")
    service.script(f"{first.wait}\nhead -c 256M /dev/zero | tr '\\0' z")
    client = service.begin_run()
    first.reached()
    kill_service(service)
    client.abandon()
    first.release()
    service.start()
    eventually(lambda: service.status() == "idle", "the flood is over", seconds=120)
    run = service.record(1)
    digest = hashlib.sha256()
    for _ in range(256):
        digest.update(b"z" * (1 << 20))
    assert (run["outcome"], run["output_bytes"], run["output_sha256"]) == ("succeeded", 256 << 20, digest.hexdigest())


def test_an_output_within_the_limit_is_kept_whole(service):
    """At the limit to the byte, and one more."""
    for size, truncated in ((KEPT, False), (KEPT + 1, True)):
        service.script(f"head -c {size} /dev/zero | tr '\\0' q")
        run = service.run_recorded()[1]
        assert (run["output_bytes"], run["output_truncated"]) == (size, truncated)
        assert run["output_sha256"] == hashlib.sha256(b"q" * size).hexdigest()
