"""A reach target: raise a story's exposure until enough readers had it on the screen, no further, at a known cost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import log2

from data.values import RuleRow
from recommender.personas import Persona
from recommender.rules import DeskRule
from recommender.snapshot import Snapshot
from recommender.whatif import TOP, Listing, listing

EARLY = 0.9  # the plan ends when this share of the time is over: the rest is for what went otherwise
# The gains of the controller, for errors as shares of the target and the time as share of its span. Reach grows with
# the sum of exposures, so a proportional and an integral part make a damped second-order system.
PROPORTIONAL, INTEGRAL = 4.0, 8.0


@dataclass(frozen=True)
class Aim:
    """What is to be reached: `share` of the readers expected from `starts_at` to `ends_at`, by boosts up to `cap`."""

    share: float
    cap: float
    starts_at: datetime
    ends_at: datetime
    expected: int  # readers who will come in that time, from those who came before

    def elapsed(self, at: datetime) -> float:
        """How much of its time is over, from 0 to 1."""
        return min(max((at - self.starts_at) / (self.ends_at - self.starts_at), 0.0), 1.0)

    def planned(self, at: datetime) -> float:
        """The share that should be reached by then: a straight line, ended a little early."""
        return self.share * min(self.elapsed(at) / EARLY, 1.0)

    def reached(self, reading: "Reading") -> float:
        """The share that is reached: of the readers expected, or of those who came if they are more."""
        return reading.reached / max(self.expected, reading.active, 1)


@dataclass(frozen=True)
class Reading:
    """What was counted: readers active since the start, and those of them who had the story on the screen."""

    at: datetime
    active: int
    reached: int


@dataclass(frozen=True)
class Control:
    """Where the controller stands. `lag`: how far behind the plan, as a share of the target; ahead is negative."""

    strength: float = 0.0
    lag: float = 0.0
    state: str = "on"  # on, met, expired
    at: datetime | None = None


def step(aim: Aim, before: Control, reading: Reading) -> Control:
    """The next boost, in [0, `aim.cap`]; 0 and over once the target is met or its time is up.

    A proportional-integral controller in velocity form: each step changes the boost, so a boost at its bound winds
    nothing up. The same reading twice changes nothing.
    """
    share = aim.reached(reading)
    if before.state != "on":
        return replace(before, strength=0.0)
    lag = (aim.planned(reading.at) - share) / aim.share
    if share >= aim.share:
        return Control(0.0, lag, "met", reading.at)
    if reading.at >= aim.ends_at:
        return Control(0.0, lag, "expired", reading.at)
    passed = aim.elapsed(reading.at) - aim.elapsed(before.at or aim.starts_at)
    change = PROPORTIONAL * (lag - before.lag) + INTEGRAL * lag * max(passed, 0.0)
    strength = min(max(before.strength + aim.cap * change, 0.0), aim.cap)
    return Control(strength, lag, "on", reading.at)


@dataclass(frozen=True)
class Effect:
    """What a boost does to made-up readers: in how many first tens the story stands, and what that costs."""

    strength: float
    shown: int
    of: int
    cost_share: float  # of the opens expected from a first ten


def effect(
    snapshot: Snapshot, personas: Sequence[Persona], rule: RuleRow, value: int, *, at_us: int, window_h: float
) -> Effect:
    """The for-you lists of personas with a boost of `rule.strength` on `value` (our number) and without it.

    A rule of the same number that the snapshot holds is left out first. Cost: two lists a persona.
    """
    others = tuple(one for one in snapshot.rules.get("for_you", ()) if one.row.id != rule.id)
    without, boosted = (
        replace(snapshot, rules={**snapshot.rules, "for_you": rules})
        for rules in (others, (*others, DeskRule(rule, value)))
    )
    pairs = [
        [listing(one, "for_you", persona, at_us=at_us, window_h=window_h) for one in (without, boosted)]
        for persona in personas
    ]
    index = snapshot.index
    shown = 0
    for _, after in pairs:
        rows = index.rows_of(list(after.ids[:TOP]))
        shown += bool(len(rows) and DeskRule(rule, value).matches(index, rows[rows >= 0]).any())
    return Effect(rule.strength, shown, len(pairs), cost_share([(one, other) for one, other in pairs]))


def cost_share(pairs: Sequence[tuple[Listing, Listing]]) -> float:
    """The share of expected opens that lists (before, after) a boost lose, in [0, 1].

    What is opened is taken to be proportional to an article's score without rules, times how often its place is
    looked at: 1 / log2(place + 1), the discount of DCG.
    """
    before, after = (sum(_worth(pair[side]) for pair in pairs) for side in (0, 1))
    return min(max(1 - after / before, 0.0), 1.0) if before > 0 else 0.0


def _worth(one: Listing) -> float:
    return sum(max(sum(line.adds.values()), 0.0) / log2(place + 2) for place, line in enumerate(one.lines[:TOP]))
