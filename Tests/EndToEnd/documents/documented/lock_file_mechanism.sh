#!/bin/bash

LOCK_FILE="/tmp/sync_fkk_db.lock"
LOG_FILE="/var/log/sync_fkk_db.log"

# Check if already running
if [ -f "$LOCK_FILE" ]; then
    echo "Sync is already running"
    exit 2  # Exit code 2 = already running
fi

# Create lock file
touch "$LOCK_FILE"

# Cleanup on exit
cleanup() {
    rm -f "$LOCK_FILE"
}
trap cleanup EXIT

# Your sync logic here
# ...

exit 0  # Exit code 0 = success
