"""What is near an article, in one compiled pass, is what the plain functions say of it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.values import ArticleText, EventBatch, SourceRow
from data.wire import EVENT_KINDS
from recommender import near, signals
from recommender.index import ArticleIndex
from recommender.packed import Packed
from recommender.popularity import Popularity
from recommender.ranking import Options
from recommender.related import ANGLE, SAME, is_retold
from recommender.rules import Judge
from recommender.signals import HOUR_US
from recommender.snapshot import Snapshot, shared_signals, trust

AT_US = 3_000 * HOUR_US
WORDS = [f"w{one}" for one in range(40)]


def newsroom(seed: int, count: int = 60) -> Snapshot:
    """Articles of every kind: retracted, of tomorrow, under embargo, of other languages, stories and outlets."""
    random = np.random.default_rng(seed)

    def text(number: int) -> ArticleText:
        words = random.choice(WORDS[: 10 + 30 * int(random.integers(2))], 12)
        return ArticleText(
            id=number, rev=number, title=" ".join(words[:4]), summary=" ".join(words), body="",
            language=str(random.choice(["en", "cs", "en-GB"])), source_id=int(random.integers(0, 5)), category="",
            topics=(), places=(), published_at_us=AT_US + int(random.integers(-200, 10)) * HOUR_US,
            news_value=int(random.integers(0, 6)), lifetime=str(random.choice(signals.LIFETIMES)),
            embargo_until_us=AT_US + HOUR_US if random.random() < 0.1 else 0, retracted=bool(random.random() < 0.1),
            story_id=int(random.integers(0, 6)),
        )  # fmt: skip

    texts = [text(number) for number in range(1, count + 1)]
    index = ArticleIndex.build(texts[: count // 2]).add(texts[count // 2 :])
    n = 300
    kind = random.integers(0, len(EVENT_KINDS), n).astype(np.int8)
    at_us = AT_US - random.integers(-5, 50, n) * HOUR_US
    events = EventBatch(1, random.integers(1, count, n), random.integers(1, 50, n), at_us, kind)
    outlets = {one: SourceRow(one, f"s{one}", f"S{one}", None, one / 5) for one in (1, 2, 4)}
    return Snapshot(index, Popularity().add(events), outlets)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_what_is_near_is_compared_and_judged_as_the_plain_functions_do(seed: int) -> None:
    index = newsroom(seed).index
    row = seed % len(index.columns)
    rows, words = index.near_row(row, 50)
    found = near.compared(index, row, rows, words, AT_US, SAME, ANGLE)
    cosine = index.similarity_to(index.vectors(np.array([row])), rows)
    np.testing.assert_array_equal(found.cosine, cosine)
    np.testing.assert_array_equal(found.is_retold, is_retold(index, row, rows, cosine, AT_US))
    judged = Judge(index, rows, AT_US).publication(()).judged().allowed
    np.testing.assert_array_equal(found.out & ~near.OTHER_LANGUAGE == 0, judged)
    language = index.columns.language
    np.testing.assert_array_equal(found.out & near.OTHER_LANGUAGE == 0, language[rows] == language[row])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 7.0]), st.sampled_from([0, 30 * HOUR_US]))
def test_signals_beside_an_article_are_those_of_every_list(seed: int, scale: float, back_us: int) -> None:
    """To a last bit of float32: popularity sums in another order. Also at an instant before the last read."""
    snapshot, random, at_us = newsroom(seed), np.random.default_rng(seed), AT_US - back_us
    options = Options(freshness_scale=scale)
    rows = np.sort(random.permutation(len(snapshot.index.columns))[: random.integers(0, 50)])
    cosine, liking = random.random(len(rows), np.float32), random.random(len(rows), np.float32)
    S, outlets = near.signal_matrix(snapshot, rows, cosine, liking, options, at_us)
    plain = {
        **shared_signals(snapshot, rows, at_us, options),
        "similarity": signals.similarity(cosine),
        "source": signals.source(trust(snapshot, rows), liking),
    }
    np.testing.assert_allclose(S, signals.matrix(plain), rtol=3e-7, atol=1e-7)
    np.testing.assert_array_equal(outlets, snapshot.index.story_sources(rows, at_us))


@pytest.mark.parametrize("one_segment", [True, False])
def test_texts_laid_side_by_side_have_the_cosines_of_their_vectors(one_segment: bool) -> None:
    index = newsroom(5, 90).index
    index = index.compact() if one_segment else index
    rows = np.random.default_rng(5).permutation(len(index.columns))[:40]
    slots = np.arange(40)
    expected = Packed.of(index.vectors(rows)).among(slots, slots)
    np.testing.assert_allclose(index.packed(rows).among(slots, slots), expected, atol=1e-6)
    assert len(index.packed(rows[:0]).starts) == 0
