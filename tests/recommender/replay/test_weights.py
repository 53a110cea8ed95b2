"""The newsroom's own log: what replay computes is what was served, and nothing that came later changes it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from data.clock import FixedClock
from data.errors import NotFound
from data.sample import Newsroom, generate
from data.settings import load_settings
from data.store import Store
from data.values import EventBatch
from data.wire import EventIn
from recommender import for_you as listing
from recommender.learn.own import learn_weights
from recommender.replay.from_store import read_log
from recommender.replay.served_log import ServedLog, moments
from recommender.replay.weights import replay_weights, shown_signals
from recommender.service import Service, ensure_default_weights
from recommender.snapshot import WEIGHTS

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
READERS = 12


class Served:
    """A sample newsroom that served some lists, each with what ranking computed for it then."""

    def __init__(self, store: Store, newsroom: Newsroom) -> None:
        self.store, self.signals, self.settings = store, list[np.ndarray](), load_settings(refresh_s=0.1)
        service = Service(store, self.settings, FixedClock(NOW))
        for step in range(3):
            now = NOW + timedelta(minutes=20 * step)
            service.clock = service.writer.clock = FixedClock(now)
            service.refresh()
            service.writer.start()
            for reader in newsroom.readers[:READERS]:
                self._serve(service, reader.id, now, step)
            service.writer.stop()
        service.refresh()
        self.log = self.read(service)

    def read(self, service: Service) -> ServedLog:
        """The log as a process sees it that took in the articles by itself."""
        return read_log(self.store, service.snapshot, NOW - timedelta(hours=1), NOW + timedelta(hours=2))

    def _serve(self, service: Service, reader: str, now: datetime, step: int) -> None:
        seen = []
        original = listing.for_you

        def noting(*args: Any, **named: Any) -> Any:
            seen.append(original(*args, **named))
            return seen[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("recommender.service.listing.for_you", noting)
            slate = service.for_you(reader, limit=10)
        ranked = seen[0]
        self.signals.append(ranked.signals_of(ranked.head[: len(slate.items)]).copy())
        chosen = slate.items[step]
        opened = {"id": f"{reader}-{step}", "reader": reader, "article": chosen.article_id, "kind": "open"}
        at = now + timedelta(minutes=1)
        self.store.add_events([EventIn.model_validate({**opened, "at": at, "served_id": slate.served_id})], now=at)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    newsroom = generate(seed=1, now=NOW)
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('replay') / 'newsbell.db'}") as store:
        store.migrate()
        store.put_articles(newsroom.articles, now=NOW)
        store.put_readers(newsroom.readers, now=NOW)
        store.add_events(newsroom.events, now=NOW)
        ensure_default_weights(store, NOW)
        yield Served(store, newsroom)


def test_replay_computes_bit_for_bit_what_was_served(served: Served) -> None:
    again = shown_signals(served.log)
    assert len(again) == len(served.signals) == 3 * READERS
    for was, found in zip(served.signals, again, strict=True):
        np.testing.assert_array_equal(was, found)


def test_another_process_computes_the_same_to_the_last_place(served: Served) -> None:
    """It holds the articles in another order, so that sums over words round differently."""
    other = Service(served.store, served.settings, FixedClock(NOW + timedelta(hours=2)))
    other.refresh()
    for was, found in zip(served.signals, shown_signals(served.read(other)), strict=True):
        np.testing.assert_allclose(was, found, rtol=0, atol=1e-6)


def test_the_same_weights_give_the_same_list_again(served: Served) -> None:
    for moment in moments(served.log):
        ids = moment.snapshot.index.columns.id[moment.ranked.rows[moment.ranked.head]]
        np.testing.assert_array_equal(ids, moment.slate.article_ids)


def test_what_was_opened_on_a_list_is_known(served: Served) -> None:
    assert all(slate.opened.sum() == 1 for slate in served.log.slates)


def test_what_happens_later_changes_no_signal(served: Served) -> None:
    middle = served.log.slates[READERS].at_us
    changed = _without_events_from(served.log, middle)
    before = shown_signals(served.log)[: READERS + 1]
    for was, found in zip(before, shown_signals(changed)[: READERS + 1], strict=True):
        np.testing.assert_array_equal(was, found)


def test_what_happens_before_does(served: Served) -> None:
    changed = _without_events_from(served.log, 0)
    differs = [
        not np.array_equal(*pair) for pair in zip(shown_signals(served.log), shown_signals(changed), strict=True)
    ]
    assert any(differs)


def test_a_delay_keeps_fresh_reads_of_others_from_counting(served: Served) -> None:
    day = 24 * 3_600_000_000
    assert not np.array_equal(shown_signals(served.log)[-1], shown_signals(served.log, delay_us=4 * day)[-1])


def test_weights_are_judged_with_intervals(served: Served) -> None:
    told = []
    found = replay_weights(
        served.log, WEIGHTS["for_you"], random=np.random.default_rng(0), progress=lambda *at: told.append(at)
    )
    assert found.slates == found.opened == 3 * READERS
    for interval in (found.ndcg_10, found.coverage, found.median_age_h):
        assert interval.low <= interval.mean <= interval.high
    assert told[-1] == (3 * READERS, 3 * READERS)


def test_weights_that_value_the_opened_articles_are_judged_better(served: Served) -> None:
    fresh = {"freshness": 1.0}
    times = served.log.snapshot.index.columns
    slates = tuple(
        replace(slate, opened=(rank == rank.max()).astype(np.uint8))
        for slate in served.log.slates
        for rank in [times.published_at_us[times_rows(served.log, slate.article_ids)]]
    )
    log = replace(served.log, slates=slates)
    random = np.random.default_rng
    live = replay_weights(log, WEIGHTS["for_you"], random=random(0))
    tried = replay_weights(log, fresh, random=random(0))
    assert tried.ndcg_10.mean > live.ndcg_10.mean
    assert tried.median_age_h.mean < live.median_age_h.mean


def test_an_empty_log_tells_nothing(served: Served) -> None:
    found = replay_weights(replace(served.log, slates=()), WEIGHTS["for_you"], random=np.random.default_rng(0))
    assert found.slates == 0
    assert np.isnan(found.ndcg_10.mean)


def test_weights_are_learned_on_earlier_lists_and_judged_on_later_ones(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.learn.own.LEAST", 20)
    found = learn_weights(served.log, WEIGHTS["for_you"], random=np.random.default_rng(0))
    assert sum(found.weights.values()) == pytest.approx(1.0, abs=0.01)
    assert min(found.weights.values()) >= 0.0
    assert found.slates + found.learned.slates == len(served.log)
    assert found.until_us <= served.log.slates[found.slates].at_us
    assert found.learned.slates == found.live.slates


def test_too_little_to_learn_from_is_said(served: Served) -> None:
    with pytest.raises(NotFound, match="at least 50"):
        learn_weights(served.log, WEIGHTS["for_you"], random=np.random.default_rng(0))


def times_rows(log: ServedLog, ids: np.ndarray) -> np.ndarray:
    return log.snapshot.index.rows_of(ids)


def _without_events_from(log: ServedLog, at_us: int) -> ServedLog:
    """The log as if nothing had happened from an instant on."""
    kept = log.events.at_us < at_us
    parts = (log.events.article_id, log.events.reader_id, log.events.at_us, log.events.kind)
    events = EventBatch(log.events.last, *(part[kept] for part in parts))
    readers = {
        number: replace(past, reads=_before(past.reads, at_us), impressions=_before(past.impressions, at_us))
        for number, past in log.readers.items()
    }
    return replace(log, events=events, readers=readers)


def _before(done: Any, at_us: int) -> Any:
    kept = done.at_us < at_us
    arrays = {name: getattr(done, name)[kept] for name in ("article_id", "at_us", "kind", "dwell_s")}
    return replace(done, indptr=np.array([0, int(kept.sum())]), **arrays)
