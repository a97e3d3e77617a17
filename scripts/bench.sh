#!/bin/bash
#
# bench.sh [--binary SYNC-SERVICE [--runner SYNC-RUNNER]] [OPTION...]: measures the service beside peers. Prints tables and keeps
# every sample as JSON. Builds the release and measures the packaged programs unless --binary names others; by default
# sync-runner is beside it. `bench.sh --help` lists the other options, docs/PERFORMANCE.md says what is measured.

set -euo pipefail

binary='' runner='' options=()
while (( $# > 0 )); do
    case $1 in
    --binary) binary=$(realpath -e -- "${2:?needs a path}"); shift 2 ;;
    --runner) runner=$(realpath -e -- "${2:?needs a path}"); shift 2 ;;
    --json | --document) options+=("$1" "$(realpath -m -- "${2:?needs a path}")"); shift 2 ;;
    *) options+=("$1"); shift ;;
    esac
done
cd -- "$(dirname -- "$0")/.."

if [[ -z $binary && " ${options[*]} " != *' --help '* ]]; then
    scripts/package.sh
    binary=.build/package/root/usr/bin/sync-service
fi

# Copies, so that a build meanwhile changes nothing of what is measured.
readonly programs=.build/bench/programs
if [[ -n $binary ]]; then
    rm -rf -- "$programs"
    install -D -p -m 755 -- "$binary" "$programs/sync-service"
    install -D -p -m 755 -- "${runner:-$(dirname -- "$binary")/sync-runner}" "$programs/sync-runner"
    # Makes histories. The package does not contain it.
    for tool in "$(dirname -- "$binary")/AuditBenchmark" .build/release/AuditBenchmark; do
        if [[ -x $tool ]]; then
            install -p -m 755 -- "$tool" "$programs/AuditBenchmark"
            break
        fi
    done
fi
export SYNC_SERVICE_BIN=$programs/sync-service PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 Benchmarks/bench "${options[@]}"
