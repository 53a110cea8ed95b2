"""When to stop a campaign: first a canary, then the share of refusals among the last answers."""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 200
CANARY = 100
MOST_SHARE = 0.05


@dataclass
class Breaker:
    """One campaign's answers. Trips for good when more than `most_share` of the last `window` are client errors.

    Before `window` answers exist the same number of errors trips it, and the canary is judged by its own share.
    """

    window: int = WINDOW
    canary: int = CANARY
    most_share: float = MOST_SHARE
    started: int = 0  # messages let go
    answered: int = 0
    bad: int = 0  # among the last `window`
    is_open: bool = False
    last: deque[bool] = field(default_factory=deque)

    def may_start(self) -> bool:
        """Whether one more message may go: the first ones alone until all of them are answered."""
        return not self.is_open and (self.started < self.canary or self.answered >= self.canary)

    def start(self) -> None:
        """A message goes."""
        self.started += 1

    def take_back(self) -> None:
        """A message that went did not count after all: it will go again."""
        self.started -= 1

    def note(self, *, is_bad: bool) -> bool:
        """An answer came. Returns whether this one tripped the breaker."""
        self.answered += 1
        self.last.append(is_bad)
        self.bad += is_bad
        if len(self.last) > self.window:
            self.bad -= self.last.popleft()
        if self.is_open or not is_bad:
            return False
        judged = max(len(self.last), min(self.canary, self.window)) if self.answered <= self.canary else self.window
        self.is_open = self.bad > self.most_share * judged
        return self.is_open

    @property
    def reason(self) -> str:
        """What tripped it, for the operator."""
        return f"{self.bad} of the last {len(self.last)} answers were 400, 401 or 403"
