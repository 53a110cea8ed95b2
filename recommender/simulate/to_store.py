"""A simulated log as rows: what an installation would hold if the world were as drawn."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from data.store import Store
from data.values import ServedPage
from data.wire import ArticleIn, EventIn, ReaderIn
from recommender.simulate.slates import Ints, Requests, World

CHUNK = 1_000


@dataclass(frozen=True)
class Served:
    """Lists as they were served, and what was opened (requests x places each)."""

    asked: Requests
    chosen: Ints  # columns of the candidates
    opened: npt.NDArray[np.bool_]
    versions: Ints  # (requests,)
    teams: Ints | None = None  # (requests x places) of interleaved lists


def put_world(store: Store, world: World, *, start_at: datetime, until_at: datetime) -> dict[int, int]:
    """Write readers and the articles published by `until_at`; returns article of the world -> number in the store.

    `start_at` is hour 0 of the world. Articles carry made-up words by topic.
    """
    articles = [
        ArticleIn.model_validate(
            {
                "id": f"sim-a{one}",
                "url": f"https://simulated.example/{one}",
                "title": f"Simulated report {one} on topic{world.topic[one]}",
                "category": f"topic{world.topic[one]}",
                "published_at": start_at + timedelta(hours=float(world.published_h[one])),
                "source": {"id": "simulated", "name": "Simulated"},
                "language": "en",
            }
        )
        for one in range(len(world.topic))
        if start_at + timedelta(hours=float(world.published_h[one])) <= until_at
    ]
    for first in range(0, len(articles), CHUNK):
        store.put_articles(articles[first : first + CHUNK], now=until_at)
    readers = [ReaderIn(id=reader_key(one)) for one in range(world.readers)]
    for first in range(0, len(readers), CHUNK):
        store.put_readers(readers[first : first + CHUNK], now=start_at)
    numbers = store.article_ids([one.id for one in articles])
    return {int(key.removeprefix("sim-a")): number for key, number in numbers.items()}


def put_log(store: Store, served: Served, articles: dict[int, int], *, start_at: datetime, now: datetime) -> int:
    """Write the lists and an open event for everything opened, a minute after its list; how many events."""
    asked = served.asked
    shown = np.take_along_axis(asked.candidates, served.chosen, axis=1)
    readers = {int(one): store.reader(reader_key(int(one))) for one in np.unique(asked.reader)}
    pages, events = [], []
    for number in np.argsort(asked.at_h, kind="stable").tolist():
        at = start_at + timedelta(hours=float(asked.at_h[number]))
        served_id = f"sim-{int(at.timestamp())}-{number}"
        row = readers[int(asked.reader[number])]
        ids = tuple(articles[one] for one in shown[number].tolist())
        teams = None if served.teams is None else tuple(served.teams[number].tolist())
        pages.append(
            ServedPage(
                served_id,
                "for_you",
                row.id if row else None,
                None,
                at,
                0,
                ids,
                int(served.versions[number]),
                None,
                teams,
            )
        )
        for place in np.flatnonzero(served.opened[number]).tolist():
            events.append(_open(served_id, int(asked.reader[number]), int(shown[number, place]), place, at))
    for first in range(0, len(pages), CHUNK):
        store.add_served(pages[first : first + CHUNK])
    for first in range(0, len(events), CHUNK):
        store.add_events(events[first : first + CHUNK], now=now)
    return len(events)


def reader_key(number: int) -> str:
    """The key of a reader of the world."""
    return f"sim-r{number}"


def _open(served_id: str, reader: int, article: int, place: int, at: datetime) -> EventIn:
    return EventIn.model_validate(
        {
            "id": f"{served_id}-{place}",
            "reader": reader_key(reader),
            "article": f"sim-a{article}",
            "kind": "open",
            "at": at + timedelta(minutes=1),
            "served_id": served_id,
            "position": place + 1,
            "surface": "for_you",
        }
    )
