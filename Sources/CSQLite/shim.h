#pragma once
#include <sqlite3.h>

// Swift cannot import C functions with variable arguments.
static inline int sqlite3_db_config_flag(sqlite3 *database, int option, int on, int *now) {
    return sqlite3_db_config(database, option, on, now);
}

// Nor macros that are casts: "copy the bytes before you return".
static inline sqlite3_destructor_type sqlite3_transient(void) {
    return SQLITE_TRANSIENT;
}

// Whether any connection holds RESERVED or a stronger lock, by the file's own methods.
static inline int sqlite3_check_reserved_lock(sqlite3 *database, int *reserved) {
    sqlite3_file *file = 0;
    int code = sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    if (code != SQLITE_OK) return code;
    if (!file || !file->pMethods) return SQLITE_MISUSE;
    return file->pMethods->xCheckReservedLock(file, reserved);
}
