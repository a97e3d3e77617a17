#!/bin/bash
#
# Replaces one SQLite database (the target) by a consistent copy of another (the source).
#
# Settings, from the environment or from sync_sqlite.conf in this script's folder (KEY=value; the environment takes precedence):
#
#   SYNC_SOURCE_DB   the database to copy; absolute path; only read
#   SYNC_TARGET_DB   the database to replace; absolute path; need not exist yet
#   SYNC_LOCK_PATH   default /tmp/sync_fkk_db.lock
#   SYNC_LOG_PATH    default /var/log/sync_fkk_db.log
#
# Exit codes: 0 synced, 2 already running, anything else failed. Unless the message says otherwise, a sync that
# does not end with 0 leaves the target unchanged.
#
# The lock file exists while a sync runs, and this script and its programs hold flock on it. The kernel releases flock when
# the last of them ends, also after KILL, and the next sync takes over the file. A lock file of another script is respected
# as long as it exists.
#
# The target is for readers. The next sync discards what other programs write into it.
# - A reader that opens the target sees all the old rows or all the new ones, never a mixture, and never a missing file.
# - A reader that has it open continues to read all the old rows until it opens the file again.
# - During the copy the source cannot be written, unless it is in WAL mode.

set -euo pipefail

readonly BUSY_MILLISECONDS=60000
readonly WORK_MARK=made_by_sync_sqlite       # a file in our own folders; the script removes no other folders
readonly LOCK_MARK='held with flock'         # second line of our lock files; the script takes over no others
readonly PREPARED_MARK=prepared_by_sync      # in the names of our prepared locks; the script removes no others

work=            # our own folder in the target's folder; the copy is made and verified in it
lock=            # descriptor of our lock file
prepared=        # our lock file before it gets its name
child=           # the program we are waiting for
die_with_us=(setpriv --pdeathsig KILL --)
must_go_on=      # set where exiting would do harm: during the cleanup
already_running=
switching=

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
    log "ERROR: $1"
    exit 1
}

# Without the log: for errors before the log is known to work.
refuse() {
    printf 'ERROR: %s\n' "$1" >&2
    exit 1
}

# bash runs a trap only after the program in the foreground has ended. So programs that may take long run in the background,
# and the script waits for them; TERM interrupts the wait. What they print becomes the reason in the log. If this script is
# killed, the kernel kills them too. Until they are gone they hold the lock, because they inherit its descriptor.
run() {
    local status=0
    "${die_with_us[@]}" "$@" >"$work/printed" 2>&1 &
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

printed() {
    if [[ -s $work/printed ]]; then
        head -c 1000 -- "$work/printed" | tr '\n' ' '
    else
        echo "no reason given; is the disk of the target full?"
    fi
}

stopped() {
    trap '' TERM INT HUP
    must_go_on=yes
    if [[ -n $switching && ! -e $work/copy.db ]]; then
        log "ERROR: stopped by SIG$1, after the target was replaced"
    else
        log "ERROR: stopped by SIG$1; the target is as it was"
    fi
    exit "$2"
}

cleanup() {
    local status=$?
    trap '' TERM INT HUP
    must_go_on=yes
    set +e
    if [[ -n $child ]]; then
        kill -TERM "$child" 2>/dev/null
        wait "$child" 2>/dev/null
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
    # 2 means "already running", and many programs exit with 2 for other reasons.
    if [[ $status -eq 2 && -z $already_running ]]; then
        status=1
    fi
    exit "$status"
}

# The file is read, never sourced: a settings file must not be able to execute anything.
read_settings() {
    local file=$1 line number=0 name value
    [[ -e $file ]] || return 0
    if (( 8#$(stat -L -c %a -- "$file") & 8#022 )); then
        refuse "$file can be written by others than its owner; fix: chmod go-w $file"
    fi
    while IFS= read -r line || [[ -n $line ]]; do
        number=$((number + 1))
        [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
        name=${line%%=*}
        value=${line#*=}
        case $line in
            SYNC_SOURCE_DB=* | SYNC_TARGET_DB=* | SYNC_LOCK_PATH=* | SYNC_LOG_PATH=*) ;;
            *) refuse "$file, line $number: neither a comment nor one of SYNC_SOURCE_DB= SYNC_TARGET_DB= SYNC_LOCK_PATH= SYNC_LOG_PATH=" ;;
        esac
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
    for name in SYNC_SOURCE_DB SYNC_TARGET_DB SYNC_LOCK_PATH SYNC_LOG_PATH; do
        [[ -n ${!name-} ]] || refuse "$name is not set; set it in $settings_file"
        [[ ${!name} == /* ]] || refuse "$name must be an absolute path, it is: ${!name}"
    done
    : >>"$SYNC_LOG_PATH" || refuse "cannot write to the log $SYNC_LOG_PATH; check SYNC_LOG_PATH and the folder's permissions"
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

sqlite() {
    # No ~/.sqliterc, because it must not change what is copied.
    run sqlite3 -batch -bail -init /dev/null -list -noheader "$@"
}

# Uses the online backup, not VACUUM INTO: VACUUM refuses to run inside a transaction, and the backup uses the open one. So
# the counted rows and the copied rows belong to the same moment, however busy the source is.
copy_source() {
    log "Copying $SYNC_SOURCE_DB ($(stat -L -c %s -- "$SYNC_SOURCE_DB") bytes)..."
    # Read-only, so that a wrong path is an error and not a new, empty database.
    sqlite -readonly "$SYNC_SOURCE_DB" \
        ".timeout $BUSY_MILLISECONDS" \
        'BEGIN' \
        ".output $work/count.sql" \
        "SELECT format('SELECT count(*), %Q FROM \"%w\";', name, name) FROM pragma_table_list
         WHERE schema = 'main' AND type IN ('table', 'shadow') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY name" \
        ".output $work/source.counts" \
        ".read $work/count.sql" \
        '.output stdout' \
        ".backup main $work/copy.db" \
        'COMMIT' || fail "cannot copy the source: $(printed)"
    [[ -s $work/source.counts ]] || fail "the source has no tables; the target is not replaced by an empty database"
}

verify_copy() {
    log "Verifying the copy..."
    # The backup also copies the source's WAL flag. A target in WAL mode has a second file, and two files cannot
    # be replaced atomically.
    sqlite "$work/copy.db" 'PRAGMA journal_mode=DELETE' || fail "cannot open the copy: $(printed)"
    # The backup copies pages without checking them, including damaged ones.
    sqlite -readonly "$work/copy.db" 'PRAGMA integrity_check(1)' || fail "cannot check the copy: $(printed)"
    [[ $(printed) == 'ok ' ]] || fail "the source is damaged: $(printed)"
    sqlite -readonly "$work/copy.db" ".output $work/copy.counts" ".read $work/count.sql" ||
        fail "cannot count the rows of the copy: $(printed)"
    cmp -s -- "$work/source.counts" "$work/copy.counts" || fail "source and copy do not have the same number of rows"
    log "$(awk -F '|' '{ rows += $1 } END { printf "Verified: %d rows in %d tables", rows, NR }' "$work/source.counts")"
}

# A -journal or -wal of the old target belongs to the old rows. SQLite would apply it to the new file and ruin it. Opening the
# old target for writing makes SQLite finish what a crashed writer left, and fails for a file that is not a database (a wrong
# path). If the -journal or -wal still exists after that, another program is writing now.
settle_old_target() {
    local suffix
    if [[ -e $target ]]; then
        sqlite "./$target" ".timeout $BUSY_MILLISECONDS" 'PRAGMA journal_mode=DELETE' 'BEGIN IMMEDIATE' 'COMMIT' ||
            fail "cannot replace the target: $(printed)"
        run chown --reference="./$target" -- "$work/copy.db" || fail "cannot keep the target's owner: $(printed)"
        run chmod --reference="./$target" -- "$work/copy.db" || fail "cannot keep the target's mode: $(printed)"
    fi
    for suffix in -journal -wal; do
        if [[ -s $target$suffix ]]; then
            fail "$SYNC_TARGET_DB$suffix is there: somebody is writing to the target; if nobody is, remove that file"
        fi
    done
}

switch_target() {
    settle_old_target
    run sync -- "$work/copy.db" || fail "the copy did not reach the disk: $(printed)"
    log "Switching to the new target..."
    # In the foreground, so that a signal is handled only when it is known whether the target was replaced.
    switching=yes
    mv -fT -- "$work/copy.db" "./$target" >"$work/printed" 2>&1 || fail "cannot replace the target: $(printed)"
    run sync -- . || fail "the target is replaced, but a power cut may bring the old one back: $(printed)"
}

settings_file=$(dirname -- "$0")/sync_sqlite.conf
read_settings "$settings_file"
: "${SYNC_LOCK_PATH:=/tmp/sync_fkk_db.lock}" "${SYNC_LOG_PATH:=/var/log/sync_fkk_db.log}"
check_settings

trap cleanup EXIT
trap 'stopped TERM 143' TERM
trap 'stopped INT 130' INT
trap 'stopped HUP 129' HUP

# Some sandboxes forbid setpriv. Then a program that outlives this script holds the lock until it ends.
"${die_with_us[@]}" true 2>/dev/null || die_with_us=()
take_lock
log "=== Starting database sync${SYNC_RUN_ID:+ (run $SYNC_RUN_ID)} ==="
remove_prepared

command -v sqlite3 >/dev/null || fail "sqlite3 is missing; fix: apt-get install sqlite3"
[[ -f $SYNC_SOURCE_DB && -r $SYNC_SOURCE_DB ]] || fail "the source $SYNC_SOURCE_DB is not a file that can be read"
[[ ! $SYNC_SOURCE_DB -ef $SYNC_TARGET_DB ]] || fail "source and target are the same file"

# Works in the target's folder, because a rename is atomic only within one file system. All names there are short and
# relative, so no path has to be quoted for sqlite3. A target that is a symbolic link stays one.
resolved=$(readlink -f -- "$SYNC_TARGET_DB") || fail "the folder of the target $SYNC_TARGET_DB does not exist"
target=$(basename -- "$resolved")
[[ -f $resolved || ! -e $resolved ]] || fail "the target $SYNC_TARGET_DB is not a file"
cd -- "$(dirname -- "$resolved")" || fail "cannot enter the folder of the target $SYNC_TARGET_DB"
work=$(mktemp -d ./.sync_sqlite.XXXXXXXX) || fail "cannot write to the folder of the target $SYNC_TARGET_DB"
exec 9<"$work"
flock -n 9 || fail "cannot lock $work"
: >"$work/$WORK_MARK"
for leftover in ./.sync_sqlite.????????; do
    if [[ -d $leftover && ! -L $leftover && -O $leftover && -f $leftover/$WORK_MARK && ! $leftover -ef $work ]] &&
        flock -n "$leftover" rm -rf -- "$leftover"; then
        log "Removed $PWD/${leftover#./}, which a sync that was killed had left"
    fi
done

copy_source
verify_copy
switch_target
log "=== Sync completed successfully, $SECONDS s ==="
