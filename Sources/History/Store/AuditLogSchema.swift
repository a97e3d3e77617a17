import Migrations

/// The audit log's tables: entries as they were hashed, the tree's hashes, every signed checkpoint. Their rows are never
/// updated or deleted. An output may be deleted once its redaction is recorded.
enum AuditLogSchema {
    static let migration = Migration(
        number: 2, name: "trail",
        sql: """
            CREATE TABLE leaf (
                entry INTEGER PRIMARY KEY CHECK (entry >= 0),
                bytes BLOB NOT NULL
            ) STRICT;
            CREATE TABLE tree_hash (
                position INTEGER PRIMARY KEY CHECK (position >= 0),
                hash BLOB NOT NULL CHECK (length(hash) = 32)
            ) STRICT;
            CREATE TABLE checkpoint (
                size INTEGER PRIMARY KEY CHECK (size > 0),
                note BLOB NOT NULL
            ) STRICT;
            CREATE TABLE run_entry (
                run INTEGER NOT NULL,
                entry INTEGER NOT NULL REFERENCES leaf (entry),
                PRIMARY KEY (run, entry)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE output_redaction (
                run INTEGER PRIMARY KEY,
                entry INTEGER NOT NULL REFERENCES leaf (entry)
            ) STRICT;
            \(["leaf", "tree_hash", "checkpoint", "run_entry", "output_redaction"].map(appendOnly).joined(separator: "\n"))
            DROP TRIGGER run_output_delete;
            CREATE TRIGGER run_output_delete BEFORE DELETE ON run_output
                WHEN NOT EXISTS (SELECT 1 FROM output_redaction WHERE run = OLD.id)
                BEGIN SELECT raise(ABORT, 'an output is deleted only once its redaction is recorded'); END;
            """)

    private static func appendOnly(_ table: String) -> String {
        let keys = [
            "leaf": "entry = NEW.entry", "tree_hash": "position = NEW.position", "checkpoint": "size = NEW.size",
            "run_entry": "run = NEW.run AND entry = NEW.entry", "output_redaction": "run = NEW.run",
        ]
        let key = keys[table] ?? "0"
        return """
            CREATE TRIGGER \(table)_insert BEFORE INSERT ON \(table) WHEN EXISTS (SELECT 1 FROM \(table) WHERE \(key))
                BEGIN SELECT raise(ABORT, 'the trail is append-only'); END;
            CREATE TRIGGER \(table)_update BEFORE UPDATE ON \(table)
                BEGIN SELECT raise(ABORT, 'the trail is append-only'); END;
            CREATE TRIGGER \(table)_delete BEFORE DELETE ON \(table)
                BEGIN SELECT raise(ABORT, 'the trail is append-only'); END;
            """
    }
}
