"""Posts of events that wait for their commit, and how their senders hear of it."""

import asyncio
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from data.event_lines import EventLine
from data.values import EventResult

Outcome = EventResult | Exception
Promise = Future[EventResult] | asyncio.Future[EventResult]


@dataclass(slots=True)
class Post:
    """Events to append together, and the promise to whoever sent them."""

    lines: Sequence[EventLine]
    done: Promise
    loop: asyncio.AbstractEventLoop | None = None  # the sender's, where it is asynchronous


def tell(posts: Iterable[Post], outcomes: Iterable[Outcome]) -> None:
    """Keep the promises, from any thread; whoever went away hears nothing.

    An event loop is woken once for all of its posts: a wake-up for each costs as much as reading it.
    """
    heard: dict[asyncio.AbstractEventLoop | None, list[tuple[Promise, Outcome]]] = {}
    for post, outcome in zip(posts, outcomes, strict=True):
        heard.setdefault(post.loop, []).append((post.done, outcome))
    for loop, told in heard.items():
        if loop is None:
            _keep(told)
        else:
            with suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                loop.call_soon_threadsafe(_keep, told)


def _keep(told: Iterable[tuple[Promise, Outcome]]) -> None:
    for done, outcome in told:
        if done.done():  # cancelled: whoever posted went away
            continue
        if isinstance(outcome, Exception):
            done.set_exception(outcome)
        else:
            done.set_result(outcome)
