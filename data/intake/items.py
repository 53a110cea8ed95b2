"""What a reader of feeds hands on: articles, refusals with their reason, and a report on the feed itself."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urljoin, urlsplit

from pydantic import ValidationError

from data.intake.canonical import canonical_url
from data.intake.dates import Dated
from data.wire import ArticleIn, reasons

MAX_ID = 200
ARRIVAL = "dated by arrival: the item has no readable date of its own"
_FUTURE = timedelta(days=1)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|\b\d[\d,.:]*\b")
_GLOBAL_ID = re.compile(r"(?:https?://|urn:|tag:).", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that did not come in: where it stands and why."""

    where: str
    reason: str


Item = ArticleIn | Rejected


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document came from. `where` names it to people, `url` is the base of relative links if there is one."""

    where: str
    now: datetime
    url: str | None = None
    content_type: str | None = None


@dataclass
class FeedReport:
    """What is known of a document beside its articles; the counts are complete once its items were all taken.

    `arrival_ids` are articles that came without a date of their own: theirs is the feed's or the time of fetching.
    """

    where: str
    kind: str = ""
    title: str = ""
    language: str | None = None
    accepted: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    arrival_ids: set[str] = field(default_factory=set)
    children: list[str] = field(default_factory=list)
    bytes_read: int = 0

    def warn(self, what: str) -> None:
        """Count one more occurrence of something a person should know."""
        self.warnings[what] += 1


class Reading:
    """One document being read: iterate it once for its items; `report` fills up meanwhile."""

    def __init__(self, report: FeedReport, items: Iterator[Item]) -> None:
        self.report = report
        self._items = items

    def __iter__(self) -> Iterator[Item]:
        for item in self._items:
            if isinstance(item, Rejected):
                self.report.rejected[general(item.reason)] += 1
            else:
                self.report.accepted += 1
            yield item


def one_per_page(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, but of several different ones on one page only the first: a page is one article.

    Feeds list the newest first, so it is the newest that stays.
    """
    seen: dict[str, str] = {}
    for number, item in enumerate(items, 1):
        if isinstance(item, Rejected) or seen.setdefault(canonical_url(item.url), item.id) == item.id:
            yield item
        else:
            yield Rejected(f"item {number} ({item.id[:100]})", "its page is that of an earlier item, which stays")


def general(reason: str) -> str:
    """A reason without its particulars, so that equal ones can be counted together."""
    return _QUOTED.sub("...", reason)[:300]


def checked(fields: Mapping[str, Any], where: str) -> Item:
    """Validate the fields of an article; whatever is wrong with them becomes the reason of a Rejected."""
    for name in ("url", "image_url"):
        if isinstance(fields.get(name), str) and not _is_address_text(fields[name]):
            return Rejected(where, f"{name}: holds white space or control characters")
    try:
        return ArticleIn.model_validate(dict(fields))
    except ValidationError as error:
        return Rejected(where, _shortened(reasons(error)))
    except (ValueError, TypeError, RecursionError) as error:  # pydantic lets a lone surrogate's UnicodeError through
        return Rejected(where, f"unreadable: {type(error).__name__}")


def _is_address_text(url: str) -> bool:
    return not any(char <= " " or "\x7f" <= char <= "\xa0" or "\ud800" <= char <= "\udfff" for char in url)


def _shortened(text: str) -> str:
    return text if len(text) <= 500 else text[:499] + "…"


def settled(own: Dated | None, feed_date: Dated | None, origin: Origin, report: FeedReport, key: str) -> datetime:
    """When an item was published: by its own date, else its feed's, else the time of fetching."""
    if own is None:
        report.warn(ARRIVAL)
        report.arrival_ids.add(key)
        return feed_date.at if feed_date else origin.now
    if not own.has_zone:
        report.warn("a date without a zone was read as UTC")
    if own.at > origin.now + _FUTURE:
        report.warn("dated in the future")
    return own.at


def article_id(guid: str, link: str, scope: str) -> str:
    """The key of a feed's item.

    A guid that is an address, `urn:` or `tag:` is unique by itself and kept. Any other is unique within its feed
    only and gets the feed's scope in front. Without a guid the canonical address is the key. What is longer than
    200 characters is replaced by its SHA-256.
    """
    guid = " ".join(guid.split())
    if not guid:
        key = canonical_url(link)
    elif _GLOBAL_ID.match(guid):
        key = guid
    else:
        key = f"{scope}:{guid}"
    return key if len(key) <= MAX_ID else "sha256:" + sha256(key.encode("utf-8", "replace")).hexdigest()


def scope_of(feed_url: str) -> str:
    """A short name for one feed: its host and eight hex digits of its canonical address."""
    digest = sha256(canonical_url(feed_url).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{host_of(feed_url) or 'file'}~{digest}"


def host_of(url: str | None) -> str:
    """The host of an address without `www.`; empty when there is none."""
    try:
        host = urlsplit(url or "").hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.").rstrip(".")[:MAX_ID]


def absolute(link: str, *bases: str | None) -> str:
    """The link as an http(s) address, resolved against the first base that makes it one; else empty."""
    link = "".join(char for char in link if char > " " and not "\x7f" <= char <= "\xa0")
    for base in (None, *bases):
        try:
            whole = urljoin(base, link) if base else link
            parts = urlsplit(whole)
        except ValueError:
            continue
        if link and parts.scheme in {"http", "https"} and parts.hostname:
            return whole
    return ""


def source_fields(host: str, name: str) -> dict[str, str] | None:
    """A source for an article: the host identifies it, the name is shown; None when neither is known."""
    name = " ".join(name.split())[:MAX_ID].strip()
    key = host or name
    return {"id": key, "name": name or key} if key else None


def language_tag(text: str | None) -> str | None:
    """A language tag as BCP 47 writes it (`en_us` is `en-us`); None for what is none."""
    tag = (text or "").strip().replace("_", "-")
    return tag if re.fullmatch(r"[a-zA-Z]{2,3}(-[A-Za-z0-9]{2,8})*", tag) and len(tag) <= 35 else None


def topic_list(names: list[str]) -> list[str]:
    """Topics without repeats, at most 100 of them, those over 100 characters left out."""
    tidy = (" ".join(name.split()) for name in names)
    return [name for name in dict.fromkeys(tidy) if 0 < len(name) <= 100][:100]


def first_words(text: str, limit: int = 80) -> str:
    """The beginning of a text, cut between words, to stand in for a missing title."""
    line = " ".join(text[: 20 * limit].split())
    if len(line) <= limit:
        return line
    return line[: limit - 1].rsplit(" ", 1)[0].rstrip(".,;:- ") + "…"
