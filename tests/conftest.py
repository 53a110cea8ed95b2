"""Fixtures that every room uses: the real data, and an empty migrated store on SQLite and on PostgreSQL."""

import itertools
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, text

from data.store import Store

_numbers = itertools.count()

# Seeded, so that a red run is red again; `make stress` looks further with seeds of its own.
settings.register_profile(
    "newsbell", deadline=None, derandomize=True, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("newsbell")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real news data beside the checkout; tests that need it skip where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real news data of ../shared/data, which is not here")
    return folder


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL server for this test run, with a migrated database named `template_newsbell`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is unset
        import pgserver
    # Not under pytest's folder: the next test run of the same user closes that to others, and under root the server
    # is another user.
    server = pgserver.get_server(tempfile.mkdtemp(prefix="newsbell-postgres-"), cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    _administer(url, "create database template_newsbell")
    with Store.open(url.replace("/postgres?", "/template_newsbell?")) as store:
        store.migrate()
    yield url
    server.cleanup()


def _administer(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def _postgres_database(url: str) -> Iterator[str]:
    name = f"newsbell_{next(_numbers)}"
    _administer(url, f"create database {name} template template_newsbell")
    yield url.replace("/postgres?", f"/{name}?")
    _administer(url, f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty migrated database, on each kind of server."""
    if request.param == "sqlite":
        yield _sqlite_url(tmp_path)
    else:
        with _postgres_database(request.getfixturevalue("postgres_url")) as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty migrated store; the test runs once on SQLite and once on PostgreSQL."""
    with Store.open(database_url) as opened:
        yield opened


CLUSTER = """
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    options = {"host": "127.0.0.1", "dashboard_address": None, "protocol": "tcp", "processes": False}
    with LocalCluster(n_workers=2, threads_per_worker=1, **options) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="session")
def dask_address() -> Iterator[str]:
    """The scheduler of two Dask workers in another process on this machine; it ends when its input does."""
    command = [sys.executable, "-W", "ignore", "-c", CLUSTER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as cluster:
        assert cluster.stdout
        yield cluster.stdout.readline().strip()
        cluster.communicate(timeout=30)


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An empty migrated store on SQLite alone: for tests about something else."""
    with Store.open(_sqlite_url(tmp_path)) as opened:
        yield opened


def _sqlite_url(folder: Path) -> str:
    url = f"sqlite:///{folder / 'newsbell.db'}"
    with Store.open(url) as opened:
        opened.migrate()
    return url


@pytest.fixture
def article() -> Any:
    """Makes a valid `ArticleIn`: `article("a1", title="...")`."""
    from data.wire import ArticleIn

    def make(key: str, **fields: Any) -> ArticleIn:
        given = {
            "id": key,
            "url": f"https://news.example/{key}",
            "title": f"Title of {key}",
            "published_at": "2026-03-01T08:00:00Z",
            "source": {"id": "herald", "name": "The Herald"},
            "language": "en",
        }
        return ArticleIn.model_validate(given | fields)

    return make
