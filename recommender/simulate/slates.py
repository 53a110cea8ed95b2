"""Lists by weights, and clicks on them by a model with position bias: what a reader looks at, and then likes."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
SIGNALS = ("similarity", "freshness", "popularity", "news_value")


@dataclass(frozen=True)
class World:
    """Readers with tastes, articles with qualities, and what makes a reader open an article."""

    taste: Doubles  # (readers x topics), rows sum to 1
    appetite: Doubles  # (readers,) added to the log odds of every open
    visits: Doubles  # (readers,) chances to be the reader of a request, summing to 1
    topic: Ints  # (articles,)
    quality: Doubles  # (articles,) standard normal: what everybody likes, known to nobody
    popularity: Doubles  # (articles,) in [0, 1]: a noisy view of the quality
    news_value: Doubles  # (articles,) in [0, 1], what the desk thinks of it
    published_h: Doubles  # (articles,)
    truth: Doubles  # (4,) of taste, freshness, quality, news value in the log odds of an open
    base: float = -3.0  # log odds of an open of an article that nothing speaks for
    looks: float = 0.7  # a place is looked at with probability place ** -looks
    fatigue: float = 0.15  # by how much log odds fall with each earlier list of the same day

    @classmethod
    def draw(
        cls, readers: int, articles: int, random: np.random.Generator, *, topics: int = 8, days: int = 14
    ) -> "World":
        """A world in which taste counts most, then quality, freshness, and the desk's judgement a little."""
        quality = random.normal(size=articles)
        visits = random.gamma(0.8, 1.0, readers) + 1e-3
        seen = 1 / (1 + np.exp(-(quality + random.normal(size=articles))))
        return cls(
            taste=random.dirichlet(np.full(topics, 0.3), readers),
            appetite=random.normal(0.0, 0.7, readers),
            visits=visits / visits.sum(),
            topic=random.integers(0, topics, articles),
            quality=quality,
            popularity=seen,
            news_value=random.random(articles),
            published_h=np.sort(random.uniform(0, 24 * days, articles)),
            truth=np.array([3.0, 1.0, 0.5, 0.2]),
        )

    @property
    def readers(self) -> int:
        """How many readers there are."""
        return len(self.appetite)


@dataclass(frozen=True)
class Requests:
    """Who asked for a list when, and what could be on it."""

    reader: Ints  # (requests,)
    at_h: Doubles  # (requests,)
    earlier: Ints  # (requests,) lists of the same reader before on that day
    candidates: Ints  # (requests x candidates) articles, no repeats in a row
    S: Doubles  # (requests x candidates x 4), in the order of SIGNALS


def requests(
    world: World, reader: npt.ArrayLike, at_h: npt.ArrayLike, random: np.random.Generator, *, candidates: int = 30
) -> Requests:
    """What each list chooses from: `candidates` articles in a row somewhere among the newest published before.

    Articles must have been published before the first request, `candidates` at least.
    """
    who, when = np.asarray(reader, np.int64), np.asarray(at_h, np.float64)
    newest = np.maximum(np.searchsorted(world.published_h, when) - 1, candidates - 1)
    back = random.integers(0, np.minimum(newest - candidates + 1, candidates) + 1)
    rows = (newest - back)[:, None] - np.arange(candidates)[None, :]
    age_h = np.maximum(when[:, None] - world.published_h[rows], 0.0)
    S = np.stack(
        [
            world.taste[who[:, None], world.topic[rows]],
            0.5 ** (age_h / 12.0),
            world.popularity[rows],
            world.news_value[rows],
        ],
        axis=2,
    )
    return Requests(who, when, _earlier(who, when), rows, S)


def ranked(asked: Requests, weights: npt.ArrayLike, length: int) -> Ints:
    """The best `length` candidates of each request by S @ weights, as columns of `candidates` (requests x length)."""
    return np.asarray(np.argsort(-(asked.S @ np.asarray(weights, np.float64)), axis=1, kind="stable")[:, :length])


def liking(world: World, asked: Requests, chosen: Ints) -> Doubles:
    """The true probability that a reader who looks at an article opens it (requests x places)."""
    rows = np.take_along_axis(asked.candidates, chosen, axis=1)
    taste, freshness = (np.take_along_axis(asked.S[:, :, one], chosen, axis=1) for one in (0, 1))
    says = np.stack([taste, freshness, world.quality[rows], world.news_value[rows]], axis=2) @ world.truth
    odds = world.base + world.appetite[asked.reader][:, None] + says - world.fatigue * asked.earlier[:, None]
    return np.asarray(1 / (1 + np.exp(-odds)))


def looked_at(world: World, places: int) -> Doubles:
    """The probability that each place is looked at (places,): 1 for the first."""
    return np.arange(1, places + 1, dtype=np.float64) ** -world.looks


def clicks(world: World, asked: Requests, chosen: Ints, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """What was opened (requests x places): looked at, and liked (Craswell et al., WSDM 2008)."""
    probability = looked_at(world, chosen.shape[1]) * liking(world, asked, chosen)
    return np.asarray(random.random(probability.shape) < probability)


def _earlier(reader: Ints, at_h: Doubles) -> Ints:
    """How many requests of the same reader and day came before each."""
    order = np.lexsort((at_h, reader))
    day = (at_h[order] // 24).astype(np.int64)
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(reader[order]) != 0) | (np.diff(day) != 0)
    first = np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order)) - first
    return found
