"""`python -m recommender.kernels`: compile every kernel now, so that no start and no request pays for it."""

import importlib
import sys
import time

MODULES = (
    "recommender.postings.search",
    "recommender.postings.take",
    "recommender.packed",
    "recommender.laid",
    "recommender.near",
    "recommender.profile",
    "recommender.admission",
    "recommender.window",
    "recommender.interest",
    "recommender.windowed",
    "recommender.mmr",
    "recommender.slates",
    "recommender.push_choice",
)


def compile_all() -> float:
    """Import every module that holds kernels: those without machine code on disk get it. Gives the seconds it took."""
    start = time.perf_counter()
    for name in MODULES:
        importlib.import_module(name)
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.stdout.write(f"Kernels are compiled ({compile_all():.0f} s).\n")
