"""What tests of experiments promise, at full size: false alarms, power, and what interleaving saves."""

import os

import numpy as np
import pytest

from recommender.experiments.compare import variation
from recommender.experiments.cuped import variation_beside
from recommender.experiments.judge import judge
from recommender.experiments.power import readers_needed
from recommender.simulate.slates import World
from recommender.simulate.traffic import Habits, traffic
from recommender.simulate.trials import Contest, seen_before, split_trial

pytestmark = pytest.mark.stress
SEED = int(os.environ.get("SEED", "1"))
DAYS = 14


def test_a_thousand_experiments_with_one_version_raise_five_per_cent_false_alarms() -> None:
    random = np.random.default_rng(SEED)
    alarms = np.mean([split_trial(2_000, DAYS, random).is_beyond_chance for _ in range(1_000)])
    _say(f"A/A, 1,000 experiments of 2,000 readers, looked at on each of {DAYS} days: {alarms:.1%} false alarms")
    assert abs(alarms - 0.05) <= 0.015


def test_a_planted_effect_of_two_per_cent_is_found_at_the_promised_sample_size() -> None:
    random = np.random.default_rng(SEED)
    past = traffic(Habits.draw(50_000, random), DAYS, random)
    size = readers_needed(0.02, variation(past.opens, past.lists), DAYS, power=0.8)
    found = [split_trial(_drawn(2 * size, random), DAYS, random, lift_share=0.02) for _ in range(300)]
    right = np.mean([one.is_beyond_chance and one.effect > 0 for one in found])
    days = np.mean([one.day for one in found if one.is_beyond_chance])
    _say(f"2 % planted, {size:,} readers an arm promised 80 %: found in {right:.1%} of 300,")
    _say(f"on day {days:.1f} of {DAYS} on average")
    assert right >= 0.8 - 3 * 0.023  # three standard errors


def test_what_readers_did_before_raises_no_false_alarms() -> None:
    random = np.random.default_rng(SEED)
    alarms = np.mean([split_trial(2_000, DAYS, random, before_days=14).is_beyond_chance for _ in range(1_000)])
    _say(f"A/A with 14 days of a log before, 1,000 experiments of 2,000 readers: {alarms:.1%} false alarms")
    assert abs(alarms - 0.05) <= 0.015


def test_with_what_readers_did_before_fewer_find_a_planted_effect() -> None:
    random = np.random.default_rng(SEED)
    habits = Habits.draw(50_000, random)
    past, before = traffic(habits, DAYS, random), seen_before(habits, 14, random)
    sizes = [
        readers_needed(0.02, spread, DAYS, power=0.8)
        for spread in (variation(past.opens, past.lists), variation_beside(past.opens, past.lists, before))
    ]
    drawn = _drawn(2 * sizes[1], random)
    found = [split_trial(drawn, DAYS, random, lift_share=0.02, before_days=14) for _ in range(300)]
    right = np.mean([one.is_beyond_chance and one.effect > 0 for one in found])
    _say(f"2 % planted, {sizes[1]:,} readers an arm in place of {sizes[0]:,}: found in {right:.1%} of 300")
    assert right >= 0.8 - 3 * 0.023  # three standard errors
    assert sizes[1] < 0.6 * sizes[0]


def test_interleaving_needs_a_tenth_of_the_readers_of_a_split() -> None:
    random = np.random.default_rng(SEED)
    contest = Contest(World.draw(40_000, 2_000, random), (0.30, 0.30, 0.25, 0.15), (0.38, 0.26, 0.25, 0.11))
    effect, pilot = contest.effect(40_000, random), contest.split(40_000, random)
    promised = 2 * readers_needed(effect, variation(pilot.above, pilot.below), contest.days)
    size = int(promised * 40_000 / len(pilot.arm))  # some never come
    split = np.mean([judge(contest.split(size, random).ratio, contest.days).is_beyond_chance for _ in range(100)])
    tenth = [judge(contest.interleaved(size // 10, random).preference, contest.days) for _ in range(60)]
    fiftieth = [judge(contest.interleaved(size // 50, random).preference, contest.days) for _ in range(60)]
    found, less = (np.mean([one.is_beyond_chance and one.effect > 0 for one in runs]) for runs in (tenth, fiftieth))
    _say(f"Weights worth {effect:+.1%} opens a list: split over {promised:,} readers finds it in {split:.0%},")
    _say(f"interleaving with {size // 10:,} in {found:.0%}, with {size // 50:,} in {less:.0%}")
    assert split >= 0.8 - 3 * 0.04  # three standard errors
    assert found >= split


def _say(line: str) -> None:
    print(f"\n{line}")  # noqa: T201


def _drawn(readers: int, random: np.random.Generator) -> int:
    """How many of so many readers served: those of no visit at all are no readers of the experiment."""
    seen = (traffic(Habits.draw(20_000, random), DAYS, random).lists.sum(axis=1) > 0).mean()
    return int(readers / seen)
