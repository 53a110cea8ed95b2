"""What experiments are judged by: rates of what readers do with their lists."""

from collections.abc import Mapping
from dataclasses import dataclass

from data.errors import InvalidInput


@dataclass(frozen=True)
class Rate:
    """Responses by list, or lists by reader. `sense` is 1 where more is better, -1 where less is."""

    words: str  # what a reader does, for a sentence
    kinds: tuple[str, ...]  # events that count, each article of a list once; () counts lists
    sense: int = 1


RATES: Mapping[str, Rate] = {
    "opens": Rate("open articles from a list", ("open", "read", "finish")),
    "finishes": Rate("finish articles of a list", ("finish",)),
    "hides": Rate("hide articles of a list", ("hide", "less_like_this"), sense=-1),
    "visits": Rate("ask for a list", ()),
}
GUARDRAILS: Mapping[str, float] = {"hides": 0.10, "visits": 0.02}


def rate_of(name: str) -> Rate:
    """The rate of a name; InvalidInput if there is none."""
    if name not in RATES:
        raise InvalidInput(f"{name!r} is nothing we count; use one of {', '.join(RATES)}")
    return RATES[name]
