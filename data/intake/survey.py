"""How a folder of feeds fares: `python -m data.intake.survey DIR` prints one line per suite and the reasons.

A suite is a first-level folder. Nothing is written; the exit code is 1 when any file made the reader crash.
"""

import sys
import traceback
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from data.clock import SystemClock
from data.errors import InvalidInput, NewsbellError
from data.intake.items import Rejected
from data.intake.read import read_file


@dataclass
class Suite:
    """The counts of one suite."""

    files: int = 0
    articles: int = 0
    crashes: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)  # files that are no feed, by reason


def survey(folder: Path) -> dict[str, Suite]:
    """Read every file below a folder and count what came of it, by first-level folder."""
    suites: dict[str, Suite] = {}
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inner = file.relative_to(folder).parts
        _read(file, suites.setdefault(inner[0] if len(inner) > 1 else ".", Suite()))
    return suites


def _read(file: Path, suite: Suite) -> None:
    suite.files += 1
    try:
        reading = read_file(file, SystemClock().now())
        suite.articles += sum(not isinstance(item, Rejected) for item in reading)
    except NewsbellError as error:
        suite.refused[str(error).replace(str(file), "").strip()] += 1
        return
    except Exception:  # a crash is what this looks for
        suite.crashes += 1
        sys.stderr.write(f"{file}\n{traceback.format_exc()}\n")
        return
    suite.kinds[reading.report.kind] += 1
    suite.rejected.update(reading.report.rejected)
    suite.warnings.update(reading.report.warnings)


def table(suites: dict[str, Suite]) -> str:
    """The counts as text: one line per suite, then every reason."""
    lines = [f"{'suite':<14}{'files':>7}{'feeds':>7}{'others':>8}{'items':>8}{'in':>8}{'rejected':>10}{'crashes':>9}"]
    for name, suite in suites.items():
        turned_away = suite.rejected.total()
        lines.append(
            f"{name:<14}{suite.files:>7,}{suite.kinds.total():>7,}{suite.refused.total():>8,}"
            f"{suite.articles + turned_away:>8,}{suite.articles:>8,}{turned_away:>10,}{suite.crashes:>9,}"
        )
    parts = {"kinds": "kinds", "rejected items": "rejected", "no feeds": "refused", "noted": "warnings"}
    for title, part in parts.items():
        for name, suite in suites.items():
            counts: Counter[str] = getattr(suite, part)
            lines += [f"{title}, {name}: {number:,} x {reason}" for reason, number in counts.most_common()]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """The command: one folder, or a line that says so."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write(f"{InvalidInput('give one folder: python -m data.intake.survey DIR')}\n")
        return 2
    suites = survey(Path(arguments[0]))
    sys.stdout.write(table(suites) + "\n")
    return 1 if any(suite.crashes for suite in suites.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
