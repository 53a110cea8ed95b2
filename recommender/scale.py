"""Mapping a pure function over blocks of readers: in this process, or on Dask workers, with the same results.

The only machinery for more machines: state is in PostgreSQL, the arithmetic of many readers is here.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from data.errors import BlockFailed, InvalidSettings

Shared = TypeVar("Shared")
Block = TypeVar("Block")
Result = TypeVar("Result")
IN_FLIGHT = 3  # blocks a worker has at a time: one at work, the next ones on their way
CONNECT_S = 10.0


class Mapper(Protocol):
    """How `work(shared, block)` is done for many blocks."""

    def map(self, work: Callable[[Shared, Block], Result], shared: Shared, blocks: Iterable[Block]) -> Iterator[Result]:
        """The results in the order of the blocks, each as soon as it and those before it are there.

        `blocks` is drawn from as results are taken: only a few blocks are held at a time. `work` must depend on its
        arguments alone. BlockFailed names the first block whose work raised.
        """


@dataclass(frozen=True)
class InProcess:
    """One block after the other, here."""

    def map(self, work: Callable[[Shared, Block], Result], shared: Shared, blocks: Iterable[Block]) -> Iterator[Result]:
        """The results in the order of the blocks."""
        for number, block in enumerate(blocks):
            with _named(number):
                result = work(shared, block)
            yield result


@dataclass(frozen=True)
class OnDask:
    """Blocks spread over the workers of a Dask cluster; `shared` goes to each worker once."""

    client: Any  # distributed.Client

    def map(self, work: Callable[[Shared, Block], Result], shared: Shared, blocks: Iterable[Block]) -> Iterator[Result]:
        """The results in the order of the blocks."""
        everywhere = self.client.scatter(shared, broadcast=True, hash=False)
        most = IN_FLIGHT * max(len(self.client.scheduler_info()["workers"]), 1)
        waiting: deque[tuple[int, Any]] = deque()
        try:
            for number, block in enumerate(blocks):
                waiting.append((number, self.client.submit(work, everywhere, block, pure=False)))
                if len(waiting) >= most:
                    yield _result(*waiting.popleft())
            while waiting:
                yield _result(*waiting.popleft())
        finally:
            self.client.cancel([future for _, future in waiting])


@contextmanager
def mapper(address: str | None = None) -> Iterator[Mapper]:
    """InProcess, or OnDask where the address of a scheduler is given (`tcp://host:8786`)."""
    if address is None:
        yield InProcess()
        return
    try:
        import distributed
    except ImportError as error:
        raise InvalidSettings(
            "NEWSBELL_DASK is set but dask is not installed; run `pip install 'newsbell[dask]'`"
        ) from error
    try:
        connect: Any = distributed.Client
        client = connect(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidSettings(
            f"NEWSBELL_DASK: no Dask scheduler answers at {address!r}; start one or unset it"
        ) from error
    with client:
        yield OnDask(client)


def _result(number: int, future: Any) -> Any:
    with _named(number):
        return future.result()


@contextmanager
def _named(number: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise BlockFailed(f"block {number} of readers failed ({type(error).__name__}: {error})") from error
