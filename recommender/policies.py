"""The push policy for those who keep it: what is in force, and changes that are checked before they are written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from data.policies import Policies, PolicyRow
from data.store import Store
from recommender.push_policy import BUILT_IN, HousePolicy


@dataclass(frozen=True, slots=True)
class InForce:
    """The limits that hold now, and the version they are of; 0: the built-in ones."""

    version: int
    limits: HousePolicy


def in_force(store: Store) -> InForce:
    """The policy that plans and claims obey from now on."""
    row = Policies(store).live()
    return InForce(row.version, HousePolicy.of(row.limits))


def limits_of(row: PolicyRow) -> HousePolicy:
    """A version's limits, the built-in ones where it says nothing."""
    return HousePolicy.of(row.limits)


def publish(
    store: Store, limits: Mapping[str, Any], *, by: str, reason: str, now: datetime, expected: int | None = None
) -> PolicyRow:
    """These limits as the next version; what equals the built-in ones is left out. InvalidInput names a bad one."""
    return Policies(store).publish(differing(limits), by=by, reason=reason, now=now, expected=expected)


def change(store: Store, limits: Mapping[str, Any], *, by: str, reason: str, now: datetime) -> PolicyRow:
    """The version in force with some limits changed, as the next version."""
    live = Policies(store).live()
    return publish(store, {**live.limits, **limits}, by=by, reason=reason, now=now, expected=live.version)


def save_draft(store: Store, limits: Mapping[str, Any], *, by: str, now: datetime) -> None:
    """Somebody's draft, whole; InvalidInput names a bad limit."""
    Policies(store).save_draft(differing(limits), by=by, now=now)


def differing(limits: Mapping[str, Any]) -> dict[str, float]:
    """The limits that are not the built-in ones."""
    built_in = asdict(BUILT_IN)
    return {name: one for name, one in asdict(HousePolicy.of(limits)).items() if one != built_in[name]}
