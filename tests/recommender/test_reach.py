"""The controller of reach targets: it gets there, never too hard, and lets go."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.reach import Aim, Control, Reading, cost_share, step
from recommender.whatif import Line, Listing

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTES = 360


def aim(share: float = 0.6, cap: float = 0.25, expected: int = 1_000) -> Aim:
    return Aim(share, cap, START, START + timedelta(minutes=MINUTES), expected)


class Newsroom:
    """Readers who come at random times; the stronger the boost, the likelier a visit shows them the story."""

    def __init__(self, readers: int, visits: float, natural: float, needed: float, seed: int) -> None:
        chance = np.random.default_rng(seed)
        self.natural, self.needed, self.chance = natural, needed, chance
        count = chance.poisson(visits, readers)
        self.reader = np.repeat(np.arange(readers), count)
        self.minute = chance.integers(0, MINUTES, len(self.reader))
        self.here, self.saw = np.zeros(readers, bool), np.zeros(readers, bool)

    def minute_passes(self, minute: int, strength: float) -> None:
        """A visit shows the story with probability natural at no boost, and nearly always far above `needed`."""
        shown = self.natural + (1 - self.natural) * (1 - np.exp(-2 * strength / self.needed))
        now = self.reader[self.minute == minute]
        self.here[now] = True
        self.saw[now[self.chance.random(len(now)) < shown]] = True

    def run(self, target: Aim) -> list[Control]:
        controls = [Control()]
        for minute in range(MINUTES + 2):
            self.minute_passes(minute, controls[-1].strength)
            at = START + timedelta(minutes=minute + 1)
            controls.append(step(target, controls[-1], Reading(at, int(self.here.sum()), int(self.saw.sum()))))
        return controls


newsrooms = st.tuples(
    st.integers(300, 3_000), st.floats(1.5, 5), st.floats(0.0, 0.1), st.floats(0.02, 0.3), st.integers(0, 99)
)


@given(newsrooms, st.floats(0.1, 0.95), st.floats(0.05, 0.5))
def test_it_meets_what_can_be_met_and_never_exceeds_its_cap(
    room: tuple[int, float, float, float, int], share: float, cap: float
) -> None:
    readers, visits, natural, needed, seed = room
    target = aim(share * 0.5, cap, readers)
    strongest = Newsroom(readers, visits, natural, needed, seed)
    for minute in range(round(MINUTES * 0.8)):
        strongest.minute_passes(minute, cap)
    controls = Newsroom(readers, visits, natural, needed, seed).run(target)
    assert all(0 <= one.strength <= cap for one in controls)
    possible = strongest.saw.sum() / max(readers, strongest.here.sum())
    if possible >= 1.25 * target.share:
        assert controls[-1].state == "met"
    assert controls[-1].state in {"met", "expired"}
    assert controls[-1].strength == 0


@given(newsrooms)
def test_it_takes_no_more_than_it_needs(room: tuple[int, float, float, float, int]) -> None:
    readers, visits, natural, needed, seed = room
    easy = aim(0.3, 0.5, readers)
    always = Newsroom(readers, visits, natural, needed, seed)
    for minute in range(MINUTES // 3):
        always.minute_passes(minute, 0.5)
    if always.saw.mean() < easy.share:
        return  # not easy
    controls = Newsroom(readers, visits, natural, needed, seed).run(easy)
    assert controls[-1].state == "met"
    while_on = [one.strength for one in controls if one.state == "on"]
    assert np.mean(while_on) < 0.5 * 0.6
    assert len(while_on) > MINUTES / 3  # it keeps its plan rather than flooding every list at once


def test_what_readers_find_by_themselves_is_not_boosted() -> None:
    controls = Newsroom(1_000, 3, 0.9, 0.1, 1).run(aim(0.5))
    assert controls[-1].state == "met"
    assert max(one.strength for one in controls) < 0.05


@given(st.floats(0, 0.25), st.floats(-1, 1), st.integers(0, 2_000), st.integers(0, 2_000), st.integers(0, MINUTES))
def test_over_is_over(strength: float, lag: float, active: int, seen: int, minute: int) -> None:
    reading = Reading(START + timedelta(minutes=minute), active, min(seen, active))
    for state in ("met", "expired"):
        after = step(aim(), Control(strength, lag, state), reading)
        assert (after.state, after.strength) == (state, 0)


def test_its_time_ends_it_and_the_same_reading_twice_changes_nothing() -> None:
    late = Reading(START + timedelta(minutes=MINUTES), 900, 100)
    assert step(aim(), Control(0.2, 0.5), late).state == "expired"
    reading = Reading(START + timedelta(minutes=90), 300, 40)
    once = step(aim(), Control(), reading)
    assert step(aim(), once, reading).strength == once.strength > 0


def test_more_readers_than_expected_raise_the_goal() -> None:
    few = Reading(START + timedelta(minutes=60), 900, 600)
    assert step(aim(expected=1_000), Control(), few).state == "met"
    assert step(aim(expected=1_000), Control(), Reading(few.at, 1_300, 600)).state == "on"


def made(*scores: float) -> Listing:
    lines = tuple(Line(n, score, 0.0, "", {}, {"freshness": score}) for n, score in enumerate(scores))
    return Listing(lines, (), (), (), must_reach=False)


def test_cost_is_the_share_of_discounted_score_that_is_given_up() -> None:
    assert cost_share([(made(0.9, 0.5), made(0.9, 0.5))]) == 0
    assert cost_share([(made(0.8, 0.4), made(0.4, 0.8))]) > 0
    assert cost_share([(made(1.0), made(0.5))]) == 0.5
    assert cost_share([(made(), made())]) == 0
