"""Made-up readers: fifty drawn from what is in the news, always the same for the same news, and those people keep."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from data.values import Histories
from data.wire import EVENT_KINDS
from recommender.columns import base
from recommender.index import ArticleIndex
from recommender.rules import Choices
from recommender.signals import HOUR_US
from recommender.snapshot import ReaderView, Snapshot, empty_history

SEEDED = 50
NEWEST_H, OLDEST_H = 6.0, 240.0  # personas read what was published between these ages
FAMILIAR = 3  # of this many personas one follows nothing and read little
NAMES = (
    "Ada", "Bo", "Carla", "Dev", "Elif", "Finn", "Greta", "Hugo", "Ines", "Jonas", "Kaja", "Luca", "Mina", "Noor",
    "Olaf", "Petra", "Quentin", "Rosa", "Samir", "Tove", "Uma", "Viktor", "Wanda", "Xenia", "Yusuf", "Zora", "Alba",
    "Bruno", "Cleo", "Dana", "Emil", "Freja", "Goran", "Hana", "Ivo", "Jana", "Karim", "Lena", "Milo", "Nadia",
    "Otto", "Pia", "Ravi", "Sofia", "Timo", "Ursula", "Vera", "Willem", "Yara", "Zeno",
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """One thing a persona did, some hours before the moment one looks."""

    article_id: int
    hours_ago: float
    kind: str = "read"


@dataclass(frozen=True)
class Persona:
    """A made-up reader. Its reads move along with the clock, so it stays the same reader tomorrow."""

    key: str
    name: str
    about: str
    language: str = "en"
    followed_topics: tuple[str, ...] = ()
    muted_topics: tuple[str, ...] = ()
    reads: tuple[Read, ...] = field(default=())

    def view(self, at_us: int) -> ReaderView:
        """The persona as ranking sees a reader at `at_us`."""
        choices = Choices(followed_topics=self.followed_topics, muted_topics=self.muted_topics)
        reads = sorted(self.reads, key=lambda one: one.hours_ago)
        history = Histories(
            reader_id=np.zeros(1, np.int64),
            indptr=np.array([0, len(reads)], np.int64),
            article_id=np.array([one.article_id for one in reads], np.int64),
            at_us=np.array([at_us - round(one.hours_ago * HOUR_US) for one in reads], np.int64),
            kind=np.array([EVENT_KINDS.index(one.kind) for one in reads], np.int8),
            dwell_s=np.full(len(reads), np.nan, np.float32),
        )
        return ReaderView(choices, history, empty_history())


def seeded(snapshot: Snapshot, at_us: int, count: int = SEEDED) -> tuple[Persona, ...]:
    """`count` personas drawn from the categories and languages of the recent news.

    The n-th is the n-th for every call with the same articles; with others its name and kind of reader stay and the
    reads are of what is there. Every third is a newcomer or light reader. None where there are no articles.
    """
    index = snapshot.index
    rows = index.window(at_us - int(OLDEST_H * HOUR_US), at_us - int(NEWEST_H * HOUR_US))
    if not len(rows):
        rows = index.window(0, at_us)
    shelves = _shelves(index, rows)
    return tuple(_draw(number, shelves, index, at_us) for number in range(count)) if shelves else ()


Shelf = Mapping[str, Sequence[int]]  # category -> rows of the index


def _shelves(index: ArticleIndex, rows: np.ndarray) -> dict[str, Shelf]:
    """Recent rows by language, then by category; languages with little are left out."""
    found: dict[str, dict[str, list[int]]] = {}
    for row in rows.tolist():
        language = index.languages.name(int(index.columns.language[row]))
        category = index.categories.name(int(index.columns.category[row]))
        found.setdefault(language, {}).setdefault(category, []).append(row)
    most = max((sum(map(len, one.values())) for one in found.values()), default=0)
    return {name: one for name, one in found.items() if sum(map(len, one.values())) >= most / 10}


def _draw(number: int, shelves: Mapping[str, Shelf], index: ArticleIndex, at_us: int) -> Persona:
    random = Random(f"persona {number}")  # noqa: S311  the same reader at every call is the point
    languages = sorted(shelves, key=lambda one: (-sum(map(len, shelves[one].values())), one))
    weights = [sum(map(len, shelves[one].values())) for one in languages]
    language = random.choices(languages, weights)[0] if number else languages[0]
    liked, follows, size = _taste(number, random, shelves[language])
    pool = [row for category in liked for row in shelves[language][category]]
    chosen = random.sample(pool, min(size, len(pool)))
    kinds = random.choices(("open", "read", "finish"), (2, 5, 3), k=len(chosen))
    reads = []
    for row, kind in zip(chosen, kinds, strict=True):
        since_h = max(at_us - int(index.columns.published_at_us[row]), 0) / HOUR_US
        hours_ago = round(since_h * random.uniform(0.4, 0.95), 1)
        reads.append(Read(int(index.columns.id[row]), hours_ago, kind))
    name = NAMES[number % len(NAMES)]
    about = _about(liked, follows, len(reads))
    return Persona(f"persona-{number + 1:02}", name, about, base(language), follows, (), tuple(reads))


def _taste(number: int, random: Random, shelf: Shelf) -> tuple[list[str], tuple[str, ...], int]:
    """Which categories a persona reads, which it follows, and how many articles it has read."""
    categories = sorted(one for one in shelf if one) or sorted(shelf)
    liked = random.sample(categories, min(1 + number % FAMILIAR, len(categories)))
    if number % (2 * FAMILIAR) == FAMILIAR - 1:
        return liked, (), 0  # a newcomer
    follows = tuple(one for one in liked[:1] if one) if random.random() < 0.6 else ()
    return liked, follows, random.randint(3, 6) if number % FAMILIAR == FAMILIAR - 1 else random.randint(10, 24)


def _about(liked: Sequence[str], follows: Sequence[str], reads: int) -> str:
    if not reads:
        return "new here, nothing read yet" + (f", follows {follows[0]}" if follows else "")
    named = [one or "anything" for one in liked]
    tastes = named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
    return f"{tastes}; {reads} reads" + (f", follows {follows[0]}" if follows else "")
