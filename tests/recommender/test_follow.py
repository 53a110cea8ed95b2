"""Following the rows: what any process writes is soon the snapshot of every other, and a failure loses nothing."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.errors import Conflict
from data.store import Store
from data.wire import ArticleIn, EventIn
from recommender import build, follow, index_files
from recommender.beside import Beside
from recommender.follow import Follower
from recommender.index import ArticleIndex
from recommender.index_files import Stamp

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
SUBJECTS = ("trade tariffs negotiation minister border customs", "volcano eruption island evacuation ash harbour")
Write = Callable[..., ArticleIn]


@pytest.fixture
def write(article: Any) -> Write:
    """Article number n on a subject, n hours old."""

    def made(number: int, subject: int = 0, **fields: Any) -> ArticleIn:
        words = SUBJECTS[subject]
        usual = {
            "title": f"{words} report {number}",
            "body": f"{words}. Account{number} of the day by witness{number}.",
            "published_at": NOW - timedelta(hours=number),
            "source": {"id": f"s{number % 3}", "name": f"Source {number % 3}"},
        }
        return article(f"n{number}", **(usual | fields))  # type: ignore[no-any-return]

    return made


def following(store: Store, now: datetime = NOW) -> Follower:
    follower = Follower(store)
    follower.follow(now)
    return follower


def stories(follower: Follower) -> dict[int, int]:
    index = follower.snapshot.index
    rows = np.flatnonzero(index.alive)
    return dict(zip(index.columns.id[rows].tolist(), index.columns.story_id[rows].tolist(), strict=True))


def stored(store: Store) -> dict[int, int]:
    return {text.id: text.story_id for text in store.article_texts(0)}


def test_every_article_has_its_story_in_the_rows_and_in_the_snapshot(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    follower = following(store)
    assert stories(follower) == stored(store)
    assert len(set(stored(store).values())) == 2


def test_a_changed_text_is_found_by_its_new_words_and_keeps_its_story(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 9)], now=NOW)
    one, other = following(store), following(store)
    (number,) = store.article_ids(["n1"]).values()
    before = stored(store)
    store.put_articles(
        [write(1, 0, body="Glacier meltwater survey finds meltwater lakes", title="Glacier survey")], now=NOW
    )
    for follower in (one, other):
        follower.follow(NOW)
        index = follower.snapshot.index
        near = index.nearest(index.vectors(np.array([index.row_of(number)])), 9)[1]
        assert (near[1:] < 0.2).all()  # nothing else is about glaciers, and its old words are gone
        assert len(index) == 8
        assert stories(follower) == before


def test_what_another_process_took_back_is_taken_back(store: Store, write: Write) -> None:
    store.put_articles([write(n) for n in range(1, 4)], now=NOW)
    follower = following(store)
    store.retract_article("n2", now=NOW)
    follower.follow(NOW)
    columns = follower.snapshot.index.columns
    assert columns.retracted[follower.snapshot.index.rows_of(store.article_ids(["n2"]).values())].all()
    assert columns.retracted.sum() == 1


def test_a_merge_by_another_process_is_followed(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    one, other = following(store), following(store)
    keeper, loser = sorted(set(stored(store).values()))
    store.merge_stories([(loser, keeper)])
    for follower in (one, other):
        follower.follow(NOW)
        assert set(stories(follower).values()) == {keeper}
    store.put_articles([write(7, 1)], now=NOW)  # of the story that is no more
    one.follow(NOW)
    assert set(stored(store).values()) == {keeper}


def test_an_article_given_to_a_story_that_was_just_merged_away_is_brought_along(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    one, late = following(store), following(store)
    keeper, loser = sorted(set(stored(store).values()))
    store.merge_stories([(loser, keeper)])
    store.put_articles([write(7, 1)], now=NOW)
    (number,) = store.article_ids(["n7"]).values()
    store.assign_stories([(number, loser)], now=NOW)  # by a third process that has not heard of the merge
    for follower in (one, late, one):
        follower.follow(NOW)
    assert set(stored(store).values()) == {keeper}
    assert stories(one) == stories(late) == stored(store)


def test_two_that_decide_at_once_agree_on_what_the_rows_say(
    store: Store, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    one, other = following(store), following(store)
    store.put_articles([write(7, 0)], now=NOW)
    (number,) = store.article_ids(["n7"]).values()
    monkeypatch.setattr(other.keeper, "assign", lambda *_: number)  # as if it knew less
    other.follow(NOW)
    one.follow(NOW)
    assert stories(one) == stored(store)
    assert stored(store)[number] == number
    store.put_articles([write(8, 0)], now=NOW)
    for follower in (one, other):
        follower.follow(NOW)
        assert stories(follower) == stored(store)


def test_a_refit_keeps_every_story(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    follower, before = following(store), stored(store)
    epoch = follower.snapshot.index.epoch
    store.put_articles([write(n, n % 2) for n in range(7, 20)], now=NOW)
    follower.follow(NOW)
    assert follower.snapshot.index.epoch is not epoch
    after = stored(store)
    assert {one: after[one] for one in before} == before
    assert set(after.values()) == set(before.values())
    assert stories(follower) == after


def test_answers_go_on_from_the_old_snapshot_during_a_refit(
    sqlite_store: Store, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_store.put_articles([write(n) for n in range(1, 4)], now=NOW)
    follower, seen = following(sqlite_store), []
    fitted = ArticleIndex.fitted

    def watched(texts: Any) -> ArticleIndex:
        seen.append(len(follower.snapshot.index))
        return fitted(texts)

    monkeypatch.setattr(follow.ArticleIndex, "fitted", watched)
    sqlite_store.put_articles([write(n) for n in range(4, 12)], now=NOW)
    follower.follow(NOW)
    assert seen == [3]
    assert len(follower.snapshot.index) == 11


def test_updates_alone_cause_no_refit(sqlite_store: Store, write: Write) -> None:
    sqlite_store.put_articles([write(n) for n in range(1, 5)], now=NOW)
    follower = following(sqlite_store)
    epoch = follower.snapshot.index.epoch
    for news_value in (2, 3, 4):
        sqlite_store.put_articles([write(n, news_value=news_value) for n in range(1, 5)], now=NOW)
        follower.follow(NOW)
    assert follower.snapshot.index.epoch is epoch
    assert set(follower.snapshot.index.columns.news_value.tolist()) == {4}


def test_changes_are_read_page_by_page(sqlite_store: Store, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PAGE", 3)
    sqlite_store.put_articles([write(n, n % 2) for n in range(1, 11)], now=NOW)
    follower = following(sqlite_store)
    assert len(follower.snapshot.index) == 10
    assert 0 not in stored(sqlite_store).values()


def test_what_failed_is_taken_again(sqlite_store: Store, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    sqlite_store.put_articles([write(n) for n in range(1, 4)], now=NOW)
    follower = following(sqlite_store)
    sqlite_store.put_articles([write(4)], now=NOW)
    with monkeypatch.context() as broken:
        broken.setattr(sqlite_store, "assign_stories", _refuse)
        with pytest.raises(Conflict):
            follower.follow(NOW)
    follower.follow(NOW)
    assert 0 not in stored(sqlite_store).values()
    assert stories(follower) == stored(sqlite_store)


def test_an_article_that_comes_in_during_a_merge_gets_a_story(
    sqlite_store: Store, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_store.put_articles([write(n, n % 2) for n in range(1, 7)], now=NOW)
    follower = following(sqlite_store)
    keeper, loser = sorted(set(stored(sqlite_store).values()))
    merge = sqlite_store.merge_stories

    def meanwhile(pairs: Any) -> Any:
        done = merge(pairs)
        sqlite_store.put_articles([write(9)], now=NOW)
        return done

    monkeypatch.setattr(follower.keeper, "merge_pass", lambda _apart: [(loser, keeper)])
    monkeypatch.setattr(sqlite_store, "merge_stories", meanwhile)
    follower.is_new, follower.merged_at = True, None
    follower.follow(NOW)
    assert 0 not in stored(sqlite_store).values()


def test_who_starts_later_goes_on_where_the_others_are(store: Store, write: Write) -> None:
    store.put_articles([write(n, n % 2) for n in range(1, 9)], now=NOW)
    following(store)
    fresh = following(store)
    assert stories(fresh) == stored(store)
    store.put_articles([write(9, 1)], now=NOW)
    fresh.follow(NOW)
    assert len(set(stored(store).values())) == 2


def test_a_date_far_ahead_does_not_close_the_stories_of_today(sqlite_store: Store, write: Write) -> None:
    sqlite_store.put_articles([write(n) for n in range(1, 4)], now=NOW)
    follower = following(sqlite_store)
    sqlite_store.put_articles([write(4, 1, published_at=NOW + timedelta(days=3_000))], now=NOW)
    follower.follow(NOW)
    sqlite_store.put_articles([write(5)], now=NOW)
    follower.follow(NOW)
    found = stored(sqlite_store)
    ids = sqlite_store.article_ids(["n1", "n5"])
    assert found[ids["n5"]] == found[ids["n1"]]


def test_numbers_taken_in_vain_are_read_once(sqlite_store: Store, write: Write) -> None:
    sqlite_store.put_articles([write(1)], now=NOW)
    event = EventIn.model_validate({"id": "e1", "reader": "r", "article": "n1", "kind": "read", "at": NOW})
    sqlite_store.add_events([event], now=NOW)
    follower = following(sqlite_store)
    follower.follow(NOW)
    counted = follower.snapshot
    sqlite_store.add_events([event], now=NOW)  # a duplicate
    sqlite_store.assign_stories(list(stored(sqlite_store).items()), now=NOW)  # all assigned already
    follower.follow(NOW)
    assert (follower.batch, follower.rev) == (sqlite_store.event_batch(), sqlite_store.article_rev())
    assert not follower.follow(NOW)
    assert follower.snapshot.popularity is counted.popularity


def _refuse(*_: Any, **__: Any) -> None:
    raise Conflict("somebody else was first")


def test_who_starts_again_goes_on_from_the_kept_index(
    store: Store, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SMALL", 3)
    store.put_articles([write(n, n % 2) for n in range(1, 9)], now=NOW)
    first = Follower(store, keep=tmp_path)
    first.follow(NOW)
    first.save()
    store.put_articles([write(9, 1), write(1, 0, title="Glacier survey")], now=NOW)
    encoded: list[int] = []
    again = Follower(store, keep=tmp_path, progress=encoded.append)
    with monkeypatch.context() as patch:
        patch.setattr(follow, "build", lambda *_: pytest.fail("everything is read anew"))
        again.follow(NOW)
        first.follow(NOW)
    assert sum(encoded) == 2
    assert stories(again) == stories(first) == stored(store)
    assert len(again.snapshot.index) == 9


@pytest.mark.parametrize("case", ["another database", "an older copy of the database", "a broken folder"])
def test_a_kept_index_that_does_not_fit_is_not_taken(
    store: Store, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.setattr(follow, "SMALL", 3)
    store.put_articles([write(n, n % 2) for n in range(1, 9)], now=NOW)
    first = Follower(store, keep=tmp_path)
    first.follow(NOW)
    stamp = Stamp(store.identity(), first.rev, first.fitted_on)
    wrong = {
        "another database": replace(stamp, identity=stamp.identity + 1),
        "an older copy of the database": replace(stamp, rev=stamp.rev + 1000),
    }
    index_files.save(first.snapshot.index, tmp_path, wrong.get(case, stamp))
    if case == "a broken folder":
        (tmp_path / "manifest.json").write_text("{")
    built: list[int] = []
    monkeypatch.setattr(follow, "build", lambda *given: built.append(1) or build.build(*given))
    again = Follower(store, keep=tmp_path)
    again.follow(NOW)
    assert built == [1]
    assert stories(again) == stored(store)


def test_a_new_vocabulary_is_learned_beside_and_nothing_that_came_meanwhile_is_missing(
    store: Store, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SMALL", 3)
    store.put_articles([write(n, n % 2) for n in range(1, 5)], now=NOW)
    follower = Follower(store, beside=Beside())
    follower.follow(NOW)
    before = follower.snapshot.index.epoch
    store.put_articles([write(n, n % 2) for n in range(5, 12)], now=NOW)
    follower.follow(NOW)
    assert follower.snapshot.index.epoch is before  # answers go on with the old words
    assert len(follower.snapshot.index) == 11
    store.put_articles([write(12, 1)], now=NOW)
    assert follower.beside
    for _ in range(20):
        follower.beside.settle(wait=True)
        follower.follow(NOW)
        if follower.snapshot.index.epoch is not before and not follower.beside.is_busy:
            break
    assert follower.fitted_on >= 11
    assert stories(follower) == stored(store)
    assert len(follower.snapshot.index) == 12


def test_slow_work_that_failed_is_begun_again(
    store: Store, write: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follow, "SMALL", 3)
    store.put_articles([write(n) for n in range(1, 5)], now=NOW)
    follower = Follower(store, beside=Beside())
    follower.follow(NOW)
    store.put_articles([write(n) for n in range(5, 12)], now=NOW)
    with monkeypatch.context() as patch:
        patch.setattr(follow, "build", lambda *_: 1 // 0)
        follower.follow(NOW)
        assert follower.beside
        assert not follower.beside.settle(wait=True)
    assert "could not refit" in caplog.text
    for _ in range(3):
        follower.follow(NOW)
        follower.beside.settle(wait=True)
    assert follower.fitted_on == 11
