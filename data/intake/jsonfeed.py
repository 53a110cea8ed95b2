"""JSON Feed 1.0 and 1.1, and a JSON document of articles in our own form."""

import json
import re
from collections.abc import Iterator
from typing import Any

from data.errors import InvalidInput
from data.intake.dates import parse_feed_date
from data.intake.encoding import json_text
from data.intake.feeds import LONG_SUMMARY
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

_ITEMS = re.compile(r'"items"\s*:\s*\[')
_GAP = re.compile(r"[\s,]*(?=\{)")
_BROKEN = object()


def parse_json(text: str, *, lenient: bool = False) -> Any:
    """A JSON value. ValueError says why it is none: broken, nested absurdly deep, NaN, a number of 4,300 digits.

    `lenient` reads the last two as null, so that one bad item does not cost a whole document.
    """
    try:
        return json.loads(text, strict=False, **(_LENIENT if lenient else _STRICT))
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON at line {error.lineno} column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _strict_int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise ValueError("a number too long to be one") from None


def _lenient_int(digits: str) -> int | None:
    return int(digits) if len(digits) < 4_000 else None


_STRICT: dict[str, Any] = {"parse_constant": _refuse_constant, "parse_int": _strict_int}
_LENIENT: dict[str, Any] = {"parse_constant": lambda _: None, "parse_int": _lenient_int}


def read_json(data: bytes, origin: Origin, report: FeedReport) -> Iterator[Item]:
    """The items of one JSON document: a JSON Feed, an array of articles or a single article.

    Raises InvalidInput for a document that is none of these.
    """
    text, warning = json_text(data)
    if warning:
        report.warn(warning)
    try:
        value = parse_json(text, lenient=True)
    except ValueError as error:
        value = _salvaged(text)
        if value is None:
            raise InvalidInput(f"{origin.where} is not a feed: {error}") from None
        report.warn(f"{error}: read as far as possible")
    if isinstance(value, dict) and isinstance(value.get("items"), list):
        yield from _feed_items(value, origin, report)
    elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
        report.kind = "article JSON"
        for number, fields in enumerate(value, 1):
            yield article_of(fields, f"item {number}")
    elif isinstance(value, dict) and {"id", "url", "title"} <= value.keys():
        report.kind = "article JSON"
        yield article_of(value, "item 1")
    else:
        raise InvalidInput(f"{origin.where} is not a feed: a JSON document, but neither a JSON Feed nor articles")


def article_of(value: Any, where: str) -> Item:
    """One article in our own form, checked; its id is the publisher's and stays as it is."""
    if not isinstance(value, dict):
        return Rejected(where, "is no JSON object")
    key = value.get("id")
    return checked(value, f"{where} ({key[:100]})" if isinstance(key, str) else where)


def _salvaged(text: str) -> dict[str, Any] | None:
    """The whole items of a JSON Feed that breaks off, then None for the broken rest; None when there is none."""
    opening = _ITEMS.search(text)
    if opening is None:
        return None
    decoder = json.JSONDecoder(strict=False, **_LENIENT)
    try:
        feed: dict[str, Any] = decoder.decode(text[: opening.end()] + "]}")
    except (ValueError, RecursionError):
        return None
    items: list[Any] = []
    at = opening.end()
    while gap := _GAP.match(text, at):
        try:
            item, at = decoder.raw_decode(text, gap.end())
        except (ValueError, RecursionError):
            break
        items.append(item)
    return {**feed, "items": [*items, _BROKEN]}


def _feed_items(feed: dict[str, Any], origin: Origin, report: FeedReport) -> Iterator[Item]:
    version = _text(feed.get("version")).rpartition("/")[2]
    report.kind = f"JSON Feed {version}" if version in {"1", "1.1"} else "JSON Feed"
    if version not in {"1", "1.1"}:
        report.warn("no JSON Feed version named; read as 1.1")
    report.title = " ".join(_text(feed.get("title")).split())[:500]
    report.language = language_tag(_text(feed.get("language")))
    for number, item in enumerate(feed["items"], 1):
        if isinstance(item, dict):
            yield _item(item, feed, origin, report, f"item {number}")
        elif item is _BROKEN:
            yield Rejected(f"item {number}", "the document breaks off inside this item")
        else:
            yield Rejected(f"item {number}", "is no JSON object")


def _item(item: dict[str, Any], feed: dict[str, Any], origin: Origin, report: FeedReport, where: str) -> Item:
    guid = _identifier(item.get("id"))
    if guid:
        where = f"{where} ({guid[:100]})"
    summary, body = _texts(item)
    title = " ".join(_text(item.get("title")).split())
    if not title and not (summary or body):
        return Rejected(where, "no title and no text")
    link = _link(item, feed, origin)
    if not link:
        return Rejected(where, "no link: neither url, external_url nor an id that is an address")
    if not title:
        title = first_words(summary or body)
        report.warn("no title: the first words of its text stand in")
    address = origin.url or absolute(_text(feed.get("feed_url")))
    key = article_id(guid, link, scope_of(address or absolute(_text(feed.get("home_page_url"))) or origin.where))
    updated = parse_feed_date(_text(item.get("date_modified")))
    own = parse_feed_date(_text(item.get("date_published"))) or updated
    published_at = settled(own, None, origin, report, key)
    tags = topic_list([tag for tag in _list(item.get("tags")) if isinstance(tag, str)])
    own_tags = {"category": tags[0] if tags else None, "topics": tags}
    picture = absolute(_text(item.get("image")), link) or absolute(_text(item.get("banner_image")), link)
    fields = {
        "id": key,
        "url": link,
        "title": title,
        "published_at": published_at,
        "updated_at": updated.at if updated and updated.at != published_at else None,
        "summary": summary,
        "body": body,
        "source": _source(feed, origin, link, report.title),
        "author": _authors(item) or _authors(feed),
        "language": _language(item, report, title, summary or body),
        "image_url": picture or None,
        **own_tags,
    }
    checked_item = checked(fields, where)
    if isinstance(checked_item, Rejected):
        report.arrival_ids.discard(key)
    return checked_item


def _identifier(value: object) -> str:
    # JSON Feed 1.0 allows numbers here.
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return ""
    return str(value).strip()[:10_000]


def _texts(item: dict[str, Any]) -> tuple[str, str]:
    body = html_to_text(_text(item.get("content_html"))) or _text(item.get("content_text")).strip()
    summary = _text(item.get("summary")).strip()
    if not body and len(summary) > LONG_SUMMARY:
        return "", summary
    return ("" if summary == body else summary), body


def _link(item: dict[str, Any], feed: dict[str, Any], origin: Origin) -> str:
    bases = (origin.url, _text(feed.get("feed_url")), _text(feed.get("home_page_url")))
    for name in ("url", "external_url"):
        link = absolute(_text(item.get(name)), *bases)
        if link:
            return link
    return absolute(_identifier(item.get("id")))


def _source(feed: dict[str, Any], origin: Origin, link: str, title: str) -> dict[str, str] | None:
    home = host_of(absolute(_text(feed.get("home_page_url"))))
    return source_fields(home or host_of(link) or host_of(origin.url), title)


def _authors(fields: dict[str, Any]) -> str | None:
    people = [*_list(fields.get("authors")), fields.get("author")]
    names = [" ".join(_text(person.get("name")).split()) for person in people if isinstance(person, dict)]
    return ", ".join(dict.fromkeys(name for name in names if name))[:1_000] or None


def _language(item: dict[str, Any], report: FeedReport, title: str, text: str) -> str | None:
    own = language_tag(_text(item.get("language"))) or report.language
    return own or language_tag(detect_language(f"{title}\n{text}", None))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
