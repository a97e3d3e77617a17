#!/bin/bash

# Configuration
LOCK_FILE="/tmp/sync_fkk_db.lock"
LOG_FILE="/var/log/sync_fkk_db.log"
SOURCE_DB="source_database"
TARGET_DB="target_database"

# Logging function
log() {
    echo "[$(date '+%Y-%m-%d %H:%M:%S')] $1" | tee -a "$LOG_FILE"
}

# Check if already running
if [ -f "$LOCK_FILE" ]; then
    log "ERROR: Sync is already running"
    exit 2
fi

# Create lock file
touch "$LOCK_FILE"

# Cleanup function
cleanup() {
    rm -f "$LOCK_FILE"
    log "Cleanup completed"
}
trap cleanup EXIT

# Start sync
log "=== Starting database sync ==="

# Your database sync logic here
# Example: mysqldump and mysql restore
log "Dumping source database..."
# mysqldump commands...

log "Importing to target database..."
# mysql import commands...

log "=== Sync completed successfully ==="
exit 0
