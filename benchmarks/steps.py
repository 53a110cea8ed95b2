"""A table of the steps of one long job: CPU and wall time of each for one reader, beside another way of doing all."""

from dataclasses import dataclass
from typing import Any

from benchmarks.report import Report


@dataclass
class Steps(Report):
    """Lines have `name, readers, cpu_s, wall_s`; the first is the whole, `peer` the name of the other way's."""

    peer: str = ""

    def render(self, where: dict[str, Any]) -> str:
        """Markdown."""
        whole = self.lines[0]
        parts = [f"# {self.name}", "", self.about, "", f"`{self.command}`", ""]
        parts += ["| step | readers | CPU us a reader | share | wall us a reader | readers a second |"]
        parts += ["|---|---|---|---|---|---|", *(self._row(one, whole) for one in self.lines), ""]
        parts += [
            f"- {name}: {value:,}" if isinstance(value, int) else f"- {name}: {value}" for name, value in self._facts()
        ]
        parts += [f"- {check}" for check in self.checks]
        parts += [f"- Caveat: {caveat}" for caveat in self.caveats]
        versions = ", ".join(f"{name} {one}" for name, one in where["versions"].items())
        machine = f"{where['cpu']}, {where['cores']} cores, load {where['load_1min']} at the end"
        return "\n".join([*parts, "", f"{machine}; Python {where['python']}; {versions}.", ""])

    def _facts(self) -> list[tuple[str, Any]]:
        return [(name, f"{value:,.4g}" if isinstance(value, float) else value) for name, value in self.facts.items()]

    def _row(self, line: dict[str, Any], whole: dict[str, Any]) -> str:
        cpu_us, wall_us = (line[name] / line["readers"] * 1e6 for name in ("cpu_s", "wall_s"))
        share = "" if line["name"] == self.peer else f"{line['cpu_s'] / whole['cpu_s']:.0%}"
        rate = f"{1e6 / wall_us:,.0f}" if line is whole or line["name"] == self.peer else ""
        cells = (line["name"], f"{line['readers']:,}", f"{cpu_us:,.1f}", share, f"{wall_us:,.1f}", rate)
        return f"| {' | '.join(cells)} |"
