#!/bin/bash
#
# fuzz.sh [SECONDS [TARGET...]]: feeds what comes from strangers to its parsers, guided by coverage (libFuzzer), with
# AddressSanitizer and a memory limit; 60 seconds for each of JSON, Token, Framing, RunProtocol. Ends with 1 at the first
# finding and names the file with the bytes that did it. What was learned is kept in .build-fuzz/corpus.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

seconds=${1:-60}
shift || true
targets=("$@")
if (( ${#targets[@]} == 0 )); then
    targets=(JSON Token Framing RunProtocol)
fi
if ! [[ $seconds =~ ^[1-9][0-9]*$ ]]; then
    printf 'usage: scripts/fuzz.sh [SECONDS [TARGET...]]\n' >&2
    exit 64
fi

readonly build=.build-fuzz
readonly llhttp=.build/checkouts/swift-nio/Sources/CNIOLLHTTP
mkdir -p "$build"
if [[ ! -d $llhttp ]]; then
    swift package resolve
fi

# One word: of two such options the compiler heeds only the last.
readonly sanitize=-sanitize=fuzzer,address
readonly swift=(swiftc -O -g -wmo -parse-as-library -swift-version 6 -package-name sync_service -warnings-as-errors "$sanitize" -I "$build"
    -Xcc -fmodule-map-file=Sources/COpenSSL/module.modulemap -Xcc "-fmodule-map-file=$build/c.modulemap")

# Clang modules for the C code that SwiftPM would make one for.
cat >"$build/c.modulemap" <<MAP
module CLinux { header "$PWD/Sources/CLinux/include/CLinux.h" export * }
module CNIOLLHTTP { header "$PWD/$llhttp/include/c_nio_llhttp.h" export * }
MAP

# module NAME FILE...: compiles a module of ours with coverage, for others to import.
module() {
    local name=$1
    shift
    "${swift[@]}" -module-name "$name" -emit-module -emit-module-path "$build/$name.swiftmodule" -c "$@" -o "$build/$name.o"
}

# fuzzer TARGET SOURCE...: the executable of one target. Linked by lld, because gold prints a page of warnings about
# the sanitizer's symbols.
fuzzer() {
    local target=$1
    shift
    # With -g the driver makes a module as well; unless told where, it leaves it in the working directory.
    "${swift[@]}" -use-ld=lld -emit-executable -module-name "${target}Fuzz" -emit-module-path "$build/${target}Fuzz.swiftmodule" \
        Tests/Fuzz/Hold.swift "Tests/Fuzz/${target}Fuzz.swift" "$@" "$build/modules.a" -o "$build/$target"
}

printf 'Building the fuzzers\n'
clang -g -O1 -fsanitize=fuzzer-no-link,address -I Sources/CLinux/include -c Sources/CLinux/calls.c -o "$build/CLinux.o"
for source in "$llhttp"/*.c; do
    clang -g -O1 -fsanitize=fuzzer-no-link,address -I "$llhttp/include" -c "$source" -o "$build/$(basename "$source" .c).o"
done
module Linux Sources/Linux/*.swift
module OpenSSL Sources/OpenSSL/*.swift
module Encoding Sources/Encoding/*.swift
module JSON Sources/JSON/*.swift
module JWT Sources/JWT/*.swift
module RunProtocol Sources/RunProtocol/*.swift

rm -f "$build/modules.a"
ar rcs "$build/modules.a" "$build"/*.o

for target in "${targets[@]}"; do
    case $target in
        JSON | Token | RunProtocol) fuzzer "$target" ;;
        # The gate itself, and the file with the trimming it uses.
        Framing) fuzzer Framing Sources/HTTPServer/Request{Framing,Head}.swift ;;
        *)
            printf 'ERROR: no fuzz target %s; there are JSON, Token, Framing and RunProtocol\n' "$target" >&2
            exit 64
            ;;
    esac
done

/usr/bin/python3 Tests/Fuzz/make-seeds.py "$build/seeds"
for target in "${targets[@]}"; do
    printf '%s, %s seconds\n' "$target" "$seconds"
    mkdir -p "$build/corpus/$target" "$build/findings"
    # One input may take 64 MiB and 5 seconds at most, and all of them together 512 MiB: what grows from input to input
    # ends there. What AddressSanitizer keeps aside of freed memory is bounded, so that it does not count as growth.
    if ! SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=quarantine_size_mb=8 "$build/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -malloc_limit_mb=64 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "$build/seeds/$target" >"$build/$target.log" 2>&1 </dev/null; then
        grep -aE 'Fatal error|^SUMMARY|ERROR: |Test unit written to' "$build/$target.log" | sed 's/^.*Test unit written to/The bytes are in/' >&2
        printf 'ERROR: the fuzzer %s found something; all of it is in %s. Again with: %s/%s FILE\n' \
            "$target" "$build/$target.log" "$build" "$target" >&2
        exit 1
    fi
    if grep -q 'Is the code instrumented' "$build/$target.log"; then
        printf 'ERROR: the fuzzer %s sees no coverage; see %s\n' "$target" "$build/$target.log" >&2
        exit 1
    fi
    grep -E '^stat::(number_of_executed_units|peak_rss_mb)|^#.*DONE' "$build/$target.log" | sed 's/^/    /'
done
