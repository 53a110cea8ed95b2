"""What was planted in simulated alerts is found again: hours, tiredness, habits, and what drives readers away."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from data.errors import InvalidInput
from recommender.learned_push.best_hour import best_hours, hour_histograms, hour_shares, population_shares
from recommender.learned_push.history import MOST_IGNORED, PushLog, past
from recommender.learned_push.model import PushModel, worth
from recommender.learned_push.odds import Odds
from recommender.metrics.ece import ece
from recommender.simulate.pushes import PushReaders, PushTruth, alerts, open_probability, reads

READERS, DAYS = 3_000, 42
TRUTH = PushTruth()


class World(NamedTuple):
    people: PushReaders
    histograms: np.ndarray
    shares: np.ndarray
    log: PushLog
    early: np.ndarray
    model: PushModel


@pytest.fixture(scope="module")
def world() -> World:
    """Six weeks of alerts; the model saw the first four."""
    random = np.random.default_rng(0)
    people = PushReaders.draw(READERS, random, TRUTH)
    reader, hour, day = reads(people, 45, 0.6, random)
    H = hour_histograms(reader, hour, 45 - day, READERS)
    shares = hour_shares(H, population_shares(H))
    log = alerts(people, TRUTH, DAYS, 2.0, random)
    early = log.at_h < 28 * 24
    return World(people, H, shares, log, early, PushModel.fit(log.chosen(early), shares))


def test_planted_effects_are_found_again(world: World) -> None:
    """Readers differ by more than the habit knows, which draws effects some way towards 0."""
    opens = world.model.opens
    assert opens.effect("score") == pytest.approx(TRUTH.open_score, rel=0.2)
    assert opens.effect("hour") == pytest.approx(TRUTH.open_hour, rel=0.2)
    assert opens.effect("fatigue") == pytest.approx(TRUTH.open_fatigue, rel=0.3)
    leaves = Odds.fit(
        np.column_stack([past(world.log).fatigue, past(world.log).ignored_after]), world.log.opted_out, ("f", "i")
    )
    assert leaves.effect("f") == pytest.approx(TRUTH.leave_fatigue, rel=0.15)
    assert leaves.effect("i") == pytest.approx(TRUTH.leave_ignored, rel=0.25)


def test_an_effect_that_was_not_planted_is_not_found() -> None:
    random, truth = np.random.default_rng(1), PushTruth(open_fatigue=0.0, open_hour=0.0)
    people = PushReaders.draw(1_500, random, truth)
    log = alerts(people, truth, DAYS, 2.0, random)
    model = PushModel.fit(log, people.hours)
    assert abs(model.opens.effect("fatigue")) < 0.06
    assert abs(model.opens.effect("hour")) < 0.08


def test_best_hours_are_near_the_true_ones_and_worth_twice_any_hour(world: World) -> None:
    found = best_hours(world.histograms, population_shares(world.histograms), fallback=8)
    away = np.minimum((found - world.people.best) % 24, (world.people.best - found) % 24)
    assert (away <= 1).mean() > 0.85
    everybody, rest = np.arange(READERS), np.zeros(READERS)

    def opened(hours: np.ndarray) -> float:
        return float(open_probability(world.people, TRUTH, everybody, hours, rest + 0.4, rest).mean())

    common = np.full(READERS, int(population_shares(world.histograms).argmax()))
    assert opened(found) > 0.85 * opened(world.people.best)
    assert opened(found) > 1.7 * opened(common)


def test_probabilities_of_later_alerts_rank_and_are_calibrated(world: World) -> None:
    late = ~world.early
    said = world.model.open_probability(world.log, world.shares)[late]
    opened = world.log.opened[late]
    assert ece(said, opened, even_counts=True) < 0.012
    assert said.mean() == pytest.approx(opened.mean(), abs=0.01)
    assert roc_auc_score(opened, said) > roc_auc_score(opened, world.log.score[late]) + 0.1


def test_the_risk_of_leaving_is_the_share_that_leaves(world: World) -> None:
    missed = ~world.log.opened
    said = world.model.leave_probability(world.log)[missed]
    left = world.log.opted_out[missed]
    assert said.mean() == pytest.approx(left.mean(), rel=0.1)
    often = said > np.quantile(said, 0.9)
    assert left[often].mean() == pytest.approx(said[often].mean(), rel=0.2)
    assert left[often].mean() > 3 * left[~often].mean()


def test_leaving_alone_those_not_worth_it_keeps_readers_and_most_opens(world: World) -> None:
    late = ~world.early
    value = worth(world.model.open_probability(world.log, world.shares), world.model.leave_probability(world.log))[late]
    opened, left, sent = world.log.opened[late], world.log.opted_out[late], value > 0
    assert opened[sent].sum() / opened.sum() > 1.15 * sent.mean()
    assert left[sent].sum() / left.sum() < 0.6 * sent.mean()


LOGS = st.lists(st.tuples(st.integers(0, 3), st.floats(0, 200), st.booleans()), min_size=1, max_size=25)


def a_log(rows: list[tuple[int, float, bool]]) -> PushLog:
    reader, at_h, opened = (np.array(one) for one in zip(*sorted(rows, key=lambda one: one[:2]), strict=True))
    blank = np.zeros(len(reader))
    return PushLog(reader, at_h, (at_h % 24).astype(int), blank, opened, blank.astype(bool))


@given(LOGS)
def test_the_past_is_what_a_reader_by_reader_count_gives(rows: list[tuple[int, float, bool]]) -> None:
    log = a_log(rows)
    found = past(log, 0.1)
    for one in range(len(log)):
        before = np.flatnonzero((log.reader == log.reader[one]) & (np.arange(len(log)) < one))
        gaps = log.at_h[one] - log.at_h[before]
        assert found.fatigue[one] == pytest.approx((0.5 ** (gaps / 24)).sum())
        decay = 0.5 ** (gaps / (60 * 24))
        share = (decay @ log.opened[before] + 1.0) / (0.1 * decay.sum() + 1.0)
        assert found.habit[one] == pytest.approx(np.log(share), abs=1e-9)
        streak = next((n for n, row in enumerate(before[::-1]) if log.opened[row]), len(before))
        assert found.ignored[one] == min(streak, MOST_IGNORED)


@given(LOGS, st.integers(0, 24))
def test_nothing_after_an_alert_changes_what_was_known_before_it(rows: list[tuple[int, float, bool]], at: int) -> None:
    log = a_log(rows)
    changed = log.opened.copy()
    changed[at:] = ~changed[at:]
    other = PushLog(log.reader, log.at_h, log.hour, log.score, changed, log.opted_out)
    for name in ("fatigue", "habit", "ignored"):
        np.testing.assert_array_equal(getattr(past(log), name)[: at + 1], getattr(past(other), name)[: at + 1])


def test_what_cannot_be_learned_from_is_refused(world: World) -> None:
    few = world.log.chosen(np.arange(len(world.log)) < 100)
    with pytest.raises(InvalidInput, match="too few"):
        PushModel.fit(few, world.shares)
    with pytest.raises(InvalidInput, match="no alert"):
        PushModel.fit(world.log.chosen(np.zeros(len(world.log), bool)), world.shares)
    with pytest.raises(InvalidInput, match="sort"):
        PushLog(*(one[::-1] for one in vars(world.log).values()))
