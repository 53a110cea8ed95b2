"""How fast to send: a schedule of slots that all processes of a project share.

A bucket written as a schedule (GCRA): the project has the instant of its next free slot; whoever reserves n slots moves
it on by n / rate. Slots of different processes never overlap, so their sum keeps the rate in every window. A slot
not used within `slack_s` is lost, so what is late cannot pile up.

The rate is the smallest of: the share of the quota; the ramp, from next to nothing to that within `ramp_s` after a
silence; the ceiling, halved by a 429 and raised again by a hundredth of the share a second.
"""

from dataclasses import dataclass, replace

from data.alerts import Pace

SECOND_US = 1_000_000
SILENCE_US = 60 * SECOND_US  # after that the ramp begins anew
CUT_EVERY_US = SECOND_US  # answers under way when the rate was cut say nothing new
PAUSE_S, PAUSE_MOST_S = 60.0, 3_600.0  # without Retry-After: this, doubled with every pause in a row
STEP_US = 10 * SECOND_US  # a schedule further ahead than this comes from a clock that was set back


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator allows."""

    quota_per_minute: float = 600_000.0
    share: float = 0.8
    ramp_s: float = 60.0
    most_over: float = 0.02  # of the quota, in any second

    @property
    def most_per_s(self) -> float:
        """The rate when nothing is wrong."""
        return self.quota_per_minute / 60 * self.share

    @property
    def least_per_s(self) -> float:
        """Below this nothing would ever be learned."""
        return max(1.0, self.most_per_s / 100)

    @property
    def slack_us(self) -> int:
        """How late a slot may be used: what is used late adds to a second, up to half of what the quota leaves."""
        return int(SECOND_US * min(0.2, max(0.0, (1 + self.most_over) / self.share - 1) / 2))


@dataclass(frozen=True, slots=True)
class Grant:
    """`count` slots, the first at `start_us`, one each `every_us`; none: ask again at `start_us`."""

    start_us: int
    count: int
    every_us: float

    def usable(self, taken: int, now_us: int, slack_us: int) -> tuple[int, int]:
        """(slots lost by now, slots that may be used at once) of those after the first `taken`."""
        passed = int((now_us - self.start_us) // self.every_us) + 1 if now_us >= self.start_us else 0
        lost = int((now_us - slack_us - self.start_us) // self.every_us) if now_us > self.start_us + slack_us else 0
        lost = min(self.count, max(0, lost) - taken) if lost > taken else 0
        return lost, max(0, min(passed, self.count) - taken - lost)


def rate(pace: Pace, now_us: int, limits: Limits) -> float:
    """Messages a second, now."""
    most, least = limits.most_per_s, limits.least_per_s
    ramp = most * (now_us - pace.active_us) / (limits.ramp_s * SECOND_US) if limits.ramp_s > 0 else most
    return max(least, min(most, ramp, _ceiling(pace, now_us, limits)))


def reserve(pace: Pace, now_us: int, wanted: int, limits: Limits) -> tuple[Pace, Grant]:
    """Take up to `wanted` slots, or learn when to ask again."""
    if pace.paused_until_us > now_us:
        return pace, Grant(pace.paused_until_us, 0, 1.0)
    if now_us - pace.used_us > SILENCE_US or pace.active_us > now_us:
        pace = replace(pace, active_us=now_us)
    next_us = pace.next_us if pace.next_us < now_us + STEP_US else now_us
    every_us = SECOND_US / rate(pace, now_us, limits)
    start_us = max(now_us, next_us)
    after_us = start_us + round(wanted * every_us)
    raised = replace(pace, ceiling=_ceiling(pace, now_us, limits), raised_us=now_us)
    return replace(raised, next_us=after_us, used_us=now_us), Grant(start_us, wanted, every_us)


def slow_down(pace: Pace, now_us: int, limits: Limits, *, retry_after_s: float | None, jitter: float) -> Pace:
    """After a 429 or an overloaded server: half the rate, and nothing at all for Retry-After (else a minute or more).

    `jitter` in [0, 1) makes a pause up to a tenth longer, so that not everybody returns at the same moment.
    """
    if now_us - pace.cut_us < CUT_EVERY_US and pace.paused_until_us > now_us and retry_after_s is None:
        return pace
    is_in_a_row = pace.cut_us and now_us - max(pace.cut_us, pace.paused_until_us) < SILENCE_US
    fresh = now_us - pace.cut_us >= CUT_EVERY_US
    pauses = (pace.pauses + fresh if is_in_a_row else 1) or 1
    length_s = min(PAUSE_MOST_S, PAUSE_S * 2 ** (pauses - 1)) if retry_after_s is None else retry_after_s
    until_us = now_us + round(length_s * (1 + jitter / 10) * SECOND_US)
    halved = max(limits.least_per_s, rate(pace, now_us, limits) / 2) if fresh else pace.ceiling
    return replace(
        pace,
        ceiling=halved,
        raised_us=until_us,
        cut_us=now_us if fresh else pace.cut_us,
        pauses=pauses,
        paused_until_us=max(pace.paused_until_us, until_us),
        next_us=max(pace.next_us, until_us),
    )


def _ceiling(pace: Pace, now_us: int, limits: Limits) -> float:
    if not pace.ceiling:
        return limits.most_per_s
    risen = limits.most_per_s / 100 * max(0, now_us - pace.raised_us) / SECOND_US
    return min(limits.most_per_s, pace.ceiling + risen)
