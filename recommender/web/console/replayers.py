"""What the console can replay: yesterday under other weights, from this newsroom's own rows."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from random import Random
from typing import Any

import numpy as np

from data.clock import instant, micros
from data.errors import InvalidInput
from data.past import PastRows
from data.values import ReaderRow
from recommender.replay.from_store import read_log
from recommender.replay.served_log import ServedLog
from recommender.replay.weights import replay_weights
from recommender.rules import Choices
from recommender.snapshot import ReaderView, Snapshot
from recommender.web.console.replaying import Replayer
from recommender.web.site import Site
from recommender.whatif import under
from recommender.yesterday import Interval, Measured, Past, Progress, Replayed, push_again, rank_again

MOST = 500  # sessions or slots looked at: some seconds of work
READS, IMPRESSIONS = 200, 400
FEWEST = 30  # served lists with something opened; with fewer the reads themselves are replayed
SERVED_MEASURES = (  # in words, field of WeightReplay, unit
    ("nDCG@10 of what was shown", "ndcg_10", ""),
    ("Of the candidates in a first ten", "coverage", "share"),
    ("Median age of a first ten", "median_age_h", "hours"),
    ("Readers who had news value 5 in their first three", "must_read_reach", "share"),
)
SERVED_NOTES = (
    "Only what was shown could be opened: nDCG@10 judges the order of the articles that were shown.",
    "Articles, rules and readers' choices are those of today.",
)


class WeightsReplayer:
    """`args`: surface (for_you or push), hours back, live and tried as {weights, options}."""

    def __init__(self, site: Site) -> None:
        self.site, self.past = site, PastRows(site.store)

    def __call__(self, args: Mapping[str, Any], progress: Progress) -> Replayed:
        snapshot = self.site.service.snapshot
        surface, window_h = str(args["surface"]), self.site.settings.window_days * 24
        live, tried = (
            under(snapshot, surface, one["weights"], one["options"]) for one in (args["live"], args["tried"])
        )
        if surface == "push":
            slots = self._slots(snapshot, float(args["hours"]), progress)
            scores = np.array(self.past.scores(self.site.clock.now()), np.float64).reshape(-1, 2)
            return push_again(live, tried, slots, (scores[:, 0], scores[:, 1]), _later(progress), window_h=window_h)
        now = self.site.clock.now()
        since = now - timedelta(hours=float(args["hours"]))
        log = read_log(self.site.store, snapshot, since, now, window_h=window_h, most=MOST)
        if sum(bool(slate.opened.any()) for slate in log.slates) >= FEWEST:
            return _of_served(log, args, progress)
        sessions = self._sessions(snapshot, float(args["hours"]), progress)
        return rank_again(live, tried, sessions, _later(progress), window_h=window_h)

    def _sessions(self, snapshot: Snapshot, hours: float, progress: Progress) -> list[Past]:
        now = self.site.clock.now()
        progress(0.0, "looks for sessions")
        there = self.past.sessions(now - timedelta(hours=hours), now)
        if not there:
            raise InvalidInput(f"Nobody opened anything in the last {hours:g} hours, so there is nothing to replay.")
        chosen = Random(1).sample(there, min(MOST, len(there)))  # noqa: S311  the same sessions for the same log
        found = []
        for place, one in enumerate(sorted(chosen, key=lambda session: session.at_us)):
            progress(0.2 * place / len(chosen), f"reads history {place + 1:,} of {len(chosen):,}")
            if past := self._past(snapshot, one.reader, one.at_us - 1):
                found.append(Past(one.reader_id, one.at_us - 1, *past, opened=one.article_ids))
        return found

    def _slots(self, snapshot: Snapshot, hours: float, progress: Progress) -> list[Past]:
        """Every plan of the time, for some of the readers who could be reached; each stands for as many as were due."""
        now = self.site.clock.now()
        plans = self.past.plans(now - timedelta(hours=hours), now)
        judged = [
            (campaign, one, one.funnel.get("SEND", 0) + one.funnel.get("BELOW_BAR", 0)) for campaign, one in plans
        ]
        judged = [one for one in judged if one[2]]
        if not judged:
            raise InvalidInput(f"No campaign was planned in the last {hours:g} hours, so there is nothing to replay.")
        readers = self.past.reachable(limit=max(MOST // len(judged), 20))
        found = []
        for campaign, plan, count in judged:
            for place, (number, key) in enumerate(readers):
                progress(0.2 * place / len(readers), f"reads history {place + 1:,} of {len(readers):,}")
                at_us = micros(plan.planned_at)
                if past := self._past(snapshot, key, at_us):
                    found.append(Past(number, at_us, *past, bar=campaign.bar, weight=count / len(readers)))
        return found

    def _past(self, snapshot: Snapshot, key: str, at_us: int) -> tuple[ReaderView, str] | None:
        state = self.site.store.reader_state(key, reads=READS, impressions=IMPRESSIONS, until=instant(at_us))
        if state is None:
            return None
        view = ReaderView(_choices(state.row, snapshot), state.reads, state.impressions, state.row.id)
        return view, state.row.language


def _of_served(log: ServedLog, args: Mapping[str, Any], progress: Progress) -> Replayed:
    """The lists that were served, decided again under both."""
    found = []
    for turn, name in enumerate(("live", "tried")):
        given = args[name]

        def told(done: int, every: int, turn: int = turn) -> None:
            progress(turn / 2 + done / every / 2, f"list {done:,} of {every:,}, {('live', 'tried')[turn]} weights")

        random = np.random.default_rng(1)
        found.append(replay_weights(log, given["weights"], options=given["options"], random=random, progress=told))
    measures = [
        Measured(words, Interval(*pair[0]), Interval(*pair[1]), unit)
        for words, field, unit in SERVED_MEASURES
        if np.isfinite(pair := [tuple(getattr(one, field)) for one in found]).all()
    ]
    return Replayed(measures, len(log), SERVED_NOTES)


def _later(progress: Progress) -> Progress:
    """The first fifth was reading."""
    return lambda share, said: progress(0.2 + 0.8 * share, said)


def _choices(row: ReaderRow, snapshot: Snapshot) -> Choices:
    sources = {source.key: number for number, source in snapshot.sources.items()}
    return Choices(
        followed_topics=row.followed_topics,
        muted_topics=row.muted_topics,
        muted_sources=tuple(sources[key] for key in row.muted_sources if key in sources),
        followed_stories=tuple(int(key) for key in row.followed_stories if key.isdecimal()),
        muted_stories=tuple(int(key) for key in row.muted_stories if key.isdecimal()),
    )


REPLAYERS: Mapping[str, Callable[[Site], Replayer]] = {"weights": WeightsReplayer}
