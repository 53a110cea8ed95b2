"""Which rows of an index are of which topic."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from data.values import ArticleText
from recommender.columns import fold_name
from recommender.growing import Growing

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]
NO_ROWS = np.zeros(0, np.intp)


class Topics(Mapping[str, Rows]):
    """Folded topic -> ascending rows, dead ones included; `with_rows` and `taken` give others, this one stays."""

    def __init__(self, rows: Mapping[str, Rows] | None = None, rooms: Mapping[str, Growing] | None = None) -> None:
        self._rows, self._rooms = rows or {}, rooms or {}  # behind the rows there may be room for more

    def __getitem__(self, name: str) -> Rows:
        """The rows of one topic."""
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        """The topics."""
        return iter(self._rows)

    def __len__(self) -> int:
        """How many topics."""
        return len(self._rows)

    def with_rows(self, topics: Mapping[str, Rows], start: int) -> Self:
        """With these places, counted from row `start`, under their topics."""
        made, rooms = dict(self._rows), dict(self._rooms)
        for name, places in topics.items():
            before = made.get(name, NO_ROWS)
            rooms[name], made[name] = (rooms.get(name) or Growing(before)).extended(len(before), places + start)
        return type(self)(made, rooms)

    def taken(self, alive: Mask) -> Self:
        """Where the rows that are alive move together; topics without any are gone."""
        place = np.cumsum(alive) - 1
        kept = {name: place[rows[alive[rows]]] for name, rows in self._rows.items()}
        return type(self)({name: rows for name, rows in kept.items() if len(rows)})

    def hold(self, name: str, rows: Rows) -> Mask:
        """Which of some rows are of a topic (rows,)."""
        others = self.get(name, NO_ROWS)
        if not len(others):
            return np.zeros(len(rows), np.bool_)
        place = np.minimum(np.searchsorted(others, rows), len(others) - 1)
        return np.asarray(others[place] == rows)


def topics_of(texts: Sequence[ArticleText]) -> Mapping[str, Rows]:
    """Folded topic -> the places of the texts that have it."""
    found: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        for topic in {fold_name(topic) for topic in text.topics}:
            found.setdefault(topic, []).append(place)
    return {topic: np.array(places, np.intp) for topic, places in found.items()}
