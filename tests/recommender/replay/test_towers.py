"""Two towers of words, lifts of like articles, and manners of titles, on worlds whose truth is planted."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from recommender.replay.log import HOUR_US, Articles, Log, Reads, Slates
from recommender.replay.nearby import nearby_lift
from recommender.replay.past import past_of
from recommender.replay.texts import Words
from recommender.replay.titles import TITLE_NAMES, title_features
from recommender.replay.towers import Towers, Training, fit_towers, offered_rows, tower_feature

READERS, OLD, NEW, SLATES, TERMS = 60, 40, 10, 200, 8
HOW = Training(rank=4, passes=6)


@pytest.fixture
def fields() -> tuple[Log, Words]:
    """Even articles are of the words 0 to 3, odd ones of 4 to 7; even readers read even ones. New ones are shown."""
    rng = np.random.default_rng(0)
    count = OLD + NEW
    reader = np.repeat(np.arange(READERS), 8)
    read = 2 * rng.integers(0, OLD // 2, len(reader)) + reader % 2
    shown = rng.integers(0, READERS, SLATES)
    pairs = OLD + 2 * rng.integers(0, NEW // 2, (SLATES, 1)) + np.array([[0, 1]])
    slates = Slates(
        at=100 * HOUR_US + np.arange(SLATES, dtype=np.int64) * HOUR_US // 60,
        reader=shown.astype(np.int32),
        start=np.arange(0, 2 * SLATES + 1, 2),
        item=pairs.ravel().astype(np.int32),
        clicked=np.stack([shown % 2 == 0, shown % 2 == 1], 1).astype(np.uint8).ravel(),
        beside=np.full(SLATES, -1, np.int32),
        device=np.zeros(SLATES, np.int32),
    )
    reads = Reads(
        np.arange(len(reader), dtype=np.int64) * HOUR_US // 10, reader.astype(np.int32), read.astype(np.int32),
        np.ones(len(reader), np.float32), np.ones(len(reader), np.uint8),
    )  # fmt: skip
    none = np.zeros(count, np.int64)
    articles = Articles(none, none, np.zeros((0, count), np.int32), np.zeros((count, 0), np.float32))
    log = Log(slates, reads, articles, (), (), np.arange(count), np.arange(READERS), np.ones(SLATES, np.float32))
    term = (4 * (np.arange(count) % 2)[:, None] + rng.integers(0, 4, (count, 2))).ravel()
    matrix = sparse.csr_matrix((np.full(2 * count, 0.7), (np.repeat(np.arange(count), 2), term)), shape=(count, TERMS))
    return log, Words.of(matrix)


def judged(log: Log) -> np.ndarray:
    return np.isin(np.arange(len(log.ids)), log.slates.item)


def test_readers_are_offered_what_has_the_words_they_read(fields: tuple[Log, Words]) -> None:
    log, words = fields
    towers = fit_towers(log, words, 2**62, judged(log), HOW)
    X = tower_feature(log, words, towers, 2**61, past_of(log), HOW).reshape(SLATES, 2)
    own = log.slates.reader % 2
    each = np.arange(SLATES)
    assert (X[each, own] > X[each, 1 - own]).mean() > 0.95


def test_towers_are_the_same_each_time(fields: tuple[Log, Words]) -> None:
    log, words = fields
    one, two = (fit_towers(log, words, 2**62, judged(log), HOW) for _ in range(2))
    np.testing.assert_array_equal(one.read, two.read)
    np.testing.assert_array_equal(one.offered, two.offered)
    np.testing.assert_allclose(np.linalg.norm(offered_rows(words, one), axis=1), 1, atol=1e-5)


def test_articles_apart_teach_no_tower(fields: tuple[Log, Words]) -> None:
    log, words = fields
    everything = np.ones(len(log.ids), bool)
    none = fit_towers(log, words, 2**62, everything, HOW)
    early = fit_towers(log, words, 0, judged(log), HOW)
    np.testing.assert_array_equal(none.read, early.read)
    assert not np.array_equal(none.read, fit_towers(log, words, 2**62, judged(log), HOW).read)


def test_a_slate_teaches_others_but_a_candidate_is_judged_as_if_new(fields: tuple[Log, Words]) -> None:
    """Each new article has a word of its own: offering it teaches nothing that is counted for it."""
    log, _ = fields
    apart = judged(log)
    rows = np.zeros((len(log.ids), 1 + len(log.ids)), np.float32)
    rows[~apart, 0] = 1
    rows[apart, 1 + np.flatnonzero(apart)] = 1
    words = Words.of(sparse.csr_matrix(rows))
    towers = Towers(np.ones((rows.shape[1], 2)), np.zeros((rows.shape[1], 2)))  # nothing is offered yet
    still = tower_feature(log, words, towers, 0, past_of(log), HOW)
    np.testing.assert_allclose(still, 0, atol=1e-6)
    shared = Words.of(sparse.csr_matrix(rows + apart[:, None] * np.eye(1, rows.shape[1], dtype=np.float32)))
    assert np.abs(tower_feature(log, shared, towers, 0, past_of(log), HOW)).max() > 1e-3


def test_like_articles_promise_and_its_own_clicks_do_not(fields: tuple[Log, Words]) -> None:
    log, _ = fields
    dense = np.stack([np.arange(len(log.ids)) % 2 == 0, np.arange(len(log.ids)) % 2 == 1], 1).astype(np.float32)
    clicked = (log.slates.item % 2 == 0).astype(np.uint8)  # whoever is asked opens the even one
    always = replace(log, slates=log.slates._replace(clicked=clicked))
    X = nearby_lift(always, dense, 0).reshape(SLATES, 2)
    assert (X[20:, 0] > X[20:, 1]).all()
    alone = nearby_lift(always, np.eye(len(log.ids), dtype=np.float32), 0)
    assert not alone.any()
    assert not nearby_lift(always, dense, 2**61).any()


def test_manners_of_titles() -> None:
    X = title_features(["10 photos: what YOU missed", "Regen im Norden", ""])
    named = dict(zip(TITLE_NAMES, X[0], strict=True))
    assert named == {
        "title_words": 5, "title_word_length": pytest.approx(26 / 5), "title_number": 1, "title_begins_with_number": 1,
        "title_question": 0, "title_colon": 1, "title_quote": 0, "title_capitals": 1, "title_you": 1, "title_how": 1,
        "title_pictures": 1,
    }  # fmt: skip
    assert X[1].tolist() == [3, 5, *[0] * 9]
    assert not X[2].any()
    assert title_features([]).shape == (0, len(TITLE_NAMES))
