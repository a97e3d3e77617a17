#!/bin/bash
#
# fuzz.sh [SECONDS [TARGET...]]: feeds random bytes to the parsers that read untrusted input. libFuzzer guides it by coverage,
# with AddressSanitizer and a memory limit. Each target runs for 60 seconds: JSON, Token, Framing, RunProtocol. The script
# ends with 1 at the first finding and names the file with the bytes that caused it. The corpus is kept in .build-fuzz/corpus.
#
# The fuzzers link the same modules as the service. SwiftPM would build SwiftNIO with coverage too, so swiftc builds the few
# modules that are needed.

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
for target in "${targets[@]}"; do
    if [[ ! -f Tests/Fuzz/${target}Fuzz.swift ]]; then
        printf 'ERROR: no fuzz target %s; there are JSON, Token, Framing and RunProtocol\n' "$target" >&2
        exit 64
    fi
done

readonly build=.build-fuzz
readonly llhttp=.build/checkouts/swift-nio/Sources/CNIOLLHTTP
mkdir -p "$build"
if [[ ! -d $llhttp ]]; then
    swift package resolve
fi

# One option with both sanitizers: of two options the compiler uses only the last.
readonly sanitize=-sanitize=fuzzer,address
readonly swift=(swiftc -O -g -wmo -parse-as-library -swift-version 6 -package-name sync_service -warnings-as-errors "$sanitize" -I "$build"
    -Xcc -fmodule-map-file=Sources/COpenSSL/module.modulemap -Xcc "-fmodule-map-file=$build/c.modulemap")

# Clang modules for the C targets. SwiftPM would generate them.
cat >"$build/c.modulemap" <<MAP
module CLinux { header "$PWD/Sources/CLinux/include/CLinux.h" export * }
module CNIOLLHTTP { header "$PWD/$llhttp/include/c_nio_llhttp.h" export * }
MAP

# module NAME: compiles the target of that name with coverage.
module() {
    "${swift[@]}" -module-name "$1" -emit-module -emit-module-path "$build/$1.swiftmodule" -c "Sources/$1"/*.swift -o "$build/$1.o"
}

# fuzzer TARGET: compiles and links one fuzzer. It uses lld, because gold prints a page of warnings about the sanitizer's
# symbols.
fuzzer() {
    # With -g the compiler also writes a module, by default into the working directory.
    "${swift[@]}" -use-ld=lld -emit-executable -module-name "$1Fuzz" -emit-module-path "$build/$1Fuzz.swiftmodule" \
        Tests/Fuzz/Hold.swift "Tests/Fuzz/$1Fuzz.swift" "$build/modules.a" -o "$build/$1"
}

printf 'Building the fuzzers\n'
clang -g -O1 -fsanitize=fuzzer-no-link,address -I Sources/CLinux/include -c Sources/CLinux/calls.c -o "$build/CLinux.o"
for source in "$llhttp"/*.c; do
    clang -g -O1 -fsanitize=fuzzer-no-link,address -I "$llhttp/include" -c "$source" -o "$build/$(basename "$source" .c).o"
done
# In the order of their imports.
for name in Linux OpenSSL Encoding JSON JWT RunProtocol HTTPFraming; do module "$name"; done

rm -f "$build/modules.a"
ar rcs "$build/modules.a" "$build"/*.o

for target in "${targets[@]}"; do fuzzer "$target"; done

/usr/bin/python3 Tests/Fuzz/make-seeds.py "$build/seeds"
for target in "${targets[@]}"; do
    printf '%s, %s seconds\n' "$target" "$seconds"
    mkdir -p "$build/corpus/$target" "$build/findings"
    # One input may take 64 MiB and 5 seconds at most. All inputs together may take 512 MiB, which catches leaks.
    # AddressSanitizer's quarantine of freed memory is small, so that it does not count as a leak.
    if ! SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=quarantine_size_mb=8 "$build/$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=512 -malloc_limit_mb=64 -max_len=16384 -print_final_stats=1 \
        -artifact_prefix="$build/findings/$target-" "$build/corpus/$target" "$build/seeds/$target" >"$build/$target.log" 2>&1 </dev/null; then
        grep -aE 'Fatal error|^SUMMARY|ERROR: |Test unit written to' "$build/$target.log" | sed 's/^.*Test unit written to/The bytes are in/' >&2
        printf 'ERROR: the fuzzer %s found a fault; the complete output is in %s. To repeat it: %s/%s FILE\n' \
            "$target" "$build/$target.log" "$build" "$target" >&2
        exit 1
    fi
    if grep -q 'Is the code instrumented' "$build/$target.log"; then
        printf 'ERROR: the fuzzer %s sees no coverage; see %s\n' "$target" "$build/$target.log" >&2
        exit 1
    fi
    grep -E '^stat::(number_of_executed_units|peak_rss_mb)|^#.*DONE' "$build/$target.log" | sed 's/^/    /'
done
