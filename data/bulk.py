"""Bulk JSONL of events and readers into the store: streamed, counted, each bad line named."""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import IO, TypeVar

from pydantic import BaseModel, ValidationError

from data.clock import SystemClock
from data.errors import InvalidInput
from data.progress import track
from data.store import Store
from data.wire import EventIn, ReaderIn, reasons

S = TypeVar("S", bound=BaseModel)
BATCH = 5_000
EXAMPLES = 20  # different reasons listed at most


def import_events(store: Store, file: Path) -> dict[str, object]:
    """Counts of accepted, duplicate and rejected events, and the commonest reasons. Re-running completes."""
    counts: Counter[str] = Counter(accepted=0, duplicate=0, rejected=0)
    why: Counter[str] = Counter()
    for batch in _batches(file, EventIn, why):
        result = store.add_events(batch, now=SystemClock().now())
        counts.update(accepted=result.accepted, duplicate=result.duplicate)
        why.update(_kind_of(reason) for _, reason in result.rejected)
    return _summary(counts, why)


def import_readers(store: Store, file: Path) -> dict[str, object]:
    """Counts of written and rejected readers, and the commonest reasons."""
    counts: Counter[str] = Counter(written=0, rejected=0)
    why: Counter[str] = Counter()
    for batch in _batches(file, ReaderIn, why):
        counts.update(written=store.put_readers(batch, now=SystemClock().now()))
    return _summary(counts, why)


def _summary(counts: Counter[str], why: Counter[str]) -> dict[str, object]:
    counts["rejected"] = why.total()
    return {**counts, "reasons": dict(why.most_common(EXAMPLES))}


def _kind_of(reason: str) -> str:
    """A reason without the particular id, so that equal mistakes are counted together."""
    if reason.endswith("put the article first"):
        return "article: unknown; put the article first"
    return reason.split(";", maxsplit=1)[0] if "in the future" not in reason else "at: in the future"


def _batches(file: Path, shape: type[S], why: Counter[str]) -> Iterator[list[S]]:
    good = _shapes(file, shape, why)
    while batch := list(islice(good, BATCH)):
        yield batch


def _shapes(file: Path, shape: type[S], why: Counter[str]) -> Iterator[S]:
    try:
        size = file.stat().st_size
        with file.open("rb") as raw, _decompressed(raw, file) as lines:
            for line in track(lines, size, raw.tell, f"Reading {file.name}"):
                if line.strip():
                    item = _shape(line, shape, why)
                    if item is not None:
                        yield item
    except (OSError, EOFError) as error:
        raise InvalidInput(f"{file}: {error}; what was read before that is in") from None


def _decompressed(raw: IO[bytes], file: Path) -> IO[bytes]:
    return gzip.open(raw) if file.suffix == ".gz" else raw  # type: ignore[return-value]


def _shape(line: bytes, shape: type[S], why: Counter[str]) -> S | None:
    read: Callable[[bytes], object] = json.loads
    try:
        return shape.model_validate(read(line))
    except ValidationError as error:
        why[reasons(error)[:160]] += 1
    except (ValueError, RecursionError):
        why["the line is not JSON in UTF-8"] += 1
    return None
