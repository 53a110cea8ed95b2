"""A large index that grows, is joined and is opened again, beside a scipy matrix and scikit-learn's vectorizer."""

import argparse
import gc
import json
import pickle
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from benchmarks.archive import Archive
from benchmarks.measure import Contender, timed
from benchmarks.report import Report
from data.values import FloatArray
from recommender import index_files
from recommender.index import ArticleIndex
from recommender.index_files import Stamp

TOP = 10
QUERIES = 200
BATCH = 10_000  # texts held at once while the whole archive is transformed


def run(options: argparse.Namespace) -> Iterator[Report]:
    """Adding and starting, at 100,000 (and 1,000,000) articles."""
    for size in [5_000] if options.quick else [100_000] + [1_000_000] * options.large:
        archive = Archive(size, options.seed)
        index = archive.index()
        yield _adding(archive, index, options)
        yield _joining(archive, index, options)
        yield _starting(archive, index, options)


def _adding(archive: Archive, index: ArticleIndex, options: argparse.Namespace) -> Report:
    vectorizer, words = archive.vectorizer(), archive.words
    now = [index]

    def ours(first: int, count: int) -> None:
        texts = archive.texts(first, count)
        start = time.thread_time_ns()
        now[0] = now[0].add(texts)
        row = now[0].row_of(texts[-1].id)
        found, _ = now[0].nearest_by_words(now[0].vectors(np.array([row])), 1)
        spent.append((time.thread_time_ns() - start) / 1e6)
        if found[0] != row:
            raise AssertionError("an added article is not found")

    def theirs(first: int, count: int) -> None:
        texts = [text.body for text in archive.texts(first, count)]
        start = time.thread_time_ns()
        sparse.vstack([words, vectorizer.transform(texts)], format="csr")
        spent.append((time.thread_time_ns() - start) / 1e6)

    lines, spent = [], list[float]()
    place = 0
    for name, work, count, tasks in (
        ("Newsbell, 1 article", ours, 1, 40),
        ("TfidfVectorizer.transform of it + vstack, 1 article", theirs, 1, 5),
        ("Newsbell, 1,000 articles", ours, 1_000, 5),
        ("TfidfVectorizer.transform of them + vstack, 1,000 articles", theirs, 1_000, 5),
    ):
        spent.clear()
        for _ in range(tasks):
            work(place % 7_000, count)
            place += count
        lines.append(_line(name, spent))
    rebuilt = _rebuild(archive)
    lines.append(_line("TfidfVectorizer.transform of every text", [rebuilt]))
    return Report(
        f"index_add_{archive.count}",
        f"From texts to visible, in an index of {archive.count:,} articles.",
        {
            "1 article, times faster than a vstack": lines[1]["cpu_ms"] / lines[0]["cpu_ms"],
            "1 article, times faster than a rebuild": rebuilt / lines[0]["cpu_ms"],
            "1,000 articles, times faster than a vstack": lines[3]["cpu_ms"] / lines[2]["cpu_ms"],
            "1,000 articles, times faster than a rebuild": rebuilt / lines[2]["cpu_ms"],
        },
        lines,
        caveats=[
            "transform of every text is done once, not five times; the vocabulary is given, so nothing is fitted.",
            "vstack keeps the old rows and appends the new ones: less than a rebuild, which transforms all again.",
        ],
        command=f"python -m benchmarks index --seed {options.seed}{' --large' * options.large}",
    )


def _rebuild(archive: Archive) -> float:
    """CPU milliseconds of a whole new matrix: every text of the archive transformed again."""
    vectorizer, spent, parts = archive.vectorizer(), 0.0, []
    for first in range(0, archive.count, BATCH):
        texts = archive.bodies(range(first, min(first + BATCH, archive.count)))
        start = time.thread_time()
        parts.append(vectorizer.transform(texts))
        spent += time.thread_time() - start
    start = time.thread_time()
    sparse.vstack(parts, format="csr")
    return (spent + time.thread_time() - start) * 1e3


def _joining(archive: Archive, index: ArticleIndex, options: argparse.Namespace) -> Report:
    """Requests of one thread while another lays out the whole archive anew, each beside its own median alone."""
    for first in range(0, 3_000, 100):
        index = index.add(archive.texts(first, 100))
    asked = np.random.default_rng(options.seed).choice(archive.count, QUERIES, replace=False).tolist()
    gc.collect()
    gc.freeze()  # as the server does: looking through every object takes longer than a hundred requests
    alone = [_asked(index, asked) for _ in range(9)]
    usual = np.median(alone, axis=0)  # (queries x 2)
    joined: list[object] = []
    thread = threading.Thread(target=lambda: joined.append(index.join(range(len(index.segments)))))
    wall, start = time.perf_counter(), time.process_time()
    thread.start()
    during = [_asked(index, asked)]
    while thread.is_alive():
        during.append(_asked(index, asked))
    thread.join()
    slower = np.concatenate(during) / np.tile(usual, (len(during), 1))
    slower_alone = np.concatenate(alone) / np.tile(usual, (len(alone), 1))
    facts: dict[str, float | int] = {
        "segments joined": len(index.segments),
        "join, seconds": time.perf_counter() - wall,
        "join and requests, CPU seconds": time.process_time() - start,
        "requests while joining": len(slower),
    }
    for clock, name in enumerate(("CPU", "wall")):
        for when, times in (("alone", slower_alone), ("while joining", slower)):
            for share in (50, 99, 99.9, 100):
                label = f"times its own median, {name}, {when}, {'slowest' if share == 100 else f'{share} %'}"
                facts[label] = float(np.percentile(times[:, clock], share))
    return Report(
        f"index_join_{archive.count}",
        f"The {TOP} nearest of one article among {archive.count:,} while everything is laid out anew.",
        facts,
        [_line("alone", np.concatenate(alone)), _line("while joining", np.concatenate(during))],
        caveats=["On two cores that other work may share; alone, too, a request is sometimes slow by the clock."],
        command=f"python -m benchmarks index --seed {options.seed}{' --large' * options.large}",
    )


def _asked(index: ArticleIndex, asked: list[int]) -> list[tuple[float, float]]:
    """CPU and wall milliseconds of each query."""
    spent = []
    for row in asked:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        index.near_row(row, TOP)
        spent.append(((time.thread_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6))
    return spent


OURS = """
import json, sys, time
from pathlib import Path
from recommender import index_files
start = time.process_time()
index = index_files.load(Path(sys.argv[1])).index
found, _ = index.near_row({row}, 10)
answered = time.process_time() - start
index.epoch.vocabulary.columns_of(["t1"])
print(json.dumps([answered, time.process_time() - start, len(found)]))
"""
THEIRS = """
import json, pickle, sys, time
import scipy.sparse, sklearn.feature_extraction.text
start = time.process_time()
with open(sys.argv[1], "rb") as file:
    words, vectorizer = pickle.load(file)
spent = time.process_time() - start
print(json.dumps([spent, spent, words.shape[0]]))
"""


def _starting(archive: Archive, index: ArticleIndex, options: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        _, save_s, _ = timed(lambda: index_files.save(index, path / "index", Stamp(1, 1, 1)))
        with (path / "theirs.pickle").open("wb") as file:
            pickle.dump((archive.words, archive.vectorizer()), file, protocol=pickle.HIGHEST_PROTOCOL)
        kept = sum(one.stat().st_size for one in (path / "index").rglob("*") if one.is_file())
        results: dict[str, list[list[float]]] = {}
        rows = np.random.default_rng(options.seed).choice(archive.count, 5)
        for row in rows.tolist():
            results.setdefault("ours", []).append(_in_process(OURS.format(row=row), path / "index"))
            results.setdefault("theirs", []).append(_in_process(THEIRS, path / "theirs.pickle"))
        shared = _shared(path / "index")
    ours, theirs = (np.array(results[name]) * 1e3 for name in ("ours", "theirs"))
    lines = [
        _line("Newsbell: map and answer", ours[:, 0].tolist()),
        _line("Newsbell: the vocabulary for new texts too", ours[:, 1].tolist()),
        _line("unpickle the scipy matrix and TfidfVectorizer", theirs[:, 0].tolist()),
    ]
    return Report(
        f"index_start_{archive.count}",
        f"From disk to the first answer, {archive.count:,} articles, each time a new process.",
        {"bytes kept": kept, "bytes a posting": index.postings.nbytes / index.postings.postings,
         "bytes an article, all": index.nbytes / len(index), "save, CPU seconds": save_s, **shared},
        lines,
        command=f"python -m benchmarks index --seed {options.seed}{' --large' * options.large}",
    )  # fmt: skip


def _in_process(code: str, path: Path) -> list[float]:
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    found: list[float] = json.loads(done.stdout)
    return found


SHARING = """
import sys
from pathlib import Path
import numpy as np
from recommender import index_files
index = index_files.load(Path(sys.argv[1])).index
for row in np.random.default_rng(0).choice(len(index), 300).tolist():
    index.near_row(row, 10)
totals = {"Rss": 0, "Pss": 0}
ours = False
for line in Path("/proc/self/smaps").read_text().splitlines():
    if "-" in line.split()[0] and not line[0].isupper():
        ours = sys.argv[1] in line
    elif ours and line.split(":")[0] in totals:
        totals[line.split(":")[0]] += int(line.split()[1]) * 1024
print(totals["Rss"], totals["Pss"], flush=True)
sys.stdin.read()
"""


def _shared(folder: Path) -> dict[str, int]:
    """Bytes of the index that two processes have mapped, and the part each is charged with."""
    if not Path("/proc/self/smaps").exists():
        return {}
    running, lines = [], []
    for _ in range(2):  # the second looks when the first has touched its pages
        one = subprocess.Popen(
            [sys.executable, "-c", SHARING, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert one.stdout
        running.append(one)
        lines.append(one.stdout.readline())
    mapped, charged = map(int, lines[1].split())
    for one in running:
        one.communicate()
    return {"bytes mapped by each of two processes": mapped, "bytes of them charged to each": charged}


def _line(name: str, spent: Sequence[float] | FloatArray) -> dict[str, float | str | int]:
    """A line of the table from CPU milliseconds, or from those and wall milliseconds side by side."""
    both = np.reshape(spent, (len(spent), -1))
    made = Contender(name, lambda _: None, len(both), cpu_ms=[both[:, 0].tolist()], wall_ms=[both[:, -1].tolist()])
    return made.result()
