"""Outlets that sign their titles do not look alike for it."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.values import ArticleText
from recommender.index import ArticleIndex
from recommender.titles import repeated_tails, without_tail

SIGNED = [
    "Storm nears the coast - The Daily Bugle",
    "Minister resigns over letters - The Daily Bugle",
    "A quiet win for the rowers | Sport - The Daily Bugle",
    "Late goal decides the derby | Sport - The Daily Bugle",
    "Why the tram is late | Sport - The Daily Bugle",
    "東京で新しい美術館が開館しました｜毎朝新報",
    "大阪の市場で火災がありました今朝｜毎朝新報",
    "北海道の鉄道が再開しましたよ｜毎朝新報",
    "Trade war - what now for the farmers of the delta",
]


def test_an_ending_that_repeats_is_a_name() -> None:
    assert repeated_tails(SIGNED) == {"the daily bugle", "sport", "毎朝新報"}


@pytest.mark.parametrize(
    ("title", "rest"),
    [
        ("Rain stops play - the daily BUGLE", "Rain stops play"),
        ("Rain stops play | Sport - The Daily Bugle", "Rain stops play"),
        ("Trade war - what now", "Trade war - what now"),
        ("The Daily Bugle", "The Daily Bugle"),
        ("Obit - The Daily Bugle", "Obit - The Daily Bugle"),  # too short a rest to be the title
        ("京都の寺で桜が満開になりました｜毎朝新報", "京都の寺で桜が満開になりました"),
        ("", ""),
    ],
)
def test_only_known_names_are_cut(title: str, rest: str) -> None:
    assert without_tail(title, repeated_tails(SIGNED)) == rest


def test_one_title_in_many_outlets_makes_no_name() -> None:
    assert repeated_tails(["Talks resume in Geneva - what we know"] * 9) == frozenset()


@given(st.text(max_size=80), st.lists(st.text(max_size=40), max_size=8))
def test_what_is_left_begins_the_title(title: str, others: list[str]) -> None:
    assert title.startswith(without_tail(title, repeated_tails([*others, title])))


def test_two_articles_of_one_outlet_are_no_more_alike_than_their_subjects(
    make_text: Callable[..., ArticleText],
) -> None:
    subjects = [
        "volcano ash island",
        "tennis final serve",
        "bank rate loan",
        "choir concert hall",
        "vaccine trial dose",
    ]
    names = ["The Daily Bugle", "Morning Trumpet Online"]
    texts = [
        make_text(number, f"{subjects[number % 5]} number{number} - {names[number % 2]}", body=subjects[number % 5])
        for number in range(1, 31)
    ]
    index = ArticleIndex.build(texts)
    same_outlet, same_subject = index.rows_of([3, 6])  # 1 and 3 share the outlet, 1 and 6 the subject
    found = index.similarity(index.vectors(index.rows_of([1])))
    assert found[same_outlet] < 0.1 < found[same_subject]
    assert np.isclose(found[index.row_of(11)], found[same_subject], atol=0.15)  # the other outlet or not: no matter
