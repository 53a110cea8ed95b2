"""scikit-learn's boosted trees as plain arrays: the same scores, kept without pickle, compared on the same slates."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from data.errors import InvalidInput, NotFound
from recommender.learn import files
from recommender.learn.branching import Branching, arrays_of, fit_lambdarank, fit_pointwise
from recommender.learn.fitted import fit_branching
from recommender.learn.study import Study
from recommender.replay.causal import Features
from recommender.replay.judged import judged

FEW = {"max_iter": 30, "learning_rate": 0.2, "min_samples_leaf": 20, "max_features": 1.0}


@pytest.fixture(scope="module")
def study() -> Study:
    """The clicked one has exactly one of two marks; values lie on a grid, so that some stand on an edge."""
    rng = np.random.default_rng(0)
    slates, size = 900, 8
    X = rng.integers(0, 12, (slates * size, 3)).astype(np.float32) / 10
    wanted = ((X[:, 0] > 0.5) != (X[:, 1] > 0.5)) * 3.0 + rng.gumbel(size=len(X))
    clicked = (wanted.reshape(slates, size).argmax(1)[:, None] == np.arange(size)).astype(np.uint8).ravel()
    at = np.arange(slates) * 3_600_000_000
    start = np.arange(0, len(X) + 1, size)
    return Study(Features(X, ("a", "b", "c"), 3), start, clicked, at, rng.integers(0, 40, slates), 600)


@pytest.fixture(scope="module")
def model(study: Study) -> Branching:
    return fit_branching(study, study.holdout(4.0), **FEW)


def test_the_arrays_say_what_scikit_learn_says(study: Study) -> None:
    X, clicked = study.features.X, study.clicked
    learner = HistGradientBoostingClassifier(max_iter=40, random_state=3).fit(X, clicked)
    found = arrays_of(learner, X[:50])
    apart = learner.decision_function(X) - found.predict(X)
    assert len(found) == 40
    assert np.ptp(apart) < 1e-4


def test_what_no_sum_can_say_is_learned(study: Study, model: Branching) -> None:
    X = study.features.X
    truth = ((X[:, 0] > 0.5) != (X[:, 1] > 0.5)).astype(np.float32)
    found, best = (judged(study.slates, one, among=study.tested)["AUC"].mean for one in (model.predict(X), truth))
    assert found > best - 0.03 > 0.65


def test_one_row_is_judged_as_among_many(study: Study, model: Branching) -> None:
    X = study.features.X[:40]
    alone = [float(model.predict(X[one : one + 1])[0]) for one in range(40)]
    np.testing.assert_array_equal(model.predict(X), np.array(alone, np.float32))


def test_growing_stops_where_held_rows_get_no_better(study: Study) -> None:
    noise = np.random.default_rng(1).random(study.features.X.shape).astype(np.float32)
    held = noise[-2_000:], study.clicked[-2_000:]
    stopped = fit_pointwise(noise[:-2_000], study.clicked[:-2_000], held, max_iter=300, learning_rate=0.3)
    assert len(stopped) < 100


def test_a_model_is_kept_without_pickle(tmp_path: Path, study: Study, model: Branching) -> None:
    files.save(tmp_path, model, {"window": "three days"})
    again, facts = files.load(tmp_path)
    np.testing.assert_array_equal(again.predict(study.features.X), model.predict(study.features.X))
    assert facts["kind"] == "branching"


def test_trees_of_another_form_are_refused(study: Study) -> None:
    with pytest.raises(InvalidInput, match="use `trees`"):
        arrays_of(SimpleNamespace(_predictors=[["no trees"]]), study.features.X[:5])


def test_arrays_that_say_something_else_are_refused(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = HistGradientBoostingClassifier(max_iter=10).fit(study.features.X, study.clicked)
    monkeypatch.setattr("recommender.learn.branching._below", lambda edges: (edges + 0.3).astype(np.float32))
    with pytest.raises(InvalidInput, match="do not say"):
        arrays_of(learner, study.features.X[:100])


def test_lightgbm_says_the_same_as_its_arrays_where_it_is_there(study: Study) -> None:
    pytest.importorskip("lightgbm")
    asked = {"learning_rate": 0.2, "feature_fraction": 1.0, "min_data_in_leaf": 20}
    found = fit_lambdarank(study.features.X, study.clicked, study.start, trees=30, **asked)
    assert len(found) == 30
    assert judged(study.slates, found.predict(study.features.X))["AUC"].mean > 0.7


def test_where_lightgbm_is_not_there_it_is_said(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(NotFound, match="pip install lightgbm"):
        fit_lambdarank(study.features.X, study.clicked, study.start)
