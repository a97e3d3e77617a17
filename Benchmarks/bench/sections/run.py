"""A run whose script does nothing, beside what it costs at least: the script itself and the syncs of the disk."""

import os

from support.strace import strace

from client import expect, one_after_the_other, repeated
from comparison import Comparison
from ours import Ours, modes
from peers import FastAPI, Gin, Webhook

SYNC_CALLS = ("fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync")
COUNTED_RUNS = 10
EXEC = "bare exec of the script"


def run(bench):
    comparison = Comparison("run", "POST /sync/run of a script that does nothing, one after the other", "ms")
    servers = bench.servers((*modes(), Gin, FastAPI, Webhook))
    script = servers[0].script_path
    counts = {server.name: syncs_of_a_run(server) for server in servers if isinstance(server, Ours)}
    with (bench.new_folder("syncs") / "file").open("wb", buffering=0) as file:
        for server in bench.in_turns(servers):
            if server is servers[0]:
                comparison.add(EXEC, repeated(lambda: execute(script), bench.seconds))
                for count in sorted(set(counts.values())):
                    comparison.add(syncs(count), repeated(lambda: write_and_sync(file, count), bench.seconds))
            with server.running():
                comparison.add(server.name, one_after_the_other(server, "POST", "/sync/run", bench.seconds))
    for name, count in counts.items():
        floor = comparison.median(EXEC) + comparison.median(syncs(count))
        comparison.notes.append(
            f"{name}: {count} syncs a run; exec and {count} syncs take {floor:.2f} ms, the run {comparison.median(name) - floor:.2f} ms more")
        comparison.figures[f"{name}, above exec and syncs"] = comparison.median(name) - floor
        comparison.figures[f"{name}, syncs"] = count
    yield comparison


def syncs(count):
    return f"{count} fdatasyncs"


def syncs_of_a_run(server):
    """Counts the calls of service, runner and supervisor that sync, and divides by the runs. A run may sync after its answer,
    so a part of the last one's may be missing.
    """
    record = server.folder / "syncs"
    with server.running():
        expect(server, 200, "POST", "/sync/run")
        with strace(server.pids(), "-f", "-e", f"trace={','.join(SYNC_CALLS)}", output=record):
            for _ in range(COUNTED_RUNS):
                expect(server, 200, "POST", "/sync/run")
    return round(sum(any(f" {call}(" in line for call in SYNC_CALLS) for line in record.read_text().splitlines()) / COUNTED_RUNS)


def execute(script):
    """The shell runs the script, and nothing else happens."""
    process = os.posix_spawn(script, [script], os.environ)
    if os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) != 0:
        raise RuntimeError(f"{script} failed")


def write_and_sync(file, count):
    for _ in range(count):
        file.write(bytes(512))
        os.fdatasync(file.fileno())
