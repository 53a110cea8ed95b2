"""How senders hear of their posts: each its own outcome, each event loop woken once."""

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest

from data.values import EventResult
from recommender.posts import Post, tell

DONE, WRONG = EventResult(1, 0, ()), RuntimeError("not written")


class Loop:
    """Counts how often it is woken, and does what it is woken for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop, self.woken = loop, 0

    def call_soon_threadsafe(self, call: Any, *arguments: Any) -> None:
        self.woken += 1
        self.loop.call_soon_threadsafe(call, *arguments)


def test_a_loop_is_woken_once_for_all_of_its_posts_and_each_hears_its_own() -> None:
    async def posts() -> tuple[list[Any], int]:
        running = asyncio.get_running_loop()
        loop: Any = Loop(running)
        made = [Post((), running.create_future(), loop) for _ in range(20)]
        await asyncio.to_thread(tell, made, [WRONG if place == 7 else DONE for place in range(20)])
        heard = await asyncio.gather(*(post.done for post in made), return_exceptions=True)  # type: ignore[arg-type]
        return heard, loop.woken

    heard, woken = asyncio.run(posts())
    assert woken == 1
    assert heard == [WRONG if place == 7 else DONE for place in range(20)]


def test_whoever_went_away_keeps_nobody_from_hearing() -> None:
    async def posts() -> Any:
        loop = asyncio.get_running_loop()
        gone, here = (Post((), loop.create_future(), loop) for _ in range(2))
        gone.done.cancel()
        tell([gone, here], [DONE, DONE])
        return await here.done  # type: ignore[misc]

    assert asyncio.run(posts()) == DONE


def test_a_loop_that_ended_is_no_error_and_others_still_hear() -> None:
    ended = asyncio.new_event_loop()
    lost = Post((), ended.create_future(), ended)
    ended.close()
    waiting: Future[EventResult] = Future()
    tell([lost, Post((), waiting)], [DONE, WRONG])
    with pytest.raises(RuntimeError, match="not written"):
        waiting.result(0)
