"""What the server did, one line a send: the other half of every count."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Line:
    """One send call that was read to its end."""

    at_s: float  # since the start of the server
    project: str
    kind: str
    target: str
    status: int
    answer: str  # `ok`, the name of an error, or the fault
    is_accepted: bool  # the phone gets it, whatever the caller was told
    connection: int
    delivery: str = ""


@dataclass
class Log:
    """Lines in order, and counts that are kept even when lines are not."""

    keeps_lines: bool = True
    lines: list[Line] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    posts: int = 0
    connections: int = 0
    goaways: int = 0

    def add(self, line: Line) -> None:
        """Count a send."""
        self.posts += 1
        self.accepted += line.is_accepted
        self.answers[line.answer] += 1
        if self.keeps_lines:
            self.lines.append(line)

    def accepted_targets(self) -> Counter[str]:
        """Device -> how many messages were accepted for it."""
        return Counter(line.target for line in self.lines if line.is_accepted)

    def most_in_a_second(self) -> int:
        """The most sends in any window of one second."""
        times = sorted(line.at_s for line in self.lines)
        start = most = 0
        for end, at_s in enumerate(times):
            while times[start] <= at_s - 1.0:
                start += 1
            most = max(most, end - start + 1)
        return most

    def as_dict(self, *, lines: int = 0) -> dict[str, Any]:
        """Counts, and the last so many lines; legacy tokens among them are masked."""
        shown = [asdict(line) for line in self.lines[-lines:]] if lines else []
        for line in shown:
            if line["kind"] == "token":
                line["target"] = line["target"][:6] + "..."
        return {
            "posts": self.posts,
            "accepted": self.accepted,
            "answers": dict(self.answers),
            "connections": self.connections,
            "goaways": self.goaways,
            "lines": shown,
        }
