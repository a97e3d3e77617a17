"""A history file that is damaged, not ours or from another version stops the start and is not changed."""

import sqlite3

import pytest

from support.service import CONFIGURATION


def garbage(path):
    path.write_bytes(b"This is no database, but somebody's file.\n" * 100)


def foreign_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE important (a)")
    connection.execute("INSERT INTO important VALUES (1)")
    connection.commit()
    connection.close()


def change(*statements):
    def arrange(path):
        connection = sqlite3.connect(path)
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{trigger}"')
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
    return arrange


def altered_migration(path):
    change(f"UPDATE schema_migrations SET {checksum_column(path)} = 'altered'")(path)


def checksum_column(path):
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(schema_migrations)")]
    connection.close()
    return next(column for column in columns if column in ("checksum", "sha256", "digest"))


def unknown_migration(path):
    connection = sqlite3.connect(path)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(schema_migrations)")]
    connection.close()
    change(f"INSERT INTO schema_migrations SELECT 999, {', '.join(columns[1:])} FROM schema_migrations LIMIT 1")(path)


def truncated(path):
    path.write_bytes(path.read_bytes()[:5000])


DATABASES = {
    "not a database": (garbage, ["not a database"]),
    "somebody else's database": (foreign_database, []),
    "a migration altered": (altered_migration, ["migration", "1"]),
    "a migration from the future": (unknown_migration, ["migration", "999"]),
    "cut off": (truncated, []),
}


@pytest.mark.parametrize("case", DATABASES)
def test_an_unusable_database_stops_the_start_and_stays_as_it_was(installed, case):
    arrange, words = DATABASES[case]
    if case not in ("not a database", "somebody else's database"):
        installed.script("exit 0")
        installed.start().run()
        installed.stop()
    arrange(installed.database)
    installed.database.chmod(0o600)
    before = installed.database.read_bytes()
    code, message = installed.refused_start()
    assert code in (1, CONFIGURATION), message
    for word in [str(installed.database), *words]:
        assert word.lower() in message.lower()
    assert installed.database.read_bytes() == before, "the file was changed"
    assert installed.command("migrate").returncode not in (0, 2)
    assert installed.command("run").returncode not in (0, 2)
    assert installed.database.read_bytes() == before
