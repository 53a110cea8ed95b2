"""`python -m benchmarks [ROW...]`: measure, print a table, write benchmarks/results."""

import argparse
import importlib
import os
import pkgutil
from pathlib import Path
from types import ModuleType

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def main() -> None:
    """Run the named rows, or all."""
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))  # before numpy is imported: every figure is of one core
    from benchmarks.report import write

    rows = _rows()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="One core; see docs/benchmarks.md.")
    parser.add_argument("row", nargs="*", choices=[[], *rows], help=f"of {', '.join(rows)}; all without any")
    parser.add_argument("--large", action="store_true", help="a million articles too: half an hour and 12 GB")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--articles", type=int, help="http: size of the archive instead of 200,000")
    parser.add_argument("--kept", type=Path, help="http: a folder that keeps newsroom and index for the next run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    for name in options.row or rows:
        for report in rows[name].run(options):
            print(write(report, options.results), flush=True)


def _rows() -> dict[str, ModuleType]:
    """Every module of benchmarks/rows is a row: `run(options)` yields reports."""
    from benchmarks import rows

    return {
        one.name: importlib.import_module(f"benchmarks.rows.{one.name}") for one in pkgutil.iter_modules(rows.__path__)
    }


if __name__ == "__main__":
    main()
