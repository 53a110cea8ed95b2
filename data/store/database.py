"""The connection: one engine, two kinds of transaction, the same promises on SQLite and PostgreSQL."""

import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event, make_url, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, ProgrammingError
from sqlmodel import SQLModel

from data import migrate
from data.errors import DatabaseNotReady, InvalidSettings
from data.models import Counter

T = TypeVar("T")
CHUNK = 5_000  # identifiers in one IN list: well below both databases' limits


def table(model: type[SQLModel]) -> Any:
    """The Core table of a model: bulk paths never build ORM objects."""
    return model.__table__  # type: ignore[attr-defined]


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """`values` in slices of at most `size`."""
    return (values[start : start + size] for start in range(0, len(values), size))


class Database:
    """An engine with `transaction()` for writers and `reading()` for readers."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._idle: deque[Any] = deque()  # connections of `ask`, each its own transaction a statement

    @classmethod
    def open(cls, url: str) -> Self:
        """Connect lazily; nothing is created but the folder of a SQLite file. Raises InvalidSettings on a bad URL."""
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise InvalidSettings(
                f"{url[:20]!r}... is no database URL; write sqlite:///var/newsbell.db or postgresql+psycopg://host/name"
            ) from None
        if parsed.get_backend_name() == "sqlite":
            return cls(_sqlite_engine(url, parsed.database))
        return cls(create_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True, hide_parameters=True))

    def close(self) -> None:
        """Give every connection back."""
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()
        if "_appending" in vars(self):
            self._appending.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_postgres(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    @cached_property
    def _appending(self) -> Engine:
        """Connections of `transaction_of_known` alone: whoever appends finds the pages and plans of the last time."""
        settings = _APPEND_POSTGRES if self.is_postgres else _APPEND_SQLITE
        ping = self.is_postgres
        engine = create_engine(self.engine.url, pool_size=1, max_overflow=10, pool_pre_ping=ping, hide_parameters=True)
        if not self.is_postgres:
            _listen(engine)
        event.listen(engine, "connect", partial(_set, settings))
        return engine

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A writer: everything inside is committed together or not at all."""
        with self._writing(self.engine) as connection:
            yield connection

    @contextmanager
    def transaction_of_known(self) -> Iterator[Connection]:
        """A writer that has looked up every number it refers to in this very transaction.

        On SQLite, where nobody else writes meanwhile, foreign keys are not looked up again: a fifth of an event's cost.
        Its connection is kept for the next one: another's would read the pages of the indexes again.
        """
        with self._writing(self._appending) as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A reader: sees one consistent state on SQLite, committed rows on PostgreSQL."""
        with self._connection(self.engine) as connection, connection.begin():
            yield connection

    @contextmanager
    def _writing(self, engine: Engine) -> Iterator[Connection]:
        with self._connection(engine) as connection:
            connection.execution_options(newsbell_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _connection(self, engine: Engine) -> Iterator[Connection]:
        try:
            connection = engine.connect()
        except OperationalError as error:
            raise DatabaseNotReady(
                f"cannot reach the database ({_first_line(error)}); check NEWSBELL_DATABASE_URL"
            ) from error
        with connection:
            try:
                yield connection
            except (OperationalError, ProgrammingError) as error:
                if _is_missing_table(error):
                    raise DatabaseNotReady("the database has no Newsbell tables yet; run `newsbell init`") from error
                raise

    def insert(self, model: type[SQLModel]) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows ON CONFLICT on this database."""
        return postgresql.insert(table(model)) if self.is_postgres else sqlite.insert(table(model))

    def look_up(
        self, connection: Connection, table_name: str, key: str, value: str, keys: Sequence[str]
    ) -> Iterable[tuple[str, int]]:
        """(key, value) of the rows whose key is one of `keys`: one prepared statement for any number of keys."""
        query = f"select {key}, {value} from {table_name} where {key} {self.one_of}"  # noqa: S608  names of ours
        if self.is_postgres:
            query = query.replace("?", "%s")
        found: Any = connection.exec_driver_sql(query, (self.many(keys),)).cursor
        return list(found.fetchall())  # rows of SQLAlchemy's cost as much again

    @property
    def one_of(self) -> str:
        """The condition that a column is one of the values of one `?`: one prepared statement for any number."""
        return "= any(?)" if self.is_postgres else "in (select value from json_each(?))"

    def many(self, values: Sequence[int] | Sequence[str]) -> Any:
        """The value of the `?` of `one_of`."""
        return list(values) if self.is_postgres else msgspec.json.encode(list(values)).decode()

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """The rows of one query with `?` places, by the driver alone: a tenth of the cost of `reading()`.

        Sees what is committed. Values are the stored ones: times in microseconds, JSON as text on SQLite. Errors and a
        lost connection are left to `reading()`, which asks again.
        """
        if self.is_postgres:
            query = query.replace("?", "%s")
        pooled: Any = None
        try:
            pooled = self._idle.pop() if self._idle else self._detached()
            rows = pooled.dbapi_connection.execute(query, values).fetchall()
        except Exception:  # whatever it was: `reading` knows how to mend or to name it
            if pooled is not None:
                pooled.close()
            with self.reading() as connection:
                return [tuple(row) for row in connection.exec_driver_sql(query, tuple(values))]
        self._idle.append(pooled)
        return list(rows)

    def _detached(self) -> Any:
        """A connection outside of the pool whose every statement is a transaction of its own."""
        pooled: Any = self.engine.raw_connection()
        pooled.detach()
        if self.is_postgres:
            pooled.dbapi_connection.autocommit = True
        return pooled

    def migrate(self) -> list[str]:
        """Create or bring the tables up to date; returns the revisions that ran. Safe to run from many processes."""
        with self.transaction() as connection:
            return migrate.upgrade(connection)

    def identity(self) -> int:
        """A number that names this database and no other; given at the first question."""
        counters = table(Counter)
        query = select(counters.c.value).where(counters.c.name == "identity")
        with self.reading() as connection:
            known = connection.execute(query).scalar()
        if known is None:
            fresh = self.insert(Counter).values(name="identity", value=secrets.randbits(62))
            with self.transaction() as connection:
                connection.execute(fresh.on_conflict_do_nothing())
                known = connection.execute(query).scalar_one()
        return int(known)

    def table_bytes(self) -> dict[str, int]:
        """Bytes on disk of each table with its indexes; of the whole under "" where the database cannot tell them."""
        with self.reading() as connection:
            if self.is_postgres:
                rows = connection.exec_driver_sql(
                    "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"
                )
                return {name: int(size) for name, size in rows}
            try:
                rows = connection.exec_driver_sql(
                    "SELECT m.tbl_name, SUM(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name GROUP BY 1"
                )
                return {name: int(size) for name, size in rows}
            except OperationalError:  # a SQLite built without dbstat
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                return {"": int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())}

    def check(self) -> None:
        """Raise DatabaseNotReady unless the tables are exactly those of this program."""
        with self.reading() as connection:
            have, want = migrate.revision(connection), migrate.head()
        if have is None:
            raise DatabaseNotReady("the database has no Newsbell tables yet; run `newsbell init`")
        if have != want:
            raise DatabaseNotReady(
                f"the database is at revision {have}, this program needs {want}; run `newsbell init`"
            )


def bump(connection: Connection, name: str, by: int = 1) -> int:
    """Take `by` numbers from a counter and return the first.

    The row stays locked until commit, so whoever sees a number also sees everything with a smaller one: that is
    what lets another process poll `rev > last` and miss nothing.
    """
    counters = table(Counter)
    last = connection.execute(
        update(counters).where(counters.c.name == name).values(value=counters.c.value + by).returning(counters.c.value)
    ).scalar_one()
    return int(last) - by + 1


def give_back(connection: Connection, name: str) -> None:
    """Undo a `bump` by one of the same transaction, under which nothing was written: nobody saw the number."""
    counters = table(Counter)
    connection.execute(update(counters).where(counters.c.name == name).values(value=counters.c.value - 1))


def count(connection: Connection, name: str) -> int:
    """The last number taken from a counter."""
    counters = table(Counter)
    return int(connection.execute(select(counters.c.value).where(counters.c.name == name)).scalar_one())


def where_in(column: Any, values: Iterable[Any]) -> Any:
    """`column IN values`, as the dialect writes it best."""
    return column.in_(list(values))


# Events land on pages all over three indexes. 64 MB of them at hand for the connection that appends (16 else), and
# a log of 256 MB before they are written back, take half off an event's cost (docs/decisions/group-commit.md).
_ROOM = ("cache_size=-16384", "wal_autocheckpoint=64000")
_APPEND_SQLITE = ("PRAGMA foreign_keys=OFF", "PRAGMA cache_size=-65536")
# Foreign keys on PostgreSQL are checked by plans that a connection keeps: one made while the table was small would read
# all of it for every event, once it has grown.
_APPEND_POSTGRES = ("SET enable_seqscan = off",)


def _sqlite_engine(url: str, path: str | None) -> Engine:
    if not path or path == ":memory:":
        raise InvalidSettings("an in-memory database cannot be shared; name a file, like sqlite:///var/newsbell.db")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, hide_parameters=True)  # an error in the log must not say what somebody read
    _listen(engine)
    return engine


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)


def _set(settings: Sequence[str], dbapi: Any, _: Any) -> None:
    for one in settings:
        dbapi.execute(one)
    dbapi.commit()


def _sqlite_connect(dbapi: Any, _: Any) -> None:
    dbapi.isolation_level = None  # the driver must not open transactions of its own
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", *_ROOM):
        dbapi.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    # A writer that begins as a reader can be refused half-way when another writer came first.
    write = connection.get_execution_options().get("newsbell_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _is_missing_table(error: DBAPIError) -> bool:
    text = str(error.orig).lower()
    return "no such table" in text or ("relation" in text and "does not exist" in text)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0][:200] if error.orig else "no answer"
