"""Labelled sets as they lie on disk, recognised by what is in them rather than by their names."""

import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from data.errors import InvalidInput, NotFound
from data.text import detect_language
from recommender.vectors import Document

_BACKGROUND = ("corpora", "multisource_2019.jsonl")
_LANGUAGE_SAMPLE = 200


@dataclass(frozen=True)
class LabelledTexts:
    """Texts in time order with the story each tells; ``odd`` says which are of an odd label (n,).

    ``hours`` (n,) is when each appeared, None where the set does not say.
    """

    name: str
    documents: list[Document]
    labels: npt.NDArray[np.int64]
    odd: npt.NDArray[np.bool_]
    hours: npt.NDArray[np.float64] | None = None


@dataclass(frozen=True)
class ScoredPairs:
    """Pairs of texts with the similarity people saw in them, in groups (years)."""

    name: str
    left: list[Document]
    right: list[Document]
    human: npt.NDArray[np.float64]
    group: npt.NDArray[np.str_]


@dataclass(frozen=True)
class JudgedPairs:
    """For each query text the share of judges who found each candidate text relevant."""

    name: str
    queries: dict[Document, list[tuple[Document, float]]]


def labelled_texts(folder: Path) -> list[LabelledTexts]:
    """Every set of texts with stories under the folder, or under its ``stories``; a broken line is skipped."""
    readers = {".jsonl": _clusters, ".csv": _aggregated}
    return [found for path in _files(folder, "stories", readers) if (found := readers[_kind(path)](path)) is not None]


def scored_pairs(folder: Path) -> list[ScoredPairs]:
    """Every tab-separated file of year, score, text, text under the folder or its ``related``."""
    return [found for path in _files(folder, "related", (".tsv", ".txt")) if (found := _scored(path)) is not None]


def judged_pairs(folder: Path) -> list[JudgedPairs]:
    """Every JSON list of ``{query, doc, rel}`` under the folder or its ``related``."""
    return [found for path in _files(folder, "related", (".json",)) if (found := _judged(path)) is not None]


def background(folder: Path) -> list[Document]:
    """Unlabelled English news kept beside the sets (in the folder or next to it); none where there is none."""
    room, name = _BACKGROUND
    places = (root / room / (name + ending) for root in (folder, folder.parent) for ending in (".gz", ""))
    path = next((place for place in places if place.is_file()), None)
    return [] if path is None else _articles(path)


def of_language(documents: Iterable[Document], language: str) -> list[Document]:
    """The documents in this language."""
    return [document for document in documents if document.language == language]


def _kind(path: Path) -> str:
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _files(folder: Path, room: str, kinds: Iterable[str]) -> list[Path]:
    if not folder.is_dir():
        raise NotFound(f"{folder} is not a folder: name the folder that holds the labelled sets")
    root = folder / room if (folder / room).is_dir() else folder
    allowed = set(kinds)
    return sorted(path for path in root.iterdir() if path.is_file() and _kind(path) in allowed)


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        try:
            yield file
        except (OSError, EOFError) as error:
            raise InvalidInput(f"{path.name} cannot be read to its end ({error}): fetch it again") from error


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    with _open(path) as file:
        for line in file:
            try:
                found = json.loads(line)
            except ValueError:
                continue
            if isinstance(found, dict):
                yield found


def _clusters(path: Path) -> LabelledTexts | None:
    rows = [(str(one["text"]), one["cluster"]) for one in _objects(path) if one.get("text") and "cluster" in one]
    return _labelled(path, [text for text, _ in rows], [label for _, label in rows])


def _aggregated(path: Path) -> LabelledTexts | None:
    with _open(path) as file:
        rows = [row for row in csv.DictReader(file) if row.get("TITLE") and row.get("STORY")]
    found_at_ms = [row.get("TIMESTAMP") or "" for row in rows]
    hours = None
    if all(text.isdigit() for text in found_at_ms):
        rows.sort(key=lambda row: int(row["TIMESTAMP"]))
        hours = np.array([int(row["TIMESTAMP"]) / 3_600_000 for row in rows])
    found = _labelled(path, [row["TITLE"] for row in rows], [row["STORY"] for row in rows])
    return None if found is None else replace(found, hours=hours)


def _labelled(path: Path, texts: list[str], names: list[Any]) -> LabelledTexts | None:
    if not texts:
        return None
    _, labels = np.unique(np.array([str(name) for name in names]), return_inverse=True)
    # Numbered stories are even or odd by their number, named ones by their place in the alphabet.
    numbers = names if all(type(name) is int for name in names) else labels
    return LabelledTexts(_name(path), _documents(texts), labels.astype(np.int64), np.asarray(numbers) % 2 == 1)


def _scored(path: Path) -> ScoredPairs | None:
    with _open(path) as file:
        cells = [line.rstrip("\r\n").split("\t") for line in file]
    rows = [row for row in cells if len(row) == 4 and _is_number(row[1])]
    if not rows:
        return None
    documents = _documents([text for row in rows for text in row[2:]])
    human = np.array([float(row[1]) for row in rows])
    return ScoredPairs(_name(path), documents[::2], documents[1::2], human, np.array([row[0] for row in rows]))


def _judged(path: Path) -> JudgedPairs | None:
    with _open(path) as file:
        try:
            rows = json.load(file)
        except ValueError:
            return None
    rows = [row for row in rows if isinstance(row, dict) and {"query", "doc", "rel"} <= row.keys()]
    rows = [row for row in rows if row["query"] != row["doc"] and row["rel"] not in (None, [])]
    if not rows:
        return None
    documents = _documents([row[key].replace("-", " ") for row in rows for key in ("query", "doc")])
    queries: dict[Document, list[tuple[Document, float]]] = {}
    for row, query, document in zip(rows, documents[::2], documents[1::2], strict=True):
        queries.setdefault(query, []).append((document, float(np.mean(row["rel"]))))
    return JudgedPairs(_name(path), queries)


def _articles(path: Path) -> list[Document]:
    articles = _objects(path)
    return [Document(one["title"], one.get("summary") or "", language="en") for one in articles if one.get("title")]


def _documents(texts: list[str]) -> list[Document]:
    """Texts of one set, which share a language."""
    language = detect_language("\n".join(texts[:_LANGUAGE_SAMPLE]))
    return [Document(text, language=language) for text in texts]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _name(path: Path) -> str:
    return path.name.split(".")[0]
