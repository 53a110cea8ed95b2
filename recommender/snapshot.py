"""Everything a ranking decision looks at, as values that never change under it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from data.values import FloatArray, Histories, IntArray, SourceRow, WeightRow
from recommender import signals
from recommender.columns import base
from recommender.experiments.serving import Trials
from recommender.index import ArticleIndex, Rows
from recommender.interest import Interest
from recommender.popularity import Popularity
from recommender.profile import Profiles
from recommender.ranking import Options
from recommender.rules import Choices, DeskRule
from recommender.window import Windows

SURFACES = ("for_you", "related", "push")
# Set by hand, after what readers' clicks taught elsewhere (popularity, text and freshness carry most); each sums to 1.
WEIGHTS: Mapping[str, Mapping[str, float]] = {
    "for_you": {
        "similarity": 0.30, "interest": 0.0, "freshness": 0.22, "news_value": 0.14, "popularity": 0.16,
        "story_size": 0.09, "source": 0.05, "breadth": 0.04,
    },
    "related": {
        "similarity": 0.70, "interest": 0.0, "freshness": 0.12, "news_value": 0.05, "popularity": 0.06,
        "story_size": 0.03, "source": 0.04, "breadth": 0.0,
    },
    "push": {
        "similarity": 0.24, "interest": 0.0, "freshness": 0.18, "news_value": 0.26, "popularity": 0.14,
        "story_size": 0.14, "source": 0.04, "breadth": 0.0,
    },
}  # fmt: skip
OPTIONS: Mapping[str, Options] = {
    "for_you": Options(),
    "related": Options(diversity=0.10, source_cap=3, story_cap=1, freshness_scale=7.0),
    "push": Options(diversity=0.10),
}


@dataclass(frozen=True)
class Snapshot:
    """One consistent view: articles, counters, outlets, live weights and looked-up rules per surface."""

    index: ArticleIndex
    popularity: Popularity = field(default_factory=Popularity)
    sources: Mapping[int, SourceRow] = field(default_factory=dict)
    weights: Mapping[str, WeightRow] = field(default_factory=dict)
    rules: Mapping[str, tuple[DeskRule, ...]] = field(default_factory=dict)
    windows: Windows = field(default_factory=Windows, compare=False, repr=False)  # kept from snapshot to snapshot
    trials: Trials = field(default_factory=Trials)
    models: Mapping[int, Interest] = field(default_factory=dict, compare=False, repr=False)  # by number

    def weights_of(self, surface: str) -> Mapping[str, float]:
        """The live weights of a surface; the built-in ones before any were published.

        Interest weighs 0 where the click model that the version names is not here.
        """
        row = self.weights.get(surface)
        if row and row.weights.get("interest") and self.interest_of(surface) is None:
            return {**row.weights, "interest": 0.0}
        return row.weights if row else WEIGHTS[surface]

    def interest_of(self, surface: str) -> Interest | None:
        """The click model that the live version of for-you weights names and gives a weight; None without."""
        row = self.weights.get(surface)
        if surface != "for_you" or row is None or not row.weights.get("interest"):
            return None
        return self.models.get(int(row.options.get("interest_model", 0)))

    def options_of(self, surface: str) -> Options:
        """The live options of a surface, on top of the built-in ones."""
        if surface not in self._options:
            row = self.weights.get(surface)
            self._options[surface] = Options.of(row.options if row else {}, OPTIONS[surface])
        return self._options[surface]

    @cached_property
    def _options(self) -> dict[str, Options]:
        return {}

    @cached_property
    def trusts(self) -> tuple[IntArray, FloatArray]:
        """Outlets ascending, and the desk's trust in each."""
        ids = np.array(sorted(self.sources), np.int64)
        return ids, np.array([self.sources[int(one)].trust for one in ids], np.float32)

    def under_version(self, surface: str, version: int) -> "Snapshot":
        """The same view with one surface's weights those of a version that an experiment tries."""
        row = self.trials.weights(surface, version)
        if row is None:
            return self
        if (surface, version) not in self._tried:
            self._tried[surface, version] = replace(self, weights={**self.weights, surface: row})
        return self._tried[surface, version]

    @cached_property
    def _tried(self) -> dict[tuple[str, int], "Snapshot"]:
        return {}

    def version_of(self, surface: str) -> int:
        """The version of the live weights, 0 for the built-in ones."""
        row = self.weights.get(surface)
        return row.version if row else 0


@dataclass(frozen=True)
class ReaderView:
    """One reader as ranking sees one: choices and what was done. `NOBODY` is a reader nothing is known of."""

    choices: Choices
    history: Histories
    impressions: Histories
    id: int = 0


def empty_history() -> Histories:
    """The history of one reader who did nothing."""
    none = np.zeros(0, np.int64)
    indptr = np.zeros(2, np.int64)
    return Histories(np.zeros(1, np.int64), indptr, none, none, np.zeros(0, np.int8), np.zeros(0, np.float32))


NOBODY = ReaderView(Choices(), empty_history(), empty_history())


def shared_signals(snapshot: Snapshot, rows: Rows, at_us: int, options: Options) -> dict[str, FloatArray]:
    """The signals that are the same for every reader: freshness, news value, popularity, story size (rows,) each."""
    columns = snapshot.index.columns
    published_at_us, ids = columns.published_at_us[rows], columns.id[rows]
    lifetime = columns.lifetime[rows]
    return {
        "freshness": signals.freshness(published_at_us, lifetime, at_us, scale=options.freshness_scale),
        "news_value": signals.news_value(columns.news_value[rows]),
        "popularity": snapshot.popularity.signal(ids, published_at_us, at_us),
        "story_size": signals.story_size(snapshot.index.story_sources(rows, at_us)),
    }


def reader_signals(
    snapshot: Snapshot, rows: Rows, profiles: Profiles, choices: Sequence[Choices]
) -> dict[str, FloatArray]:
    """The signals that differ by reader: similarity, source, breadth (readers x rows) each."""
    index = snapshot.index
    topic = np.maximum(profiles.drawn(index, rows), [followed(index, rows, one) for one in choices])
    return {
        "similarity": signals.similarity(profiles.similarity(index, rows), topic, profiles.evidence[:, None]),
        "source": signals.source(trust(snapshot, rows), profiles.affinity(index, rows)),
        "breadth": signals.breadth(profiles.usual_share(index, rows)),
    }


def signal_matrix(
    snapshot: Snapshot, rows: Rows, profiles: Profiles, choices: Sequence[Choices], *, at_us: int, options: Options
) -> FloatArray:
    """S (readers x rows x 8) of a for-you or push decision; one reader is a batch of one, with the same numbers."""
    shared = shared_signals(snapshot, rows, at_us, options)
    return signals.matrix({**shared, **reader_signals(snapshot, rows, profiles, choices)})


def followed(index: ArticleIndex, rows: Rows, choices: Choices) -> FloatArray:
    """1 for candidates of a topic, category or story the reader follows (rows,)."""
    found = np.isin(index.columns.story_id[rows], choices.followed_stories)
    for topic in choices.followed_topics:
        found |= index.of_topic(topic, rows)
    return found.astype(np.float32)


def trust(snapshot: Snapshot, rows: Rows) -> FloatArray:
    """The desk's trust in each candidate's outlet, 0.5 where there is none (rows,)."""
    return trust_in(snapshot, snapshot.index.columns.source_id[rows])


def trust_in(snapshot: Snapshot, source_ids: IntArray) -> FloatArray:
    """The desk's trust in these outlets, 0.5 in unknown ones."""
    ids, values = snapshot.trusts
    if not len(ids):
        return np.full(len(source_ids), 0.5, np.float32)
    place = np.minimum(np.searchsorted(ids, source_ids), len(ids) - 1)
    return np.where(ids[place] == source_ids, values[place], np.float32(0.5))


def spoken(index: ArticleIndex, profiles: Profiles, language: str) -> tuple[str, ...]:
    """The languages of the one reader: the chosen one, and any in which a fifth of the reads are; () if unknown."""
    weight = np.bincount(index.columns.language[profiles.rows], profiles.weights, len(index.languages))
    used = [index.languages.name(int(one)) for one in np.flatnonzero(weight > 0.2 * max(weight.sum(), 1e-9))]
    return tuple(dict.fromkeys([base(language), *used])) if language else tuple(used)
