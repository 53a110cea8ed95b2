"""The FCM sender against the loopback server: every count is compared with the server's own log."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from data.alerts import Outcome
from scheduler.breaker import Breaker
from scheduler.fake_fcm.server import FakeFcm
from scheduler.fcm import FcmSender
from scheduler.message import Outgoing
from scheduler.pace import Limits

Fake = Callable[..., FakeFcm]
SenderTo = Callable[..., FcmSender]
Many = Callable[..., list[Outgoing]]
Results = list[tuple[Outgoing, Outcome]]


def send(sender: FcmSender, messages: list[Outgoing]) -> Results:
    results = list(sender.send(messages))
    assert sorted(one.due.id for one, _ in results) == sorted(one.due.id for one in messages), "each ends once"
    return results


def states(results: Results) -> Counter[str]:
    return Counter(outcome.state for _, outcome in results)


def devices(results: Results) -> Counter[str]:
    return Counter(outcome.device for _, outcome in results if outcome.device)


def alarms(results: Results) -> list[str]:
    return [outcome.alarm for _, outcome in results if outcome.alarm]


def test_every_message_arrives_once_over_few_connections(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 5})
    results = send(sender_to(server), many(600))
    assert states(results) == {"sent": 600}
    assert set(server.service.log.accepted_targets().values()) == {1}
    assert len(server.service.log.accepted_targets()) == 600
    assert server.service.log.connections <= 2
    assert all(outcome.message_name.startswith("projects/demo-news/messages/") for _, outcome in results)  # type: ignore[union-attr]


def test_h2_without_tls_works_too(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake()
    assert states(send(sender_to(server, url=server.plain_url), many(50))) == {"sent": 50}


def test_a_graceful_goaway_loses_and_repeats_nothing(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 10}, connection={"goaway_every": 120})
    results = send(sender_to(server, transport={"connections": 4}), many(1_500))
    assert states(results) == {"sent": 1_500}
    assert server.service.log.goaways >= 10
    assert server.service.log.accepted == server.service.log.posts == 1_500


def test_refused_streams_go_again(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "refuse_stream", "every": 50}])
    assert states(send(sender_to(server), many(400))) == {"sent": 400}
    assert server.service.log.accepted == 400


@pytest.mark.parametrize("fault", ["reset_stream", "reset_connection", "close_connection", "hang"])
def test_what_may_have_arrived_is_never_posted_again(fake: Fake, sender_to: SenderTo, many: Many, fault: str) -> None:
    server = fake(latency={"ms": 5}, rules=[{"answer": fault, "every": 150}])
    patience = {"timeout_ms": 1_500} if fault == "hang" else {}
    results = send(sender_to(server, transport=patience), many(600))
    told = states(results)
    assert told["unknown"] >= 3
    assert told["sent"] + told["unknown"] + told["ready"] == 600  # a slow machine may see a storm, and wait
    assert set(server.service.log.accepted_targets().values()) == {1}
    sent = {one.due.fid for one, outcome in results if outcome.state == "sent"}
    assert sent <= set(server.service.log.accepted_targets())


def test_a_repeat_replaces_on_the_screen_where_the_campaign_allows_repeats(
    fake: Fake, sender_to: SenderTo, many: Many
) -> None:
    server = fake(rules=[{"answer": "reset_stream", "first": 1, "last": 30}])
    sender, messages = sender_to(server), many(200, mode="at_least_once")
    first = send(sender, messages)
    again = [one for one, outcome in first if outcome.state == "ready"]
    assert (states(first)["ready"], states(send(sender, again))) == (30, {"sent": 30})
    assert server.service.log.accepted == 230
    assert server.service.inbox.doubled() == {}
    assert len(server.service.inbox.rung_twice()) == 30


def test_a_full_quota_keeps_every_message_and_waits_as_told(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(
        latency={"ms": 5}, rules=[{"answer": "quota_exceeded", "first": 200, "last": 220, "retry_after_s": 40}]
    )
    results = send(sender_to(server), many(1_000))
    told = states(results)
    assert told["sent"] + told["ready"] == 1_000
    assert told["sent"] == server.service.log.accepted
    kept = [outcome for _, outcome in results if outcome.state == "ready"]
    assert all(one.holds_app and one.retry_at is not None for one in kept)
    assert server.service.log.posts < 500, "the rest was never posted"


def test_messages_of_another_project_go_on_while_one_waits(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "quota_exceeded", "project": "sport-1", "retry_after_s": 60}])
    sender = sender_to(server, projects={"": "demo-news", "sport": "sport-1"})
    results = send(sender, many(300, app=lambda n: "sport" if n % 2 else "", campaign_key=lambda n: f"c{n % 2}"))
    assert {one.due.app: outcome.state for one, outcome in results} == {"": "sent", "sport": "ready"}
    assert Counter(line.project for line in server.service.log.lines if line.is_accepted) == {"demo-news": 150}


def test_a_device_of_an_unknown_app_stops_its_campaign(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    results = send(sender_to(fake()), many(3, app="weather"))
    assert states(results) == {"ready": 3}
    assert "NEWSBELL_FCM_APPS" in alarms(results)[0]


def test_a_failing_server_costs_what_was_under_way_and_no_more(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 5}, rules=[{"answer": "unavailable", "first": 200}])
    results = send(sender_to(server), many(3_000))
    told = states(results)
    assert told["sent"] == 199
    assert told["unknown"] == server.service.log.answers["unavailable"] <= 250
    assert told["ready"] == 3_000 - 199 - told["unknown"]


def test_one_bad_answer_stops_nothing(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "internal", "first": 150, "last": 150}])
    assert states(send(sender_to(server), many(400))) == {"sent": 399, "unknown": 1}


def test_an_html_answer_of_a_gateway_is_unknown_and_everybody_waits(
    fake: Fake, sender_to: SenderTo, many: Many
) -> None:
    server = fake(rules=[{"answer": "bad_gateway", "first": 120, "last": 120}])
    results = send(sender_to(server), many(2_000))
    assert states(results)["unknown"] == 1
    assert states(results)["ready"] > 0


def test_devices_that_are_gone_are_pruned(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(
        rules=[{"answer": "unregistered", "device": "fid-*1"}, {"answer": "apns_disabled", "device": "fid-52"}]
    )
    results = send(sender_to(server), many(500))
    assert states(results) == {"sent": 449, "gone": 51}
    assert devices(results) == {"gone": 51}


def test_a_legacy_token_is_tried_when_the_installation_is_unknown(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "unregistered", "device": "fid-*"}])
    results = send(sender_to(server), many(3, token=lambda n: f"legacy-{n}"))
    assert states(results) == {"sent": 3}
    assert set(server.service.log.accepted_targets()) == {"legacy-0", "legacy-1", "legacy-2"}


def test_a_few_strange_devices_are_set_aside(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(
        rules=[
            {"answer": "sender_id_mismatch", "device": "fid-300"},
            {"answer": "invalid_token", "device": "fid-301"},
            {"answer": "invalid_token_field", "device": "fid-302"},
        ]
    )
    results = send(sender_to(server), many(600))
    assert states(results) == {"sent": 597, "gone": 2, "failed": 1}
    assert devices(results) == {"gone": 2, "quarantined": 1}
    assert alarms(results) == []


@pytest.mark.parametrize("answer", ["sender_id_mismatch", "invalid_token", "permission_denied"])
def test_a_fault_of_ours_prunes_nobody(
    fake: Fake, sender_to: SenderTo, many: Many, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    server = fake(rules=[{"answer": answer}])
    results = send(sender_to(server), many(1_000))
    assert devices(results) == {}
    assert server.service.log.posts == 100, "the canary and no more"
    assert [outcome.stops for _, outcome in results].count(True) == 1
    assert "400, 401 or 403" in alarms(results)[0]
    assert states(results)["ready"] >= 900


def test_the_breaker_trips_in_the_middle_of_a_campaign(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 5}, rules=[{"answer": "sender_id_mismatch", "first": 400}])
    results = send(sender_to(server), many(5_000))
    assert states(results)["sent"] == 399
    assert devices(results) == {}
    assert server.service.log.posts < 400 + 250, "what was under way and no more"


def test_a_poisoned_message_stops_its_campaign_alone(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "payload", "article": "poison"}])
    messages = many(600, campaign_key=lambda n: f"c{n % 2}", article_key=lambda n: "poison" if n % 2 else "good")
    results = send(sender_to(server), messages)
    good, bad = ([one for one in results if one[0].due.campaign.key == key] for key in ("c0", "c1"))
    assert states(good) == {"sent": 300}
    assert states(bad) == {"failed": 100, "ready": 200}
    assert devices(results) == {}
    assert "'poison'" in alarms(results)[0]


def test_one_platform_whose_key_is_refused_does_not_stop_the_others(
    fake: Fake, sender_to: SenderTo, many: Many
) -> None:
    server = fake(rules=[{"answer": "third_party_auth", "device": "fid-*[13579]"}])
    results = send(sender_to(server), many(600, platform=lambda n: "ios" if n % 2 else "android"))
    by_platform = {(one.due.platform, outcome.state) for one, outcome in results}
    assert by_platform == {("android", "sent"), ("ios", "ready")}
    assert len(alarms(results)) == 1
    assert not any(outcome.stops for _, outcome in results)


def test_campaigns_wait_for_their_canary(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 150})
    most = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            if not server.service.log.accepted_targets() or server.service.now_s - start_s < 0.14:
                most = max(most, server.service.log.posts)
            time.sleep(0.005)

    start_s = server.service.now_s
    watcher = threading.Thread(target=watch)
    watcher.start()
    results = send(sender_to(server), many(300))
    done.set()
    watcher.join()
    assert states(results) == {"sent": 300}
    assert most <= 100


def test_expired_bearers_are_renewed_once(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    class Bearer:
        def __init__(self) -> None:
            self.value, self.renewals = "expired", 0

        def token(self) -> str:
            return self.value

        def renew(self, refused: str) -> str:
            if self.value == refused:
                self.value, self.renewals = "ya29.fresh", self.renewals + 1
            return self.value

    server, bearer = fake(latency={"ms": 10}), Bearer()
    results = send(sender_to(server, bearer=bearer), many(300))
    assert states(results) == {"sent": 300}
    assert bearer.renewals == 1
    assert server.service.log.answers == {"unauthenticated": 100, "ok": 300}


def test_nothing_listens(fake: Fake, sender_to: SenderTo, many: Many, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    sender = sender_to(fake(), url="https://127.0.0.1:1")
    results = send(sender, many(50))
    assert states(results) == {"ready": 50}, "what never left is kept"


def test_a_sender_may_be_used_again_after_it_stopped_a_campaign(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(rules=[{"answer": "permission_denied", "last": 100}])
    sender = sender_to(server)
    assert states(send(sender, many(200))) == {"ready": 200}
    assert states(send(sender, many(200))) == {"sent": 200}


def test_messages_are_pulled_no_faster_than_they_go(fake: Fake, sender_to: SenderTo, many: Many) -> None:
    server = fake(latency={"ms": 20})
    pulled: list[int] = []
    messages = many(120)

    def source() -> Any:
        for one in messages:
            pulled.append(one.due.id)
            yield one

    limits = Limits(quota_per_minute=6_000, share=1.0, ramp_s=0)  # 100 a second
    sender, ahead = sender_to(server, limits=limits, breaker=lambda: Breaker(canary=0)), 0
    for number, _ in enumerate(sender.send(source()), 1):
        ahead = max(ahead, len(pulled) - number)
    assert ahead < 30
