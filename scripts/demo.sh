#!/bin/bash
#
# demo.sh: a tour of the built programs with real rows. All its files are in .demo/. Nothing keeps running afterwards.

set -euo pipefail
umask 022
cd -- "$(dirname -- "$0")/.."

readonly demo=$PWD/.demo
service=

bold='' plain=''
if [[ -t 1 ]]; then
    bold=$'\e[1m' plain=$'\e[0m'
fi

title() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }
say() { printf '  %s\n' "$1"; }
quote() { sed 's/^/  | /'; }

fail() {
    printf '\n%sDEMO FAILED: %s%s\n' "$bold" "$1" "$plain" >&2
    if [[ -n $service && -s $demo/service.log ]]; then
        printf 'The last lines of the service (%s):\n' "$demo/service.log" >&2
        tail -n 10 -- "$demo/service.log" >&2
    fi
    exit 1
}

# until_deadline SECONDS COMMAND...: waits until the command succeeds.
until_deadline() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        (( SECONDS < end )) || return 1
        sleep 0.1
    done
}

gone() { ! kill -0 "$1" 2>/dev/null; }
unlocked() { [[ ! -e $demo/sync.lock ]]; }

stop_service() {
    [[ -n $service ]] || return 0
    kill -TERM "$service" 2>/dev/null || true
    if ! until_deadline 20 gone "$service"; then
        say "The service did not end within 20 s. It gets SIGKILL."
        kill -KILL "$service" 2>/dev/null || true
    fi
    wait "$service" 2>/dev/null || true
    service=
    # A run continues without the service. This one is short.
    until_deadline 30 unlocked || say "A sync is still running. The first line of $demo/sync.lock is its process ID."
}

trap stop_service EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# --- A folder of its own ----------------------------------------------------------------------------------------------

listening() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

if [[ -e $demo/.env ]]; then
    port=$(sed -n 's/^PORT=//p' "$demo/.env")
    if listening "$port"; then
        fail "the service of an earlier demo still runs on port $port; stop it (Ctrl-C where it was started) and try again"
    fi
    rm -rf -- "$demo"
fi
mkdir -p -- "$demo"

# --- Real rows --------------------------------------------------------------------------------------------------------

title "1. A source database with real rows: Debian's package index"

package_rows() {
    # One record per package. US ends a field and RS a record: no value contains them, so no value needs quotes.
    apt-cache dumpavail | awk '
        function flush() {
            if (name != "" && !seen[name, version]++)
                printf "%s\037%s\037%s\037%s\037%s\037%s\036", name, version, section, size, maintainer, description
            name = version = section = size = maintainer = description = ""
        }
        /^$/                { flush() }
        /^Package: /        { name = substr($0, 10) }
        /^Version: /        { version = substr($0, 10) }
        /^Section: /        { section = substr($0, 10) }
        /^Installed-Size: / { size = substr($0, 17) }
        /^Maintainer: /     { maintainer = substr($0, 13) }
        /^Description: /    { description = substr($0, 14) }
        END                 { flush() }'
}

package_rows >"$demo/packages.txt"
if [[ ! -s $demo/packages.txt ]]; then
    say "The package index is empty. Running apt-get update"
    apt-get update -q >"$demo/apt.log" 2>&1 || fail "no package index; run 'apt-get update' as root first (see $demo/apt.log)"
    package_rows >"$demo/packages.txt"
fi

sqlite3 -batch -bail "$demo/source.sqlite" <<SQL || fail "cannot make the source database"
CREATE TABLE packages (
    name TEXT NOT NULL, version TEXT NOT NULL, section TEXT, installed_size INTEGER, maintainer TEXT, description TEXT,
    PRIMARY KEY (name, version)
);
.import --ascii "$demo/packages.txt" packages
CREATE INDEX packages_section ON packages (section);
CREATE TABLE sections AS
    SELECT section AS name, count(*) AS packages, sum(installed_size) AS installed_size FROM packages GROUP BY section;
SQL
rm -- "$demo/packages.txt"

count() { sqlite3 -readonly "$demo/$1.sqlite" "SELECT (SELECT count(*) FROM packages) || ' packages, ' || (SELECT count(*) FROM sections) || ' sections'"; }

counted=$(count source)
[[ $counted != 0\ * ]] || fail "the package index has no rows"
say "source.sqlite: $counted. For example, the heaviest sections:"
sqlite3 -readonly -column -header "$demo/source.sqlite" \
    "SELECT name, packages, installed_size / 1024 AS MiB FROM sections ORDER BY installed_size DESC LIMIT 3" | quote

# --- The service ------------------------------------------------------------------------------------------------------

title "2. The service, started as you would start it"

install -m 755 config/sync_sqlite.sh "$demo/sync_sqlite.sh"
(umask 077 && head -c 48 /dev/urandom | base64 -w 0 >"$demo/jwt.secret")

port=
for _ in {1..50}; do
    candidate=$((RANDOM % 10000 + 20000))
    if ! listening "$candidate"; then
        port=$candidate
        break
    fi
done
[[ -n $port ]] || fail "found no free port"
readonly url=http://127.0.0.1:$port

cat >"$demo/.env" <<ENV
# Settings of the demo; config/env.example explains them all.
PORT=$port
JWT_SECRET_FILE=$demo/jwt.secret
SYNC_STATE_DIR=$demo/state
SYNC_SCRIPT_PATH=$demo/sync_sqlite.sh
SYNC_LOCK_PATH=$demo/sync.lock
SYNC_LOG_PATH=$demo/sync.log

# The script's environment has only the variables listed here.
SYNC_ENV_PASS=SYNC_SOURCE_DB,SYNC_TARGET_DB,SYNC_LOCK_PATH,SYNC_LOG_PATH
SYNC_SOURCE_DB=$demo/source.sqlite
SYNC_TARGET_DB=$demo/target.sqlite
ENV

# The environment takes precedence over .env, and yours may have a PORT for another program. So it starts empty.
in_demo() { cd -- "$demo" && exec env -i PATH="$PATH" HOME="${HOME:-/}" LANG=C.UTF-8 ../.build/debug/sync-service "$@"; }
sync_service() { (in_demo "$@"); }

in_demo serve >"$demo/service.log" 2>&1 </dev/null &
service=$!

answers_or_ended() { gone "$service" || curl -sf --max-time 2 -o /dev/null "$url/healthz"; }
until_deadline 30 answers_or_ended || fail "the service does not answer on $url/healthz"
! gone "$service" || fail "the service did not start"
say "sync-service serve         (settings: .demo/.env)"
say "It answers on $url"

token=$(sync_service token --user budi --role admin 2>>"$demo/service.log") || fail "no token"
# curl reads the token from a file, because every user of the machine can read a command line.
(umask 077 && printf 'Authorization: Bearer %s\n' "$token" >"$demo/authorization")
say "sync-service token --user budi --role admin         (kept in .demo/authorization)"

# api METHOD PATH: prints the status code and writes the body to $demo/answer.
api() { curl -s --max-time 300 -X "$1" -H "@$demo/authorization" -o "$demo/answer" -w '%{http_code}' "$url$2"; }

# field NAME: prints a field of the answer as text.
field() { sqlite3 :memory: "SELECT json_extract(CAST(readfile('$demo/answer') AS TEXT), '\$.$1')"; }

# expect METHOD PATH CODE FIELD VALUE: prints the request, sends it, and fails unless the answer has this code and value.
expect() {
    local code
    say "$1 $2"
    code=$(api "$1" "$2") || fail "$1 $2 was not answered"
    [[ $code == "$3" && $(field "$4") == "$5" ]] || fail "$1 $2 was answered $code $(cat -- "$demo/answer")"
}

# --- The sync ---------------------------------------------------------------------------------------------------------

title "3. A sync through the API"

[[ $(curl -s -o /dev/null -w '%{http_code}' -X POST "$url/sync/run") == 401 ]] || fail "a run without a token was not refused"
say "POST /sync/run  without a token: 401, nothing happens"
expect GET /sync/status 200 status idle
say "-> $(field message)"
expect POST /sync/run 200 status success
say "-> 200, $(field message). What the script printed:"
printf '%s\n' "$(field output)" | quote

title "4. Status and log, for everyone with a token"

expect GET /sync/status 200 status idle
say "-> $(field message)"
expect GET /sync/log 200 status success
field log >"$demo/log.shown"
cmp -s -- "$demo/log.shown" "$demo/sync.log" || fail "GET /sync/log does not show what is in $demo/sync.log"
say "-> the end of sync.log, here all of it: $(wc -l <"$demo/sync.log") lines"

title "5. The history, for administrators: who, when, how it ended, what it printed"

say "GET /admin/runs"
[[ $(api GET /admin/runs) == 200 ]] || fail "GET /admin/runs was answered $(cat -- "$demo/answer")"
[[ $(field 'runs[0].outcome'):$(field 'runs[0].user'):$(field 'runs[0].exit_code') == succeeded:budi:0 ]] ||
    fail "the history does not have the run as expected: $(cat -- "$demo/answer")"
sqlite3 :memory: "SELECT printf('%-18s %s', key, coalesce(value, '-'))
    FROM json_each(CAST(readfile('$demo/answer') AS TEXT), '\$.runs[0]')
    WHERE key IN ('id', 'user', 'source_ip', 'started_at', 'duration_ms', 'outcome', 'exit_code', 'output_sha256', 'script_sha256')" | quote
recorded_script=$(field 'runs[0].script_sha256')
recorded_output=$(field 'runs[0].output_sha256')
[[ $recorded_script == "$(sha256sum <"$demo/sync_sqlite.sh" | cut -d ' ' -f 1)" ]] || fail "the recorded script is not the one that ran"
[[ $(api GET /admin/runs/1/output) == 200 && $recorded_output == "$(sha256sum <"$demo/answer" | cut -d ' ' -f 1)" ]] ||
    fail "the recorded output is not what the script printed"
say "GET /admin/runs/1/output: SHA-256 as recorded. The script's file: SHA-256 as recorded."
say "sync-service history       (the same, on the machine itself)"
sync_service history 2>>"$demo/service.log" | quote || fail "sync-service history"

# --- The proof --------------------------------------------------------------------------------------------------------

title "6. Source and target, row by row"

for side in source target; do
    sqlite3 -readonly -batch -bail "$demo/$side.sqlite" .dump >"$demo/$side.dump" || fail "cannot read $side.sqlite"
done
cmp -- "$demo/source.dump" "$demo/target.dump" || fail "source and target differ (see the two .dump files in $demo)"
[[ $(count target) == "$counted" ]] || fail "source and target do not have the same number of rows"
say "source: $counted"
say "target: $(count target)"
say "All $(wc -l <"$demo/source.dump") lines of their dumps are equal."
rm -- "$demo/source.dump" "$demo/target.dump" "$demo/log.shown" "$demo/answer"

stop_service
[[ ! -e $demo/sync.lock ]] || fail "the script left its lock file"

title "Done in $SECONDS s. The service is stopped; its files are still in .demo/. Now try this:"
cat <<NEXT

  In one terminal      cd .demo && ../.build/debug/sync-service serve
  In another           cd .demo          (the token is valid for an hour)
                       run() { curl -s -X POST -H @authorization $url/sync/run; echo; }

  Change history       sqlite3 source.sqlite "UPDATE packages SET description = 'mine!' WHERE name = 'bash'"
                       run && sqlite3 target.sqlite "SELECT description FROM packages WHERE name = 'bash'"
  Start two at once    run & run; wait          one gets 200, the other 409
  Make it fail         mv source.sqlite away && run; mv away source.sqlite       the target stays as it was
  See who did it       ../.build/debug/sync-service history
                       ../.build/debug/sync-service history show 2

NEXT
