"""How much is too much: the newsroom's limits, and what of them holds for one kind of campaign."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from data.alerts import BREAKING, GROUP, PERSONAL
from data.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits that hold for one campaign; its own `policy` overrides the newsroom's field by field."""

    daily_cap: int = 10  # alerts of any kind in any 24 hours; a reader's own cap counts too, the smaller one holds
    min_gap_s: float = 7_200.0  # between two alerts to one reader
    holdout_share: float = 0.02  # readers who never get alerts, to know what alerts do
    overrides_quiet: bool = False
    min_news_value: int = 2  # what the desk judged lower is no news; not judged passes
    max_candidates: int = 1_000
    priority: str = "normal"  # of the message: high wakes a sleeping phone
    group: int = PERSONAL
    group_cap: int = 4  # alerts of the campaign's own group in any 24 hours
    hourly_cap: int = 2  # alerts of any kind in any hour
    weekly_budget: int = 21  # of a local week, spread over what is left of it; 0: no such limit
    first_days: float = 7.0  # a reader is new for so long
    first_cap: int = 2  # alerts in any 24 hours to a new reader
    stop_after: int = 10  # so many unopened in a row, and nothing more for a while; 0: never
    stop_days: float = 7.0
    told_window_h: float = 48.0  # a story is told again after this, or when it was updated

    @classmethod
    def of(cls, policy: Mapping[str, Any], kind: str = "digest", house: "HousePolicy | None" = None) -> Self:
        """The newsroom's limits for this kind with a campaign's on top; InvalidInput names a field that is none."""
        known = {one.name for one in fields(cls)} - {"group"}
        if unknown := sorted(set(policy) - known):
            raise InvalidInput(f"policy: no field {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return cls(**{**(house or BUILT_IN).limits_of(kind), **policy})


@dataclass(frozen=True, slots=True)
class HousePolicy:
    """The newsroom's limits, as one version of the policy says. Sources of the numbers: docs/decisions/policy.md."""

    personal_cap: int = 4  # digests and follow-ups in any 24 hours
    breaking_cap: int = 6
    daily_cap: int = 10
    hourly_cap: int = 2
    personal_gap_s: float = 7_200.0
    editorial_gap_s: float = 1_800.0
    breaking_gap_s: float = 0.0
    weekly_budget: int = 21
    first_days: float = 7.0
    first_cap: int = 2
    stop_after: int = 10
    stop_days: float = 7.0
    holdout_share: float = 0.02
    told_window_h: float = 48.0
    approval_above: int = 100  # readers: more need a second person
    quiet_level: int = 1  # breaking news of this level and more urgent may ring in quiet hours, if a lead says so

    @classmethod
    def of(cls, limits: Mapping[str, float]) -> Self:
        """A version's limits; InvalidInput names a field that is none, or a value out of its bounds."""
        whole = {one.name: isinstance(one.default, int) for one in fields(cls)}
        for name, value in limits.items():
            if name not in whole:
                raise InvalidInput(f"policy: no limit {name!r}; there are {', '.join(sorted(whole))}")
            low, high = BOUNDS[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise InvalidInput(f"policy: {name} is a number from {low:g} to {high:g}, not {value!r}")
            if whole[name] and value != int(value):
                raise InvalidInput(f"policy: {name} is a whole number, not {value:g}")
        given: dict[str, Any] = {name: int(one) if whole[name] else float(one) for name, one in limits.items()}
        return cls(**given)

    def limits_of(self, kind: str) -> dict[str, Any]:
        """What holds for one kind of campaign, as fields of `Policy`."""
        group = GROUP[kind]
        same = ("daily_cap", "hourly_cap", "first_days", "stop_after", "stop_days", "holdout_share", "told_window_h")
        return {
            **{name: getattr(self, name) for name in same},
            "group": group,
            "group_cap": (self.personal_cap, self.daily_cap, self.breaking_cap)[group],
            "min_gap_s": (self.personal_gap_s, self.editorial_gap_s, self.breaking_gap_s)[group],
            "weekly_budget": self.weekly_budget if group == PERSONAL else 0,
            "first_cap": self.daily_cap if group == BREAKING else self.first_cap,
        }

    def as_dict(self) -> dict[str, float]:
        """Every limit by name."""
        return asdict(self)


BUILT_IN = HousePolicy()
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("personal_cap", "breaking_cap", "daily_cap", "hourly_cap", "first_cap"), (0, 50)),
    **dict.fromkeys(("personal_gap_s", "editorial_gap_s", "breaking_gap_s"), (0, 86_400)),
    "weekly_budget": (0, 350),
    "first_days": (0, 60),
    "stop_after": (0, 100),
    "stop_days": (0, 28),
    "holdout_share": (0, 0.5),
    "told_window_h": (1, 720),
    "approval_above": (0, 10**9),
    "quiet_level": (0, 3),
}
