"""Window: the articles a for-you list is chosen from, laid out so that one reader costs a few compiled passes."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import TypeVar

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, IntArray
from recommender import signals
from recommender.compiled import compiled
from recommender.index import ArticleIndex, Rows
from recommender.packed import F32, F64, I32, I64, U8, Packed, Slots
from recommender.packer import Packer
from recommender.popularity import HALF_LIFE_H as READ_HALF_LIFE_H
from recommender.popularity import PRIOR_H, Popularity
from recommender.signals import HALF_LIFE_H, HOUR_US

Places = NDArray[np.int64]  # of articles in a window
Mask = NDArray[np.bool_]
Marks = NDArray[np.uint8]
NO_ROWS = np.zeros(0, np.intp)
MEMOS = 256  # of a window: most are masks of topics, a byte an article
KEPT = 8  # windows
DAY_US = 24 * HOUR_US
FEW = 30  # a window with fewer articles is no list; the newest NEWEST are taken then
NEWEST = 500
NEVER, ALWAYS = -(2**62), 2**62
T = TypeVar("T")


@dataclass(frozen=True)
class Window:
    """Living articles: row i of every array is place i, `rows` ascending.

    What depends on the index alone is an array; what depends on more (counters, rules, an hour) is kept for as long
    as that stays the same. Memory: 90 bytes an article beside its packed vector.
    """

    index: ArticleIndex
    rows: Rows  # of the index
    packer: Packer
    named: Marks  # 1: a candidate whatever its age, named by a pin or a must-show
    _memo: dict[object, tuple[object, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, index: ArticleIndex, rows: Rows, packer: Packer, named: Rows) -> "Window":
        """The window of these rows, ascending; of the `named` no age is asked."""
        return cls(index, rows, packer, np.isin(rows, named).astype(np.uint8))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def id(self) -> IntArray:
        return self.index.columns.id[self.rows]

    @cached_property
    def published_at_us(self) -> IntArray:
        return self.index.columns.published_at_us[self.rows]

    @cached_property
    def source_id(self) -> IntArray:
        return self.index.columns.source_id[self.rows]

    @cached_property
    def story_id(self) -> IntArray:
        return self.index.columns.story_id[self.rows]

    @cached_property
    def category(self) -> NDArray[np.int32]:
        return self.index.columns.category[self.rows]

    @cached_property
    def language(self) -> NDArray[np.int32]:
        return self.index.columns.language[self.rows]

    @cached_property
    def lifetime(self) -> NDArray[np.int8]:
        return self.index.columns.lifetime[self.rows]

    @cached_property
    def news_value(self) -> FloatArray:
        """The signal."""
        return signals.news_value(self.index.columns.news_value[self.rows])

    @cached_property
    def sources(self) -> "Codes":
        return Codes.of(self.source_id)

    @cached_property
    def stories(self) -> "Codes":
        return Codes.of(self.story_id)

    @cached_property
    def retracted(self) -> Mask:
        return self.index.columns.retracted[self.rows]

    @cached_property
    def embargoed(self) -> tuple[Places, IntArray]:
        """The few with an embargo, and its end."""
        until_us = self.index.columns.embargo_until_us[self.rows]
        places = np.flatnonzero(until_us)
        return places, until_us[places]

    @cached_property
    def times_us(self) -> IntArray:
        """When something was published, ascending."""
        return np.sort(self.published_at_us)

    def places_of(self, rows: Rows) -> Places:
        """The places of those rows that are in the window, in no order of the rows."""
        if not len(self.rows):
            return np.zeros(0, np.int64)
        place = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.asarray(place[self.rows[place] == rows])

    def count(self, from_us: int, until_us: int) -> int:
        """How many were published in [from, until]."""
        low, high = np.searchsorted(self.times_us, [from_us, until_us + 1])
        return int(high - low)

    def span_us(self, at_us: int) -> tuple[int, int]:
        """[from, until) around an instant in which nothing of the window is published."""
        after = int(np.searchsorted(self.times_us, at_us, side="right"))
        before = int(self.times_us[after - 1]) if after else NEVER
        return before, int(self.times_us[after]) if after < len(self.times_us) else ALWAYS

    def topic(self, topic: str) -> Mask:
        """Which are of a topic or category, whatever the case."""
        return self.kept(("topic", topic), (), lambda: self.index.of_topic(topic, self.rows))

    def speaks(self, languages: tuple[str, ...]) -> Mask:
        """Which are in one of these base languages, or in one nobody could tell."""

        def made() -> Mask:
            known = self.index.languages
            return np.isin(self.language, [known.find(one) for one in (*languages, "und")])

        return self.kept(("speaks", languages), (len(self.index.languages),), made)

    def is_all_in(self, languages: tuple[str, ...]) -> bool:
        """Whether everything `speaks` one of these."""
        of = (len(self.index.languages),)
        return self.kept(("all in", languages), of, lambda: bool(self.speaks(languages).all()))

    def packed(self, rows: Rows) -> tuple[Packed, Slots, Slots]:
        """The vectors, the slots of the window's articles, and those of other rows."""
        with self.packer.lock:
            self.packer.spare(self.index, self.rows)
            slots = self.packer.slots(self.index, rows)
            mine = self.kept("slots", (self.packer.generation,), lambda: self.packer.slots(self.index, self.rows))
            return self.packer.packed, mine, slots

    def story_size(self, at_us: int) -> FloatArray:
        """The signal: outlets that had told each story by then."""
        made = lambda: signals.story_size(self.index.story_sources(self.rows, at_us))  # noqa: E731
        return self.kept("story_size", self.span_us(at_us), made)

    def heat(self, popularity: Popularity, at_us: int) -> tuple[NDArray[np.float64], float]:
        """Decayed reads of each article, and the factor that brings them to the instant."""
        if at_us < popularity.last_us:
            return popularity.reads(self.id, at_us), 1.0
        made = self.kept("heat", (popularity,), lambda: popularity.reads(self.id, popularity.last_us))
        return made, float(0.5 ** ((at_us - popularity.last_us) / (READ_HALF_LIFE_H * HOUR_US)))

    def decay(self, half_life_h: tuple[float, float, float], at_us: int) -> tuple[NDArray[np.float64], FloatArray]:
        """2 ** -(age / half-life) in two factors: of each article at some hour past, and of each lifetime since."""
        from_us = at_us - at_us % HOUR_US if min(half_life_h) > 0.1 else at_us

        def made() -> NDArray[np.float64]:
            age = (self.published_at_us - from_us) / (np.array(half_life_h)[self.lifetime] * HOUR_US)
            return np.asarray(np.exp2(np.minimum(age, 500.0)), np.float64)

        since = np.array([2.0 ** ((from_us - at_us) / (hours * HOUR_US)) for hours in half_life_h])
        return self.kept(("decay", half_life_h), (from_us,), made), since

    def kept(self, name: object, of: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made the last time, if it was made of the same (identical or equal) things."""
        held = self._memo.get(name)
        if held is not None and len(held) == len(of) + 1 and all(map(_same, held[1:], of)):
            return held[0]  # type: ignore[return-value]
        value = make()
        if len(self._memo) > MEMOS:
            self._memo.clear()
        self._memo[name] = (value, *of)
        return value


def _same(one: object, other: object) -> bool:
    return one is other or (isinstance(one, int | tuple) and one == other)


@dataclass(frozen=True)
class Codes:
    """Numbers as places in a table of the distinct ones."""

    values: IntArray  # ascending
    code: NDArray[np.int32]  # (n,)

    @classmethod
    def of(cls, numbers: IntArray) -> "Codes":
        values, code = np.unique(numbers, return_inverse=True)
        return cls(values, code.astype(np.int32))

    def find(self, numbers: IntArray | Sequence[int]) -> NDArray[np.intp]:
        """The places of the numbers that are in the table."""
        wanted = np.asarray(numbers, np.int64)
        if not len(self.values) or not len(wanted):
            return np.zeros(0, np.intp)
        place = np.minimum(np.searchsorted(self.values, wanted), len(self.values) - 1)
        return np.asarray(place[self.values[place] == wanted])


@dataclass(frozen=True)
class Taste:
    """What of a reader the signals need, by small numbers."""

    share: float  # of a similarity that texts make, the rest being topics
    drawn: FloatArray  # by category
    usual: FloatArray  # by category
    source: FloatArray  # by code: trust times affinity
    follows: Marks  # by place; empty: follows nothing


def signal_rows(
    window: Window, places: Places, taste: Taste, popularity: Popularity, at_us: int, scale: float
) -> FloatArray:
    """S (places x 8) of one reader, of the similarity only what topics make: `add_texts` adds the rest."""
    half_lives = tuple((HALF_LIFE_H * scale).tolist())
    fresh, fresh_factor = window.decay(half_lives, at_us)
    hours, hours_factor = window.decay((READ_HALF_LIFE_H,) * 3, at_us)
    heat, heat_factor = window.heat(popularity, at_us)
    S: FloatArray = _signals(
        places, taste.share, taste.drawn, taste.usual, taste.source, taste.follows, window.category,
        window.sources.code, window.lifetime, fresh, fresh_factor, hours, float(hours_factor[0]), heat, heat_factor,
        window.news_value, window.story_size(at_us), READ_HALF_LIFE_H / np.log(2.0), PRIOR_H,
    )  # fmt: skip
    return S


@nb.njit
def _bounded(value):
    return np.float32(min(max(value, 0.0), 1.0))


@compiled(
    nb.float32[:, ::1](
        I64, nb.float64, F32, F32, F32, U8, I32, I32, nb.types.Array(nb.int8, 1, "C", readonly=True), F64, F64,
        F64, nb.float64, F64, nb.float64, F32, F32, nb.float64, nb.float64,
    ),
)  # fmt: skip
def _signals(
    places, share, drawn, usual_share, source_value, follows, category, source, lifetime, fresh, fresh_factor,
    hours_left, hours_factor, heat, heat_factor, news_value, story_size, hours_unit, prior_h,
):  # fmt: skip
    S = np.zeros((len(places), 8), np.float32)
    reads = hours = 0.0
    for one in range(len(places)):
        place = places[one]
        reads += heat[place] * heat_factor
        hours += (1.0 - min(hours_left[place] * hours_factor, 1.0)) * hours_unit
    usual = reads / max(hours, 1e-9)
    for one in range(len(places)):
        place = places[one]
        topic = 1.0 if len(follows) and follows[place] else np.float64(drawn[category[place]])
        S[one, 0] = _bounded((1.0 - share) * topic)
        S[one, 2] = _bounded(fresh[place] * fresh_factor[lifetime[place]])
        S[one, 3] = news_value[place]
        if usual > 0:
            out_h = (1.0 - min(hours_left[place] * hours_factor, 1.0)) * hours_unit
            rate = (heat[place] * heat_factor + usual * prior_h) / (out_h + prior_h)
            S[one, 4] = _bounded(rate / (rate + usual))
        else:
            S[one, 4] = 0.5
        S[one, 5] = story_size[place]
        S[one, 6] = source_value[source[place]]
        S[one, 7] = _bounded(1.0 - np.float64(usual_share[category[place]]))
    return S


def add_texts(S: FloatArray, rows: NDArray[np.intp], cosine: FloatArray, share: float) -> None:
    """Add to the similarity of these rows of S what texts make, in place: `signals.similarity` of both."""
    _add_texts(S, np.asarray(rows, np.int64), cosine, share, signals.HALF_CLOSE)


@compiled(nb.void(nb.float32[:, ::1], I64, F32, nb.float64, nb.float64))
def _add_texts(S, rows, cosine, share, half_close):
    for one in range(len(rows)):
        bounded = np.float64(min(max(cosine[one], np.float32(0)), np.float32(1)))
        close = share * (1 + half_close) * bounded / (bounded + half_close)
        S[rows[one], 0] = _bounded(close + np.float64(S[rows[one], 0]))


class Windows:
    """The windows of the newest index, kept between requests and handed on from snapshot to snapshot.

    Safe to use from several threads. Cost of the first window of an index: one pass over its articles, and the
    packing of those that are new; of others nothing.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._packer = Packer()
        self._index: ArticleIndex | None = None
        self._held: dict[object, Window] = {}
        self._newest: tuple[int, int, Rows] = (0, 0, np.zeros(0, np.intp))

    @property
    def packed_count(self) -> int:
        """How many articles are packed."""
        return len(self._packer)

    @property
    def nbytes(self) -> int:
        """Bytes of the packed articles."""
        return self._packer.nbytes

    def of(self, index: ArticleIndex, from_us: int, at_us: int, named: Rows) -> Window:
        """A window that holds every article published in [from, at] and the `named`, and maybe some beside.

        With fewer than FEW of them it holds the newest NEWEST up to `at`, whatever their age.
        """
        with self._lock:
            if index is not self._index:
                self._index, self._held, self._newest = index, {}, (0, 0, np.zeros(0, np.intp))
            day = from_us // DAY_US
            until_us = (day + 1) * DAY_US + at_us - from_us
            base = self._window(index, (day, until_us), lambda: index.window(day * DAY_US, until_us), NO_ROWS)
            if base.count(from_us, at_us) >= FEW:
                if not len(named):
                    return base
                return self._window(
                    index, (day, until_us, named.tobytes()), lambda: np.union1d(base.rows, named), named
                )
            newest = self._newest_of(index, at_us)
            rows = np.union1d(newest, named)
            return self._window(index, rows.tobytes(), lambda: rows, rows)

    def _window(self, index: ArticleIndex, key: object, rows: Callable[[], Rows], named: Rows) -> Window:
        if key not in self._held:
            if len(self._held) >= KEPT:
                del self._held[next(iter(self._held))]
            self._held[key] = Window.of(index, np.asarray(rows(), np.intp), self._packer, named)
        return self._held[key]

    def _newest_of(self, index: ArticleIndex, at_us: int) -> Rows:
        since_us, until_us, rows = self._newest
        if not since_us <= at_us < until_us:
            older, times_us = index.window(0, at_us), index.columns.published_at_us
            later_us = times_us[times_us > at_us]
            newest = np.argsort(-times_us[older], kind="stable")[:NEWEST]
            rows = np.sort(older[newest])
            self._newest = int(times_us[older].max(initial=0)), int(later_us.min(initial=ALWAYS)), rows
        return rows
