"""The FCM message of a delivery: a template built and checked by firebase-admin, the device spliced in."""

import json
import math
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from data.alerts import Due, DueArticle, DueCampaign
from data.errors import InvalidInput
from recommender.push import Policy
from scheduler.template import (
    BODY_MOST,
    PAYLOAD_MOST_BYTES,
    TITLE_MOST,
    Content,
    Look,
    Template,
    build,
    fits,
    knows_fid,
    message,
    shorten,
)

__all__ = ["BODY_MOST", "TITLE_MOST", "Composer", "Outgoing", "compose", "shorten"]
TTL_MOST_S = 2_419_200  # four weeks
TEMPLATES = 4_096  # kept at most
_quoted = msgspec.json.Encoder().encode


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A delivery and the body of its POST, `{"message": {...}}` as UTF-8."""

    due: Due
    payload: bytes
    is_by_token: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The payload, decoded."""
        made: dict[str, Any] = json.loads(self.payload)
        return made

    @property
    def json(self) -> str:
        """One line, keys sorted, as firebase-admin writes them."""
        return json.dumps(self.body, sort_keys=True, ensure_ascii=False)


class Composer:
    """Makes messages; what devices share is built once."""

    def __init__(self, look: Look | None = None) -> None:
        self.look = look or Look()
        self._templates: dict[tuple[Any, ...], Template] = {}
        self._near: dict[tuple[int, int, str], tuple[Template, DueCampaign, DueArticle]] = {}
        self._times: tuple[datetime | None, datetime | None, bytes, bytes] = (None, None, b"", b"")
        self._priority = lru_cache(maxsize=1_024)(_priority)

    def content(self, due: Due) -> Content:
        """What this delivery shares with others."""
        return Content(
            due.campaign.key,
            self._priority(json.dumps(due.campaign.policy, sort_keys=True), due.campaign.kind),
            due.platform,
            due.article.key,
            # One tag a story: a second message about it replaces the first on the screen, not stands beside it.
            f"story-{due.article.story_id}" if due.article.story_id else f"article-{due.article.id}",
            str(due.article.story_id or ""),
            due.article.title,
            due.article.summary,
            due.article.url,
            due.article.image_url,
            due.campaign.collapse_key,
        )

    def compose(self, due: Due, now: datetime, *, by_token: bool = False) -> Outgoing:
        """The message of one delivery; InvalidInput if firebase-admin refuses it or no target is known."""
        target = _target(due, by_token=by_token)
        key = _quoted(due.key)[1:-1]
        left_s, expires = self._until(due.expires_at, now)
        payload = self._template(due).fill(target, key, left_s, expires)
        return Outgoing(due, payload, target.startswith(b'"token"'))

    def _template(self, due: Due) -> Template:
        """By the very campaign and article first, which deliveries of a claim share: comparing what they say would
        cost more than the message."""
        near = (id(due.campaign), id(due.article), due.platform)
        found = self._near.get(near)
        if found is None:
            if len(self._near) >= TEMPLATES:
                self._near.clear()
            # with the two it was made of: as long as they are kept, no other object has their ids
            found = self._near[near] = (self._equal(due), due.campaign, due.article)
        return found[0]

    def _equal(self, due: Due) -> Template:
        """By all that `content` is made of."""
        campaign, article = due.campaign, due.article
        shared = (
            *(campaign.key, campaign.kind, _quoted(campaign.policy), campaign.collapse_key, due.platform),
            *(article.id, article.key, article.title, article.summary, article.url, article.image_url),
            article.story_id,
        )
        found = self._templates.get(shared)
        if found is None:
            if len(self._templates) >= TEMPLATES:
                self._templates.clear()
            found = self._templates[shared] = build(self.content(due), self.look)
        return found

    def _until(self, expires_at: datetime, now: datetime) -> tuple[bytes, bytes]:
        """Seconds left and the second it ends: the same for most messages of a claim."""
        times = self._times
        if times[1] is not now or times[0] != expires_at:
            left_s = _left_s(expires_at, now)
            times = self._times = (expires_at, now, b"%d" % left_s, b"%d" % int(expires_at.timestamp()))
        return times[2], times[3]

    def whole(self, due: Due, now: datetime, *, by_token: bool = False) -> Any:
        """The same message as firebase-admin's own object, built anew: a hundred times slower."""
        content = self.content(due)
        name, value = json.loads(b"{%b}" % _target(due, by_token=by_token)).popitem()
        left_s = _left_s(due.expires_at, now)
        expires_s = int(due.expires_at.timestamp())
        for body, image in fits(content):
            made = message(content, body, image, self.look, {name: value}, due.key, left_s, expires_s)
            if len(str(made).encode()) <= PAYLOAD_MOST_BYTES:
                return made
        raise InvalidInput(f"article {content.article[:40]!r} is too long for a push message; shorten its url")


def compose(due: Due, now: datetime) -> Outgoing:
    """The message of one delivery, with no look of an operator's."""
    return _plain().compose(due, now)


@lru_cache(maxsize=1)
def _plain() -> Composer:
    return Composer()


def _left_s(expires_at: datetime, now: datetime) -> int:
    """How long the message may wait for the phone: what is left of the freshness, at most what FCM stores."""
    return max(0, min(TTL_MOST_S, math.floor((expires_at - now).total_seconds())))


def _priority(policy: str, kind: str) -> str:
    """As the campaign says; if it says nothing, only breaking news wakes a sleeping phone."""
    usual = "high" if kind == "breaking" else "normal"
    return Policy.of({"priority": usual} | json.loads(policy), kind).priority


def _target(due: Due, *, by_token: bool) -> bytes:
    """Whom the message is for: the installation id, or the token where ids are not known or led nowhere."""
    if not by_token and knows_fid():
        return b'"fid":' + _quoted(due.fid)
    if due.token:
        return b'"token":' + _quoted(due.token)
    raise InvalidInput("this firebase-admin addresses devices by token alone and the device has none; upgrade it")
