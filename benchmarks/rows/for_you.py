"""A reader's list over windows of generated articles beside plain scipy and scikit-learn, and the whole answer."""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from benchmarks.measure import Contender, compare, timed
from benchmarks.newsroom import READS, SHOWN, Newsroom
from benchmarks.plain import Plain
from benchmarks.report import Report
from data.clock import FixedClock
from data.sample import generate
from data.settings import load_settings
from data.store import Store
from recommender.answers import sentences_of
from recommender.for_you import Ask, Ranked, for_you
from recommender.service import Service
from recommender.snapshot import ReaderView, Snapshot

READERS = 300
CHECKED = 40
NOW = datetime(2026, 3, 2, 18, 30, tzinfo=UTC)


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Windows of 6,000 and 20,000 articles, then the answer of a service over the sample newsroom."""
    for window in [600] if options.quick else [6_000, 20_000]:
        yield measure(window, options)
    yield sample(options)


def measure(window: int, options: argparse.Namespace) -> Report:
    """Profile, 8 signals, rules, diversity and the sentences of 20 cards; both hold the window between requests."""
    room = Newsroom(window, options.seed)
    snapshot, at_us = room.snapshot, room.now_us
    readers = [room.reader(number) for number in range(READERS)]
    ask = Ask(limit=20, window_h=room.window_h)

    def ours(reader: ReaderView) -> tuple[Ranked, list[str]]:
        ranked = for_you(snapshot, reader, ask, at_us=at_us, language="en")
        return ranked, sentences_of(snapshot, reader, ranked, ranked.head, at_us)

    _, first_s, _ = timed(lambda: ours(readers[0]))
    fresh_ms = [1e3 * timed(lambda: ours(readers[number]))[1] for number in range(1, 21)]  # noqa: B023 - called at once
    for reader in readers:
        ours(reader)
    plain = Plain(room)
    check = same_lists(plain, snapshot, readers[:CHECKED], ours)
    lines = compare(
        [
            Contender("Newsbell: list of 20 and its sentences", lambda task: ours(readers[task % READERS]), 100),
            Contender("numpy, scipy and scikit-learn", lambda task: plain.answer(readers[task % READERS]), 4),
        ]
    )
    held = snapshot.windows.nbytes
    return Report(
        f"for_you_{window}",
        f"Lists for readers with {READS} reads and {SHOWN} impressions from a window of {len(plain.rows):,} articles "
        f"of {room.words.nnz / len(room.news):.0f} distinct terms, one topic followed; reads of 20 days.",
        {
            "articles in the window": len(plain.rows),
            "p99 by the median": lines[0]["cpu_ms_p99"] / lines[0]["cpu_ms"],
            "first answer of all, CPU ms": 1e3 * first_s,
            "an early answer, its older reads not yet packed, CPU ms": statistics.median(fresh_ms),
            "bytes held an article": held / snapshot.windows.packed_count,
        },
        lines,
        [check],
        ["Stories, topics, readers and latent rows are generated; latent rows are words projected at random."],
        f"python -m benchmarks for_you --seed {options.seed}",
    )


def same_lists(
    plain: Plain,
    snapshot: Snapshot,
    readers: Sequence[ReaderView],
    ours: Callable[[ReaderView], tuple[Ranked, list[str]]],
) -> str:
    """Whether both give every reader the same articles under the same sentences, up to ties."""
    columns, differing = snapshot.index.columns, 0
    for reader in readers:
        ranked, sentences = ours(reader)
        ids, scores, told = plain.answer(reader)
        mine = columns.id[ranked.rows[ranked.head]]
        expected = scores[np.searchsorted(plain.rows, ranked.rows)]
        np.testing.assert_allclose(
            ranked.result.score, expected, atol=1e-5
        )  # rows of half precision are not quite of length 1
        differing += int((mine != ids).any())
        if (mine == ids).all() and sentences != told:
            raise AssertionError(f"other sentences: {set(sentences) ^ set(told)}")
    if differing > len(readers) // 20:
        raise AssertionError(f"{differing} of {len(readers)} lists differ")
    same = f"the same scores to 1e-5 and sentences for {len(readers)} readers"
    return f"numpy, scipy and scikit-learn: {same}, the same 20 in the same order for {len(readers) - differing}"


def sample(options: argparse.Namespace) -> Report:
    """The served answer: history, profile, signals, rules, diversity and cards, from the rows of the store."""
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
    return Report(
        "for_you_sample",
        f"20 cards for each of {len(readers)} readers over {len(newsroom.articles)} articles, SQLite.",
        {"articles": len(newsroom.articles), "load everything, CPU seconds": load_s},
        lines,
        caveats=["The second line is a small part of the first line's work; it shows what that part costs elsewhere."],
        command=f"python -m benchmarks for_you --seed {options.seed}",
    )
