"""Weights, rules, judgements: two people at once, guardrails, restoring, what the history says."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from data.clock import SystemClock
from data.errors import Conflict, InvalidInput, NewsbellError
from data.store import Store, desk, drafts, versions
from recommender.service import ensure_default_weights
from recommender.snapshot import WEIGHTS

NOW = SystemClock().now()
ADA, BO = "ada@herald.example", "bo@herald.example"


def draft(store: Store, author: str, base: int = 1, **weights: float) -> None:
    whole = {**WEIGHTS["for_you"], **weights}
    store.save_draft("for_you", author, base_version=base, weights=whole, options={}, now=NOW)


@pytest.fixture
def weighed(store: Store) -> Store:
    """A store with the first weights."""
    ensure_default_weights(store, NOW)
    return store


def test_publishing_makes_a_version_moves_the_pointer_and_notes_it(weighed: Store) -> None:
    draft(weighed, ADA, freshness=0.3)
    made = weighed.publish_draft("for_you", ADA, reason="election night", now=NOW)
    live, entry = weighed.live_weights("for_you"), weighed.changes(limit=1)[0]
    assert live == made
    assert (live.version, live.weights["freshness"], live.author) == (2, 0.3, ADA)
    assert (entry.person, entry.what, entry.why) == (ADA, "published weights", "election night")
    assert entry.before == {"version": 1, "freshness": 0.22} | {
        name: value for name, value in entry.before.items() if name not in {"version", "freshness"}
    }
    assert weighed.draft("for_you", ADA) is None


def test_the_second_of_two_editors_is_told_and_nothing_is_lost(weighed: Store) -> None:
    draft(weighed, ADA, freshness=0.3)
    draft(weighed, BO, popularity=0.1)
    weighed.publish_draft("for_you", ADA, reason="mine", now=NOW)
    with pytest.raises(Conflict, match="version 2 went live meanwhile"):
        weighed.publish_draft("for_you", BO, reason="mine too", now=NOW)
    assert weighed.live_weights("for_you").version == 2  # type: ignore[union-attr]
    assert weighed.draft("for_you", BO) is not None


def test_publishing_twice_is_told(weighed: Store) -> None:
    draft(weighed, ADA, freshness=0.3)
    weighed.publish_draft("for_you", ADA, reason="once", now=NOW)
    with pytest.raises(Conflict, match="published or discarded meanwhile"):
        weighed.publish_draft("for_you", ADA, reason="twice", now=NOW)


@pytest.mark.parametrize("weights", [{"freshness": -0.1}, {"freshness": 1.1}, dict.fromkeys(WEIGHTS["for_you"], 0.0)])
def test_weights_out_of_bounds_never_go_live(weighed: Store, weights: dict[str, float]) -> None:
    draft(weighed, ADA, **weights)
    with pytest.raises(InvalidInput):
        weighed.publish_draft("for_you", ADA, reason="x", now=NOW)
    assert weighed.live_weights("for_you").version == 1  # type: ignore[union-attr]


def test_built_in_weights_lie_within_the_bounds() -> None:
    for weights in WEIGHTS.values():
        versions.check_weights(weights)


def test_a_scheduled_draft_goes_live_at_its_time_or_says_why_not(weighed: Store) -> None:
    draft(weighed, ADA, freshness=0.3)
    draft(weighed, BO, freshness=0.1)
    at = NOW + timedelta(hours=1)
    for who in (ADA, BO):
        weighed.schedule_draft("for_you", who, publish_at=at, reason="tonight", now=NOW)
    assert weighed.publish_due(NOW + timedelta(minutes=59)) == []
    said = weighed.publish_due(at)
    assert said[0].startswith("published for_you 2")
    assert said[1].startswith("did not publish for_you")
    assert weighed.draft("for_you", BO).publish_at is None  # type: ignore[union-attr]
    assert weighed.publish_due(at) == []
    draft(weighed, BO, base=2, freshness=7.0)
    weighed.schedule_draft("for_you", BO, publish_at=at, reason="never", now=NOW)
    assert weighed.publish_due(at)[0].startswith("did not publish for_you: freshness: 7 is no weight")
    assert weighed.publish_due(at) == []


@pytest.mark.parametrize("action", ["publish", "restore", "rule", "judge"])
def test_what_cannot_be_noted_does_not_happen(
    weighed: Store, article: Any, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    weighed.put_articles([article("a1")], now=NOW)
    draft(weighed, ADA, freshness=0.3)

    def fails(*_: Any, **__: Any) -> None:
        raise NewsbellError("the disk is full")

    monkeypatch.setattr(versions, "note", fails)
    monkeypatch.setattr(desk, "note", fails)
    monkeypatch.setattr(drafts, "note", fails)
    number = weighed.article_ids(["a1"])["a1"]
    act = {
        "publish": lambda: weighed.publish_draft("for_you", ADA, reason="x", now=NOW),
        "restore": lambda: weighed.publish_weights(
            "for_you", dict(WEIGHTS["push"]), {}, author=ADA, reason="x", now=NOW
        ),
        "rule": lambda: weighed.add_rule(pin("a1")),
        "judge": lambda: weighed.judge_article(number, news_value=5, lifetime="long", by=ADA, now=NOW),
    }[action]
    with pytest.raises(NewsbellError, match="disk"):
        act()
    assert weighed.live_weights("for_you").version == 1  # type: ignore[union-attr]
    assert weighed.draft("for_you", ADA) is not None
    assert weighed.rules(NOW) == []
    assert weighed.article("a1").news_value is None


def pin(key: str) -> Any:
    from data.models import Rule

    return Rule(kind="pin", target_key=key, slot=1, starts_at=NOW, ends_at=NOW + timedelta(hours=1), author=ADA)


def test_a_story_is_split_and_merged_by_hand(store: Store, article: Any) -> None:
    store.put_articles([article(key) for key in ("a1", "a2", "a3")], now=NOW)
    ids = store.article_ids(["a1", "a2", "a3"])
    founder = ids["a1"]
    store.assign_stories([(number, founder) for number in ids.values()], now=NOW)
    for wrong in ([], list(ids.values()), [founder]):
        with pytest.raises(InvalidInput):
            store.split_story(founder, wrong, by=ADA, now=NOW)
    fresh = store.split_story(founder, [ids["a3"]], by=ADA, now=NOW, reason="another fire")
    assert (fresh, store.article("a3").story_id, store.article("a2").story_id) == (ids["a3"], ids["a3"], founder)
    assert store.join_stories(founder, fresh, by=ADA, now=NOW) == founder
    assert store.article("a3").story_id == founder
    assert [one.what for one in store.changes(limit=2)] == ["merged", "split"]


# --- through the pages ---


def test_an_editor_tries_publishes_and_rolls_back(room: Any) -> None:
    client = room.client("lead")
    page = client.get("/console/ranking/for_you?freshness=0,05").text
    assert 'value="0.05"' in page
    client.post("/console/ranking/for_you/draft", data={"freshness": "0.20", "then": "publish"})
    page = client.get("/console/ranking/for_you/publish").text
    assert "Freshness 0.22 → 0.20" in page
    assert client.post("/console/ranking/for_you/publish", data={"reason": " "}).status_code == 422
    answer = client.post("/console/ranking/for_you/publish", data={"reason": "calmer"})
    assert answer.headers["location"] == "/console/ranking/for_you?said=published"
    assert room.service.snapshot.version_of("for_you") == 2
    client.post("/console/history/for_you/restore", data={"version": "1", "reason": "no"})
    live = room.store.live_weights("for_you")
    assert (live.version, live.weights["freshness"]) == (3, 0.22)
    assert "no (version 1 again)" in client.get("/console/history").text


def test_a_broken_guardrail_needs_a_lead(room: Any) -> None:
    values = {"freshness": "0", "similarity": "0", "popularity": "0", "news_value": "0", "source": "1"}
    for role, status in (("editor", 403), ("lead", 303)):
        client = room.client(role)
        if role == "editor":
            client.post("/console/ranking/for_you/draft", data=values)
        else:
            client.post("/console/ranking/for_you/take", data={"author": "editor@herald.example"})
        assert "Broken" in client.get("/console/ranking/for_you/publish").text
        answer = client.post("/console/ranking/for_you/publish", data={"reason": "a test"})
        assert answer.status_code == status


def test_two_editors_see_each_others_changes_and_one_builds_on_the_other(room: Any) -> None:
    ada, bo = room.client("editor"), room.client("lead")
    ada.post("/console/ranking/for_you/draft", data={"popularity": "0.15"})
    assert "has a draft of these weights too" in bo.get("/console/ranking/for_you").text
    bo.post("/console/ranking/for_you/draft", data={"freshness": "0.21"})
    bo.post("/console/ranking/for_you/publish", data={"reason": "first"})
    page = ada.get("/console/ranking/for_you").text
    assert "Somebody published while you were drafting" in page
    assert "Freshness 0.22 → 0.21" in page
    assert "Popularity 0.16 → 0.15" in page
    assert ada.post("/console/ranking/for_you/publish", data={"reason": "second"}).status_code == 409
    ada.post("/console/ranking/for_you/rebase")
    ada.post("/console/ranking/for_you/publish", data={"reason": "second"})
    live = room.store.live_weights("for_you").weights
    assert (live["freshness"], live["popularity"]) == (0.21, 0.15)


def test_wrong_numbers_are_named_and_kept(shared_room: Any) -> None:
    answer = shared_room.client("editor").get("/console/ranking/for_you?freshness=lots&similarity=7")
    assert answer.status_code == 422
    assert answer.text.count("Write a number from 0 to 1") >= 4
    assert 'value="lots"' in answer.text
    assert "<title>Error: " in answer.text


def test_a_rule_says_what_it_would_do_does_it_and_ends(room: Any) -> None:
    client, key = room.client("editor"), room.newest(40)
    address = f"/console/rules/new?kind=pin&target=article&target_key={key}&surface=for_you"
    assert "with this rule, of <strong>" in client.get(address).text
    fields = {"kind": "pin", "target": "article", "target_key": key, "surface": "for_you", "slot": "1"}
    assert client.post("/console/rules/new", data=fields).status_code == 422
    client.post("/console/rules/new", data=fields | {"reason": "exclusive"})
    client.post("/console/rules/new", data=fields | {"target_key": room.newest(41), "reason": "exclusive"})
    assert "Two pins on slot 1" in client.get("/console/rules").text
    first = room.store.rules(room.now)[0]
    later = (room.now + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    client.post(f"/console/rules/{first.id}/extend", data={"ends_at": later})
    assert room.store.rule(first.id).ends_at > first.ends_at
    client.post(f"/console/rules/{first.id}/end")
    assert [one.id for one in room.store.rules(room.now)] == [first.id + 1]


def test_a_judgement_is_followed_by_the_lists(room: Any) -> None:
    key = room.newest(30)
    client = room.client("editor")
    answer = client.post(
        f"/console/stories/{key}/judge", data={"news_value": "5", "lifetime": "long", "back": "//evil"}
    )
    assert answer.headers["location"] == "/console?said=judged"
    row = room.store.article(key)
    assert (row.news_value, row.lifetime) == (5, "long")
    index = room.service.snapshot.index
    assert index.columns.news_value[index.row_of(row.id)] == 5
    assert client.post(f"/console/stories/{key}/judge", data={"news_value": "6"}).status_code == 422


def test_a_persona_is_changed_by_ticking_headlines_and_kept(room: Any) -> None:
    client, keys = room.client("editor"), [room.newest(20), room.newest(21)]
    client.post("/console/personas/persona-04", data={"name": "Dev of Bergen", "language": "en", "read": keys})
    assert "Dev of Bergen" in client.get("/console/personas").text
    assert {one["article"] for one in room.store.persona("persona-04").reads} == set(keys)
    client.post("/console/personas/persona-04/remove")
    assert "Dev of Bergen" not in client.get("/console/personas").text


def test_the_log_as_csv_cannot_run_in_a_spreadsheet(room: Any) -> None:
    room.store.note("=cmd|' /C calc'!A0", "tried", "@evil", why="+1", now=room.now)
    rows = list(csv.reader(io.StringIO(room.client("viewer").get("/console/history.csv").text)))
    assert rows[0] == ["at", "who", "what", "target", "before", "after", "why"]
    assert [rows[-1][1][0], rows[-1][3][0], rows[-1][6][0]] == ["'", "'", "'"]
