"""The push policy in the page: drafts, replayed effect, publishing, restoring; and experiments beside the history."""

import json
from typing import Any

from data.commands import Commands
from data.policies import Policies
from data.settings import Settings
from recommender import policies
from recommender.experiments import desk
from scheduler.campaigns import ensure_default_campaigns
from scheduler.planning import Planner
from scheduler.runner import Runner

DRAFT = "/console/policy/draft"


class Nobody:
    def send(self, messages: Any) -> Any:
        return iter(())


def worked(room: Any) -> None:
    settings = Settings(index_dir=None)
    runner = Runner(room.store, settings, room.service.clock, sender=Nobody(), snapshot=lambda: room.service.snapshot)
    runner.lead()
    runner.obey()
    runner.leases.release("leader", runner.holder, now=room.now)


def test_a_draft_is_replayed_by_the_scheduler_and_found_again(room: Any) -> None:
    ensure_default_campaigns(room.store, room.now)
    campaign = next(one for one in Planner(room.store, lambda: room.service.snapshot).campaigns.all())
    assert campaign.key == "morning-digest"
    client = room.client("push_editor")
    answer = client.post(DRAFT, data={"personal_cap": "1", "holdout_share": "5", "then": "replay"})
    assert answer.headers["location"] == "/console/policy?said=policy-replay"
    draft = Policies(room.store).draft("push_editor@herald.example")
    assert draft is not None
    assert (draft.limits["personal_cap"], draft.limits["holdout_share"]) == (1, 0.05)
    assert "The scheduler is making it" in client.get("/console/policy").text
    assert client.post(DRAFT, data={"personal_cap": "2", "then": "replay"}).status_code == 409
    worked(room)
    page = client.get("/console/policy").text
    assert "as many alerts: 0" in page
    assert "No campaign was planned that day" in page
    assert "0 alerts before that day: too few to tell opens." in page
    assert "Opens expected" not in page
    assert policies.in_force(room.store).version == 0


def test_the_replayed_effect_tells_opens_with_their_interval_and_how_they_are_known(room: Any) -> None:
    opens = {"before": [41.26, 33.0, 49.5], "after": [30.1, -0.4, 36.2], "difference": [-11.2, -16.0, -6.4]}
    day = {"funnel": {"SEND": 300}, "campaigns": {}, "readers_by_alerts": {}, "version": 0}
    said = {"said": "Only 12 opens of 80 alerts: too few to tell one alert from another.", "tells_apart": False}
    result = {"day": "2026-03-02", "before": day, "after": day, "opens": opens | said}
    number = Commands(room.store).ask("replay_policy", {}, author="lead@herald.example", now=room.now)
    assert [one.id for one in Commands(room.store).take()] == [number]
    Commands(room.store).finish(number, now=room.now, result=json.dumps(result), ok=True)
    page = room.client("lead").get("/console/policy").text
    for words in ("Opens expected", "41.3", "33.0 to 49.5", "0.0 to 36.2", "-11.2", "-16.0 to -6.4"):
        assert words in page
    assert '<p class="notice">Only 12 opens of 80 alerts' in page


def test_a_lead_publishes_with_a_reason_and_restores(room: Any) -> None:
    lead = room.client("lead")
    lead.post(DRAFT, data={"personal_cap": "2", "personal_gap_s": "90"})
    assert "Personal alerts in 24 hours 4 → 2" in lead.get("/console/policy").text
    assert lead.post("/console/policy/publish", data={"reason": " "}).status_code == 422
    lead.post("/console/policy/publish", data={"reason": "too many"})
    live = policies.in_force(room.store)
    assert (live.version, live.limits.personal_cap, live.limits.personal_gap_s) == (1, 2, 5_400)
    lead.post("/console/policy/restore", data={"version": "0", "reason": "no"})
    assert policies.in_force(room.store).limits.personal_cap == 4
    assert room.store.changes(limit=1)[0].why == "no (version 0 again)"


def test_two_who_draft_at_once_are_told(room: Any) -> None:
    one, other = room.client("lead"), room.client("operator")
    for client in (one, other):
        client.post(DRAFT, data={"personal_cap": "3"})
    one.post("/console/policy/publish", data={"reason": "first"})
    assert "went live since your draft began" in other.get("/console/policy").text
    assert other.post("/console/policy/publish", data={"reason": "second"}).status_code == 409


def test_a_wrong_limit_is_told_at_its_field(room: Any) -> None:
    client = room.client("push_editor")
    answer = client.post(DRAFT, data={"personal_cap": "1.5", "hourly_cap": "lots", "weekly_budget": "9999"})
    assert answer.status_code == 422
    for name in ("personal_cap", "hourly_cap", "weekly_budget"):
        assert f'id="{name}-fault"' in answer.text
    assert 'value="lots"' in answer.text
    assert Policies(room.store).draft("push_editor@herald.example") is None
    client.post(DRAFT, data={"personal_cap": "2"})
    client.post("/console/policy/discard")
    assert Policies(room.store).draft("push_editor@herald.example") is None


def test_running_experiments_say_their_sentence_beside_the_history(room: Any) -> None:
    assert 'id="experiments"' not in room.client("viewer").get("/console/history").text
    live = room.store.live_weights("for_you")
    weights = {**live.weights, "freshness": 0.3}
    room.store.publish_weights("for_you", weights, live.options, author="ada", reason="b", now=room.now)
    given: Any = {"share": 0.2, "days": 7, "author": "ada", "reason": "is newer better", "now": room.now}
    desk.start(room.store, "newer", versions=[1, 2], **given)
    page = room.client("viewer").get("/console/history").text
    assert "newer" in page
    assert "is newer better" in page
    assert desk.look(room.store, "newer", now=room.now)[0].sentence[:20] in page
