"""Slow work in a thread beside the one that follows the rows; what it made is put in place by that one."""

import logging
from collections.abc import Callable
from threading import Thread

log = logging.getLogger(__name__)

Apply = Callable[[], None]
Work = Callable[[], Apply]


class Beside:
    """One piece of work at a time. `work()` runs in a thread and gives what `settle` then runs in its caller's."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._apply: Apply | None = None

    @property
    def is_busy(self) -> bool:
        """Whether work is going on, or done and not settled."""
        return self._thread is not None

    def start(self, name: str, work: Work) -> None:
        """Begin, unless something else is going on."""
        if self._thread is None:
            self._thread = Thread(target=self._run, args=(name, work), name=f"newsbell-{name}", daemon=True)
            self._thread.start()

    def settle(self, *, wait: bool = False) -> bool:
        """Put finished work in place; whether there was any. What failed was logged and comes due again."""
        if self._thread is None or (self._thread.is_alive() and not wait):
            return False
        self._thread.join()
        apply, self._thread, self._apply = self._apply, None, None
        if apply:
            apply()
        return apply is not None

    def _run(self, name: str, work: Work) -> None:
        try:
            self._apply = work()
        except Exception:
            log.exception("could not %s; it is tried again", name)
