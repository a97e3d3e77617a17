#!/bin/bash
#
# build.sh [ARGUMENT...]: runs `swift build` and shows its progress on one line. Prints the compiler's output only if the build
# fails.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

if ! command -v swift >/dev/null; then
    printf 'ERROR: swift is not in the PATH. Swift 6.2 or newer is needed: https://www.swift.org/install/linux/\n' >&2
    exit 1
fi

mkdir -p .build
readonly said=.build/build.log
# Without the option a target can import what an earlier build left, although Package.swift does not list it.
swift build --explicit-target-dependency-import-check error "$@" >"$said" 2>&1 </dev/null &
build=$!
trap 'kill "$build" 2>/dev/null; exit 130' INT
trap 'kill "$build" 2>/dev/null; exit 143' TERM

# Prints the compiler's counter, [n/m], or what it does before it starts to count.
progress() {
    local line
    line=$(grep -E '^\[[0-9]+/[0-9]+\]|^(Fetching|Fetched|Cloning|Computing|Creating|Another)' "$said" | tail -n 1) || true
    printf 'Building, %d s  %.80s' "$SECONDS" "${line%% (*}"
}

next=10
while kill -0 "$build" 2>/dev/null; do
    if [[ -t 1 ]]; then
        printf '\r\033[K%s' "$(progress)"
    elif (( SECONDS >= next )); then
        printf '%s\n' "$(progress)"
        next=$((SECONDS + 10))
    fi
    sleep 0.5
done
if [[ -t 1 ]]; then
    printf '\r\033[K'
fi

if ! wait "$build"; then
    grep -vE '^\[[0-9]+/[0-9]+\] (Compiling|Emitting|Write|Wrapping|Linking)' "$said" | tail -n 60 >&2
    printf '\nERROR: the build failed; the complete output is in %s\n' "$said" >&2
    exit 1
fi
printf 'Built in %d s\n' "$SECONDS"
