#!/bin/bash
#
# bench-audit.sh [ENTRIES]: measures the audit log: an append at 1,000 and at ENTRIES entries, and the verification of ENTRIES
# entries. The default is 1,000,000, which takes about 1.5 GB. The histories are in a temporary folder in .build.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

entries=${1:-1000000}
if ! [[ $entries =~ ^[1-9][0-9]{3,8}$ ]] || (( entries == 1000 )); then
    printf 'usage: scripts/bench-audit.sh [ENTRIES]; more than 1000, the default is 1000000\n' >&2
    exit 64
fi

scripts/build.sh -c release
folder=$(mktemp -d "$PWD/.build/bench-audit.XXXXXX")
readonly entries folder
trap 'rm -rf -- "$folder"' EXIT
head -c 32 /dev/urandom >"$folder/secret"
chmod 600 "$folder/secret"
export JWT_SECRET_FILE=$folder/secret AUDIT_ORIGIN=bench.example/sync-history

printf 'Making three histories of runs; each run has two entries, its rows and its output\n'
.build/release/AuditBenchmark append "$folder" "$entries"

# Measures time and memory of the whole command and prints the best of three. The histories were just written, so they are in
# the page cache.
python3 - "$folder" "$entries" .build/release/sync-service <<'END'
import os, resource, subprocess, sys, time

folder, largest, program = sys.argv[1:]
for entries in sorted({1_000, 10_000, int(largest)}):
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
