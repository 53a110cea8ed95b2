"""HTML of unknown quality to the plain text a reader would see."""

import re
from html import unescape

from lxml import etree

_HIDDEN_TAGS = """
audio button canvas embed head iframe math nav noscript object script select style svg template textarea title video
"""
_BLOCK_TAGS = """
address article aside blockquote body br center dd details dialog dir div dl dt fieldset figcaption figure footer form
h1 h2 h3 h4 h5 h6 header hr html li main menu ol option p pre section summary table tbody td tfoot th thead tr ul
"""
_HIDDEN, _BLOCKS = frozenset(_HIDDEN_TAGS.split()), frozenset(_BLOCK_TAGS.split())
_MARKUP = re.compile(r"[<&]")
_TAG = re.compile(r"<[^>]*>")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_SPACES = re.compile(r"[^\S\n]+")


def html_to_text(html: str) -> str:
    """The visible text of an HTML fragment or page: a line per block, entities resolved, white space collapsed.

    Scripts, styles, comments and hidden parts are dropped. Plain text comes back as it is, tidied.
    Never raises: what the parser refuses is stripped of its tags instead.
    """
    clean = _CONTROL.sub("", html.replace("\r\n", "\n").replace("\r", "\n").replace("\x0c", " "))
    if not _MARKUP.search(clean):
        return _tidy(clean)
    try:
        return _tidy(_visible(clean))
    except (etree.LxmlError, ValueError, AssertionError):
        return _tidy(unescape(_TAG.sub(" ", clean)))


def _visible(html: str) -> str:
    # Bytes, because lxml refuses a str that carries its own encoding declaration. The wrapping element
    # keeps text that precedes the first tag.
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = etree.fromstring(b"<div>" + html.encode("utf-8") + b"</div>", parser)
    if root is None:
        return ""
    pieces: list[str] = []
    hidden_depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        starts, tag = event == "start", element.tag
        if tag in _HIDDEN:
            hidden_depth += 1 if starts else -1
        if tag in _BLOCKS:
            pieces.append("\n")
        text = element.text if starts else element.tail
        if text and not hidden_depth:
            pieces.append(text if tag == "pre" and starts else text.replace("\n", " "))
    return "".join(pieces)


def _tidy(text: str) -> str:
    lines = (_SPACES.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
