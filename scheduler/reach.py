"""The tick of reach targets: count whom a story reached, set its boost, write what that costs."""

from collections.abc import Callable
from datetime import datetime

from data.clock import micros
from data.store import Store
from data.store.reach import TargetRow
from data.values import RuleRow
from recommender.personas import seeded
from recommender.reach import Aim, Control, Effect, Reading, effect, step
from recommender.snapshot import Snapshot


def tick(store: Store, snapshots: Callable[[], Snapshot], now: datetime, *, window_h: float) -> list[str]:
    """One step of every target that runs; says which ended. Cost: two lists for each of fifty personas a target."""
    said = []
    for target in store.open_targets():
        state = _step(store, snapshots(), target, now, window_h)
        if state != "on":
            said.append(f"reach target {target.id} is {state}")
    return said


def _step(store: Store, snapshot: Snapshot, target: TargetRow, now: datetime, window_h: float) -> str:
    active, reached, opens = store.count_reach(target, now)
    aim = Aim(target.share, target.cap, target.starts_at, target.ends_at, target.expected)
    before = Control(target.strength, target.lag, target.state, target.stepped_at)
    control = step(aim, before, Reading(now, active, reached))
    counted = {"active": active, "reached": reached, "lag": control.lag}
    counted["cost_opens"] = target.cost_opens + _given_up(opens, target.cost_share)
    counted["cost_share"] = _effect(store, snapshot, target, control.strength, now, window_h).cost_share
    return store.step_target(target.id, state=control.state, counted=counted, strength=control.strength, now=now)


def _given_up(opens: int, cost_share: float) -> float:
    """Opens that lists without the boost would have had besides those that were counted."""
    return opens * cost_share / (1 - cost_share) if cost_share < 1 else 0.0


def _effect(
    store: Store, snapshot: Snapshot, target: TargetRow, strength: float, now: datetime, window_h: float
) -> Effect:
    if not strength:
        return Effect(0.0, 0, 0, 0.0)
    kind, value = store.target_value(target)
    rule = RuleRow(
        target.rule_id or -1, "boost", "for_you", kind, str(value), strength, None, target.starts_at, target.ends_at,
        target.author, target.reason,
    )  # fmt: skip
    at_us = micros(now)
    return effect(snapshot, seeded(snapshot, at_us), rule, value, at_us=at_us, window_h=window_h)
