"""Two rankings of one reader's candidates as one list, that keeps what the desk holds in place."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np

from recommender.cards import Card
from recommender.experiments.interleave import BOTH, SECOND, Drafted, team_draft
from recommender.for_you import Ranked
from recommender.index import ArticleIndex


@dataclass(frozen=True)
class Mixed:
    """One list as both rankings see it: same heads, each with its own scores and parts."""

    first: Ranked
    second: Ranked
    teams: tuple[int, ...]  # (served,) of each place


def mix(index: ArticleIndex, first: Ranked, second: Ranked, random: Random) -> Mixed:
    """A team draft of the heads of two rankings of the same candidates; no story comes twice by the draft.

    Pins and must-shows stand where the first ranking has them, and count for neither.
    """
    held = {place: int(one) for place, one in enumerate(first.head) if int(one) in first.result.held}
    kept = frozenset(held.values())
    rows, stories = first.rows, index.columns.story_id
    story = {int(one): int(stories[rows[one]]) for one in (*first.head, *second.head)}
    ours, theirs = ([int(one) for one in side.head if int(one) not in kept] for side in (first, second))
    stands = frozenset(story[one] for one in kept if story[one])
    found = team_draft(ours, theirs, len(first.head) - len(held), random, group=story, taken=stands)
    drafted = _with_held(found, held)
    head = np.array(drafted.items, np.intp)
    return Mixed(_headed(first, head), _headed(second, head), drafted.teams)


def by_team(first: Sequence[Card], second: Sequence[Card], mixed: Mixed) -> tuple[Card, ...]:
    """The cards of a mixed list, each as the ranking that chose it explains it; both are of the same places.

    Where something was taken back just now, places cannot be told from cards: the first ranking explains all.
    """
    if len(first) != len(second) or len(first) > len(mixed.teams):
        return tuple(first)
    sides = zip(first, second, mixed.teams, strict=False)  # a page may end before the list
    return tuple(theirs if team == SECOND else ours for ours, theirs, team in sides)


def _with_held(drafted: Drafted, held: dict[int, int]) -> Drafted:
    """The draft with the desk's articles put at their places."""
    items, teams = list(drafted.items), list(drafted.teams)
    for place in sorted(held):
        items.insert(place, held[place])
        teams.insert(place, BOTH)
    return Drafted(tuple(items), tuple(teams))


def _headed(ranked: Ranked, head: np.ndarray) -> Ranked:
    return replace(ranked, result=replace(ranked.result, head=head))
