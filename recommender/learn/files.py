"""Learned models on disk: arrays in one .npz without pickle, facts in JSON, each file with the digest of the other."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from data.errors import InvalidInput, NotFound
from recommender.learn.bins import Bins
from recommender.learn.branching import Branching
from recommender.learn.linear import Linear
from recommender.learn.shapes import Shapes
from recommender.learn.trees import Trees

Model = Linear | Shapes | Trees | Branching
_KINDS: Mapping[str, type[Model]] = {"linear": Linear, "shapes": Shapes, "trees": Trees, "branching": Branching}


def save(folder: Path, model: Model, facts: Mapping[str, Any]) -> str:
    """Write model.npz and model.json into a folder, made where it is missing; gives the digest of the arrays.

    `facts` are the data window, the metrics and whatever else tells versions apart; they are JSON. A file appears
    whole or not at all.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **_arrays(model))
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()
    kind = next(name for name, one in _KINDS.items() if isinstance(model, one))
    names = list(model.names) if isinstance(model, Linear | Shapes) else []
    told = {"kind": kind, "names": names, "digest": digest, **facts}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "model.npz", content)
    _write(folder / "model.json", json.dumps(told, indent=2).encode())
    return digest


def load(folder: Path) -> tuple[Model, dict[str, Any]]:
    """What `save` wrote, and its facts; InvalidInput where the arrays are not those the facts speak of."""
    if not (folder / "model.json").is_file():
        raise NotFound(f"no model in {folder}: `newsbell learn` writes one")
    told = json.loads((folder / "model.json").read_text())
    content = (folder / "model.npz").read_bytes()
    if hashlib.sha256(content).hexdigest() != told["digest"]:
        raise InvalidInput(f"the model in {folder} was changed since it was written: learn it again")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _model(told["kind"], tuple(told["names"]), dict(arrays)), told


def _arrays(model: Model) -> dict[str, Any]:
    if isinstance(model, Linear):
        return {"mean": model.mean, "scale": model.scale, "weights": model.weights}
    if isinstance(model, Shapes):
        return {"edges": model.bins.edges, "value": model.value}
    return dict(vars(model))


def _model(kind: str, names: tuple[str, ...], arrays: dict[str, Any]) -> Model:
    if kind == "linear":
        return Linear(names, **arrays)
    if kind == "shapes":
        return Shapes(names, Bins(arrays["edges"]), arrays["value"])
    return Trees(**arrays) if kind == "trees" else Branching(**arrays)


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(path.suffix + ".part")
    draft.write_bytes(content)
    draft.replace(path)
