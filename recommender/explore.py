"""Exploration: a small share of first pages gives its last place to a new article that few have seen."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.for_you import Ranked
from recommender.signals import HOUR_US
from recommender.snapshot import Snapshot

MOST_SHARE = 0.2  # of pages, whatever the option says
NEW_H = 24.0
FEW_READS = 5.0  # decayed
FROM = 10  # the best new ones by score: what the text promises decides who is tried at all
FEWEST = 5  # places: a shorter page has none to give away
EXPLORED = "explore"


@dataclass(frozen=True)
class Explored:
    """A ranking after chance had its say; `propensity` of each place, None where nothing was left to chance."""

    ranked: Ranked
    propensity: tuple[float, ...] | None = None


def explore(snapshot: Snapshot, ranked: Ranked, at_us: int, random: np.random.Generator) -> Explored:
    """Give the last place to one of the FROM best new articles, with the probability `options.explore_share`.

    Each of them is as likely as the others. What stood there before is the first below the page. An article the desk
    holds in place keeps it; one whose story is on the page is not tried.
    """
    share, head = min(ranked.options.explore_share, MOST_SHARE), ranked.head
    if share <= 0 or len(head) < FEWEST or int(head[-1]) in ranked.result.held:
        return Explored(ranked)
    new = _new(snapshot, ranked, at_us)
    if not len(new):
        return Explored(ranked)
    certain = (1.0,) * (len(head) - 1)
    if random.random() >= share:
        return Explored(ranked, (*certain, 1.0 - share))
    tried = int(new[random.integers(len(new))])
    result = replace(ranked.result, head=np.append(head[:-1], tried), held={**ranked.result.held, tried: EXPLORED})
    return Explored(replace(ranked, result=result), (*certain, share / len(new)))


def _new(snapshot: Snapshot, ranked: Ranked, at_us: int) -> NDArray[np.intp]:
    """The candidates that may be tried, best first."""
    columns, tier = snapshot.index.columns, ranked.result.candidates.tier
    rows, head = ranked.rows, ranked.rows[ranked.head]
    told = columns.story_id[head]
    may = columns.published_at_us[rows] > at_us - int(NEW_H * HOUR_US)
    may &= ~np.isin(rows, head) & ~np.isin(columns.story_id[rows], told[told != 0])
    if tier is not None:
        may &= tier == 0
    found = np.flatnonzero(may)
    found = found[snapshot.popularity.reads(columns.id[rows[found]], at_us) < FEW_READS]
    score = ranked.signals_of(found) @ ranked.result.weights + ranked.result.adjust[found]
    return np.asarray(found[np.lexsort((columns.id[rows[found]], -score))][:FROM], np.intp)
