#!/bin/bash
#
# hardening-check.sh [FILE]: runs every command of the checklist in HARDENING.md on this machine, as root. Fails if one fails.
# An item is a line `- CLAIM`, and below it, indented, one command in backquotes.

set -euo pipefail

readonly file=${1:-/usr/share/doc/sync-service/HARDENING.md}
[[ $(id -u) == 0 ]] || { printf 'ERROR: the checks need root; run this as root\n' >&2; exit 64; }
[[ -r $file ]] || { printf 'ERROR: cannot read %s; install sync-service, or give the file as an argument\n' "$file" >&2; exit 64; }

checked=0 wrong=0
while IFS=$'\t' read -r claim command; do
    checked=$((checked + 1))
    if said=$(bash -euo pipefail -c "$command" 2>&1 </dev/null); then
        printf 'ok       %s\n' "$claim"
    else
        wrong=$((wrong + 1))
        printf 'DOES NOT HOLD  %s\n    %s\n    %s\n' "$claim" "$command" "${said:0:500}"
    fi
done < <(awk '/^- / { claim = substr($0, 3); next }
              /^  `.*`$/ && claim != "" { print claim "\t" substr($0, 4, length($0) - 4); claim = "" }' "$file")

# Without this check, an unreadable checklist would pass.
(( checked > 0 )) || { printf 'ERROR: %s has no checklist\n' "$file" >&2; exit 64; }
printf '%d checked, %d do not hold.\n' "$checked" "$wrong"
(( wrong == 0 ))
