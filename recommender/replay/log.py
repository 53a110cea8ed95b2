"""A log as replay reads it, whatever its layout: slates, reads outside of slates and articles, as numbers."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from data.errors import InvalidInput
from data.values import IntArray

Codes = NDArray[np.int32]
HOUR_US = 3_600_000_000


class Slates(NamedTuple):
    """Lists that were shown, in time order; item i of slate s is one of item[start[s]:start[s + 1]]."""

    at: IntArray  # (slates,) microseconds
    reader: Codes  # (slates,) from 0
    start: IntArray  # (slates + 1,)
    item: Codes  # (items,) articles from 0
    clicked: NDArray[np.uint8]  # (items,) 1: opened
    beside: Codes  # (slates,) the article it stood under, -1: a front page
    device: Codes  # (slates,) kind of device, 0: unknown


class Reads(NamedTuple):
    """What readers opened elsewhere, in time order. `counts` 0: when is not known, so popularity leaves it out."""

    at: IntArray  # (reads,)
    reader: Codes
    item: Codes
    worth: NDArray[np.float32]  # (reads,) 1: read whole, less for a glance
    counts: NDArray[np.uint8]


class Articles(NamedTuple):
    """What is known of articles from the day they appear."""

    serial: IntArray  # (articles,) rising with the time of publication, 0: no such number
    published: IntArray  # (articles,) microseconds, 0: not known
    groups: Codes  # (kinds of group x articles) codes from 0, distinct between kinds; -1: none
    facts: NDArray[np.float32]  # (articles x facts) numbers such as the length


@dataclass(frozen=True)
class Log:
    """One log. `fact_names` and `group_names` name the columns of `Articles`, `ids` the articles in their layout."""

    slates: Slates
    reads: Reads
    articles: Articles
    group_names: tuple[str, ...]
    fact_names: tuple[str, ...]
    ids: NDArray[Any]  # (articles,) what the layout calls them
    readers: NDArray[Any]  # (readers,)
    mapped: NDArray[np.float32]  # (slates,) share of the places whose article is known

    def __post_init__(self) -> None:
        """Refuse a log that is not in time order, or whose slates do not fill their items."""
        if np.any(np.diff(self.slates.at) < 0) or np.any(np.diff(self.reads.at) < 0):
            raise InvalidInput("a log must be in time order: sort slates and reads by their time")
        if len(self.slates.start) != len(self.slates.at) + 1 or self.slates.start[-1] != len(self.slates.item):
            raise InvalidInput("the slates do not cover their items: give one start a slate, and the end")

    def __len__(self) -> int:
        return len(self.slates.at)

    @property
    def groups(self) -> int:
        """How many codes groups have."""
        return int(self.articles.groups.max(initial=-1)) + 1

    @property
    def slate_of(self) -> IntArray:
        """The slate of each item (items,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.slates.start))

    def until(self, at: int) -> Self:
        """The log as it was known before an instant."""
        count, reads = np.searchsorted(self.slates.at, at), np.searchsorted(self.reads.at, at)
        return replace(
            self,
            slates=self.slates._replace(**_first(self.slates, int(count))),
            reads=Reads(**{name: part[:reads] for name, part in self.reads._asdict().items()}),
            mapped=self.mapped[:count],
        )


def _first(slates: Slates, count: int) -> dict[str, Any]:
    items = int(slates.start[count])
    cut = {"item": items, "clicked": items, "start": count + 1}
    return {name: getattr(slates, name)[: cut.get(name, count)] for name in Slates._fields}


def in_order(log_slates: Slates) -> tuple[Slates, IntArray]:
    """The slates sorted by time (stable), and which one each was."""
    order = np.argsort(log_slates.at, kind="stable")
    sizes = np.diff(log_slates.start)[order]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    places = np.repeat(log_slates.start[order] - start[:-1], sizes) + np.arange(start[-1])
    per_slate = {name: getattr(log_slates, name)[order] for name in ("at", "reader", "beside", "device")}
    per_item = {name: getattr(log_slates, name)[places] for name in ("item", "clicked")}
    return Slates(start=start, **per_slate, **per_item), order
