"""What each phone shows: tags replace, collapse keys keep the last, what is too old never rings."""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.fake_fcm.messages import TTL_MOST_S, Sent
from scheduler.fake_fcm.schema import pick

DEVICES_KEPT = 50_000
SHOWN_MOST = 50
COLLAPSE_KEYS_MOST = 4  # stored for one device at a time
STORED_MOST = 100  # non-collapsible messages stored for one device: beyond, all of them are dropped
RINGS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Note:
    """A message on its way to, or on, a screen."""

    name: str
    at_s: float
    expires_at_s: float
    tag: str | None  # the same tag replaces what is shown
    collapse_key: str | None  # the same key replaces what waits for the phone to come online
    title: str
    body: str
    image: str | None
    link: str | None
    story: str
    is_silent: bool  # data only: the app wakes, nothing is shown


@dataclass
class Phone:
    """One installation: its screen, and what waits while it is offline."""

    is_online: bool = True
    shown: "OrderedDict[str, Note]" = field(default_factory=OrderedDict)  # oldest first
    waiting: list[Note] = field(default_factory=list)
    rings: deque[Note] = field(default_factory=lambda: deque(maxlen=RINGS_KEPT))  # every arrival, newest last
    arrived: int = 0
    replaced: int = 0
    collapsed: int = 0
    expired: int = 0
    dropped: int = 0

    def take(self, note: Note, now_s: float) -> None:
        """A message arrives at FCM for this phone."""
        if self.is_online:
            self._show(note)
        elif note.expires_at_s <= now_s:
            self.expired += 1  # ttl 0: now or never
        else:
            self._store(note)

    def connect(self, now_s: float) -> None:
        """Come online: what still lives is shown, in order."""
        self.is_online = True
        waiting, self.waiting = self.waiting, []
        for note in waiting:
            if note.expires_at_s <= now_s:
                self.expired += 1
            else:
                self._show(note)

    def disconnect(self) -> None:
        """Go offline: messages wait."""
        self.is_online = False

    def _store(self, note: Note) -> None:
        if note.collapse_key is None:
            self.waiting.append(note)
            plain = [one for one in self.waiting if one.collapse_key is None]
            if len(plain) > STORED_MOST:
                self.dropped += len(plain)
                self.waiting = [one for one in self.waiting if one.collapse_key is not None]
            return
        kept = [one for one in self.waiting if one.collapse_key != note.collapse_key]
        self.collapsed += len(self.waiting) - len(kept)
        keys = list(dict.fromkeys(one.collapse_key for one in kept if one.collapse_key is not None))
        if len(keys) >= COLLAPSE_KEYS_MOST:  # FCM gives no promise which are kept; the newest are
            self.collapsed += sum(one.collapse_key == keys[0] for one in kept)
            kept = [one for one in kept if one.collapse_key != keys[0]]
        self.waiting = [*kept, note]

    def _show(self, note: Note) -> None:
        self.arrived += 1
        self.rings.append(note)
        if note.is_silent:
            return
        place = note.tag or note.name
        if self.shown.pop(place, None) is not None:
            self.replaced += 1
        self.shown[place] = note
        while len(self.shown) > SHOWN_MOST:
            self.shown.popitem(last=False)


class Inbox:
    """The phones, by installation id or token; the ones not written to for longest are forgotten beyond a limit."""

    def __init__(self, keep: int = DEVICES_KEPT) -> None:
        self.keep = keep
        self.phones: OrderedDict[str, Phone] = OrderedDict()

    def phone(self, device: str) -> Phone:
        """The phone of that id, new if it was never heard of."""
        found = self.phones.get(device)
        if found is None:
            found = self.phones[device] = Phone()
            if len(self.phones) > self.keep:
                self.phones.popitem(last=False)
        return found

    def take(self, device: str, sent: Sent, name: str, now_s: float) -> None:
        """Deliver an accepted message to one phone."""
        if self.keep:
            self.phone(device).take(note(sent, name, now_s), now_s)

    def doubled(self) -> dict[str, list[str]]:
        """Phones that show a story more than once -> those stories."""
        found = {}
        for device, phone in self.phones.items():
            stories = [one.story for one in phone.shown.values() if one.story]
            twice = sorted({one for one in stories if stories.count(one) > 1})
            if twice:
                found[device] = twice
        return found

    def rung_twice(self) -> dict[str, list[str]]:
        """Phones that rang more than once for a story -> those stories, replaced on the screen or not."""
        found = {}
        for device, phone in self.phones.items():
            stories = [one.story for one in phone.rings if one.story]
            twice = sorted({one for one in stories if stories.count(one) > 1})
            if twice:
                found[device] = twice
        return found


def note(sent: Sent, name: str, now_s: float) -> Note:
    """What the phone makes of a message: the platform's own part wins over the common one."""
    content = sent.content
    android, apns, webpush = (content.get(one) or {} for one in ("android", "apns", "webpush"))
    mine = android.get("notification") or webpush.get("notification") or {}
    common = content.get("notification") or {}
    alert = ((apns.get("payload") or {}).get("aps") or {}).get("alert") or {}
    alert = alert if isinstance(alert, dict) else {"body": alert}
    headers = apns.get("headers") or {}
    data = content.get("data") or {}
    has_text = bool(common or mine or alert)
    return Note(
        name=name,
        at_s=now_s,
        expires_at_s=now_s + _ttl_s(android, webpush),
        tag=mine.get("tag") or headers.get("apns-collapse-id"),
        collapse_key=pick(android, "collapse_key") or headers.get("apns-collapse-id"),
        title=str(mine.get("title") or alert.get("title") or common.get("title") or ""),
        body=str(mine.get("body") or alert.get("body") or common.get("body") or ""),
        image=mine.get("image") or common.get("image"),
        link=data.get("url") or pick(pick(webpush, "fcm_options") or {}, "link"),
        story=str(data.get("story_id") or ""),
        is_silent=not has_text,
    )


def _ttl_s(android: Mapping[str, Any], webpush: Mapping[str, Any]) -> float:
    ttl = android.get("ttl")
    if ttl is not None:
        return float(str(ttl).rstrip("s"))
    given = (webpush.get("headers") or {}).get("TTL")
    return float(given) if given is not None else TTL_MOST_S
