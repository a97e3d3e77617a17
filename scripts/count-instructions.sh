#!/bin/bash
#
# count-instructions.sh [--accept]: counts the instructions of one status, one refused run, one token and one append to the
# audit log, and compares them with Benchmarks/instruction-counts.txt. Ends with 1 if one has changed by more than five per
# cent. --accept writes the new counts into that file.
#
# Times differ from machine to machine, counts hardly. callgrind counts a whole process, so each operation is counted as the
# difference between two numbers of repetitions. The start is the same in both.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

readonly accepted=Benchmarks/instruction-counts.txt operations=(status busy token append)
readonly few=100 many=600

scripts/build-release.sh

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
cp .build/release/sync-runner "$work/"
# callgrind cannot read Swift's debug information.
strip -o "$work/InstructionCounts" .build/release/InstructionCounts

# count OPERATION TIMES: prints the instructions of a whole process. OpenSSL must not choose code by the machine's processor.
count() {
    local folder
    folder=$(mktemp -d -p "$work")
    if ! SWIFT_DETERMINISTIC_HASHING=1 OPENSSL_ia32cap=0 \
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$work/InstructionCounts" "$folder" "$1" "$2" >"$work/log" 2>&1; then
        printf 'ERROR: callgrind failed:\n' >&2
        cat "$work/log" >&2
        return 1
    fi
    sed -n 's/^.*Collected : \([0-9]*\).*/\1/p' "$work/log"
}

for operation in "${operations[@]}"; do
    low=$(count "$operation" "$few")
    high=$(count "$operation" "$many")
    printf '%s %d\n' "$operation" $(((high - low) / (many - few)))
done >"$work/counts"

if [[ ${1:-} == --accept ]]; then
    cp "$work/counts" "$accepted"
    cat "$accepted"
    exit
fi
changed=0
while read -r operation now; do
    before=$(sed -n "s/^$operation //p" "$accepted")
    printf '%-8s %9d instructions, accepted %9d\n' "$operation" "$now" "${before:-0}"
    if ((now * 100 > ${before:-0} * 105 || now * 100 < ${before:-0} * 95)); then changed=1; fi
done <"$work/counts"
if ((changed)); then
    printf 'ERROR: an operation changed by more than 5 %%. If that is meant, accept it: make accept-counts\n' >&2
    exit 1
fi
