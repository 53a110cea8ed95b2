"""A reader's own list: recent articles, everything known of the reader, every signal, rules, diversity."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender import rules
from recommender.index import ArticleIndex, Rows
from recommender.profile import Profiles
from recommender.ranking import Candidates, Options, Placement, Query, Result, rank, score
from recommender.rules import DeskRule, Judge, Judged
from recommender.signals import HOUR_US
from recommender.snapshot import ReaderView, Snapshot, signal_matrix, spoken

SURFACE = "for_you"
FEW = 30  # a window with fewer articles is no list; the newest NEWEST are taken then
NEWEST = 500


@dataclass(frozen=True)
class Ask:
    """What one request wants; `offset` places were served before."""

    limit: int = 20
    offset: int = 0
    category: str | None = None
    language: str | None = None  # only this one; None: the reader's own first
    exclude: Sequence[int] = ()  # ids
    window_h: float = 240.0

    @property
    def places(self) -> int:
        """How many places matter in all."""
        return self.offset + self.limit


@dataclass(frozen=True)
class Ranked:
    """The allowed candidates of one decision and how they came out."""

    rows: Rows  # (n,) of the index
    S: FloatArray  # (n x 8)
    order: NDArray[np.intp]  # (n,) permutation of the candidates
    served: int  # places that the rules and caps let be filled, at most those asked for
    result: Result  # scores and parts, aligned with rows; its own order is that of the first language tier alone
    profiles: Profiles
    options: Options

    def place_of(self, row: int) -> int | None:
        """The place, from 1, of a row of the index; None if it is no candidate."""
        found = np.flatnonzero(self.rows[self.order] == row)
        return int(found[0]) + 1 if len(found) else None


def for_you(snapshot: Snapshot, reader: ReaderView, ask: Ask, *, at_us: int, language: str = "") -> Ranked:
    """Rank for one reader at one instant; a reader who did nothing gets the newcomers' list.

    `language` is the reader's chosen one, empty if unknown. Articles in the reader's languages come first; the others
    follow only where those do not fill the places asked for.
    """
    index, options = snapshot.index, snapshot.options_of(SURFACE)
    desk = rules.in_effect(snapshot.rules.get(SURFACE, ()), at_us)
    profiles = Profiles.build(index, reader.history, at_us)
    considered = candidate_rows(index, ask, desk, at_us)
    judged = judge(snapshot, reader, considered, ask, at_us=at_us)
    rows = considered[judged.allowed]
    S = signal_matrix(snapshot, rows, profiles, [reader.choices], at_us=at_us, options=options)[0]
    total = score(S, snapshot.weights_of(SURFACE))
    seen = reader.impressions.article_id
    placed = rules.placement(index, rows, desk, total, seen)
    candidates = candidates_of(index, rows, S)
    first = _first_tier(index, rows, profiles, ask, language)
    order, served, result = _ranked(Query(snapshot.weights_of(SURFACE), ask.places, options), candidates, placed, first)
    return Ranked(rows, S, order, served, result, profiles, options)


def candidate_rows(index: ArticleIndex, ask: Ask, desk: Sequence[DeskRule], at_us: int) -> Rows:
    """Rows of the window, or the newest where it is nearly empty, and what pins and must-shows name."""
    rows = index.window(at_us - int(ask.window_h * HOUR_US), at_us)
    if len(rows) < FEW:
        older = index.window(0, at_us)
        newest = np.argsort(-index.columns.published_at_us[older], kind="stable")[:NEWEST]
        rows = np.sort(older[newest])
    return np.union1d(rows, rules.outsiders(index, desk)).astype(np.intp)


def judge(
    snapshot: Snapshot, reader: ReaderView, rows: Rows, ask: Ask, *, at_us: int, surface: str = SURFACE
) -> Judged:
    """Why each of the rows may not be a candidate for this reader and request."""
    desk = rules.in_effect(snapshot.rules.get(surface, ()), at_us)
    options = snapshot.options_of(surface)
    judge = Judge(snapshot.index, rows, at_us).publication(desk).choices(reader.choices)
    judge.history(reader.history, reader.choices).seen(reader.impressions, options.seen_cap)
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
        index.likeness(rows),
    )


def _first_tier(index: ArticleIndex, rows: Rows, profiles: Profiles, ask: Ask, language: str) -> NDArray[np.bool_]:
    """Which candidates are in the reader's languages; all where no language is known or asked for."""
    languages = () if ask.language else spoken(index, profiles, language)
    if not languages:
        return np.ones(len(rows), np.bool_)
    codes = [index.languages.find(one) for one in (*languages, "und")]
    return np.isin(index.columns.language[rows], codes)


def _ranked(
    query: Query, candidates: Candidates, placed: Placement, first: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], int, Result]:
    """Order all candidates: those of the first tier, then the others; how many places are filled; the scores."""
    whole = rank(replace(query, limit=0), candidates, placed)
    tier, rest = np.flatnonzero(first), np.flatnonzero(~first)
    ours = rank(query, candidates.take(tier), _placement_of(placed, tier))
    head, served = tier[ours.order], ours.served
    held = {int(tier[one]): why for one, why in ours.held.items()}
    tail = rest[rank(replace(query, limit=0), candidates.take(rest)).order]
    if served < query.limit and len(rest):
        told: IntArray = candidates.story_id[head[:served]]
        new = rest[~np.isin(candidates.story_id[rest], told[told != 0])]
        theirs = rank(replace(query, limit=query.limit - served), candidates.take(new), _placement_of(placed, new))
        more = new[theirs.order[: theirs.served]]
        head = np.concatenate([head[:served], more, head[served:]])
        served += theirs.served
        tail = tail[~np.isin(tail, more)]
    return np.concatenate([head, tail]), served, replace(whole, held=held)


def _placement_of(placed: Placement, rows: NDArray[np.intp]) -> Placement:
    """The placement of some of the candidates."""
    place = {int(row): i for i, row in enumerate(rows)}
    return Placement(
        placed.adjust[rows],
        {place[one]: slot for one, slot in placed.pinned.items() if one in place},
        frozenset(place[one] for one in placed.must_show if one in place),
    )
