"""From sources to the store: every document read, written in batches, counted."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Protocol

from data.clock import Clock
from data.errors import DatabaseNotReady, InvalidInput, NewsbellError, NotFound, TooLarge
from data.intake.fetch import Fetched, fetch, shown
from data.intake.items import Origin, Reading, Rejected
from data.intake.read import read_bytes, read_file
from data.settings import Settings
from data.values import ArticleRow, FeedRow, PutResult
from data.wire import ArticleIn

MAX_CHILDREN = 50  # sitemaps followed from one index, newest first
MAX_BATCH = 500


class ArticleStore(Protocol):
    """What loading needs of `data.store.Store`."""

    def put_articles(self, batch: Sequence[ArticleIn], *, now: datetime) -> PutResult: ...
    def article_ids(self, keys: Iterable[str]) -> dict[str, int]: ...
    def articles(self, ids: Iterable[int]) -> list[ArticleRow]: ...
    def feed(self, url: str) -> FeedRow | None: ...
    def put_feed(
        self, url: str, *, etag: str | None, last_modified: str | None, fetched_at: datetime, error: str | None = None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Document:
    """One thing to read. `row` is the line of the table it counts for; a listed one was named by the user."""

    place: str
    row: str
    size: int
    is_url: bool
    is_listed: bool


@dataclass
class Row:
    """What came of one source: an address, a file, or a folder."""

    source: str
    documents: int = 0
    unchanged: int = 0  # documents that are as they were at the last fetch
    new: int = 0
    changed: int = 0
    same: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)  # could not be read at all, reason included
    skipped: list[str] = field(default_factory=list)  # found in a folder, but no feed

    def add(self, result: PutResult) -> None:
        """Count one batch."""
        self.new += result.new
        self.changed += result.changed
        self.same += result.same


class Loader:
    """Reads sources into a store. `steps()` does the work; the rest tells how far it is and what came of it."""

    def __init__(
        self,
        store: ArticleStore,
        settings: Settings,
        clock: Clock,
        *,
        batch: int = MAX_BATCH,
        refetch: bool = False,
        on_rejected: Callable[[str, Rejected], None] = lambda _place, _item: None,
    ) -> None:
        if not 1 <= batch <= MAX_BATCH:
            raise InvalidInput(f"a batch has 1 to {MAX_BATCH} articles, not {batch}")
        self._store, self._settings, self._clock = store, settings, clock
        self._batch, self._refetch, self._on_rejected = batch, refetch, on_rejected
        self.rows: dict[str, Row] = {}
        self.documents: list[Document] = []
        self.bytes_total = self.bytes_done = 0

    def plan(self, sources: Sequence[str]) -> None:
        """Find the documents of the sources; a source that is not there is a failed row, not an error."""
        for source in sources:
            try:
                found = list(_documents(source))
            except (NewsbellError, OSError) as error:
                self._row(source).failed.append(str(error))
                continue
            if not found:
                self._row(source).failed.append(f"{source} holds no file; give a folder with feeds in it")
            self.documents += found
        self.bytes_total = sum(document.size for document in self.documents)

    def steps(self) -> Iterator[str]:
        """Read and write everything, yielding the current place after each batch and document.

        A document that cannot be read is noted in its row and the next one goes on; only a database that is not
        ready stops all.
        """
        begun = 0
        for document in self.documents:
            row = self._row(document.row)
            row.documents += 1
            try:
                for _ in self._url(document.place, row) if document.is_url else self._file(document, row, begun):
                    yield document.place
            except DatabaseNotReady:
                raise
            except (NewsbellError, OSError) as error:
                unfit = isinstance(error, InvalidInput) and not isinstance(error, TooLarge)
                (row.skipped if unfit and not document.is_listed else row.failed).append(str(error))
            begun += document.size
            self.bytes_done = begun
            yield document.place

    @property
    def has_failed(self) -> bool:
        """Whether some source could not be read at all."""
        return any(row.failed for row in self.rows.values())

    def _row(self, source: str) -> Row:
        return self.rows.setdefault(source, Row(source))

    def _file(self, document: Document, row: Row, begun: int) -> Iterator[None]:
        reading = read_file(Path(document.place), self._clock.now(), self._settings.fetch_max_bytes)
        for _ in self._write(reading, row, document.place):
            self.bytes_done = begun + reading.report.bytes_read
            yield
        if reading.report.children:
            row.warnings["a sitemap index: give its address to have its sitemaps followed"] += 1

    def _url(self, url: str, row: Row, *, depth: int = 0) -> Iterator[None]:
        """Fetch and write one address. Its validators are kept only after all its items are committed."""
        known = self._store.feed(url)
        now = self._clock.now()
        etag, last_modified = (known.etag, known.last_modified) if known and not self._refetch else (None, None)
        try:
            answer = fetch(url, self._settings, etag, last_modified)
            if isinstance(answer, Fetched):
                yield from self._fetched(url, answer, row, depth)
        except NewsbellError as error:
            self._remember(url, known, now, str(error))
            raise
        if isinstance(answer, Fetched):
            self._store.put_feed(url, etag=answer.etag, last_modified=answer.last_modified, fetched_at=now)
        else:
            row.unchanged += 1
            self._remember(url, known, now, None)

    def _remember(self, url: str, known: FeedRow | None, now: datetime, error: str | None) -> None:
        etag, last_modified = (known.etag, known.last_modified) if known else (None, None)
        self._store.put_feed(url, etag=etag, last_modified=last_modified, fetched_at=now, error=error)

    def _fetched(self, url: str, answer: Fetched, row: Row, depth: int) -> Iterator[None]:
        if answer.moved_to:
            row.warnings[f"moved for good to {shown(answer.moved_to)}; use that address"] += 1
        origin = Origin(shown(url), self._clock.now(), answer.url, answer.content_type)
        reading = read_bytes(answer.body, origin, self._settings.fetch_max_bytes)
        yield from self._write(reading, row, shown(url))
        yield from self._children(reading.report.children, row, depth)

    def _children(self, children: list[str], row: Row, depth: int) -> Iterator[None]:
        if children and depth:
            row.warnings["a sitemap index inside another was not followed"] += 1
            return
        if len(children) > MAX_CHILDREN:
            row.warnings[f"only the newest {MAX_CHILDREN} sitemaps of the index were read"] += 1
        for child in children[:MAX_CHILDREN]:
            row.documents += 1
            try:
                yield from self._url(child, row, depth=depth + 1)
            except DatabaseNotReady:
                raise
            except NewsbellError as error:
                row.failed.append(str(error))

    def _write(self, reading: Reading, row: Row, place: str) -> Iterator[None]:
        report = reading.report
        accepted = self._accepted(reading, place)
        try:
            while batch := list(islice(accepted, self._batch)):
                row.add(self._store.put_articles(self._keep_dates(batch, reading), now=self._clock.now()))
                yield
        finally:
            row.kinds[report.kind] += 1
            row.rejected.update(report.rejected)
            row.warnings.update(report.warnings)

    def _accepted(self, reading: Reading, place: str) -> Iterator[ArticleIn]:
        for item in reading:
            if isinstance(item, Rejected):
                self._on_rejected(place, item)
            else:
                yield item

    def _keep_dates(self, batch: list[ArticleIn], reading: Reading) -> list[ArticleIn]:
        """Articles dated by arrival keep the date of their first arrival, or every fetch would make them news."""
        undated = [article.id for article in batch if article.id in reading.report.arrival_ids]
        if not undated:
            return batch
        numbers = self._store.article_ids(undated)
        stored = {row.id: row.published_at for row in self._store.articles(set(numbers.values()))}
        dates = {key: stored[number] for key, number in numbers.items() if number in stored}
        return [
            article.model_copy(update={"published_at": dates[article.id]}) if article.id in dates else article
            for article in batch
        ]


def is_address(source: str) -> bool:
    """Whether a source is an address rather than a path."""
    return "://" in source


def _documents(source: str) -> Iterator[Document]:
    if is_address(source):
        yield Document(source.strip(), shown(source), 0, True, True)
        return
    path = Path(source)
    if not path.exists():
        raise NotFound(f"{source} does not exist; give a file, a directory or an http(s) address")
    if not path.is_dir():
        yield Document(source, source, path.stat().st_size, False, True)
        return
    for file in _files(path):
        inner = file.relative_to(path).parts
        row = str(path / inner[0]) if len(inner) > 1 else str(path)
        yield Document(str(file), row, file.stat().st_size, False, False)


def _files(folder: Path) -> Iterator[Path]:
    """The regular files below a folder in order of name; hidden ones and links to folders are passed over."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(root, name)
            if not name.startswith(".") and file.is_file():
                yield file
