"""Publishes, restores and pauses without end, until somebody kills it: `python desk_until_killed.py URL`."""

import sys

from data.campaigns import Campaigns
from data.clock import SystemClock
from data.store import Store
from recommender.snapshot import WEIGHTS


def main(url: str) -> None:
    store, clock = Store.open(url), SystemClock()
    campaigns, turn = Campaigns(store), 0
    sys.stdout.write("working\n")
    sys.stdout.flush()
    while True:
        turn += 1
        weights = dict(WEIGHTS["for_you"]) | {"freshness": 0.1 + turn % 80 / 100}
        live = store.live_weights("for_you")
        store.save_draft("for_you", "ada", base_version=live.version, weights=weights, options={}, now=clock.now())
        store.publish_draft("for_you", "ada", reason="again", now=clock.now())
        store.publish_weights("for_you", live.weights, live.options, author="ada", reason="back", now=clock.now())
        campaigns.switch("paused" if turn % 2 else "on", by="ada", reason="again", now=clock.now())


if __name__ == "__main__":
    main(sys.argv[1])
