"""Click models in files: each in a folder named after its digest, arrays without pickle beside their facts."""

import hashlib
import io
import json
import logging
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from data.errors import InvalidInput, InvalidSettings
from recommender.interest import DIGITS, NAMES, Interest, name_of, number_of

log = logging.getLogger(__name__)
ARRAYS, FACTS = "model.npz", "model.json"
KEPT = 10  # models that no version of weights names
_PLAIN = ("slope", "offset", "usual")


def save(folder: Path, model: Interest) -> int:
    """Keep a model under its digest and give its number. It appears whole or not at all; the same again is one.

    InvalidSettings where the folder cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, feature=model.feature, edge=model.edge, value=model.value)
    plain = {name: float(getattr(model, name)) for name in _PLAIN}
    facts = {"features": list(NAMES), **plain, "told": dict(model.told)}
    digest = _digest(buffer.getvalue(), facts)
    made, draft = folder / digest[:DIGITS], folder / f".{uuid4().hex}.part"
    try:
        if not made.is_dir():
            draft.mkdir(parents=True)
            (draft / ARRAYS).write_bytes(buffer.getvalue())
            (draft / FACTS).write_text(json.dumps({"digest": digest, **facts}, indent=2))
            draft.rename(made)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise InvalidSettings(f"NEWSBELL_MODELS_DIR: no model can be kept in {folder} ({error})") from error
    return number_of(digest)


def load(folder: Path, number: int) -> Interest:
    """A kept model; InvalidInput says what is wrong with its files."""
    path = folder / name_of(number)
    try:
        facts = json.loads((path / FACTS).read_text())
        content = (path / ARRAYS).read_bytes()
        if _digest(content, {name: one for name, one in facts.items() if name != "digest"}) != facts["digest"]:
            raise InvalidInput(f"the click model in {path} was changed since it was written: learn it again")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return _model(facts, dict(arrays), path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
        raise InvalidInput(f"the click model in {path} cannot be read ({error}): learn it again") from error


def numbers(folder: Path) -> list[int]:
    """The models there are, the newest first."""
    found = [path for path in folder.iterdir() if _is_name(path.name)] if folder.is_dir() else []
    return [int(path.name, 16) for path in sorted(found, key=lambda path: -path.stat().st_mtime_ns)]


def forget(folder: Path, named: Collection[int], kept: int = KEPT) -> None:
    """Remove all but the newest `kept` models and those that weights still name."""
    for number in numbers(folder)[kept:]:
        if number not in named:
            shutil.rmtree(folder / name_of(number), ignore_errors=True)


class Models:
    """The models of a folder, looked at again when something came or went."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.loaded: Mapping[int, Interest] = {}
        self._seen_ns = -1

    def follow(self) -> Mapping[int, Interest]:
        """The models there are now, the same object where nothing changed; a damaged one is told once and left out."""
        changed_ns = self._changed_ns()
        if changed_ns != self._seen_ns:
            self._seen_ns = changed_ns
            self.loaded = self._read() if self.folder else {}
        return self.loaded

    def _changed_ns(self) -> int:
        try:
            return self.folder.stat().st_mtime_ns if self.folder else 0
        except OSError:
            return 0

    def _read(self) -> dict[int, Interest]:
        found: dict[int, Interest] = {}
        folder = self.folder or Path()
        for number in numbers(folder):
            try:
                found[number] = self.loaded.get(number) or load(folder, number)
            except InvalidInput as error:
                log.warning("%s", error)
        return found


def _is_name(name: str) -> bool:
    return len(name) == DIGITS and all(one in "0123456789abcdef" for one in name)


def _digest(content: bytes, facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(content + json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _model(facts: Mapping[str, Any], arrays: Mapping[str, Any], path: Path) -> Interest:
    if tuple(facts["features"]) != NAMES:
        raise InvalidInput(f"the click model in {path} was learned from other features: learn it again")
    feature = np.ascontiguousarray(arrays["feature"], np.int32)
    edge, value = (np.ascontiguousarray(arrays[name], np.float32) for name in ("edge", "value"))
    is_tree = feature.ndim == 2 and edge.shape == feature.shape and value.shape == (len(edge), 1 << feature.shape[1])
    if not is_tree or (feature.size and not 0 <= feature.min() <= feature.max() < len(NAMES)):
        raise InvalidInput(f"the click model in {path} holds no trees: learn it again")
    slope, offset, usual = (float(facts[name]) for name in _PLAIN)
    if not np.isfinite([slope, offset, usual]).all() or not np.isfinite(value).all():
        raise InvalidInput(f"the click model in {path} holds numbers that are none: learn it again")
    return Interest(feature, edge, value, slope, offset, usual, dict(facts["told"]))
