"""kill -9 of service, supervisor or both at each step of a run, and what must hold afterwards.

A trace of one run finds the steps: each system call that changes something or sends a message. In each round strace holds the
process before one of them, so that the kill comes exactly there.

SOAK_ROUNDS sets the number of rounds. Without it there are as many as are needed to meet each kill at each step once.
"""

import os
import random
import re
import signal
from collections import Counter
from contextlib import ExitStack

import pytest

from support.assertions import all_recorded, trail_is_intact
from support.processes import alive, kill_service
from support.service import admin, spool
from support.strace import TracedService, run_threads, strace, tracer_of
from support.waiting import eventually

pytestmark = pytest.mark.root

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "0"))
SEED = int(os.environ.get("SOAK_SEED", "4"))

# What a process does that others can see: files, locks, messages, processes. pwrite64 (each page, each piece of output)
# is left out here and has its turn when there are more rounds than steps.
STEPS = {
    "service": ("clone3", "write", "fdatasync", "unlink"),
    "runner": ("flock", "ftruncate", "fallocate", "write", "rename", "unlink", "bind", "listen", "clone3", "wait4", "fsync"),
}
MORE = {"service": ("pwrite64",), "runner": ("pwrite64", "openat", "close")}
VICTIMS = ("service", "supervisor", "both")
HOLD = 300 * 1_000_000  # microseconds: longer than any round; a round ends by kill or by taking strace off

SCRIPT = '''
exec 9>"{folder}/witness.lock"
flock -n 9 || echo "overlap $SYNC_RUN_ID" >> "{folder}/witness"
echo "start $SYNC_RUN_ID" >> "{folder}/witness"
echo "of run $SYNC_RUN_ID"
echo "end $SYNC_RUN_ID" >> "{folder}/witness"
exit 7
'''


class Stepped(TracedService):
    """Runs in which one process is held in front of one of its system calls."""

    def start(self, *prefix, environment=None):
        super().start(*prefix, environment=environment)
        # The runner that is kept for questions; one with another number supervises a run.
        self.inquirer = self.latest_runner()
        return self

    def supervisor(self):
        latest = self.latest_runner()
        return latest if latest != self.inquirer and alive(latest) else None

    def learn(self):
        """The steps of one undisturbed run as (process, call, occurrence): those of STEPS, those of MORE."""
        runner_trace, service_trace = self.folder / "runner.trace", self.folder / "service.trace"
        self.arm("-o", str(runner_trace), "-e", "trace=" + ",".join(STEPS["runner"] + MORE["runner"]))
        with strace(run_threads(self.process.pid), "-e", "trace=" + ",".join(STEPS["service"] + MORE["service"]),
                    output=service_trace):
            assert self.run().code == 500
        text = service_trace.read_text()
        thread = re.search(r"^(\d+)\s+clone3\(", text, re.MULTILINE).group(1)
        steps, more = [], []
        for process, names in (("service", calls(text, thread)), ("runner", calls(runner_trace.read_text()))):
            # What the loader does before the run lock is asked for is counted, and is no step.
            begins = names.index("flock") if process == "runner" else 0
            seen = Counter()
            for place, name in enumerate(names):
                seen[name] += 1
                if place >= begins:
                    (steps if name in STEPS[process] else more).append((process, name, seen[name]))
        return steps, more

    def hold(self, process, call, occurrence):
        """Begins a run whose `process` stops in front of that call: the client, the supervisor where there is one, and
        what lets the process go again; instead of that nothing, where the run was over without such a call."""
        trace = self.folder / "held.trace"
        trace.unlink(missing_ok=True)
        inject = ("-e", f"trace={call}", "-e", f"inject={call}:delay_enter={HOLD}:when={occurrence}")
        with ExitStack() as release:
            if process == "runner":
                self.arm("-o", str(trace), *inject)
            else:
                tracer = release.enter_context(strace(run_threads(self.process.pid), *inject, output=trace))
                # On TERM it would first wait for the end of the delay, were the process it holds killed.
                release.callback(tracer.kill)
            client = self.begin_run()

            def stands():
                # A thread's lines begin with its number; each thread counts for itself.
                lines = trace.read_text().splitlines() if trace.exists() else []
                seen = Counter(line.split(call + "(")[0] for line in lines if call + "(" in line)
                return client.is_answered or max(seen.values(), default=0) >= occurrence

            eventually(stands, f"the {process} stands in front of {call} {occurrence}")
            supervisor = self.supervisor()
            if client.is_answered:
                return client, supervisor, None
            if process == "runner":
                # Without its tracer the process simply goes on.
                release.callback(end, tracer_of(supervisor))
            return client, supervisor, release.pop_all()


def end(pid):
    """KILL, unless it has ended by itself meanwhile. The tracer of a process without one is 0, which would be us."""
    try:
        if pid:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def calls(text, thread=None):
    """The names of the system calls in a trace, in their order; those of one thread where the lines name threads."""
    prefix = rf"{thread}\s+" if thread else ""
    return re.findall(rf"^{prefix}(\w+)\(", text, re.MULTILINE)


def plan(steps, more):
    """Rounds without end: each step with one victim, then with the next. What `more` holds comes after all of these."""
    dice = random.Random(SEED)
    while True:
        for some in (steps, more):
            order = [(index, *step) for index, step in enumerate(some)]
            for turn in range(len(VICTIMS)):
                dice.shuffle(order)
                for index, *step in order:
                    yield *step, VICTIMS[(index + turn) % len(VICTIMS)]


class Witness:
    """What the script itself wrote down, as far as it was not read before."""

    def __init__(self, service):
        self.path, self.read = service.folder / "witness", 0

    def news(self):
        """The runs that began, and those that came to their end, since the last call."""
        text = self.path.read_text()[self.read:] if self.path.exists() else ""
        self.read += len(text)
        lines = [line.split() for line in text.splitlines()]
        assert all(word != "overlap" for word, _ in lines), lines
        return [int(run) for word, run in lines if word == "start"], [int(run) for word, run in lines if word == "end"]


def round_of(service, witness, process, call, occurrence, victim):
    """One run with one death; what it came to."""
    last = service.sql("SELECT coalesce(max(id), 0) FROM run_started")[0][0]
    client, supervisor, release = service.hold(process, call, occurrence)
    # How often pages are written and files opened varies from run to run; the steps themselves do not.
    assert release or call in MORE[process], f"not held: {client.result()}"
    victims = [pid for pid in (
        supervisor if victim != "service" else None,
        service.process.pid if victim != "supervisor" or not supervisor else None,
    ) if pid and release]
    serves, held = service.process.pid not in victims, supervisor if process == "runner" else service.process.pid
    with release or ExitStack():
        for pid in victims:
            # At once: the second must not see the first one's death and act on it.
            end(pid)
        if held in victims:
            # strace would keep even a killed process from going.
            release.close()
        eventually(lambda: not any(alive(pid) for pid in victims), "the victims are gone")
        if not serves:
            # A supervisor that is held still stands there, and that is what the new service finds.
            service.process.wait()
            client.abandon()
            service.start()
    answer = client.result() if serves else None
    eventually(lambda: service.status() == "idle", "nothing runs any more")
    all_recorded(service)
    began, ended = witness.news()
    runs = service.sql("SELECT id, outcome, exit_code, finished_at_exact FROM runs WHERE id > ?", last)
    supervised = supervisor not in victims
    assert len(runs) <= 1, "one request, at most one run"
    assert began in ([], [last + 1]) and set(ended) <= set(began), "executed at most once"
    assert runs or not began, "nothing is executed without a row"
    for run, outcome, code, exact in runs:
        if began and supervised:
            assert (outcome, code, exact) == ("failed", 7, 1) and ended, "the supervisor lived: all is known"
        else:
            assert (outcome, code, exact) in (("failed", 7, 1), ("interrupted", None, 0))
            assert ended or outcome == "interrupted"
    if answer is not None:
        assert answer.code in (500, 503)
        assert answer.code == 500 or not began, "an answer that nothing was started is true"
        assert answer.code == 503 or answer.header("Sync-Run-Id") == str(last + 1)
    return "missed" if not release else "not begun" if not runs else "no script" if not began else runs[0][1]


@pytest.fixture
def stepped(tmp_path_factory):
    service = Stepped(tmp_path_factory.mktemp("s"))
    yield service
    service.remove()


@pytest.mark.slow
def test_deaths_at_every_step(stepped):
    stepped.script(SCRIPT.format(folder=stepped.folder))
    stepped.start()
    assert stepped.run().code == 500
    steps, more = stepped.learn()
    assert {name for _, name, _ in steps} >= {"flock", "fdatasync", "rename", "fsync", "clone3", "write", "unlink"}
    witness = Witness(stepped)
    assert witness.news() == ([1, 2], [1, 2])
    rounds = ROUNDS or len(VICTIMS) * len(steps)
    came_to = Counter()
    for number, step in zip(range(rounds), plan(steps, more)):
        try:
            came_to[round_of(stepped, witness, *step)] += 1
        except AssertionError as failure:
            raise AssertionError(f"round {number}, {' '.join(map(str, step))}: {failure}") from failure
    print(f"{len(steps)} steps and {len(more)} more, {rounds} rounds, seed {SEED}: {dict(came_to)}")
    # A run that is left alone is none the worse for all of that.
    assert stepped.run().json["message"] == "Failed to execute sync script: exited with code 7"
    all_recorded(stepped)
    trail_is_intact(stepped)


# The steps of settling one run: the rows of a commit, then the spool. Beyond the last of them the service simply starts.
SETTLING = [("fdatasync", number) for number in range(1, 9)] + [("unlink", number) for number in range(1, 7)]


@pytest.mark.parametrize("call, occurrence", SETTLING)
def test_a_death_while_settling(installed, call, occurrence):
    """A start that is killed half way leaves the next one what it needs, and nothing is recorded twice."""
    installed.start()
    barrier = installed.waiting_script(after="echo done; exit 7")
    client = installed.begin_run()
    barrier.reached()
    kill_service(installed)
    client.abandon()
    barrier.release()
    eventually(spool(installed, 1, "result").exists, "the result is stored")
    installed.launch("strace", "-D", "-f", "-o", "/dev/null", "-e", f"trace={call}",
                     "-e", f"inject={call}:signal=SIGKILL:when={occurrence}")
    # Killed at that call, or past it and listening.
    eventually(lambda: installed.process.poll() is not None or listens(installed), "killed or listening")
    kill_service(installed)
    installed.start()
    run = installed.admin("/admin/runs/1").json
    assert (run["outcome"], run["exit_code"], run["output"], run["finished_at_exact"]) == ("failed", 7, "done\n", True)
    all_recorded(installed)


def listens(service):
    try:
        return service.request("GET", "/healthz", token=None).code == 200
    except ConnectionError:
        return False


def during_a_run(stepped, number):
    """A run whose script waits, and a kept runner for questions that gets a signal: the barrier, the client, the supervisor."""
    stepped.start()
    barrier = stepped.waiting_script()
    client = stepped.begin_run()
    barrier.reached()
    supervisor = stepped.supervisor()
    os.kill(stepped.inquirer, number)
    return barrier, client, supervisor


def test_the_runner_that_is_kept_for_questions_is_killed(stepped):
    """It is not the run's: questions find another one, and the run does not notice."""
    barrier, client, supervisor = during_a_run(stepped, signal.SIGKILL)
    assert admin(stepped, "GET", "/admin/lock").json["lease_held"] is True
    assert stepped.latest_runner() not in (stepped.inquirer, supervisor)
    barrier.release()
    assert client.result().code == 200 and stepped.status() == "idle"
    all_recorded(stepped)


def test_the_runner_that_is_kept_for_questions_is_stopped(stepped):
    """It looks like one whose disk hangs: no other is started beside it, and the run does not notice."""
    barrier, client, supervisor = during_a_run(stepped, signal.SIGSTOP)
    assert admin(stepped, "GET", "/admin/lock").code == 503
    assert stepped.status() == "running", "the run lock is looked at without a runner"
    barrier.release()
    assert client.result().code == 200
    assert stepped.latest_runner() in (stepped.inquirer, supervisor)
    os.kill(stepped.inquirer, signal.SIGCONT)
    eventually(lambda: stepped.request("GET", "/sync/status").code == 200, "the late answer is taken")
    assert stepped.status() == "idle"
    all_recorded(stepped)
