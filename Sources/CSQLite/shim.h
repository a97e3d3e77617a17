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
