"""The next thing to read: same subject, not the same again, not off-topic, and honest where nothing is related."""

import gzip
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.clock import micros
from data.values import ArticleText
from recommender.for_you import Ask
from recommender.index import ArticleIndex
from recommender.related import Related, heading, related, shares_words
from recommender.signals import HOUR_US
from recommender.snapshot import NOBODY, Snapshot

Make = Callable[..., ArticleText]
NOW_US = 2_000_000 * HOUR_US
JAPAN_TIMES, NHK = 7, 8
CAR, BESSENT, TALKS, LETTERS = 1, 2, 3, 4
EVERY = 6  # of the 20,000 headlines of the background


def shown(index: ArticleIndex, article: int, *, at_us: int = NOW_US, limit: int = 6) -> tuple[list[int], Related]:
    """The ids under an article, and everything that was decided."""
    row = index.row_of(article)
    found = related(Snapshot(index), row, NOBODY, Ask(limit=limit), at_us=at_us)
    chosen = found.ranked.rows[found.ranked.order[: found.ranked.served]]
    return index.columns.id[chosen].tolist(), found


# --- a newsroom made up for the purpose

QUAKE = "Strong earthquake shakes the harbour town of Lindau"
RETOLD = "Strong earthquake shakes harbour town Lindau"
TAXES = "Parliament debates the new property tax for second homes"


@pytest.fixture(scope="module")
def town(make_text: Make) -> list[ArticleText]:
    """A story told three times, its other angles, a second subject, and much that has nothing to do with either."""
    told = [
        (QUAKE, "The earthquake of magnitude six shook Lindau at dawn; houses near the harbour collapsed.", 100, 1),
        (RETOLD, "The earthquake of magnitude six shook Lindau at dawn; houses near the harbour collapsed.", 100, 2),
        (
            "Lindau counts the cost of the earthquake",
            "Insurers estimate what rebuilding the harbour will cost.",
            100,
            3,
        ),
        (
            "Why earthquakes are rare on the lake",
            "A geologist on faults, magnitude and what an earthquake needs.",
            0,
            2,
        ),
        (TAXES, "The opposition calls the tax on second homes unfair; a vote is due in autumn.", 200, 1),
        ("Property tax vote is put off", "Parliament needs more time for the tax on second homes.", 201, 3),
    ]
    noise = ("choir concert", "football derby", "bakery reopens", "ferry timetable", "chess open", "library hours")
    made = [
        make_text(number, title, summary=body, story_id=story, source_id=source, category="News")
        for number, (title, body, story, source) in enumerate(told, 1)
    ]
    made += [
        make_text(
            number,
            f"{noise[number % 6]} number {number}",
            summary=f"All about {noise[number % 6]}, in issue {number}.",
            source_id=number % 4,
            category="Life",
        )
        for number in range(10, 60)
    ]
    return [replace(text, published_at_us=NOW_US - text.id * HOUR_US) for text in made]


def test_the_same_subject_comes_and_the_same_report_does_not(town: list[ArticleText]) -> None:
    ids, found = shown(ArticleIndex.build(town), 1)
    assert 2 not in ids
    assert found.same_story >= 1
    assert {3, 4} <= set(ids)
    assert found.fallback is None
    assert not set(ids) & {5, 6}


def test_what_is_off_topic_is_not_shown_to_fill_the_list(town: list[ArticleText]) -> None:
    ids, found = shown(ArticleIndex.build(town), 5)
    assert ids == [6]
    assert found.cosine.min() >= 0.21


def test_nothing_is_related_without_words_in_common(town: list[ArticleText]) -> None:
    """Short texts meet in the latent space for what they are (a column, a ticker), not for what they tell."""
    index = ArticleIndex.build(town)
    for article in (1, 4, 5, 12):
        _, found = shown(index, article)
        if found.fallback is None:
            row, rows = index.row_of(article), found.ranked.rows
            words = index.vectors(np.append(rows, row)).words
            stems = np.minimum(np.diff(words.indptr)[:-1], np.diff(words.indptr)[-1])
            assert shares_words((words[:-1] @ words[-1].T).toarray().ravel(), stems).all()


def test_the_shorter_the_texts_the_more_words_they_must_share() -> None:
    stems = np.array([5, 20, 50, 80, 500])
    assert shares_words(np.full(5, 0.125), stems).tolist() == [True] * 5
    assert shares_words(np.full(5, 0.101), stems).tolist() == [False, False, True, True, True]
    assert shares_words(np.full(5, 0.079), stems).tolist() == [False] * 5


def test_where_nothing_is_related_the_list_says_so(town: list[ArticleText], make_text: Make) -> None:
    lonely = make_text(99, "Quixotic zebra yodels", category="Life", published_at_us=NOW_US - HOUR_US)
    index = ArticleIndex.build([*town, lonely])
    ids, found = shown(index, 99)
    assert found.fallback == "category"
    assert heading(found.fallback, "Life") == "More from Life"
    assert set(ids) <= {text.id for text in town if text.category == "Life"}
    assert found.ranked.S[:, 0].max() == 0.0  # a chance likeness earns nothing in such a list
    without = index.add([replace(lonely, category="")])
    _, found = shown(without, 99)
    assert (found.fallback, heading(found.fallback, None)) == ("latest", "Latest")


def test_of_two_equally_related_the_fresher_leads(town: list[ArticleText], make_text: Make) -> None:
    body = "A geologist on faults, magnitude and what an earthquake needs."
    old = make_text(80, "Earthquakes explained", summary=body, published_at_us=NOW_US - 3_000 * HOUR_US)
    new = make_text(81, "Earthquakes explained", summary=body, published_at_us=NOW_US - HOUR_US, source_id=2)
    ids, _ = shown(ArticleIndex.build([*town, old, new]), 1)
    assert 81 in ids
    assert 80 not in ids[: ids.index(81)]


def test_nothing_from_the_future_and_nothing_taken_back(town: list[ArticleText]) -> None:
    index = ArticleIndex.build(town)
    early, _ = shown(index, 4, at_us=NOW_US - 3 * HOUR_US - 1)  # 1 to 3 come out later
    assert not {1, 2, 3} & set(early)
    taken = index.add([replace(town[2], retracted=True)])
    assert 3 not in shown(taken, 1)[0]


def test_only_the_language_of_the_article_unless_another_is_asked_for(town: list[ArticleText]) -> None:
    index = ArticleIndex.build([*town, replace(town[2], id=70, language="de", story_id=0)])
    assert 70 not in shown(index, 1)[0]
    found = related(Snapshot(index), index.row_of(1), NOBODY, Ask(limit=6, language="de"), at_us=NOW_US)
    assert index.columns.id[found.ranked.rows].tolist() == [70]


def test_an_article_without_words_gets_the_latest(town: list[ArticleText], make_text: Make) -> None:
    ids, found = shown(ArticleIndex.build([*town, make_text(98, "", published_at_us=NOW_US)]), 98)
    assert found.fallback == "latest"
    assert len(ids) == 6


def test_alone_in_the_archive(make_text: Make) -> None:
    ids, found = shown(ArticleIndex.build([make_text(1, "Only this one")]), 1)
    assert (ids, found.fallback) == ([], "latest")


# --- the four articles that the product was born from, in a real corpus of other years


def _text(make: Make, number: int, row: dict[str, Any], source_id: int) -> ArticleText:
    return make(
        number,
        row["title"],
        summary=row.get("summary") or "",
        body=row.get("body") or "",
        language=row.get("language") or "en",
        published_at_us=micros(datetime.fromisoformat(row["published_at"])),
        source_id=source_id,
    )


@pytest.fixture(scope="module")
def seeded(shared_data: Path, make_text: Make) -> ArticleIndex:
    """The seeds among headlines of 2019."""
    seeds = [json.loads(line) for line in (shared_data / "seed-articles.jsonl").read_text("utf-8").splitlines()]
    outlets = {"japan-times": JAPAN_TIMES, "nhk": NHK}
    texts = [_text(make_text, number, row, outlets[row["source"]["id"]]) for number, row in enumerate(seeds, 1)]
    with gzip.open(shared_data / "corpora" / "multisource_2019.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = map(json.loads, itertools.islice(lines, 0, None, EVERY))
        texts += [_text(make_text, number, row, 100 + number % 50) for number, row in enumerate(rows, 100)]
    return ArticleIndex.build(texts)


def together(index: ArticleIndex, ids: Sequence[int]) -> ArticleIndex:
    """The index in which these articles are one story."""
    return index.with_stories(dict.fromkeys(ids, min(ids)))


@pytest.fixture(scope="module")
def soon(seeded: ArticleIndex) -> int:
    """A few hours after the last of the seeds."""
    return int(seeded.columns.published_at_us.max()) + 5 * HOUR_US


@pytest.mark.parametrize("one_story", [False, True])
@pytest.mark.parametrize("article", [BESSENT, TALKS, LETTERS])
def test_the_three_trade_stories_find_each_other(
    seeded: ArticleIndex, soon: int, article: int, *, one_story: bool
) -> None:
    index = together(seeded, [BESSENT, TALKS, LETTERS]) if one_story else seeded
    ids, found = shown(index, article, at_us=soon)
    assert found.fallback is None
    assert set(ids[:2]) == {BESSENT, TALKS, LETTERS} - {article}


def test_they_find_each_other_years_later_too(seeded: ArticleIndex, soon: int) -> None:
    later = soon + 3 * 365 * 24 * HOUR_US
    for article in (BESSENT, TALKS, LETTERS):
        assert {BESSENT, TALKS, LETTERS} - {article} <= set(shown(seeded, article, at_us=later)[0])


def test_the_car_story_gets_no_tariff_story_of_its_outlet(seeded: ArticleIndex, soon: int) -> None:
    ids, _ = shown(seeded, CAR, at_us=soon, limit=10)
    assert not {BESSENT, TALKS, LETTERS} & set(ids)
    for article in (BESSENT, TALKS, LETTERS):
        assert CAR not in shown(seeded, article, at_us=soon, limit=10)[0]


def test_the_outlet_is_no_part_of_the_likeness(seeded: ArticleIndex) -> None:
    moved = replace(seeded.columns, source_id=np.where(seeded.columns.id < 10, 55, seeded.columns.source_id))
    other = replace(seeded, columns=moved)
    for article in (CAR, TALKS):
        mine, theirs = (one.similarity(one.vectors(np.array([one.row_of(article)]))) for one in (seeded, other))
        np.testing.assert_array_equal(mine, theirs)
