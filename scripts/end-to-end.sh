#!/bin/bash
#
# end-to-end.sh FOLDER...: runs the tests in these folders. As root it gives them a process table of their own: a shell of
# somebody else on this machine may be running the script for all that /proc tells, and then /admin/lock rightly says so.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

# A shell is the first process there, because it collects the orphans that tests leave.
readonly tests='/usr/bin/python3 -m pytest -q "$@"; exit $?'
if (( EUID == 0 )); then
    exec unshare --pid --fork --kill-child --mount-proc bash -c "$tests" tests "$@"
fi
exec bash -c "$tests" tests "$@"
