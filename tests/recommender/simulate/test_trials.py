"""The simulated newsroom is what it says, and tests keep their promises on it: a small slice of `make stress`."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.experiments.judge import judge
from recommender.simulate.slates import World, clicks, liking, looked_at, ranked, requests
from recommender.simulate.traffic import Habits, traffic
from recommender.simulate.trials import Contest, split_trial

HAND, FITTED = (0.30, 0.30, 0.25, 0.15), (0.36, 0.27, 0.25, 0.12)


@pytest.fixture(scope="module")
def world() -> World:
    return World.draw(4_000, 1_000, np.random.default_rng(0))


def test_a_planted_lift_is_in_the_counts() -> None:
    random = np.random.default_rng(0)
    habits = Habits.draw(30_000, random)
    base, more = (traffic(habits, 5, random, lift_share=lift) for lift in (0.0, 0.1))
    lift = (more.opens.sum() / more.lists.sum()) / (base.opens.sum() / base.lists.sum())
    assert lift == pytest.approx(1.1, abs=0.02)


def test_clicks_come_as_often_as_their_probability(world: World) -> None:
    random = np.random.default_rng(1)
    asked = requests(world, random.integers(0, world.readers, 20_000), random.uniform(48, 200, 20_000), random)
    chosen = ranked(asked, HAND, 10)
    expected = (liking(world, asked, chosen) * looked_at(world, 10)).mean(axis=0)
    np.testing.assert_allclose(clicks(world, asked, chosen, random).mean(axis=0), expected, atol=0.012)
    assert expected[0] > 3 * expected[-1]


def test_no_list_holds_an_article_of_the_future_or_one_twice(world: World) -> None:
    random = np.random.default_rng(1)
    at_h = random.uniform(48, 200, 500)
    asked = requests(world, random.integers(0, world.readers, 500), at_h, random)
    assert (world.published_h[asked.candidates] <= at_h[:, None]).all()
    assert all(len(set(row)) == len(row) for row in asked.candidates.tolist())


def test_fatigue_counts_earlier_lists_of_the_same_day(world: World) -> None:
    asked = requests(world, [3, 3, 5, 3], [50.0, 49.0, 51.0, 75.0], np.random.default_rng(0))
    assert asked.earlier.tolist() == [1, 0, 0, 0]
    chosen = ranked(asked, HAND, 3)
    rested = liking(world, replace(asked, earlier=np.zeros(4, np.int64)), chosen)
    assert (liking(world, asked, chosen)[0] < rested[0]).all()


def test_daily_looks_at_the_same_version_raise_few_alarms() -> None:
    random = np.random.default_rng(2)
    alarms = sum(split_trial(500, 14, random).is_beyond_chance for _ in range(150))
    assert alarms / 150 < 0.11  # 5 %, three standard errors


def test_interleaving_tells_two_weightings_apart_with_readers_that_a_split_cannot_use(world: World) -> None:
    contest, random = Contest(world, HAND, FITTED), np.random.default_rng(3)
    found = judge(contest.interleaved(400, random).preference, contest.days)
    assert found.is_beyond_chance
    assert found.effect > 0
    assert not judge(contest.split(400, random).ratio, contest.days).is_beyond_chance


def test_the_true_effect_is_what_many_splits_show_on_average(world: World) -> None:
    contest, random = Contest(world, (0.0, 0.0, 0.0, 1.0), FITTED), np.random.default_rng(5)
    true = contest.effect(world.readers, random)
    path = contest.split(world.readers, random).ratio
    assert abs(path.effect[-1] - np.log1p(true)) < 4 * path.error[-1]
    assert true > 0.2
    assert Contest(world, HAND, HAND).effect(200, random) == 0


def test_interleaving_a_version_with_itself_prefers_neither(world: World) -> None:
    counts = Contest(world, HAND, HAND).interleaved(300, np.random.default_rng(4))
    assert counts.above.sum() == counts.below.sum() == 0  # both want every place: nobody gets credit
