extension Connection {
    /// Runs `body` in a transaction that holds the write lock from its start (BEGIN IMMEDIATE), so what it reads stays
    /// true until it commits.
    ///
    /// - Throws: the first error, of BEGIN, of `body` or of COMMIT. Nothing of `body` is kept then, except as `SQLiteError`
    ///   describes: read back after an I/O error of COMMIT. A COMMIT that fails because readers exceeded the busy timeout is
    ///   rolled back too.
    package func transaction<T>(_ body: () throws -> T) throws -> T {
        try run("BEGIN IMMEDIATE", body)
    }

    /// Runs `body` so that all it reads belongs to one state of the database. It must not write.
    ///
    /// Keep it short, because with a rollback journal a reader delays every writer's commit.
    package func read<T>(_ body: () throws -> T) throws -> T {
        try run("BEGIN DEFERRED", body)
    }

    private func run<T>(_ begin: String, _ body: () throws -> T) throws -> T {
        try execute(begin)
        isInTransaction = true
        defer { isInTransaction = false }
        do {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // If SQLite has rolled back itself, a second ROLLBACK would fail.
            if hasOpenTransaction { try? execute("ROLLBACK") }
            throw error
        }
    }
}
