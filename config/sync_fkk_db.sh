#!/bin/bash
#
# Replaces the tables of one MariaDB database (the target) by a consistent copy of another (the source), on another
# server as a rule, with its views, triggers, routines and events.
#
# Settings: sync_fkk_db.conf beside this script, or the file that SYNC_SETTINGS_FILE names; sync_fkk_db.conf.example
# explains each of them. Credentials: a MariaDB option file, see sync_fkk_db.cnf.example. Nothing secret is in
# arguments or in the environment.
#
# Exit codes: 0 synced, 2 already running, anything else failed.
#
# How the target is replaced, and what holds if it is interrupted
#
#   1. The source is dumped in one transaction and imported into <target>_sync_new on the target server. There the rows
#      are read back and compared with the dump, table by table (number and SHA-256), and all definitions but events
#      are tried. Whatever fails up to here, the target has not been touched.
#   2. Triggers cannot move across databases, so the target's are dropped. A table, sync_fkk_db_switch in
#      <target>_sync_new, holds what is needed to undo this and to finish the switch.
#   3. One RENAME TABLE moves all old tables to <target>_sync_old, all new ones to the target, and sync_fkk_db_switch
#      along with them: in MariaDB 10.6 and later all of it happens or nothing, even if the server dies meanwhile.
#   4. Views, routines, triggers and events of the target are replaced, one by one, and both helper databases dropped.
#
# Atomic is step 3 and nothing else: a statement sees all the old tables or all the new ones. From step 2 to 4, a
# moment as a rule, writes fire no triggers, and views and routines may still be the old ones.
# An interrupted switch is settled by the same script, on its way out or else as the first thing of its next run, from
# the target server alone: where sync_fkk_db_switch is tells whether step 3 happened. It did: step 4 is finished. It
# did not: the triggers are put back.
#
# - Tables in SYNC_KEEP_TABLES stay as they are, with their triggers. Everything else that the source does not have is
#   dropped, and what others wrote into the target is gone.
# - DEFINERs are left out, so everything belongs to the account of the sync. The accounts of the source rarely exist at
#   the target (calling the object would fail), and a source that could choose one could have its code run as root there.
# - A view, routine or event that names the source's database, instead of leaving it out, names that very database at
#   the target too. The history of system-versioned tables is not copied. Accounts and grants are not touched.

set -euo pipefail

readonly SWITCH=sync_fkk_db_switch           # the table that describes a switch
readonly MADE_BY='made by sync_fkk_db.sh'    # comment of the helper databases: no others are ever dropped
readonly SERVER_ID="SELECT CONCAT_WS(':', @@hostname, @@port, @@datadir);"
readonly SETTINGS=(SYNC_SOURCE_DB SYNC_TARGET_DB SYNC_KEEP_TABLES SYNC_CREDENTIALS_FILE SYNC_WORK_DIR
    SYNC_LOCK_WAIT_SECONDS SYNC_LOCK_PATH SYNC_LOG_PATH)

work=            # our own folder; the dump lies there, and the shell is in it
lock_link=       # second name of our lock file, see take_lock
child=           # the program we are waiting for
already_running=
staging=         # set while helper databases of this run may be there
switching=
target_is='the target is as it was'
answer=          # what `ask` was answered

log() {
    # A sync nobody can read about goes no further.
    printf '[%s] %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$1" | tee -a -- "$SYNC_LOG_PATH" || exit 1
}

fail() {
    log "ERROR: $*"
    exit 1
}

# Without the log: for what is wrong before there is one.
refuse() {
    printf 'ERROR: %s\n' "$1" >&2
    exit 1
}

# bash runs a trap only after the program in the foreground has ended. Programs that may take long are therefore
# waited for, so that TERM does not have to wait for them. What they print becomes the reason in the log.
# If this script is killed the kernel kills them too: an import that went on would write into the next run's database.
run() {
    local status=0
    setpriv --pdeathsig KILL -- "$@" <&0 >printed 2>&1 &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

printed() {
    if [[ -s printed ]]; then
        head -c 1000 -- printed | tr '\n' ' '
    else
        echo "no reason given; is the disk full?"
    fi
}

stopped() {
    trap '' TERM INT HUP
    log "ERROR: stopped by SIG$1; $target_is"
    exit "$2"
}

cleanup() {
    local status=$?
    trap '' TERM INT HUP
    set +e
    if [[ -n $child ]]; then
        kill -TERM "$child" 2>/dev/null
        wait "$child" 2>/dev/null
    fi
    if [[ -n $staging ]]; then
        # A subshell, so that a failure in it does not end the cleanup.
        (settle) || log "The next run settles what is left on the target server"
    fi
    if [[ -n $work ]]; then
        rm -rf -- "$work"
    fi
    if [[ -n $lock_link ]]; then
        # The second name keeps the inode from being used again: if somebody removed our lock and another sync
        # made its own, the two differ, and that lock stays.
        if [[ $SYNC_LOCK_PATH -ef $lock_link ]]; then
            rm -f -- "$SYNC_LOCK_PATH"
        fi
        rm -f -- "$lock_link"
    fi
    # 2 means "already running", and MariaDB's programs end with 2 for reasons of their own.
    if [[ $status -eq 2 && -z $already_running ]]; then
        status=1
    fi
    exit "$status"
}

# --- Settings and lock ------------------------------------------------------------------------------------------------

# Read, never sourced: a settings file must not be able to run anything.
read_settings() {
    local file=$1 line number=0 name value
    [[ -r $file ]] || refuse "the settings file $file cannot be read; start from sync_fkk_db.conf.example"
    if (( 8#$(stat -L -c %a -- "$file") & 8#022 )); then
        refuse "$file can be written by others than its owner; fix: chmod go-w $file"
    fi
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        name=${line%%=*}
        value=${line#*=}
        if [[ $line != *=* || " ${SETTINGS[*]} " != *" $name "* ]]; then
            refuse "$file, line $number: neither a comment nor NAME=value with one of the names ${SETTINGS[*]}"
        fi
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then
            value=${BASH_REMATCH[1]}
        fi
        if [[ -z ${!name-} ]]; then
            printf -v "$name" '%s' "$value"
        fi
    done <"$file"
}

check_settings() {
    local name
    for name in SYNC_SOURCE_DB SYNC_TARGET_DB; do
        [[ -n ${!name-} ]] || refuse "$name is not set; set it in $settings_file"
        # 54, because the names of the helper databases are longer by ten.
        [[ ${!name} =~ ^[A-Za-z0-9_-]{1,54}$ ]] ||
            refuse "$name must be a database's name of at most 54 letters, digits, _ and -, it is: ${!name}"
    done
    for name in SYNC_CREDENTIALS_FILE SYNC_WORK_DIR SYNC_LOCK_PATH SYNC_LOG_PATH; do
        [[ ${!name} == /* ]] || refuse "$name must be an absolute path, it is: ${!name}"
    done
    [[ $SYNC_LOCK_WAIT_SECONDS =~ ^[1-9][0-9]{0,4}$ ]] || refuse "SYNC_LOCK_WAIT_SECONDS must be a number of seconds"
    [[ $SYNC_KEEP_TABLES != *[\'\\]* ]] || refuse "SYNC_KEEP_TABLES cannot hold names with ' or \\"
    : >>"$SYNC_LOG_PATH" || refuse "cannot write to the log $SYNC_LOG_PATH; check SYNC_LOG_PATH and the folder's permissions"
}

# A hard link either makes the lock or fails: no moment between looking and making, and no moment without a PID in it.
take_lock() {
    local holder
    lock_link=$(mktemp -- "$SYNC_LOCK_PATH.XXXXXXXX") || fail "cannot create the lock $SYNC_LOCK_PATH"
    echo $$ >"$lock_link"
    chmod 644 -- "$lock_link"
    for _ in 1 2; do
        if ln -T -- "$lock_link" "$SYNC_LOCK_PATH" 2>/dev/null; then
            return
        elif [[ -f $SYNC_LOCK_PATH ]]; then
            # Whether its owner is alive is for a person to judge: PIDs are used again.
            read -r holder 2>/dev/null <"$SYNC_LOCK_PATH" || holder=unknown
            already_running=yes
            log "ERROR: Sync is already running (lock file $SYNC_LOCK_PATH, PID $holder)"
            exit 2
        elif [[ -e $SYNC_LOCK_PATH || -L $SYNC_LOCK_PATH ]]; then
            fail "the lock $SYNC_LOCK_PATH is there, but it is not a file"
        fi
        # Not there: it went away between the two looks. The second attempt decides.
    done
    fail "cannot create the lock $SYNC_LOCK_PATH"
}

# The dump is the source's data in the clear. A folder that a killed sync left is free of its lock, and is removed.
make_work_folder() {
    local leftover
    work=$(mktemp -d -- "$SYNC_WORK_DIR/sync_fkk_db.XXXXXXXX") || fail "cannot write to $SYNC_WORK_DIR"
    cd -- "$work"
    exec 9<.
    flock -n 9 || fail "cannot lock $work"
    for leftover in "$SYNC_WORK_DIR"/sync_fkk_db.????????; do
        if [[ -O $leftover && ! -L $leftover ]] && flock -n "$leftover" rm -rf -- "$leftover"; then
            log "Removed $leftover, which a sync that was killed had left"
        fi
    done
}

# --- The servers ------------------------------------------------------------------------------------------------------

# client SERVER [DATABASE]: runs the SQL on standard input at the source or the target.
# --defaults-file, not --defaults-extra-file: what another option file says must not change what is copied.
# --sandbox and --skip-local-infile: text that comes from the source can neither run programs here nor read our files.
# --comments: without it the client takes the comments out of routines and triggers.
# --loose-skip-print-query-on-error: a statement that fails is the source's rows, and they do not belong in a log.
client() {
    run mariadb --defaults-file="$SYNC_CREDENTIALS_FILE" --defaults-group-suffix="_$1" --default-character-set=utf8mb4 \
        --batch --skip-column-names --raw --comments --sandbox --skip-local-infile --loose-skip-print-query-on-error \
        --no-auto-rehash --connect-timeout=30 --max-allowed-packet=1G \
        --init-command="SET sql_mode = '', lock_wait_timeout = $SYNC_LOCK_WAIT_SECONDS, group_concat_max_len = 1 << 30" \
        "${@:2}"
}

# ask SERVER SQL: the answer is in $answer, one row a line. Its last line says that it is whole: on a full disk the
# client drops rows without an error, and a table that is missing in a list would be dropped.
ask() {
    client "$1" <<<"$2 SELECT 'that is all';" || fail "the $1 did not answer: $(printed)"
    answer=$'\n'$(<printed)
    [[ $answer == *$'\nthat is all' ]] || fail "an answer of the $1 is incomplete; is the disk of $SYNC_WORK_DIR full?"
    answer=${answer%$'\nthat is all'}
    answer=${answer#$'\n'}
}

# dump SERVER FILE OPTION... DATABASE [TABLE...]
dump() {
    run mariadb-dump --defaults-file="$SYNC_CREDENTIALS_FILE" --defaults-group-suffix="_$1" \
        --default-character-set=utf8mb4 --no-tablespaces --skip-comments --max-allowed-packet=1G \
        --result-file="$2" "${@:3}" ||
        fail "cannot dump the $1: $(printed)"
}

dump_rows() {
    dump "$1" "$2" --single-transaction --quick --hex-blob --skip-triggers "$3" -- "${tables[@]}"
}

dump_definitions() {
    dump "$1" "$2" --skip-opt --set-charset --no-data --skip-triggers "${@:3}"
}

# list_none SERVER SQL COMPLAINT: fails with the list that the SQL gives, unless it is empty.
list_none() {
    ask "$1" "$2"
    [[ $answer == NULL ]] || fail "$3: $answer"
}

# Pieces of SQL
kept() { printf "FIND_IN_SET(BINARY %s, '%s')" "$1" "$SYNC_KEEP_TABLES"; }
name_of() { printf "CONCAT('\`%s\`.\`', REPLACE(%s, '\`', '\`\`'), '\`')" "$1" "$2"; }
tables_of() { printf "%s AND TABLE_TYPE <> 'VIEW'" "$(tables_and_views_of "$1")"; }
views_of() { printf "%s AND TABLE_TYPE = 'VIEW'" "$(tables_and_views_of "$1")"; }
tables_and_views_of() { printf "information_schema.TABLES WHERE TABLE_SCHEMA = '%s' AND NOT %s" "$1" "$(kept TABLE_NAME)"; }
triggers_of() {
    printf "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '%s' AND NOT %s" "$1" "$(kept EVENT_OBJECT_TABLE)"
}
routines_of() { printf "information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '%s'" "$1"; }
events_of() { printf "information_schema.EVENTS WHERE EVENT_SCHEMA = '%s'" "$1"; }
collation_of() { printf "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '%s';" "$1"; }

# Every object that is to be the same, one a line, bodies as digests. Rows have a comparison of their own.
objects_of() {
    cat <<SQL
SELECT CONCAT('table ', TABLE_NAME) AS object FROM $(tables_of "$1")
UNION ALL SELECT CONCAT('view ', TABLE_NAME) FROM $(views_of "$1")
UNION ALL SELECT CONCAT_WS(' ', 'trigger', TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, 'ON', EVENT_OBJECT_TABLE,
    ACTION_ORDER, MD5(ACTION_STATEMENT)) FROM $(triggers_of "$1")
UNION ALL SELECT CONCAT_WS(' ', LOWER(ROUTINE_TYPE), ROUTINE_NAME, MD5(ROUTINE_DEFINITION)) FROM $(routines_of "$1")
ORDER BY object;
SQL
}

check_source() {
    ask source "$SERVER_ID"
    source_server=$answer
    ask source "$(collation_of "$SYNC_SOURCE_DB")"
    source_collation=$answer
    # Without these, objects are not refused but unseen, and would be dropped at the target. What a role grants
    # information_schema does not tell.
    list_none source "SET @me = CURRENT_USER();
        SET @me = CONCAT(QUOTE(SUBSTRING_INDEX(@me, '@', 1)), '@', QUOTE(SUBSTRING_INDEX(@me, '@', -1)));
        SELECT GROUP_CONCAT(privilege SEPARATOR ', ') FROM (SELECT 'SELECT' AS privilege UNION SELECT 'SHOW VIEW'
            UNION SELECT 'EXECUTE' UNION SELECT 'TRIGGER' UNION SELECT 'EVENT') AS needed
        WHERE CURRENT_ROLE() IS NULL AND privilege NOT IN (
            SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = @me
            UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
            WHERE GRANTEE = @me AND '$SYNC_SOURCE_DB' LIKE TABLE_SCHEMA);" \
        "the account at the source lacks privileges on $SYNC_SOURCE_DB"
    client source <<<'SELECT 1 FROM mysql.proc LIMIT 0;' ||
        fail "the account at the source cannot read the bodies of routines; fix: GRANT SELECT ON mysql.proc TO it"
    ask source "SELECT TABLE_NAME FROM $(tables_of "$SYNC_SOURCE_DB") ORDER BY TABLE_NAME;"
    [[ -n $answer ]] || fail "the source has no database $SYNC_SOURCE_DB with tables; the target is not emptied"
    mapfile -t tables <<<"$answer"
    ask source "SELECT TABLE_NAME FROM $(views_of "$SYNC_SOURCE_DB") ORDER BY TABLE_NAME;"
    views=()
    [[ -z $answer ]] || mapfile -t views <<<"$answer"
    ask source "SELECT GROUP_CONCAT(TABLE_NAME SEPARATOR ', ') FROM $(tables_of "$SYNC_SOURCE_DB") AND ENGINE <> 'InnoDB';"
    [[ $answer == NULL ]] || log "Note: not in InnoDB, so their rows may be of another moment than the others': $answer"
}

check_target() {
    local name
    ask target "SELECT VERSION();"
    if ! [[ $answer =~ ^([0-9]+)\.([0-9]+).*MariaDB ]] || (( BASH_REMATCH[1] * 100 + BASH_REMATCH[2] < 1006 )); then
        fail "the target must be MariaDB 10.6 or later, where RENAME TABLE happens whole or not at all; it is $answer"
    fi
    ask target "$SERVER_ID"
    [[ $answer != "$source_server" || $SYNC_SOURCE_DB != "$SYNC_TARGET_DB" ]] ||
        fail "source and target are the same database"
    ask target "$(collation_of "$SYNC_TARGET_DB")"
    [[ -n $answer ]] || fail "the target server has no database $SYNC_TARGET_DB, or the account no access; create it first"
    # Variables of routines and triggers take it.
    [[ $answer == "$source_collation" ]] ||
        fail "the default collations differ; fix at the target: ALTER DATABASE \`$SYNC_TARGET_DB\` COLLATE $source_collation"
    while IFS= read -r -d , name; do
        ask target "SELECT COUNT(*) FROM information_schema.TABLES
            WHERE TABLE_SCHEMA = '$SYNC_TARGET_DB' AND BINARY TABLE_NAME = '$name';"
        [[ $answer == 1 ]] || fail "SYNC_KEEP_TABLES names '$name', which the target does not have"
    done <<<"${SYNC_KEEP_TABLES:+$SYNC_KEEP_TABLES,}"
    # RENAME would take the foreign key along, to the old table.
    list_none target "SELECT GROUP_CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME SEPARATOR ', ')
        FROM information_schema.REFERENTIAL_CONSTRAINTS
        WHERE UNIQUE_CONSTRAINT_SCHEMA = '$SYNC_TARGET_DB' AND NOT $(kept REFERENCED_TABLE_NAME)
        AND (CONSTRAINT_SCHEMA <> '$SYNC_TARGET_DB' OR $(kept TABLE_NAME));" \
        "a table that stays has a foreign key to one that is replaced; drop the key"
}

# --- The copy ---------------------------------------------------------------------------------------------------------

# The header and every row of each table to sha256sum. mariadb-dump writes one row a line and escapes line ends in
# values. Where an INSERT ends and the next begins is left out: that is not content.
# shellcheck disable=SC2016  # the backtick is awk's
readonly DIGEST_ROWS='
    function finish() {
        if (header == "") return
        close("sha256sum >digest")
        if ((getline digest <"digest") < 1) exit 1
        close("digest")
        print header, rows, digest
    }
    !inside && /^INSERT INTO `/ {
        if ($0 != header) { finish(); header = $0; rows = 0; print header | "sha256sum >digest" }
        inside = 1
        next
    }
    inside {
        rows++
        inside = substr($0, length($0)) != ";"
        print substr($0, 1, length($0) - 1) | "sha256sum >digest"
    }
    END { finish() }'

# Digests of the dump of one table after the other: digest_rows DUMP RESULT
digest_rows() {
    LC_ALL=C run awk "$DIGEST_ROWS" "$1" || fail "cannot read the dump: $(printed)"
    mv -- printed "$2"
}

# CREATE OR REPLACE, so that nothing is missing for a moment, and grants on routines survive. ALTER DATABASE, which
# mariadb-dump writes around objects of another collation, names the source's database: at the target another one.
replacing() {
    LC_ALL=C sed -E -e '/^(ALTER DATABASE `|\/\*M!999999)/d' -e 's,^CREATE DEFINER,CREATE OR REPLACE DEFINER,' \
        -e 's,^/\*!(50106|50001) CREATE\b,& OR REPLACE,' -- "$@"
}

without_definers() {
    # shellcheck disable=SC2016  # the backtick is sed's
    local name='(`([^`]|``)*`|"([^"]|"")*")'
    LC_ALL=C sed -E -e "s,^(CREATE OR REPLACE) DEFINER=$name(@$name)? ,\\1 ," \
        -e "s,^(/\*!50(003|106) CREATE OR REPLACE\*/) /\*!50[01]17 DEFINER=$name(@$name)?\*/,\\1," \
        -e "s,^/\*!50013 DEFINER=$name(@$name)? ,/*!50013 ," -- "$@"
}

# The beginning of a trigger is as somebody once typed it, and may name a database: tried in the staging database it
# would be made in the target. So it is written anew.
# shellcheck disable=SC2016  # the backtick is awk's
readonly UNQUALIFY_TRIGGERS='
    function eat(pattern) {
        if (!match(tolower(text), "^(" pattern ")")) {
            print "the beginning of this trigger is not understood: " text >"/dev/stderr"
            failed = 1
            exit 1
        }
        eaten = substr(text, 1, RLENGTH)
        text = substr(text, RLENGTH + 1)
        return eaten
    }
    BEGIN {
        space = "[ \t\r\n]+"
        name = "(`([^`]|``)+`|\"([^\"]|\"\")+\"|[a-z0-9_$\200-\377]+)"
        database = "(" name "[ \t\r\n]*\\.[ \t\r\n]*)?"
    }
    /^\/\*!50003 CREATE\*\// { collecting = 1; text = "" }
    !collecting { print; next }
    { text = text (text == "" ? "" : "\n") $0 }
    tolower(text) ~ "for" space "each" space "row" {
        collecting = 0
        eat("/\\*!50003 create\\*/ ")
        definer = eat("/\\*!50017 definer=[^*]*\\*/ ")
        eat("/\\*!50003 trigger" space "(if" space "not" space "exists" space ")?" database)
        trigger = eat(name)
        when = eat(space "(before|after)" space "(insert|update|delete)" space "on" space)
        eat(database)
        table = eat(name)
        eat(space "for" space "each" space "row")
        print "/*!50003 CREATE OR REPLACE*/ " definer "/*!50003 TRIGGER " trigger when table " FOR EACH ROW" text
    }
    END { if (collecting && !failed) { print "a trigger without FOR EACH ROW: " text >"/dev/stderr"; exit 1 } }'

# dump_triggers SERVER FILE DATABASE TABLE...
dump_triggers() {
    local file=$2
    dump_definitions "$1" "$file.raw" --no-create-info --triggers "$3" -- "${@:4}"
    LC_ALL=C awk "$UNQUALIFY_TRIGGERS" "$file.raw" 2>printed | replacing >"$file" ||
        fail "cannot copy the triggers: $(printed)"
}

dump_source() {
    log "Dumping $SYNC_SOURCE_DB: ${#tables[@]} tables, ${#views[@]} views..."
    dump_rows source rows.sql "$SYNC_SOURCE_DB"
    digest_rows rows.sql source.rows
    dump_definitions source routines.raw --no-create-info --routines "$SYNC_SOURCE_DB"
    replacing routines.raw | without_definers >routines.sql || fail "cannot copy the routines"
    dump_definitions source events.raw --no-create-info --events "$SYNC_SOURCE_DB"
    replacing events.raw | without_definers >events.sql || fail "cannot copy the events"
    dump_triggers source triggers.own "$SYNC_SOURCE_DB" "${tables[@]}"
    without_definers triggers.own >triggers.sql || fail "cannot copy the triggers"
    if (( ${#views[@]} > 0 )); then
        dump_definitions source views.raw "$SYNC_SOURCE_DB" -- "${views[@]}"
        # One file a view. What comes before the first DROP VIEW are stand-ins, for views that use views.
        replacing views.raw | without_definers |
            awk '/^\/\*!50001 DROP VIEW/ { close(file); file = sprintf("view.%05d", ++n); next }
                n && /^\/\*!500(01|13) / { print >file }' || fail "cannot copy the views"
    fi
    ask source "$(objects_of "$SYNC_SOURCE_DB")"
    printf '%s\n' "$answer" >source.objects
    ask source "SELECT COUNT(*) FROM $(events_of "$SYNC_SOURCE_DB");"
    [[ $(grep -c '^/\*!50106 CREATE OR REPLACE' events.sql) == "$answer" ]] ||
        fail "the dump does not have the source's $answer events"
    log "$(stat -c 'Dumped %s bytes' rows.sql)"
}

same() {
    cmp -s -- "$1" "$2" || fail "source and copy differ: $(diff -- "$1" "$2" | grep '^[<>]' | head -c 1000 | tr '\n' ' ')"
}

import() {
    log "Importing into $new..."
    staging=yes
    ask target "CREATE DATABASE \`$new\` COMMENT '$MADE_BY'; CREATE DATABASE \`$old\` COMMENT '$MADE_BY';"
    client target "$new" <rows.sql || fail "cannot import: $(printed)"
    rm -- rows.sql
    log "Verifying the copy..."
    dump_rows target copy.sql "$new"
    digest_rows copy.sql copy.rows
    rm -- copy.sql
    same source.rows copy.rows
    list_none target "SELECT GROUP_CONCAT(TABLE_NAME SEPARATOR ', ') FROM information_schema.REFERENTIAL_CONSTRAINTS
        WHERE CONSTRAINT_SCHEMA = '$new' AND UNIQUE_CONSTRAINT_SCHEMA = '$new' AND $(kept REFERENCED_TABLE_NAME);" \
        "tables of the source have a foreign key to a table that the target keeps"
    log "$(awk '{ rows += $(NF - 2) } END { printf "Verified: %d rows", rows }' source.rows) in ${#tables[@]} tables"
}

# Definitions are tried in the staging database, so that one that the target server does not take is found before the
# switch. Not the events: the server might run them.
try_definitions() {
    local pending view later
    log "Trying views, triggers and routines..."
    # Views may use the tables that stay. The structure is enough.
    ask target "SELECT CONCAT('CREATE TABLE ', $(name_of "$new" TABLE_NAME), ' AS SELECT * FROM ',
        $(name_of "$SYNC_TARGET_DB" TABLE_NAME), ' LIMIT 0;')
        FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$SYNC_TARGET_DB' AND $(kept TABLE_NAME);"
    client target "$new" <<<"$answer" || fail "cannot make stand-ins for the tables that stay: $(printed)"
    client target "$new" <routines.sql || fail "the target does not take the routines: $(printed)"
    # Views may use views. The order is found by trying.
    : >views.sql
    pending=(view.*)
    while [[ -e ${pending[0]-} ]]; do
        later=()
        for view in "${pending[@]}"; do
            if client target "$new" <"$view"; then
                cat -- "$view" >>views.sql
            else
                later+=("$view")
            fi
        done
        (( ${#later[@]} < ${#pending[@]} )) || fail "the target does not take a view: $(printed)"
        pending=("${later[@]}")
    done
    client target "$new" <triggers.sql || fail "the target does not take the triggers: $(printed)"
    ask target "$(objects_of "$new")"
    printf '%s\n' "$answer" >copy.objects
    same source.objects copy.objects
}

# --- The switch -------------------------------------------------------------------------------------------------------

# Writes before.sql (undoes step 2), after.sql (step 4) and switch.sql (steps 2 and 3).
plan_switch() {
    local triggered=()
    list_none target "SELECT GROUP_CONCAT(TRIGGER_NAME SEPARATOR ', ') FROM information_schema.TRIGGERS
        WHERE TRIGGER_SCHEMA = '$SYNC_TARGET_DB' AND $(kept EVENT_OBJECT_TABLE)
        AND TRIGGER_NAME IN (SELECT TRIGGER_NAME FROM $(triggers_of "$new"));" \
        "tables that stay have triggers of the same name as triggers of the source"

    # What the source does not have. Events all: they were not tried, so the copy has none to compare with.
    ask target "SELECT CONCAT('DROP VIEW IF EXISTS ', $(name_of "$SYNC_TARGET_DB" TABLE_NAME), ';')
        FROM $(views_of "$SYNC_TARGET_DB") AND TABLE_NAME NOT IN (SELECT TABLE_NAME FROM $(views_of "$new"))
        UNION ALL SELECT CONCAT('DROP ', ROUTINE_TYPE, ' IF EXISTS ', $(name_of "$SYNC_TARGET_DB" ROUTINE_NAME), ';')
        FROM $(routines_of "$SYNC_TARGET_DB")
        AND CONCAT(ROUTINE_TYPE, ROUTINE_NAME) NOT IN
            (SELECT CONCAT(ROUTINE_TYPE, ROUTINE_NAME) FROM $(routines_of "$new"))
        UNION ALL SELECT CONCAT('DROP EVENT IF EXISTS ', $(name_of "$SYNC_TARGET_DB" EVENT_NAME), ';')
        FROM $(events_of "$SYNC_TARGET_DB");"
    { printf '%s\n' "$answer"; cat routines.sql views.sql triggers.sql events.sql; } >after.sql

    : >before.sql
    ask target "SELECT DISTINCT EVENT_OBJECT_TABLE FROM $(triggers_of "$SYNC_TARGET_DB");"
    if [[ -n $answer ]]; then
        mapfile -t triggered <<<"$answer"
        dump_triggers target before.sql "$SYNC_TARGET_DB" "${triggered[@]}"
    fi

    # The copy's triggers were only a trial.
    ask target "SELECT CONCAT('DROP TRIGGER ', $(name_of "$new" TRIGGER_NAME), ';') FROM $(triggers_of "$new");"
    client target <<<"$answer" || fail "cannot drop the copy's triggers: $(printed)"
    ask target "SELECT CONCAT('DROP TRIGGER ', $(name_of "$SYNC_TARGET_DB" TRIGGER_NAME), ';')
        FROM $(triggers_of "$SYNC_TARGET_DB");
        SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT(move ORDER BY turn SEPARATOR ', '), ';') FROM (
        SELECT 1 AS turn, CONCAT($(name_of "$SYNC_TARGET_DB" TABLE_NAME), ' TO ', $(name_of "$old" TABLE_NAME)) AS move
        FROM $(tables_of "$SYNC_TARGET_DB")
        UNION ALL SELECT 2, CONCAT($(name_of "$new" TABLE_NAME), ' TO ', $(name_of "$SYNC_TARGET_DB" TABLE_NAME))
        FROM $(tables_of "$new")
        UNION ALL SELECT 3, '\`$new\`.$SWITCH TO \`$old\`.$SWITCH') AS moves;"
    printf '%s\n' "$answer" >switch.sql
}

switch_target() {
    log "Switching to the new tables..."
    {
        echo "CREATE TABLE $SWITCH (to_undo LONGBLOB NOT NULL, to_finish LONGBLOB NOT NULL) ENGINE=InnoDB;"
        echo "INSERT INTO $SWITCH VALUES (FROM_BASE64('$(base64 before.sql)'), FROM_BASE64('$(base64 after.sql)'));"
    } >plan.sql
    client target "$new" <plan.sql || fail "cannot write down the switch: $(printed)"
    # A switch that has begun is brought to its end; it is short, but for the locks it may wait for.
    trap '' TERM INT HUP
    switching=yes
    client target <switch.sql || fail "cannot switch: $(printed)"
    settle
    switching=
}

# Brings a switch to its end, or back to its beginning if the tables were not switched; drops the helper databases.
settle() {
    local found
    ask target "SELECT TABLE_SCHEMA FROM information_schema.TABLES
        WHERE TABLE_SCHEMA IN ('$new', '$old') AND TABLE_NAME = '$SWITCH';"
    found=$answer
    [[ -z $found ]] || target_is='a switch that was interrupted is not settled yet'
    if [[ $found == "$old" ]]; then
        [[ -n $switching ]] || log "Finishing a switch that was interrupted..."
        ask target "SELECT TO_BASE64(to_finish) FROM \`$old\`.$SWITCH;"
        base64 -d <<<"$answer" >settle.sql || fail "cannot read $old.$SWITCH"
        client target "$SYNC_TARGET_DB" <settle.sql ||
            fail "the target has its new tables, but not all views, triggers, routines and events; no sync goes on before" \
                "it has them, or before somebody gives them up and drops the database $old: $(printed)"
    elif [[ $found == "$new" ]]; then
        ask target "SELECT TO_BASE64(to_undo) FROM \`$new\`.$SWITCH;"
        base64 -d <<<"$answer" >settle.sql || fail "cannot read $new.$SWITCH"
        if [[ -s settle.sql ]]; then
            log "Undoing a switch that was interrupted..."
            # The account may be unable to name the old DEFINERs. Triggers of its own are better than none.
            if ! client target "$SYNC_TARGET_DB" <settle.sql; then
                without_definers settle.sql >own.sql || fail "cannot put back the triggers; is the disk full?"
                client target "$SYNC_TARGET_DB" <own.sql ||
                    fail "the target has its old tables, but not all their triggers: $(printed)"
            fi
        fi
    fi
    ask target "SELECT CONCAT('DROP DATABASE \`', SCHEMA_NAME, '\`;') FROM information_schema.SCHEMATA
        WHERE SCHEMA_NAME IN ('$new', '$old') AND SCHEMA_COMMENT = '$MADE_BY';"
    client target <<<"$answer" || fail "cannot drop $new and $old: $(printed)"
    staging=
    target_is='the target is as it was'
}

# --- The sync ---------------------------------------------------------------------------------------------------------

settings_file=${SYNC_SETTINGS_FILE:-$(cd -- "$(dirname -- "$0")" && pwd)/sync_fkk_db.conf}
read_settings "$settings_file"
: "${SYNC_CREDENTIALS_FILE:=$(dirname -- "$settings_file")/sync_fkk_db.cnf}" "${SYNC_KEEP_TABLES:=}" \
    "${SYNC_WORK_DIR:=/var/tmp}" "${SYNC_LOCK_WAIT_SECONDS:=60}" \
    "${SYNC_LOCK_PATH:=/tmp/sync_fkk_db.lock}" "${SYNC_LOG_PATH:=/var/log/sync_fkk_db.log}"
check_settings
readonly new=${SYNC_TARGET_DB}_sync_new old=${SYNC_TARGET_DB}_sync_old

trap cleanup EXIT
trap 'stopped TERM 143' TERM
trap 'stopped INT 130' INT
trap 'stopped HUP 129' HUP

take_lock
log "=== Starting database sync${SYNC_RUN_ID:+ (run $SYNC_RUN_ID)} ==="

for tool in mariadb mariadb-dump; do
    command -v "$tool" >/dev/null || fail "$tool is missing; fix: apt-get install mariadb-client"
done
[[ -f $SYNC_CREDENTIALS_FILE && -r $SYNC_CREDENTIALS_FILE ]] ||
    fail "the credentials $SYNC_CREDENTIALS_FILE cannot be read; start from sync_fkk_db.cnf.example"
if (( 8#$(stat -L -c %a -- "$SYNC_CREDENTIALS_FILE") & 8#077 )); then
    fail "others can read or write the credentials; fix: chmod 600 $SYNC_CREDENTIALS_FILE"
fi
make_work_folder

settle
check_source
check_target
dump_source
import
try_definitions
plan_switch
switch_target
log "=== Sync completed successfully, $SECONDS s ==="
