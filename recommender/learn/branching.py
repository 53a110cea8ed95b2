"""Trees that branch, each node with a question of its own: other libraries' boosting as plain arrays.

Alternatives to `trees`: scikit-learn learns row by row, whatever stood beside; LightGBM, where it is there, by slate.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidInput, NotFound
from data.values import FloatArray, IntArray
from recommender.compiled import compiled_at_use

CHECKED = 200  # rows on which the arrays must say what scikit-learn says
SETTINGS: Mapping[str, Any] = {
    "learning_rate": 0.05, "max_iter": 800, "max_leaf_nodes": 31, "min_samples_leaf": 100, "l2_regularization": 10.0,
    "max_features": 0.25,
}  # fmt: skip

LIGHT: Mapping[str, Any] = {
    "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 100, "lambda_l2": 10.0, "feature_fraction": 0.25,
    "verbosity": -1, "num_threads": 1, "deterministic": True,
}  # fmt: skip


@dataclass(frozen=True)
class Branching:
    """Tree t is the nodes from start[t] on; a row goes left where X[r, feature] <= edge, and ends where left is -1."""

    start: IntArray  # (trees + 1,)
    feature: NDArray[np.int32]  # (nodes,)
    edge: FloatArray  # (nodes,)
    left: NDArray[np.int32]  # (nodes,) of all nodes; -1: a leaf
    right: NDArray[np.int32]
    value: FloatArray  # (nodes,)

    def __len__(self) -> int:
        return len(self.start) - 1

    def predict(self, X: FloatArray) -> FloatArray:
        """Score of each row, a log odds but for what all share; X (rows x features)."""
        parts = self.start, self.feature, self.edge, self.left, self.right, self.value
        return np.asarray(_descend(np.ascontiguousarray(X, np.float32), *parts), np.float32)


def fit_pointwise(
    X: FloatArray, clicked: NDArray[np.uint8], held: tuple[FloatArray, NDArray[np.uint8]] | None = None,
    *, seed: int = 0, **settings: Any,
) -> Branching:  # fmt: skip
    """Boosted trees on the log loss of single rows, stopped where the held rows get no better; X is finite.

    Cost: X is copied as float64. InvalidInput where this version of scikit-learn keeps its trees in another form.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    asked = {**SETTINGS, **settings, "random_state": seed, "early_stopping": held is not None, "n_iter_no_change": 25}
    learner: Any = HistGradientBoostingClassifier(**asked)
    if held is None:
        learner.fit(X, clicked)
    else:
        learner.fit(X, clicked, X_val=held[0], y_val=held[1])
    return arrays_of(learner, X[:CHECKED])


def fit_lambdarank(
    X: FloatArray, clicked: NDArray[np.uint8], start: IntArray, *, trees: int = 300, seed: int = 0, **settings: Any
) -> Branching:
    """LightGBM's lambdarank over slates as the same arrays; NotFound where LightGBM is not installed.

    Source: Burges, "From RankNet to LambdaRank to LambdaMART: an overview" (2010).
    """
    try:
        lightgbm: Any = import_module("lightgbm")
    except ImportError as error:
        raise NotFound("LightGBM is not installed: `pip install lightgbm`, or use `trees`") from error
    asked = {**LIGHT, **settings, "objective": "lambdarank", "seed": seed}
    data = lightgbm.Dataset(X, clicked, group=np.diff(start), params={"verbosity": -1})
    booster = lightgbm.train(asked, data, num_boost_round=trees)
    found, places = list[tuple[int, float, int, int, float]](), [0]
    for tree in booster.dump_model()["tree_info"]:
        _lay(tree["tree_structure"], found)
        places.append(len(found))
    nodes = np.array(found, np.float64).reshape(-1, 5)
    made = Branching(
        np.array(places, np.int64), nodes[:, 0].astype(np.int32), _below(nodes[:, 1]), nodes[:, 2].astype(np.int32),
        nodes[:, 3].astype(np.int32), nodes[:, 4].astype(np.float32),
    )  # fmt: skip
    _check(booster.predict(X[:CHECKED], raw_score=True), made.predict(X[:CHECKED]))
    return made


def _lay(node: Mapping[str, Any], into: list[tuple[int, float, int, int, float]]) -> int:
    """Put a nested node and all below it into rows (feature, edge, left, right, value); gives its place."""
    place = len(into)
    if "leaf_value" in node:
        into.append((0, 0.0, -1, -1, float(node["leaf_value"])))
        return place
    into.append((0, 0.0, -1, -1, 0.0))
    left, right = _lay(node["left_child"], into), _lay(node["right_child"], into)
    into[place] = (int(node["split_feature"]), float(node["threshold"]), left, right, 0.0)
    return place


def arrays_of(learner: Any, X: FloatArray) -> Branching:
    """A fitted two-class HistGradientBoostingClassifier as arrays, which are checked on some rows."""
    try:
        nodes = [one[0].nodes for one in learner._predictors]
        start = np.concatenate([[0], np.cumsum([len(one) for one in nodes])]).astype(np.int64)
        joined = np.concatenate(nodes)
        offset = np.repeat(start[:-1], np.diff(start))
        is_leaf = joined["is_leaf"].astype(bool)
        found = Branching(
            start, joined["feature_idx"].astype(np.int32), _below(joined["num_threshold"]),
            np.where(is_leaf, -1, joined["left"] + offset).astype(np.int32),
            np.where(is_leaf, -1, joined["right"] + offset).astype(np.int32), joined["value"].astype(np.float32),
        )  # fmt: skip
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise InvalidInput(f"this scikit-learn keeps its trees in another form ({error}): use `trees`") from error
    _check(learner.decision_function(X), found.predict(X))
    return found


def _check(told: NDArray[np.float64], found: FloatArray) -> None:
    if np.ptp(told - found) > 1e-3:
        raise InvalidInput("the arrays do not say what the trees say that they are of: use `trees`")


def _below(edges: NDArray[np.float64]) -> FloatArray:
    """The greatest float32 not above each: float32 values compare with it as with the edge itself."""
    narrow = edges.astype(np.float32)
    return np.where(narrow > edges, np.nextafter(narrow, np.float32(-np.inf)), narrow).astype(np.float32)


@compiled_at_use()
def _descend(X, start, feature, edge, left, right, value):
    score = np.zeros(len(X), np.float32)
    for tree in range(len(start) - 1):  # outermost: its nodes stay in the cache
        for row in range(len(X)):
            node = start[tree]
            while left[node] >= 0:
                node = left[node] if X[row, feature[node]] <= edge[node] else right[node]
            score[row] += value[node]
    return score
