"""What kind of document some bytes are, judged by their content, never by a name or a header."""

import codecs
import json
import re

SNIFF_BYTES = 65_536
_BOMS = (
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF16_LE, "utf-16"),
)
_PATTERNS = (  # a document without a byte order mark: how its first "<" or "<?xm" looks
    (b"\x00\x00\x00<", "utf-32-be"),
    (b"<\x00\x00\x00", "utf-32-le"),
    (b"\x00<", "utf-16-be"),
    (b"<\x00", "utf-16-le"),
    (b"\x00{", "utf-16-be"),
    (b"\x00[", "utf-16-be"),
    (b"{\x00", "utf-16-le"),
    (b"[\x00", "utf-16-le"),
    (b"\x4c\x6f\xa7\x94", "cp037"),  # EBCDIC
)
_ROOTS = {
    "rss": "rss",
    "rdf": "rdf",
    "feed": "atom",
    "entry": "atom",
    "channel": "cdf",
    "urlset": "sitemap",
    "sitemapindex": "sitemap index",
    "opml": "opml",
    "html": "html",
    "head": "html",
    "body": "html",
}
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ROOT = re.compile(rf"<(?:!doctype\s+(?=html))?(?:[\w.-]+:)?({'|'.join(_ROOTS)})\b", re.IGNORECASE)
_ANY_ROOT = re.compile(r"<([A-Za-z_][\w:.-]*)")
_FEED_HINT = re.compile(r'jsonfeed\.org/version|"items"\s*:\s*\[')


def text_encoding(data: bytes) -> str | None:
    """The Unicode form (or EBCDIC) that the first bytes give away; None for anything ASCII-like."""
    for mark, name in _BOMS:
        if data.startswith(mark):
            return name
    for pattern, name in _PATTERNS:
        if data.startswith(pattern):
            return name
    return None


def kind_of(head: bytes) -> str:
    """The kind of a document from its first 64 KiB.

    One of rss, rdf, atom, cdf, sitemap, sitemap index, opml, html, json, jsonl, empty; `xml <root>` for another XML
    document; else `unknown`.
    """
    text = head.decode(text_encoding(head) or "latin-1", "replace").lstrip("\ufeff\xef\xbb\xbf \t\r\n\x00")
    if not text:
        return "empty"
    if text[0] in "{[":
        return _json_kind(text, len(head) >= SNIFF_BYTES)
    plain = _COMMENT.sub("", text)
    found = _ROOT.search(plain)
    if found:
        return _ROOTS[found[1].lower()]
    other = _ANY_ROOT.search(plain)
    if plain.lstrip().startswith("<?xml") and other:
        return f"xml <{other[1][:40]}>"
    return "html" if other and plain.lstrip().startswith("<") else "unknown"


def _json_kind(text: str, cut: bool) -> str:
    first, newline, rest = text.partition("\n")
    whole = bool(newline) or not cut
    try:
        value = json.loads(first) if whole else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        is_document = isinstance(value.get("items"), list) or not (rest.strip() or cut or "published_at" in value)
        return "json" if is_document else "jsonl"
    if value is not None or _FEED_HINT.search(text) or len(first.strip()) <= 1 or text[0] == "[":
        return "json"
    return "jsonl" if '"' in first else "json"
