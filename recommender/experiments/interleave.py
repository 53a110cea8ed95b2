"""One list out of two rankings, so that each reader is their own comparison."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

FIRST, SECOND, BOTH = 0, 1, -1


class Drafted(NamedTuple):
    """A list and which ranking chose each place: FIRST, SECOND, or BOTH where both would have put the same there."""

    items: tuple[int, ...]
    teams: tuple[int, ...]


def team_draft(first: Sequence[int], second: Sequence[int], length: int, random: Random) -> Drafted:
    """Two captains take turns to pick their best item that is left; who begins a round is drawn.

    Both see `length` places of the same two lists, without repeats within a list. Where both want the same item, the
    draw alone would decide whose it is: nobody gets credit for it, which takes out noise and no preference. Radlinski,
    Kurup and Joachims, CIKM 2008.
    """
    rankings, places = (list(first), list(second)), [0, 0]
    chosen: list[int] = []
    teams: list[int] = []
    taken: set[int] = set()
    turn, is_second_pick = 0, False
    while len(chosen) < length:
        best = [_next(rankings[one], places, one, taken) for one in (FIRST, SECOND)]
        if best[0] is None and best[1] is None:
            break
        turn = 1 - turn if is_second_pick else random.getrandbits(1)
        is_second_pick = not is_second_pick
        captain = turn if best[turn] is not None else 1 - turn
        item = best[captain]
        assert item is not None  # noqa: S101  # of the two one is left
        teams.append(BOTH if best[0] == best[1] else captain)
        chosen.append(item)
        taken.add(item)
    return Drafted(tuple(chosen), tuple(teams))


def _next(ranking: list[int], places: list[int], one: int, taken: set[int]) -> int | None:
    """The best item of a ranking that nobody took; its place is remembered."""
    while places[one] < len(ranking) and ranking[places[one]] in taken:
        places[one] += 1
    return ranking[places[one]] if places[one] < len(ranking) else None
