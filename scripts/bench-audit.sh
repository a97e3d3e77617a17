#!/bin/bash
#
# bench-audit.sh: what the audit trail costs, in figures: an append at 1,000 and at 1,000,000 entries, and the verification
# of 1,000,000. Works on histories that it makes in a folder of its own under .build, about 1.5 GB, on that disk.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

# Testable, because the benchmark calls the service's own code; the program that is measured comes from the same build.
scripts/build.sh -c release --build-tests -Xswiftc -enable-testing
BENCH_AUDIT=$(mktemp -d "$PWD/.build/bench-audit.XXXXXX")
export BENCH_AUDIT
trap 'rm -rf -- "$BENCH_AUDIT"' EXIT
head -c 32 /dev/urandom >"$BENCH_AUDIT/secret"
chmod 600 "$BENCH_AUDIT/secret"
export JWT_SECRET_FILE=$BENCH_AUDIT/secret AUDIT_ORIGIN=bench.example/sync-history

printf 'Making three histories of runs, each run with two entries, its rows and its output …\n'
swift test --skip-build -c release -Xswiftc -enable-testing --filter AuditBenchmark 2>&1 | grep -E '^append|rror|failed' || true

# Time and memory of the whole command, the best of three. The histories were just written, so they are in the page cache.
python3 - "$BENCH_AUDIT" .build/release/sync-service <<'END'
import os, resource, subprocess, sys, time

folder, program = sys.argv[1:]
for entries in (1_000, 10_000, 1_000_000):
    runs = []
    for _ in range(3):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        said = subprocess.run([program, "audit", "verify"], env={**os.environ, "SYNC_STATE_DIR": f"{folder}/{entries}"},
                              capture_output=True, text=True, check=True).stdout
        seconds, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        runs.append((seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
    size = int(said.split(" entries")[0].split("\n")[-1])
    (seconds, processor), peak = min(runs), after.ru_maxrss / 1024
    print(f"verify of {size:,} entries: {seconds:.2f} s ({processor:.2f} s of processor time), {size / seconds:,.0f} entries a second, "
          f"peak memory {peak:.1f} MiB")
END
