"""What is kept of former answers: as much as a number of bytes allows, the least lately used goes first."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, Protocol, TypeVar

FRESH_S = 1.0  # a list of before reads were counted: popularity is to be felt within two seconds
SAME_S = 300.0  # a list of which nothing changed but the time: no two scores in it move apart by more than 0.004
MINUTE_US = 60_000_000  # the ages on a list are said anew as often


class Sized(Protocol):
    """What knows how many bytes it takes, about."""

    @property
    def nbytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)


class Memory(Generic[K, V]):
    """Values by key within a budget of bytes. For one thread: the one that answers."""

    def __init__(self, budget: int) -> None:
        self.budget, self.nbytes = budget, 0
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value of a key, now the last used."""
        held = self._held.get(key)
        if held is None:
            return None
        self._held.move_to_end(key)
        return held[0]

    def put(self, key: K, value: V) -> None:
        """Keep a value in place of a former one; what was used longest ago goes where there is no room."""
        self.drop(key)
        nbytes = value.nbytes
        self._held[key] = value, nbytes
        self.nbytes += nbytes
        while self.nbytes > self.budget:
            _, (_, gone) = self._held.popitem(last=False)
            self.nbytes -= gone

    def drop(self, key: K) -> None:
        """Forget a key, if it is held."""
        held = self._held.pop(key, None)
        if held is not None:
            self.nbytes -= held[1]

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
        self.nbytes = 0

    def items(self) -> Iterator[tuple[K, V]]:
        """Keys and values, the least lately used first."""
        return ((key, value) for key, (value, _) in self._held.items())

    def __len__(self) -> int:
        return len(self._held)
