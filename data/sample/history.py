"""Ten days of reading: sessions in each reader's waking hours, what was shown, opened, read and put away."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count

import numpy as np
from numpy.typing import NDArray

from data.clock import local_slot_at, zone
from data.sample.articles import Drafted
from data.sample.readers import Person
from data.wire import EventIn

DAYS = 10
_SHOWN = 6  # articles on one screen
_HOURS = np.arange(7, 22)  # a session starts at one of these local hours
_HOUR_WEIGHTS = np.array([4, 6, 5, 2, 2, 4, 4, 2, 1, 2, 3, 5, 6, 6, 3], float)
_REACH_H = 48.0  # older articles are no longer shown


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What a session chooses from, one row per article."""

    keys: list[str]
    published_s: NDArray[np.float64]
    languages: NDArray[np.str_]
    tags: list[frozenset[str]]
    pull: NDArray[np.float64]  # how strongly an article attracts anybody, about 0.1 to 2
    words: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Session:
    """One sitting: `seen` is the reader's own, kept from sitting to sitting."""

    reader: str
    taste: NDArray[np.float64]
    seen: NDArray[np.bool_]
    at: datetime
    now: datetime
    served_id: str


_Step = tuple[str, float, float | None]  # kind, seconds since the epoch, dwell


def draw_history(
    rng: np.random.Generator, people: list[Person], drafted: list[Drafted], now: datetime
) -> list[EventIn]:
    """All events of all readers, in time order. None lies after `now` or before its article was published."""
    shelf = _shelf([draft for draft in drafted if draft.flag != "embargoed"])
    ids, served = count(1), count(1)
    events: list[EventIn] = []
    for person in people:
        taste = _taste(person, shelf)
        seen = np.zeros(len(shelf.keys), bool)
        for at in _session_starts(rng, person, now):
            events += _session(
                rng, shelf, _Session(person.reader.id, taste, seen, at, now, f"served-{next(served):05d}")
            )
    events.sort(key=lambda event: (event.at, event.reader, event.id))
    return [event.model_copy(update={"id": f"ev-{next(ids):06d}"}) for event in events]


def _shelf(drafted: list[Drafted]) -> _Shelf:
    articles = [draft.article for draft in drafted]
    slugs = [draft.slug for draft in drafted]
    sizes = np.array([slugs.count(slug) for slug in slugs], float)
    value = np.array([article.news_value or 2 for article in articles], float)
    return _Shelf(
        keys=[article.id for article in articles],
        published_s=np.array([article.published_at.timestamp() for article in articles]),
        languages=np.array([article.language or "en" for article in articles]),
        tags=[frozenset([article.category or "", *article.topics]) for article in articles],
        pull=(value / 5) ** 2 * (sizes / 6) ** 0.8 + 0.1,
        words=np.array([max(30, len(article.body) // 6) for article in articles]),
    )


def _taste(person: Person, shelf: _Shelf) -> NDArray[np.float64]:
    """How much this reader likes each article, 0 to about 1.5; 0 in a language they do not read."""
    liked = [sum(person.likes.get(tag, 0.0) for tag in tags) for tags in shelf.tags]
    readable = (shelf.languages == person.reader.language) | (
        (shelf.languages == "en") & (person.reader.language != "en")
    )
    own = np.where(shelf.languages == person.reader.language, 1.0, 0.5)
    return np.where(readable, np.minimum(0.08 + np.array(liked), 1.5) * own, 0.0)


def _session_starts(rng: np.random.Generator, person: Person, now: datetime) -> list[datetime]:
    if not person.sessions_per_day:
        return []
    home = person.reader.zone
    today = now.astimezone(zone(home)).date()
    weights = _HOUR_WEIGHTS / _HOUR_WEIGHTS.sum()
    starts = []
    for back in range(DAYS, -1, -1):
        hours = rng.choice(_HOURS, min(int(rng.poisson(person.sessions_per_day)), 5), replace=False, p=weights)
        starts += [_local(rng, today - timedelta(days=back), int(hour), home) for hour in np.sort(hours)]
    return [at for at in starts if now - timedelta(days=DAYS) <= at < now]


def _local(rng: np.random.Generator, day: date, hour: int, home: str) -> datetime:
    wall = time(hour, int(rng.integers(0, 45)), int(rng.integers(0, 60)))
    return local_slot_at(day, wall, home)


def _session(rng: np.random.Generator, shelf: _Shelf, session: _Session) -> list[EventIn]:
    """A screenful of impressions and what came of each. Marks what was opened as seen; stops at the present."""
    clock_s = session.at.timestamp()
    events = []
    for position, row in enumerate(_screen(rng, shelf, session)):
        clock_s += float(rng.uniform(1.0, 6.0))
        taste = float(session.taste[row])
        steps: list[_Step] = [("impression", clock_s, None)]
        opened_share = min(0.75, 0.05 + 0.5 * taste * (0.6 + float(shelf.pull[row]))) / (1 + 0.1 * position)
        if rng.random() < opened_share:
            session.seen[row] = True
            acts, clock_s = _open(rng, clock_s + 2.0, taste, int(shelf.words[row]))
            steps += acts
        elif rng.random() < 0.015 and taste < 0.3:
            steps.append(("hide" if rng.random() < 0.6 else "less_like_this", clock_s + 1.5, None))
        done = [step for step in steps if step[1] < session.now.timestamp()]
        events += [_event(session, shelf.keys[row], step, position) for step in done]
    return events


def _screen(rng: np.random.Generator, shelf: _Shelf, session: _Session) -> list[int]:
    """The rows shown: recent, pulling and mostly to the reader's taste, a few by chance; best first."""
    taste = session.taste
    age_h = (session.at.timestamp() - shelf.published_s) / 3600
    weight = (0.15 + taste) * (0.2 + shelf.pull) * np.exp(-np.maximum(age_h, 0.0) / 14)
    weight = np.where((age_h > 0) & (age_h < _REACH_H) & (taste > 0) & ~session.seen, weight, 0.0)
    many = min(_SHOWN, int(np.count_nonzero(weight)))
    if not many:
        return []
    noisy = np.where(weight > 0, np.log(np.maximum(weight, 1e-12)) + rng.gumbel(size=weight.size) * 0.6, -np.inf)
    best: list[int] = np.argsort(-noisy, kind="stable")[:many].tolist()
    return best


def _open(rng: np.random.Generator, at_s: float, taste: float, words: int) -> tuple[list[_Step], float]:
    """Open, and with luck read, finish, share or save; returns the steps and the clock after them."""
    full_s = words / 4.0  # about 240 words a minute
    share_read = float(np.clip(rng.beta(1.5 + 2 * taste, 1.6), 0.02, 1.0))
    dwell_s = round(full_s * share_read, 1)
    steps: list[_Step] = [("open", at_s, None)]
    end_s = at_s + dwell_s
    if dwell_s > 6:
        steps.append(("read", end_s, dwell_s))
    if share_read > 0.85:
        steps.append(("finish", end_s + 0.2, dwell_s))
    if taste > 0.3 and rng.random() < 0.05:
        steps.append(("share" if rng.random() < 0.5 else "save", end_s + 4.0, None))
        end_s += 5.0
    return steps, end_s


def _event(session: _Session, key: str, step: _Step, position: int) -> EventIn:
    kind, at_s, dwell_s = step
    return EventIn.model_validate(
        {
            "id": f"{session.served_id}-{position}-{kind}",
            "reader": session.reader,
            "article": key,
            "kind": kind,
            "at": datetime.fromtimestamp(round(at_s, 3), UTC),
            "dwell_s": dwell_s,
            "served_id": session.served_id,
            "position": position,
            "surface": "for_you",
        }
    )
