import Migrations

/// The tables of runs.
///
/// Start and end of a run are rows of two tables, so no row is ever updated. SQLite deletes the old row of an INSERT OR
/// REPLACE without a delete trigger unless recursive_triggers is on, and each connection may set that. So a trigger before
/// each INSERT refuses keys that exist.
enum RunSchema {
    static let migration = Migration(number: 1, name: "runs", sql: sql)

    private static let sql = """
        CREATE TABLE run_started (
            id INTEGER PRIMARY KEY CHECK (id > 0),
            user TEXT NOT NULL,
            user_name TEXT,
            token_fingerprint TEXT,
            "trigger" TEXT NOT NULL CHECK ("trigger" IN ('api', 'cli')),
            reason TEXT,
            source_ip TEXT,
            request_id TEXT NOT NULL,
            started_at TEXT NOT NULL,
            script_path TEXT NOT NULL,
            script_sha256 TEXT,
            script_uid INTEGER,
            isolated INTEGER CHECK (isolated IN (0, 1)),
            boot_id TEXT
        ) STRICT;
        CREATE TABLE run_finished (
            id INTEGER PRIMARY KEY REFERENCES run_started (id),
            finished_at TEXT NOT NULL,
            finished_at_exact INTEGER NOT NULL CHECK (finished_at_exact IN (0, 1)),
            duration_ms INTEGER,
            outcome TEXT NOT NULL CHECK (outcome IN
                ('succeeded', 'failed', 'already_running', 'timed_out', 'cancelled', 'interrupted', 'start_failed')),
            why TEXT,
            exit_code INTEGER,
            signal INTEGER,
            output_bytes INTEGER,
            output_truncated INTEGER NOT NULL CHECK (output_truncated IN (0, 1)),
            output_sha256 TEXT,
            script_changed INTEGER CHECK (script_changed IN (0, 1)),
            lock_file_seen INTEGER CHECK (lock_file_seen IN (0, 1))
        ) STRICT;
        CREATE TABLE run_output (
            id INTEGER PRIMARY KEY REFERENCES run_finished (id),
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE VIEW runs AS
            SELECT s.id, s.user, s.user_name, s.token_fingerprint, s."trigger", s.reason, s.source_ip, s.request_id,
                   s.started_at, f.finished_at, f.finished_at_exact, f.duration_ms,
                   coalesce(f.outcome, 'running') AS outcome, f.why, f.exit_code, f.signal, f.output_bytes,
                   f.output_truncated, f.output_sha256, s.script_path, s.script_sha256, f.script_changed,
                   f.lock_file_seen, s.script_uid, s.isolated, s.boot_id
            FROM run_started s LEFT JOIN run_finished f ON f.id = s.id;
        CREATE INDEX run_started_by_user ON run_started (user, id);

        CREATE TRIGGER run_started_insert BEFORE INSERT ON run_started
            WHEN EXISTS (SELECT 1 FROM run_started WHERE id = NEW.id)
            BEGIN SELECT raise(ABORT, 'a recorded run is never replaced'); END;
        CREATE TRIGGER run_started_update BEFORE UPDATE ON run_started
            BEGIN SELECT raise(ABORT, 'a recorded run is never changed'); END;
        CREATE TRIGGER run_started_delete BEFORE DELETE ON run_started
            BEGIN SELECT raise(ABORT, 'a recorded run is never deleted'); END;
        CREATE TRIGGER run_finished_insert BEFORE INSERT ON run_finished
            WHEN EXISTS (SELECT 1 FROM run_finished WHERE id = NEW.id)
            BEGIN SELECT raise(ABORT, 'a recorded run is never replaced'); END;
        CREATE TRIGGER run_finished_update BEFORE UPDATE ON run_finished
            BEGIN SELECT raise(ABORT, 'a recorded run is never changed'); END;
        CREATE TRIGGER run_finished_delete BEFORE DELETE ON run_finished
            BEGIN SELECT raise(ABORT, 'a recorded run is never deleted'); END;
        CREATE TRIGGER run_output_insert BEFORE INSERT ON run_output
            WHEN EXISTS (SELECT 1 FROM run_output WHERE id = NEW.id)
            BEGIN SELECT raise(ABORT, 'a recorded output is never replaced'); END;
        CREATE TRIGGER run_output_update BEFORE UPDATE ON run_output
            BEGIN SELECT raise(ABORT, 'a recorded output is never changed'); END;
        CREATE TRIGGER run_output_delete BEFORE DELETE ON run_output
            BEGIN SELECT raise(ABORT, 'a recorded output is never deleted'); END;
        """
}
