"""Opened by readers who read alike: two circles of readers, and what each of them opens."""

import numpy as np
import pytest

from recommender.replay.alike import ALIKE_NAMES, alike_features, reader_directions, with_alike
from recommender.replay.causal import DELAYS_US
from recommender.replay.causal import replay as causal_pass
from recommender.replay.log import HOUR_US, Articles, Log, Reads, Slates

READERS, OLD, SLATES = 40, 30, 400


@pytest.fixture
def circles() -> Log:
    """Of the later old articles even readers read even ones, odd readers odd ones; all read the first half.

    Articles OLD and OLD + 1 are new, opened by the same rule.
    """
    rng = np.random.default_rng(0)
    reader = np.repeat(np.arange(READERS), 16)
    half = OLD // 4
    own = OLD // 2 + 1 + 2 * rng.integers(0, half, len(reader)) - reader % 2
    read = np.where(np.arange(len(reader)) % 2, own, rng.integers(0, OLD // 2, len(reader)))
    shown = rng.integers(0, READERS, SLATES)
    start_at = 100 * HOUR_US
    slates = Slates(
        at=start_at + np.arange(SLATES, dtype=np.int64) * HOUR_US // 60,
        reader=shown.astype(np.int32),
        start=np.arange(0, 2 * SLATES + 1, 2),
        item=np.tile(np.array([OLD, OLD + 1], np.int32), SLATES),
        clicked=np.stack([shown % 2 == 0, shown % 2 == 1], 1).astype(np.uint8).ravel(),
        beside=np.full(SLATES, -1, np.int32),
        device=np.zeros(SLATES, np.int32),
    )
    reads = Reads(
        np.arange(len(reader), dtype=np.int64) * HOUR_US // 10, reader.astype(np.int32), read.astype(np.int32),
        np.ones(len(reader), np.float32), np.ones(len(reader), np.uint8),
    )  # fmt: skip
    count = OLD + 2
    none = np.zeros(count, np.int64)
    articles = Articles(none, none, np.zeros((0, count), np.int32), np.zeros((count, 0), np.float32))
    return Log(slates, reads, articles, (), (), np.arange(count), np.arange(READERS), np.ones(SLATES, np.float32))


def test_directions_tell_the_circles_apart(circles: Log) -> None:
    directions = reader_directions(circles, 2**62, rank=3)
    likeness = directions @ directions.T
    same = np.arange(READERS)[:, None] % 2 == np.arange(READERS)[None] % 2
    assert likeness[same].mean() > likeness[~same].mean() + 0.5
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-5)


def test_readers_without_reads_point_nowhere(circles: Log) -> None:
    directions = reader_directions(circles, 1, rank=3)  # a moment after the first read
    assert (np.linalg.norm(directions, axis=1) > 0.5).sum() <= 1


def test_what_ones_circle_opens_stands_higher(circles: Log) -> None:
    X = alike_features(circles, reader_directions(circles, 2**62), 0).reshape(SLATES, 2, len(ALIKE_NAMES))
    odd = circles.slates.reader % 2
    late = np.arange(SLATES) > 40
    mine, other = X[np.arange(SLATES), odd][late], X[np.arange(SLATES), 1 - odd][late]
    assert (mine > other).mean() > 0.95
    np.testing.assert_array_equal(X[0], 0)


def test_openings_younger_than_the_delay_are_not_counted(circles: Log) -> None:
    directions = reader_directions(circles, 2**62)
    assert not alike_features(circles, directions, DELAYS_US["off"]).any()
    early = alike_features(circles, directions, HOUR_US).reshape(SLATES, 2, 2)
    assert not early[circles.slates.at < circles.slates.at[0] + HOUR_US].any()
    assert early[-1].any()


def test_they_stand_beside_the_counters_in_any_part_of_a_log(circles: Log) -> None:
    first = SLATES // 2
    part = with_alike(causal_pass(circles, 0, from_slate=first), circles, 0, first)
    assert part.X.shape == (2 * (SLATES - first), len(part.names))
    assert part.names[part.candidate - 2 : part.candidate] == ALIKE_NAMES
    assert part.names[part.candidate] == "slate_size"
    assert part.column("alike_quality").any()
