"""Mending what documents say wrongly about their own encoding."""

import codecs
import re
from dataclasses import dataclass

from charset_normalizer import from_bytes

from data.intake.sniff import text_encoding

_DECLARATION = re.compile(rb"^\s*<\?xml[^>]{0,200}\?>")
_DECLARED = re.compile(rb"""encoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:-]{1,40})""", re.IGNORECASE)
_GUESS_BYTES = 1_000_000
_SAMPLE_BYTES = 20_000
# Everything XML 1.0 forbids below U+0020; a single one would make a whole feed ill-formed.
_FORBIDDEN = bytes(code for code in range(32) if code not in b"\t\n\r")
_DROP = dict.fromkeys(_FORBIDDEN)


@dataclass(frozen=True, slots=True)
class Mended:
    """Bytes to parse. `as_utf8` is set when they are UTF-8 whatever their declaration says; `warning` tells why."""

    data: bytes
    as_utf8: bool = False
    warning: str | None = None


def mend_xml(data: bytes, content_type: str | None) -> Mended:
    """Drop forbidden control bytes and settle the encoding where the declaration is provably wrong.

    Bytes that are valid UTF-8 with multi-byte characters are UTF-8: no other encoding in use produces them by
    chance. Mostly valid UTF-8 with a few broken bytes is read as such, the broken bytes replaced.
    """
    wide = text_encoding(data)
    if wide is not None:
        text = data.decode(wide, "replace")
        is_whole = "\ufffd" not in text
        data = text.translate(_DROP).encode("utf-8", "replace")
        return Mended(_undeclared(data), True, None if is_whole else f"bytes that are not {wide} were replaced")
    data = data.translate(None, _FORBIDDEN) if not _is_stateful(data, content_type) else data
    if data.isascii():
        return Mended(data)
    claimed = _claimed(data, content_type)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return _mostly_utf8(data, claimed)
    if claimed in {None, "utf-8"}:
        return Mended(data)
    return Mended(_undeclared(data), True, f"declares {claimed} but is UTF-8")


def _mostly_utf8(data: bytes, claimed: str | None) -> Mended:
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    sound = sum(1 for char in text if char > "\x7f") - broken
    if claimed not in {None, "utf-8"}:
        return Mended(data)
    if broken * 10 <= sound:
        return Mended(_undeclared(text.encode("utf-8")), True, "bytes that are not UTF-8 were replaced")
    return _guessed(data)


def _guessed(data: bytes) -> Mended:
    """Undeclared Cyrillic, Greek, Asian and the like; anything Latin is left to feedparser's windows-1252."""
    telling = [line for line in data[:_GUESS_BYTES].splitlines() if not line.isascii()]
    best = from_bytes(b"\n".join(telling)[:_SAMPLE_BYTES]).best()
    if best is None:
        return Mended(data)
    try:
        text = data.decode(best.encoding)
    except (UnicodeDecodeError, LookupError):
        return Mended(data)
    foreign = [char for char in text if char > "\x7f"]
    if sum(char > "\u036f" for char in foreign) * 2 < len(foreign):
        return Mended(data)
    return Mended(_undeclared(text.encode("utf-8")), True, f"no encoding declared; read as {best.encoding}")


def _undeclared(data: bytes) -> bytes:
    return _DECLARATION.sub(b'<?xml version="1.0" encoding="utf-8"?>', data.removeprefix(codecs.BOM_UTF8), count=1)


def _claimed(data: bytes, content_type: str | None) -> str | None:
    """The encoding the HTTP header or else the XML declaration names, in Python's spelling."""
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8"
    header = _CHARSET.search(content_type or "")
    declaration = _DECLARATION.match(data)
    declared = _DECLARED.search(declaration[0]) if declaration else None
    name = header[1] if header else declared[1].decode("ascii") if declared else None
    if name is None:
        return None
    try:
        return codecs.lookup(name).name
    except LookupError:
        return name.lower()


def _is_stateful(data: bytes, content_type: str | None) -> bool:
    """Whether escape bytes carry meaning, as in ISO-2022-JP and HZ."""
    claimed = _claimed(data, content_type) or ""
    return claimed.startswith(("iso2022", "hz", "utf-7", "utf_7"))


def json_text(data: bytes) -> tuple[str, str | None]:
    """A JSON document as text, and a warning when bytes had to be replaced."""
    name = text_encoding(data) or "utf-8"
    try:
        return data.decode(name), None
    except UnicodeDecodeError:
        return data.decode(name, "replace"), "bytes that are not UTF-8 were replaced"
