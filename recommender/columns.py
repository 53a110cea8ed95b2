"""What ranking needs of every article beside its text, one array per field."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from data.values import ArticleText, IntArray
from recommender.growing import Growing
from recommender.signals import LIFETIMES


class Names:
    """Strings as small numbers, append-only: a number once given never changes, so snapshots may share it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []

    @classmethod
    def of(cls, names: Sequence[str]) -> Self:
        """These names, in the order of their numbers."""
        made = cls()
        for name in names:
            made.number(name)
        return made

    def all(self) -> list[str]:
        """Every name, in the order of the numbers."""
        return list(self._names)

    def number(self, name: str) -> int:
        """The number of a name, given now if it is new."""
        if name not in self._numbers:
            self._names.append(name)
            self._numbers[name] = len(self._names) - 1
        return self._numbers[name]

    def find(self, name: str) -> int:
        """The number of a name, -1 if nothing bears it."""
        return self._numbers.get(name, -1)

    def name(self, number: int) -> str:
        """The name behind a number."""
        return self._names[number]

    def __len__(self) -> int:
        return len(self._names)


def fold_name(name: str) -> str:
    """Categories and topics compare without regard to case."""
    return name.strip().casefold()


@dataclass(frozen=True)
class Columns:
    """Row i of every array is article i. Times are microseconds UTC, 0 means none."""

    id: IntArray
    published_at_us: IntArray
    embargo_until_us: IntArray
    source_id: IntArray  # 0: no source
    story_id: IntArray  # 0: not assigned
    category: NDArray[np.int32]  # number of the folded category; that of "" where there is none
    language: NDArray[np.int32]  # number of the base language
    news_value: NDArray[np.int8]  # 0: not judged
    lifetime: NDArray[np.int8]  # indexes LIFETIMES
    retracted: NDArray[np.bool_]
    text_sum: IntArray  # checksum of the text: equal means the row's vector still holds
    rooms: Mapping[str, Growing] = field(default_factory=dict, repr=False, compare=False)  # behind the arrays

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def of(cls, texts: Sequence[ArticleText], categories: Names, languages: Names) -> Self:
        """The columns of some articles, in their order."""
        return cls(
            id=_ints(texts, "id"),
            published_at_us=_ints(texts, "published_at_us"),
            embargo_until_us=_ints(texts, "embargo_until_us"),
            source_id=_ints(texts, "source_id"),
            story_id=_ints(texts, "story_id"),
            category=np.array([categories.number(fold_name(text.category)) for text in texts], np.int32),
            language=np.array([languages.number(base(text.language)) for text in texts], np.int32),
            news_value=np.array([text.news_value for text in texts], np.int8),
            lifetime=np.array([LIFETIMES.index(text.lifetime) for text in texts], np.int8),
            retracted=np.array([text.retracted for text in texts], np.bool_),
            text_sum=np.array([text_sum(text) for text in texts], np.int64),
        )

    def joined(self, other: Self) -> Self:
        """These rows, then the other's. Amortised cost: the other's rows."""
        rooms, arrays = dict[str, Growing](), dict[str, Any]()
        for name in NAMES:
            room = self.rooms.get(name) or Growing(getattr(self, name))
            rooms[name], arrays[name] = room.extended(len(self), getattr(other, name))
        return type(self)(**arrays, rooms=rooms)

    def take(self, rows: Any) -> Self:
        """Only these rows, in this order."""
        return type(self)(**{name: getattr(self, name)[rows] for name in NAMES})

    def replaced(self, rows: IntArray, other: Self) -> Self:
        """These rows, of which `rows` hold the other's values. Cost: a copy of the columns that differ."""
        changed = {name: (getattr(self, name), getattr(other, name)) for name in NAMES}
        changed = {name: both for name, both in changed.items() if not np.array_equal(both[0][rows], both[1])}
        return self.with_arrays({name: _put(mine, rows, theirs) for name, (mine, theirs) in changed.items()})

    def with_arrays(self, arrays: Mapping[str, Any]) -> Self:
        """These rows with other arrays for some columns."""
        return replace(self, **arrays, rooms={name: room for name, room in self.rooms.items() if name not in arrays})

    @property
    def nbytes(self) -> int:
        """Bytes of all columns."""
        return sum(getattr(self, name).nbytes for name in NAMES)


NAMES = tuple(one.name for one in fields(Columns) if one.name != "rooms")


def base(language: str) -> str:
    """The base language of a tag: en for en-GB."""
    return language.replace("_", "-").split("-")[0].lower()


def text_sum(text: ArticleText) -> int:
    """A checksum of everything that makes the vector, and of the topics."""
    whole = "\x1f".join((text.title, text.summary, text.body, text.language, *text.topics))
    return zlib.crc32(whole.encode("utf-8", "surrogatepass")) | (len(whole) << 32)


def _ints(texts: Sequence[ArticleText], name: str) -> IntArray:
    return np.array([getattr(text, name) for text in texts], np.int64)


def _put(column: Any, rows: IntArray, values: Any) -> Any:
    column = column.copy()
    column[rows] = values
    return column
