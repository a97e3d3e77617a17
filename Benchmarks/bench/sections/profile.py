"""Where the processor time of a status goes: samples by perf while wrk asks. It needs a binary with symbols, so it is no part of
what is measured by default: scripts/bench.sh --binary .build/release/sync-service --sections profile
"""

import re
import subprocess
from collections import Counter

from comparison import Comparison
from load import rate
from ours import Ours

CONNECTIONS = 64
HERTZ = "997"
KERNEL_OR_C = "other calls of the kernel and C"

# What the program does at that moment: the first kind with a function near the top of the stack.
KINDS = {
    "memory": (2, r"malloc|calloc|realloc|c?free|_int_|unlink_chunk|tcache|swift_(allocObject|slowAlloc|slowDealloc|deallocClassInstance)"),
    "reference counting": (1, r"_?swift_(retain|release|bridge)|swift::RefCount"),
    "tasks of Swift and their queues": (2, r"swift_(task|job|async|continuation|default_actor)|swift::(runJob|AsyncTask)|_?dispatch_"),
    "metadata, casts and witnesses": (1, r"swift_|swift::"),
    "digests": (3, r"sha256|SHA256|HMAC|EVP_|OPENSSL_|CRYPTO_"),
    "code in Swift": (1, r"\$s"),
    "network": (14, r"_*(tcp|ip|sock|inet|skb|net_rx|process_backlog|do_writev|vfs_writev|ksys_write|ksys_read)"),
    "waiting, waking and switching threads": (14, r".*(futex|schedule|wake|switch|epoll|ep_poll|eventfd|pthread_|swift_task_enqueue)"),
}
# Which part of the request it works for: the names of our modules, and of NIO's, anywhere in the stack. The first that fits counts.
PARTS = {
    "token": r"3JWT|JWTVerifier",
    "looking at the locks": r"RunnerClient|CoalescedRead|RunCoordinator|LockFile|8SyncRunner",
    "decoding the request": r"HTTPDecoder|llhttp|11HTTPFraming",
    "encoding the answer": r"HTTPResponseEncoder|ResponseBuilder|10HTTPServer8Response|4JSON",
    "routing and the handler": r"10HTTPServer|11SyncService",
    "event loop and sockets": r"NIO",
}


def profile(bench):
    server = bench.add(Ours(bench))
    record = bench.folder / "perf.data"
    with server.running():
        sampler = subprocess.Popen(
            ["perf", "record", "-e", "cpu-clock", "-F", HERTZ, "-g", "-o", record, "-p", ",".join(map(str, server.pids()))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            rate(server, 200, "GET", "/sync/status", CONNECTIONS, bench.turns * bench.seconds)
        finally:
            sampler.terminate()
            sampler.wait()
    stacks = list(samples(record))
    for key, title, classify in (
            ("profile-kind", "Processor time of GET /sync/status by what the program does", kind),
            ("profile-part", "The same by the part of the request that it works for", part)):
        comparison = Comparison(key, f"{title}, {CONNECTIONS} connections, plain", "%",
                                higher_is_better=None)
        for name, count in Counter(map(classify, stacks)).most_common():
            comparison.add(name, {"value": count / len(stacks) * 100})
        yield comparison


def samples(record):
    """The names of the functions of each sample, the innermost first."""
    text = subprocess.run(["perf", "script", "-i", record, "-F", "ip,sym"], capture_output=True, text=True, check=True).stdout
    for block in text.split("\n\n"):
        frames = [line.split(None, 1)[1] for line in block.splitlines() if len(line.split(None, 1)) == 2]
        if frames:
            yield frames


def kind(frames):
    for name, (depth, pattern) in KINDS.items():
        if any(re.match(pattern, frame) for frame in frames[:depth]):
            return name
    return KERNEL_OR_C


def part(frames):
    return next((name for name, pattern in PARTS.items() if any(re.search(pattern, frame) for frame in frames)), "the rest")
