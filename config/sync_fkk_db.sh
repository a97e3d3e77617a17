#!/bin/bash
#
# Replaces the tables of one MariaDB or MySQL database (the target) by a consistent copy of another (the source), usually
# on another server, with its views, triggers, routines and events.
#
# Written for MariaDB 10.6 and MySQL 8.0 or later. Tested on MariaDB only, with clients and servers that refuse the options
# and statements which MySQL 8 lacks. Try it on a copy of your MySQL target first.
#
# Settings: sync_fkk_db.conf in this script's folder, or the file in SYNC_SETTINGS_FILE. sync_fkk_db.conf.example explains
# them. Credentials: an option file, see sync_fkk_db.cnf.example. No secret is in arguments or in the environment.
#
# Exit codes: 0 synced, 2 already running, anything else failed.
#
# The lock file exists while a sync runs, and this script and its clients hold flock on it. The kernel releases flock when
# the last of them ends, also after KILL, and the next sync takes over the file. A lock file of another script is respected
# as long as it exists.
#
# How the target is replaced, and what holds if it is interrupted
#
#   1. The source is dumped in one transaction and imported into <target>_sync_new on the target server. There the rows
#      are read back and compared with the dump, table by table (number and SHA-256), and all definitions but events
#      are tried. A failure up to this point leaves the target untouched. Tables that the target has already are not
#      imported. "Tables that are equal already", below, says why that is correct.
#   2. Triggers cannot move across databases, so the target's are dropped. The table sync_fkk_db_switch in
#      <target>_sync_new has what is needed to undo this and to finish the switch.
#   3. One RENAME TABLE moves all old tables to <target>_sync_old, all new ones to the target, and sync_fkk_db_switch
#      along with them. All of this happens or nothing, even if the server dies meanwhile.
#   4. Views, routines, triggers and events of the target are replaced, one by one, and both helper databases dropped.
#
# Only step 3 is atomic: a statement sees all the old tables or all the new ones. From step 2 to 4, usually for a
# moment, writes fire no triggers, and views and routines may still be the old ones.
# The script settles an interrupted switch during its cleanup, or otherwise at the beginning of its next run. It needs only
# the target server: the place of sync_fkk_db_switch shows whether step 3 happened. If it did, the script finishes step 4. If
# not, it restores the triggers.
#
# - Tables in SYNC_KEEP_TABLES stay as they are, with their triggers. Everything else that the source does not have is
#   dropped, and writes of other programs into the target are lost.
# - DEFINERs are left out, so everything belongs to the account of the sync. The accounts of the source rarely exist at
#   the target (calling the object would fail), and a source that could choose one could have its code run as root there.
# - Routines and events are dropped and created again, which ends a grant on one routine. Grant on the database instead.
# - A view, routine or event that names the source's database names the same database at the target.
# - The history of system-versioned tables is not copied. Accounts and grants stay unchanged.

set -euo pipefail

readonly SWITCH=sync_fkk_db_switch           # the table that describes a switch
# A table in each helper database; the script drops no others, unless they are empty. A database is dropped table by
# table, so the name sorts after all others.
readonly HELPER=zz_made_by_sync_fkk_db
readonly WORK_MARK=made_by_sync_fkk_db       # a file in our own folders; the script removes no other folders
readonly LOCK_MARK='held with flock'         # second line of our lock files; the script takes over no others
readonly PREPARED_MARK=prepared_by_sync      # in the names of our prepared locks; the script removes no others
readonly AT_ONCE=2                           # how many big tables are copied and compared at once, at most 9
readonly SMALL=$((1 << 20))                  # a table with fewer bytes of dump is small
readonly SERVER_ID="SELECT CONCAT_WS(':', @@hostname, @@port, @@datadir);"
readonly SETTINGS=(SYNC_SOURCE_DB SYNC_TARGET_DB SYNC_KEEP_TABLES SYNC_CREDENTIALS_FILE SYNC_WORK_DIR
    SYNC_LOCK_WAIT_SECONDS SYNC_LOCK_PATH SYNC_LOG_PATH)

work=            # our own folder, with the dump; it is the working directory
lock=            # descriptor of our lock file
prepared=        # our lock file before it gets its name
children=()      # the programs that run now
outputs=()       # what the names of their output files begin with
prefix=          # the same for the next program; `run` does not wait for it if this is set
guard=           # the client that keeps writers away from the equal tables
guarding=        # its connection
die_with_us=(setpriv --pdeathsig KILL --)
must_go_on=      # set where exiting would do harm: in the switch and during the cleanup
already_running=
staging=         # set while helper databases of this run may exist
switching=
target_is='the target is as it was'
answer=          # the answer to `ask`
client_options=()
dump_options=()

# The file comes first, because it is permanent. A sync that cannot write its log stops, unless it must finish.
log() {
    local line written=yes
    printf -v line '[%(%Y-%m-%d %H:%M:%S)T] %s' -1 "$1"
    printf '%s\n' "$line" >>"$SYNC_LOG_PATH" || written=
    # In a subshell: if the reader of our output is gone, SIGPIPE ends the process that writes.
    (printf '%s\n' "$line") 2>/dev/null || true
    [[ -n $written || -n $must_go_on ]] || exit 1
}

fail() {
    log "ERROR: $*"
    exit 1
}

# Without the log: for errors before the log is known to work.
refuse() {
    printf 'ERROR: %s\n' "$1" >&2
    exit 1
}

# bash runs a trap only after the program in the foreground has ended. So programs that may take long run in the background,
# and the script waits for them; TERM interrupts the wait. Their error output becomes the reason in the log. If this script is
# killed, the kernel kills them too. Until they are gone they hold the lock, because they inherit its descriptor: an import
# that continued would write into the next run's database.
run() {
    local status=0
    "${die_with_us[@]}" "$@" <&0 >"${prefix}answered" 2>"${prefix}printed" &
    children+=("$!")
    outputs+=("$prefix")
    [[ -z $prefix ]] || return 0
    wait "${children[-1]}" || status=$?
    forget_last
    return "$status"
}

forget_last() {
    unset 'children[-1]' 'outputs[-1]'
}

# beside NAME FUNCTION...: starts the program that the function runs, and does not wait for it. Its output goes to NAME.answered
# and NAME.printed. No subshell does this, because the kernel would not end a subshell with this script.
beside() {
    local prefix=$1.
    "${@:2}"
}

# wait_for_all COMPLAINT: waits for the programs that `beside` started.
wait_for_all() {
    local number status
    for number in "${!children[@]}"; do
        status=0
        wait "${children[number]}" || status=$?
        unset 'children[number]'
        (( status == 0 )) || fail "$1: $(printed "${outputs[number]}")"
    done
    outputs=()
}

printed() {
    local file=${1-}printed
    if [[ -s $file ]]; then
        head -c 1000 -- "$file" | tr '\n' ' '
    else
        echo "no reason given; is the disk full?"
    fi
}

stopped() {
    trap '' TERM INT HUP
    must_go_on=yes
    log "ERROR: stopped by SIG$1; $target_is"
    exit "$2"
}

cleanup() {
    # This runs inside the function that ends the script, and sees that function's variables.
    local status=$? prefix=
    trap '' TERM INT HUP
    must_go_on=yes
    set +e
    children+=(${guard:+"$guard"})
    if (( ${#children[@]} > 0 )); then
        kill -TERM "${children[@]}" 2>/dev/null
        wait "${children[@]}" 2>/dev/null
    fi
    if [[ -n $staging ]]; then
        # A subshell, so that a failure in it does not end the cleanup.
        (settle) || log "The next run settles what is left on the target server"
    fi
    if [[ -n $work ]]; then
        rm -rf -- "$work"
    fi
    if [[ -n $lock && $SYNC_LOCK_PATH -ef /proc/self/fd/$lock ]]; then
        rm -f -- "$SYNC_LOCK_PATH"
    fi
    if [[ -n $prepared ]]; then
        rm -f -- "$prepared"
    fi
    # 2 means "already running", and the clients end with 2 for reasons of their own.
    if [[ $status -eq 2 && -z $already_running ]]; then
        status=1
    fi
    exit "$status"
}

# --- Settings and lock ------------------------------------------------------------------------------------------------

# The file is read, never sourced: a settings file must not be able to execute anything.
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
    check_lock_wait
    [[ $SYNC_KEEP_TABLES != *[\'\\]* ]] || refuse "SYNC_KEEP_TABLES cannot hold names with ' or \\"
    : >>"$SYNC_LOG_PATH" || refuse "cannot write to the log $SYNC_LOG_PATH; check SYNC_LOG_PATH and the folder's permissions"
}

# A switch that has begun does not stop on TERM: it waits for the tables' locks, and where it does not get them it waits
# again to put the triggers back. KILL in between would leave the target without triggers.
check_lock_wait() {
    local grace=${SYNC_STOP_GRACE_SECONDS-} longest needed fix
    [[ $grace =~ ^[0-9]{1,5}$ ]] || return 0
    needed=$((SYNC_LOCK_WAIT_SECONDS < 3 ? SYNC_LOCK_WAIT_SECONDS + 3 : 2 * SYNC_LOCK_WAIT_SECONDS))
    longest=$((grace < 6 ? grace - 3 : grace / 2))
    fix="set SYNC_STOP_GRACE_SECONDS of sync-service to $needed"
    (( longest < 1 )) || fix="set SYNC_LOCK_WAIT_SECONDS to $longest, or $fix"
    (( needed <= grace )) ||
        refuse "SYNC_LOCK_WAIT_SECONDS=$SYNC_LOCK_WAIT_SECONDS needs $needed s to stop in the switch, and sync-service kills after $grace s; fix: $fix"
}

# The lock file is prepared under another name, so that it never appears under its own without its lock and its lines.
take_lock() {
    local holder='' seen='' reason=''
    prepare_lock
    for _ in {1..50}; do
        # A hard link either creates the lock or fails, with no moment between looking and creating.
        # An ln that was killed may have created it.
        if reason=$(ln -T -- "$prepared" "$SYNC_LOCK_PATH" 2>&1) || [[ $SYNC_LOCK_PATH -ef /proc/self/fd/$lock ]]; then
            rm -f -- "$prepared"
            return
        elif [[ -f $SYNC_LOCK_PATH && ! -L $SYNC_LOCK_PATH ]]; then
            seen=yes
            take_over && return
        elif [[ -e $SYNC_LOCK_PATH || -L $SYNC_LOCK_PATH ]]; then
            fail "the lock $SYNC_LOCK_PATH is there, but it is not a file"
        fi
        # The file vanished or was replaced between two looks, because other syncs start or end. The next look decides.
        sleep 0.1
    done
    # If no other lock was ever seen, no other sync is running.
    [[ -n $seen ]] || fail "cannot create the lock $SYNC_LOCK_PATH: $reason"
    leave_to_others
}

# Until the prepared file is locked, it looks like one that a killed sync left, and a running sync may remove it. Then this
# one prepares another. A locked one is safe.
prepare_lock() {
    for _ in {1..20}; do
        prepared=$(mktemp -- "$SYNC_LOCK_PATH.$PREPARED_MARK.XXXXXXXX") || fail "cannot create the lock $SYNC_LOCK_PATH"
        # Opened for reading, because that never creates a file that is gone.
        if { exec {lock}<"$prepared"; } 2>/dev/null; then
            if flock -n "$lock" && [[ ! -L $prepared && $prepared -ef /proc/self/fd/$lock ]]; then
                printf '%s\n%s\n' $$ "$LOCK_MARK" >"/proc/self/fd/$lock" || fail "cannot write to $prepared"
                chmod 644 -- "$prepared"
                return
            fi
            exec {lock}<&-
        fi
        lock=
        rm -f -- "$prepared"
        sleep 0.1
    done
    fail "cannot lock $prepared; the lock must be on a disk of this machine"
}

leave_to_others() {
    already_running=yes
    log "ERROR: Sync is already running (lock file $SYNC_LOCK_PATH, PID ${holder:-unknown})"
    exit 2
}

# Replaces a lock file that a killed sync left. Exits with 2 if that is not certain.
take_over() {
    local file mark='' locked=yes
    { exec {file}<"$SYNC_LOCK_PATH"; } 2>/dev/null || return 1
    { read -r holder && read -r mark; } <&"$file" || true
    # Waits a moment, because sync-service takes the lock for an instant to see whether it is held.
    flock -w 1 "$file" || locked=
    if [[ $SYNC_LOCK_PATH -ef /proc/self/fd/$file ]]; then
        [[ -n $locked && $mark == "$LOCK_MARK" ]] || leave_to_others
        # No other sync replaces it meanwhile, because we hold its lock.
        mv -fT -- "$prepared" "$SYNC_LOCK_PATH" || fail "cannot replace the lock $SYNC_LOCK_PATH"
        exec {file}<&-
        log "Took over the lock of a sync that was killed (PID $holder)"
        return 0
    fi
    exec {file}<&-
    return 1
}

# Removes what syncs left that were killed before their lock got its name. The file may be empty; its name shows that it is
# ours. Only the sync that holds the lock does this, so no two do it at once.
remove_prepared() {
    local leftover
    for leftover in "$SYNC_LOCK_PATH.$PREPARED_MARK".????????; do
        if [[ -f $leftover && ! -L $leftover && -O $leftover ]] && flock -n "$leftover" rm -f -- "$leftover"; then
            log "Removed $leftover, a lock that nobody held"
        fi
    done
}

# The dump is the source's data, not encrypted. The folder of a killed sync is no longer locked, and is removed.
make_work_folder() {
    local leftover
    work=$(mktemp -d -- "$SYNC_WORK_DIR/sync_fkk_db.XXXXXXXX") || fail "cannot write to $SYNC_WORK_DIR"
    cd -- "$work"
    exec 9<.
    flock -n 9 || fail "cannot lock $work"
    : >"$WORK_MARK"
    for leftover in "$SYNC_WORK_DIR"/sync_fkk_db.????????; do
        if [[ -d $leftover && ! -L $leftover && -O $leftover && -f $leftover/$WORK_MARK && ! $leftover -ef . ]] &&
            flock -n "$leftover" rm -rf -- "$leftover"; then
            log "Removed $leftover, which a sync that was killed had left"
        fi
    done
}

# --- The servers ------------------------------------------------------------------------------------------------------

# MariaDB's programs, or MySQL's under the names that both have, and the options that only some of them know.
find_clients() {
    local pair
    for pair in 'mariadb mariadb-dump' 'mysql mysqldump'; do
        read -r client_program dump_program <<<"$pair"
        if command -v "$client_program" >/dev/null && command -v "$dump_program" >/dev/null; then
            # --sandbox: the client executes no program and reads no file, whatever its input says.
            # --print-query-on-error: a failed statement contains the source's rows, which must not be in a log.
            # --column-statistics asks for a table that older servers lack. --set-gtid-purged writes a statement into the
            # dump that needs all privileges at the target.
            known "$client_program" client_options sandbox=--sandbox print-query-on-error=--skip-print-query-on-error
            known "$dump_program" dump_options column-statistics=--column-statistics=0 set-gtid-purged=--set-gtid-purged=OFF
            return
        fi
    done
    fail "the client programs are missing; fix: apt-get install mariadb-client"
}

# known PROGRAM RESULT NAME=OPTION...: the options whose names the program's help lists.
known() {
    local -n result=$2
    local help entry
    help=$("$1" --no-defaults --help 2>/dev/null) || fail "$1 --help failed"
    result=()
    for entry in "${@:3}"; do
        if [[ $help =~ --${entry%%=*}[^a-z-] ]]; then
            result+=("${entry#*=}")
        fi
    done
}

# client SERVER [DATABASE]: runs the SQL on standard input at the source or the target.
# --defaults-file, not --defaults-extra-file: another option file must not change what is copied.
# --binary-mode and --skip-local-infile: text from the source can neither execute programs here nor read our files.
# --comments: without it the client removes the comments from routines and triggers.
client() {
    run "$client_program" --defaults-file="$SYNC_CREDENTIALS_FILE" --defaults-group-suffix="_$1" \
        --default-character-set=utf8mb4 --batch --skip-column-names --raw --comments --binary-mode --skip-local-infile \
        --no-auto-rehash --connect-timeout=30 --max-allowed-packet=1G "${client_options[@]}" \
        --init-command="SET sql_mode = '', lock_wait_timeout = $lock_wait, group_concat_max_len = 1 << 30" "${@:2}"
}

# ask SERVER SQL: puts the answer into $answer, one row per line. Its last line proves that it is complete: on a full disk the
# client loses rows without an error, and a table that is missing from a list would be dropped.
ask() {
    client "$1" <<<"$2 SELECT 'that is all';" || fail "the $1 did not answer: $(printed)"
    answer=$'\n'$(<answered)
    [[ $answer == *$'\nthat is all' ]] || fail "an answer of the $1 is incomplete; is the disk of $SYNC_WORK_DIR full?"
    answer=${answer%$'\nthat is all'}
    answer=${answer#$'\n'}
}

# dump SERVER FILE OPTION... DATABASE [TABLE...]
dump() {
    run "$dump_program" --defaults-file="$SYNC_CREDENTIALS_FILE" --defaults-group-suffix="_$1" \
        --default-character-set=utf8mb4 --no-tablespaces --skip-comments --max-allowed-packet=1G "${dump_options[@]}" \
        --result-file="$2" "${@:3}" ||
        fail "cannot dump the $1: $(printed)"
}

readonly ROW_OPTIONS=(--single-transaction --quick --hex-blob --skip-triggers)

# dump_rows SERVER FILE DATABASE TABLE...
dump_rows() {
    dump "$1" "$2" "${ROW_OPTIONS[@]}" "$3" -- "${@:4}"
}

dump_definitions() {
    dump "$1" "$2" --skip-opt --set-charset --no-data --skip-triggers "${@:3}"
}

# list_none SERVER SQL COMPLAINT: fails with the list that the SQL returns, unless it is empty.
list_none() {
    ask "$1" "$2"
    [[ $answer == NULL ]] || fail "$3: $answer"
}

# Pieces of SQL
quoted() { printf "\`%s\`" "${1//\`/\`\`}"; }
kept() { printf "FIND_IN_SET(CAST(%s AS BINARY), '%s')" "$1" "$SYNC_KEEP_TABLES"; }
name_of() { printf "CONCAT('\`%s\`.\`', REPLACE(%s, '\`', '\`\`'), '\`')" "$1" "$2"; }
tables_of() { printf "%s AND TABLE_TYPE <> 'VIEW'" "$(tables_and_views_of "$1")"; }
views_of() { printf "%s AND TABLE_TYPE = 'VIEW'" "$(tables_and_views_of "$1")"; }
tables_and_views_of() {
    printf "information_schema.TABLES WHERE TABLE_SCHEMA = '%s' AND TABLE_NAME <> '$HELPER' AND NOT %s" "$1" "$(kept TABLE_NAME)"
}
triggers_of() {
    printf "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '%s' AND NOT %s" "$1" "$(kept EVENT_OBJECT_TABLE)"
}
routines_of() { printf "information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '%s'" "$1"; }
events_of() { printf "information_schema.EVENTS WHERE EVENT_SCHEMA = '%s'" "$1"; }
not_innodb() { printf "SELECT GROUP_CONCAT(TABLE_NAME SEPARATOR ', ') FROM %s AND ENGINE <> 'InnoDB';" "$(tables_of "$1")"; }
collation_of() { printf "SELECT DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '%s';" "$1"; }

# Every object that must be the same, one per line, bodies as digests. Rows are compared separately.
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

# check_server SERVER: puts the kind of server into $kind and its version into $version, such as 1006 for 10.6.
check_server() {
    ask "$1" "SELECT VERSION();"
    [[ $answer =~ ^([0-9]+)\.([0-9]+) ]] || fail "the version of the $1 is not understood: $answer"
    version=$((BASH_REMATCH[1] * 100 + BASH_REMATCH[2]))
    kind=MySQL
    [[ $answer != *MariaDB* ]] || kind=MariaDB
}

check_source() {
    check_server source
    source_kind=$kind
    ask source "$SERVER_ID"
    source_server=$answer
    ask source "$(collation_of "$SYNC_SOURCE_DB")"
    source_collation=$answer
    # Without these privileges, objects are not refused but invisible, and would be dropped at the target. information_schema
    # does not show what a role grants.
    list_none source "SET @me = CURRENT_USER();
        SET @me = CONCAT(QUOTE(SUBSTRING_INDEX(@me, '@', 1)), '@', QUOTE(SUBSTRING_INDEX(@me, '@', -1)));
        SELECT GROUP_CONCAT(privilege SEPARATOR ', ') FROM (SELECT 'SELECT' AS privilege UNION SELECT 'SHOW VIEW'
            UNION SELECT 'EXECUTE' UNION SELECT 'TRIGGER' UNION SELECT 'EVENT') AS needed
        WHERE COALESCE(CURRENT_ROLE(), 'NONE') = 'NONE' AND privilege NOT IN (
            SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = @me
            UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES
            WHERE GRANTEE = @me AND '$SYNC_SOURCE_DB' LIKE TABLE_SCHEMA);" \
        "the account at the source lacks privileges on $SYNC_SOURCE_DB"
    list_none source "SELECT GROUP_CONCAT(ROUTINE_NAME SEPARATOR ', ') FROM $(routines_of "$SYNC_SOURCE_DB")
        AND ROUTINE_DEFINITION IS NULL;" \
        "the account at the source cannot read the bodies of routines; fix: $([[ $kind == MySQL ]] &&
            echo 'GRANT SHOW_ROUTINE ON *.*' || echo 'GRANT SELECT ON mysql.proc') TO it"
    ask source "SELECT TABLE_NAME FROM $(tables_of "$SYNC_SOURCE_DB") ORDER BY TABLE_NAME;"
    [[ -n $answer ]] || fail "the source has no database $SYNC_SOURCE_DB with tables; the target is not emptied"
    mapfile -t tables <<<"$answer"
    ask source "SELECT TABLE_NAME FROM $(views_of "$SYNC_SOURCE_DB") ORDER BY TABLE_NAME;"
    views=()
    [[ -z $answer ]] || mapfile -t views <<<"$answer"
    ask source "$(not_innodb "$SYNC_SOURCE_DB")"
    [[ $answer == NULL ]] || log "Note: not in InnoDB, so their rows may be of another moment than the others': $answer"
}

check_target() {
    local name
    check_server target
    (( version >= ($([[ $kind == MySQL ]] && echo 800 || echo 1006)) )) ||
        fail "the target must be MariaDB 10.6 or MySQL 8.0 or later, where RENAME TABLE happens whole or not at all; it is $answer"
    [[ $kind == "$source_kind" ]] || fail "the source is $source_kind and the target $kind; they must be of one kind"
    if [[ $kind == MySQL ]]; then
        list_none source "$(not_innodb "$SYNC_SOURCE_DB")" "MySQL switches only InnoDB tables whole or not at all; the source has others"
        list_none target "$(not_innodb "$SYNC_TARGET_DB")" "MySQL switches only InnoDB tables whole or not at all; the target has others"
    fi
    ask target "$SERVER_ID"
    [[ $answer != "$source_server" || $SYNC_SOURCE_DB != "$SYNC_TARGET_DB" ]] ||
        fail "source and target are the same database"
    ask target "$(collation_of "$SYNC_TARGET_DB")"
    [[ -n $answer ]] || fail "the target server has no database $SYNC_TARGET_DB, or the account no access; create it first"
    # Variables of routines and triggers use it.
    [[ $answer == "$source_collation" ]] ||
        fail "the default collations differ; fix at the target: ALTER DATABASE \`$SYNC_TARGET_DB\` COLLATE $source_collation"
    while IFS= read -r -d , name; do
        ask target "SELECT COUNT(*) FROM information_schema.TABLES
            WHERE TABLE_SCHEMA = '$SYNC_TARGET_DB' AND CAST(TABLE_NAME AS BINARY) = '$name';"
        [[ $answer == 1 ]] || fail "SYNC_KEEP_TABLES names '$name', which the target does not have"
    done <<<"${SYNC_KEEP_TABLES:+$SYNC_KEEP_TABLES,}"
    # RENAME would move the foreign key along to the old table.
    list_none target "SELECT GROUP_CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME SEPARATOR ', ')
        FROM information_schema.REFERENTIAL_CONSTRAINTS
        WHERE UNIQUE_CONSTRAINT_SCHEMA = '$SYNC_TARGET_DB' AND NOT $(kept REFERENCED_TABLE_NAME)
        AND (CONSTRAINT_SCHEMA <> '$SYNC_TARGET_DB' OR $(kept TABLE_NAME));" \
        "a table that stays has a foreign key to one that is replaced; drop the key"
}

# --- The copy ---------------------------------------------------------------------------------------------------------

# Sends the header and every row of each table to sha256sum. Line ends in values are escaped. MariaDB writes one row per line,
# MySQL one INSERT per line. The boundary between two INSERTs is left out, because it is not content.
# shellcheck disable=SC2016  # the backtick is awk's
readonly DIGEST_ROWS='
    function finish() {
        if (header == "") return
        close(sum)
        if ((getline digest <file) < 1) exit 1
        close(file)
        print header, rows, digest "\n"
    }
    function begin(text) {
        if (text == header) return
        finish()
        header = text
        rows = 0
        print header "\n" | sum
    }
    function count_rows(text) {
        gsub(/\\./, "", text)
        gsub(/\047[^\047]*\047/, "", text)
        return gsub(/\),\(/, "", text) + 1
    }
    BEGIN { ORS = ""; sum = "sha256sum >" file }
    !inside && match($0, /^INSERT INTO `([^`]|``)*`( \((`([^`]|``)*`(, ?)?)*\))? VALUES/) {
        values = substr($0, RLENGTH + 2)
        begin(substr($0, 1, RLENGTH))
        inside = values == ""
        if (inside) next
        rows += count_rows(values)
        print substr(values, 1, length(values) - 1) "," | sum
        next
    }
    inside {
        rows++
        inside = substr($0, length($0)) != ";"
        print substr($0, 1, length($0) - 1) "\n" | sum
    }
    END { finish() }'

# digest DUMP: the answer is one line per table that has rows.
digest() {
    LC_ALL=C run awk -v file="${prefix}digest" "$DIGEST_ROWS" "$1"
}

# Divides the dump. definitions.sql is all but the rows, session.sql its beginning, which every client needs. The rows of a table
# are the part from LOCK TABLES to UNLOCK TABLES. No other line begins like this, because line ends in values are escaped.
declare -A rows_begin=() rows_size=()
divide_dump() {
    local begin line name=
    # shellcheck disable=SC2016  # the backticks are MariaDB's
    LC_ALL=C grep -abE '^(LOCK TABLES `.*` WRITE|UNLOCK TABLES);$' rows.sql >parts || true
    while IFS=: read -r begin line; do
        if [[ $line == LOCK* ]]; then
            name=${line#*\`}
            name=${name%\`*}
            name=${name//\`\`/\`}
            rows_begin[$name]=$begin
        else
            rows_size[$name]=$((begin + ${#line} + 1 - ${rows_begin[$name]}))
        fi
    done <parts
    LC_ALL=C sed '/^LOCK TABLES `/,/^UNLOCK TABLES;$/d' rows.sql >definitions.sql || fail "cannot read the dump"
    LC_ALL=C sed '/^DROP /,$d' definitions.sql >session.sql || fail "cannot read the dump"
}

# share_out TABLE...: writes the names of the tables to one file per client, lane.1 and so on, so that each client has about as
# many bytes to do. All small tables are in lane.0.
share_out() {
    local name size lane least totals=()
    rm -f -- lane.*
    : >big
    for name in "$@"; do
        [[ -n ${rows_size[$name]-} ]] || continue  # a sequence, which has no rows
        if (( ${rows_size[$name]} < SMALL )); then
            printf '%s\n' "$name" >>lane.0
        else
            printf '%s %s\n' "${rows_size[$name]}" "$name" >>big
        fi
    done
    sort -rn -o big -- big
    while IFS= read -r name; do
        size=${name%% *}
        name=${name#* }
        least=1
        for ((lane = 2; lane <= AT_ONCE; lane++)); do
            (( ${totals[lane]-0} >= ${totals[least]-0} )) || least=$lane
        done
        totals[least]=$((${totals[least]-0} + size))
        printf '%s\n' "$name" >>"lane.$least"
    done <big
}

# rows_of LANE: the part of the dump that a client needs to import the rows of its tables.
rows_of() {
    local name
    cat session.sql
    while IFS= read -r name; do
        dd if=rows.sql bs=1M iflag=skip_bytes,count_bytes skip="${rows_begin[$name]}" count="${rows_size[$name]}" status=none
    done <"$1"
}

# digest_copy DATABASE RESULT TABLE...: the digests of tables at the target, read back from there.
digest_copy() {
    local lane names
    share_out "${@:3}"
    for lane in lane.*; do
        [[ -e $lane ]] || continue
        mapfile -t names <"$lane"
        beside "$lane" dump_rows target "copy.$lane" "$1" "${names[@]}"
    done
    wait_for_all "cannot dump the target"
    for lane in lane.?; do
        [[ ! -e $lane ]] || beside "$lane" digest "copy.$lane"
    done
    wait_for_all "cannot read the dump"
    : >lane.none.answered
    LC_ALL=C sort -- lane.*.answered >"$2" || fail "cannot read the dump"
    rm -f -- copy.lane.*
}

# Views are replaced, so that none is missing for a moment. MySQL has CREATE OR REPLACE only for views. The dump has ALTER
# DATABASE around objects of another collation. It names the source's database, which has another name at the target.
portable() {
    LC_ALL=C sed -E -e '/^(ALTER DATABASE `|\/\*M!999999)/d' -e 's,^/\*!50001 CREATE\b,& OR REPLACE,' -- "$@"
}

without_definers() {
    # shellcheck disable=SC2016  # the backtick is sed's
    local name='(`([^`]|``)*`|"([^"]|"")*")'
    LC_ALL=C sed -E -e "s,^(CREATE) DEFINER=$name(@$name)? ,\\1 ," \
        -e "s,^(/\*!50(003|106) CREATE\*/) /\*!50[01]17 DEFINER=$name(@$name)?\*/,\\1," \
        -e "s,^/\*!50013 DEFINER=$name(@$name)? ,/*!50013 ," -- "$@"
}

# The beginning of a trigger is as its author typed it, and may name a database. Tried in the staging database, such a trigger
# would be created in the target. So the beginning is rewritten.
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
        print "/*!50003 CREATE*/ " definer "/*!50003 TRIGGER " trigger when table " FOR EACH ROW" text
    }
    END { if (collecting && !failed) { print "a trigger without FOR EACH ROW: " text >"/dev/stderr"; exit 1 } }'

# dump_triggers SERVER FILE DATABASE TABLE...
dump_triggers() {
    local file=$2
    dump_definitions "$1" "$file.raw" --no-create-info --triggers "$3" -- "${@:4}"
    LC_ALL=C awk "$UNQUALIFY_TRIGGERS" "$file.raw" 2>printed | portable >"$file" ||
        fail "cannot copy the triggers: $(printed)"
}

dump_source() {
    log "Dumping $SYNC_SOURCE_DB: ${#tables[@]} tables, ${#views[@]} views..."
    local milliseconds began=${EPOCHREALTIME/[.,]/}
    dump_rows source rows.sql "$SYNC_SOURCE_DB" "${tables[@]}"
    milliseconds=$(((${EPOCHREALTIME/[.,]/} - began) / 1000 + 1))
    comparable_bytes=$((SYNC_LOCK_WAIT_SECONDS * 1000 * ($(stat -c %s rows.sql) / milliseconds)))
    # Of the whole dump. So the comparison with the copy shows rows that divide_dump did not find.
    beside source digest rows.sql
    divide_dump
    dump_definitions source routines.raw --no-create-info --routines "$SYNC_SOURCE_DB"
    portable routines.raw | without_definers >routines.sql || fail "cannot copy the routines"
    dump_definitions source events.raw --no-create-info --events "$SYNC_SOURCE_DB"
    portable events.raw | without_definers >events.sql || fail "cannot copy the events"
    dump_triggers source triggers.own "$SYNC_SOURCE_DB" "${tables[@]}"
    without_definers triggers.own >triggers.sql || fail "cannot copy the triggers"
    if (( ${#views[@]} > 0 )); then
        dump_definitions source views.raw "$SYNC_SOURCE_DB" -- "${views[@]}"
        # One file per view. The part before the first DROP VIEW contains stand-ins, for views that use views.
        portable views.raw | without_definers |
            awk '/^\/\*!50001 DROP VIEW/ { close(file); file = sprintf("view.%05d", ++n); next }
                n && /^\/\*!500(01|13) / { print >file }' || fail "cannot copy the views"
    fi
    ask source "$(objects_of "$SYNC_SOURCE_DB")"
    printf '%s\n' "$answer" >source.objects
    ask source "SELECT CONCAT('DROP EVENT IF EXISTS ', $(name_of "$SYNC_TARGET_DB" EVENT_NAME), ';')
        FROM $(events_of "$SYNC_SOURCE_DB");"
    printf '%s\n' "$answer" >events.drop
    ask source "SELECT COUNT(*) FROM $(events_of "$SYNC_SOURCE_DB");"
    [[ $(grep -c '^/\*!50106 CREATE\*/' events.sql) == "$answer" ]] ||
        fail "the dump does not have the source's $answer events"
    wait_for_all "cannot read the dump"
    LC_ALL=C sort -- source.answered >source.rows || fail "cannot read the dump"
    log "$(stat -c 'Dumped %s bytes' rows.sql)"
}

same() {
    cmp -s -- "$1" "$2" || fail "source and copy differ: $(diff -- "$1" "$2" | grep '^[<>]' | head -c 1000 | tr '\n' ' ')"
}

# copy_rows TABLE...: several tables at once, and then the small ones. The tables exist already, so no client waits for another
# that creates a table with a foreign key to its own.
copy_rows() {
    local lane
    share_out "$@"
    for ((lane = 1; lane <= AT_ONCE; lane++)); do
        [[ ! -e lane.$lane ]] || beside "lane.$lane" client target "$new" < <(rows_of "lane.$lane")
    done
    wait_for_all "cannot import"
    if [[ -e lane.0 ]]; then
        client target "$new" < <(rows_of lane.0) || fail "cannot import: $(printed)"
    fi
}

# verify: compares all tables in <target>_sync_new with the dump, but the equal ones, which are not there.
verify() {
    local name copied=()
    local -A source_digests=()
    log "Verifying the copy..."
    for name in "${tables[@]}"; do
        [[ -n ${is_equal[$name]-} ]] || copied+=("$name")
    done
    digest_copy "$new" copy.rows "${copied[@]}"
    digests_in source.rows source_digests
    for name in "${copied[@]}"; do
        [[ -z ${source_digests[$name]-} ]] || printf '%s\n' "${source_digests[$name]}"
    done | LC_ALL=C sort >expected.rows
    same expected.rows copy.rows
}

import() {
    local name copied=()
    log "Importing into $new..."
    staging=yes
    client target <<SQL || fail "cannot make $new and $old: $(printed)"
CREATE DATABASE \`$new\`;
CREATE TABLE \`$new\`.$HELPER (id INT PRIMARY KEY) ENGINE=InnoDB;
CREATE DATABASE \`$old\`;
CREATE TABLE \`$old\`.$HELPER (id INT PRIMARY KEY) ENGINE=InnoDB;
SQL
    client target "$new" <definitions.sql || fail "cannot import: $(printed)"
    guess_equal
    for name in "${tables[@]}"; do
        [[ -n ${is_equal[$name]-} ]] || copied+=("$name")
    done
    copy_rows "${copied[@]}"
    (( ${#is_equal[@]} > 0 )) || rm -- rows.sql
    verify
    list_none target "SELECT GROUP_CONCAT(TABLE_NAME SEPARATOR ', ') FROM information_schema.REFERENTIAL_CONSTRAINTS
        WHERE CONSTRAINT_SCHEMA = '$new' AND UNIQUE_CONSTRAINT_SCHEMA = '$new' AND $(kept REFERENCED_TABLE_NAME);" \
        "tables of the source have a foreign key to a table that the target keeps"
    log "$(awk '{ rows += $(NF - 2) } END { printf "Verified: %d rows", rows }' source.rows) in ${#tables[@]} tables"
}

# Definitions are tried in the staging database, so that one which the target server refuses is found before the switch. Events are
# not tried, because the server might execute them.
try_definitions() {
    local pending view later
    log "Trying views, triggers and routines..."
    # Views may use the tables that stay. Their structure is enough.
    ask target "SELECT CONCAT('CREATE TABLE ', $(name_of "$new" TABLE_NAME), ' AS SELECT * FROM ',
        $(name_of "$SYNC_TARGET_DB" TABLE_NAME), ' LIMIT 0;')
        FROM information_schema.TABLES WHERE TABLE_SCHEMA = '$SYNC_TARGET_DB' AND $(kept TABLE_NAME);"
    client target "$new" <<<"$answer" || fail "cannot make stand-ins for the tables that stay: $(printed)"
    client target "$new" <routines.sql || fail "the target does not take the routines: $(printed)"
    # Views may use views, so the order is found by trying.
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

# --- Tables that are equal already ------------------------------------------------------------------------------------

# A table stays at the target instead of being copied, if its definition there and its rows (number and SHA-256) are those of
# the source's dump. This is compared before the switch, under a lock that keeps writers away until the other tables are
# switched. So at the moment of the switch the table has the rows of the dump. If it differs, it is copied after all.
#
# Which tables are compared then is only a guess, so it may be a cheap one: those with equal checksums before the import. The
# source's checksum is not of the dump's moment.
#
# Writers wait during the comparison. So no more is compared than SYNC_LOCK_WAIT_SECONDS allow, as fast as the source was
# dumped. The smallest tables come first; all others are copied.
#
# These are always copied:
# - Tables with foreign keys: RENAME would move the key along to the old table.
# - Tables that have triggers, or whose name is in the text of a trigger, or of a routine that a trigger may call. The switch
#   drops triggers, and locks what the triggers of the tables write to. It would wait for our own lock.
# - All tables in MySQL, where none of this is tested.

declare -A is_equal=()
candidates=()

# Definitions of a dump by table. The lines that restore the session's variables belong to no table.
# definitions_in FILE RESULT
definitions_in() {
    local -n texts=$2
    local line name=
    while IFS= read -r line; do
        if [[ $line =~ ^DROP\ (TABLE|SEQUENCE)\ IF\ EXISTS\ \`(.*)\`\;$ ]]; then
            name=${BASH_REMATCH[2]//\`\`/\`}
        elif [[ -n $name && -n $line && $line != '/*!'*' SET '*=@OLD_* && $line != '/*M!'*' SET '*=@OLD_* ]]; then
            texts["$name"]+=$line$'\n'
        fi
    done <"$1"
}

# digests_in FILE RESULT: the digests by table
digests_in() {
    local -n digests=$2
    local line
    while IFS= read -r line; do
        [[ $line =~ ^INSERT\ INTO\ \`(([^\`]|\`\`)*)\` ]] || fail "cannot read the digests"
        # shellcheck disable=SC2034  # the array is the caller's
        digests["${BASH_REMATCH[1]//\`\`/\`}"]=$line
    done <"$1"
}

# find_candidates TABLE...: puts those of the tables that may stay and have the same definition at the target into candidates.
find_candidates() {
    local name number triggers spelled
    local -A theirs=() ours=() possible=()
    candidates=()
    [[ $kind == MariaDB ]] || return 0
    ask target "SELECT TABLE_NAME FROM $(tables_of "$SYNC_TARGET_DB") AND TABLE_TYPE = 'BASE TABLE' AND ENGINE = 'InnoDB'
        AND TABLE_NAME NOT IN (
            SELECT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA IN ('$SYNC_TARGET_DB', '$new')
            UNION SELECT TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
            WHERE CONSTRAINT_SCHEMA IN ('$SYNC_TARGET_DB', '$new')
            UNION SELECT REFERENCED_TABLE_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS
            WHERE UNIQUE_CONSTRAINT_SCHEMA IN ('$SYNC_TARGET_DB', '$new'));"
    while IFS= read -r name; do
        # SYNC_KEEP_TABLES cannot hold other names.
        [[ -z $name || $name == *[,\'\\]* ]] || possible[$name]=yes
    done <<<"$answer"
    triggers=$(<triggers.sql)
    ask target "SELECT ACTION_STATEMENT FROM $(triggers_of "$SYNC_TARGET_DB");"
    if [[ -n $answer ]]; then
        triggers+=$answer
        ask target "SELECT ROUTINE_DEFINITION FROM $(routines_of "$SYNC_TARGET_DB");"
        # NULL is a body that the account may not see. It may name any table.
        [[ $'\n'$answer$'\n' != *$'\nNULL\n'* ]] || return 0
        triggers+=$answer
    fi
    triggers=${triggers,,}
    for name in "$@"; do
        spelled=${name//\`/\`\`}
        if [[ -n ${possible[$name]-} && -n ${rows_size[$name]-} && $triggers != *"${spelled,,}"* ]]; then
            candidates+=("$name")
        fi
    done
    (( ${#candidates[@]} > 0 )) || return 0

    dump target target.definitions --no-data "${ROW_OPTIONS[@]}" "$SYNC_TARGET_DB" -- "${candidates[@]}"
    definitions_in definitions.sql theirs
    definitions_in target.definitions ours
    for number in "${!candidates[@]}"; do
        name=${candidates[number]}
        [[ ${theirs[$name]-} == "${ours[$name]-none}" ]] || unset 'candidates[number]'
    done
}

# Puts the tables that seem to be equal into is_equal.
guess_equal() {
    local name list='' number size bytes=0 sum source_sums target_sums
    is_equal=()
    find_candidates "${tables[@]}"
    (( ${#candidates[@]} > 0 )) || return 0
    mapfile -t candidates < <(for name in "${candidates[@]}"; do printf '%s %s\n' "${rows_size[$name]}" "$name"; done | sort -n)
    for number in "${!candidates[@]}"; do
        size=${candidates[number]%% *}
        candidates[number]=${candidates[number]#* }
        bytes=$((bytes + size))
        if (( bytes <= comparable_bytes )); then
            list+="${list:+, }$(quoted "${candidates[number]}")"
        fi
    done
    [[ -n $list ]] || return 0
    beside sums.source client source "$SYNC_SOURCE_DB" <<<"CHECKSUM TABLE $list EXTENDED;"
    beside sums.target client target "$SYNC_TARGET_DB" <<<"CHECKSUM TABLE $list EXTENDED;"
    wait_for_all "cannot compare the tables"
    mapfile -t source_sums <sums.source.answered
    mapfile -t target_sums <sums.target.answered
    for number in "${!target_sums[@]}"; do
        # A line is a name and a number. It is NULL if the table has gone.
        sum=${target_sums[number]##*$'\t'}
        if [[ $sum != NULL && ${source_sums[number]-} == *$'\t'"$sum" ]]; then
            is_equal[${candidates[number]}]=yes
        fi
    done
}

# compare_equal TABLE...: leaves only those of the tables in is_equal that are equal.
compare_equal() {
    local name
    local -A source_digests=() target_digests=()
    is_equal=()
    find_candidates "$@"
    (( ${#candidates[@]} > 0 )) || return 0
    digest_copy "$SYNC_TARGET_DB" target.rows "${candidates[@]}"
    digests_in source.rows source_digests
    digests_in target.rows target_digests
    for name in "${candidates[@]}"; do
        [[ ${source_digests[$name]-} != "${target_digests[$name]-}" ]] || is_equal[$name]=yes
    done
}

# Keeps writers away from the equal tables and compares them. Copies them if that is not possible or they are not equal.
keep_equal() {
    local name before=("${!is_equal[@]}")
    (( ${#before[@]} > 0 )) || return 0
    log "Comparing tables that the target has already, under a lock..."
    if hold "${before[@]}"; then
        compare_equal "${before[@]}"
    else
        is_equal=()
    fi
    if (( ${#is_equal[@]} == ${#before[@]} )); then
        rm -- rows.sql
        log "Not copied, because they are equal: ${#before[@]} tables"
        # From here on, they are tables that stay.
        for name in "${before[@]}"; do
            SYNC_KEEP_TABLES+=${SYNC_KEEP_TABLES:+,}$name
        done
    else
        let_go
        log "Somebody uses or has changed them. Copying them..."
        is_equal=()
        copy_rows "${before[@]}"
        rm -- rows.sql
        # All tables: a trigger that is there for trial may have written to one that was verified before.
        verify
    fi
}

# hold TABLE...: keeps writers away from the tables until let_go. Another connection does this, because RENAME does not work with
# locks held. Its standard input goes on until let_go closes the pipe, or this script ends.
hold() {
    local name list='' deadline=$((SECONDS + SYNC_LOCK_WAIT_SECONDS + 30))
    for name in "$@"; do
        list+="${list:+, }$(quoted "$name") READ"
    done
    # If the client connected again after LOCK TABLES, @name would be NULL there, and it would get no user lock.
    printf '%s\n' "SET @name = '${work##*/}';" "LOCK TABLES $list;" "SELECT GET_LOCK(@name, 0);" >hold.sql
    [[ -p hold.end ]] || mkfifo hold.end
    exec 8<>hold.end
    beside guard client target "$SYNC_TARGET_DB" < <(exec cat hold.sql hold.end 8>&-) 8>&-
    guard=${children[-1]}
    forget_last
    while kill -0 "$guard" 2>/dev/null && (( SECONDS < deadline )); do
        ask_for_guard
        guarding=$answer
        [[ $guarding == NULL ]] || return 0
        sleep 0.05
    done
    return 1
}

# The answer is the connection that has our user lock. It took the tables' locks before, and all end with the connection.
ask_for_guard() {
    ask target "SELECT IS_USED_LOCK('${work##*/}');"
}

let_go() {
    exec 8>&-
    kill -TERM "$guard" 2>/dev/null || true
    wait "$guard" 2>/dev/null || true
    guard=
}

# --- The switch -------------------------------------------------------------------------------------------------------

# drops_of_triggers DATABASE: the answer drops the triggers of that database at the target, the last of each table first. So
# the remaining ones are in the right order if the switch ends early.
drops_of_triggers() {
    ask target "SELECT CONCAT('DROP TRIGGER IF EXISTS ', $(name_of "$SYNC_TARGET_DB" TRIGGER_NAME), ';')
        FROM $(triggers_of "$1") ORDER BY ACTION_ORDER DESC;"
}

# Writes before.sql (undoes step 2), after.sql (step 4) and switch.sql (steps 2 and 3).
plan_switch() {
    local triggered=()
    list_none target "SELECT GROUP_CONCAT(TRIGGER_NAME SEPARATOR ', ') FROM information_schema.TRIGGERS
        WHERE TRIGGER_SCHEMA = '$SYNC_TARGET_DB' AND $(kept EVENT_OBJECT_TABLE)
        AND TRIGGER_NAME IN (SELECT TRIGGER_NAME FROM $(triggers_of "$new"));" \
        "tables that stay have triggers of the same name as triggers of the source"

    # Objects are dropped before they are created, so the plan can start again at any point.
    ask target "SELECT CONCAT('DROP VIEW IF EXISTS ', $(name_of "$SYNC_TARGET_DB" TABLE_NAME), ';')
        FROM $(views_of "$SYNC_TARGET_DB") AND TABLE_NAME NOT IN (SELECT TABLE_NAME FROM $(views_of "$new"))
        UNION SELECT CONCAT('DROP ', ROUTINE_TYPE, ' IF EXISTS ', $(name_of "$SYNC_TARGET_DB" ROUTINE_NAME), ';')
        FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ('$SYNC_TARGET_DB', '$new')
        UNION SELECT CONCAT('DROP EVENT IF EXISTS ', $(name_of "$SYNC_TARGET_DB" EVENT_NAME), ';')
        FROM $(events_of "$SYNC_TARGET_DB");"
    { printf '%s\n' "$answer"; cat routines.sql views.sql; } >after.sql
    drops_of_triggers "$new"
    { printf '%s\n' "$answer"; cat triggers.sql events.drop events.sql; } >>after.sql

    : >before.sql
    ask target "SELECT DISTINCT EVENT_OBJECT_TABLE FROM $(triggers_of "$SYNC_TARGET_DB");"
    if [[ -n $answer ]]; then
        mapfile -t triggered <<<"$answer"
        dump_triggers target before.sql "$SYNC_TARGET_DB" "${triggered[@]}"
    fi

    # The copy's triggers were only a trial.
    ask target "SELECT CONCAT('DROP TRIGGER ', $(name_of "$new" TRIGGER_NAME), ';') FROM $(triggers_of "$new");"
    client target <<<"$answer" || fail "cannot drop the copy's triggers: $(printed)"
    # Takes all locks first, so that no trigger is dropped while another client blocks a table. RENAME does not work with the
    # locks held. Together the statements wait no longer than one statement may.
    ask target "SELECT CONCAT('LOCK TABLES ', GROUP_CONCAT($(name_of "$SYNC_TARGET_DB" TABLE_NAME), ' WRITE' SEPARATOR ', '), ';')
        FROM $(tables_of "$SYNC_TARGET_DB");"
    {
        echo "SET @until = CAST(UNIX_TIMESTAMP() AS SIGNED) + $SYNC_LOCK_WAIT_SECONDS;"
        [[ $answer == NULL ]] || printf '%s\n' "$answer"
        drops_of_triggers "$SYNC_TARGET_DB"
        printf '%s\n' "$answer" 'UNLOCK TABLES;' \
            'SET lock_wait_timeout = GREATEST(1, @until - CAST(UNIX_TIMESTAMP() AS SIGNED));'
    } >switch.sql
    ask target "SELECT CONCAT('RENAME TABLE ', GROUP_CONCAT(move ORDER BY turn SEPARATOR ', '), ';') FROM (
        SELECT 1 AS turn, CONCAT($(name_of "$SYNC_TARGET_DB" TABLE_NAME), ' TO ', $(name_of "$old" TABLE_NAME)) AS move
        FROM $(tables_of "$SYNC_TARGET_DB")
        UNION ALL SELECT 2, CONCAT($(name_of "$new" TABLE_NAME), ' TO ', $(name_of "$SYNC_TARGET_DB" TABLE_NAME))
        FROM $(tables_of "$new")
        UNION ALL SELECT 3, '\`$new\`.$SWITCH TO \`$old\`.$SWITCH') AS moves;"
    printf '%s\n' "$answer" >>switch.sql
}

switch_target() {
    local lost=
    log "Switching to the new tables..."
    {
        echo "CREATE TABLE $SWITCH (id INT PRIMARY KEY, to_undo LONGBLOB NOT NULL, to_finish LONGBLOB NOT NULL) ENGINE=InnoDB;"
        echo "INSERT INTO $SWITCH VALUES (1, FROM_BASE64('$(base64 before.sql)'), FROM_BASE64('$(base64 after.sql)'));"
    } >plan.sql
    client target "$new" <plan.sql || fail "cannot write down the switch: $(printed)"
    # A switch that has begun is finished. check_lock_wait says how long that may take.
    trap '' TERM INT HUP
    must_go_on=yes
    switching=yes
    lock_wait=$((SYNC_LOCK_WAIT_SECONDS < 3 ? 1 : SYNC_LOCK_WAIT_SECONDS - 2))
    client target <switch.sql || fail "cannot switch: $(printed)"
    if [[ -n $guard ]]; then
        ask_for_guard
        [[ $answer == "$guarding" ]] || lost=yes
        let_go
    fi
    settle
    switching=
    must_go_on=
    [[ -z $lost ]] || fail "the target has its new tables, but the connection ended that kept writers away from tables that were" \
        "equal; sync again"
}

# A dump of triggers without the existing ones: awk -f THERE DUMP
# shellcheck disable=SC2016  # the backtick is awk's
readonly MISSING_TRIGGERS='
    function name_in(line) {
        sub(/^\/\*!50003 CREATE\*\/ (\/\*!50017 DEFINER=[^*]*\*\/ )?\/\*!50003 TRIGGER /, "", line)
        match(line, /^(`([^`]|``)+`|"([^"]|"")+"|[^ ]+)/)
        line = substr(line, 1, RLENGTH)
        if (line ~ /^`/) { line = substr(line, 2, length(line) - 2); gsub(/``/, "`", line) }
        if (line ~ /^"/) { line = substr(line, 2, length(line) - 2); gsub(/""/, "\"", line) }
        return line
    }
    BEGIN { ORS = "" }
    FNR == NR { there[$0] = 1; next }
    /^DELIMITER ;;$/ { text = ""; name = ""; inside = 1 }
    !inside { print $0 "\n"; next }
    { text = text $0 "\n" }
    name == "" && /^\/\*!50003 CREATE\*\// { name = name_in($0) }
    /^DELIMITER ;$/ { inside = 0; if (!(name in there)) print text }'

# Creates the missing triggers of undo.sql. It waits for clients that block the tables, because without triggers the target
# accepts writes unnoticed.
put_back_triggers() {
    local attempt definers=cat
    for attempt in {1..20}; do
        ask target "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = '$SYNC_TARGET_DB';"
        printf '%s\n' "$answer" >there
        LC_ALL=C awk "$MISSING_TRIGGERS" there undo.sql | "$definers" >settle.sql ||
            fail "cannot put back the triggers; is the disk full?"
        grep -q '^/\*!50003 CREATE\*/' settle.sql || return 0
        (( attempt > 1 )) || log "Undoing a switch that was interrupted..."
        if client target "$SYNC_TARGET_DB" <settle.sql; then
            return 0
        elif [[ $(<printed) == *'ERROR 1205 '* ]]; then
            (( attempt > 1 )) || log "Somebody is in the way of the triggers; trying again for a while"
        elif [[ $definers == cat ]]; then
            # The account may not be allowed to set the old DEFINERs. Triggers of its own are better than none.
            definers=without_definers
        else
            break
        fi
    done
    fail "the target has its old tables, but not all their triggers: $(printed)"
}

# Finishes a switch, or undoes it if the tables were not switched. Then drops the helper databases.
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
        base64 -d <<<"$answer" >undo.sql || fail "cannot read $new.$SWITCH"
        put_back_triggers
    fi
    ask target "SELECT CONCAT('DROP DATABASE \`', SCHEMA_NAME, '\`;') FROM information_schema.SCHEMATA
        WHERE SCHEMA_NAME IN ('$new', '$old') AND (
            SCHEMA_NAME IN (SELECT TABLE_SCHEMA FROM information_schema.TABLES
                WHERE TABLE_SCHEMA IN ('$new', '$old') AND TABLE_NAME IN ('$HELPER', '$SWITCH'))
            OR SCHEMA_NAME NOT IN (SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ('$new', '$old')
                UNION SELECT ROUTINE_SCHEMA FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN ('$new', '$old')
                UNION SELECT EVENT_SCHEMA FROM information_schema.EVENTS WHERE EVENT_SCHEMA IN ('$new', '$old')));"
    client target <<<"$answer" || fail "cannot drop $new and $old: $(printed)"
    staging=
    target_is='the target is as it was'
}

# --- The sync ---------------------------------------------------------------------------------------------------------

settings_file=${SYNC_SETTINGS_FILE:-$(cd -- "$(dirname -- "$0")" && pwd)/sync_fkk_db.conf}
read_settings "$settings_file"
: "${SYNC_CREDENTIALS_FILE:=$(dirname -- "$settings_file")/sync_fkk_db.cnf}" "${SYNC_KEEP_TABLES:=}" \
    "${SYNC_WORK_DIR:=/var/tmp}" "${SYNC_LOCK_WAIT_SECONDS:=5}" \
    "${SYNC_LOCK_PATH:=/tmp/sync_fkk_db.lock}" "${SYNC_LOG_PATH:=/var/log/sync_fkk_db.log}"
check_settings
lock_wait=$SYNC_LOCK_WAIT_SECONDS
readonly new=${SYNC_TARGET_DB}_sync_new old=${SYNC_TARGET_DB}_sync_old

trap cleanup EXIT
trap 'stopped TERM 143' TERM
trap 'stopped INT 130' INT
trap 'stopped HUP 129' HUP

# Some sandboxes forbid setpriv. Then a program that outlives this script holds the lock until it ends.
"${die_with_us[@]}" true 2>/dev/null || die_with_us=()
take_lock
log "=== Starting database sync${SYNC_RUN_ID:+ (run $SYNC_RUN_ID)} ==="
remove_prepared

find_clients
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
keep_equal
plan_switch
switch_target
log "=== Sync completed successfully, $SECONDS s ==="
