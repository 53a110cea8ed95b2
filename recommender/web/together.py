"""One question for everybody who asks it at the same moment."""

import asyncio
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Together(Generic[K, V]):
    """Answers what requests of one turn of the event loop ask by one question, begun after the last of them asked.

    So an answer is never older than the question, and a question to a server is paid for once. For one event loop.
    """

    def __init__(self, ask: Callable[[Collection[K]], Mapping[K, V]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[K, asyncio.Future[V]]] = []

    async def __call__(self, key: K) -> V:
        """The answer for one key."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[V] = loop.create_future()  # its own: whoever goes away takes no other along
        if not self._waiting:
            loop.call_soon(self._answer)
        self._waiting.append((key, future))
        return await future

    def _answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            found = self._ask({key for key, _ in waiting})
        except Exception as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        for key, future in waiting:
            if not future.done():
                future.set_result(found[key])
