import CSQLite

extension Connection {
    /// Copies the whole database, as it is at one moment, into another connection's file, whose content is replaced
    /// (https://www.sqlite.org/c3ref/backup_finish.html). Writers wait until it is done.
    public func backUp(to target: Connection) throws(SQLiteError) {
        let context = "backup"
        let source = try handle(for: context)
        let destination = try target.handle(for: context)
        guard let backup = sqlite3_backup_init(destination, "main", source, "main") else {
            throw SQLiteError(sqlite3_errcode(destination), of: destination, context: context)
        }
        // All pages in one step: nothing can be written between two of them.
        let stepped = sqlite3_backup_step(backup, -1)
        let finished = sqlite3_backup_finish(backup)
        guard stepped == SQLITE_DONE else {
            throw SQLiteError(finished == SQLITE_OK ? stepped : finished, of: destination, context: context)
        }
    }
}
