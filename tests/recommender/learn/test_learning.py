"""Learning from slates: planted weights come back, curves add up exactly, trees predict what they were grown to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from data.errors import InvalidInput, NotFound
from recommender.learn import files
from recommender.learn.bins import Bins
from recommender.learn.fitted import fit_trees, fit_weighted, refitted
from recommender.learn.linear import fewest, fit_linear, out_of_fold
from recommender.learn.pictures import curves_svg
from recommender.learn.shapes import Shaping, shape
from recommender.learn.softmax import slopes
from recommender.learn.study import Study, centred
from recommender.learn.trees import Growth, grow
from recommender.learn.weights import fit_weights
from recommender.replay.causal import Features
from recommender.replay.judged import judged

PLANTED = np.array([3.0, 1.5, 0.0, 0.7])
NONE = np.zeros(0, np.int64)


def made(slates: int = 1_500, seed: int = 0, size: int = 8) -> Study:
    """Slates whose clicks follow a softmax over planted weights; hours apart, two thirds to learn from."""
    rng = np.random.default_rng(seed)
    X = rng.random((slates * size, len(PLANTED))).astype(np.float32)
    noisy = X @ PLANTED + rng.gumbel(size=len(X))
    clicked = (noisy.reshape(slates, size).argmax(1)[:, None] == np.arange(size)).astype(np.uint8).ravel()
    features = Features(X, ("a", "b", "c", "d"), 4)
    at = np.arange(slates) * 3_600_000_000
    return Study(features, np.arange(0, len(X) + 1, size), clicked, at, rng.integers(0, 40, slates), 2 * slates // 3)


@pytest.fixture(scope="module")
def study() -> Study:
    return made()


def auc_of(study: Study, score: np.ndarray) -> float:
    return judged(study.slates, score, among=study.tested)["AUC"].mean


def best_auc(study: Study) -> float:
    return auc_of(study, (study.features.X @ PLANTED).astype(np.float32))


def test_planted_weights_come_back(study: Study) -> None:
    found = fit_weights(study.features.X, study.clicked, study.start, ridge=0.0)
    np.testing.assert_allclose(found, PLANTED, atol=0.35)


def test_no_weight_is_negative_where_less_is_better(study: Study) -> None:
    worse = study.features.X.copy()
    worse[:, 0] *= -1
    assert fit_weights(worse, study.clicked, study.start)[0] == 0.0
    assert fit_weights(worse, study.clicked, study.start, signed=True)[0] < -2.0


def test_the_loss_is_the_mean_log_softmax_of_the_clicked(study: Study) -> None:
    score = np.random.default_rng(0).random(len(study.clicked))
    g, h = np.zeros_like(score), np.zeros_like(score)
    found = slopes(score, study.clicked, study.start, np.ones(len(study.at)), g, h)
    wanted = -log_softmax(score.reshape(len(study.at), -1), axis=1).ravel()[study.clicked == 1].mean()
    assert found == pytest.approx(wanted)
    np.testing.assert_allclose(np.add.reduceat(g, study.start[:-1]), 0, atol=1e-9)


def test_bins_keep_the_order_of_values() -> None:
    X = np.random.default_rng(0).normal(size=(5_000, 2)).astype(np.float32)
    places = Bins.fit(X).places(X)
    order = np.argsort(X[:, 0])
    assert (np.diff(places[order, 0].astype(int)) >= 0).all()
    assert len(np.unique(places[:, 0])) == 64


def test_curves_add_up_exactly_to_the_score(study: Study) -> None:
    X = study.features.X
    shapes = shape(X, study.features.names, study.clicked, study.start, NONE, Shaping(rounds=60))
    np.testing.assert_allclose(shapes.parts(X).sum(1), shapes.predict(X), rtol=1e-5, atol=1e-5)
    assert auc_of(study, shapes.predict(X)) > best_auc(study) - 0.02


def test_a_curve_held_to_one_way_never_turns(study: Study) -> None:
    X = study.features.X.copy()
    X[:, 0] *= -1
    shaping = Shaping(rounds=60, monotone=True, most=3)
    shapes = shape(X, study.features.names, study.clicked, study.start, NONE, shaping)
    for one in shapes.used:
        steps = np.diff(shapes.value[one])
        assert (steps >= -1e-6).all() or (steps <= 1e-6).all()
    assert len(shapes.used) <= 3
    assert shapes.signals(X).min() >= 0.0
    assert shapes.signals(X).max() <= 1.0


def test_signals_with_one_weight_each_rank_nearly_as_well_as_the_truth(study: Study) -> None:
    found = fit_weighted(study, study.holdout(5), Shaping(rounds=150, most=3))
    assert len(found.names) <= 3
    assert (found.weights >= 0).all()
    assert auc_of(study, found.predict(study.features)) > 0.6


def test_trees_learn_what_no_sum_can(study: Study) -> None:
    """The clicked one has exactly one of two marks: neither mark alone says anything."""
    rng = np.random.default_rng(1)
    X = rng.integers(0, 2, (len(study.clicked), 3)).astype(np.float32)
    wanted = (X[:, 0] != X[:, 1]) * 3.0 + rng.gumbel(size=len(X))
    clicked = (wanted.reshape(-1, 8).argmax(1)[:, None] == np.arange(8)).astype(np.uint8).ravel()
    growth = Growth(trees=40, depth=2, step=0.3, feature_share=1.0)
    trees = grow(X, clicked, study.start, NONE, growth)
    flat = fit_weights(X, clicked, study.start, signed=True)
    other = replace(study, clicked=clicked)
    assert auc_of(other, trees.predict(X)) > auc_of(other, (X @ flat).astype(np.float32)) + 0.1


def test_trees_predict_one_row_as_many(study: Study) -> None:
    X = study.features.X
    trees = grow(X, study.clicked, study.start, NONE, Growth(trees=20, depth=3))
    np.testing.assert_array_equal(
        trees.predict(X)[:7], np.concatenate([trees.predict(X[one : one + 1]) for one in range(7)])
    )


def test_trees_stop_where_the_holdout_gets_worse(study: Study) -> None:
    noise = replace(
        study, features=replace(study.features, X=np.random.default_rng(2).random((len(study.clicked), 4), np.float32))
    )
    growth = Growth(trees=200, patience=10)
    items = noise.items(noise.trained)
    grown = grow(
        noise.features.X[:items], noise.clicked[:items], noise.start[: noise.trained + 1], noise.holdout(5), growth
    )
    assert len(grown) < 100
    assert len(fit_trees(study, study.holdout(5), Growth(trees=60, depth=3, patience=10))) > 5


def test_a_linear_model_says_which_way_each_feature_goes(study: Study) -> None:
    X = study.features.X.copy()
    X[:, 1] *= -1
    turned = replace(study, features=replace(study.features, X=X))
    model = fit_linear(turned)
    assert (model.weights >= 0).all()
    assert model.scale[1] < 0 < model.scale[0]
    assert auc_of(turned, model.predict(X)) > best_auc(study) - 0.02
    assert 2 not in fewest(turned, 3)


def test_out_of_fold_scores_do_not_know_their_own_reader(study: Study) -> None:
    changed = study.clicked.copy()
    mine = np.repeat(study.reader == study.reader[0], np.diff(study.start))
    changed[mine] = 0
    before, after = (out_of_fold(replace(study, clicked=one)) for one in (study.clicked, changed))
    first = slice(int(study.start[0]), int(study.start[1]))
    np.testing.assert_array_equal(before[first], after[first])


def test_refits_learn_only_from_slates_that_are_old_enough(study: Study) -> None:
    asked = []

    class Zero:
        def predict(self, X: np.ndarray) -> np.ndarray:
            return np.zeros(len(X), np.float32)

    hour = 3_600_000_000
    refitted(study, lambda known: asked.append(known) or Zero(), 3 * hour, 100 * hour)  # type: ignore[func-returns-value]
    assert asked[0] == study.trained
    assert asked[1:] == [study.trained + 100 * n - 2 for n in range(1, len(asked))]


def test_centred_scores_sum_to_nothing_in_each_slate(study: Study) -> None:
    score = centred(np.random.default_rng(0).random(len(study.clicked)).astype(np.float32), study.start)
    np.testing.assert_allclose(np.add.reduceat(score, study.start[:-1]), 0, atol=1e-5)


def test_figures_agree_with_scikit_learn(study: Study) -> None:
    score = np.random.default_rng(3).random(len(study.clicked)).astype(np.float32)
    slates = range(study.trained, len(study.at))
    parts = [slice(int(study.start[one]), int(study.start[one + 1])) for one in slates]
    wanted = np.mean([roc_auc_score(study.clicked[part], score[part]) for part in parts])
    assert auc_of(study, score) == pytest.approx(wanted)


@pytest.mark.parametrize("kind", ["linear", "shapes", "trees"])
def test_a_model_comes_back_from_disk_as_it_was(study: Study, tmp_path: Path, kind: str) -> None:
    X, names = study.features.X, study.features.names
    model = {
        "linear": lambda: fit_linear(study),
        "shapes": lambda: shape(X, names, study.clicked, study.start, NONE, Shaping(rounds=10)),
        "trees": lambda: grow(X, study.clicked, study.start, NONE, Growth(trees=5)),
    }[kind]()
    files.save(tmp_path, model, {"window": "three days"})
    again, facts = files.load(tmp_path)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert facts["window"] == "three days"


def test_a_changed_model_is_refused(study: Study, tmp_path: Path) -> None:
    files.save(tmp_path, fit_linear(study), {})
    content = bytearray((tmp_path / "model.npz").read_bytes())
    content[-40] ^= 1
    (tmp_path / "model.npz").write_bytes(bytes(content))
    with pytest.raises(InvalidInput, match="learn it again"):
        files.load(tmp_path)
    with pytest.raises(NotFound, match="newsbell learn"):
        files.load(tmp_path / "nothing")


def test_curves_are_drawn_with_their_names(study: Study) -> None:
    shapes = shape(study.features.X, ("a<b", "b", "c", "d"), study.clicked, study.start, NONE, Shaping(rounds=20))
    picture = curves_svg(shapes.curves())
    assert picture.startswith("<svg")
    assert "a&lt;b" in picture
