"""From a ranking to what a face shows: cards with a sentence each, under an id the app can send back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from data.clock import instant
from recommender.cards import Card, card
from recommender.for_you import Ranked
from recommender.related import NEXT, Related
from recommender.shelf import Shelf
from recommender.signals import HOUR_US, SIGNALS
from recommender.snapshot import ReaderView, Snapshot
from recommender.why import facts_of_some, nearest_reads, related_sentence, sentence, sources_of

MOST_TOLD = 0.999997  # of the story size signal: above it the number of outlets cannot be read from it


@dataclass(frozen=True)
class Slate:
    """A served for-you list; `next` continues it, None at its end."""

    served_id: str
    items: tuple[Card, ...]
    next: str | None = None


@dataclass(frozen=True)
class RelatedList:
    """A served related list. `fallback` is the heading of a list that is not related, else None."""

    served_id: str
    fallback: str | None
    items: tuple[Card, ...]


@dataclass(frozen=True)
class Shown:
    """How cards are to be made: when, in which language, with parts or without."""

    at_us: int
    language: str
    explain: bool

    @property
    def at(self) -> datetime:
        return instant(self.at_us)


@dataclass(frozen=True)
class Told:
    """A related list before its cards are made: those say how old an article is, which changes by the minute."""

    ids: tuple[int, ...]
    cosine: tuple[float, ...]
    is_same_story: tuple[bool, ...]
    sizes: tuple[int, ...]  # outlets behind each one's story
    published_at_us: tuple[int, ...]
    fallback: str | None


def for_you_cards(
    shelf: Shelf, snapshot: Snapshot, reader: ReaderView, ranked: Ranked, places: range, shown: Shown
) -> tuple[Card, ...]:
    """The cards of these places of a for-you list."""
    chosen = ranked.head[places.start : places.stop]
    sentences = sentences_of(snapshot, reader, ranked, chosen, shown.at_us)
    ids = snapshot.index.columns.id[ranked.rows[chosen]].tolist()
    return _cards(shelf, ids, _sizes(snapshot, ranked, chosen, shown.at_us), sentences, shown, _numbers(ranked, chosen))


def sentences_of(
    snapshot: Snapshot, reader: ReaderView, ranked: Ranked, chosen: NDArray[np.intp], at_us: int
) -> list[str]:
    """The sentence under each of some candidates of a for-you list."""
    near = nearest_reads(snapshot.index, ranked, ranked.rows[chosen])
    return [sentence(one) for one in facts_of_some(snapshot, reader, ranked, chosen, near, at_us, "for_you")]


def told_of(snapshot: Snapshot, row: int, found: Related, limit: int) -> Told:
    """The first `limit` of a related list."""
    ranked, columns = found.ranked, snapshot.index.columns
    chosen = ranked.head[:limit]
    rows, cosine = ranked.rows[chosen], found.cosine[chosen]
    own = (columns.story_id[rows] == columns.story_id[row]) & (columns.story_id[rows] != 0)
    return Told(
        tuple(columns.id[rows].tolist()),
        tuple(cosine.tolist()),
        tuple((own & (cosine >= NEXT)).tolist()),  # else the story has moved on
        tuple(found.outlets[chosen].tolist()),
        tuple(columns.published_at_us[rows].tolist()),
        found.fallback,
    )


def related_cards(shelf: Shelf, told: Told, shown: Shown, ranked: Ranked | None = None) -> tuple[Card, ...]:
    """The cards of a related list; `ranked` where scores are to be explained."""
    sentences = [
        related_sentence(cosine, max(shown.at_us - at_us, 0) / HOUR_US, told.fallback, is_same_story)
        for cosine, at_us, is_same_story in zip(told.cosine, told.published_at_us, told.is_same_story, strict=True)
    ]
    numbers = None if ranked is None else _numbers(ranked, ranked.head[: len(told.ids)])
    return _cards(shelf, told.ids, told.sizes, sentences, shown, numbers)


def _numbers(ranked: Ranked, chosen: NDArray[np.intp]) -> Callable[[int], tuple[float, dict[str, float]]]:
    """Score and parts of the i-th of the chosen, computed where they are asked for."""
    return lambda place: (float(ranked.result.score[chosen[place]]), parts(ranked, int(chosen[place])))


def _sizes(snapshot: Snapshot, ranked: Ranked, chosen: NDArray[np.intp], at_us: int) -> list[int]:
    """How many outlets tell the story of each: read from the signal, which was made of it."""
    signal = ranked.signals_of(chosen)[:, SIGNALS.index("story_size")]
    if (signal > MOST_TOLD).any():
        return [int(one) for one in snapshot.index.story_sources(ranked.rows[chosen], at_us)]
    return [sources_of(one) for one in signal.tolist()]


def _cards(
    shelf: Shelf,
    ids: Sequence[int],
    sizes: Sequence[int],
    sentences: Sequence[str],
    shown: Shown,
    numbers: "Callable[[int], tuple[float, dict[str, float]]] | None",
) -> tuple[Card, ...]:
    articles = shelf.articles(ids)
    now = shown.at
    made = []
    for place, article_id in enumerate(ids):
        article = articles.get(article_id)
        if article is None or article.retracted_at is not None:
            continue  # taken back since the snapshot: at once means at once
        score, adds = numbers(place) if shown.explain and numbers else (None, None)
        made.append(
            card(
                article,
                now=now,
                language=shown.language,
                story_size=sizes[place],
                why=sentences[place],
                score=score,
                parts=adds,
            )
        )
    return tuple(made)


def parts(ranked: Ranked, one: int) -> dict[str, float]:
    """What each signal adds for a candidate, and the desk's boosts and buries where there are any."""
    found = dict(zip(SIGNALS, map(float, ranked.result.parts[one]), strict=True))
    adjust = float(ranked.result.adjust[one])
    return found | {"desk": adjust} if adjust else found
