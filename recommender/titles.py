"""Titles without the name of their outlet: "Storm nears the coast - The Daily Bugle" is not about a bugle."""

from collections.abc import Iterable

SEPARATORS = (" - ", " – ", " — ", " | ", " · ", "｜")
REPEATED = 3  # titles that end alike before the ending is taken for a name
SHORTEST_HEAD, LONGEST_TAIL = 10, 50  # characters
NAMES_AT_MOST = 2  # "... | TheHill - The Hill"

Tails = frozenset[str]


def repeated_tails(titles: Iterable[str]) -> Tails:
    """What follows the last dash or bar in at least three different titles, in lower case: outlets and sections."""
    heads: dict[str, set[str]] = {}
    for title in titles:
        head, tail = _split(title)
        for _ in range(NAMES_AT_MOST):
            if not tail:
                break
            found = heads.setdefault(tail.casefold(), set())
            if len(found) < REPEATED:
                found.add(head)
            head, tail = _split(head)
    return frozenset(tail for tail, found in heads.items() if len(found) >= REPEATED)


def without_tail(title: str, tails: Tails) -> str:
    """The title up to a known ending; as it is where it ends otherwise."""
    for _ in range(NAMES_AT_MOST):
        head, tail = _split(title)
        if not tail or tail.casefold() not in tails:
            break
        title = head
    return title


def _split(title: str) -> tuple[str, str]:
    """The title before and after its last separator; no tail where one of the two would be no title or no name."""
    place, separator = max((title.rfind(one), one) for one in SEPARATORS)
    head, tail = title[:place].rstrip(), title[place + len(separator) :].strip()
    if place < 0 or len(head) < SHORTEST_HEAD or len(tail) > LONGEST_TAIL:
        return title, ""
    return head, tail
