"""Two MariaDB servers, and config/sync_fkk_db.sh between them."""

import pytest

from support.mariadb import Server, comparable, make_data_folder
from support.mariadb_sync import HERE, SOURCES, Sync, package_rows


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("m")
    make_data_folder(folder / "template")
    made = []
    try:
        for name in ("source", "target"):
            (folder / name).mkdir()
            made.append(Server(folder / name, folder / "template"))
            made[-1].start()
        rows = package_rows()
        made[0].sql("CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'r#1;''x y'; GRANT SELECT ON mysql.proc TO reader@'127.0.0.1'")
        for database, count in SOURCES.items():
            (folder / database).write_text("".join(f"{row}\n" for row in rows[:count]))
            sql = (HERE / "mariadb_source.sql").read_text()
            made[0].sql(sql.replace("{database}", database).replace("{rows}", str(folder / database)))
        yield made
    finally:
        for server in made:
            server.remove()


@pytest.fixture(scope="module")
def source_contents(servers):
    return {database: comparable(servers[0].contents(database)) for database in SOURCES}


@pytest.fixture
def sync(installed, servers, source_contents):
    yield Sync(installed, *servers, source_contents)
    for server in servers:
        server.end_sessions()


@pytest.fixture
def small_sync(sync):
    """A sync from the source with few rows, for tests in which the number of rows does not matter."""
    sync.settings(SYNC_SOURCE_DB="few")
    return sync
