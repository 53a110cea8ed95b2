"""JSON Feed 1.0 and 1.1, and a JSON document of articles in our own form."""

import json
from collections.abc import Iterator
from typing import Any

from data.errors import InvalidInput
from data.intake.dates import Dated, parse_feed_date
from data.intake.encoding import json_text
from data.intake.feeds import ARRIVAL, LONG_SUMMARY
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
    source_fields,
    topic_list,
)
from data.text import detect_language, html_to_text


def parse_json(text: str) -> Any:
    """A JSON value; NaN, endless numbers and absurd nesting raise ValueError with a reason."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON: {error.msg} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:  # int() refuses more than 4,300 digits
        raise ValueError(str(error) if "NaN" in str(error) else "a number too long to be one") from None


def _refuse(name: str) -> None:
    raise ValueError(f"{name} (NaN or infinite) is no JSON number")


def read_json(data: bytes, origin: Origin, report: FeedReport) -> Iterator[Item]:
    """The items of one JSON document: a JSON Feed, an array of articles or a single article.

    Raises InvalidInput for a document that is none of these.
    """
    text, warning = json_text(data)
    if warning:
        report.warn(warning)
    try:
        value = parse_json(text)
    except ValueError as error:
        raise InvalidInput(f"{origin.where} is not a feed: {error}") from None
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
    dated, updated = _dates(item, origin, report, key)
    tags = topic_list([tag for tag in _list(item.get("tags")) if isinstance(tag, str)])
    own_tags = {"category": tags[0] if tags else None, "topics": tags}
    picture = absolute(_text(item.get("image")), link) or absolute(_text(item.get("banner_image")), link)
    fields = {
        "id": key,
        "url": link,
        "title": title,
        "published_at": dated.at,
        "updated_at": updated.at if updated and updated.at != dated.at else None,
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


def _dates(item: dict[str, Any], origin: Origin, report: FeedReport, key: str) -> tuple[Dated, Dated | None]:
    published = parse_feed_date(_text(item.get("date_published")))
    updated = parse_feed_date(_text(item.get("date_modified")))
    own = published or updated
    if own is None:
        report.warn(ARRIVAL)
        report.arrival_ids.add(key)
        return Dated(origin.now, True), None
    if not own.has_zone:
        report.warn("a date without a zone was read as UTC")
    return own, updated


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
