"""Events as they come over the wire, read the quick way: what `EventIn` would take, with the same values and errors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from pydantic import ValidationError

from data.clock import micros
from data.wire import EARLIEST_AT, LATEST_AT, EventIn, EventKind, reasons

LONGEST_REASON = 500  # a reason quotes the caller's own words: never send back a book
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_EARLIEST_US, _LATEST_US = micros(EARLIEST_AT), micros(LATEST_AT)
_EPOCH_AT = datetime(1970, 1, 1, tzinfo=UTC)


class EventLine(msgspec.Struct, frozen=True, gc=False):
    """One checked event, ready for the table; `at_us` is microseconds UTC."""

    id: str
    reader: str
    article: str
    kind: str
    at_us: int
    dwell_s: float | None = None
    served_id: str | None = None
    position: int | None = None
    surface: str | None = None
    delivery_id: str | None = None

    @classmethod
    def of(cls, event: EventIn) -> "EventLine":
        """The line of an event that was checked as `EventIn`."""
        return cls(
            event.id,
            event.reader,
            event.article,
            event.kind,
            micros(event.at),
            event.dwell_s,
            event.served_id,
            event.position,
            event.surface,
            event.delivery_id,
        )


class _Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What most clients send. Whatever does not fit is looked at again by `EventIn`, which names the fault."""

    id: _Id
    reader: _Id
    article: _Id
    kind: EventKind
    at: str
    dwell_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    served_id: _Id | None = None
    position: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | None = None
    surface: _Id | None = None
    delivery_id: _Id | None = None


@dataclass
class EventLines:
    """A list whose items were checked alone: the good ones, where each stood, and what was wrong with the others."""

    good: list[EventLine] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def all_rejected(self, later: Iterable[tuple[int, str]]) -> list[dict[str, Any]]:
        """What was wrong at first and what the store refused, by position in the list that was sent."""
        both = [*self.rejected, *((self.positions[index], reason) for index, reason in later)]
        return [{"index": index, "reason": reason} for index, reason in sorted(both)]

    def check(self, index: int, item: Any) -> None:
        """Check one item the thorough way."""
        if not isinstance(item, dict):
            self.rejected.append((index, "item: must be an object with the fields of /docs"))
            return
        try:
            line = EventLine.of(EventIn.model_validate(item))
        except ValidationError as error:
            self.rejected.append((index, reasons(error)[:LONGEST_REASON]))
        else:
            self.good.append(line)
            self.positions.append(index)


_decoder = msgspec.json.Decoder(list[_Wire])


def read_quickly(body: bytes) -> EventLines | None:
    """The events of a JSON list all of whose items are of the usual form; None: look at the items one by one."""
    try:
        wires = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    lines = EventLines()
    for index, wire in enumerate(wires):
        line = _line(wire)
        if line is None:
            lines.check(index, msgspec.to_builtins(wire))
        else:
            lines.good.append(line)
            lines.positions.append(index)
    return lines


def read_each(items: Sequence[Any]) -> EventLines:
    """The events of a decoded list, each checked by `EventIn`."""
    lines = EventLines()
    for index, item in enumerate(items):
        lines.check(index, item)
    return lines


def _line(wire: _Wire) -> EventLine | None:
    """The line of an event without anything to clean; None where `EventIn` must look."""
    words = f"{wire.id}{wire.reader}{wire.article}{wire.served_id}{wire.surface}{wire.delivery_id}"
    if " " in words or not (words.isascii() and words.isprintable()):
        return None
    try:
        at_us = _micros(datetime.fromisoformat(wire.at))
    except (ValueError, TypeError, OverflowError):  # unreadable; without an offset
        return None
    if not _EARLIEST_US <= at_us <= _LATEST_US:
        return None
    return EventLine(
        wire.id,
        wire.reader,
        wire.article,
        wire.kind,
        at_us,
        wire.dwell_s,
        wire.served_id,
        wire.position,
        wire.surface,
        wire.delivery_id,
    )


def _micros(at: datetime) -> int:
    since = at - _EPOCH_AT
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
