"""What an operator checks first: settings, database, tables, disk, zone database."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from data.clock import zone_database, zone_names
from data.errors import NewsbellError
from data.settings import load_settings
from data.store import Store


@dataclass(frozen=True, slots=True)
class Finding:
    """One check and what it found."""

    check: str
    is_ok: bool
    says: str


def examine() -> list[Finding]:
    """Run every check; a failing one says what to do and does not stop the others."""
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("settings", _settings),
        ("database", _database),
        ("disk", _disk),
        ("time zones", _zones),
    )
    return [_run(name, check) for name, check in checks]


def _run(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except NewsbellError as error:
        return Finding(name, False, str(error))


def _settings() -> str:
    settings = load_settings()
    return f"sender {settings.sender}, listening on {settings.host}:{settings.port}"


def _database() -> str:
    with Store.open(load_settings().database_url) as store:
        store.check()
        counts = (
            f"{store.count_articles():,} articles, {store.count_readers():,} readers, {store.count_events():,} events"
        )
        return f"{store.engine.dialect.name}, {counts}"


def _disk() -> str:
    url = make_url(load_settings().database_url)
    folder = Path(url.database or ".").parent if url.get_backend_name() == "sqlite" else Path()
    free = shutil.disk_usage(folder if folder.is_dir() else Path()).free
    if free < 1_000_000_000:
        raise NewsbellError(f"only {free / 1e6:,.0f} MB free; make room before the database fills the disk")
    return f"{free / 1e9:,.1f} GB free"


def _zones() -> str:
    return f"{len(zone_names())} zones, {zone_database()}"
