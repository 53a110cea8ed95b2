"""A document, from a file or a fetch, as articles: sniff what it is, hand it to the right reader."""

import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from data.errors import InvalidInput, NotFound
from data.intake.feeds import read_feed
from data.intake.inflate import GZIP_MAGIC, gunzip, too_large
from data.intake.items import FeedReport, Item, Origin, Reading, Rejected, one_per_page
from data.intake.jsonfeed import read_json
from data.intake.jsonl import read_jsonl
from data.intake.sitemap import read_sitemap
from data.intake.sniff import SNIFF_BYTES, kind_of

_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
DEFAULT_MAX_BYTES = 20_000_000
_READERS = {
    "rss": read_feed,
    "rdf": read_feed,
    "atom": read_feed,
    "cdf": read_feed,
    "json": read_json,
    "sitemap": read_sitemap,
    "sitemap index": read_sitemap,
}
_REFUSED = {
    "html": "an HTML page; give the address of its feed",
    "opml": "an OPML list of feeds; give the feeds it names",
    "empty": "it is empty",
    "unknown": "neither XML nor JSON",
}


def read_bytes(data: bytes, origin: Origin, max_bytes: int = DEFAULT_MAX_BYTES) -> Reading:
    """A document held in memory. Raises InvalidInput when it is no feed, TooLarge past `max_bytes` decompressed."""
    if data.startswith(GZIP_MAGIC):
        data = gunzip(data, origin.where, max_bytes)
    if len(data) > max_bytes:
        raise too_large(origin.where, max_bytes)
    kind = kind_of(data[:SNIFF_BYTES])
    if kind == "unknown" and data.startswith(b"<"):  # a long DOCTYPE in front
        kind = kind_of(data[: 16 * SNIFF_BYTES])
    report = FeedReport(origin.where, kind)
    if kind == "jsonl":
        return Reading(report, read_jsonl(io.BytesIO(data), report))
    if kind not in _READERS:
        raise _refusal(origin.where, kind)
    return Reading(report, one_per_page(_primed(_READERS[kind](data, origin, report))))


def read_file(path: Path, now: datetime, max_bytes: int = DEFAULT_MAX_BYTES) -> Reading:
    """A document in a file. Article JSONL, plain or gzip, is streamed and may have any size."""
    if not path.exists():
        raise NotFound(f"{path} does not exist; give a file, a directory or an http(s) address")
    if not stat.S_ISREG(path.stat().st_mode):
        raise InvalidInput(f"{path} is not a regular file")
    with _opened(path) as (stream, _):
        head = _head(stream, path)
    if kind_of(head) == "jsonl":
        report = FeedReport(str(path), "jsonl")
        return Reading(report, _file_lines(path, report))
    with _opened(path) as (stream, _):
        data = _limited(stream, path, max_bytes)
    return read_bytes(data, Origin(str(path), now), max_bytes)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """The content of a file, decompressed where it is gzip, and the file itself."""
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=raw, mode="rb") as content:
                yield cast("BinaryIO", content), raw
        else:
            yield raw, raw


def _head(stream: BinaryIO, path: Path) -> bytes:
    try:
        return stream.read(SNIFF_BYTES)
    except _DAMAGE as error:
        raise InvalidInput(f"{path} is damaged: {error}") from None


def _limited(stream: BinaryIO, path: Path, max_bytes: int) -> bytes:
    pieces, size = [], 0
    try:
        while piece := stream.read(1 << 20):
            pieces.append(piece)
            size += len(piece)
            if size > max_bytes:
                raise too_large(str(path), max_bytes)
    except _DAMAGE as error:
        if not pieces:
            raise InvalidInput(f"{path} is damaged: {error}") from None
    return b"".join(pieces)


def _file_lines(path: Path, report: FeedReport) -> Iterator[Item]:
    with _opened(path) as (stream, raw):
        try:
            for item in read_jsonl(stream, report):
                report.bytes_read = raw.tell()
                yield item
        except _DAMAGE as error:
            yield Rejected("the end", f"the gzip file is damaged: {error}; what came before is in")


def _primed(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, with the first one already asked for: a document that is no feed fails here, not later."""
    first = next(items, None)

    def again() -> Iterator[Item]:
        if first is not None:
            yield first
        yield from items

    return again()


def _refusal(where: str, kind: str) -> InvalidInput:
    return InvalidInput(f"{where} is not a feed: {_REFUSED.get(kind) or f'an XML document with the root {kind[4:]}'}")
