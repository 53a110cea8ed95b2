"""How large a newsroom is in memory and on disk: bytes an article, bytes a reader, time to load, age."""

import time
from dataclasses import dataclass

from data.clock import Clock
from data.settings import Settings
from data.store import Store
from recommender.follow import age_s
from recommender.index import ArticleIndex
from recommender.service import Service
from recommender.snapshot import Snapshot

TABLES = {"article": ("article", "article_name"), "reader": ("reader", "device", "event")}


@dataclass(frozen=True, slots=True)
class Size:
    """One figure. `unit` is bytes, s or nothing (a count)."""

    what: str
    value: float
    unit: str = ""
    note: str = ""

    def says(self) -> str:
        """The figure as a person reads it."""
        say = {"s": _seconds, "bytes": _bytes, "": _count}[self.unit]
        return f"{say(self.value)}{f'  ({self.note})' if self.note else ''}"


def measure(store: Store, settings: Settings, clock: Clock) -> list[Size]:
    """Load the index as a server does and weigh it. Cost: that of a start."""
    service = Service(store, settings, clock)
    wall, cpu = time.perf_counter(), time.process_time()
    service.refresh()
    loaded_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    index = service.snapshot.index
    return [
        *_index(index),
        Size("time to load", loaded_s, "s", f"{cpu_s:,.2f} s of CPU, {_origin(service)}"),
        *_age(service.snapshot, clock),
        *_database(store, len(index)),
    ]


def _index(index: ArticleIndex) -> list[Size]:
    articles, rows = max(len(index), 1), max(len(index.columns), 1)
    words, latent = index.postings.nbytes, index.latent.nbytes if index.latent else 0
    rest = index.nbytes - words - latent
    postings, each = index.postings.postings, index.nbytes / articles
    return [
        Size("articles indexed", len(index), note=f"{len(index.columns) - len(index):,} replaced rows"),
        Size("segments", len(index.segments)),
        Size("terms", index.epoch.width),
        Size("memory an article", each, "bytes", f"{_bytes(1e5 * each)} a 100,000"),
        Size("  words", words / rows, "bytes", f"{words / max(postings, 1):.1f} bytes a posting"),
        Size("  latent directions", latent / rows, "bytes"),
        Size("  columns and topics", rest / rows, "bytes"),
    ]


def _origin(service: Service) -> str:
    if service.opened is None:
        return "every text read: no index was kept"
    behind = service.store.article_rev() - service.opened.rev
    return f"opened from {service.settings.index_dir}, {behind:,} changes behind the database"


def _age(snapshot: Snapshot, clock: Clock) -> list[Size]:
    age = age_s(snapshot, clock.now())
    return [] if age is None else [Size("age of the newest article", age, "s")]


def _database(store: Store, articles: int) -> list[Size]:
    tables, readers = store.table_bytes(), store.count_readers()
    found = [Size("database", sum(tables.values()), "bytes")]
    if "" in tables:
        return found
    of = {name: sum(tables.get(one, 0) for one in group) for name, group in TABLES.items()}
    if articles:
        found.append(Size("  an article", of["article"] / articles, "bytes"))
    if readers:
        each = of["reader"] / readers
        found.append(Size("  a reader", each, "bytes", f"{_bytes(1e6 * each)} a 1,000,000, reads and devices included"))
    return found


def _count(count: float) -> str:
    return f"{count:,.0f}"


def _seconds(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.2f} s"


def _bytes(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1_000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "bytes" else f"{count:,.1f} {unit}"
        count /= 1_000
    raise AssertionError
