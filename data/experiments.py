"""Experiments as values: what the store hands out and serving looks at."""

from dataclasses import dataclass, field
from datetime import datetime

EXPERIMENT_KINDS = ("split", "interleave", "holdout")
LIVE = 0  # the version of an arm that gets whatever is live
DRAFT = -1  # of an arm that is to be somebody's draft, which is kept as a version when the experiment starts


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of an experiment: a version of weights (LIVE: the live one) and its share of those who take part."""

    version: int
    share: float


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """Who takes part in what, since when and until when.

    Those whose bucket of the `layer` lies in [first_bucket, first_bucket + buckets) take part; `salt` draws arms.
    """

    key: str
    surface: str
    kind: str
    layer: str
    salt: str
    first_bucket: int
    buckets: int
    arms: tuple[Arm, ...]
    metric: str
    days: int
    starts_at: datetime
    ends_at: datetime
    author: str
    reason: str
    guardrails: dict[str, float] = field(default_factory=dict)  # metric -> how much worse is borne, as a share
    state: str = "running"  # running, stopped, ended
    stopped_at: datetime | None = None
    outcome: str = ""
    id: int = 0

    def is_on(self, at: datetime) -> bool:
        """Whether it decides what readers get at an instant."""
        end = min(self.ends_at, self.stopped_at) if self.stopped_at else self.ends_at
        return self.starts_at <= at < end
