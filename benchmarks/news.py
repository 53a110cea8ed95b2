"""Seeded, real-shaped news: Zipf vocabulary, sections > topics > themes > stories, near-duplicates, times.

Every article is a function of (seed, its number in story order), so n can grow without a change of method. Token
by token: copied from the base text of its story, or drawn from the story's, theme's, topic's, section's or the
common words. Each level owns a short list of words, whose commonness in the vocabulary is itself log-uniform, as it
is for real keywords. Common words follow Zipf-Mandelbrot with stop words already removed. `docs/benchmarks.md` says
how the shape was held against the real corpora.
"""

from dataclasses import dataclass

import numba as nb
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

DAY_US = 86_400_000_000
START_US = 1_600_000_000_000_000


@dataclass(frozen=True)
class Shape:
    """What the generated news looks like."""

    vocabulary: int = 300_000
    sections: int = 12
    topics: int = 300
    themes: int = 10_000
    articles_a_day: int = 2_000
    tokens_median: float = 285.0  # gives about 185 distinct terms
    tokens_sigma: float = 0.35
    largest_story: int = 60
    story_exponent: float = 2.0
    sources: int = 200
    copied_share: float = 1.0  # scales how much of its story's base text an article repeats


@dataclass(frozen=True)
class News:
    """n articles, oldest first. `words` (n x vocabulary) float32: sublinear tf times smooth idf, rows of length 1."""

    words: sparse.csr_matrix
    published_at_us: NDArray[np.int64]
    story: NDArray[np.int64]
    theme: NDArray[np.int64]
    source: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.words.shape[0])


def generate(count: int, seed: int = 0, shape: Shape | None = None) -> News:
    """`count` articles; about 25 us of CPU and 1.5 kB each."""
    shape = shape or Shape()
    rng = np.random.default_rng(seed)
    story, at_us = _stories(count, rng, shape)
    stories = int(story.max(initial=0)) + 1
    theme = _zipf_choice(rng, shape.themes, stories)
    length = np.exp(rng.normal(np.log(shape.tokens_median), shape.tokens_sigma, count)).astype(np.int64)
    length = np.clip(length, 20, 1_500)
    copied = np.where(rng.random(count) < 0.15, rng.uniform(0.6, 0.97, count), rng.beta(1.2, 3.0, count))
    copied = copied * shape.copied_share
    indptr, indices, counts = _count(
        np.int64(seed), story, theme, length, copied, np.int64(shape.vocabulary), shape.sections, shape.topics
    )
    return News(
        words=_weigh(indptr, indices, counts, shape.vocabulary),
        published_at_us=at_us,
        story=story,
        theme=theme[story],
        source=_zipf_choice(rng, shape.sources, count),
    )


def _stories(count: int, rng: np.random.Generator, shape: Shape) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Story number and time of every article, oldest first; many stories of one article, few of dozens."""
    sizes = np.minimum(rng.zipf(shape.story_exponent, count), shape.largest_story)
    story = np.repeat(np.arange(count), sizes)[:count]
    begun = np.sort(rng.uniform(0, count / shape.articles_a_day, int(story.max(initial=0)) + 1))
    days = begun[story] + rng.exponential(0.5, count)
    order = np.argsort(days, kind="stable")
    return story[order], (START_US + days[order] * DAY_US).astype(np.int64)


def _zipf_choice(rng: np.random.Generator, choices: int, count: int) -> NDArray[np.int64]:
    """Numbers below `choices`, Zipf-Mandelbrot: a few are often chosen."""
    drawn = (choices / 20 + 1) ** rng.random(count) - 1
    return np.minimum((drawn * 20).astype(np.int64), choices - 1)


def _weigh(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], counts: NDArray[np.float32], vocabulary: int
) -> sparse.csr_matrix:
    """Rows of length 1: (1 + ln tf) * (ln((1 + n) / (1 + df)) + 1)."""
    n = len(indptr) - 1
    df = np.bincount(indices, minlength=vocabulary)
    idf = (np.log((1 + n) / (1 + df)) + 1).astype(np.float32)
    _scale_rows(indptr, indices, counts, idf)
    small = indptr.astype(np.int32) if len(indices) < 2**31 else indptr
    return sparse.csr_matrix((counts, indices, small), shape=(n, vocabulary))


@nb.njit(cache=True)
def _scale_rows(indptr, indices, values, idf):  # type: ignore[no-untyped-def]
    for row in range(len(indptr) - 1):
        total = 0.0
        for place in range(indptr[row], indptr[row + 1]):
            values[place] = (1.0 + np.log(values[place])) * idf[indices[place]]
            total += values[place] * values[place]
        scale = 1.0 / np.sqrt(total) if total > 0 else 0.0
        for place in range(indptr[row], indptr[row + 1]):
            values[place] *= scale


@nb.njit(cache=True)
def _mixed(a, b):  # type: ignore[no-untyped-def]
    """splitmix64 of two numbers: the same on every machine and version."""
    x = np.uint64(a) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(b) + np.uint64(0x632BE59BD9B4E019)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@nb.njit(cache=True)
def _uniform(x):  # type: ignore[no-untyped-def]
    return float(x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@nb.njit(cache=True)
def _rank(u, top, offset, exponent):  # type: ignore[no-untyped-def]
    """Zipf-Mandelbrot rank below `top`: p(r) ~ (r + offset) ** -exponent, exponent > 1."""
    power = 1.0 - exponent
    first = offset**power
    last = (top + offset) ** power
    return min(int((first + u * (last - first)) ** (1.0 / power) - offset), top - 1)


@nb.njit(cache=True)
def _token(seed, key, story, theme, vocabulary, sections, topics):  # type: ignore[no-untyped-def]
    """One word of an article of this story and theme; `key` is the randomness."""
    level = _uniform(_mixed(key, 1))
    u = _uniform(_mixed(key, 2))
    if level < 0.44:
        return _rank(u, vocabulary, 30.0, 1.25)
    topic = np.uint64(_rank(_uniform(_mixed(_mixed(seed, 77), theme)), topics, 10.0, 1.05))
    if level < 0.55:
        owner, top = _mixed(101, topic % np.uint64(sections)), 2_000
    elif level < 0.74:
        owner, top = _mixed(102, topic), 500
    elif level < 0.90:
        owner, top = _mixed(103, theme), 150
    else:
        owner, top = _mixed(104, story), 40
    word = _mixed(_mixed(seed, owner), _rank(u, top, 6.0, 1.3))
    return 30 + _rank(_uniform(word), vocabulary - 30, 1500.0, 1.35)


@nb.njit(cache=True)
def _count(seed, story, theme, length, copied, vocabulary, sections, topics):  # type: ignore[no-untyped-def]
    n = len(story)
    indptr = np.zeros(n + 1, np.int64)
    indices = np.empty(length.sum(), np.int32)
    counts = np.empty(len(indices), np.float32)
    drawn = np.empty(length.max() if n else 0, np.int32)
    filled = 0
    for article in range(n):
        one = story[article]
        own = _mixed(_mixed(seed, 11), article)
        base = _mixed(_mixed(seed, 12), one)
        for place in range(length[article]):
            key = _mixed(own, place)
            if place and _uniform(_mixed(key, 4)) < 0.25:  # words come again in one text
                drawn[place] = drawn[int(_uniform(_mixed(key, 5)) * place)]
                continue
            if _uniform(_mixed(key, 3)) < copied[article]:
                key = _mixed(base, place)
            drawn[place] = _token(seed, key, one, theme[one], vocabulary, sections, topics)
        words = np.sort(drawn[: length[article]])
        for place in range(len(words)):
            if place and words[place] == words[place - 1]:
                counts[filled - 1] += 1
            else:
                indices[filled] = words[place]
                counts[filled] = 1
                filled += 1
        indptr[article + 1] = filled
    return indptr, indices[:filled].copy(), counts[:filled].copy()
