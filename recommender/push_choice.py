"""The best candidate for each reader of a block: arrays in, arrays out, the work in `push_kernel`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.alerts import Told
from data.values import FloatArray, Histories, IntArray, ReaderColumns
from data.wire import EVENT_KINDS
from recommender.columns import base, fold_name
from recommender.profile import HALF_LIFE_H, KIND_WEIGHT
from recommender.push import IS_AWAY, READ_KINDS, Block, Candidates, Verdicts
from recommender.push_kernel import compiled_for, judge, weigh
from recommender.push_pool import Pool
from recommender.push_reads import BUDGET_BYTES, Archive, ReadArticles
from recommender.push_similarity import LANES, Candidacy
from recommender.signals import HALF_CLOSE, HOUR_US, SIGNALS
from recommender.subject import SUBJECT

PERSONAL = ("similarity", "source", "breadth")  # the signals that differ by reader
_KIND_WEIGHT = np.array([KIND_WEIGHT.get(kind, 0.0) for kind in EVENT_KINDS])
_OUTDATED = EVENT_KINDS.index("impression")
_IS_READ = np.array([kind in READ_KINDS for kind in EVENT_KINDS], np.uint8)


class Chooser:
    """Judges readers against the candidates of one plan. It remembers the articles it met: for one thread at a time.

    Cost: about 15 microseconds for each article met the first time, and 15 a reader of 40 reads.
    """

    def __init__(
        self, archive: Archive, pool: Pool, weights: Mapping[str, float], at_us: int, *, budget: int = BUDGET_BYTES
    ) -> None:
        if not np.allclose(compiled_for(), (LANES, HALF_CLOSE, SUBJECT.words, SUBJECT.dense), rtol=1e-6, atol=0):
            raise RuntimeError("the compiled plan is of another version; delete recommender/__pycache__/push_*.nb?")
        self.pool, self.weights, self.at_us = (
            pool,
            {name: np.float32(weights.get(name, 0.0)) for name in SIGNALS},
            at_us,
        )
        worth = np.zeros(len(pool), np.float32) + pool.adjust
        for name, values in pool.shared.items():
            worth = worth + self.weights[name] * values
        self._order = np.argsort(-worth, kind="stable")  # what is worth most to everybody is looked at first
        self._archive = archive
        candidacy = Candidacy(pool.vectors.rows(self._order))
        self._stories = np.unique(pool.candidates.story_id)
        self._reads = ReadArticles(archive, candidacy, self._stories, pool.common, budget)
        self._candidates = _candidate_arrays(pool, self._order, worth, self._stories, candidacy)
        self._bounds = _bounds(self._candidates)
        self._items = Items(pool.candidates, self._order)
        self._fixed = _fixed_scratch(pool, self._stories, candidacy)
        self._growing = (np.zeros(0, np.float32),) * 3
        self._language = {name: number for number, name in reversed(list(enumerate(pool.languages)))}

    @property
    def bytes_held(self) -> int:
        """Bytes of what was remembered so far."""
        return self._reads.bytes_held

    def choose(self, block: Block, verdict: NDArray[np.int8]) -> Verdicts:
        """How the readers end whose `verdict` is SEND so far; the others keep theirs."""
        count = len(block)
        verdict = verdict.copy()
        chosen, score = np.full(count, -1, np.int64), np.zeros(count, np.float32)
        personal = np.zeros((count, len(PERSONAL)), np.float32)
        told = _told(block.told, self._stories, count)
        followed = self._items.followed(block.readers)
        muted = self._items.muted(block.readers)
        own = self._own_languages(block.readers)
        histories, kinds = block.histories, self._kinds(block.histories)
        for part in _parts(histories.indptr, self._reads.most):
            history = _past(histories, part, self.at_us, kinds)
            arrays = (
                _writable(block.send_at_us[part], np.int64),
                own[part],
                *history[:1],
                self._reads.places(history[1]),
                *history[2:],
            )
            listed = [(starts[part.start : part.stop + 1], *more) for starts, *more in (told, followed, muted)]
            readers = (verdict[part], *arrays, *(one for each in listed for one in each))
            self._judge(readers, (verdict[part], chosen[part], score[part], personal[part]))
        return Verdicts(verdict, chosen.astype(np.intp), score, self._parts_of(chosen, personal))

    def _kinds(self, histories: Histories) -> NDArray[np.int8]:
        """The kinds of the events (events,); what was done with a story before its last update is no read of it."""
        if not self.pool.renewed:
            return histories.kind
        rows = self._archive.rows_of(histories.article_id)
        story = np.where(rows >= 0, self._archive.facts(np.maximum(rows, 0)).story_id, 0)
        stories = np.array(sorted(self.pool.renewed), np.int64)
        place = np.minimum(np.searchsorted(stories, story), len(stories) - 1)
        renewed_us = np.array([self.pool.renewed[int(one)] for one in stories], np.int64)[place]
        is_old = (stories[place] == story) & (histories.at_us < renewed_us) & ~IS_AWAY[histories.kind]
        return np.where(is_old, _OUTDATED, histories.kind).astype(np.int8)

    def _judge(self, readers: Sequence[Any], found: tuple[Any, ...]) -> None:
        longest = int(np.diff(readers[3]).max(initial=0))
        judge(
            tuple(readers),
            self._candidates,
            self._bounds,
            self._items.table,
            self._reads.tables,
            tuple(self.weights[name] for name in PERSONAL),
            _IS_READ,
            self.pool.blank_category,
            self.pool.candidates.window_us,
            self._scratch(longest),
            found,
        )

    def _scratch(self, longest: int) -> tuple[Any, ...]:
        best, reads, sums = self._growing
        if len(best) < self._reads.most or len(reads) < longest or len(sums) < self._reads.words.sums:
            best, sums = np.zeros(self._reads.most, np.float32), np.zeros(self._reads.words.sums, np.float32)
            reads = np.zeros(max(longest, 256), np.int32)
            self._growing = best, reads, sums
        return (best, reads, np.zeros(len(reads), np.float32), sums, *self._fixed)

    def _own_languages(self, readers: ReaderColumns) -> NDArray[np.int32]:
        numbers = [self._language.get(base(name), -1) for name in readers.languages]
        return np.array([*numbers, -1], np.int32)[readers.language]

    def _parts_of(self, chosen: IntArray, personal: FloatArray) -> FloatArray:
        """parts (n x 8) of the chosen candidates: signals x weights, in the order of SIGNALS."""
        made = np.zeros((len(chosen), len(SIGNALS)), np.float32)
        rows = np.flatnonzero(chosen >= 0)
        for name, values in self.pool.shared.items():
            made[rows, SIGNALS.index(name)] = self.weights[name] * values[chosen[rows]]
        for number, name in enumerate(PERSONAL):
            made[rows, SIGNALS.index(name)] = self.weights[name] * personal[rows, number]
        return made


class Items:
    """What readers follow and mute - topics, sources, stories - as numbers, and the candidates each is about."""

    def __init__(self, candidates: Candidates, order: IntArray) -> None:
        named: dict[tuple[str, str], list[int]] = {}
        for position, row in enumerate(order.tolist()):
            story, source = str(candidates.story_id[row]), candidates.source_key[row]
            topics = [("topic", one) for one in candidates.topics[row]]
            for item in (("story", story), ("source", source), *topics):
                named.setdefault(item, []).append(position)
        self._number = {item: number for number, item in enumerate(named)}
        starts = np.cumsum([0, *map(len, named.values())]).astype(np.int64)
        positions = np.array([one for each in named.values() for one in each], np.int32)
        self.table = (starts, positions)

    def followed(self, readers: ReaderColumns) -> tuple[IntArray, NDArray[np.int32]]:
        """Of each reader the followed items: starts (n + 1,) and items."""
        topics = _named("topic", readers.followed_topics, fold_name)
        stories = _named("story", readers.followed_stories, lambda one: str(int(one)) if one.isdecimal() else "")
        return self._listed(len(readers), [*topics, *stories])

    def muted(self, readers: ReaderColumns) -> tuple[IntArray, NDArray[np.int32]]:
        """Of each reader the muted items: starts (n + 1,) and items."""
        topics = _named("topic", readers.muted_topics, fold_name)
        sources = _named("source", readers.muted_sources, str)
        return self._listed(len(readers), [*topics, *sources, *_named("story", readers.muted_stories, str)])

    def _listed(self, count: int, wanted: list[tuple[int, tuple[str, str]]]) -> tuple[IntArray, NDArray[np.int32]]:
        known = [(row, self._number[item]) for row, item in wanted if item in self._number]
        pairs = np.array(known, np.int64).reshape(-1, 2)
        order = np.argsort(pairs[:, 0], kind="stable")
        return _starts(pairs[:, 0], count), pairs[order, 1].astype(np.int32)


def _named(kind: str, lists: Mapping[int, tuple[str, ...]], form: Any) -> Iterable[tuple[int, tuple[str, str]]]:
    return [(row, (kind, form(one))) for row, names in lists.items() for one in names]


def _starts(rows: IntArray, count: int) -> IntArray:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))]).astype(np.int64)


def _candidate_arrays(
    pool: Pool, order: IntArray, worth: FloatArray, stories: IntArray, candidacy: Candidacy
) -> tuple[Any, ...]:
    """The columns of the candidates as the kernel reads them, padded to whole blocks."""
    candidates, width = pool.candidates, candidacy.width

    def padded(values: Any, dtype: Any, rest: Any = 0) -> Any:
        made = np.full(width, rest, dtype)
        made[: len(order)] = np.asarray(values)[order]
        return made

    views = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]) * [SUBJECT.words, SUBJECT.dense]
    weight = (views @ candidacy.present).astype(np.float32)
    return (
        padded(worth, np.float32, -np.inf),
        padded(pool.trust, np.float32),
        padded(pool.category, np.int32),
        padded(pool.source_id, np.int32),
        padded(np.searchsorted(stories, candidates.story_id), np.int32),
        padded(candidates.update_no, np.int64),
        padded(candidates.published_at_us, np.int64),
        padded(candidates.language, np.int32),
        padded(np.arange(len(order)), np.int64),
        np.divide(1, weight, out=np.zeros_like(weight), where=weight > 0),
    )


def _bounds(candidates: tuple[Any, ...]) -> tuple[Any, ...]:
    worth, trust, inverse = candidates[0], candidates[1], candidates[9]
    blocks = inverse.reshape(len(inverse), -1, LANES).max(axis=2)
    return worth.reshape(-1, LANES).max(axis=1), trust.reshape(-1, LANES).max(axis=1), np.ascontiguousarray(blocks)


def _fixed_scratch(pool: Pool, stories: IntArray, candidacy: Candidacy) -> tuple[NDArray[Any], ...]:
    return (
        np.zeros(candidacy.rank, np.float32),
        np.zeros(pool.categories + 1, np.float32),
        np.zeros(pool.sources, np.float32),
        np.zeros(len(stories) + 1, np.uint8),
        np.full(len(stories) + 1, -1, np.int64),
        np.zeros(len(pool.languages) + 1, np.int32),
        np.zeros(candidacy.width, np.float32),
        np.zeros(candidacy.width, np.float32),
        np.zeros(candidacy.blocks, np.float32),
        np.zeros((4, LANES), np.float32),
    )


def _told(told: Told, stories: IntArray, count: int) -> tuple[Any, ...]:
    """Alerts by reader: starts (n + 1,), story and update."""
    order = np.argsort(told.row, kind="stable")
    story = told.story_id[order]
    place = np.searchsorted(stories, story)
    known = (np.append(stories, 0)[place] == story) & (story != 0)
    code = np.where(known, place, len(stories)).astype(np.int32)
    return _starts(told.row, count), code, told.update_no[order].astype(np.int64)


def _parts(indptr: IntArray, most: int) -> Iterable[slice]:
    """Runs of readers with at most `most` events together, or of one."""
    first, count = 0, len(indptr) - 1
    while first < count:
        last = int(np.searchsorted(indptr, indptr[first] + most, side="right")) - 1
        last = min(max(last, first + 1), count)
        yield slice(first, last)
        first = last


def _past(histories: Histories, part: slice, at_us: int, kinds: NDArray[np.int8]) -> tuple[Any, ...]:
    """The events of some readers: starts, article, kind and how much each counts at `at_us`."""
    starts = histories.indptr[part.start : part.stop + 1]
    events = slice(int(starts[0]), int(starts[-1]))
    kind = _writable(histories.kind[events], np.int8)
    weight = np.empty(len(kind), np.float32)
    dwell_s = np.ascontiguousarray(histories.dwell_s[events], np.float32)
    at = np.ascontiguousarray(histories.at_us[events], np.int64)
    weigh(kind, at, dwell_s, at_us, HALF_LIFE_H * HOUR_US, _KIND_WEIGHT, weight)
    article = np.ascontiguousarray(histories.article_id[events], np.int64)
    return np.ascontiguousarray(starts - starts[0]), article, _writable(kinds[events], np.int8), weight


def _writable(values: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """The kernel takes writable arrays alone; what came from another machine is not."""
    return np.require(values, dtype, ["C", "W"])
