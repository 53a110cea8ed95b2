"""Postings in a folder: arrays as .npy files that are mapped, not read; a manifest says which belong together.

The folder may be written while others map it: a segment's files never change, the manifest is replaced in one step,
and files of segments that no manifest names any more are unlinked (who has mapped them keeps them).
"""

import json
import shutil
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from data.errors import NewsbellError
from recommender import arrays
from recommender.postings.layout import Segment
from recommender.postings.search import Postings

VERSION = 3
MANIFEST = "manifest.json"


class PostingsUnreadable(NewsbellError):
    """The folder holds no postings of this version: build them again."""


def save(postings: Postings, folder: Path) -> None:
    """Write what is new; a crash at any point leaves the former manifest and its files whole."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [_save_segment(segment, folder) for segment in postings.segments]
    alive = "" if postings.alive is None else _save_alive(postings.alive, folder)
    text = json.dumps({"version": VERSION, "segments": names, "alive": alive, "rows": len(postings)})
    arrays.write(folder / MANIFEST, text.encode())
    for path in folder.iterdir():
        if path.name not in {MANIFEST, alive, *names}:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def load(folder: Path) -> Postings:
    """Map what `save` wrote: pages are read when touched, and shared between processes."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        if manifest["version"] != VERSION:
            raise PostingsUnreadable(f"{folder} has postings of another version: build them again")
        segments = tuple(_load_segment(folder / name) for name in manifest["segments"])
        alive = np.load(folder / manifest["alive"], allow_pickle=False) if manifest["alive"] else None
        postings = Postings(segments, alive)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PostingsUnreadable(f"{folder} holds no whole postings ({error}): build them again") from error
    if len(postings) != manifest["rows"]:
        raise PostingsUnreadable(f"{folder} lacks rows: build them again")
    return postings


def _save_segment(segment: Segment, folder: Path) -> str:
    name = f"segment-{_digest(segment)}"
    target = folder / name
    if target.exists():
        return name
    draft = folder / f".{uuid4().hex}"
    draft.mkdir()
    for field, array in segment.arrays().items():
        arrays.save(draft / f"{field}.npy", array)
    arrays.sync(draft)
    draft.rename(target)
    return name


def _save_alive(alive: NDArray[np.bool_], folder: Path) -> str:
    name = f"alive-{blake2b(np.packbits(alive).tobytes(), digest_size=12).hexdigest()}.npy"
    draft = folder / f".{uuid4().hex}"
    arrays.save(draft, alive)
    draft.rename(folder / name)
    return name


def _load_segment(folder: Path) -> Segment:
    return Segment(**{name: arrays.load(folder / f"{name}.npy") for name in Segment.__dataclass_fields__})


def _digest(segment: Segment) -> str:
    """A name made of the content: the same rows are written once."""
    made = blake2b(digest_size=12)
    for array in segment.arrays().values():
        made.update(str((array.dtype, array.shape)).encode())
        made.update(np.ascontiguousarray(array).view(np.uint8).data)
    return made.hexdigest()
