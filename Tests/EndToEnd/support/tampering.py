"""Ways to alter a history that several tests use."""

from support.audit_log import RUNS, opened
from support.sqlite_pages import File, leaves


def insert_backdated(connection):
    for table in ("run_started", "run_finished", "run_output"):
        columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA table_info({table})") if row[1] != "id")
        connection.execute(f"INSERT INTO {table} (id, {columns}) SELECT {RUNS + 1}, {columns} FROM {table} WHERE id = 3")


def put_schema(service, name, sql):
    """The text alone; what is stored stays as it was made."""
    with opened(service) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (sql, name))


def move_index_cell(copy):
    """A run is not found by its user any more; a look-up stops before it."""
    file = File(copy)
    page = leaves(file.root("run_started_by_user"))[-1]
    page.swap_cells(0, page.count - 1)
    file.write()


def hide_from_index(copy, row, name="run_started_by_user"):
    """Schema and row stay as they are, but the index does not have the row of that number."""
    sql = copy.sql(f"SELECT sql FROM sqlite_schema WHERE name = '{name}'")[0][0]
    with opened(copy) as connection:
        connection.execute(f"DROP INDEX {name}")
        key = "AND entry" if name == "leaf_by_event" else "WHERE id"
        connection.execute(f"{sql} {key} <> {row}")
    put_schema(copy, name, sql)
