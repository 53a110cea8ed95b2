"""The FCM message of a delivery: a template built and checked by firebase-admin, the device spliced in."""

import inspect
import json
import math
import unicodedata
import warnings
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from data.alerts import Due
from data.errors import InvalidInput
from recommender.push import Policy

TITLE_MOST = 65  # characters that a locked phone shows on one or two lines
BODY_MOST = 240
PAYLOAD_MOST_BYTES = 4_000  # FCM refuses 4,096; the device's own fields need the rest
_JOINER, _SKIN_TONES, _FLAGS = "\u200d", range(0x1F3FB, 0x1F400), range(0x1F1E6, 0x1F200)
_DEVICE = "-"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery and the body of its POST: `{"message": {...}}`."""

    due: Due
    body: dict[str, Any]

    @property
    def json(self) -> str:
        """One line, keys sorted, as firebase-admin writes them."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False)


def compose(due: Due, now: datetime) -> Outgoing:
    """The message of one delivery; InvalidInput if firebase-admin refuses it or no target is known."""
    body: dict[str, Any] = deepcopy(_template(due, Policy.of(due.policy).priority))
    left_s = max(0, math.floor((due.expires_at - now).total_seconds()))
    body.update(target(due))
    body["data"]["delivery_id"] = due.key
    body["android"]["ttl"] = f"{left_s}s"
    body["apns"]["headers"]["apns-expiration"] = str(int(due.expires_at.timestamp()))
    return Outgoing(due, {"message": body})


def target(due: Due) -> dict[str, str]:
    """Whom the message is for: the installation id, or the token where firebase-admin is too old to know ids."""
    if _knows_fid():
        return {"fid": due.fid}
    if due.token:
        return {"token": due.token}
    raise InvalidInput("this firebase-admin addresses devices by token alone and the device has none; upgrade it")


def shorten(text: str, most: int) -> str:
    """At most `most` characters, cut between words if it can be, never inside what is seen as one character."""
    text = " ".join(text.split())
    if len(text) <= most:
        return text
    end = most - 1  # room for the ellipsis
    space = text.rfind(" ", most // 2, end + 1)
    if space > 0:
        end = space
    while end > 0 and not _may_cut(text, end):
        end -= 1
    return text[:end].rstrip(" ,;:-–—") + "…"


def _may_cut(text: str, at: int) -> bool:
    """Whether a character, as people see it, ends before position `at` (a short form of UAX #29)."""
    before, after = text[at - 1], text[at]
    if _JOINER in {before, after} or unicodedata.category(after) in {"Mn", "Me", "Mc"}:
        return False
    if ord(after) in _SKIN_TONES:
        return False
    if ord(after) in _FLAGS and ord(before) in _FLAGS:
        run = len(text[:at]) - len(text[:at].rstrip("".join(map(chr, _FLAGS))))
        return run % 2 == 0
    return True


def _template(due: Due, priority: str) -> dict[str, Any]:
    """Everything that all devices of one campaign and article share."""
    return _built(
        due.campaign_key,
        priority,
        due.article_key,
        # One tag a story: a second message about it replaces the first on the screen, not stands beside it.
        f"story-{due.story_id}" if due.story_id else f"article-{due.article_id}",
        str(due.story_id or ""),
        due.title,
        due.summary,
        due.url,
        due.image_url,
    )


@lru_cache(maxsize=4_096)
def _built(
    campaign: str,
    priority: str,
    article: str,
    tag: str,
    story: str,
    title: str,
    summary: str,
    url: str,
    image: str | None,
) -> dict[str, Any]:
    tries = [(BODY_MOST, image), (BODY_MOST, None), (60, None), (0, None)]
    for body_most, picture in tries:
        data = {"article_id": article, "story_id": story, "url": url, "delivery_id": _DEVICE}
        text = shorten(summary, body_most) if body_most else ""
        made = _validated(campaign, priority, tag, data, shorten(title, TITLE_MOST), text, picture)
        if len(json.dumps(made, ensure_ascii=False).encode()) <= PAYLOAD_MOST_BYTES:
            return made
    raise InvalidInput(f"the address of article {article[:40]!r} alone is too long for a push message; shorten its url")


def _validated(
    campaign: str, priority: str, tag: str, data: dict[str, str], title: str, text: str, image: str | None
) -> dict[str, Any]:
    """The message as firebase-admin builds, checks and encodes it; its target is a placeholder."""
    from firebase_admin import messaging

    picture = image if image and image.startswith("https://") else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # token=, where fid= is not known
        try:
            message = messaging.Message(
                **({"fid": _DEVICE} if _knows_fid() else {"token": _DEVICE}),
                data=data,
                notification=messaging.Notification(title=title, body=text or None, image=picture),
                android=messaging.AndroidConfig(
                    collapse_key=campaign[:64],
                    ttl=timedelta(0),
                    priority=priority,
                    notification=messaging.AndroidNotification(tag=tag),
                ),
                apns=messaging.APNSConfig(
                    headers={
                        "apns-collapse-id": tag,
                        "apns-expiration": "0",
                        "apns-priority": "10" if priority == "high" else "5",
                        "apns-push-type": "alert",
                    },
                    payload=messaging.APNSPayload(aps=messaging.Aps(thread_id=campaign)),
                ),
                fcm_options=messaging.FCMOptions(analytics_label=_label(campaign)),
            )
            made: dict[str, Any] = json.loads(str(message))
        except ValueError as error:
            raise InvalidInput(f"article {data['article_id'][:40]!r} makes no message: {error}") from None
    del made["fid" if _knows_fid() else "token"]
    return made


def _label(campaign: str) -> str:
    """The campaign's key in the letters FCM allows in a label, at most 50."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_.~%") else "-" for c in campaign)[:50]


@lru_cache(maxsize=1)
def _knows_fid() -> bool:
    from firebase_admin import messaging

    return "fid" in inspect.signature(messaging.Message).parameters
