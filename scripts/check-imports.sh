#!/bin/bash
#
# check-imports.sh: checks the rules about targets that the build cannot check. (scripts/build.sh refuses every import that
# Package.swift does not list.)
#
# Only its owner imports a C library, so that the pointers stay there. Only History and Migrations contain SQL.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

wrong=0
# fail PATTERN MESSAGE FOLDER...: fails for each line that matches in a folder that is not listed.
fail() {
    local pattern=$1 message=$2 excluded=() folder
    shift 2
    for folder in "$@"; do excluded+=(--exclude-dir="$folder"); done
    if grep -rnE "$pattern" Sources --include='*.swift' "${excluded[@]}" >&2; then
        printf '%s\n' "$message" >&2
        wrong=1
    fi
}

fail '^ *(@[a-zA-Z_]+ )*import (CSQLite)$' 'Only SQLite may import CSQLite.' SQLite
fail '^ *(@[a-zA-Z_]+ )*import (COpenSSL)$' 'Only OpenSSL may import COpenSSL.' OpenSSL
fail '^ *(@[a-zA-Z_]+ )*import (CSHA256)$' 'Only SyncRunner may import CSHA256: it does without the rest of OpenSSL.' SyncRunner
fail '^ *(@[a-zA-Z_]+ )*import (CLinux)$' 'Only Linux may import CLinux.' Linux
fail '"[^"]*\b(SELECT [a-z*(".]|INSERT INTO|UPDATE [a-z_]+ SET|DELETE FROM|CREATE (TABLE|INDEX|TRIGGER|VIEW)|PRAGMA )' \
    'SQL belongs in History and Migrations.' History Migrations SQLite
exit "$wrong"
