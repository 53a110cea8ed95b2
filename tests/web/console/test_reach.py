"""Reach targets through the page and the tick: a boost that follows the plan, stops, and leaves its entries."""

from datetime import timedelta
from typing import Any

import pytest

from data.errors import Conflict, InvalidInput, NotFound
from data.models import Article
from data.store import Store
from data.store.database import table
from data.wire import EventIn
from scheduler import reach

REASON = {"reason": "everybody must know"}


def seen_by(room: Any, article: str, *readers: int, at: Any) -> None:
    events = [
        EventIn(id=f"{article}-{n}-{at.isoformat()}", reader=f"r{n}", article=article, kind="impression", at=at)
        for n in readers
    ]
    room.store.add_events(events, now=at)


def ticked(room: Any, at: Any) -> list[str]:
    return reach.tick(room.store, lambda: room.service.snapshot, at, window_h=240)


def boost_of(room: Any, article: str) -> float:
    (target,) = room.store.open_targets()
    return float(room.store.rule(target.rule_id).strength)


def test_an_editor_sets_a_target_and_the_boost_follows_until_it_is_met(room: Any) -> None:
    client, article = room.client("editor"), room.newest(20)
    page = f"/console/stories/{article}"
    answer = client.post(f"{page}/reach", data={"share": "60", "hours": "6", "most": "a lot"} | REASON)
    assert answer.headers["location"] == f"{page}?said=aimed"
    start = room.now
    room.service.refresh()
    ticked(room, start + timedelta(minutes=30))
    first = boost_of(room, article)
    ticked(room, start + timedelta(minutes=60))
    assert 0 < first < boost_of(room, article) <= 0.25
    assert "of 60" in client.get(page).text
    assert "Stop the reach target" in client.get(page).text
    (before,) = room.store.open_targets()
    assert before.expected == 40
    seen_by(room, article, *range(30), at=start + timedelta(minutes=61))
    assert ticked(room, start + timedelta(minutes=62)) == [f"reach target {before.id} is met"]
    target = room.store.target(before.id)
    assert (target.state, target.strength, target.reached) == ("met", 0, 30)
    assert room.store.rules(start + timedelta(minutes=63)) == []
    entry = room.store.changes(limit=1)[0]
    assert (entry.person, entry.what) == ("newsbell", "met the reach target for")
    assert ticked(room, start + timedelta(minutes=64)) == []
    assert "Met: 75" in client.get(page).text


def test_the_boost_lifts_the_story_into_lists_and_its_cost_is_counted(room: Any) -> None:
    article = room.newest(60)
    number = room.store.aim(
        room.store.article(article).id, share=0.9, cap=0.5, ends_at=room.now + timedelta(hours=1), by="ada",
        reason="x", now=room.now,
    )  # fmt: skip
    start = room.now
    for minutes in (20, 40):
        ticked(room, start + timedelta(minutes=minutes))
    seen = [
        EventIn(id=f"o{n}", reader=f"r{n}", article=room.newest(3), kind="open", at=start + timedelta(minutes=41))
        for n in range(20)
    ]
    room.store.add_events(seen, now=start + timedelta(minutes=42))
    ticked(room, start + timedelta(minutes=42))
    target = room.store.target(number)
    assert target.strength == 0.5
    assert 0 < target.cost_share < 0.5
    assert 0 < target.cost_opens < 20
    assert ticked(room, start + timedelta(minutes=61)) == [f"reach target {number} is expired"]


def test_stopping_it_by_page_or_by_its_rule_ends_both(room: Any) -> None:
    client, article = room.client("editor"), room.newest(20)
    for how in ("page", "rule"):
        client.post(f"/console/stories/{article}/reach", data={"share": "60", "hours": "6"} | REASON)
        (target,) = room.store.open_targets()
        if how == "page":
            client.post(f"/console/reach/{target.id}/stop")
            assert client.post(f"/console/reach/{target.id}/stop").status_code == 409
        else:
            client.post(f"/console/rules/{target.rule_id}/end")
            ticked(room, room.now + timedelta(minutes=1))
        assert room.store.target(target.id).state == "stopped"
        assert room.store.rules(room.now + timedelta(seconds=1)) == []


def test_a_wrong_target_is_refused_with_what_to_do(room: Any) -> None:
    client, article = room.client("editor"), room.newest(20)
    for fields in ({"share": "0", "hours": "6"}, {"share": "60", "hours": "900"}, {"share": "60", "hours": "6"}):
        more = REASON if fields["hours"] == "900" or fields["share"] == "0" else {}
        assert client.post(f"/console/stories/{article}/reach", data=fields | more).status_code == 422
    assert room.store.open_targets() == []
    assert client.post("/console/reach/99/stop").status_code == 404


def test_one_target_an_article_whole_with_rule_and_entry(store: Store, article: Any) -> None:
    from datetime import UTC, datetime

    now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    store.put_articles([article("a1"), article("a2")], now=now)
    one, two = store.article_ids(["a1", "a2"]).values()
    given = {"share": 0.5, "cap": 0.2, "ends_at": now + timedelta(hours=2), "by": "ada", "reason": "x", "now": now}
    number = store.aim(one, **given)
    with pytest.raises(Conflict):
        store.aim(one, **given)
    assert len(store.rules(now)) == 1
    assert [row.what for row in store.changes()] == ["set a reach target for"]
    for wrong in ({"share": 1.2}, {"cap": 0.7}, {"ends_at": now + timedelta(minutes=1)}):
        with pytest.raises(InvalidInput):
            store.aim(two, **given | wrong)
    with pytest.raises(NotFound):
        store.aim(999, **given)
    assert len(store.rules(now)) == 1
    with store.transaction() as connection:  # a story the article joins later
        articles = table(Article)
        connection.execute(articles.update().where(articles.c.id.in_([one, two])).values(story_id=one))
    later = now + timedelta(minutes=10)
    counted = {"active": 4, "reached": 1, "lag": 0.1, "cost_share": 0.0, "cost_opens": 0.0}
    assert store.step_target(number, state="on", counted=counted, strength=0.1, now=later) == "on"
    rule = store.rule(store.target(number).rule_id or 0)
    assert (rule.target, rule.target_key, rule.strength) == ("story", str(one), 0.1)
    assert store.target(number).steps == [[10, 0.05, 0.1]]
