"""Terms as numbers, append-only: a number once given never changes."""

from collections.abc import Iterable
from itertools import repeat
from threading import Lock
from typing import Self

import numpy as np
import numpy.typing as npt


class Vocabulary:
    """Terms by number and numbers by term. Safe to use from several threads.

    One that was loaded keeps the saved bytes and reads them at the first question about a term: about 0.3 s for a
    million terms, which answers about articles that are indexed need not wait for.
    """

    def __init__(self, terms: Iterable[str] = ()) -> None:
        self._terms = list(terms)
        self._columns = {term: column for column, term in enumerate(self._terms)}
        self._saved: npt.NDArray[np.uint8] | None = None
        self._count = len(self._terms)
        self._lock = Lock()

    @classmethod
    def saved(cls, text: npt.NDArray[np.uint8]) -> Self:
        """What `text` gave of a vocabulary; the array may be mapped from a file."""
        made = cls()
        made._saved, made._count = text, int(np.count_nonzero(text == ord("\n")))
        return made

    def text(self) -> npt.NDArray[np.uint8]:
        """Every term, by number, as UTF-8 lines."""
        self._read()
        with self._lock:
            return np.frombuffer("".join(f"{term}\n" for term in self._terms).encode(), np.uint8)

    def __len__(self) -> int:
        return self._count if self._saved is not None else len(self._terms)

    def names(self, columns: Iterable[int]) -> list[str]:
        """The terms behind these numbers."""
        self._read()
        return [self._terms[column] for column in columns]

    def columns_of(self, terms: Iterable[str]) -> list[int]:
        """The number of each term, given now where it is new; terms must be distinct."""
        self._read()
        asked = list(terms)
        found = list(map(self._columns.get, asked, repeat(-1)))
        if -1 not in found:
            return found
        with self._lock:
            for place, term in enumerate(asked):
                if found[place] < 0 and term not in self._columns:
                    # The name first, the lookup second: a reader that finds the column can name it.
                    self._terms.append(term)
                    self._columns[term] = found[place] = len(self._terms) - 1
                elif found[place] < 0:
                    found[place] = self._columns[term]
        return found

    def _read(self) -> None:
        if self._saved is not None:
            with self._lock:
                self._read_saved()

    def _read_saved(self) -> None:
        if self._saved is not None:  # another thread may have been first
            self._terms = self._saved.tobytes().decode().split("\n")[:-1]
            self._columns = {term: column for column, term in enumerate(self._terms)}
            self._saved = None
