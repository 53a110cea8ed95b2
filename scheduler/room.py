"""What a sender knows of one Firebase project while it runs."""

import time
from collections import deque
from dataclasses import dataclass, field

from scheduler.projects import Project

TOGETHER_S = 0.5


@dataclass
class Room:
    """A project, and what keeps its messages back."""

    project: Project
    until_s: float = 0.0  # monotonic: nothing goes before
    fault: str = ""  # why nothing goes until a person acts
    renewed: str = ""  # the token that FCM refused and that was renewed for it
    errors: deque[bool] = field(default_factory=lambda: deque(maxlen=200))  # server errors among the last answers
    broken_s: float = 0.0  # when an answer was last lost

    def lose(self) -> None:
        """An answer was lost. A connection takes a hundred with it: what is lost together counts once."""
        now_s = time.monotonic()
        if now_s - self.broken_s > TOGETHER_S:
            self.errors.append(True)
        self.broken_s = now_s
