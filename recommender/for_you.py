"""A reader's own list: recent articles, everything known of the reader, every signal, rules, diversity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender import catch_up, rules
from recommender.admission import Admission
from recommender.index import ArticleIndex, Rows
from recommender.mmr import Alike
from recommender.profile import Profiles
from recommender.ranking import Candidates, Likeness, Options, Placement, Query, Result, rank, score
from recommender.rules import Judge, Judged
from recommender.signals import HOUR_US
from recommender.snapshot import NOBODY, ReaderView, Snapshot, spoken
from recommender.window import Places, Window
from recommender.windowed import Windowed

SURFACE = "for_you"


@dataclass(frozen=True)
class Ask:
    """What one request wants; `offset` places were served before."""

    limit: int = 20
    offset: int = 0
    category: str | None = None
    language: str | None = None  # only this one; None: the reader's own first
    exclude: Sequence[int] = ()  # ids
    window_h: float = 240.0
    since_us: int | None = None  # what came out after this is as fresh as can be: `catch_up`
    unseen_first: bool = False  # and stands before everything else

    @property
    def places(self) -> int:
        """How many places matter in all."""
        return self.offset + self.limit


@dataclass(frozen=True)
class Ranked:
    """The allowed candidates of one decision and how they came out."""

    rows: Rows  # (n,) of the index
    signals: FloatArray | Windowed  # S, or what gives it
    result: Result  # scores and parts, aligned with rows
    profiles: Profiles
    options: Options
    window: Window | None = None  # that the candidates were taken from, if any
    missed_us: int | None = None  # what came out after this while the reader was away stands first

    @property
    def S(self) -> FloatArray:  # noqa: N802
        """The signals (n x 8); those of candidates far from the list are computed when this is asked for."""
        return self.signals if isinstance(self.signals, np.ndarray) else self.signals.S

    def signals_of(self, chosen: NDArray[np.intp]) -> FloatArray:
        """The signals of some candidates (chosen x 8)."""
        return self.signals[chosen] if isinstance(self.signals, np.ndarray) else self.signals.signals_of(chosen)

    @property
    def order(self) -> NDArray[np.intp]:
        """A permutation of the candidates (n,); its first `served` are `head`."""
        return self.result.order

    @property
    def head(self) -> NDArray[np.intp]:
        """The candidates on the list, in its order (served,)."""
        return self.result.head

    @property
    def served(self) -> int:
        """How many places the rules and caps let be filled, at most those asked for."""
        return self.result.served

    def place_of(self, row: int) -> int | None:
        """The place, from 1, of a row of the index; None if it is no candidate."""
        found = np.flatnonzero(self.rows[self.order] == row)
        return int(found[0]) + 1 if len(found) else None


def for_you(snapshot: Snapshot, reader: ReaderView, ask: Ask, *, at_us: int, language: str = "") -> Ranked:
    """Rank for one reader at one instant; a reader who did nothing gets the newcomers' list.

    `language` is the reader's chosen one, empty if unknown. Articles in the reader's languages come first; the others
    follow only where those do not fill the places asked for, and pins and must-shows hold in the reader's alone.
    Cost: a few compiled passes over the window and the reader's reads (docs/ranking.md).
    """
    index, options, weights = snapshot.index, snapshot.options_of(SURFACE), snapshot.weights_of(SURFACE)
    desk = rules.in_effect(snapshot.rules.get(SURFACE, ()), at_us)
    from_us = at_us - int(ask.window_h * HOUR_US)
    window = snapshot.windows.of(index, from_us, at_us, rules.outsiders(index, desk))
    read = index.rows_of(reader.history.article_id)
    admission = Admission(window, at_us, from_us).publication(desk).choices(reader.choices)
    admission.history(reader.history, read, reader.choices).seen(reader.impressions, options.seen_cap)
    places = admission.request(exclude=ask.exclude, category=ask.category, language=ask.language).places()
    profiles = Profiles.build(index, reader.history, at_us, read)
    language_tier = _tier(window, places, profiles, ask, language)
    decided = (snapshot, window, places, profiles, reader.choices, at_us, options.freshness_scale)
    if ask.since_us is None:
        candidates = Windowed(*decided, language_tier, reader.impressions)
    else:
        unseen = window.published_at_us[places] > ask.since_us
        tier = catch_up.tiers(language_tier, unseen) if ask.unseen_first else language_tier
        candidates = catch_up.CaughtUp(*decided, tier, reader.impressions, since_us=ask.since_us)
    rows, placed = window.rows[places], None
    if desk:
        total = score(candidates.S, weights)
        placed = rules.placement(index, rows, desk, total, reader.impressions.article_id)
        placed = placed if language_tier is None else _only(placed, language_tier == 0)
    result = rank(Query(weights, ask.places, options), candidates, placed)
    return Ranked(rows, candidates, result, profiles, options, window, ask.since_us if ask.unseen_first else None)


def judge(
    snapshot: Snapshot, reader: ReaderView, rows: Rows, ask: Ask, *, at_us: int, surface: str = SURFACE
) -> Judged:
    """Why each of the rows may not be a candidate for this reader and request."""
    desk = rules.in_effect(snapshot.rules.get(surface, ()), at_us)
    options = snapshot.options_of(surface)
    judge = Judge(snapshot.index, rows, at_us).publication(desk)
    if reader.choices != NOBODY.choices:
        judge.choices(reader.choices)
    if len(reader.history.at_us):
        judge.history(reader.history, reader.choices, stories=surface == SURFACE)
    if len(reader.impressions.at_us):
        judge.seen(reader.impressions, options.seen_cap)
    judge.request(exclude=ask.exclude, category=ask.category, languages=(ask.language,) if ask.language else ())
    return judge.judged()


def candidates_of(index: ArticleIndex, rows: Rows, S: FloatArray) -> Candidates:
    """Rows of the index as candidates."""
    columns = index.columns
    return Candidates(
        columns.id[rows],
        columns.published_at_us[rows],
        columns.source_id[rows],
        columns.story_id[rows],
        S,
        _Texts(index, rows),
    )


@dataclass(frozen=True)
class _Texts(Likeness):
    """Cosines between candidates that are rows of an index."""

    index: ArticleIndex
    rows: Rows

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self.index.cosines_among(self.rows[rows])

    def alike(self, rows: NDArray[np.intp]) -> Alike:
        return Alike(packed=self.index.packed(self.rows[rows]), slots=np.arange(len(rows)))


def _tier(window: Window, places: Places, profiles: Profiles, ask: Ask, language: str) -> NDArray[np.int8] | None:
    """0 for candidates in the reader's languages, 1 for others; None where no language is known or asked for, or where
    everything is in one of them."""
    languages = () if ask.language else spoken(window.index, profiles, language)
    if not languages or window.is_all_in(languages):
        return None
    return (~window.speaks(languages)[places]).astype(np.int8)


def _only(placed: Placement, mask: NDArray[np.bool_]) -> Placement:
    """The placement in which pins and must-shows hold for these candidates alone."""
    pinned = {one: slot for one, slot in placed.pinned.items() if mask[one]}
    return Placement(placed.adjust, pinned, frozenset(one for one in placed.must_show if mask[one]))
