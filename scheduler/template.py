"""A message built and checked once by firebase-admin, then cut where each device's own values go in."""

import inspect
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property, lru_cache
from operator import itemgetter
from pathlib import Path
from typing import Any

import msgspec
import regex

from data.errors import InvalidInput, InvalidSettings

TITLE_MOST = 65  # characters that a locked phone shows on one or two lines
BODY_MOST = 240
PAYLOAD_MOST_BYTES = 4_000  # FCM refuses 4,096; the device's own values need the rest
TOPIC_MOST_BYTES = 2_000  # and 2,048 for a topic
PLATFORMS = ("android", "ios", "web")
DEVICE, DELIVERY, TTL, EXPIRES = "@device@", "@delivery@", "@ttl@", "@expires@"
_HOLES = re.compile(b'"(?:fid|token|topic)":"@device@"|@delivery@|@ttl@|@expires@')
_ORDER = {b"@delivery@": 1, b"@ttl@": 2, b"@expires@": 3}


@dataclass(frozen=True, slots=True)
class Look:
    """What an operator adds to every message of a platform: arguments of firebase-admin's own classes.

    `android` of `AndroidNotification`, `ios` of `Aps`, `web` of `WebpushNotification`.
    """

    android: Mapping[str, Any] = field(default_factory=dict)
    ios: Mapping[str, Any] = field(default_factory=dict)
    web: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Content:
    """What all devices of one platform get of one article in one campaign."""

    campaign: str
    priority: str
    platform: str  # one of PLATFORMS; empty for a topic: all of them
    article: str
    tag: str
    story: str
    title: str
    summary: str
    url: str
    image: str | None
    collapse: str = ""  # messages with the same one replace each other while they wait; empty: the campaign


@dataclass(frozen=True)
class Template:
    """The JSON of a message, cut at its holes: hole i stands between part i and part i + 1."""

    parts: tuple[bytes, ...]
    order: tuple[int, ...]  # which value goes into hole i

    @cached_property
    def pieces(self) -> bytes:
        """The parts as one format, which C fills: a third of the cost of joining them."""
        return b"%b".join(part.replace(b"%", b"%%") for part in self.parts)

    @cached_property
    def pick(self) -> Callable[[tuple[bytes, ...]], tuple[bytes, ...]]:
        """The values in the order of the holes, of which there are always two or more."""
        return itemgetter(*self.order)

    def fill(self, target: bytes, delivery: bytes, ttl: bytes, expires: bytes) -> bytes:
        """The body of one POST; `target` is a JSON member like `"fid":"..."`."""
        return self.pieces % self.pick((target, delivery, ttl, expires))


def read_look(path: Path | None) -> Look:
    """The look in a JSON file of `android`, `ios` and `web`; InvalidSettings if firebase-admin refuses it."""
    if path is None:
        return Look()
    try:
        given = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, Any]])
        look = Look(**given)
        for platform in PLATFORMS:
            build(Content("check", "normal", platform, "a", "t", "", "T", "", "https://news.example/", None), look)
    except (OSError, TypeError, msgspec.DecodeError, InvalidInput) as error:
        raise InvalidSettings(f"NEWSBELL_FCM_LOOK={path}: {error}; see docs/fcm.md for its form") from None
    return look


def build(content: Content, look: Look | None = None) -> Template:
    """The template of a content, shortened until it fits; InvalidInput when firebase-admin refuses it."""
    if content.priority not in ("normal", "high"):
        raise InvalidInput(f"priority {content.priority!r} makes no message; a campaign's is normal or high")
    most = PAYLOAD_MOST_BYTES if content.platform else TOPIC_MOST_BYTES
    for body, image in fits(content):
        made = json.dumps(_checked(content, body, image, look or Look()), ensure_ascii=False, separators=(",", ":"))
        if len(made.encode()) <= most:
            return cut(made.encode())
    raise InvalidInput(
        f"the address of article {content.article[:40]!r} alone is too long for a push message; shorten its url"
    )


def fits(content: Content) -> Iterator[tuple[str, str | None]]:
    """(text, image) from the fullest to the barest."""
    for most, image in ((BODY_MOST, content.image), (BODY_MOST, None), (60, None), (0, None)):
        yield shorten(content.summary, most) if most else "", image


def cut(message: bytes) -> Template:
    """The template of a message's JSON."""
    whole = b'{"message":' + message + b"}"
    order = tuple(_ORDER.get(found[0], 0) for found in _HOLES.finditer(whole))
    return Template(tuple(_HOLES.split(whole)), order)


def shorten(text: str, most: int) -> str:
    """At most `most` characters, cut between words if it can be, never inside what is seen as one character."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    end = most - 1  # room for the ellipsis
    space = text.rfind(" ", most // 2, end + 1)
    if space > 0:
        end = space
    kept = ""
    for cluster in regex.finditer(r"\X", text):  # a grapheme cluster, by Unicode's UAX #29
        if cluster.end() > end:
            break
        kept = text[: cluster.end()]
    return kept.rstrip(" ,;:-–—") + "…"


def _checked(content: Content, body: str, image: str | None, look: Look) -> dict[str, Any]:
    """The message as firebase-admin builds, checks and encodes it, with placeholders."""
    target = {"topic": "placeholder"} if not content.platform else {"fid" if knows_fid() else "token": DEVICE}
    made: dict[str, Any] = json.loads(str(message(content, body, image, look, target, DELIVERY, 0, 0)))
    if "topic" in made:
        made["topic"] = DEVICE
    if "android" in made:
        made["android"]["ttl"] = f"{TTL}s"
    if "apns" in made:
        made["apns"]["headers"]["apns-expiration"] = EXPIRES
    if "webpush" in made:
        made["webpush"]["headers"]["TTL"] = TTL
    return made


def message(
    content: Content,
    body: str,
    image: str | None,
    look: Look,
    target: Mapping[str, str],
    delivery: str,
    ttl_s: int,
    expires_s: int,
) -> Any:
    """A `firebase_admin.messaging.Message`; InvalidInput when one of its parts is refused."""
    from firebase_admin import messaging

    picture = image if image and image.startswith("https://") else None
    data = {"article_id": content.article, "story_id": content.story, "url": content.url, "delivery_id": delivery}
    title = shorten(content.title, TITLE_MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # token=, where fid= is not known or led nowhere
        try:
            made = messaging.Message(
                **target,
                data=data,
                notification=messaging.Notification(title=title, body=body or None, image=picture),
                **_platforms(content, picture, look, ttl_s, expires_s),
                fcm_options=messaging.FCMOptions(analytics_label=label(content.campaign)),
            )
            str(made)  # encodes, and so checks, every part
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"article {content.article[:40]!r} makes no message: {error}") from None
    return made


def _platforms(content: Content, picture: str | None, look: Look, ttl_s: int, expires_s: int) -> dict[str, Any]:
    parts = {
        "android": lambda: _android(content, look, ttl_s),
        "apns": lambda: _apns(content, picture, look, expires_s),
        "webpush": lambda: _webpush(content, look, ttl_s),
    }
    wanted = {"android": ("android",), "ios": ("apns",), "web": ("webpush",)}.get(content.platform, tuple(parts))
    return {name: parts[name]() for name in wanted}


def _android(content: Content, look: Look, ttl_s: int) -> Any:
    from firebase_admin import messaging

    return messaging.AndroidConfig(
        collapse_key=(content.collapse or content.campaign)[:64],
        ttl=timedelta(seconds=ttl_s),
        priority=content.priority,
        notification=messaging.AndroidNotification(**{"tag": content.tag, **look.android}),
    )


def _apns(content: Content, picture: str | None, look: Look, expires_s: int) -> Any:
    from firebase_admin import messaging

    # A picture is fetched by the app's extension, which iOS wakes only for mutable content.
    aps = {"thread_id": content.campaign, "mutable_content": True if picture else None, **look.ios}
    headers = {
        "apns-collapse-id": content.tag,
        "apns-expiration": str(expires_s),
        "apns-priority": "10" if content.priority == "high" else "5",
        "apns-push-type": "alert",
    }
    return messaging.APNSConfig(headers=headers, payload=messaging.APNSPayload(aps=messaging.Aps(**aps)))


def _webpush(content: Content, look: Look, ttl_s: int) -> Any:
    from firebase_admin import messaging

    is_secure = content.url.startswith("https://")  # FCM takes no other link
    urgency = "high" if content.priority == "high" else "normal"
    return messaging.WebpushConfig(
        headers={"TTL": str(ttl_s), "Urgency": urgency, "Topic": content.tag[:32]},
        notification=messaging.WebpushNotification(**{"tag": content.tag, **look.web}),
        fcm_options=messaging.WebpushFCMOptions(link=content.url) if is_secure else None,
    )


def label(campaign: str) -> str:
    """The campaign's key in the letters FCM allows in a label, at most 50."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.~%") else "-" for c in campaign)[:50]


@lru_cache(maxsize=1)
def knows_fid() -> bool:
    """Whether this firebase-admin addresses installations."""
    from firebase_admin import messaging

    return "fid" in inspect.signature(messaging.Message).parameters
