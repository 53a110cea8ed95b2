"""The sample's readers: where they live, what they like, and which devices they carry."""

from dataclasses import dataclass
from datetime import time

import numpy as np

from data.wire import DeviceIn, ReaderIn

READERS = 200
_COLD_SHARE = 0.08  # readers with no history at all
_ZONES: tuple[tuple[str, str, int], ...] = (  # zone, language, how many of a hundred
    ("Europe/Prague", "en", 12),
    ("Europe/London", "en", 14),
    ("Europe/Berlin", "en", 8),
    ("Europe/Copenhagen", "da", 10),
    ("Europe/Copenhagen", "en", 2),
    ("Europe/Prague", "cs", 5),
    ("Asia/Tokyo", "ja", 5),
    ("Asia/Tokyo", "en", 2),
    ("America/New_York", "en", 9),
    ("America/Chicago", "en", 4),
    ("America/Los_Angeles", "en", 6),
    ("America/Sao_Paulo", "en", 3),
    ("Africa/Nairobi", "en", 3),
    ("Africa/Lagos", "en", 3),
    ("Asia/Kolkata", "en", 4),
    ("Asia/Kathmandu", "en", 1),
    ("Asia/Singapore", "en", 3),
    ("Australia/Sydney", "en", 3),
    ("Pacific/Auckland", "en", 2),
    ("Atlantic/Azores", "en", 1),
)
_FID_LETTERS = np.array(list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
_PLATFORMS = ("android", "ios", "web")
_VERSIONS = ("6.2.0", "6.2.1", "6.3.0")


@dataclass(frozen=True, slots=True)
class Person:
    """A reader as the maker of the sample knows them: `likes` maps categories and topics to a strength in (0, 1]."""

    reader: ReaderIn
    likes: dict[str, float]
    sessions_per_day: float  # 0: cold


def draw_people(rng: np.random.Generator, categories: list[str], topics: list[str]) -> list[Person]:
    """`READERS` people; topics are the English ones an app would offer to follow."""
    shares = np.array([share for _, _, share in _ZONES], float)
    homes = rng.choice(len(_ZONES), size=READERS, p=shares / shares.sum())
    homes[: len(_ZONES)] = np.arange(len(_ZONES))  # every zone has somebody
    cold = set(rng.choice(READERS, int(READERS * _COLD_SHARE), replace=False).tolist())
    return [
        _person(rng, index, _ZONES[home][:2], categories, topics, cold=index in cold)
        for index, home in enumerate(homes.tolist())
    ]


def _person(
    rng: np.random.Generator, index: int, home: tuple[str, str], categories: list[str], topics: list[str], *, cold: bool
) -> Person:
    zone, language = home
    liked = rng.choice(categories, int(rng.integers(2, 5)), replace=False).tolist()
    hobbies = rng.choice(topics, int(rng.integers(1, 4)), replace=False).tolist()
    likes = {name: float(rng.uniform(0.4, 1.0)) for name in [*liked, *hobbies]}
    disliked = [name for name in topics if name not in likes]
    own_quiet = rng.random() < 0.15
    reader = ReaderIn(
        id=f"reader-{index + 1:03d}",
        zone=zone,
        language=language,
        push=bool(rng.random() >= 0.12),
        quiet_from=time(int(rng.integers(20, 24))) if own_quiet else time(22),
        quiet_until=time(int(rng.integers(6, 11)), 30) if own_quiet else time(7),
        daily_cap=int(rng.choice([1, 2, 3, 4, 4, 4, 6])),
        followed_topics=hobbies if rng.random() < 0.4 else [],
        muted_topics=rng.choice(disliked, int(rng.integers(1, 3)), replace=False).tolist()
        if rng.random() < 0.15
        else [],
        muted_sources=["touchline-daily"] if "sport" not in likes and rng.random() < 0.05 else [],
    )
    return Person(reader, likes, 0.0 if cold else float(np.clip(rng.lognormal(0.1, 0.6), 0.25, 4.0)))


def draw_devices(rng: np.random.Generator, people: list[Person]) -> list[tuple[str, DeviceIn]]:
    """One or two devices for about 85 % of the readers, as (reader key, device)."""
    owned = []
    for person in people:
        if rng.random() < 0.15:
            continue
        for _ in range(1 + int(rng.random() < 0.25)):
            owned.append((person.reader.id, _device(rng, person.reader.language)))
    return owned


def _device(rng: np.random.Generator, language: str) -> DeviceIn:
    """A device with an installation id of Firebase's form: 22 URL-safe letters, the first one of c, d, e, f."""
    fid = str(rng.choice(list("cdef"))) + "".join(rng.choice(_FID_LETTERS, 21).tolist())
    platform = _PLATFORMS[int(rng.choice(3, p=[0.5, 0.35, 0.15]))]
    return DeviceIn(fid=fid, platform=platform, app_version=str(rng.choice(_VERSIONS)), language=language)
