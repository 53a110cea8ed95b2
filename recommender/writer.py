"""The one thread of a process that appends: events of concurrent posts in one transaction, served pages behind them."""

import asyncio
import logging
import queue
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from threading import Lock, Thread
from time import monotonic, perf_counter, sleep
from typing import Protocol

from data.clock import Clock
from data.errors import Overloaded
from data.event_lines import EventLine
from data.store import Store
from data.values import EventResult, ServedPage
from recommender.observe import Observer
from recommender.posts import Outcome, Post, tell

log = logging.getLogger(__name__)
MOST_EVENTS = 20_000  # in one transaction: about half a second of writing
MOST_WAITING = 200_000  # events that wait to be written; more are refused
MOST_PAGES = 20_000  # served pages that wait; more are dropped, and counted
PAGES_EVERY_S = 0.25
STOPPING = "The server is stopping; send the events again in a moment."


class Watched(Protocol):
    """Whose observer hears of the transactions; it may be replaced after the writer was made."""

    observer: Observer


class Writer:
    """Groups what is written at the same time.

    While one transaction commits, the posts that arrive wait and become the next one together: nobody waits for a
    timer, and a lone post is written at once. `window_s` above 0 waits that long for company first; measured, it only
    added delay (docs/decisions/group-commit.md).
    """

    def __init__(self, store: Store, clock: Clock, watched: Watched, *, window_s: float = 0.0) -> None:
        self.store, self.clock, self.watched, self.window_s = store, clock, watched, window_s
        self.dropped = 0  # pages that were not logged
        self._posts: queue.SimpleQueue[Post | None] = queue.SimpleQueue()
        self._pages: deque[ServedPage] = deque()
        self._waiting = 0
        self._count = Lock()
        self._pages_at = 0.0
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        if self._thread is None:
            self._thread = Thread(target=self._run, name="newsbell-writer", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what waits, then end."""
        if self._thread:
            self._posts.put(None)
            self._thread.join()
            self._thread = None
        while not self._posts.empty():  # what came in that very moment
            late = self._posts.get()
            if late:
                tell([late], [Overloaded(STOPPING)])

    async def add(self, lines: Sequence[EventLine]) -> EventResult:
        """Append events; returns after the commit. Raises Overloaded when too many wait already."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[EventResult] = loop.create_future()
        self._queue(Post(lines, done, loop))
        return await done

    def submit(self, lines: Sequence[EventLine]) -> "Future[EventResult]":
        """`add` for callers that are not asynchronous."""
        done: Future[EventResult] = Future()
        done.set_running_or_notify_cancel()  # what waits to be written cannot be called back
        self._queue(Post(lines, done))
        return done

    def _queue(self, post: Post) -> None:
        if self._thread is None:
            raise Overloaded(STOPPING)
        if self._waiting > MOST_WAITING:
            raise Overloaded("More events arrive than can be written; send them again in a moment.")
        with self._count:
            self._waiting += len(post.lines)
        self._posts.put(post)

    def note(self, page: ServedPage) -> None:
        """Log a page that was served, soon; costs the answer nothing."""
        if self._thread is None:  # a command that shows a list serves nobody
            return
        if len(self._pages) < MOST_PAGES:
            self._pages.append(page)
        else:
            self.dropped += 1

    def _run(self) -> None:
        is_running = True
        while is_running:
            group, is_running = self._gather()
            if group:
                self._write(group)
            if self._pages and (not is_running or monotonic() - self._pages_at >= PAGES_EVERY_S):
                self._write_pages()

    def _gather(self) -> tuple[list[Post], bool]:
        """The posts that wait by now, at most MOST_EVENTS events; whether to go on."""
        group: list[Post] = []
        events = 0
        try:
            post = self._posts.get(timeout=PAGES_EVERY_S)
            if self.window_s:
                sleep(self.window_s)
            while post is not None:
                group.append(post)
                events += len(post.lines)
                if events >= MOST_EVENTS:
                    return group, True
                post = self._posts.get_nowait()
        except queue.Empty:
            return group, True
        return group, False

    def _write(self, group: list[Post]) -> None:
        start = perf_counter()
        tell(group, self._appended(group))
        events = sum(len(post.lines) for post in group)
        with self._count:
            self._waiting -= events
        self.watched.observer.written(len(group), events, perf_counter() - start)

    def _appended(self, group: list[Post]) -> Sequence[Outcome]:
        """What became of each; where they fail together each is tried alone: one must not take the others down."""
        try:
            return self.store.append_events([post.lines for post in group], now=self.clock.now())
        except Exception as error:
            return [error] if len(group) == 1 else [self._appended([post])[0] for post in group]

    def _write_pages(self) -> None:
        pages = [self._pages.popleft() for _ in range(len(self._pages))]
        self._pages_at = monotonic()
        try:
            self.store.add_served(pages)
        except Exception:
            log.exception("could not log %d served pages", len(pages))
            self.dropped += len(pages)
