"""How often a key may call: one limit for all workers of a server."""

import mmap
import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

from data.errors import TooMany
from recommender.web.server import SHARED

SLOTS = 65_536  # numbers of keys; a later key shares the slot of an early one
BURST_S = 1.0  # a second's worth of calls may come at once


Numbers = Any  # memoryview of doubles; Python 3.11 cannot say so at run time


class Limits:
    """The generic cell rate algorithm: per key one number, the time until which its calls are paid for.

    With a file, workers share the numbers through its memory: the clock is the machine's, and one store of eight
    bytes is whole on every processor we know. Two workers that write at the same moment may let one call too many
    pass, never one too few.
    """

    def __init__(self, file: Path | None = None, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._paid_until: Numbers = memoryview(bytearray(8 * SLOTS)).cast("d") if file is None else _shared(file)

    def take(self, key_id: int, rate_per_s: float) -> None:
        """Count one call of a key; TooMany says after how many seconds the next may pass. 0: no limit."""
        if rate_per_s <= 0:
            return
        now, each = self.clock(), 1.0 / rate_per_s
        slot = key_id % SLOTS
        paid = max(self._paid_until[slot], now)
        if paid - now > max(BURST_S, each) - each + 1e-9:
            after = paid - now - max(BURST_S, each) + each
            raise TooMany(f"This key may call {rate_per_s:g} times a second; wait as Retry-After says.", after)
        self._paid_until[slot] = paid + each


def file() -> Path | None:
    """What the workers of one server share, beside their counters; None where there is one process."""
    folder = os.environ.get(SHARED)
    return Path(folder) / "rates" if folder else None


def _shared(file: Path) -> Numbers:
    with file.open("a+b") as opened:
        opened.truncate(8 * SLOTS)
        return memoryview(mmap.mmap(opened.fileno(), 8 * SLOTS)).cast("d")
