"""How much a reader has had already: caps, gaps, the weekly budget, the pause after unopened alerts.

The same checks twice: over columns for a plan, one delivery at a time for the last look. Alerts that are planned for
later count as those that went out: then no 24 hours anywhere hold more than the cap, in whatever order campaigns plan.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from data.alerts import Due, Tally, Told
from data.clock import instant, zone
from data.values import IntArray, ReaderColumns
from recommender.push_policy import Policy
from recommender.push_time import local_s

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
Mask = NDArray[np.bool_]


def over_cap(readers: ReaderColumns, send_at_us: IntArray, told: Told, policy: Policy) -> Mask:
    """Who had, or will have, the most of 24 hours (n,): of all kinds, and of the campaign's own group."""
    count, near = len(readers), np.abs(told.at_us - send_at_us[told.row]) < DAY_US
    alerts = np.bincount(told.row[near], minlength=count)
    own = np.bincount(told.row[near & (told.group == policy.group)], minlength=count)
    cap = np.minimum(readers.daily_cap, policy.daily_cap)
    if len(readers.since_us):
        is_new = send_at_us - readers.since_us < policy.first_days * DAY_US
        cap = np.where(is_new, np.minimum(cap, policy.first_cap), cap)
    return np.asarray((alerts >= cap) | (own >= policy.group_cap))


def too_soon(count: int, send_at_us: IntArray, told: Told, policy: Policy) -> Mask:
    """Who gets another alert nearer than the gap, or enough of them within the hour (n,)."""
    apart_us = np.abs(told.at_us - send_at_us[told.row])
    near = np.bincount(told.row[apart_us < policy.min_gap_s * 1_000_000], minlength=count)
    hour = np.bincount(told.row[apart_us < HOUR_US], minlength=count)
    return np.asarray((near > 0) | (hour >= policy.hourly_cap))


def over_budget(readers: ReaderColumns, send_at_us: IntArray, tally: Tally, policy: Policy) -> Mask:
    """Whose local day has had its share of what is left of the week's budget (n,); nobody's if there is none."""
    if policy.weekly_budget <= 0:
        return np.zeros(len(readers), bool)
    weekday = (local_s(readers.zones, readers.zone, send_at_us) // 86_400 + 3) % 7  # 0 Monday
    return np.asarray(tally.today >= allowance(policy.weekly_budget, tally.other_days, weekday))


def allowance(budget: int, other_days: IntArray, weekday: IntArray) -> IntArray:
    """Alerts on this day of the week: what the other days left of the budget, spread over the days from now on."""
    left = np.maximum(budget - other_days, 0)
    return -(-left // (7 - weekday))


def stopped(send_at_us: IntArray, tally: Tally, policy: Policy) -> Mask:
    """Who left so many alerts unopened that nothing more comes for a while (n,)."""
    if policy.stop_after <= 0:
        return np.zeros(len(send_at_us), bool)
    is_recent = send_at_us - tally.newest_us < policy.stop_days * DAY_US
    return np.asarray((tally.unopened >= policy.stop_after) & is_recent)


def volume_reason(due: Due, now_us: int, policy: Policy) -> str | None:
    """The same of one delivery at the moment of sending; of the first check that fails, its name."""
    if _is_stopped(due, now_us, policy):
        return "stop_loss"
    if _is_over_cap(due, now_us, policy):
        return "daily_cap"
    if _is_too_soon(due.alerts_us, now_us, policy):
        return "too_soon"
    return "weekly_budget" if _is_over_budget(due, now_us, policy) else None


def _is_stopped(due: Due, now_us: int, policy: Policy) -> bool:
    return 0 < policy.stop_after <= due.unopened and now_us - due.newest_us < policy.stop_days * DAY_US


def _is_over_cap(due: Due, now_us: int, policy: Policy) -> bool:
    cap = due.wishes.daily_cap if due.wishes.daily_cap < policy.daily_cap else policy.daily_cap
    if now_us - due.reader_since_us < policy.first_days * DAY_US:
        cap = min(cap, policy.first_cap)
    if not due.alerts_us:  # nearly everybody
        return cap <= 0 or policy.group_cap <= 0
    groups = (*due.groups, *(0,) * (len(due.alerts_us) - len(due.groups)))
    near = [group for at_us, group in zip(due.alerts_us, groups, strict=True) if now_us - at_us < DAY_US]
    return len(near) >= cap or near.count(policy.group) >= policy.group_cap


def _is_too_soon(alerts_us: Sequence[int], now_us: int, policy: Policy) -> bool:
    if not alerts_us:
        return policy.hourly_cap <= 0
    newest_us = max(alerts_us)
    hour = sum(now_us - at_us < HOUR_US for at_us in alerts_us)
    return now_us - newest_us < policy.min_gap_s * 1_000_000 or hour >= policy.hourly_cap


def _is_over_budget(due: Due, now_us: int, policy: Policy) -> bool:
    if policy.weekly_budget <= 0 or not (due.today or due.other_days):  # any budget has an alert left for these
        return False
    left = max(policy.weekly_budget - due.other_days, 0)
    return due.today >= -(-left // (7 - _weekday(now_us, due.wishes.zone)))


@lru_cache(maxsize=4_096)
def _weekday(now_us: int, zone_name: str) -> int:
    """0 Monday; the same for all deliveries of a claim in one zone."""
    return instant(now_us).astimezone(zone(zone_name)).weekday()


def is_told(due: Due, now_us: int, policy: Policy) -> bool:
    """Whether the story was told in its present state within the window."""
    return due.told_us > 0 and now_us - due.told_us < policy.told_window_h * HOUR_US


def within_window(told: Told, send_at_us: IntArray, policy: Policy) -> Told:
    """The alerts near enough to the reader's instant for their story not to be told again."""
    near = np.abs(told.at_us - send_at_us[told.row]) < policy.told_window_h * HOUR_US
    if near.all():
        return told
    return Told(*(getattr(told, name)[near] for name in Told.__dataclass_fields__))
