"""Articles about one event: each new article joins the story it is most like, or founds one.

A story's id is the id of its founding article, so processes that see the same articles name stories alike.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from sklearn.cluster import AgglomerativeClustering

from recommender.story_members import Column, Doubles, StoryMembers
from recommender.vectors import Vectors, concat, widen

HOUR_US = 3_600_000_000
_FIGURES = 6  # scores are compared to six figures: summing in another order must decide nothing
_ALWAYS = np.iinfo(np.int64).max // 4
_ROWS_AT_ONCE = 1_000
_TIDY_AFTER = 1_000


@dataclass(frozen=True, slots=True)
class StorySettings:
    """When articles tell one story. The thresholds are cosines, chosen on labelled news (docs/evaluation.md).

    ``merge`` holds for texts of ``long_terms`` different stems or more, ``merge_short`` for those of ``short_terms``
    or fewer (bare headlines share less), a value in proportion for lengths between.
    """

    join: float = 0.25
    merge: float = 0.40
    merge_short: float = 0.27
    short_terms: float = 8.0
    long_terms: float = 20.0
    nearest: int = 3
    words: float = 0.5
    dense: float = 0.5
    window_h: float = 96.0
    duplicate: float = 0.85

    def merge_at(self, terms: float) -> float:
        """The merge threshold for texts of this many different stems on average."""
        share = (terms - self.short_terms) / (self.long_terms - self.short_terms)
        return self.merge_short + (self.merge - self.merge_short) * min(max(share, 0.0), 1.0)


class Member(NamedTuple):
    """An article that is in a story already; times are UTC microseconds."""

    article_id: int
    story_id: int
    vector: Vectors  # one row
    published_at_us: int | None = None


def is_near_duplicate(one: Vectors, other: Vectors, settings: StorySettings | None = None) -> bool:
    """Whether two texts (one row each) say the same in nearly the same words: a reprint, an agency copy."""
    width = max(one.words.shape[1], other.words.shape[1])
    cosine = (widen(one.words, width) @ widen(other.words, width).T).sum()
    return bool(cosine >= (settings or StorySettings()).duplicate)


class StoryKeeper:
    """The open stories and the articles in them; holds no text, does no I/O, reads no clock.

    A story stays open for ``window_h`` hours around its articles. The score of an article in a story is the mean of
    its cosine with the story's centroid and its mean cosine with the nearest members: the first keeps a story
    together, the second lets it move on. All vectors come from one epoch: after a refit, ``rebuild``.
    Not safe to use from several threads at once.
    """

    def __init__(self, settings: StorySettings | None = None) -> None:
        """No stories yet."""
        self.settings = settings or StorySettings()
        self._members = StoryMembers(self.settings.words, self.settings.dense)
        self._ids: list[int] = []  # by slot; a merged or forgotten story leaves its slot empty
        self._slots: dict[int, int] = {}
        self._squares = Column(np.float64)  # squared length of the sum of a story's members
        self._oldest, self._newest = Column(np.int64), Column(np.int64)
        self._latest_us = -_ALWAYS

    @classmethod
    def rebuild(cls, members: Iterable[Member], settings: StorySettings | None = None) -> Self:
        """The keeper that took these articles in this order; it goes on as the one that was lost."""
        known = list(members)
        vectors = concat([member.vector for member in known]) if known else None
        return cls.restored(vectors, [one.story_id for one in known], [one.published_at_us for one in known], settings)

    @classmethod
    def restored(
        cls,
        vectors: Vectors | None,
        story_ids: Sequence[int],
        published_at_us: Sequence[int | None],
        settings: StorySettings | None = None,
    ) -> Self:
        """`rebuild` of articles whose vectors stand together, one row each; None for no articles."""
        keeper = cls(settings)
        slots = [keeper._slot_of(story_id) for story_id in story_ids]
        for slot, at_us in zip(slots, published_at_us, strict=True):
            keeper._note_time(slot, at_us)
        if vectors is not None:
            keeper._members.extend(vectors, np.array(slots, dtype=np.int64))
            keeper._measure()
        return keeper

    def __len__(self) -> int:
        """How many stories are held; closed ones may linger until they are forgotten."""
        return len(self._slots)

    def assign(self, article_id: int, vector: Vectors, published_at_us: int | None = None) -> int:
        """Decide and place one new article (one row, UTC microseconds): the id of its story.

        Depends on earlier articles alone. Without times every story stays open.
        """
        cosines = self._members.cosines(vector)
        found = self._best(cosines, published_at_us)
        story_id = article_id if found is None else found
        self._place(story_id, vector, cosines, published_at_us)
        return story_id

    def propose(self, vector: Vectors, published_at_us: int | None = None) -> int | None:
        """The open story this text (one row) belongs to, or None where it founds one; equal scores: the smaller id."""
        return self._best(self._members.cosines(vector), published_at_us)

    def place(self, story_id: int, vector: Vectors, published_at_us: int | None = None) -> None:
        """Put an article (one row) into a story that was decided, here or by another process; founds it if unknown."""
        self._place(story_id, vector, self._members.cosines(vector), published_at_us)

    def merge_pass(self, apart: Collection[tuple[int, int]] = frozenset()) -> list[tuple[int, int]]:
        """Join open stories that grew towards each other; returns (merged id, id it went into), the smaller id stays.

        Average linkage over story centroids down to cosine ``merge_at`` the articles' mean length. Deterministic.
        Pairs in ``apart``, the smaller id first, are never joined, nor by way of a third.
        """
        slots = np.flatnonzero(self._open(None if self._latest_us == -_ALWAYS else self._latest_us))
        pairs: list[tuple[int, int]] = []
        threshold = self.settings.merge_at(self._members.mean_terms)
        for group in _average_link(self._members.sums(len(self._ids)).rows(slots), threshold):
            for ids in _compatible([self._ids[slots[place]] for place in group], apart):
                pairs.extend((story_id, ids[0]) for story_id in ids[1:])
        self.merge(pairs)
        return sorted(pairs)

    def merge(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Move the articles of each (merged id, into id), decided here or elsewhere; unknown merged ids are skipped."""
        changed = False
        for merged_id, into_id in pairs:
            if merged_id == into_id or merged_id not in self._slots:
                continue
            slot = self._slots.pop(merged_id)
            into = self._slot_of(into_id)
            slots = self._members.slots.view
            slots[slots == slot] = into
            self._oldest.view[into] = min(self._oldest.view[into], self._oldest.view[slot])
            self._newest.view[into] = max(self._newest.view[into], self._newest.view[slot])
            self._newest.view[slot], self._oldest.view[slot] = -_ALWAYS, _ALWAYS
            changed = True
        if changed:
            self._measure()

    def forget(self) -> None:
        """Free what belongs to stories that closed more than a window ago; answers stay the same."""
        gone = self._newest.view < self._horizon_us()
        kept = ~gone[self._members.slots.view]
        if kept.mean() > 0.5:  # rewriting everything for a few rows is not worth it
            return
        self._members.keep(kept)
        self._squares.view[gone] = 0.0
        self._slots = {story_id: slot for story_id, slot in self._slots.items() if not gone[slot]}

    def _best(self, cosines: Doubles, published_at_us: int | None) -> int | None:
        if not len(cosines):
            return None
        slots, stories = self._members.slots.view, len(self._ids)
        lengths = np.sqrt(self._squares.view)
        sums = np.bincount(slots, cosines, minlength=stories)
        centroid = np.divide(sums, lengths, out=np.zeros(stories), where=lengths > 0)
        nearest = np.zeros(stories)
        np.maximum.at(nearest, slots, cosines)
        # Stories below this bound cannot reach the threshold, whatever their next members say.
        hopeful = self._open(published_at_us) & ((centroid + nearest) / 2 >= self.settings.join - 1e-5)
        scored = [
            (self._score(centroid[slot], cosines[slots == slot]), -self._ids[slot]) for slot in np.flatnonzero(hopeful)
        ]
        score, negative_id = max(scored, default=(-1.0, 0))
        return -negative_id if score >= self.settings.join else None

    def _place(self, story_id: int, vector: Vectors, cosines: Doubles, published_at_us: int | None) -> None:
        slot = self._slot_of(story_id)
        inner = float(cosines[self._members.slots.view == slot].sum())
        filled = bool(vector.words.nnz) or (vector.dense is not None and bool(vector.dense.any()))
        self._squares.view[slot] = max(self._squares.view[slot] + 2 * inner + float(filled), 0.0)
        self._members.extend(vector, np.array([slot]))
        self._note_time(slot, published_at_us)
        if len(self._members) % _TIDY_AFTER == 0:
            self.forget()

    def _score(self, centroid: float, cosines: Doubles) -> float:
        nearest = np.sort(cosines)[::-1][: self.settings.nearest].mean()
        return round(float(centroid + nearest) / 2, _FIGURES)

    def _open(self, at_us: int | None) -> npt.NDArray[np.bool_]:
        """Which slots hold a story that an article of this time may join."""
        newest = self._newest.view
        held = newest >= self._horizon_us()
        if at_us is None:
            return held
        window_us = int(self.settings.window_h * HOUR_US)
        return held & (newest >= at_us - window_us) & (self._oldest.view <= at_us + window_us)

    def _horizon_us(self) -> int:
        return max(self._latest_us - int(2 * self.settings.window_h * HOUR_US), 1 - _ALWAYS)

    def _slot_of(self, story_id: int) -> int:
        if (slot := self._slots.get(story_id)) is not None:
            return slot
        self._ids.append(story_id)
        self._slots[story_id] = len(self._ids) - 1
        self._squares.extend(np.zeros(1))
        self._oldest.extend(np.full(1, _ALWAYS))
        self._newest.extend(np.full(1, -_ALWAYS))
        return self._slots[story_id]

    def _note_time(self, slot: int, at_us: int | None) -> None:
        """An article without a time keeps its story open for good."""
        oldest, newest = (-_ALWAYS, _ALWAYS) if at_us is None else (at_us, at_us)
        self._oldest.view[slot] = min(self._oldest.view[slot], oldest)
        self._newest.view[slot] = max(self._newest.view[slot], newest)
        self._latest_us = max(self._latest_us, -_ALWAYS if at_us is None else at_us)

    def _measure(self) -> None:
        self._squares.view[:] = _squared_lengths(self._members.sums(len(self._ids)))


def _compatible(ids: Iterable[int], apart: Collection[tuple[int, int]]) -> list[list[int]]:
    """These stories in groups, each sorted, in which no two are to be kept apart: first come, first taken in."""
    groups: list[list[int]] = []
    for one in sorted(ids):
        fitting = (group for group in groups if all((held, one) not in apart for held in group))
        group = next(fitting, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def _squared_lengths(rows: Vectors) -> Doubles:
    squares = np.asarray(rows.words.multiply(rows.words).sum(axis=1), dtype=np.float64).ravel()
    return squares if rows.dense is None else squares + (rows.dense.astype(np.float64) ** 2).sum(axis=1)


def _average_link(sums: Vectors, threshold: float) -> list[npt.NDArray[np.intp]]:
    """Groups of two or more rows that average linkage over their cosines joins down to the threshold.

    Two groups can only be joined through a pair above the threshold, so each connected part is clustered by itself.
    """
    near = _cosines_above(sums, threshold)
    _, parts = connected_components(near, directed=False)
    order = np.argsort(parts, kind="stable")
    groups: list[npt.NDArray[np.intp]] = []
    for part in np.split(order, np.flatnonzero(np.diff(parts[order])) + 1):
        if len(part) > 1:
            distance = 1 - _cosines(sums.rows(part), sums.rows(part))
            tree = AgglomerativeClustering(
                None, metric="precomputed", linkage="average", distance_threshold=1 - threshold
            )
            labels = tree.fit_predict(np.clip(distance, 0, 2))
            groups.extend(part[labels == label] for label in np.unique(labels) if (labels == label).sum() > 1)
    return groups


def _cosines(left: Vectors, right: Vectors) -> Doubles:
    inner = (left.words @ right.words.T).toarray().astype(np.float64)
    if left.dense is not None and right.dense is not None:
        inner += left.dense @ right.dense.T
    lengths = np.outer(np.sqrt(_squared_lengths(left)), np.sqrt(_squared_lengths(right)))
    return np.asarray(np.divide(inner, lengths, out=np.zeros_like(inner), where=lengths > 0))


def _cosines_above(sums: Vectors, threshold: float) -> sparse.csr_matrix:
    blocks = [
        sparse.csr_matrix(_cosines(sums.rows(slice(start, start + _ROWS_AT_ONCE)), sums) >= threshold)
        for start in range(0, len(sums), _ROWS_AT_ONCE)
    ]
    return sparse.vstack(blocks, format="csr") if blocks else sparse.csr_matrix((0, 0), dtype=bool)
