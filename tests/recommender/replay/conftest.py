"""A small made-up log with every kind of thing in it: two kinds of page, reads outside, groups, repeated showings."""

import numpy as np
import pytest

from recommender.replay.log import HOUR_US, Articles, Log, Reads, Slates

MINUTE_US = HOUR_US // 60


def made_log(seed: int = 0, slates: int = 60, articles: int = 25, readers: int = 6) -> Log:
    """Slates some minutes apart, in which articles of an even number are clicked more."""
    rng = np.random.default_rng(seed)
    first = 1_600_000_000_000_000
    at = first + np.cumsum(rng.integers(0, 20, slates)) * MINUTE_US
    sizes = rng.integers(3, 8, slates)
    item = np.concatenate([rng.choice(articles, size, replace=False) for size in sizes]).astype(np.int32)
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    clicked = np.zeros(len(item), np.uint8)
    for slate in range(slates):
        part = item[start[slate] : start[slate + 1]]
        clicked[start[slate] + int(np.argmax(rng.random(len(part)) + (part % 2 == 0)))] = 1
    beside = np.where(rng.random(slates) < 0.3, rng.integers(0, articles, slates), -1).astype(np.int32)
    who = rng.integers(0, readers, slates).astype(np.int32)
    reads = Reads(
        at=np.sort(rng.integers(at[0] - 24 * HOUR_US, at[-1], 50)),
        reader=rng.integers(0, readers, 50).astype(np.int32),
        item=rng.integers(0, articles, 50).astype(np.int32),
        worth=rng.random(50).astype(np.float32),
        counts=np.ones(50, np.uint8),
    )
    groups = np.stack([np.arange(articles) % 2, 2 + np.arange(articles) % 3]).astype(np.int32)
    things = Articles(
        np.arange(100, 100 + articles),
        np.zeros(articles, np.int64),
        groups,
        rng.random((articles, 1)).astype(np.float32),
    )
    return Log(
        Slates(at, who, start, item, clicked, beside, np.zeros(slates, np.int32)), reads, things, ("paid", "length"),
        ("size",), np.arange(articles), np.arange(readers), np.ones(slates, np.float32),
    )  # fmt: skip


@pytest.fixture(scope="session")
def log() -> Log:
    return made_log()
