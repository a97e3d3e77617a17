"""GET /sync/log for every kind of file that may be at that path."""

import errno
import json
import os
import re
import threading

import pytest

from support.service import WITHOUT_OVERRIDE

ERROR = '{"status":"error","message":"Error reading log file"}'
MEBIBYTE = 1 << 20
# The documented length of the log, LogTail.maximumLines in Sources/RunProtocol.
LINES = 100


def log(service):
    return service.request("GET", "/sync/log")


def lines(first, last):
    return "\n".join(f"line {number}" for number in range(first, last + 1))


# case: the file's bytes, the log
READABLE = {
    "empty": (b"", ""),
    "one newline": (b"\n", ""),
    "one line": (b"one\n", "one"),
    "no final newline": (b"one\ntwo", "one\ntwo"),
    "empty lines": (b"one\n\n\ntwo\n\n", "one\n\n\ntwo\n"),
    "carriage returns": (b"one\r\ntwo\r\n", "one\r\ntwo\r"),
    "not UTF-8": (b"a\xffb\xc3\n\xe2\x82", "a\ufffdb\ufffd\n\ufffd"),
    "a NUL": (b"a\0b\n", "a\0b"),
    "the most lines": (lines(1, LINES).encode() + b"\n", lines(1, LINES)),
    "one line more": (lines(0, LINES).encode() + b"\n", lines(1, LINES)),
    "5000 lines, no final newline": (lines(1, 5000).encode(), lines(5001 - LINES, 5000)),
    "one line of 1 MiB": (b"x" * MEBIBYTE, "x" * MEBIBYTE),
    "one line longer than 1 MiB": (b"y" * 1000 + b"x" * MEBIBYTE, "x" * MEBIBYTE),
}


@pytest.mark.parametrize("case", READABLE)
def test_a_readable_log_is_answered_as_text(shared, case):
    content, expected = READABLE[case]
    shared.log_path.write_bytes(content)
    answer = log(shared)
    assert answer.code == 200 and answer.header("Content-Type") == "application/json"
    assert answer.json == {"status": "success", "log": expected}


def missing(service):
    pass


def folder(service):
    service.log_path.mkdir()


def fifo(service):
    os.mkfifo(service.log_path)


def device(service):
    service.log_path.symlink_to("/dev/zero")


def link_to(path):
    return lambda service: service.log_path.symlink_to(path(service))


def hard_link_to(path):
    return lambda service: os.link(path(service), service.log_path)


def outside(service):
    (service.folder / "elsewhere").mkdir()
    (service.folder / "elsewhere" / "x.log").write_text("another folder\n")
    return service.folder / "elsewhere" / "x.log"


def loop(service):
    service.log_path.symlink_to(service.log_path)


# case: arrangement of a log that must not be shown
UNREADABLE = {
    "missing": missing,
    "a directory": folder,
    "a FIFO without writer": fifo,
    "a device": device,
    "a dangling link": link_to(lambda s: s.folder / "nothing"),
    "a link to itself": loop,
    "a link into the state directory": link_to(lambda s: s.database),
    "a link to the secret": link_to(lambda s: s.secret_path),
    "a link to the settings": link_to(lambda s: s.folder / ".env"),
    "a link to another folder": link_to(outside),
    "a link to /etc/passwd": link_to(lambda s: "/etc/passwd"),
    "a hard link to the secret": hard_link_to(lambda s: s.secret_path),
    "a hard link to the settings": hard_link_to(lambda s: s.folder / ".env"),
    "a hard link to the database": hard_link_to(lambda s: s.database),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_an_unreadable_log_is_answered_with_500(service, case):
    UNREADABLE[case](service)
    log(service).is_json(500, ERROR)
    assert service.status() == "idle", "and the service goes on"


def test_a_log_without_read_permission_is_answered_with_500(installed):
    """Root can read every file, so a service of root starts without that privilege."""
    installed.start(*WITHOUT_OVERRIDE)
    installed.log_path.write_text("secret\n")
    installed.log_path.chmod(0o000)
    log(installed).is_json(500, ERROR)
    installed.log_path.chmod(0o644)
    assert log(installed).json["log"] == "secret"


def test_a_link_to_the_newest_file_in_the_same_folder(service):
    (service.folder / "sync-1.log").write_text("first\n")
    (service.folder / "sync-2.log").write_text("second\n")
    service.log_path.symlink_to("sync-1.log")
    assert log(service).json["log"] == "first"
    service.log_path.unlink()
    service.log_path.symlink_to(service.folder / "sync-2.log")
    assert log(service).json["log"] == "second"


def test_a_link_into_the_log_folder(installed):
    logs = installed.folder / "logs"
    (logs / "2025").mkdir(parents=True)
    (logs / "2025" / "x.log").write_text("under the folder\n")
    installed.set(SYNC_LOG_DIR=logs)
    installed.start()
    installed.log_path.symlink_to(logs / "2025" / "x.log")
    assert log(installed).json["log"] == "under the folder"
    installed.log_path.unlink()
    installed.log_path.symlink_to(logs / ".." / "jwt.secret")
    log(installed).is_json(500, ERROR)


def test_a_secret_named_as_the_log_is_not_shown(installed):
    installed.set(SYNC_LOG_PATH=installed.secret_path)
    installed.start()
    log(installed).is_json(500, ERROR)


@pytest.mark.parametrize("place", ["sync.log", "run/sync.log"])
def test_a_log_in_the_state_directory_is_not_shown(installed, place):
    path = installed.state / place
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text("inside\n")
    installed.set(SYNC_LOG_PATH=path)
    installed.start()
    log(installed).is_json(500, ERROR)


def test_a_fifo_blocks_no_request(service):
    """The service does not block in open(2): a non-blocking writer finds no reader."""
    fifo(service)
    log(service).is_json(500, ERROR)
    with pytest.raises(OSError) as refused:
        os.open(service.log_path, os.O_WRONLY | os.O_NONBLOCK)
    assert refused.value.errno == errno.ENXIO


@pytest.mark.parametrize("way", ["replaced", "moved away", "truncated"])
def test_rotated_during_reads(service, way):
    """The log is rotated again and again. Each answer is the end of one log, or the documented error while there is no log.
    With rotation by rename there is always a log."""
    enough = threading.Event()

    def write(path, generation):
        path.write_text("".join(f"{generation} {number}\n" for number in range(3000)))

    def rotate():
        generation = 0
        while not enough.is_set():
            generation += 1
            if way == "truncated":
                os.truncate(service.log_path, 0)
                write(service.log_path, generation)
                continue
            write(service.folder / "sync.log.new", generation)
            if way == "moved away":
                os.rename(service.log_path, service.folder / "sync.log.1")
            os.rename(service.folder / "sync.log.new", service.log_path)

    write(service.log_path, 0)
    rotation = threading.Thread(target=rotate)
    rotation.start()
    try:
        answers = [log(service) for _ in range(100)]
    finally:
        enough.set()
        rotation.join()
    for answer in answers:
        if answer.code == 500:
            answer.is_json(500, ERROR)
            continue
        shown = [line.split(" ") for line in answer.json["log"].split("\n")]
        assert answer.code == 200 and len(shown) <= LINES
        if way != "truncated":
            assert [int(number) for _, number in shown] == list(range(3000 - LINES, 3000))
            assert len({generation for generation, _ in shown}) == 1, "two generations in one answer"
    assert 200 in {answer.code for answer in answers}
    assert way != "replaced" or {answer.code for answer in answers} == {200}


def bytes_read(service, trace):
    """The number of bytes that all processes of the service read from the log, according to strace."""
    calls = re.findall(r"(read|pread64|readv|preadv2?)\(\d+<([^>]*)>.*\) = (\d+)$", trace.read_text(), re.MULTILINE)
    return sum(int(count) for _, path, count in calls if path == str(service.log_path))


@pytest.mark.root
def test_a_huge_log_costs_no_more_than_a_small_one(installed, tmp_path):
    """A sparse log of 5 GB and one of 2 MiB have the same end. Their answers and the numbers of bytes read are equal."""
    trace = tmp_path / "trace"
    calls = "trace=read,pread64,readv,preadv,preadv2,mmap"
    installed.start("strace", "-D", "-f", "-y", "-qq", "-e", calls, "-o", str(trace))
    end = "".join(f"row {number:06} of the table\n" for number in range(30000)).encode()
    counts, answers = [], []
    for size in (2 * MEBIBYTE, 5_000_000_000):
        with installed.log_path.open("wb") as file:
            file.truncate(size - len(end))
            file.seek(0, os.SEEK_END)
            file.write(end)
        before = bytes_read(installed, trace)
        answers.append(log(installed))
        counts.append(bytes_read(installed, trace) - before)
    assert os.stat(installed.log_path).st_size == 5_000_000_000
    small, huge = counts
    assert 0 < huge <= small <= MEBIBYTE + 4096
    assert answers[0].body == answers[1].body
    expected = "\n".join(end.decode().splitlines()[-LINES:])
    assert json.loads(answers[1].body) == {"status": "success", "log": expected}
    assert not re.search(rf"mmap\([^\n]*<{re.escape(str(installed.log_path))}>", trace.read_text())
