"""What a card says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.values import ArticleRow, SourceRow
from recommender.cards import EXCERPT_CHARACTERS, age, card, excerpt

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "language", "said"),
    [
        (3, "en", "3 hours ago"),
        (3, "da", "for 3 timer siden"),
        (3, "cs-CZ", "před 3 hodinami"),
        (3, "ja", "3 時間前"),
        (1, "en_GB", "1 hour ago"),
        (48, "en", "2 days ago"),
        (3, "xx-nonsense", "3 hours ago"),
        (3, "", "3 hours ago"),
    ],
)
def test_age_is_said_in_the_language_of_the_reader(hours: int, language: str, said: str) -> None:
    assert age(NOW - timedelta(hours=hours), NOW, language) == said


def test_a_time_ahead_of_now_is_no_future() -> None:
    assert age(NOW + timedelta(hours=5), NOW, "en") == age(NOW, NOW, "en")
    assert "ago" in age(NOW + timedelta(hours=5), NOW, "en")


@given(st.text(max_size=600))
def test_an_excerpt_is_one_short_line_from_the_beginning(text: str) -> None:
    made = excerpt(text)
    assert len(made) <= EXCERPT_CHARACTERS + 1
    assert "\n" not in made
    assert " ".join(text.split()).startswith(made.removesuffix("…"))


def test_an_excerpt_ends_at_a_word() -> None:
    text = "The minister said on Tuesday, that " + "further talks would be held, " * 12
    made = excerpt(text)
    assert made.endswith("…")
    assert text[len(made) - 1] in " ,"
    assert not made.removesuffix("…").endswith((",", " "))


def test_a_short_text_is_left_whole_and_one_without_spaces_is_cut() -> None:
    assert excerpt("Short and\n sweet.") == "Short and sweet."
    assert excerpt("日本" * 200) == "日本" * (EXCERPT_CHARACTERS // 2) + "…"


def test_a_card_carries_what_the_face_needs_and_nothing_it_did_not_ask_for() -> None:
    row = ArticleRow(
        id=5, key="a5", url="https://news.example/5", title="Title", summary="", body="The body.",
        source=SourceRow(2, "herald", "The Herald", None, 0.5), author=None, category="World", topics=(), places=(),
        language="en", image_url=None, published_at=NOW - timedelta(hours=2), updated_at=None, news_value=None,
        lifetime="medium", embargo_until=None, retracted_at=None, story_id=3, rev=9,
    )  # fmt: skip
    made = card(row, now=NOW, language="en", story_size=2, why="Because.")
    assert (made.article_id, made.story_id, made.story_size, made.age) == ("a5", "3", 2, "2 hours ago")
    assert made.source is not None
    assert (made.source.id, made.source.name) == ("herald", "The Herald")
    assert (made.excerpt, made.score, made.parts) == ("The body.", None, None)
