"""RSS 0.9x to 2.0, Atom, RDF and CDF: feedparser reads the XML, this turns its entries into articles."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from data.errors import InvalidInput
from data.intake import tamed
from data.intake.canonical import canonical_url
from data.intake.dates import Dated, parse_feed_date
from data.intake.depth import MAX_DEPTH, is_too_deep
from data.intake.encoding import mend_xml
from data.intake.items import (
    FeedReport,
    Item,
    Origin,
    Rejected,
    absolute,
    article_id,
    checked,
    first_words,
    host_of,
    language_tag,
    scope_of,
    settled,
    source_fields,
    topic_list,
)
from data.text import detect_language, html_to_text

LONG_SUMMARY = 1_000  # characters; a longer description alone is the article's text, not its summary
_VERSIONS = {
    "rss090": "RSS 0.90", "rss091n": "RSS 0.91", "rss091u": "RSS 0.91", "rss092": "RSS 0.92", "rss093": "RSS 0.93",
    "rss094": "RSS 0.94", "rss20": "RSS 2.0", "rss10": "RSS 1.0", "rss": "RSS", "atom01": "Atom 0.1",
    "atom02": "Atom 0.2", "atom03": "Atom 0.3", "atom10": "Atom 1.0", "atom": "Atom", "cdf": "CDF",
}  # fmt: skip
_ITEM_START = re.compile(rb"<(?:[\w.-]+:)?(?:item|entry)(?=[\s>/])", re.IGNORECASE)
_ITEM_END = re.compile(rb"</(?:[\w.-]+:)?(?:item|entry)\s*>", re.IGNORECASE)
_IMAGE = re.compile(r"<img\b([^>]{0,2000})>", re.IGNORECASE)
_SRC = re.compile(r"""\bsrc\s*=\s*["']?([^"'\s>]{1,2000})""", re.IGNORECASE)
_EMAIL = re.compile(r"[^\s()<>,;:\"@]{1,64}@[^\s()<>,;:\"@]{1,255}")
_PIXEL = re.compile(r"""\b(?:width|height)\s*=\s*["']?[01](?:px)?\b""", re.IGNORECASE)


def read_feed(data: bytes, origin: Origin, report: FeedReport) -> Iterator[Item]:
    """The items of an XML feed, in its order. Raises InvalidInput when it is nested absurdly deep."""
    mended = mend_xml(data, origin.content_type)
    if mended.warning:
        report.warn(mended.warning)
    if is_too_deep(mended.data):
        raise InvalidInput(f"{origin.where} is nested more than {MAX_DEPTH} elements deep; no feed is")
    content_type = "application/xml; charset=utf-8" if mended.as_utf8 else origin.content_type
    parsed, entries = parse_xml(mended.data, content_type, report)
    feed = FeedContext(parsed.get("feed") or {}, origin)
    report.kind = _VERSIONS.get(parsed.get("version") or "", "XML feed")
    report.title, report.language = feed.title, feed.language
    yield from _items(entries, feed, report, cut_off=bool(parsed.get("bozo")) and _ends_inside_item(mended.data))


def _items(entries: list[Any], feed: "FeedContext", report: FeedReport, *, cut_off: bool) -> Iterator[Item]:
    shared = _shared_guids(entries, feed)
    if shared:
        report.warn("one guid for several links: those items are known by their links")
    for number, entry in enumerate(entries, 1):
        where = f"item {number}"
        if entry is None:
            yield Rejected(where, "the item could not be parsed")
        elif cut_off and number == len(entries):
            yield Rejected(where, "the document ends inside this item")
        else:
            yield _guarded(entry, feed, report, where, shared)


def _guarded(entry: Any, feed: "FeedContext", report: FeedReport, where: str, shared: set[str]) -> Item:
    """One entry as an item. feedparser's values have any type a strange feed can make of them."""
    try:
        return _item(entry, feed, report, where, shared)
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError) as error:
        return Rejected(where, f"the item could not be understood ({type(error).__name__})")


def parse_xml(data: bytes, content_type: str | None, report: FeedReport) -> tuple[Any, list[Any]]:
    """feedparser's result and entries; where it breaks down, item by item, None for those it cannot read."""
    try:
        parsed = tamed.parse(data, content_type)
    except Exception as error:
        report.warn(f"read item by item: the parser failed on the whole ({type(error).__name__})")
        return _salvage(data, content_type)
    if parsed.get("bozo"):
        report.warn(_bozo(parsed.get("bozo_exception")))
    return parsed, list(parsed.entries)


def _salvage(data: bytes, content_type: str | None) -> tuple[Any, list[Any]]:
    starts = [found.start() for found in _ITEM_START.finditer(data)][:5_000]
    if not starts:
        return {"bozo": True}, []
    head = data[: starts[0]][:65_536]
    parsed: Any = None
    entries: list[Any] = []
    for start, end in zip(starts, [*starts[1:], len(data)], strict=True):
        try:
            parsed = tamed.parse(head + data[start:end], content_type)
            entries.append(parsed.entries[0] if parsed.entries else None)
        except Exception:
            entries.append(None)
    return parsed or {"bozo": True}, entries


def _bozo(error: object) -> str:
    name = type(error).__name__
    if name in {"CharacterEncodingOverride", "CharacterEncodingUnknown"}:
        return f"encoding: {error}"[:200]
    if name == "NonXMLContentType":
        return "served with a content type that is not XML"
    return "not well-formed XML: read as far as possible"


def _ends_inside_item(data: bytes) -> bool:
    starts = [found.start() for found in _ITEM_START.finditer(data)]
    ends = [found.start() for found in _ITEM_END.finditer(data)]
    return bool(starts) and (not ends or ends[-1] < starts[-1]) and b"/>" not in data[starts[-1] :][-4:]


class FeedContext:
    """What items inherit from their feed."""

    def __init__(self, fields: Any, origin: Origin) -> None:
        links = [link.get("href", "") for link in fields.get("links") or [] if link.get("rel") == "self"]
        self.site = absolute(_text(fields.get("link")), origin.url)
        self.address = origin.url or next((absolute(link) for link in links if absolute(link)), "") or self.site
        self.origin = origin
        self.scope = scope_of(self.address or origin.where)
        self.title = " ".join(plain_text(fields, "title").split())[:500]
        self.language = language_tag(fields.get("language"))
        self.date = first_date(fields, ("published", "updated"))

    def link(self, entry: Any) -> str:
        """The entry's page: its link, the publisher's own behind a proxy first, else a guid or id that is one."""
        bases = (self.address, self.site)
        listed = [link for link in entry.get("links") or [] if link.get("rel", "alternate") == "alternate"]
        own = (_text(entry.get("feedburner_origlink")), _text(listed[0].get("href")) if listed else "")
        for candidate in own:
            if candidate and absolute(candidate, *bases):
                return absolute(candidate, *bases)
        if listed:  # a link that is there but leads nowhere: an id is no better
            return absolute(_text(entry.get("id")))
        return absolute(_text(entry.get("link"))) or absolute(_text(entry.get("id")))

    def source(self, entry: Any, link: str) -> dict[str, str] | None:
        """The outlet: the item's own `source` where it names one, else the feed's site and title."""
        own = entry.get("source") or {}
        name = " ".join(plain_text(own, "title").split())
        host = host_of(absolute(_text(own.get("href") or own.get("link"))))
        if name or host:
            return source_fields(host or name.lower(), name)
        return source_fields(host_of(self.site) or host_of(link) or host_of(self.address), self.title)


def _shared_guids(entries: list[Any], feed: FeedContext) -> set[str]:
    """Guids that several items with different links carry: a common mistake that would make them one article."""
    pairs = {(_text(e.get("id")).strip(), canonical_url(feed.link(e))) for e in entries if e is not None}
    counts = Counter(guid for guid, _ in pairs if guid)
    return {guid for guid, count in counts.items() if count > 1}


def _item(entry: Any, feed: FeedContext, report: FeedReport, where: str, shared: set[str]) -> Item:
    guid = _text(entry.get("id")).strip()
    link = feed.link(entry)
    summary, body = _texts(entry)
    title = " ".join(plain_text(entry, "title").split())
    if guid:
        where = f"{where} ({guid[:100]})"
    if not title and not (summary or body):
        return Rejected(where, "no title and no text")
    if not link:
        return Rejected(where, "no link: neither a link nor a guid that is an address")
    if not title:
        title = first_words(summary or body)
        report.warn("no title: the first words of its text stand in")
    key = article_id("" if guid in shared else guid, link, feed.scope)
    updated = first_date(entry, ("updated",))
    own = first_date(entry, ("published", "updated", "created"))
    published_at = settled(own, feed.date, feed.origin, report, key)
    fields = {
        "id": key,
        "url": link,
        "title": title,
        "published_at": published_at,
        "updated_at": updated.at if updated and updated.at != published_at else None,
        "summary": summary,
        "body": body,
        "source": feed.source(entry, link),
        "author": _author(entry),
        "language": _language(entry, feed, title, summary or body),
        "image_url": _image(entry, link),
        **_topics(entry),
    }
    item = checked(fields, where)
    if isinstance(item, Rejected):
        report.arrival_ids.discard(key)
    return item


def _texts(entry: Any) -> tuple[str, str]:
    """Summary and body as plain text; a long description alone is the body."""
    contents = [_value_text(part) for part in entry.get("content") or []]
    body = max(contents, key=len, default="")
    summary = plain_text(entry, "summary")
    if not body and len(summary) > LONG_SUMMARY:
        return "", summary
    return ("" if summary == body else summary), body


def plain_text(fields: Any, name: str) -> str:
    """A text construct of feedparser's as plain text."""
    detail = fields.get(f"{name}_detail")
    return _value_text(detail) if detail else _tidy_html(_text(fields.get(name)))


def _value_text(detail: Any) -> str:
    value = _text(detail.get("value"))
    kind = _text(detail.get("type"))
    if kind.startswith("text/") and kind not in {"text/html", "text/plain"}:
        return ""
    return _tidy_html(value)


def _tidy_html(value: str) -> str:
    return html_to_text(value) or ("" if "<" in value else value.strip())


def first_date(fields: Any, names: tuple[str, ...]) -> Dated | None:
    for name in names:
        # feedparser answers `published` for a missing `updated`; only what the feed says counts here.
        text = dict.get(fields, name)
        dated = parse_feed_date(_text(text), dict.get(fields, f"{name}_parsed")) if text else None
        if dated:
            return dated
    return None


def _author(entry: Any) -> str | None:
    """Names of the authors; the e-mail addresses RSS wants beside them are left out: no reader needs them."""
    people = [_text(person.get("name")) for person in entry.get("authors") or []]
    people = [name for name in people if name] or [_text(entry.get("author"))]
    bare = (_EMAIL.sub("", name).strip(" ()<>\"',;-") if "@" in name else name for name in people)
    names = [" ".join(_tidy_html(name[:2_000]).split()) for name in bare]
    return ", ".join(dict.fromkeys(name for name in names if name and "@" not in name))[:1_000] or None


def _language(entry: Any, feed: FeedContext, title: str, text: str) -> str | None:
    own = [(entry.get(f"{name}_detail") or {}).get("language") for name in ("title", "summary")]
    for tag in (*own, feed.language):
        if language_tag(tag):
            return language_tag(tag)
    return language_tag(detect_language(f"{title}\n{text}", None))


def _topics(entry: Any) -> dict[str, Any]:
    names = [_tidy_html(_text(tag.get("label") or tag.get("term"))) for tag in entry.get("tags") or []]
    topics = topic_list(names)
    return {"category": topics[0] if topics else None, "topics": topics}


def _image(entry: Any, base: str) -> str | None:
    """The item's picture: media, enclosure, iTunes, else the first in its text that is no tracking pixel."""
    media = [m for m in entry.get("media_content") or [] if _is_image(m)]
    pictures = [part.get("url") for part in (*media, *(entry.get("media_thumbnail") or []))]
    pictures += [link.get("href") for link in entry.get("links") or [] if _is_image(link)]
    pictures.append((entry.get("image") or {}).get("href"))
    pictures += _inline_images(entry)
    for picture in pictures:
        address = absolute(_text(picture), base)
        if address and len(address) <= 2_000:
            return address
    return None


def _is_image(part: Any) -> bool:
    return part.get("medium") == "image" or _text(part.get("type")).startswith("image/")


def _inline_images(entry: Any) -> list[str]:
    details = [*(entry.get("content") or []), entry.get("summary_detail") or {}]
    found = []
    for detail in details:
        for tag in _IMAGE.finditer(_text(detail.get("value"))[:100_000]):
            source = _SRC.search(tag[1])
            if source and not _PIXEL.search(tag[1]):
                found.append(urljoin(_text(detail.get("base")), source[1].replace("&amp;", "&")))
                break
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
