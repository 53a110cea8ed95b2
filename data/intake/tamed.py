"""feedparser, with the few parts replaced that a hostile feed could keep busy for hours.

Each replaced part takes time quadratic in what a feed chooses: an e-mail address searched for in an author of a
million letters, a list of categories compared with every new one, a prologue of blank lines.
"""

import io
import re
import warnings
from typing import Any

import feedparser
import feedparser.api

MAX_TAGS = 200
MAX_PROLOGUE = 16_384
_FIRST_ELEMENT = re.compile(rb"<\w")
_SPACE = re.compile(rb"\s+")
_DECLARATION = re.compile(rb"\s*<\?xml[^>]{0,200}\?>")


def parse(data: bytes, content_type: str | None) -> Any:
    """feedparser's reading of ASCII-compatible bytes, unsanitised and with relative addresses left as they are."""
    headers = {"content-type": content_type} if content_type else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # As a stream: feedparser would open a str or bytes as a file name or address.
        stream = io.BytesIO(_short_prologue(data))
        return feedparser.parse(stream, response_headers=headers, resolve_relative_uris=False, sanitize_html=False)


def _short_prologue(data: bytes) -> bytes:
    first = _FIRST_ELEMENT.search(data)
    end = first.start() if first else len(data)
    prologue = _SPACE.sub(lambda found: found[0][:1], data[:end])
    if len(prologue) > MAX_PROLOGUE:
        declaration = _DECLARATION.match(data)
        prologue = declaration[0] if declaration else b""
    return prologue + data[end:]


def _join_author(self: Any, key: str = "author") -> None:
    """The name of the last author or publisher as one string; an address is left in it."""
    context = self._get_context()
    detail = (context.get(f"{key}s") or [{}])[-1]
    name = detail.get("name") or detail.get("email")
    if name:
        context[key] = name


def _add_tag(self: Any, term: str | None, scheme: str | None, label: str | None) -> None:
    """Append a category unless there are many already; repeats are dropped later, in one pass."""
    tags = self._get_context().setdefault("tags", [])
    if (term or scheme or label) and len(tags) < MAX_TAGS:
        tags.append(feedparser.FeedParserDict(term=term, scheme=scheme, label=label))


for _parser in (feedparser.api.StrictFeedParser, feedparser.api.LooseFeedParser):
    _parser._sync_author_detail, _parser._add_tag = _join_author, _add_tag
