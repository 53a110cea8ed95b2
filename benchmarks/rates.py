"""A table of throughputs: messages a second and CPU a message, each compared with one reference line."""

from dataclasses import dataclass
from typing import Any

from benchmarks.report import Report


@dataclass
class Rates(Report):
    """Lines have `name, messages, seconds, cpu_s` and may have `server_cpu_s, database_cpu_s, group, processes,
    note`.

    `reference` names the line that the others are multiples of.
    """

    reference: str = ""

    def render(self, where: dict[str, Any]) -> str:
        """Markdown."""
        base = next((one for one in self.lines if one["name"] == self.reference), None)
        parts = [f"# {self.name}", "", self.about, "", f"`{self.command}`", ""]
        names = ["way", "messages", "messages/s", "CPU us a message", f"x {self.reference} per CPU second"]
        names += ["server's CPU us"] + ["database server's"] * any("database_cpu_s" in line for line in self.lines)
        parts += [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        parts += [_row(line, base, len(names)) for line in self.lines]
        parts += ["", *(f"- {name}: {value}" for name, value in self.facts.items())]
        parts += [f"- {check}" for check in self.checks]
        parts += [f"- Caveat: {caveat}" for caveat in self.caveats]
        versions = ", ".join(f"{name} {one}" for name, one in where["versions"].items())
        parts += [
            "",
            (
                f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']} at the end; "
                f"Python {where['python']}; {versions}."
            ),
            "",
        ]
        return "\n".join(parts)


def cpu_us(line: dict[str, Any]) -> float:
    """Client CPU of one message in microseconds."""
    return float(line["cpu_s"]) / int(line["messages"]) * 1e6


def _row(line: dict[str, Any], base: dict[str, Any] | None, width: int) -> str:
    times = f"{cpu_us(base) / cpu_us(line):,.1f}" if base is not None and line is not base else ""
    servers = [_each_us(line, name) for name in ("server_cpu_s", "database_cpu_s")]
    rate = line["messages"] / line["seconds"]
    cells = (line["name"], f"{line['messages']:,}", f"{rate:,.0f}", f"{cpu_us(line):,.1f}", times, *servers)
    return f"| {' | '.join(cells[:width])} |"


def _each_us(line: dict[str, Any], name: str) -> str:
    """Microseconds of a message in a column that not every line has."""
    return f"{line[name] / line['messages'] * 1e6:,.0f}" if line.get(name) is not None else ""
