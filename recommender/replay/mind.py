"""The MIND layout: tab-separated slates with a history each, and the texts of the news."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidInput, NotFound
from recommender.replay.log import Articles, Log, Reads, Slates

GROUPS = ("category", "subcategory")


@dataclass(frozen=True)
class News:
    """The texts of the news, an entry an article."""

    ids: tuple[str, ...]
    category: tuple[str, ...]
    subcategory: tuple[str, ...]
    title: tuple[str, ...]
    abstract: tuple[str, ...]


@dataclass(frozen=True)
class _Line:
    at: int
    reader: str
    history: tuple[str, ...]
    items: tuple[tuple[str, bool], ...]
    size: int  # of the slate as it was shown


def load(paths: list[Path], news: Path) -> tuple[Log, News]:
    """The log of some files of slates, and the texts.

    A history has no times: it is known from the reader's first slate on, and its reads count for nobody's popularity.
    """
    texts = _news(news)
    lines = sorted((line for path in paths for line in _lines(path)), key=lambda line: line.at)
    code = {name: number for number, name in enumerate(texts.ids)}
    readers = sorted({line.reader for line in lines})
    number = {name: place for place, name in enumerate(readers)}
    items = [[(code[name], opened) for name, opened in line.items if name in code] for line in lines]
    start = np.concatenate([[0], np.cumsum([len(one) for one in items])]).astype(np.int64)
    flat = [pair for one in items for pair in one]
    count = len(lines)
    slates = Slates(
        at=np.array([line.at for line in lines], np.int64),
        reader=np.array([number[line.reader] for line in lines], np.int32),
        start=start,
        item=np.array([one for one, _ in flat], np.int32),
        clicked=np.array([opened for _, opened in flat], np.uint8),
        beside=np.full(count, -1, np.int32),
        device=np.zeros(count, np.int32),
    )
    mapped = np.diff(start) / np.array([max(line.size, 1) for line in lines])
    log = Log(
        slates, _reads(lines, code, number), _articles(texts), GROUPS, (), np.array(texts.ids), np.array(readers),
        mapped.astype(np.float32),
    )  # fmt: skip
    return log, texts


def _reads(lines: list[_Line], code: dict[str, int], number: dict[str, int]) -> Reads:
    known: dict[str, set[str]] = {}
    rows = []
    for line in lines:
        seen = known.setdefault(line.reader, set())
        for name in line.history:
            if name in code and name not in seen:
                rows.append((line.at - 1, number[line.reader], code[name]))
                seen.add(name)
    at, reader, item = (np.array([row[part] for row in rows]) for part in range(3))
    return Reads(
        at.astype(np.int64), reader.astype(np.int32), item.astype(np.int32), np.ones(len(rows), np.float32),
        np.zeros(len(rows), np.uint8),
    )  # fmt: skip


def _articles(news: News) -> Articles:
    subjects, subject = np.unique(np.array(news.category), return_inverse=True)
    _, finer = np.unique(np.array([f"{one}/{two}" for one, two in zip(news.category, news.subcategory, strict=True)]),
                         return_inverse=True)  # fmt: skip
    groups = np.stack([subject, len(subjects) + finer]).astype(np.int32)
    none = np.zeros(len(news.ids), np.int64)
    return Articles(none, none, groups, np.zeros((len(news.ids), 0), np.float32))


def _news(path: Path) -> News:
    rows = [line.rstrip("\n").split("\t") for line in _text(path)]
    if not rows or any(len(row) < 5 for row in rows):
        raise InvalidInput(f"{path.name} is no news of the MIND layout: id, category, subcategory, title, abstract")
    return News(*(tuple(row[part] for row in rows) for part in range(5)))


def _lines(path: Path) -> Iterator[_Line]:
    for number, text in enumerate(_text(path), 1):
        cells = text.rstrip("\n").split("\t")
        try:
            pairs = tuple((one.rpartition("-")[0], one.endswith("-1")) for one in cells[4].split())
            size = int(cells[5]) if len(cells) > 5 else len(pairs)
            at = datetime.fromisoformat(cells[2]).replace(tzinfo=UTC)
        except (IndexError, ValueError) as error:
            raise InvalidInput(f"{path.name} line {number} is no slate of the MIND layout: {error}") from error
        yield _Line(int(at.timestamp()) * 1_000_000, cells[1], tuple(cells[3].split()), pairs, size)


def _text(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise NotFound(f"{path} is missing: name the folder that holds news.tsv and the slates")
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="\n") as file:
        yield from file


def strings(values: tuple[str, ...]) -> NDArray[np.str_]:
    """The values as an array."""
    return np.array(values)
