"""Why an article is on a list, or is not: a sentence, the numbers that add up, and what stood in the way."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.values import FloatArray
from recommender.for_you import Ranked
from recommender.index import ArticleIndex, Rows
from recommender.packed import close_ones
from recommender.signals import HOUR_US, SIGNALS
from recommender.snapshot import ReaderView, Snapshot
from recommender.window import NEVER, NO_ROWS, Window

CLOSE = 0.2  # cosine from which a read explains a recommendation
SHARED_TERMS = 6
NEWS_VALUE, POPULARITY, STORY_SIZE = (SIGNALS.index(one) for one in ("news_value", "popularity", "story_size"))

HELD = {
    "pin": "Placed here by the desk.",
    "must_show": "The desk wants every reader to see it.",
    "explore": "New, and shown to a few readers first.",
}
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class SignalPart:
    """One line of the sum: value x weight = adds."""

    signal: str
    value: float
    weight: float
    adds: float


@dataclass(frozen=True)
class NearRead:
    """A read that speaks for the article; `terms` are stems both texts share, the heaviest first."""

    article_id: str
    title: str
    read_at: datetime
    similarity: float
    terms: tuple[str, ...]


@dataclass(frozen=True)
class RuleSeen:
    """A rule of the desk that was looked at, and whether it is about this article."""

    id: int
    kind: str
    target: str
    target_key: str
    reason: str
    applies: bool


@dataclass(frozen=True)
class Explanation:
    """`place` is None where the article is not on the list; `absent` then says why not.

    `score` is the sum of the parts' `adds` and of `adjust` (boosts and buries). `needs` is what the score lacks to
    reach the first `top` places, None where it is among them or cannot be.
    """

    reader: str
    article: str
    title: str
    surface: str
    at: datetime
    weights_version: int
    sentence: str
    place: int | None
    absent: str | None
    verdict: str  # listed, or the reason in one word
    top: int
    needs: float | None
    score: float | None
    adjust: float = 0.0
    parts: tuple[SignalPart, ...] = ()
    nearest: tuple[NearRead, ...] = ()
    rules: tuple[RuleSeen, ...] = field(default=())


class Near(NamedTuple):
    """How close one candidate is to the reader's reads, nearest first."""

    rows: np.ndarray  # of the index
    cosine: FloatArray


def parts_of(values: FloatArray, weights: Mapping[str, float]) -> tuple[SignalPart, ...]:
    """The lines of one candidate's sum; `values` (8,) in the order of SIGNALS."""
    pairs = [(name, float(value), float(weights.get(name, 0.0))) for name, value in zip(SIGNALS, values, strict=True)]
    return tuple(SignalPart(name, value, weight, value * weight) for name, value, weight in pairs)


def nearest_reads(index: ArticleIndex, ranked: Ranked, rows: Sequence[int] | Rows) -> list[Near]:
    """For each row, the reader's reads by likeness (only those that say something)."""
    read, wanted = ranked.profiles.rows, np.asarray(rows, np.intp)
    if not len(read) or not len(wanted):
        return [Near(NO_ROWS, np.zeros(0, np.float32)) for _ in wanted]
    both = np.concatenate([wanted, read])
    if ranked.window is not None:
        packed, _, slots = ranked.window.packed(both)
    else:
        packed, slots = index.packed(both), np.arange(len(both))
    cosine = packed.among(slots[: len(wanted)], slots[len(wanted) :])
    place, close, ends = close_ones(cosine, CLOSE)
    found = read[place]
    return [Near(found[start:end], close[start:end]) for start, end in itertools.pairwise(ends.tolist())]


def shared_terms(index: ArticleIndex, one: int, other: int) -> tuple[str, ...]:
    """The stems that add most to the likeness of two rows."""
    words = index.vectors(np.array([one, other])).words
    product = words[0].multiply(words[1]).tocsr()
    heaviest = np.argsort(-product.data, kind="stable")[:SHARED_TERMS]
    return tuple(index.epoch.terms(product.indices[heaviest].tolist()))


class Facts(NamedTuple):
    """What a sentence may be made of, for one candidate."""

    near: Near
    age_h: float
    sources: int
    values: Sequence[float]  # (8,) in the order of SIGNALS
    weights: Mapping[str, float]
    topic: str | None = None  # one the reader follows
    held: str = ""  # pin, must_show, explore
    last_read_h: float | None = None  # since the nearest read, where it is the only one
    was_missed: bool = False  # it came out while the reader was away


def sentence(facts: Facts) -> str:
    """One sentence, the strongest reasons first: what the reader did, then what the newsroom knows."""
    if facts.held:
        return HELD[facts.held]
    reasons = [*_about_reader(facts), *_about_story(facts)]
    when = _age(facts.age_h)
    said = f"{', '.join(reasons[:2])}, and {when}." if reasons else f"{when}."
    return f"While you were away: {said}" if facts.was_missed else _capital(said)


def related_sentence(cosine: float, age_h: float, fallback: str | None, same_story: bool) -> str:
    """The sentence under a related article; one that is not related says so."""
    if fallback == "category":
        return f"Not about the same subject; from the same section, {_age(age_h)}."
    if fallback:
        return f"Not about the same subject; among the newest, {_age(age_h)}."
    if same_story:
        return f"Another angle on the same story, {_age(age_h)}."
    return f"{'Closely about' if cosine >= 0.35 else 'About'} the same subject, {_age(age_h)}."


def _about_reader(facts: Facts) -> list[str]:
    found = []
    if count := len(facts.near.rows):
        when = _when(facts.last_read_h) if count == 1 else ""
        things = f"{NUMBERS[count] if count < len(NUMBERS) else 'many'} thing{'s' if count > 1 else ''} you read"
        found.append(f"close to {things}{when}")
    if facts.topic:
        found.append(f"about {facts.topic}, which you follow")
    return found


def _about_story(facts: Facts) -> list[str]:
    """What the newsroom and other readers know, by how much it adds."""
    values, weights, said = facts.values, facts.weights, []
    if values[NEWS_VALUE] >= 0.75:
        said.append((values[NEWS_VALUE] * weights.get("news_value", 0.0), "of high news value"))
    if values[POPULARITY] >= 0.65:
        said.append((values[POPULARITY] * weights.get("popularity", 0.0), "read by many"))
    if facts.sources > 1:
        adds = values[STORY_SIZE] * weights.get("story_size", 0.0)
        said.append((adds, f"reported by {_count(facts.sources)} outlets"))
    return [reason for adds, reason in sorted(said, key=_adds, reverse=True) if adds > 0]


def _adds(said: tuple[float, str]) -> float:
    return said[0]


def _count(number: int) -> str:
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def _when(hours: float | None) -> str:
    if hours is None or hours >= 24 * 7:
        return ""
    return " today" if hours < 12 else " yesterday" if hours < 36 else " this week"


def _age(hours: float) -> str:
    if hours < 1:
        return "just published"
    if hours < 48:
        return f"{_count(round(hours))} hour{'s' if round(hours) > 1 else ''} old"
    if hours < 24 * 60:
        return f"{_count(round(hours / 24))} days old"
    return "from the archive"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def facts_of(
    snapshot: Snapshot, reader: ReaderView, ranked: Ranked, place: int, near: Near, *, at_us: int, surface: str
) -> Facts:
    """The facts of the candidate at a place (from 0) of `ranked.order`."""
    return facts_of_some(snapshot, reader, ranked, ranked.order[place : place + 1], [near], at_us, surface)[0]


def facts_of_some(
    snapshot: Snapshot,
    reader: ReaderView,
    ranked: Ranked,
    chosen: NDArray[np.intp],
    near: Sequence[Near],
    at_us: int,
    surface: str,
) -> list[Facts]:
    """The facts of some candidates, with the reads near each."""
    index, rows = snapshot.index, ranked.rows[chosen]
    weights = snapshot.weights_of(surface)
    published_us = index.columns.published_at_us[rows]
    age_h = (np.maximum(at_us - published_us, 0) / HOUR_US).tolist()
    S = ranked.signals_of(chosen)
    sizes = S[:, STORY_SIZE].tolist()
    topics = _followed_topics(index, ranked, rows, reader)
    since = _since_read(index, reader, near, at_us)
    return [
        Facts(
            near=near[i],
            age_h=age_h[i],
            sources=sources_of(sizes[i]),
            values=values,
            weights=weights,
            topic=topics[i],
            held=ranked.result.held.get(one, ""),
            last_read_h=since[i],
            was_missed=ranked.missed_us is not None and bool(published_us[i] > ranked.missed_us),
        )
        for i, (one, values) in enumerate(zip(chosen.tolist(), S.tolist(), strict=True))
    ]


def sources_of(size: float) -> int:
    """The number of outlets behind a story_size signal: its inverse."""
    return round(1.0 - 2.0 * log2(max(1.0 - size, 1e-6)))


def _followed_topics(index: ArticleIndex, ranked: Ranked, rows: Rows, reader: ReaderView) -> list[str | None]:
    """The first topic that the reader follows of each row, "this story" where it is the story."""
    found: list[str | None] = [None] * len(rows)
    if reader.choices.followed_stories:
        own = np.isin(index.columns.story_id[rows], reader.choices.followed_stories)
        found = ["this story" if one else None for one in own.tolist()]
    for topic in reversed(reader.choices.followed_topics):
        for place in np.flatnonzero(_of_topic(index, ranked.window, rows, topic)):
            found[place] = topic
    return found


def _of_topic(index: ArticleIndex, window: Window | None, rows: Rows, topic: str) -> NDArray[np.bool_]:
    if window is None:
        return index.of_topic(topic, rows)
    return window.topic(topic)[np.searchsorted(window.rows, rows)]


def _since_read(index: ArticleIndex, reader: ReaderView, near: Sequence[Near], at_us: int) -> list[float | None]:
    """Hours since the nearest read of each, None where it is not the only one: of several no time is told."""
    told = [place for place, one in enumerate(near) if len(one.rows) == 1]
    found: list[float | None] = [None] * len(near)
    if not told:
        return found
    ids = index.columns.id[[near[place].rows[0] for place in told]]
    mine = reader.history.article_id[:, None] == ids[None, :]
    last_us = np.where(mine, reader.history.at_us[:, None], NEVER).max(axis=0, initial=NEVER)
    for place, at in zip(told, last_us.tolist(), strict=True):
        found[place] = (at_us - at) / HOUR_US if at > NEVER else None
    return found
