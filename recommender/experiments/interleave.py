"""One list out of two rankings, so that each reader is their own comparison."""

from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import NamedTuple

FIRST, SECOND, BOTH = 0, 1, -1


class Drafted(NamedTuple):
    """A list and which ranking chose each place: FIRST, SECOND, or BOTH where both would have put the same there."""

    items: tuple[int, ...]
    teams: tuple[int, ...]


def team_draft(
    first: Sequence[int],
    second: Sequence[int],
    length: int,
    random: Random,
    *,
    group: Mapping[int, int] | None = None,
    taken: Collection[int] = (),
) -> Drafted:
    """Two captains take turns to pick their best item that is left; who begins a round is drawn.

    Both lists are without repeats. Where both want the same item, the draw alone would decide whose it is: nobody gets
    credit for it, which takes out noise and no preference. Of a `group` above 0 (a story) one item at most is picked,
    none of a group `taken` before. Radlinski, Kurup and Joachims, CIKM 2008.
    """
    captains = (_Captain(first, group or {}), _Captain(second, group or {}))
    chosen: list[int] = []
    teams: list[int] = []
    gone, groups = set[int](), set(taken)
    turn, is_second_pick = 0, False
    while len(chosen) < length:
        best = [captain.best(gone, groups) for captain in captains]
        if best[0] is None and best[1] is None:
            break
        turn = 1 - turn if is_second_pick else random.getrandbits(1)
        is_second_pick = not is_second_pick
        team = turn if best[turn] is not None else 1 - turn
        item = best[team]
        assert item is not None  # noqa: S101  # of the two one is left
        teams.append(BOTH if best[0] == best[1] else team)
        chosen.append(item)
        gone.add(item)
        groups |= {number} if (number := (group or {}).get(item, 0)) else set()
    return Drafted(tuple(chosen), tuple(teams))


class _Captain:
    """One ranking, and how far down it everything is gone."""

    def __init__(self, ranking: Sequence[int], group: Mapping[int, int]) -> None:
        self.ranking, self.group, self.place = ranking, group, 0

    def best(self, gone: set[int], groups: set[int]) -> int | None:
        """The best item that is left."""
        while self.place < len(self.ranking):
            item = self.ranking[self.place]
            if item not in gone and self.group.get(item, 0) not in groups:
                return item
            self.place += 1
        return None
