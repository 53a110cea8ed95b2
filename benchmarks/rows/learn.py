"""Learning: what scoring and retraining cost, and how far models get on the public sets (with `--large`)."""

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Report
from recommender.learn.study import DAY_US, Study, centred
from recommender.learn.trees import Growth, Trees, grow
from recommender.replay.causal import DELAYS_US
from recommender.replay.judged import judged

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"
GROWTH = Growth(trees=550, step=0.08, ridge=30.0, feature_share=0.25, slate_share=0.5)
FEATURES, ROWS = 204, 1_000_000
NONE = np.zeros(0, np.int64)
SEEDS = (0, 1, 2)
FACTS = {
    "trees": GROWTH.trees,
    "depth": GROWTH.depth,
    "seed of the trees": GROWTH.seed,
    "bootstrap": "1,000 by reader, seed 0",
}


class Figures(Report):
    """A report whose lines have columns of their own."""

    def render(self, where: dict[str, Any]) -> str:
        """The lines as a Markdown table."""
        names = list(self.lines[0])
        rows = [[_cell(line[name]) for name in names] for line in self.lines]
        table = [f"| {' | '.join(row)} |" for row in (names, ["---"] * len(names), *rows)]
        facts = [f"- {name}: {value}" for name, value in self.facts.items()]
        end = f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']} at the end; Python {where['python']}."
        return "\n".join([f"# {self.name}", "", self.about, "", *table, "", *facts, "", end, ""])


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Costs on made-up slates; with --large the figures on EB-NeRD and MIND, where they are there."""
    yield _scoring(options)
    yield _interest(options)
    yield _retraining(options)
    if options.large and DATA.is_dir():
        yield _ebnerd()
        yield _mind()


def _scoring(options: argparse.Namespace) -> Report:
    rng = np.random.default_rng(options.seed)
    shape = (GROWTH.trees, GROWTH.depth)
    trees = Trees(
        rng.integers(0, FEATURES, shape).astype(np.int32),
        rng.random(shape).astype(np.float32),
        rng.normal(size=(GROWTH.trees, 2**GROWTH.depth)).astype(np.float32),
    )
    X = rng.random((500, FEATURES)).astype(np.float32)
    trees.predict(X)
    spent = []
    for _ in range(20 if options.quick else 300):
        start = time.thread_time_ns()
        trees.predict(X)
        spent.append((time.thread_time_ns() - start) / 1e6)
    lines = [{"candidates": 500, "trees": len(trees), "median ms": float(np.median(spent)), "least ms": min(spent)}]
    return Figures("learn_scoring", "Scoring 500 candidates with the trees", FACTS, lines)


def _interest(options: argparse.Namespace) -> Report:
    """The signal of one list: ranks among the considered, then the trees."""
    from recommender.interest import CANDIDATE, CONSIDERED, NAMES, Interest, Reference
    from recommender.learn.interest import GROWTH as OWN

    rng, shape = np.random.default_rng(options.seed), (OWN.trees, OWN.depth)
    edge, value = rng.random(shape, np.float32), rng.normal(0, 0.01, (OWN.trees, 2**OWN.depth)).astype(np.float32)
    model = Interest(rng.integers(0, len(NAMES), shape).astype(np.int32), edge, value, 1.0, -2.0, 0.1)
    columns, context = rng.random((len(CANDIDATE), CONSIDERED), np.float32), np.array([0.5, 12], np.float32)
    spent = []
    for _ in range(20 if options.quick else 300):
        start = time.thread_time_ns()
        model.signal(Reference.of(columns).features(columns, context))
        spent.append((time.thread_time_ns() - start) / 1e6)
    facts = {"trees": OWN.trees, "depth": OWN.depth, "features": len(NAMES)}
    line = {"candidates": CONSIDERED, "median ms": float(np.median(spent)), "least ms": min(spent)}
    return Figures("learn_interest", "The signal of interest for one list", facts, [line])


def _retraining(options: argparse.Namespace) -> Report:
    """Rows are made up: cost depends on their number, on bins and trees, hardly on what they hold."""
    import resource

    rng, count = np.random.default_rng(options.seed), ROWS // 20 if options.quick else ROWS
    X = rng.random((count, FEATURES), np.float32)
    start = np.arange(0, count + 1, 10)
    wanted = X[:, 0] + X[:, 1] * X[:, 2] + 0.2 * rng.gumbel(size=count)
    clicked = (wanted.reshape(-1, 10).argmax(1)[:, None] == np.arange(10)).astype(np.uint8).ravel()
    before = time.thread_time()
    grow(X, clicked, start, NONE, GROWTH)
    minutes = (time.thread_time() - before) / 60
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    line = {"rows": count, "features": FEATURES, "trees": GROWTH.trees, "CPU minutes": minutes, "peak GiB": peak}
    return Figures("learn_retraining", "Retraining the trees", FACTS, [line])


def _ebnerd() -> Report:
    from recommender.learn.fitted import fit_shapes, fit_weighted
    from recommender.learn.layouts import ebnerd_study
    from recommender.learn.shapes import Shaping

    lines = []
    for delay in ("0", "5m", "1h", "1d", "off"):
        study = ebnerd_study(DATA / "ebnerd", DELAYS_US[delay])
        items = study.items(study.trained)
        part = study.features.X[:items], study.clicked[:items], study.start[: study.trained + 1]
        ours = grow(*part, NONE, GROWTH).predict(study.features.X)
        lines.append(_line(study, delay, "trees", ours))
        if delay == "5m":
            theirs = _by_rows(study)
            lines.append(_line(study, delay, "HistGradientBoosting, row by row", theirs))
            added = centred(ours, study.start) + centred(theirs, study.start)
            lines.append(_line(study, delay, "both, added", added))
            held, alone = study.holdout(1.0), study.candidates_only()
            curves = [
                fit_shapes(alone, held, Shaping(step=0.25, rounds=1_200, slate_share=0.5, ridge=30.0, seed=seed))
                for seed in (0, 1)
            ]
            both = curves[0].predict(alone.features.X) + curves[1].predict(alone.features.X)
            lines.append(_line(alone, delay, "curves of two seeds, added", both))
            few = fit_weighted(alone, held, Shaping(step=0.3, most=20))
            lines.append(_line(alone, delay, "20 weights", few.predict(alone.features)))
            lines += _again_each_day(study, delay)
    return Figures("learn_ebnerd", "EB-NeRD, tested on the validation part", FACTS, lines)


def _again_each_day(study: Study, delay: str) -> Iterator[dict[str, object]]:
    """Trees of three seeds, grown again for each day of the test of what is `delay` old when the day begins."""
    day = study.at // DAY_US
    scores = np.zeros((len(SEEDS), len(study.clicked)), np.float32)
    for one in np.unique(day[study.trained :]):
        first, end = max(int(np.searchsorted(day, one)), study.trained), int(np.searchsorted(day, one, "right"))
        known = int(np.searchsorted(study.at, int(study.at[first]) - DELAYS_US[delay]))
        part = study.features.X[: study.items(known)], study.clicked[: study.items(known)], study.start[: known + 1]
        asked = slice(study.items(first), study.items(end))
        for place, seed in enumerate(SEEDS):
            trees = grow(*part, NONE, replace(GROWTH, seed=seed))
            scores[place, asked] = trees.predict(study.features.X[asked])
    yield _line(study, delay, "trees, grown again each day", scores[0])
    yield _line(study, delay, "three seeds of them, added", scores.sum(0))


def _by_rows(study: Study) -> np.ndarray:
    """Scores of scikit-learn's trees, on the same features."""
    from recommender.learn.fitted import fit_branching

    return fit_branching(study, study.holdout(1.0)).predict(study.features.X)


def _mind() -> Report:
    from recommender.learn.layouts import mind_study
    from recommender.learn.linear import fewest, fit_linear

    lines, kept = [], None
    for delay in ("5m", "0", "1h", "1d"):
        studies = mind_study(DATA / "mind", DELAYS_US[delay])
        whole = studies.everything
        kept = fewest(whole, 15) if kept is None else kept
        for name, study in (("all weights", whole), ("15 weights", whole.only(kept)), ("texts", studies.texts)):
            lines.append(_line(study, delay, name, fit_linear(study).predict(study.features.X)))
    return Figures("learn_mind", "MIND, tested on November 14", FACTS, lines)


def _line(study: Study, delay: str, model: str, score: np.ndarray) -> dict[str, object]:
    found = judged(study.slates, score, among=study.tested)
    figures = {name: "{:.4f} [{:.4f}, {:.4f}]".format(*found[name]) for name in ("AUC", "nDCG@10")}
    return {"delay": delay, "model": model, **figures}
