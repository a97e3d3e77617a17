#!/bin/bash
#
# end-to-end.sh FOLDER...: runs the tests in these folders. As root it runs them in their own PID namespace. Otherwise
# /admin/lock could report a foreign shell on this machine as a process that runs the script.

set -euo pipefail
cd -- "$(dirname -- "$0")/.."

# The first process in the namespace is a shell, because it reaps the orphans that tests leave.
readonly tests='/usr/bin/python3 -m pytest -q "$@"; exit $?'
if (( EUID == 0 )); then
    exec unshare --pid --fork --kill-child --mount-proc bash -c "$tests" tests "$@"
fi
exec bash -c "$tests" tests "$@"
