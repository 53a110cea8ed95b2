"""Changes everything a desk changes, without end, until somebody kills it: `python desk_until_killed.py URL`."""

import sys
from datetime import timedelta
from time import time_ns
from typing import Any

from data.campaigns import Campaigns
from data.clock import SystemClock
from data.experiments import DRAFT
from data.policies import Policies
from data.store import Store
from recommender.experiments import desk
from recommender.snapshot import WEIGHTS


def main(url: str) -> None:
    store, clock = Store.open(url), SystemClock()
    campaigns, policies, turn = Campaigns(store), Policies(store), 0
    for one in store.open_targets():  # what the last one was killed over
        store.stop_target(one.id, by="ada", now=clock.now())
    for one in store.experiments(clock.now()):
        desk.stop(store, one.key, author="ada", reason="left", now=clock.now())
    for row in store.replays():
        if row.is_open:
            store.stop_replay(row.id, by="ada", now=clock.now())
    sys.stdout.write("working\n")
    sys.stdout.flush()
    while True:
        turn += 1
        weights = dict(WEIGHTS["for_you"]) | {"freshness": 0.1 + turn % 80 / 100}
        live = store.live_weights("for_you")
        store.save_draft("for_you", "ada", base_version=live.version, weights=weights, options={}, now=clock.now())
        name = f"e{time_ns()}"
        held: dict[str, Any] = {"share": 0.001, "days": 7, "author": "ada", "reason": "again"}
        desk.start(store, name, versions=[0, DRAFT], draft_of="ada", now=clock.now(), **held)
        desk.stop(store, name, author="ada", reason="again", now=clock.now())
        store.publish_draft("for_you", "ada", reason="again", now=clock.now())
        store.publish_weights("for_you", live.weights, live.options, author="ada", reason="back", now=clock.now())
        now = clock.now()
        later = now + timedelta(hours=1)
        target = store.aim(1, share=0.5, cap=0.2, ends_at=later, by="ada", reason="again", now=now)
        counted = {"active": 1, "reached": 0, "lag": 0.0, "cost_share": 0.0, "cost_opens": 0.0}
        store.step_target(target, state="on", counted=counted, strength=0.1, now=clock.now())
        store.stop_target(target, by="ada", now=clock.now())
        replay = store.ask_replay("weights", "for_you", "again", {}, by="ada", now=clock.now())
        store.stop_replay(replay, by="ada", now=clock.now())
        policies.publish({"personal_cap": turn % 9}, by="ada", reason="again", now=clock.now())
        campaigns.switch("paused" if turn % 2 else "on", by="ada", reason="again", now=clock.now())


if __name__ == "__main__":
    main(sys.argv[1])
