"""What is asked of a list, and what a first page and a related list were made of: enough to serve them again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from data.values import ServedPage
from recommender.answers import Slate, Told
from recommender.slates import Rest

Since = datetime | Literal["last_visit"]


class RelatedWanted(TypedDict, total=False):
    """What `Service.related` takes beside the article."""

    limit: int
    reader: str | None
    at: datetime | None
    language: str | None
    explain: bool
    wait: bool
    is_served: bool


class ForYouWanted(TypedDict, total=False):
    """What `Service.for_you` takes beside the reader."""

    limit: int
    category: str | None
    language: str | None
    exclude: Sequence[str]
    explain: bool
    at: datetime | None
    cursor: str | None
    since: Since | None
    locale: str
    wait: bool


@dataclass(frozen=True)
class Page:
    """The first page of a for-you list, and what it takes to serve it again."""

    slate: Slate
    again: "Again"
    is_drafted: bool = False  # by chance, between two versions: to be drafted anew each time


@dataclass(frozen=True, slots=True)
class Again:
    """What a page is served with a second time, as a list of its own."""

    served: ServedPage
    rest: Rest | None  # what `next` continues with
    candidates: int
    is_cold: bool
    language: str  # of the cards' ages


@dataclass(frozen=True)
class Beneath:
    """What a related list was made of: enough to say its ages anew and to tell how long it holds."""

    served_id: str
    heading: str | None
    told: Told
    article_id: int  # asked about
    row: int  # of it
    seen: NDArray[np.int32]  # rows that the list depends on: `related.Related`
    reach: float
    language: str  # of the ages
