#!/bin/bash
#
# check-imports.sh: imports point one way. Fails where a module imports what it must not.
#
# Each line: a module's folder, then every module it may import. What is not listed is an error, so that a new
# dependency is a decision somebody made here.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

readonly rules='
SQLite        CSQLite Dispatch Glibc Synchronization
OpenSSL       COpenSSL Glibc Linux
TLS           NIOCore OpenSSL Synchronization
AuditLog      JSON OpenSSL
Linux         CLinux Glibc
JSON
JWT           JSON OpenSSL
Migrations    OpenSSL SQLite
RunProtocol   Glibc Linux
SyncRunner    CSHA256 Glibc Linux RunProtocol
SyncService   ArgumentParser AuditLog Dispatch FoundationEssentials Glibc HTTPTypes HummingbirdCore JSON JWT Linux Logging Migrations NIOCore NIOHTTP1 NIOHTTPTypes NIOHTTPTypesHTTP1 NIOPosix OpenSSL RunProtocol SQLite ServiceLifecycle Synchronization TLS UnixSignals
'

wrong=0
while read -r module allowed; do
    [[ -n $module ]] || continue
    while IFS=: read -r file line text; do
        imported=${text##*import }
        if [[ " $allowed " != *" $imported "* ]]; then
            printf '%s:%s: %s must not import %s\n' "$file" "$line" "$module" "$imported" >&2
            wrong=1
        fi
    done < <(grep -rnE '^(@testable |@_exported |public |internal |private )*import ' "Sources/$module" --include='*.swift')
done <<<"$rules"

# A module without a line above would go unchecked.
for folder in Sources/*/; do
    name=$(basename -- "$folder")
    if compgen -G "$folder*.swift" >/dev/null || compgen -G "$folder*/*.swift" >/dev/null; then
        grep -qE "^$name( |\$)" <<<"$rules" || { printf 'Sources/%s has no line in %s\n' "$name" "$0" >&2; wrong=1; }
    fi
done
exit "$wrong"
