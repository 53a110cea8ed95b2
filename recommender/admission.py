"""Which articles of a window are one reader's candidates: `rules.Judge` without the reasons, much cheaper."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"

from collections.abc import Sequence
from dataclasses import dataclass, field

import numba as nb
import numpy as np

from data.values import Histories, IntArray
from data.wire import EVENT_KINDS
from recommender.columns import base
from recommender.compiled import compiled
from recommender.index import Rows
from recommender.packed import I32, I64, U8
from recommender.profile import AWAY_KINDS, READ_KINDS, kinds
from recommender.rules import Choices, DeskRule, less_like
from recommender.window import NEVER, Marks, Mask, Places, Window

OUT, READ, FOLLOWED = 1, 2, 4  # what a reader has to do with a story
IS_READ = np.isin(np.arange(len(EVENT_KINDS)), kinds(*READ_KINDS))  # by kind of event
IS_AWAY = np.isin(np.arange(len(EVENT_KINDS)), kinds(*AWAY_KINDS))


@dataclass
class Admission:
    """Marks on a window's places, sources, languages and stories; what is left are the candidates.

    Its methods take what those of `Judge` take, and leave out what those give a reason. Marks go on the few things a
    reader named or read; the window itself is passed over once, in `places`.
    """

    window: Window
    at_us: int
    from_us: int  # older articles are out, but for those the window names
    out: Marks = field(init=False)
    source: Marks = field(init=False)
    story: Marks = field(init=False)
    read_until_us: int = NEVER  # a followed story that was read comes back with what is newer

    def __post_init__(self) -> None:
        self.out = self.window.retracted.astype(np.uint8)
        self.source = np.zeros(len(self.window.sources.values), np.uint8)
        self.story = np.zeros(len(self.window.stories.values), np.uint8)

    def places(self) -> Places:
        """The candidates, ascending."""
        window = self.window
        found: Places = _places(
            window.published_at_us, window.named, self.out, window.sources.code, self.source, window.stories.code,
            self.story, self.from_us, self.at_us, self.read_until_us,
        )  # fmt: skip
        return found

    def publication(self, desk: Sequence[DeskRule]) -> "Admission":
        """Blocked or embargoed."""
        closing = tuple(rule for rule in desk if rule.row.kind in ("block", "embargo"))
        if closing:
            self.out |= self.window.kept("closed", (closing,), lambda: self._matched(closing))
        places, until_us = self.window.embargoed
        self.out[places[until_us > self.at_us]] = 1
        return self

    def choices(self, choices: Choices) -> "Admission":
        """Muted sources, topics and stories."""
        self.source[self.window.sources.find(choices.muted_sources)] = 1
        self.story[self.window.stories.find(choices.muted_stories)] |= OUT
        for topic in choices.muted_topics:
            self.out |= self.window.topic(topic)
        return self

    def history(self, history: Histories, rows: Rows, choices: Choices) -> "Admission":
        """What was read, hidden or turned away; `rows` of the articles of the history, -1 for unknown ones."""
        past = (history.at_us <= self.at_us) & (rows >= 0)
        read, away = past & IS_READ[history.kind], past & IS_AWAY[history.kind]
        self._leave_out(rows[read], READ)
        self._leave_out(rows[away], OUT)
        if choices.followed_stories and read.any():
            self.read_until_us = int(history.at_us[read].max())
            self.story[self.window.stories.find(choices.followed_stories)] |= FOLLOWED
        for row, bar in less_like(history, rows, self.at_us):
            packed, slots, (one,) = self.window.packed(np.array([row]))
            self.out |= packed.among(np.array([one]), slots)[0] >= bar
        return self

    def seen(self, impressions: Histories, cap: int) -> "Admission":
        """What was shown `cap` times."""
        ids = np.sort(impressions.article_id[impressions.at_us <= self.at_us])
        last, first = ids[max(cap, 1) - 1 :], ids[: max(len(ids) - max(cap, 1) + 1, 0)]
        return self._exclude(last[last == first])

    def request(
        self, *, exclude: Sequence[int] = (), category: str | None = None, language: str | None = None
    ) -> "Admission":
        """What the request itself leaves out."""
        self._exclude(np.asarray(exclude, np.int64))
        if category is not None:
            self.out |= ~self.window.topic(category)
        if language:
            self.out |= ~self.window.speaks((base(language),))
        return self

    def _exclude(self, ids: IntArray) -> "Admission":
        if len(ids):
            self.out[self.window.places_of(self.window.index.rows_of(ids))] = 1
        return self

    def _leave_out(self, rows: Rows, mark: int) -> None:
        """These very articles, and their stories under the mark."""
        if not len(rows):
            return
        self.out[self.window.places_of(rows)] = 1
        stories = self.window.index.columns.story_id[rows]
        self.story[self.window.stories.find(stories[stories != 0])] |= mark

    def _matched(self, desk: Sequence[DeskRule]) -> Mask:
        found = np.zeros(len(self.window), np.bool_)
        for rule in desk:
            found |= rule.matches(self.window.index, self.window.rows)
        return found


@compiled(
    nb.int64[::1](I64, U8, U8, I32, U8, I32, U8, nb.int64, nb.int64, nb.int64)
)  # fmt: skip
def _places(published, named, out, source, source_out, story, story_mark, from_us, at_us, read_until_us):
    found = np.empty(len(out), np.int64)
    count = 0
    for one in range(len(out)):
        mark = story_mark[story[one]]
        if mark == READ | FOLLOWED:
            mark = OUT if published[one] <= read_until_us else 0
        elif mark & (OUT | READ):
            mark = OUT
        else:
            mark = 0
        old = published[one] < from_us and not named[one]
        found[count] = one
        count += not (out[one] | source_out[source[one]] | mark | old | (published[one] > at_us))
    return found[:count].copy()
