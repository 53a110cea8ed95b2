"""What the store hands out: plain frozen values and numpy arrays, never rows that live in a session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PutResult:
    """What became of a batch of articles; `rejected` holds (index in the batch, reason)."""

    new: int = 0
    changed: int = 0
    same: int = 0
    rejected: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EventResult:
    """What became of a batch of events; `rejected` holds (index in the batch, reason)."""

    accepted: int = 0
    duplicate: int = 0
    rejected: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceRow:
    """An outlet."""

    id: int
    key: str
    name: str
    icon_url: str | None
    trust: float


@dataclass(frozen=True, slots=True)
class ArticleText:
    """What the index and the signals need of one article. Times are microseconds UTC; 0 means none."""

    id: int
    rev: int
    title: str
    summary: str
    body: str
    language: str
    source_id: int  # 0: no source
    category: str
    topics: tuple[str, ...]
    places: tuple[str, ...]
    published_at_us: int
    news_value: int  # 0: not judged by the desk
    lifetime: str
    embargo_until_us: int
    retracted: bool
    story_id: int  # 0: not assigned yet


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """One article as a face shows it."""

    id: int
    key: str
    url: str
    title: str
    summary: str
    body: str
    source: SourceRow | None
    author: str | None
    category: str | None
    topics: tuple[str, ...]
    places: tuple[str, ...]
    language: str
    image_url: str | None
    published_at: datetime
    updated_at: datetime | None
    news_value: int | None
    lifetime: str
    embargo_until: datetime | None
    retracted_at: datetime | None
    story_id: int | None
    rev: int


@dataclass(frozen=True, slots=True)
class ReaderRow:
    """One reader's choices. `id` 0 is a reader we have never seen."""

    id: int
    key: str
    zone: str = "UTC"
    language: str = "en"
    push: bool = True
    quiet_from: str = "22:00"
    quiet_until: str = "07:00"
    daily_cap: int = 4
    followed_topics: tuple[str, ...] = ()
    muted_topics: tuple[str, ...] = ()
    muted_sources: tuple[str, ...] = ()
    followed_stories: tuple[str, ...] = ()
    muted_stories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReaderColumns:
    """Many readers' choices, an array a field; row i of each is reader i. Empty lists are left out."""

    id: IntArray  # (n,)
    key: Sequence[str]  # n of them
    zone: NDArray[np.int32]  # (n,) places in `zones`
    zones: tuple[str, ...]
    language: NDArray[np.int32]  # (n,) places in `languages`
    languages: tuple[str, ...]
    push: NDArray[np.bool_]  # (n,)
    quiet_from_s: NDArray[np.int32]  # (n,) seconds since local midnight
    quiet_until_s: NDArray[np.int32]  # (n,)
    daily_cap: NDArray[np.int32]  # (n,)
    followed_topics: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # by row
    muted_topics: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    muted_sources: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    followed_stories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    muted_stories: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    since_us: IntArray = field(default_factory=lambda: np.zeros(0, np.int64))  # (n,) known since; empty: for long

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def of(cls, readers: Sequence[ReaderRow]) -> "ReaderColumns":
        """The same readers as columns."""
        zones = tuple(dict.fromkeys(one.zone for one in readers))
        languages = tuple(dict.fromkeys(one.language for one in readers))
        lists: dict[str, Any] = {
            name: {row: found for row, one in enumerate(readers) if (found := getattr(one, name))} for name in CHOICES
        }
        return cls(
            id=np.array([one.id for one in readers], np.int64),
            key=[one.key for one in readers],
            zone=np.array([zones.index(one.zone) for one in readers], np.int32),
            zones=zones,
            language=np.array([languages.index(one.language) for one in readers], np.int32),
            languages=languages,
            push=np.array([one.push for one in readers], np.bool_),
            quiet_from_s=np.array([wall_s(one.quiet_from) for one in readers], np.int32),
            quiet_until_s=np.array([wall_s(one.quiet_until) for one in readers], np.int32),
            daily_cap=np.array([one.daily_cap for one in readers], np.int32),
            **lists,
        )

    def zone_of(self, row: int) -> str:
        """The zone of one reader."""
        return self.zones[int(self.zone[row])]

    def take(self, rows: NDArray[np.intp]) -> "ReaderColumns":
        """These readers alone, in this order."""
        place = {int(row): i for i, row in enumerate(rows)} if any(getattr(self, name) for name in CHOICES) else {}
        return replace(
            self,
            id=self.id[rows],
            key=[self.key[int(row)] for row in rows],
            zone=self.zone[rows],
            language=self.language[rows],
            push=self.push[rows],
            quiet_from_s=self.quiet_from_s[rows],
            quiet_until_s=self.quiet_until_s[rows],
            daily_cap=self.daily_cap[rows],
            followed_topics=_taken(self.followed_topics, place),
            muted_topics=_taken(self.muted_topics, place),
            muted_sources=_taken(self.muted_sources, place),
            followed_stories=_taken(self.followed_stories, place),
            muted_stories=_taken(self.muted_stories, place),
            since_us=self.since_us[rows] if len(self.since_us) else self.since_us,
        )


def _taken(lists: Mapping[int, tuple[str, ...]], place: Mapping[int, int]) -> dict[int, tuple[str, ...]]:
    return {place[row]: found for row, found in lists.items() if row in place}


CHOICES = ("followed_topics", "muted_topics", "muted_sources", "followed_stories", "muted_stories")


@lru_cache(maxsize=4096)
def wall_s(wall: str) -> int:
    """Seconds since midnight of a wall time like 22:00."""
    at = time.fromisoformat(wall)
    return at.hour * 3600 + at.minute * 60 + at.second


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """One active installation of the app."""

    id: int
    fid: str
    reader_id: int
    platform: str
    token: str | None
    language: str | None
    is_test: bool


@dataclass(frozen=True, slots=True)
class Histories:
    """What several readers did, newest first: reader i owns rows indptr[i]:indptr[i+1].

    `kind` indexes `data.wire.EVENT_KINDS`; `at_us` is microseconds UTC; `dwell_s` is nan where not measured.
    """

    reader_id: IntArray  # (readers,)
    indptr: IntArray  # (readers + 1,)
    article_id: IntArray  # (events,)
    at_us: IntArray  # (events,)
    kind: NDArray[np.int8]  # (events,)
    dwell_s: FloatArray  # (events,)

    def of(self, row: int) -> "Histories":
        """The history of the row-th reader alone."""
        part = slice(int(self.indptr[row]), int(self.indptr[row + 1]))
        return Histories(
            self.reader_id[row : row + 1],
            np.array([0, part.stop - part.start], np.int64),
            self.article_id[part],
            self.at_us[part],
            self.kind[part],
            self.dwell_s[part],
        )


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A live API key: its number, its role, the most requests a second (None: as the settings say)."""

    id: int
    role: str
    rate_per_s: float | None


@dataclass(frozen=True, slots=True)
class ServedPage:
    """One page of a served list. Places count from 0: item i of the page stood on place `first + i` of the list."""

    served_id: str
    surface: str
    reader_id: int | None  # None: nobody we know
    article_id: int | None  # related: the article beside which it stood
    served_at: datetime
    first: int
    article_ids: tuple[int, ...]
    weight_version: int
    propensity: tuple[float, ...] | None = None  # of each item; None: nothing was left to chance
    teams: tuple[int, ...] | None = None  # of an interleaved list: which version chose each item, -1: both


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Events in commit order since some batch number: what the popularity counters eat."""

    last: int  # the highest batch number contained, or the one asked from
    article_id: IntArray
    reader_id: IntArray
    at_us: IntArray
    kind: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class WeightRow:
    """A version of one surface's weights."""

    surface: str
    version: int
    weights: dict[str, float] = field(default_factory=dict)
    options: dict[str, float] = field(default_factory=dict)
    live: bool = True
    author: str = "newsbell"
    reason: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """An editor's override, in effect or to come."""

    id: int
    kind: str
    surface: str
    target: str
    target_key: str
    strength: float
    slot: int | None
    starts_at: datetime
    ends_at: datetime | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class FeedRow:
    """What the last fetch of a feed address told."""

    url: str
    etag: str | None
    last_modified: str | None
    fetched_at: datetime | None
    error: str | None


StoryAssignments = Sequence[tuple[int, int]]  # (article id, story id)
