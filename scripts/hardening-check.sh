#!/bin/bash
#
# hardening-check.sh [FILE]: runs the command of every line of HARDENING.md's checklist on this machine, as root, and fails
# where one does not hold. A line is `- what has to hold`, and indented below it one command in backquotes.

set -euo pipefail

readonly file=${1:-/usr/share/doc/sync-service/HARDENING.md}
[[ $(id -u) == 0 ]] || { printf 'ERROR: only root can see what is checked; call it as root\n' >&2; exit 64; }
[[ -r $file ]] || { printf 'ERROR: %s is not there; install sync-service, or name the file\n' "$file" >&2; exit 64; }

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

# A checklist that could not be read must not look like one that holds.
(( checked > 0 )) || { printf 'ERROR: %s has no checklist\n' "$file" >&2; exit 64; }
printf '%d checked, %d do not hold.\n' "$checked" "$wrong"
(( wrong == 0 ))
