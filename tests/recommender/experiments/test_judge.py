"""What a path says: differences, harm, a wrong split; and the estimates themselves."""

import numpy as np
import pytest

from data.errors import InvalidInput
from recommender.experiments.compare import preference_path, ratio_path, variation
from recommender.experiments.judge import NOTHING, is_harmful, is_split_wrong, judge
from recommender.simulate.traffic import Habits, Traffic, traffic

DAYS = 7


def two_arms(lift: float, seed: int = 0, readers: int = 4_000) -> tuple[Traffic, np.ndarray]:
    random = np.random.default_rng(seed)
    arm = random.integers(0, 2, readers)
    return traffic(Habits.draw(readers, random), DAYS, random, lift_share=lift * arm), arm


def test_the_error_is_that_of_repeated_experiments() -> None:
    ends = []
    for seed in range(120):
        found, arm = two_arms(0.0, seed, 600)
        path = ratio_path(found.opens, found.lists, arm)
        ends.append((path.effect[-1], path.error[-1]))
    effects, errors = np.array(ends).T
    assert effects.std() == pytest.approx(errors.mean(), rel=0.2)


def test_a_large_difference_is_found_and_its_interval_holds_the_truth() -> None:
    found, arm = two_arms(0.15)
    said = judge(ratio_path(found.opens, found.lists, arm), DAYS)
    assert said.is_beyond_chance
    assert said.low < np.log(1.15) < said.high
    assert said.low > 0


def test_looking_every_day_or_once_says_the_same() -> None:
    found, arm = two_arms(0.15)
    whole = judge(ratio_path(found.opens, found.lists, arm), DAYS)
    until = judge(ratio_path(found.opens[:, : whole.day], found.lists[:, : whole.day], arm), DAYS)
    assert whole.day == until.day < DAYS
    assert whole.low == pytest.approx(until.low)


def test_days_after_the_planned_end_do_not_count() -> None:
    found, arm = two_arms(0.0)
    path = ratio_path(found.opens, found.lists, arm)
    assert judge(path, 3).day == 3


def test_with_few_readers_nothing_is_said() -> None:
    found, arm = two_arms(0.5, readers=20)
    assert judge(ratio_path(found.opens, found.lists, arm), DAYS) == NOTHING


def test_harm_is_seen_early_and_a_margin_is_tolerated() -> None:
    found, arm = two_arms(-0.2)
    path = ratio_path(found.opens, found.lists, arm)
    assert is_harmful(path, DAYS)
    assert not is_harmful(path, DAYS, margin=0.5)
    better, other = two_arms(0.2)
    assert not is_harmful(ratio_path(better.opens, better.lists, other), DAYS)


def test_a_split_that_chance_does_not_explain_is_a_fault() -> None:
    assert not is_split_wrong((5_050, 4_950), (0.5, 0.5))
    assert is_split_wrong((5_300, 4_700), (0.5, 0.5))
    assert not is_split_wrong((0, 0), (0.5, 0.5))


def test_a_preference_is_the_share_of_clicks_beyond_half() -> None:
    credit = np.random.default_rng(0).poisson([[1.0] * DAYS] * 400)
    path = preference_path(credit, credit * 0 + np.random.default_rng(1).poisson(2.0, credit.shape))
    assert path.effect[-1] == pytest.approx(1 / 3, abs=0.03)
    assert path.readers[-1] == 400
    assert judge(path, DAYS).is_beyond_chance


def test_variation_gives_the_error_of_a_rate() -> None:
    found, arm = two_arms(0.0)
    size = variation(found.opens, found.lists)
    error = ratio_path(found.opens, found.lists, arm).error[-1]
    assert size * np.sqrt(2 / 2_000) == pytest.approx(error, rel=0.1)


def test_counts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InvalidInput, match="readers x days"):
        ratio_path(np.ones((3, 2)), np.ones((3, 3)), np.zeros(3))
    with pytest.raises(InvalidInput, match="days"):
        judge(ratio_path(np.ones((3, 2)), np.ones((3, 2)), np.zeros(3)), 0)
