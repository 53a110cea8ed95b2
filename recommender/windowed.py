"""Windowed: one reader's candidates in a window, of which only those that may be listed have their texts compared."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numba as nb
import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray, Histories
from recommender import signals
from recommender.compiled import compiled
from recommender.considered import Told
from recommender.interest import CONSIDERED, Reference
from recommender.mmr import Alike
from recommender.packed import F32, F32_2, I64, Packed, Slots, Summed, array
from recommender.profile import Profiles, liked
from recommender.ranking import SCORE_STEP, Keys, Likeness, best
from recommender.rules import Choices
from recommender.signals import HALF_CLOSE, SIGNALS, weight_vector
from recommender.snapshot import Snapshot, empty_history, trust_in
from recommender.window import Marks, Places, Taste, Window, add_texts, signal_rows

_MARKS = array(nb.boolean)
NO_MARKS, NO_TIER = np.zeros(0, np.uint8), np.zeros(0, np.int8)
NO_IMPRESSIONS = empty_history()
INTEREST, SURFACE = SIGNALS.index("interest"), "for_you"
BOUNDED = 1_000  # candidates from which on it pays to bound scores before texts are compared


@dataclass(frozen=True)
class Windowed:
    """Candidates of one reader at some places of a window, as `rank` asks for them.

    Texts are compared for those alone that may be among the best; the other signals bound the score of the rest. Row
    for row the numbers are the same however many are compared. Where the weights name a click model, it is asked about
    the CONSIDERED best by the other signals; the interest of the rest is 0.
    """

    snapshot: Snapshot
    window: Window
    places: Places
    profiles: Profiles
    choices: Choices
    at_us: int
    scale: float  # of freshness
    tier: NDArray[np.int8] | None
    impressions: Histories = NO_IMPRESSIONS

    def __len__(self) -> int:
        return len(self.places)

    @property
    def likeness(self) -> "_WindowTexts":
        return _WindowTexts(self.window, self.places, *self._texts[:2])

    def keys(self, rows: NDArray[np.intp]) -> Keys:
        places, window = self.places[rows], self.window
        return Keys(
            window.id[places], window.published_at_us[places], window.source_id[places], window.story_id[places]
        )

    @property
    def S(self) -> FloatArray:  # noqa: N802
        """The signals (places x 8), every text compared."""
        self._compare(np.flatnonzero(~self.compared))
        return self._judged

    def signals_of(self, chosen: NDArray[np.intp]) -> FloatArray:
        """The signals of some (chosen x 8)."""
        self._compare_some(chosen)
        return self._judged[chosen]

    def scores(self, weights: FloatArray, adjust: FloatArray, size: int) -> FloatArray:
        """The scores; of those that cannot be among the best `size` without what texts add.

        Interest only ever adds, and only to the considered: so who is among the best is among them, or among the best
        without it.
        """
        S = self._judged
        total = self._by_others(_without_interest(weights), adjust, size)
        if self.snapshot.interest_of(SURFACE) is not None:
            _retold(total, S, weights, adjust, np.asarray(self.considered, np.int64), self.compared)
        return total

    @cached_property
    def considered(self) -> NDArray[np.intp]:
        """The candidates that a click model is asked about: the CONSIDERED best by the other signals."""
        weights = _without_interest(weight_vector(self.snapshot.weights_of(SURFACE)))
        return best(self, self._by_others(weights, np.zeros(len(self), np.float32), CONSIDERED), CONSIDERED)

    def interest_features(self, chosen: NDArray[np.intp]) -> FloatArray:
        """X (features x chosen), as a click model learns from them and is asked with them."""
        return self._reference.features(self._columns(chosen), self._told.context)

    @cached_property
    def _judged(self) -> FloatArray:
        """S once the click model, if the weights name one, was asked about the considered."""
        model = self.snapshot.interest_of(SURFACE)
        if model is not None and len(self.considered):
            self._S[self.considered, INTEREST] = model.signal(self.interest_features(self.considered))
        return self._S

    @cached_property
    def _reference(self) -> Reference:
        return Reference.of(self._columns(self.considered))

    @cached_property
    def _told(self) -> Told:
        return Told(self.window, self.snapshot.popularity, self.impressions, self.at_us, self._taste.share)

    def _columns(self, chosen: NDArray[np.intp]) -> FloatArray:
        self._compare_some(chosen)
        return self._told.columns(self.places[chosen], self._S[chosen])

    def _compare_some(self, chosen: NDArray[np.intp]) -> None:
        if not self.compared[chosen].all():
            wanted = np.zeros(len(self), np.bool_)
            wanted[chosen] = True
            self._compare(np.flatnonzero(wanted & ~self.compared))

    def _by_others(self, weights: FloatArray, adjust: FloatArray, size: int) -> FloatArray:
        """The scores without interest; of those that cannot be among the best `size` without what texts add."""
        most = float(weights[0]) * self._taste.share  # that texts can add
        based: FloatArray
        first, based = _based(self._S, weights, adjust, NO_TIER if self.tier is None else self.tier)
        if most <= 0 or len(first) < max(BOUNDED, 4 * size):
            self._compare(np.flatnonzero(~self.compared))
            return np.asarray(self._S @ weights + adjust, np.float32)
        self._compare(_untold(based, first, self.compared, _bar(based[first], 2 * size)))
        told = _retold(based, self._S, weights, adjust, first, self.compared)
        bar = _bar(told, size) - 2 * SCORE_STEP
        left = _untold(based, first, self.compared, bar - most)
        self._compare(left, least=_inverse((bar - based[left]) / most))
        _retold(based, self._S, weights, adjust, first, self.compared)
        return based

    def leaders(self) -> NDArray[np.intp] | None:
        """After `scores`: candidates of the first tier among which the best are; None: they may be anywhere."""
        found = np.flatnonzero(self.compared)
        return None if len(found) == len(self) else found

    def _compare(self, rows: NDArray[np.intp], least: FloatArray | None = None) -> None:
        """Compare the texts of these, none of which was, as far as their cosine may be `least`."""
        if not len(rows):
            return
        slots, profile = self._texts[1][self.places[rows]], self._profile
        cosine = profile.cosines(slots) if least is None else profile.reaching(slots, least)
        if least is not None:
            told = ~np.isnan(cosine)
            rows, cosine = rows[told], cosine[told]
        add_texts(self._S, rows, cosine, self._taste.share)
        self.compared[rows] = True

    @cached_property
    def _S(self) -> FloatArray:  # noqa: N802
        """(places x 8); where texts were not compared, the similarity is that of topics alone."""
        return signal_rows(self.window, self.places, self._taste, self.snapshot.popularity, self.at_us, self.scale)

    @cached_property
    def compared(self) -> NDArray[np.bool_]:
        """Whose texts were compared with the profile so far (places,)."""
        return np.zeros(len(self), np.bool_)

    @cached_property
    def _texts(self) -> tuple[Packed, Slots, Slots]:
        """The texts, where those of the window are, and those the reader read."""
        return self.window.packed(self.profiles.rows)

    @cached_property
    def _profile(self) -> Summed:
        """What the reader read as one."""
        packed, _, reads = self._texts
        return packed.summed(reads, self.profiles.weights)

    @cached_property
    def _taste(self) -> Taste:
        return _taste(self.snapshot, self.window, self.profiles, self.choices)


def _without_interest(weights: FloatArray) -> FloatArray:
    others = weights.copy()
    others[INTEREST] = 0.0
    return others


def _bar(values: FloatArray, count: int) -> float:
    """The least of the `count` greatest."""
    return float(np.partition(values, len(values) - count)[len(values) - count])


def _inverse(closeness: FloatArray) -> FloatArray:
    """The cosines of these closenesses, a little less; below 0 where any will do."""
    bounded = np.minimum(closeness, 1.0).astype(np.float64)
    return np.asarray(bounded * HALF_CLOSE / (1 + HALF_CLOSE - bounded) - 1e-6, np.float32)


@compiled(nb.types.Tuple((nb.int64[::1], nb.float32[::1]))(F32_2, F32, F32, array(nb.int8)))
def _based(S, weights, adjust, tier):
    """The candidates of the first tier, and the scores of all (n,) as far as they are known."""
    total, first, count = np.empty(len(S), np.float32), np.empty(len(S), np.int64), 0
    for one in range(len(S)):
        score = np.float32(0)
        for signal in range(8):
            score += S[one, signal] * weights[signal]
        total[one] = score + adjust[one]
        first[count] = one
        count += len(tier) == 0 or tier[one] == 0
    return first[:count].copy(), total


@compiled(nb.int64[::1](F32, I64, _MARKS, nb.float64))
def _untold(total, first, compared, bar):
    """Those of `first` that reach the bar and were not compared."""
    found, count = np.empty(len(first), np.int64), 0
    for place in range(len(first)):
        one = first[place]
        found[count] = one
        count += total[one] >= bar and not compared[one]
    return found[:count].copy()


@compiled(nb.float32[::1](nb.float32[::1], F32_2, F32, F32, I64, _MARKS))
def _retold(total, S, weights, adjust, first, compared):
    """Sum up again those of `first` that were compared; their scores."""
    told, count = np.empty(len(first), np.float32), 0
    for place in range(len(first)):
        one = first[place]
        if compared[one]:
            score = np.float32(0)
            for signal in range(len(weights)):
                score += S[one, signal] * weights[signal]
            told[count] = total[one] = score + adjust[one]
            count += 1
    return told[:count].copy()


@dataclass(frozen=True)
class _WindowTexts(Likeness):
    """Cosines between candidates at some places of a window."""

    window: Window
    places: Places
    packed: Packed
    slots: Slots  # of the window

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self.window.index.cosines_among(self.window.rows[self.places[rows]])

    def alike(self, rows: NDArray[np.intp]) -> Alike:
        return Alike(packed=self.packed, slots=self.slots[self.places[rows]])


def _taste(snapshot: Snapshot, window: Window, profiles: Profiles, choices: Choices) -> Taste:
    mine = liked(profiles, window.sources.values)
    evidence, shares = mine.evidence, mine.shares
    drawn = shares / max(float(shares.max(initial=0.0)), 1e-9)
    if (nothing := window.index.categories.find("")) >= 0:
        drawn[nothing] = 0.0
    trust = window.kept("trust", (snapshot.trusts[1],), lambda: trust_in(snapshot, window.sources.values))
    return Taste(
        share=0.8 - 0.8 / (evidence + 1.0),
        drawn=drawn,
        usual=shares if evidence > 0 else np.ones(len(shares), np.float32),
        source=signals.source(trust, mine.liking),
        follows=_follows(window, choices),
    )


def _follows(window: Window, choices: Choices) -> Marks:
    if not (choices.followed_stories or choices.followed_topics):
        return NO_MARKS
    if len(choices.followed_topics) == 1 and not choices.followed_stories:
        return window.topic(choices.followed_topics[0]).view(np.uint8)
    table = np.zeros(len(window.stories.values), np.uint8)
    table[window.stories.find(choices.followed_stories)] = 1
    marks = table[window.stories.code]
    for topic in choices.followed_topics:
        marks |= window.topic(topic)
    return marks
