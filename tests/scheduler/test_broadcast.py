"""A message to a topic: one request, and personal alerts know of it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from data.alerts import Outcome
from data.broadcasts import Broadcasts
from data.clock import FixedClock
from data.errors import Conflict, InvalidInput
from scheduler.broadcast import Broadcaster
from scheduler.delivery import Deliverer
from scheduler.fake_fcm.server import FakeFcm

if TYPE_CHECKING:
    from conftest import Newsroom


class Posts:
    """Remembers what was posted and ends it one way."""

    def __init__(self, *states: str) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.states = list(states)

    def __call__(self, app: str, body: bytes) -> Outcome:
        self.bodies.append(json.loads(body)["message"])
        state: Any = self.states.pop(0) if self.states else "sent"
        return Outcome(state, "projects/p/messages/1")


class Nobody:
    """A sender that must not be given anything."""

    def send(self, messages: Any) -> Any:
        for one in messages:
            raise AssertionError(one.due.key)
        return iter(())


def tell(newsroom: "Newsroom", posts: Posts, article: str = "tariffs", **options: Any) -> Outcome:
    broadcaster = Broadcaster(newsroom.store, posts, FixedClock(newsroom.now))
    return broadcaster.send(newsroom.store.article(article), **options)


def test_everybody_is_told_in_one_request_and_not_again(newsroom_on_each: "Newsroom", verdicts_of: Any) -> None:
    newsroom_on_each.article("tariffs", "New tariffs on cars")
    newsroom_on_each.reader("anna", devices=2)
    posts = Posts()
    assert tell(newsroom_on_each, posts).state == "sent"
    assert posts.bodies[0]["topic"] == "everyone"
    assert posts.bodies[0]["android"]["priority"] == "high"
    later = newsroom_on_each.now + timedelta(hours=3)
    newsroom_on_each.campaign(key="noon", local_times=("10:31",))
    report = newsroom_on_each.planner().at(newsroom_on_each.campaigns.get("noon"), later)
    assert verdicts_of(report) == {"anna": "ALREADY_TOLD"}


def test_a_topic_reaches_those_who_follow_it(newsroom: "Newsroom", verdicts_of: Any) -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    newsroom.reader("anna", followed_topics=["Trade"])
    newsroom.reader("ben")
    tell(newsroom, Posts(), topic="trade")
    newsroom.campaign(key="noon", local_times=("10:31",))
    report = newsroom.planner().at(newsroom.campaigns.get("noon"), newsroom.now + timedelta(hours=3))
    assert verdicts_of(report) == {"anna": "ALREADY_TOLD", "ben": "SEND"}


def test_what_was_planned_before_a_broadcast_is_held_back_at_the_last_moment(newsroom_on_each: "Newsroom") -> None:
    newsroom_on_each.article("tariffs", "New tariffs on cars")
    newsroom_on_each.reader("anna")
    newsroom_on_each.planner().at(newsroom_on_each.campaign(), newsroom_on_each.now)
    tell(newsroom_on_each, Posts())
    drained = Deliverer(newsroom_on_each.store, Nobody(), FixedClock(newsroom_on_each.now)).drain()
    assert drained.suppressed == 1


def test_a_topic_hears_of_a_story_once(newsroom: "Newsroom") -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    newsroom.article("reactions", "What the unions say of the tariffs", story="tariffs")
    posts = Posts()
    tell(newsroom, posts)
    with pytest.raises(Conflict, match="told of this story"):
        tell(newsroom, posts, "reactions")
    assert tell(newsroom, posts, topic="trade").state == "sent", "another topic"
    assert len(posts.bodies) == 2


def test_what_certainly_failed_may_be_tried_again_and_what_may_have_arrived_not(newsroom: "Newsroom") -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    posts = Posts("failed", "unknown")
    assert tell(newsroom, posts).state == "failed"
    assert tell(newsroom, posts).state == "unknown"
    with pytest.raises(Conflict):
        tell(newsroom, posts)
    assert [one["state"] for one in Broadcasts(newsroom.store).all()] == ["unknown", "failed"]


def test_a_retracted_article_is_told_to_nobody(newsroom: "Newsroom") -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    newsroom.store.retract_article("tariffs", now=newsroom.now)
    with pytest.raises(InvalidInput, match="retracted"):
        tell(newsroom, Posts())


def test_a_broadcast_reaches_the_phones_that_subscribed(
    newsroom: "Newsroom", fake: Callable[..., FakeFcm], sender_to: Any
) -> None:
    newsroom.article("tariffs", "New tariffs on cars")
    server = fake()
    for phone in ("one", "two"):
        path = f"/v1/projects/demo-news/registrations/{phone}/topicSubscriptions"
        server.service.topics.call("POST", path, {"topicName": "everyone"})
    outcome = tell(newsroom, sender_to(server).post)
    assert outcome.state == "sent"
    assert server.service.log.posts == 1
    assert [phone.arrived for phone in server.service.inbox.phones.values()] == [1, 1]
