"""Windowed: one reader's candidates in a window, of which only those that may be listed have their texts compared."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender import signals
from recommender.mmr import Alike
from recommender.packed import Slots, Summed
from recommender.profile import Profiles
from recommender.ranking import SCORE_STEP, Keys, Likeness
from recommender.rules import Choices
from recommender.snapshot import Snapshot, trust_in
from recommender.window import NO_ROWS, Marks, Places, Taste, Window, add_texts, signal_rows

NO_MARKS = np.zeros(0, np.uint8)
BOUNDED = 1_000  # candidates from which on it pays to bound scores before texts are compared


@dataclass(frozen=True)
class Windowed:
    """Candidates of one reader at some places of a window, as `rank` asks for them.

    Texts are compared for those alone that may be among the best; the other signals bound the score of the rest. Row
    for row the numbers are the same however many are compared.
    """

    snapshot: Snapshot
    window: Window
    places: Places
    profiles: Profiles
    choices: Choices
    at_us: int
    scale: float  # of freshness
    tier: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.places)

    @property
    def likeness(self) -> "_WindowTexts":
        return _WindowTexts(self.window, self.places)

    def keys(self, rows: NDArray[np.intp]) -> Keys:
        places, window = self.places[rows], self.window
        return Keys(
            window.id[places], window.published_at_us[places], window.source_id[places], window.story_id[places]
        )

    @property
    def S(self) -> FloatArray:  # noqa: N802
        """The signals (places x 8), every text compared."""
        self._compare(~self.compared)
        return self._S

    def signals_of(self, chosen: NDArray[np.intp]) -> FloatArray:
        """The signals of some (chosen x 8)."""
        if not self.compared[chosen].all():
            wanted = np.zeros(len(self), np.bool_)
            wanted[chosen] = True
            self._compare(wanted & ~self.compared)
        return self._S[chosen]

    def scores(self, weights: FloatArray, adjust: FloatArray, size: int) -> FloatArray:
        """The scores; of those that cannot be among the best `size` without what texts add."""
        first = np.arange(len(self)) if self.tier is None else np.flatnonzero(self.tier == 0)
        most = float(weights[0]) * self._taste.share  # that texts can add
        if most <= 0 or len(first) < max(BOUNDED, 4 * size):
            return np.asarray(self.S @ weights + adjust, np.float32)
        self._compare(self._best(first, self._S @ weights + adjust, 2 * size))
        total = self._S @ weights + adjust
        known = total[first[self.compared[first]]]
        bar = np.partition(known, len(known) - size)[len(known) - size] - 2 * SCORE_STEP
        hopeful = np.zeros(len(self), np.bool_)
        hopeful[first] = total[first] + most >= bar
        self._compare(hopeful & ~self.compared)
        return np.asarray(self._S @ weights + adjust, np.float32)

    def _best(self, first: NDArray[np.intp], total: FloatArray, count: int) -> NDArray[np.bool_]:
        """The `count` of the greatest sums so far, and any of equal sums; those not compared yet."""
        found = total[first]
        bar = np.partition(found, len(found) - count)[len(found) - count]
        marks = np.zeros(len(self), np.bool_)
        marks[first] = found >= bar
        return marks & ~self.compared

    def _compare(self, wanted: NDArray[np.bool_]) -> None:
        """Compare the texts of these, none of which was."""
        rows = np.flatnonzero(wanted)
        if not len(rows):
            return
        profile, slots = self._profile
        add_texts(self._S, rows, profile.cosines(slots[self.places[rows]]), self._taste.share)
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
    def _profile(self) -> tuple[Summed, Slots]:
        """What the reader read as one, and where the window's articles are."""
        packed, slots, reads = self.window.packed(self.profiles.rows)
        return packed.summed(reads, self.profiles.weights), slots

    @cached_property
    def _taste(self) -> Taste:
        return _taste(self.snapshot, self.window, self.profiles, self.choices)


@dataclass(frozen=True)
class _WindowTexts(Likeness):
    """Cosines between candidates at some places of a window."""

    window: Window
    places: Places

    def among(self, rows: NDArray[np.intp]) -> Callable[[int], FloatArray]:
        return self.window.index.cosines_among(self.window.rows[self.places[rows]])

    def alike(self, rows: NDArray[np.intp]) -> Alike:
        packed, slots, _ = self.window.packed(NO_ROWS)
        return Alike(packed=packed, slots=slots[self.places[rows]])


def _taste(snapshot: Snapshot, window: Window, profiles: Profiles, choices: Choices) -> Taste:
    evidence, shares = float(profiles.evidence[0]), profiles.categories[0]
    drawn = shares / max(float(shares.max(initial=0.0)), 1e-9)
    if (nothing := window.index.categories.find("")) >= 0:
        drawn[nothing] = 0.0
    trust, liking = trust_in(snapshot, window.sources.values), profiles.liking(window.sources.values)[0]
    return Taste(
        share=0.8 - 0.8 / (evidence + 1.0),
        drawn=drawn,
        usual=shares if evidence > 0 else np.ones(len(shares), np.float32),
        source=signals.source(trust, liking),
        follows=_follows(window, choices),
    )


def _follows(window: Window, choices: Choices) -> Marks:
    if not (choices.followed_stories or choices.followed_topics):
        return NO_MARKS
    table = np.zeros(len(window.stories.values), np.uint8)
    table[window.stories.find(choices.followed_stories)] = 1
    marks = table[window.stories.code]
    for topic in choices.followed_topics:
        marks |= window.topic(topic)
    return marks
