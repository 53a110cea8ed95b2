"""From a ranking to what a face shows: cards with a sentence each, under an id the app can send back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from data.clock import instant
from recommender.cards import Card, card
from recommender.for_you import Ranked
from recommender.related import NEXT, Related
from recommender.shelf import Shelf
from recommender.signals import SIGNALS
from recommender.snapshot import ReaderView, Snapshot
from recommender.why import facts_of_some, nearest_reads, related_sentence, sentence


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


def for_you_cards(
    shelf: Shelf, snapshot: Snapshot, reader: ReaderView, ranked: Ranked, places: range, shown: Shown
) -> tuple[Card, ...]:
    """The cards of these places of a for-you list."""
    chosen = ranked.head[places.start : places.stop]
    return _cards(shelf, snapshot, ranked, chosen, sentences_of(snapshot, reader, ranked, chosen, shown.at_us), shown)


def sentences_of(
    snapshot: Snapshot, reader: ReaderView, ranked: Ranked, chosen: NDArray[np.intp], at_us: int
) -> list[str]:
    """The sentence under each of some candidates of a for-you list."""
    near = nearest_reads(snapshot.index, ranked, ranked.rows[chosen])
    return [sentence(one) for one in facts_of_some(snapshot, reader, ranked, chosen, near, at_us, "for_you")]


def related_cards(
    shelf: Shelf, snapshot: Snapshot, row: int, found: Related, limit: int, shown: Shown
) -> tuple[Card, ...]:
    """The cards of a related list."""
    ranked, columns = found.ranked, snapshot.index.columns
    chosen = ranked.order[: min(limit, ranked.served)]
    story = columns.story_id
    sentences = []
    for one in chosen:
        other = int(ranked.rows[one])
        age_h = max(shown.at_us - int(columns.published_at_us[other]), 0) / 3.6e9
        same_story = bool(story[other] == story[row] != 0) and found.cosine[one] >= NEXT  # else it has moved on
        sentences.append(related_sentence(float(found.cosine[one]), age_h, found.fallback, bool(same_story)))
    return _cards(shelf, snapshot, ranked, chosen, sentences, shown)


def _cards(
    shelf: Shelf,
    snapshot: Snapshot,
    ranked: Ranked,
    chosen: np.ndarray,
    sentences: Sequence[str],
    shown: Shown,
) -> tuple[Card, ...]:
    ids = snapshot.index.columns.id[ranked.rows[chosen]]
    articles = shelf.articles(ids.tolist())
    sizes = snapshot.index.story_sources(ranked.rows[chosen], shown.at_us)
    made = []
    for place, (one, article_id) in enumerate(zip(chosen.tolist(), ids.tolist(), strict=True)):
        article = articles.get(article_id)
        if article is None or article.retracted_at is not None:
            continue  # taken back since the snapshot: at once means at once
        made.append(
            card(
                article,
                now=shown.at,
                language=shown.language,
                story_size=int(sizes[place]),
                why=sentences[place],
                score=float(ranked.result.score[one]) if shown.explain else None,
                parts=parts(ranked, one) if shown.explain else None,
            )
        )
    return tuple(made)


def parts(ranked: Ranked, one: int) -> dict[str, float]:
    """What each signal adds for a candidate, and the desk's boosts and buries where there are any."""
    found = dict(zip(SIGNALS, map(float, ranked.result.parts[one]), strict=True))
    adjust = float(ranked.result.adjust[one])
    return found | {"desk": adjust} if adjust else found
