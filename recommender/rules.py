"""Who may be a candidate, and what the desk does to the candidates.

Precedence: block -> embargo -> (what the reader knows or does not want) -> pin -> must show -> boost and bury -> score
-> diversity. A pin or must-show puts an article into the list from outside the window; it does not bring back what
the reader has read, muted or hidden.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from data.clock import instant
from data.values import Histories, IntArray, RuleRow
from recommender.columns import base
from recommender.index import ArticleIndex, Rows
from recommender.profile import AWAY_KINDS, READ_KINDS, kinds
from recommender.ranking import Placement
from recommender.signals import HOUR_US
from recommender.topics import NO_ROWS

AWAY_FADES_H = 28 * 24.0  # after this, "less like this" only keeps its own story away
LESS_LIKE = kinds("less_like_this")[0]
AWAY_CLOSE = 0.2  # cosine from which an article is like one just turned away


class Reason(IntEnum):
    """Why an article is no candidate; the smallest that applies is told. 0: it is one."""

    ALLOWED = 0
    RETRACTED = 1
    BLOCKED = 2
    EMBARGOED = 3
    NOT_YET = 4
    MUTED_SOURCE = 5
    MUTED_TOPIC = 6
    MUTED_STORY = 7
    HIDDEN = 8
    READ = 9
    READ_STORY = 10
    UNWANTED = 11
    SEEN = 12
    EXCLUDED = 13
    CATEGORY = 14
    LANGUAGE = 15
    OUTSIDE = 16


SENTENCES = {
    Reason.RETRACTED: "The publisher took it back.",
    Reason.BLOCKED: "The desk blocked it here.",
    Reason.EMBARGOED: "It is under embargo.",
    Reason.NOT_YET: "It is not published yet.",
    Reason.MUTED_SOURCE: "The reader muted its source.",
    Reason.MUTED_TOPIC: "The reader muted its topic.",
    Reason.MUTED_STORY: "The reader muted its story.",
    Reason.HIDDEN: "The reader hid it or another article of its story.",
    Reason.READ: "The reader opened it already.",
    Reason.READ_STORY: "The reader opened another article of the same story.",
    Reason.UNWANTED: "It is like an article of which the reader wanted less.",
    Reason.SEEN: "It was shown often and never opened.",
    Reason.EXCLUDED: "The request left it out.",
    Reason.CATEGORY: "It is of another category than asked for.",
    Reason.LANGUAGE: "It is in another language than the reader's.",
    Reason.OUTSIDE: "It is too old for this list.",
}


@dataclass(frozen=True)
class DeskRule:
    """A rule whose target was looked up: `value` is our number of the article, story or source, or a topic."""

    row: RuleRow
    value: int | str

    def matches(self, index: ArticleIndex, rows: Rows) -> NDArray[np.bool_]:
        """Which of the rows the rule is about."""
        columns = index.columns
        if self.row.target == "topic":
            return index.of_topic(str(self.value), rows)
        of = {"article": columns.id, "story": columns.story_id, "source": columns.source_id}[self.row.target]
        return np.equal(of[rows], int(self.value))


@dataclass(frozen=True)
class Choices:
    """What a reader chose, looked up: numbers of sources and stories, topics as written."""

    followed_topics: tuple[str, ...] = ()
    muted_topics: tuple[str, ...] = ()
    muted_sources: tuple[int, ...] = ()
    followed_stories: tuple[int, ...] = ()
    muted_stories: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()  # base languages, none: any


@dataclass(frozen=True)
class Judged:
    """A reason for every row asked about, and the number of the rule where one decided (0: none)."""

    reason: NDArray[np.int8]
    rule_id: IntArray

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """Which rows are candidates."""
        return np.equal(self.reason, Reason.ALLOWED)


def resolve(
    rows: Iterable[RuleRow], surface: str, article_ids: Mapping[str, int], source_ids: Mapping[str, int]
) -> tuple[DeskRule, ...]:
    """The rules of this surface (and of all) whose target is known; the others have nothing to act on."""
    found = []
    for row in rows:
        value = _value(row, article_ids, source_ids)
        if row.surface in ("all", surface) and value is not None:
            found.append(DeskRule(row, value))
    return tuple(found)


def in_effect(rules: Sequence[DeskRule], at_us: int) -> tuple[DeskRule, ...]:
    """Those whose time has come and not passed."""
    if not rules:
        return ()
    at = instant(at_us)
    return tuple(r for r in rules if r.row.starts_at <= at and (r.row.ends_at is None or at < r.row.ends_at))


@dataclass
class Judge:
    """Collects reasons for rows of an index, the most important one for each."""

    index: ArticleIndex
    rows: Rows
    at_us: int
    reason: NDArray[np.int8] = field(init=False)
    rule_id: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.reason = np.zeros(len(self.rows), np.int8)
        self.rule_id = np.zeros(len(self.rows), np.int64)

    def judged(self) -> Judged:
        """What was collected."""
        return Judged(self.reason, self.rule_id)

    def mark(self, mask: NDArray[np.bool_], reason: Reason, rule_id: int = 0) -> None:
        """Give the reason to marked rows that have none or a less important one."""
        new = mask & ((self.reason == Reason.ALLOWED) | (self.reason > reason))
        self.reason[new] = reason
        self.rule_id[new] = rule_id

    def publication(self, rules: Sequence[DeskRule]) -> "Judge":
        """Retracted, blocked, embargoed (by the article or a rule) or not published yet: for everybody."""
        columns, rows = self.index.columns, self.rows
        self.mark(columns.retracted[rows] | ~self.index.alive[rows], Reason.RETRACTED)
        for rule in rules:
            if rule.row.kind in ("block", "embargo"):
                reason = Reason.BLOCKED if rule.row.kind == "block" else Reason.EMBARGOED
                self.mark(rule.matches(self.index, rows), reason, rule.row.id)
        self.mark(columns.embargo_until_us[rows] > self.at_us, Reason.EMBARGOED)
        self.mark(columns.published_at_us[rows] > self.at_us, Reason.NOT_YET)
        return self

    def choices(self, choices: Choices) -> "Judge":
        """Muted sources, topics and stories."""
        columns, rows = self.index.columns, self.rows
        self.mark(np.isin(columns.source_id[rows], choices.muted_sources), Reason.MUTED_SOURCE)
        for topic in choices.muted_topics:
            self.mark(self.index.of_topic(topic, rows), Reason.MUTED_TOPIC)
        self.mark(np.isin(columns.story_id[rows], choices.muted_stories), Reason.MUTED_STORY)
        return self

    def history(self, history: Histories, choices: Choices, *, stories: bool = True) -> "Judge":
        """What one reader read, hid or wanted less of; a read story is read in every outlet.

        A followed story is offered again where an article is newer than the read. Without `stories` only the very
        articles that were read are left out: beside an article, its other angles are what is wanted.
        """
        columns, rows, past = self.index.columns, self.rows, history.at_us <= self.at_us
        read = past & np.isin(history.kind, kinds(*READ_KINDS))
        self.mark(np.isin(columns.id[rows], history.article_id[read]), Reason.READ)
        of_story = np.isin(columns.story_id[rows], self._stories(history.article_id[read])) & stories
        if choices.followed_stories and read.any():
            newer = columns.published_at_us[rows] > history.at_us[read].max()
            of_story &= ~(newer & np.isin(columns.story_id[rows], choices.followed_stories))
        self.mark(of_story, Reason.READ_STORY)
        away = past & np.isin(history.kind, kinds(*AWAY_KINDS))
        self.mark(np.isin(columns.id[rows], history.article_id[away]), Reason.HIDDEN)
        self.mark(np.isin(columns.story_id[rows], self._stories(history.article_id[away])), Reason.HIDDEN)
        self._less_like(history)
        return self

    def seen(self, impressions: Histories, cap: int) -> "Judge":
        """What was shown to the reader `cap` times; opened articles have their own reason, and it comes first."""
        shown = impressions.article_id[impressions.at_us <= self.at_us]
        ids, counts = np.unique(shown, return_counts=True)
        self.mark(np.isin(self.index.columns.id[self.rows], ids[counts >= cap]), Reason.SEEN)
        return self

    def request(
        self,
        *,
        exclude: IntArray | Sequence[int] = (),
        category: str | None = None,
        languages: Sequence[str] = (),
        from_us: int | None = None,
    ) -> "Judge":
        """What the request itself leaves out."""
        columns, rows = self.index.columns, self.rows
        self.mark(np.isin(columns.id[rows], exclude), Reason.EXCLUDED)
        if category is not None:
            self.mark(~self.index.of_topic(category, rows), Reason.CATEGORY)
        if languages:
            spoken = [self.index.languages.find(base(one)) for one in (*languages, "und")]
            self.mark(~np.isin(columns.language[rows], spoken), Reason.LANGUAGE)
        if from_us is not None:
            self.mark(columns.published_at_us[rows] < from_us, Reason.OUTSIDE)
        return self

    def _less_like(self, history: Histories) -> None:
        for row, bar in less_like(history, self.index.rows_of(history.article_id), self.at_us):
            alike = self.index.similarity_to(self.index.vectors(np.array([row])), self.rows)
            self.mark(alike >= bar, Reason.UNWANTED)

    def _stories(self, article_ids: IntArray) -> IntArray:
        """The stories these articles tell."""
        rows = self.index.rows_of(article_ids)
        stories = self.index.columns.story_id[rows[rows >= 0]]
        return np.unique(stories[stories != 0])


def less_like(history: Histories, rows: Rows, at_us: int) -> list[tuple[int, float]]:
    """Rows of which the reader wanted less, and the cosine from which others stay away with them.

    Fading: at first whatever is at all alike, after four weeks only the same. `rows` of the articles of the history.
    """
    is_less = history.kind == LESS_LIKE
    if not is_less.any():
        return []
    faded = (at_us - history.at_us) / HOUR_US / AWAY_FADES_H
    wanted = is_less & (faded >= 0) & (faded < 1) & (rows >= 0)
    bars = AWAY_CLOSE + (1 - AWAY_CLOSE) * faded
    return list(zip(rows[wanted].tolist(), bars[wanted].tolist(), strict=True))


def outsiders(index: ArticleIndex, rules: Sequence[DeskRule]) -> Rows:
    """Rows of the articles and stories that pins and must-shows name, wherever in time they lie."""
    wanted = [r for r in rules if r.row.kind in ("pin", "must_show")]
    if not wanted:
        return NO_ROWS
    articles = np.array([r.value for r in wanted if r.row.target == "article"], np.int64)
    stories = np.unique(np.array([r.value for r in wanted if r.row.target == "story"], np.int64))
    rows = index.rows_of(articles)
    told = index.by_story.all(stories) if len(stories) else NO_ROWS
    told = told[index.alive[told] & np.isin(index.columns.story_id[told], stories)]
    return np.unique(np.concatenate([rows[rows >= 0], told])).astype(np.intp)


def placement(
    index: ArticleIndex, rows: Rows, rules: Sequence[DeskRule], S_total: np.ndarray, seen: IntArray | Sequence[int] = ()
) -> Placement:
    """What pins, must-shows, boosts and buries do to candidates on these rows.

    A pin on a story, source or topic holds its best candidate (by `S_total`, newest first among equals). Of two pins
    on one slot the newer keeps it. `seen`: ids already shown to the reader, for whom must-show has done its work.
    """
    adjust = np.zeros(len(rows), np.float32)
    pinned: dict[int, int] = {}
    must: set[int] = set()
    for rule in sorted(rules, key=lambda one: (one.row.starts_at, one.row.id), reverse=True):
        if rule.row.kind in ("block", "embargo"):
            continue
        found = np.flatnonzero(rule.matches(index, rows))
        if rule.row.kind in ("boost", "bury"):
            adjust[found] += rule.row.strength if rule.row.kind == "boost" else -rule.row.strength
        elif len(found):
            best = _best(found, S_total, index.columns.published_at_us[rows[found]])
            if rule.row.kind == "pin":
                pinned.setdefault(best, rule.row.slot or 1)
            elif index.columns.id[rows[best]] not in seen:
                must.add(best)
    return Placement(adjust, pinned, frozenset(must - set(pinned)))


def _best(found: NDArray[np.intp], total: np.ndarray, published_at_us: IntArray) -> int:
    """The candidate of the greatest score, the newest of equals, the first of those."""
    return int(found[np.lexsort((-published_at_us, -total[found]))[0]])


def _value(row: RuleRow, article_ids: Mapping[str, int], source_ids: Mapping[str, int]) -> int | str | None:
    if row.target == "article":
        return article_ids.get(row.target_key)
    if row.target == "source":
        return source_ids.get(row.target_key)
    if row.target == "story":
        return int(row.target_key) if row.target_key.isdecimal() else None
    return row.target_key
