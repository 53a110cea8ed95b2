"""Article JSONL, read line by line: a file of any size takes the memory of its longest line."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from data.intake.items import FeedReport, Item, Rejected
from data.intake.jsonfeed import article_of, parse_json

MAX_LINE_BYTES = 10_000_000


class ByteLines(Protocol):
    """Anything whose `readline(limit)` gives bytes: a file, a gzip stream, bytes in memory."""

    def readline(self, limit: int = -1, /) -> bytes: ...


def read_jsonl(stream: ByteLines | BinaryIO, report: FeedReport) -> Iterator[Item]:
    """One item per line; blank lines are passed over, a line over 10 MB is rejected and skipped."""
    report.kind = "article JSONL"
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        where = f"line {number}"
        if len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            _skip_line(stream)
            yield Rejected(where, f"longer than {MAX_LINE_BYTES:,} bytes")
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield _line_item(line, where)


def _line_item(line: bytes, where: str) -> Item:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Rejected(where, f"not UTF-8 at byte {error.start}; save the file as UTF-8")
    try:
        value = parse_json(text)
    except ValueError as error:
        return Rejected(where, str(error).replace("line 1 ", ""))
    return article_of(value, where)


def _skip_line(stream: ByteLines | BinaryIO) -> None:
    while piece := stream.readline(MAX_LINE_BYTES):
        if piece.endswith(b"\n"):
            return
