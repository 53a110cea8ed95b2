"""The click model behind `interest`: learned from lists as serving knew them, kept, named, served, explained."""

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.clock import FixedClock
from data.errors import InvalidInput, InvalidSettings, NotFound
from data.sample import generate
from data.settings import Settings
from data.store import Store
from data.values import RuleRow
from data.wire import EventIn
from recommender import for_you as listing
from recommender import interest_files
from recommender.experiments.serving import Trials
from recommender.interest import CANDIDATE, GROUPS, NAMES, Interest, Reference, name_of
from recommender.learn.interest import LearnedInterest, NothingHolds, learn_interest, shown_of
from recommender.learn.trees import Growth
from recommender.replay.cli import options_with_model
from recommender.replay.from_store import read_log
from recommender.replay.served_log import ServedLog, moments
from recommender.rules import DeskRule
from recommender.service import Service, ensure_default_weights
from recommender.signals import SIGNALS
from recommender.windowed import Windowed

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)
READERS, STEPS, PLACES = 12, 9, 8
GROWTH = Growth(trees=40, depth=3, step=0.2, ridge=2.0, patience=40)


class Room:
    """A newsroom whose readers open the second oldest of what they are shown: no weights can say that."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.settings = store, Settings(index_dir=None, models_dir=folder)
        self.service = Service(store, self.settings, FixedClock(NOW))
        self.features: list[np.ndarray] = []
        newsroom = generate(seed=1, now=NOW)
        store.put_articles(newsroom.articles, now=NOW)
        store.put_readers(newsroom.readers, now=NOW)
        store.add_events(newsroom.events, now=NOW)
        ensure_default_weights(store, NOW)
        self.readers = [one.id for one in newsroom.readers[:READERS]]
        for step in range(STEPS):
            self.turn(NOW + timedelta(minutes=20 * step), step)
        self.service.refresh()
        window = (NOW - timedelta(hours=1), NOW + timedelta(hours=6))
        self.log = read_log(store, self.service.snapshot, *window)

    def turn(self, now: datetime, step: int) -> None:
        self.service.clock = self.service.writer.clock = FixedClock(now)
        self.service.refresh()
        self.service.writer.start()
        for reader in self.readers:
            self.serve(reader, now, step)
        self.service.writer.stop()

    def serve(self, reader: str, now: datetime, step: int) -> None:
        seen: list[Any] = []
        original = listing.for_you

        def noting(*args: Any, **named: Any) -> Any:
            seen.append(original(*args, **named))
            return seen[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("recommender.service.listing.for_you", noting)
            slate = self.service.for_you(reader, limit=PLACES)
        head = seen[0].head[: len(slate.items)]
        self.features.append(seen[0].signals.interest_features(head).T.copy())
        age = self.features[-1][:, NAMES.index("age")]
        chosen = slate.items[int(np.argsort(-age)[1])].article_id
        at = now + timedelta(minutes=1)
        shown = [
            {"id": f"{reader}-{step}-{n}", "reader": reader, "article": one.article_id, "kind": "impression"}
            for n, one in enumerate(slate.items)
        ]
        opened = {"id": f"{reader}-{step}", "reader": reader, "article": chosen, "kind": "open"}
        events = [{**one, "at": at, "served_id": slate.served_id} for one in (*shown, opened)]
        self.store.add_events([EventIn.model_validate(one) for one in events], now=at)


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("interest")
    with Store.open(f"sqlite:///{folder / 'newsbell.db'}") as store:
        store.migrate()
        yield Room(store, folder / "models")


@pytest.fixture(scope="module")
def learned(room: Room) -> LearnedInterest:
    live = room.log.snapshot.weights_of("for_you")
    return learn_interest(room.log, live, random=np.random.default_rng(0), growth=GROWTH)


def under(room: Room, model: Interest | None, weight: float = 0.5) -> ServedLog:
    """The log as if a version with the model were live."""
    row = room.log.snapshot.weights["for_you"]
    row = replace(row, weights={**row.weights, "interest": weight}, options={**row.options, "interest_model": 7.0})
    models = {7: model} if model else {}
    snapshot = replace(room.log.snapshot, weights={**room.log.snapshot.weights, "for_you": row}, models=models)
    return replace(room.log, snapshot=snapshot)


def test_learning_sees_bit_for_bit_what_serving_would_have_asked_with(room: Room) -> None:
    shown = shown_of(moments(room.log, limit=1))
    np.testing.assert_array_equal(np.concatenate(room.features), shown.X)
    assert shown.considered.mean() > 0.9


def test_what_happens_later_changes_no_feature(room: Room) -> None:
    middle = room.log.slates[5 * READERS].at_us
    events = room.log.events
    kept = events.at_us < middle
    parts = (events.article_id[kept], events.reader_id[kept], events.at_us[kept], events.kind[kept])
    cut = replace(
        room.log, events=replace(events, **dict(zip(("article_id", "reader_id", "at_us", "kind"), parts, strict=True)))
    )
    before, after = (shown_of(moments(one, limit=1)) for one in (room.log, cut))
    end = before.start[5 * READERS]
    np.testing.assert_array_equal(before.X[:end], after.X[:end])
    assert not np.array_equal(before.X[end:], after.X[end:])


def test_what_no_weights_can_say_is_learned(learned: LearnedInterest) -> None:
    assert learned.learned.ndcg_10.mean > learned.live.ndcg_10.mean
    assert learned.learned.ndcg_10.mean > learned.without.ndcg_10.mean
    assert learned.weights["interest"] > 0
    assert sum(learned.weights.values()) == pytest.approx(1.0, abs=0.01)
    assert min(learned.weights.values()) >= 0


def test_the_gain_is_told_by_group(learned: LearnedInterest) -> None:
    assert set(learned.model.gain) == set(GROUPS)
    assert sum(learned.model.gain.values()) == pytest.approx(1.0, abs=0.01)
    assert max(learned.model.gain, key=lambda name: learned.model.gain[name]) == "freshness"


def test_probabilities_are_calibrated_on_later_lists(room: Room, learned: LearnedInterest) -> None:
    later = shown_of(list(moments(room.log, limit=1))[-2 * READERS :])
    chance = learned.model.probability(later.X.T)
    assert chance.mean() == pytest.approx(later.opened.mean(), abs=0.05)


def test_parts_sum_to_the_score_of_every_candidate(room: Room, learned: LearnedInterest) -> None:
    for moment in list(moments(under(room, learned.model), limit=PLACES))[:READERS]:
        result = moment.ranked.result
        assert result.weights[SIGNALS.index("interest")] == np.float32(0.5)
        np.testing.assert_allclose(result.parts.sum(axis=1) + result.adjust, result.score, atol=2e-6)
        values = moment.ranked.S[:, SIGNALS.index("interest")]
        assert 0 < values.max() <= 1
        assert values.min() >= 0


def test_parts_and_rules_sum_to_the_score(room: Room, learned: LearnedInterest) -> None:
    log = under(room, learned.model)
    source = int(log.snapshot.index.columns.source_id[0])
    row = RuleRow(1, "boost", "for_you", "source", str(source), 0.2, None, NOW - timedelta(days=1), None, "desk", "")
    log = replace(log, snapshot=replace(log.snapshot, rules={"for_you": (DeskRule(row, source),)}))
    for moment in list(moments(log, limit=PLACES))[:READERS]:
        result = moment.ranked.result
        assert result.adjust.max() > 0
        assert result.parts[:, SIGNALS.index("interest")].max() > 0
        np.testing.assert_allclose(result.parts.sum(axis=1) + result.adjust, result.score, atol=2e-6)


def test_an_experiment_tries_a_version_with_its_model(room: Room, learned: LearnedInterest) -> None:
    tried = under(room, learned.model).snapshot
    row = replace(tried.weights["for_you"], version=9)
    live = replace(room.log.snapshot, models=tried.models, trials=Trials((), {("for_you", 9): row}))
    assert live.interest_of("for_you") is None
    assert live.under_version("for_you", 9).interest_of("for_you") is learned.model


def test_no_list_changes_while_interest_weighs_nothing(room: Room, learned: LearnedInterest) -> None:
    for was, now in zip(moments(room.log), moments(under(room, learned.model, weight=0.0)), strict=True):
        np.testing.assert_array_equal(was.ranked.head, now.ranked.head)
        np.testing.assert_array_equal(was.ranked.S, now.ranked.S)


def test_lists_change_with_a_weight(room: Room, learned: LearnedInterest) -> None:
    pairs = zip(moments(room.log), moments(under(room, learned.model, weight=1.0)), strict=True)
    assert any(not np.array_equal(was.ranked.head, now.ranked.head) for was, now in pairs)


def test_a_missing_model_leaves_lists_as_without_the_weight(room: Room) -> None:
    for was, now in zip(moments(room.log), moments(under(room, None)), strict=True):
        np.testing.assert_array_equal(was.ranked.head, now.ranked.head)
        np.testing.assert_array_equal(was.ranked.result.weights, now.ranked.result.weights)


def test_few_considered_are_the_best_by_the_other_signals(
    room: Room, learned: LearnedInterest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.windowed.CONSIDERED", 20)
    monkeypatch.setattr("recommender.windowed.BOUNDED", 40)
    plain = [moment.ranked.result.score for moment in moments(room.log)]
    for score, moment in zip(plain, moments(under(room, learned.model)), strict=True):
        found = moment.ranked.signals
        assert isinstance(found, Windowed)
        assert set(np.flatnonzero(moment.ranked.S[:, 1])) <= set(found.considered.tolist())
        first = np.arange(len(found)) if found.tier is None else np.flatnonzero(found.tier == 0)
        if len(first) >= 20:
            assert score[found.considered].min() >= np.sort(score[first])[-20] - 2e-6


def test_the_best_with_interest_are_found_without_comparing_every_text(
    room: Room, learned: LearnedInterest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recommender.windowed.CONSIDERED", 20)
    monkeypatch.setattr("recommender.windowed.BOUNDED", 40)
    spared = 0
    for moment in moments(under(room, learned.model)):
        found, weights = moment.ranked.signals, moment.ranked.result.weights
        assert isinstance(found, Windowed)
        told, adjust = replace(found), np.zeros(len(found), np.float32)
        scores, whole = told.scores(weights, adjust, 10), np.asarray(found.S @ weights, np.float32)
        spared += int((~told.compared).sum())
        first = np.arange(len(found)) if found.tier is None else np.flatnonzero(found.tier == 0)
        best = first[np.argsort(-whole[first])[:10]]
        np.testing.assert_allclose(scores[best], whole[best], atol=2e-6)
        assert np.all(scores[first] <= whole[first] + 2e-6)
    assert spared > 0


def test_one_candidate_is_judged_as_among_others(learned: LearnedInterest) -> None:
    random = np.random.default_rng(3)
    columns = random.random((len(CANDIDATE), 60)).astype(np.float32).round(1)
    reference, context = Reference.of(columns), np.array([0.5, 12], np.float32)
    X = reference.features(columns, context)
    batch = learned.model.signal(X)
    for one in range(60):
        alone = reference.features(columns[:, one : one + 1], context)
        np.testing.assert_array_equal(X[:, one : one + 1], alone)
        assert learned.model.signal(alone)[0] == batch[one]


def test_ranks_are_shares_of_the_considered_below_ties_half() -> None:
    columns = np.tile(np.array([3, 1, 3, 0], np.float32), (len(CANDIDATE), 1))
    X = Reference.of(columns).features(columns, np.zeros(2, np.float32))
    np.testing.assert_allclose(X[2 * len(CANDIDATE)], [0.75, 0.375, 0.75, 0.125])
    np.testing.assert_allclose(X[len(CANDIDATE)], [1.25, -0.75, 1.25, -1.75])


def test_a_kept_model_comes_back_as_it_was(tmp_path: Path, learned: LearnedInterest) -> None:
    number = interest_files.save(tmp_path, learned.model)
    again = interest_files.load(tmp_path, number)
    X = np.random.default_rng(0).random((len(NAMES), 30)).astype(np.float32)
    np.testing.assert_array_equal(learned.model.signal(X), again.signal(X))
    assert again.told == learned.model.told
    assert interest_files.save(tmp_path, learned.model) == number
    assert float(number) == number
    assert interest_files.numbers(tmp_path) == [number]


@pytest.mark.parametrize("damage", ["arrays", "facts", "gone", "torn"])
def test_a_damaged_model_is_refused(tmp_path: Path, learned: LearnedInterest, damage: str) -> None:
    number = interest_files.save(tmp_path, learned.model)
    arrays, facts = (tmp_path / name_of(number) / name for name in (interest_files.ARRAYS, interest_files.FACTS))
    if damage == "arrays":
        arrays.write_bytes(arrays.read_bytes()[:-1])
    elif damage == "facts":
        facts.write_text(json.dumps({**json.loads(facts.read_text()), "slope": 9.0}))
    elif damage == "gone":
        arrays.unlink()
    else:
        facts.write_text(facts.read_text()[:40])
    with pytest.raises(InvalidInput, match="learn it again"):
        interest_files.load(tmp_path, number)


def test_a_model_of_numbers_that_are_none_is_refused(tmp_path: Path, learned: LearnedInterest) -> None:
    for broken in (
        replace(learned.model, value=learned.model.value * np.float32("nan")),
        replace(learned.model, slope=float("inf")),
        replace(learned.model, feature=learned.model.feature + len(NAMES)),
    ):
        with pytest.raises(InvalidInput, match="learn it again"):
            interest_files.load(tmp_path, interest_files.save(tmp_path, broken))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, learned: LearnedInterest) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InvalidSettings, match="NEWSBELL_MODELS_DIR"):
        interest_files.save(tmp_path / "file", learned.model)


def test_a_damaged_model_is_told_and_the_others_are_taken(
    tmp_path: Path, learned: LearnedInterest, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = (interest_files.save(tmp_path, replace(learned.model, usual=one)) for one in (0.1, 0.2))
    (tmp_path / name_of(bad) / interest_files.ARRAYS).write_bytes(b"torn")
    models = interest_files.Models(tmp_path)
    assert set(models.follow()) == {good}
    assert models.follow() is models.follow()
    assert [name_of(bad) in one for one in caplog.messages] == [True]


def test_old_models_go_unless_weights_name_them(tmp_path: Path, learned: LearnedInterest) -> None:
    made = [interest_files.save(tmp_path, replace(learned.model, usual=0.1 + one / 100)) for one in range(5)]
    interest_files.forget(tmp_path, {made[0]}, kept=2)
    left = set(interest_files.numbers(tmp_path))
    assert made[0] in left
    assert len(left) in (2, 3)


def test_serving_goes_on_without_the_model_and_takes_it_when_it_comes(
    room: Room, learned: LearnedInterest, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    service = Service(room.store, Settings(index_dir=None, models_dir=folder), FixedClock(NOW + timedelta(hours=4)))
    service.refresh()
    row = room.store.live_weights("for_you")
    assert row is not None
    number = interest_files.save(tmp_path / "elsewhere", learned.model)
    room.store.publish_weights(
        "for_you", {**row.weights, "interest": 0.4}, {**row.options, "interest_model": float(number)},
        author="desk@example.com", reason="try it", now=NOW,
    )  # fmt: skip
    try:
        with caplog.at_level(logging.WARNING):
            service.refresh()
            service.refresh()
        assert [record.message for record in caplog.records if name_of(number) in record.message].__len__() == 1
        assert len(service.for_you(room.readers[0], limit=5).items) == 5
        assert service.snapshot.weights_of("for_you")["interest"] == 0
        interest_files.save(folder, learned.model)
        service.refresh()
        assert service.snapshot.weights_of("for_you")["interest"] == 0.4
        slate = service.for_you(room.readers[0], limit=5)
        why = service.why(room.readers[0], slate.items[0].article_id)
        version = room.store.live_weights("for_you")
        assert version is not None
        options = options_with_model(room.store, room.log.snapshot, str(version.version))
        assert options["interest_model"] == number
        assert options_with_model(room.store, service.snapshot, "tried.json")["interest_model"] == 0
        part = {one.signal: one for one in why.parts}["interest"]
        assert part.adds == pytest.approx(part.value * 0.4)
        assert part.value > 0
        assert sum(one.adds for one in why.parts) + why.adjust == pytest.approx(why.score, abs=2e-6)
    finally:
        room.store.publish_weights("for_you", row.weights, row.options, author="desk", reason="back", now=NOW)


def test_a_model_that_is_wrong_on_later_lists_is_not_kept(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.learn.interest._platt", lambda *_: (-0.5, 0.0))
    with pytest.raises(NothingHolds, match="more days"):
        learn_interest(room.log, {"freshness": 1.0}, random=np.random.default_rng(0), growth=GROWTH)


def test_too_little_to_learn_from_is_said(room: Room) -> None:
    few = replace(room.log, slates=room.log.slates[:20])
    with pytest.raises(NotFound, match="at least 50"):
        learn_interest(few, {}, random=np.random.default_rng(0))
