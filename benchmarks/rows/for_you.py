"""A reader's whole list over the sample newsroom: history, profile, signals, rules, diversity, cards, from the rows."""

import argparse
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.measure import Contender, compare, timed
from benchmarks.report import Report
from data.clock import FixedClock
from data.sample import generate
from data.settings import load_settings
from data.store import Store
from recommender.service import Service

NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)


def run(options: argparse.Namespace) -> Iterator[Report]:
    """One table: the served list, and the comparison of one profile alone as scikit-learn users write it."""
    newsroom = generate(seed=1, now=NOW)
    with tempfile.TemporaryDirectory() as folder, Store.open(f"sqlite:///{Path(folder) / 'bench.db'}") as store:
        store.migrate()
        store.put_articles(newsroom.articles, now=NOW)
        store.put_readers(newsroom.readers, now=NOW)
        store.add_events(newsroom.events, now=NOW)
        service = Service(store, load_settings(), FixedClock(NOW))
        _, load_s, _ = timed(service.refresh)
        readers = store.reader_keys(200)
        words = service.snapshot.index.vectors(np.arange(len(service.snapshot.index))).words

        def ours(task: int) -> object:
            return service.for_you(readers[task % len(readers)])

        def compared(task: int) -> object:
            mine = np.arange(task % 50, words.shape[0], 50)
            profile = np.asarray(words[mine].sum(axis=0))
            return cosine_similarity(profile, words)

        lines = compare(
            [
                Contender("Newsbell for-you, 20 cards", ours, 40),
                Contender("cosine_similarity(profile, candidates) alone", compared, 40),
            ]
        )
    yield Report(
        "for_you_sample",
        f"20 cards for each of {len(readers)} readers over {len(newsroom.articles)} articles, SQLite.",
        {"articles": len(newsroom.articles), "load everything, CPU seconds": load_s},
        lines,
        caveats=["The second line is a small part of the first line's work; it shows what that part costs elsewhere."],
        command=f"python -m benchmarks for_you --seed {options.seed}",
    )
