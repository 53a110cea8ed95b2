"""What a reader's list is ranked by while experiments run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from data.clock import instant
from data.experiments import LIVE, ExperimentRow
from data.values import WeightRow
from recommender.experiments.assignment import arm, bucket


@dataclass(frozen=True)
class Seat:
    """A reader's part in an experiment: the versions to rank by, two where their lists are interleaved."""

    experiment: str
    versions: tuple[int, ...]  # LIVE: the live one

    @property
    def is_interleaved(self) -> bool:
        """Whether one list is made of two rankings."""
        return len(self.versions) > 1


@dataclass(frozen=True)
class Trials:
    """The experiments that may decide what readers get, with the versions they need."""

    running: tuple[ExperimentRow, ...] = ()
    versions: Mapping[tuple[str, int], WeightRow] = field(default_factory=dict)  # by surface and version

    def seat(self, surface: str, reader: str, at_us: int) -> Seat | None:
        """The reader's part at an instant; None: the live version, like everybody outside of experiments.

        Cost: nothing where no experiment runs, two hashes else.
        """
        for one in self.running:
            if one.surface == surface and one.is_on(instant(at_us)) and takes_part(one, reader):
                if one.kind == "interleave":
                    return Seat(one.key, tuple(side.version for side in one.arms))
                return Seat(one.key, (one.arms[arm_of(one, reader)].version,))
        return None

    def weights(self, surface: str, version: int) -> WeightRow | None:
        """A version's weights; None for the live one, and for one that is not known here."""
        return None if version == LIVE else self.versions.get((surface, version))


def takes_part(one: ExperimentRow, reader: str) -> bool:
    """Whether a reader is in an experiment, whichever arm."""
    return one.first_bucket <= bucket(one.layer, reader) < one.first_bucket + one.buckets


def arm_of(one: ExperimentRow, reader: str) -> int:
    """The number of a reader's arm, of those who take part."""
    return arm(one.salt, reader, [side.share for side in one.arms])


def is_due(one: ExperimentRow, now: datetime) -> bool:
    """Whether a running experiment has reached its end."""
    return one.state == "running" and now >= one.ends_at
