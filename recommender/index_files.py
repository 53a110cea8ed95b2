"""An index in a folder, so that a start maps it instead of reading every text again.

A manifest names the parts and is replaced in one step; parts never change once it names them. Several processes may
map the folder while one of them writes: `save` takes turns by a lock, and whoever has mapped removed files keeps them.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from data.errors import NewsbellError
from recommender import arrays
from recommender.columns import NAMES, Columns, Names
from recommender.index import ArticleIndex, Rows, story_lookup
from recommender.latent import Latent
from recommender.lookup import Lookup
from recommender.postings import files
from recommender.topics import Topics
from recommender.vectors import Epoch
from recommender.vocabulary import Vocabulary

VERSION = 1
MANIFEST = "manifest.json"


class IndexUnreadable(NewsbellError):
    """The folder holds no whole index of this version; it is built again from the database."""


@dataclass(frozen=True)
class Stamp:
    """Which rows of which database an index holds."""

    identity: int  # of the database
    rev: int  # every change up to this number
    fitted_on: int  # articles there were when its vocabulary was fitted


@dataclass(frozen=True)
class Kept:
    """An index with its stamp."""

    index: ArticleIndex
    stamp: Stamp


def stamp(folder: Path) -> Stamp | None:
    """The stamp of what is in the folder, None where nothing is."""
    try:
        return Stamp(**json.loads((folder / MANIFEST).read_text())["stamp"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def save(index: ArticleIndex, folder: Path, of: Stamp) -> bool:
    """Write what is new; False where another process is writing.

    A crash leaves the former index, or parts of two that `load` refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with turn(folder) as is_mine:
        if not is_mine:
            return False
        fit, columns, latent = _fit(index.epoch, folder), _columns(index, folder), _latent(index, folder)
        files.save(index.postings, folder / "postings")
        facts = {
            "version": VERSION,
            "stamp": asdict(of),
            "rows": len(index.columns),
            "postings": _postings_digest(folder),
            "parts": {"fit": fit, "columns": columns, "latent": latent},
            "width": index.latent.width if index.latent else 0,
            "categories": index.categories.all(),
            "languages": index.languages.all(),
            "tails": sorted(index.tails),
            "topics": list(index.topics),
        }
        arrays.write(folder / MANIFEST, json.dumps(facts).encode())
        _prune(folder, {fit, columns, *latent})
    return True


def load(folder: Path) -> Kept:
    """Map what `save` wrote; IndexUnreadable where it is not there or not whole."""
    try:
        facts = _manifest(folder)
        if facts.get("version") != VERSION:
            raise IndexUnreadable(f"{folder} holds no index of this version")
        index = _index(folder, facts)
        postings = _postings_digest(folder)  # after they were mapped: somebody may be writing
    except (OSError, ValueError, KeyError, TypeError, files.PostingsUnreadable) as error:
        raise IndexUnreadable(f"{folder} holds no whole index ({error})") from error
    if postings != facts.get("postings"):
        raise IndexUnreadable(f"{folder} holds parts of different indexes")
    lengths = {len(index.columns), len(index.alive), len(index.postings), facts["rows"]}
    if index.latent is not None:
        lengths.add(len(index.latent))
    if len(lengths) > 1:
        raise IndexUnreadable(f"{folder} holds parts of different indexes")
    return Kept(index, Stamp(**facts["stamp"]))


def _index(folder: Path, facts: Mapping[str, Any]) -> ArticleIndex:
    parts = facts["parts"]
    held: dict[str, Any] = {path.stem: arrays.load(path) for path in (folder / parts["columns"]).glob("*.npy")}
    ends = np.cumsum(held["topic_lengths"])[:-1]
    chunks = [arrays.load(folder / name) for name in parts["latent"]]
    return ArticleIndex(
        epoch=Epoch.load_fit(folder / parts["fit"], Vocabulary.saved(held["vocabulary"])),
        segments=files.load(folder / "postings").segments,
        latent=Latent.of(facts["width"], chunks) if facts["width"] else None,
        columns=Columns(**{name: held[name] for name in NAMES}),
        alive=held["alive"],
        by_id=Lookup(held["by_id_numbers"], held["by_id_rows"]),
        by_story=Lookup(held["by_story_numbers"], held["by_story_rows"]),
        topics=Topics(
            dict(zip(facts["topics"], np.split(held["topic_rows"], ends), strict=True)) if facts["topics"] else {}
        ),
        categories=Names.of(facts["categories"]),
        languages=Names.of(facts["languages"]),
        tails=frozenset(facts["tails"]),
    )


def _postings_digest(folder: Path) -> str:
    """What the postings' manifest names: segments are named by their content."""
    return blake2b((folder / "postings" / files.MANIFEST).read_bytes(), digest_size=12).hexdigest()


def _fit(epoch: Epoch, folder: Path) -> str:
    """The folder of what the epoch learned, written once."""
    name = f"fit-{epoch.key}"
    if not (folder / name / "epoch.json").exists():
        shutil.rmtree(folder / name, ignore_errors=True)
        epoch.save_fit(folder / name)
        arrays.sync(folder / name)
    return name


def _columns(index: ArticleIndex, folder: Path) -> str:
    name = f"columns-{uuid4().hex}"
    (folder / name).mkdir()
    found: list[Rows] = list(index.topics.values())
    rows = np.flatnonzero(index.alive)
    by_id, by_story = Lookup.of(index.columns.id[rows], rows), story_lookup(index.columns)
    more = {
        "by_id_numbers": by_id.numbers,
        "by_id_rows": by_id.rows,
        "by_story_numbers": by_story.numbers,
        "by_story_rows": by_story.rows,
        "alive": index.alive,
        "topic_rows": np.concatenate(found) if found else np.zeros(0, np.intp),
        "topic_lengths": np.array([len(rows) for rows in found], np.int64),
        "vocabulary": index.epoch.vocabulary.text(),
    }
    for column, array in ({name: getattr(index.columns, name) for name in NAMES} | more).items():
        arrays.save(folder / name / f"{column}.npy", array)
    return name


def _latent(index: ArticleIndex, folder: Path) -> list[str]:
    """Names of the chunks, made of their content: what is there is not written again."""
    names = []
    for chunk in index.latent.chunks if index.latent else ():
        name = f"latent-{blake2b(np.ascontiguousarray(chunk).view(np.uint8).data, digest_size=12).hexdigest()}.npy"
        if not (folder / name).exists():
            draft = folder / f"latent-draft-{uuid4().hex}"
            arrays.save(draft, chunk)
            draft.replace(folder / name)
        names.append(name)
    return names


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _prune(folder: Path, named: set[str]) -> None:
    for path in folder.iterdir():
        if path.name.startswith(("fit-", "columns-", "latent-")) and path.name not in named:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


@contextmanager
def turn(folder: Path) -> Iterator[bool]:
    """Whether this process may write now."""
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
