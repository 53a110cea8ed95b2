"""The message: valid for firebase-admin, the same whether spliced or built whole, short enough for a phone."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from firebase_admin import messaging
from hypothesis import given
from hypothesis import strategies as st

from data.alerts import Due
from data.errors import InvalidInput
from scheduler.message import compose, shorten

MakeDue = Callable[..., Due]


PARTS: dict[str, Callable[[Due], dict[str, Any]]] = {
    "android": lambda due: {
        "android": messaging.AndroidConfig(
            collapse_key="morning",
            ttl=timedelta(hours=6),
            priority="normal",
            notification=messaging.AndroidNotification(tag="story-7"),
        )
    },
    "ios": lambda due: {
        "apns": messaging.APNSConfig(
            headers={
                "apns-collapse-id": "story-7",
                "apns-expiration": str(int(due.expires_at.timestamp())),
                "apns-priority": "5",
                "apns-push-type": "alert",
            },
            payload=messaging.APNSPayload(aps=messaging.Aps(thread_id="morning", mutable_content=True)),
        )
    },
    "web": lambda due: {
        "webpush": messaging.WebpushConfig(
            headers={"TTL": "21600", "Urgency": "normal", "Topic": "story-7"},
            notification=messaging.WebpushNotification(tag="story-7"),
            fcm_options=messaging.WebpushFCMOptions(link=due.article.url),
        )
    },
}


@pytest.mark.parametrize("platform", PARTS)
def test_a_spliced_message_is_what_firebase_admin_builds_whole(make_due: MakeDue, now: datetime, platform: str) -> None:
    due = make_due(platform=platform)
    whole = messaging.Message(
        fid="fid-1",
        data={"article_id": "tariffs", "story_id": "7", "url": due.article.url, "delivery_id": "d1"},
        notification=messaging.Notification(title="New tariffs", body=due.article.summary, image=due.article.image_url),
        **PARTS[platform](due),
        fcm_options=messaging.FCMOptions(analytics_label="morning"),
    )
    assert compose(due, now).body == {"message": json.loads(str(whole))}


def test_devices_of_one_article_differ_only_in_what_is_theirs(make_due: MakeDue, now: datetime) -> None:
    first = compose(make_due(), now).body["message"]
    second = compose(make_due(fid="fid-2", key="d2"), now).body["message"]
    assert (first["fid"], second["fid"]) == ("fid-1", "fid-2")
    assert (first["data"].pop("delivery_id"), second["data"].pop("delivery_id")) == ("d1", "d2")
    del first["fid"], second["fid"]
    assert first == second


def test_the_message_lives_no_longer_than_the_news(make_due: MakeDue, now: datetime) -> None:
    ends = now + timedelta(minutes=10)
    android, apple, web = (
        compose(make_due(expires_at=ends, platform=one), now + timedelta(minutes=4)).body["message"]
        for one in ("android", "ios", "web")
    )
    assert android["android"]["ttl"] == "360s"
    assert web["webpush"]["headers"]["TTL"] == "360"
    assert apple["apns"]["headers"]["apns-expiration"] == str(int((now + timedelta(minutes=10)).timestamp()))


def test_an_urgent_campaign_wakes_the_phone(make_due: MakeDue, now: datetime) -> None:
    android, apple, web = (
        compose(make_due(policy={"priority": "high"}, platform=one), now).body["message"]
        for one in ("android", "ios", "web")
    )
    assert android["android"]["priority"] == "high"
    assert apple["apns"]["headers"]["apns-priority"] == "10"
    assert web["webpush"]["headers"]["Urgency"] == "high"


def test_a_priority_fcm_does_not_know_is_refused(make_due: MakeDue, now: datetime) -> None:
    with pytest.raises(InvalidInput, match="makes no message"):
        compose(make_due(policy={"priority": "loud"}), now)


def test_an_article_without_story_summary_or_picture_makes_a_message(make_due: MakeDue, now: datetime) -> None:
    made = compose(make_due(story_id=None, summary="", image_url=None, platform="android"), now).body["message"]
    assert made["notification"] == {"title": "New tariffs"}
    assert made["android"]["notification"]["tag"] == "article-7"


def test_a_message_fits_what_fcm_takes(make_due: MakeDue, now: datetime) -> None:
    due = make_due(url="https://news.example/" + "u" * 1_900, image_url="https://news.example/" + "i" * 1_900)
    made = compose(due, now)
    assert len(made.json.encode()) <= 4_096
    assert "image" not in made.body["message"]["notification"]
    assert made.body["message"]["data"]["url"] == due.article.url


def test_a_url_too_long_for_any_message_is_refused(make_due: MakeDue, now: datetime) -> None:
    with pytest.raises(InvalidInput, match="too long"):
        compose(make_due(url="https://news.example/" + "é" * 1_979), now)


def test_a_campaign_key_in_any_script_makes_a_label_fcm_allows(make_due: MakeDue, now: datetime) -> None:
    made = compose(make_due(campaign_key="Ráno, 07:30 " * 10), now).body["message"]
    assert len(made["fcm_options"]["analytics_label"]) == 50


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("short", 65, "short"),
        ("two  spaces\nand a line", 65, "two spaces and a line"),
        ("one two three", 9, "one two…"),
        ("trailing, comma", 10, "trailing…"),
        ("unbreakable", 6, "unbre…"),
        ("日本語の見出しです", 5, "日本語の…"),
        ("abcde\u0301fgh", 6, "abcd…"),  # an e with its accent stays whole
        ("ab👩\u200d👩\u200d👧cd", 6, "ab…"),  # a family stays together
        ("ab🇩🇰🇨🇿cd", 6, "ab🇩🇰…"),  # flags are pairs
        ("abc👍🏽de", 5, "abc…"),
    ],
)
def test_titles_are_cut_where_people_see_a_boundary(text: str, most: int, expected: str) -> None:
    assert shorten(text, most) == expected


@given(st.text(), st.integers(2, 80))
def test_a_cut_title_is_never_longer_than_asked(text: str, most: int) -> None:
    made = shorten(text, most)
    assert len(made) <= most
    assert made == " ".join(text.split()) or made.endswith("…")


def test_titles_of_any_kind_pass_firebase_admin(make_due: MakeDue, now: datetime) -> None:
    odd: list[Any] = ["<b>x</b>", "'; drop table delivery; --", "\u202eright to left", "🇩🇰" * 60]
    for title in odd:
        assert len(compose(make_due(title=title), now).body["message"]["notification"]["title"]) <= 65
