"""News sitemaps, plain sitemaps and sitemap indexes."""

import io
from collections.abc import Iterator
from typing import Any

from lxml import etree

from data.errors import InvalidInput
from data.intake.dates import Dated, parse_feed_date
from data.intake.items import (
    FeedReport,
    Item,
    Origin,
    Rejected,
    absolute,
    article_id,
    checked,
    host_of,
    language_tag,
    settled,
    source_fields,
    topic_list,
)
from data.text import detect_language, html_to_text

MAX_PAGES = 50_000  # of one sitemap, by the protocol
NO_TITLE = "no title: a plain sitemap lists pages, not articles"


def read_sitemap(data: bytes, origin: Origin, report: FeedReport) -> Iterator[Item]:
    """One item per page of a sitemap that names a title; an index fills `report.children`, newest first.

    The parser loads nothing, expands no entity and stops at libxml2's own depth and size limits.
    """
    report.kind = "sitemap"
    children: list[tuple[str, str]] = []
    pages = 0
    try:
        for element in _elements(data):
            fields = _leaves(element)
            if _local(element.tag) == "sitemap":
                children.append((fields.get("lastmod", ""), absolute(fields.get("loc", ""), origin.url)))
            else:
                pages += 1
                yield _page(fields, origin, report, f"page {pages}")
            element.clear()
            while element.getprevious() is not None and element.getparent() is not None:
                del element.getparent()[0]
            if pages >= MAX_PAGES:
                report.warn(f"only the first {MAX_PAGES:,} pages were read")
                return
    except (etree.LxmlError, UnicodeError) as error:
        if not pages and not children:
            raise InvalidInput(f"{origin.where} is not a sitemap: {error}") from None
        report.warn("not well-formed XML: read as far as possible")
    if children:
        report.kind = "sitemap index"
        report.children = [url for _, url in sorted(children, reverse=True) if url]


def _elements(data: bytes) -> Iterator[Any]:
    steps = etree.iterparse(
        io.BytesIO(data),
        events=("end",),
        tag=("{*}url", "{*}sitemap"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
    )
    for _, element in steps:
        yield element


def _leaves(element: Any) -> dict[str, str]:
    """Local names of the descendants and their text; the first of a name wins, `news:` names before others."""
    found: dict[str, str] = {}
    for child in element.iterdescendants("*"):
        try:
            tag = child.tag
            text = "".join([child.text or "", *(node.tail or "" for node in child)]).strip()
        except UnicodeError:  # a recovered tree can hold names that are no text
            continue
        if not text:
            continue
        space = tag.partition("}")[0].lower()
        prefix = next((word for word in ("news", "image", "video") if f"sitemap-{word}" in space), "")
        found.setdefault(f"{prefix}:{_local(tag)}" if prefix else _local(tag), text)
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _page(fields: dict[str, str], origin: Origin, report: FeedReport, where: str) -> Item:
    link = absolute(fields.get("loc", ""), origin.url)
    if link:
        where = f"{where} ({link[:100]})"
    title = " ".join(html_to_text(fields.get("news:title") or fields.get("video:title") or "").split())
    if not link:
        return Rejected(where, "no link: the page has no loc that is an address")
    if not title:
        return Rejected(where, NO_TITLE)
    report.kind = "news sitemap" if "news:title" in fields else report.kind
    key = article_id("", link, "")
    name = fields.get("news:name", "")
    report.title = report.title or name
    tag = language_tag(fields.get("news:language")) or language_tag(detect_language(title, None))
    topics = topic_list(fields.get("news:keywords", "").split(",") + fields.get("news:genres", "").split(","))
    item = checked(
        {
            "id": key,
            "url": link,
            "title": title,
            "published_at": settled(_own_date(fields), None, origin, report, key),
            "source": source_fields(host_of(link), name),
            "language": tag,
            "image_url": absolute(fields.get("image:loc", ""), link) or None,
            "topics": topics,
        },
        where,
    )
    if isinstance(item, Rejected):
        report.arrival_ids.discard(key)
    return item


def _own_date(fields: dict[str, str]) -> Dated | None:
    names = ("news:publication_date", "video:publication_date", "lastmod")
    dates = (parse_feed_date(fields.get(name, "")) for name in names)
    return next((dated for dated in dates if dated), None)
