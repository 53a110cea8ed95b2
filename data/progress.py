"""One way to show that long work goes on: a rich bar on stderr, nothing where stderr is no terminal."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def track(items: Iterable[T], total: float | None, done: Callable[[], float] | None, label: str) -> Iterator[T]:
    """Yield `items`, showing `done()` (or how many went by) out of `total`."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        for number, item in enumerate(items):
            yield item
            progress.update(task, completed=done() if done else number + 1)


@contextmanager
def meter(label: str, total: float | None) -> Iterator[Callable[[int], None]]:
    """A callable to be told how many more were done; the bar is gone after the block."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda more: progress.update(task, advance=more)
