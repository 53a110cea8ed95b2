"""The databases of the benchmark: one on SQLite, and its copy on PostgreSQL, with the same kept index."""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import Boolean
from sqlmodel import SQLModel

from benchmarks.http.newsroom import Newsroom
from data.store import Store


def prepare(folder: Path, newsroom: Newsroom) -> str:
    """The URL of the newsroom on SQLite, made unless the folder holds it already."""
    file, done = folder / "bench.db", folder / f"{newsroom.size.articles}.done"
    url = f"sqlite:///{file}"
    if not done.exists():
        with Store.open(url) as store:
            newsroom.fill(store)
            # Stories as they stand: who they belong to is not what is measured, and takes longer than everything else.
            with store.transaction() as connection:
                connection.exec_driver_sql(
                    "insert into story (id, founded_at, update_no) select id, published_at, 0 from article"
                )
                connection.exec_driver_sql("update article set story_id = id")
                connection.exec_driver_sql("analyze")
            store.identity()
        done.touch()
    with Store.open(url) as store:
        store.migrate()  # a kept newsroom may be of an earlier revision
    return url


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of a copy of the newsroom on a PostgreSQL of its own."""
    with _cluster() as uri:
        url = _sqlalchemy(uri)
        with Store.open(url) as store:
            store.migrate()
        with psycopg.connect(uri) as target, closing(sqlite3.connect(folder / "bench.db")) as source:
            _copy(source, target)
        yield url


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database of a kind."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'empty.db'}"
        return
    with _cluster() as uri:
        yield _sqlalchemy(uri)


@contextmanager
def _cluster() -> Iterator[str]:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="newsbell-"))
    import pgserver

    cluster = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-postgres-"), cleanup_mode="delete")
    try:
        yield cluster.get_uri()
    finally:
        cluster.cleanup()


def _sqlalchemy(uri: str) -> str:
    return uri.replace("postgresql://", "postgresql+psycopg://")


def _copy(source: sqlite3.Connection, target: psycopg.Connection) -> None:
    """Every row of every table."""
    for table in SQLModel.metadata.sorted_tables:
        names = [column.name for column in table.columns]
        truths = [place for place, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
        listed = ", ".join(f'"{name}"' for name in names)
        target.execute(f'truncate "{table.name}" cascade')  # type: ignore[arg-type]
        with target.cursor().copy(f'copy "{table.name}" ({listed}) from stdin') as copy:  # type: ignore[arg-type]
            for row in source.execute(f'select {listed} from "{table.name}"'):
                values = list(row)
                for place in truths:
                    values[place] = None if values[place] is None else bool(values[place])
                copy.write_row(values)
    sequences = target.execute(
        "select table_name from information_schema.columns where column_name = 'id' and column_default like 'nextval%'"
    ).fetchall()
    for (name,) in sequences:
        target.execute(  # type: ignore[call-overload]
            f"select setval(pg_get_serial_sequence('{name}', 'id'), (select coalesce(max(id), 1) from \"{name}\"))"
        )
    target.commit()
    target.autocommit = True
    target.execute("analyze")
