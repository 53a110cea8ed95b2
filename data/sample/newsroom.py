"""The whole sample as one value."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from data.errors import InvalidTime
from data.sample.articles import Drafted, draft_articles
from data.sample.history import draw_history
from data.sample.outlets import OUTLETS, Outlet
from data.sample.readers import draw_devices, draw_people
from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn


@dataclass(frozen=True, slots=True)
class Newsroom:
    """Invented articles, readers, devices and events, with the truth an editor would know about them."""

    articles: list[ArticleIn]  # oldest first
    readers: list[ReaderIn]
    devices: list[tuple[str, DeviceIn]]  # (reader key, device)
    events: list[EventIn]  # in time order
    sources: tuple[Outlet, ...]
    labels: dict[str, str]  # article key -> the story it belongs to
    syndicated: dict[str, str]  # key of a copy -> key of the article it repeats
    embargoed: frozenset[str]
    retracted: frozenset[str]  # published, then withdrawn: call retract after storing
    title_only: frozenset[str]


def generate(seed: int = 1, *, now: datetime) -> Newsroom:
    """The sample newsroom as it stands at `now`; the same seed and now give the same value.

    Everything lies in the ten days before `now`, but for the embargoed article. A naive `now` raises InvalidTime.
    """
    if now.tzinfo is None:
        raise InvalidTime("now has no offset; pass an aware datetime, like datetime.now(UTC)")
    now = now.replace(microsecond=0)
    drafted = draft_articles(seed, now)
    rng = np.random.default_rng(seed)
    english = [draft.article for draft in drafted if draft.article.language == "en"]
    categories = sorted({article.category for article in english if article.category})
    topics = sorted({topic for article in english for topic in article.topics})
    people = draw_people(rng, categories, topics)
    return Newsroom(
        articles=[draft.article for draft in drafted],
        readers=[person.reader for person in people],
        devices=draw_devices(rng, people),
        events=draw_history(rng, people, drafted, now),
        sources=OUTLETS,
        labels={draft.article.id: draft.slug for draft in drafted},
        syndicated={draft.article.id: draft.copy_of for draft in drafted if draft.copy_of},
        embargoed=_flagged(drafted, "embargoed"),
        retracted=_flagged(drafted, "retracted"),
        title_only=_flagged(drafted, "title-only"),
    )


def _flagged(drafted: list[Drafted], flag: str) -> frozenset[str]:
    return frozenset(draft.article.id for draft in drafted if draft.flag == flag)
