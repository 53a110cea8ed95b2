"""A report as JSON and as a table, with the machine and the versions it is of."""

import json
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "sparse_dot_topn",
    "bm25s",
    "firebase-admin",
    "pycurl",
    "newsbell",
)


@dataclass
class Report:
    """One table: `ours` is the line others are compared with."""

    name: str
    about: str
    facts: dict[str, Any]
    lines: list[dict[str, Any]]
    checks: list[str] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    command: str = ""


def machine() -> dict[str, Any]:
    """Processor, memory, load and versions."""
    cpu = ""
    if (info := Path("/proc/cpuinfo")).exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if "model name" in line), "")
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return {
        "cpu": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
    }


def write(report: Report, folder: Path) -> str:
    """Write NAME.json and NAME.md; the table as text."""
    where = machine()
    render = getattr(report, "render", None)  # a report may have a table of its own
    text: str = render(where) if render else table(report, where)
    folder.mkdir(parents=True, exist_ok=True)
    content = {**report.__dict__, "machine": where}
    (folder / f"{report.name}.json").write_text(json.dumps(content, indent=1, default=float) + "\n")
    (folder / f"{report.name}.md").write_text(text)
    return text


def table(report: Report, where: dict[str, Any]) -> str:
    """Markdown: the lines, how often faster ours is, facts, checks, caveats."""
    ours = report.lines[0]
    parts = [f"# {report.name}", "", report.about, "", f"`{report.command}`", ""]
    parts += [
        "| way | ms a query: median | p90 | p99 | mean | ours is faster: median | mean |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in report.lines:
        cells = [_ms(line[key]) for key in ("cpu_ms", "cpu_ms_p90", "cpu_ms_p99", "cpu_ms_mean")]
        ratios = ["", ""]
        if line is not ours:
            ratios = [f"{line[key] / ours[key]:,.1f} x" for key in ("cpu_ms", "cpu_ms_mean")]
        parts.append(f"| {' | '.join([str(line['name']), *cells, *ratios])} |")
    parts += ["", "CPU time of one thread; a p99 needs many tasks: peers ran fewer (see the JSON).", ""]
    parts += [f"- {name}: {_fact(value)}" for name, value in report.facts.items()]
    parts += [f"- {check}" for check in report.checks]
    parts += [f"- Caveat: {caveat}" for caveat in report.caveats]
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


def _ms(value: float) -> str:
    return f"{value:.4f}" if value < 1 else f"{value:,.1f}"


def _fact(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
