import Migrations

/// Which outcomes and triggers a row may have. Two triggers of the database say it. A later migration replaces a trigger
/// with two short statements, but the CHECK of a table only by rebuilding the table (docs/decisions/0045).
enum KnownValues {
    /// Rebuilds the tables of runs without their CHECKs on outcome and trigger.
    ///
    /// With `legacy_alter_table` a rename leaves `run_output` and the view `runs` as they are, so they refer to the new
    /// tables. DROP TABLE also drops the old indexes and triggers, and fires no delete trigger. A damaged row is copied even
    /// against a CHECK, because the verification names it.
    static let migration = Migration(
        number: 3, name: "known values",
        sql: """
            PRAGMA legacy_alter_table = ON;
            ALTER TABLE run_started RENAME TO run_started_before;
            ALTER TABLE run_finished RENAME TO run_finished_before;
            PRAGMA legacy_alter_table = OFF;
            CREATE TABLE run_started (
                id INTEGER PRIMARY KEY CHECK (id > 0),
                user TEXT NOT NULL,
                user_name TEXT,
                token_fingerprint TEXT,
                "trigger" TEXT NOT NULL,
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
                outcome TEXT NOT NULL,
                why TEXT,
                exit_code INTEGER,
                signal INTEGER,
                output_bytes INTEGER,
                output_truncated INTEGER NOT NULL CHECK (output_truncated IN (0, 1)),
                output_sha256 TEXT,
                script_changed INTEGER CHECK (script_changed IN (0, 1)),
                lock_file_seen INTEGER CHECK (lock_file_seen IN (0, 1))
            ) STRICT;
            PRAGMA ignore_check_constraints = ON;
            INSERT INTO run_started SELECT * FROM run_started_before ORDER BY id;
            INSERT INTO run_finished SELECT * FROM run_finished_before ORDER BY id;
            PRAGMA ignore_check_constraints = OFF;
            DROP TABLE run_finished_before;
            DROP TABLE run_started_before;
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
            CREATE TRIGGER run_started_trigger BEFORE INSERT ON run_started
                WHEN NEW."trigger" NOT IN ('api', 'cli')
                BEGIN SELECT raise(ABORT, 'unknown trigger'); END;
            CREATE TRIGGER run_finished_outcome BEFORE INSERT ON run_finished
                WHEN NEW.outcome NOT IN
                    ('succeeded', 'failed', 'already_running', 'timed_out', 'cancelled', 'interrupted', 'start_failed')
                BEGIN SELECT raise(ABORT, 'unknown outcome'); END;
            """)
}
