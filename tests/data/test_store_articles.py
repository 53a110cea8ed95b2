"""Articles: one identity each, whole or absent, every change seen by whoever polls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from data.errors import DatabaseNotReady, NotFound
from data.store import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONG = " ".join(f"word{number} of the report" for number in range(30))


def test_a_new_article_comes_back_whole(store: Store, article: Any) -> None:
    given = article(
        "a1",
        summary="<p>One &amp; two</p>",
        body="<p>First.</p><script>evil()</script><p>Second.</p>",
        topics=["trade", "japan"],
        news_value=4,
        lifetime="long",
        embargo_until="2026-03-02T06:00:00+01:00",
    )
    assert store.put_articles([given], now=NOW).new == 1
    held = store.article("a1")
    assert (held.summary, held.body.split()) == ("One & two", ["First.", "Second."])
    assert (held.topics, held.news_value, held.lifetime) == (("trade", "japan"), 4, "long")
    assert held.embargo_until == datetime(2026, 3, 2, 5, tzinfo=UTC)
    assert held.source is not None
    assert held.source.name == "The Herald"


def test_putting_twice_changes_nothing(store: Store, article: Any) -> None:
    first = store.put_articles([article("a1"), article("a2")], now=NOW)
    before = store.article_texts(0)
    again = store.put_articles([article("a1"), article("a2")], now=NOW + timedelta(hours=1))
    assert (first.new, again.new, again.changed, again.same) == (2, 0, 0, 2)
    assert store.article_texts(0) == before


def test_an_update_keeps_the_id_and_raises_the_revision(store: Store, article: Any) -> None:
    store.put_articles([article("a1")], now=NOW)
    before = store.article("a1")
    assert store.put_articles([article("a1", title="A better title")], now=NOW).changed == 1
    after = store.article("a1")
    assert after.id == before.id
    assert after.title == "A better title"
    assert after.rev > before.rev
    assert [text.id for text in store.article_texts(before.rev)] == [after.id]


def test_the_same_canonical_url_is_the_same_article(store: Store, article: Any) -> None:
    store.put_articles([article("a1", url="https://News.example/x?utm_source=feed")], now=NOW)
    result = store.put_articles([article("guid-99", url="https://news.example/x", title="Edited")], now=NOW)
    assert (result.new, result.changed) == (0, 1)
    assert store.article("guid-99").id == store.article("a1").id
    assert store.article("a1").title == "Edited"
    assert store.article("guid-99").key == "a1"


def test_the_same_long_text_elsewhere_is_a_copy_and_does_not_overwrite(store: Store, article: Any) -> None:
    store.put_articles([article("a1", title="Talks resume", body=LONG)], now=NOW)
    copy = article("b1", title="TALKS RESUME", body=f"<p>{LONG}</p>", source={"id": "wire", "name": "Wire"})
    result = store.put_articles([copy], now=NOW)
    assert (result.new, result.same) == (0, 1)
    held = store.article("b1")
    assert held.key == "a1"
    assert held.source is not None
    assert held.source.key == "herald"


def test_short_texts_of_two_outlets_stay_two_articles(store: Store, article: Any) -> None:
    other = article("b1", title="Live updates", source={"id": "wire", "name": "Wire"})
    assert store.put_articles([article("a1", title="Live updates"), other], now=NOW).new == 2


def test_one_batch_may_name_an_article_twice(store: Store, article: Any) -> None:
    result = store.put_articles([article("a1"), article("a1", title="Edited")], now=NOW)
    assert result.new == 1
    assert store.article("a1").title == "Edited"


def test_an_older_edit_does_not_overwrite_a_newer_one(store: Store, article: Any) -> None:
    newer = article("a1", title="Final", updated_at="2026-03-01T10:00:00Z")
    older = article("a1", title="Draft", updated_at="2026-03-01T09:00:00Z")
    store.put_articles([newer], now=NOW)
    assert store.put_articles([older], now=NOW).same == 1
    assert store.article("a1").title == "Final"


def test_a_silent_feed_does_not_undo_what_the_desk_set(store: Store, article: Any) -> None:
    store.put_articles([article("a1", news_value=5, lifetime="short")], now=NOW)
    store.put_articles([article("a1", title="Edited")], now=NOW)
    held = store.article("a1")
    assert (held.title, held.news_value, held.lifetime) == ("Edited", 5, "short")


def test_a_retracted_article_stays_retracted(store: Store, article: Any) -> None:
    store.put_articles([article("a1")], now=NOW)
    rev = store.article_rev()
    store.retract_article("a1", now=NOW)
    store.retract_article("a1", now=NOW + timedelta(days=1))
    store.put_articles([article("a1", title="Back again?")], now=NOW)
    assert store.article("a1").retracted_at == NOW
    assert store.article_texts(rev)[-1].retracted


def test_unknown_articles_are_said_to_be_unknown(store: Store) -> None:
    with pytest.raises(NotFound, match="no article 'nope'"):
        store.article("nope")
    with pytest.raises(NotFound, match="no article 'nope'"):
        store.retract_article("nope", now=NOW)
    assert store.articles([1, 2, 3]) == []


def test_revisions_page_through_everything_once(store: Store, article: Any) -> None:
    store.put_articles([article(f"a{number}") for number in range(25)], now=NOW)
    seen: list[int] = []
    last = 0
    while page := store.article_texts(last, limit=10):
        seen += [text.id for text in page]
        last = page[-1].rev
    assert len(seen) == len(set(seen)) == 25
    assert last == store.article_rev()


def test_the_first_process_to_assign_a_story_wins(store: Store, article: Any) -> None:
    store.put_articles([article("a1"), article("a2")], now=NOW)
    one, two = store.article("a1").id, store.article("a2").id
    assert store.assign_stories([(one, one), (two, one)], now=NOW) == {one: one, two: one}
    assert store.assign_stories([(two, two)], now=NOW) == {two: one}
    store.merge_stories([(one, two)])
    assert store.article("a1").story_id == two


def test_a_database_without_tables_says_what_to_do(tmp_path: Any) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'empty.db'}") as empty:
        with pytest.raises(DatabaseNotReady, match="newsbell init"):
            empty.article_rev()
        with pytest.raises(DatabaseNotReady, match="newsbell init"):
            empty.check()


def test_sql_in_a_field_is_only_text(store: Store, article: Any) -> None:
    evil = "'; drop table article; --"
    store.put_articles(
        [article(evil, url="https://news.example/evil", title=evil, topics=[evil], author=evil)], now=NOW
    )
    assert store.article(evil).title == evil
