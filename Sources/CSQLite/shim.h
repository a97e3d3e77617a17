#pragma once
#include <sqlite3.h>

// Functions with variable arguments, which Swift cannot import.
static inline int sqlite3_db_config_flag(sqlite3 *database, int option, int on, int *now) {
    return sqlite3_db_config(database, option, on, now);
}

// The macro SQLITE_TRANSIENT is a cast, which Swift cannot import. It means: copy the bytes before you return.
static inline sqlite3_destructor_type sqlite3_transient(void) {
    return SQLITE_TRANSIENT;
}

// Whether any connection holds RESERVED or a stronger lock, according to the file's methods.
static inline int sqlite3_check_reserved_lock(sqlite3 *database, int *reserved) {
    sqlite3_file *file = 0;
    int code = sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code != SQLITE_OK) return code;
    if (!file || !file->pMethods) return SQLITE_MISUSE;
    return file->pMethods->xCheckReservedLock(file, reserved);
}
