"""Searching postings gives what looking at every row gives."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender import compiled
from recommender.postings import Found, Postings, Segment, files, kernels, kinds, merge, order


@pytest.fixture(autouse=True, scope="module", params=[kinds.ORDERED_FROM, 1], ids=["as they came", "by topic"])
def _order(request) -> Iterator[None]:
    """Every promise holds for small segments, whose rows stand as they came, and for ordered ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "ORDERED_FROM", request.param)
        yield


def random_rows(seed: int, n: int, terms: int, mean: float, *, levels: int = 0) -> sparse.csr_matrix:
    """Rows of length 1 over Zipf terms; with `levels`, weights take few values, so scores tie."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(rng.poisson(mean, n), terms)
    popularity = 1.0 / np.arange(1, terms + 1)
    popularity /= popularity.sum()
    rows = [rng.choice(terms, size, replace=False, p=popularity) for size in sizes]
    values = [rng.integers(1, levels + 1, size) if levels else rng.gamma(2.0, size=size) for size in sizes]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    matrix = sparse.csr_matrix(
        (np.concatenate([*values, []]), np.concatenate([*rows, []]).astype(np.int32), indptr), shape=(n, terms)
    )
    return unit(matrix)


def unit(matrix: sparse.csr_matrix) -> sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    scale = sparse.diags(1 / np.where(lengths > 0, lengths, 1))
    return sparse.csr_matrix(scale @ matrix, dtype=np.float32)


def by_looking_at_all(matrix, query, k, *, out=(), allowed=None, minimum=0.0, step=0.0, ties=None, numbers=None):
    """What `search` promises, the slow way; `query` is one dense vector."""
    n = matrix.shape[0]
    exact = matrix.astype(np.float64) @ query.astype(np.float64)
    score = exact.astype(np.float32)
    key = np.rint(score.astype(np.float64) / step) * step if step else score.astype(np.float64)
    good = (score > 0) & (key >= minimum)
    good[list(out)] = False
    if allowed is not None:
        good &= allowed
    rows = np.flatnonzero(good)
    ties = np.arange(n) if ties is None else ties
    numbers = np.arange(n) if numbers is None else numbers
    order = np.lexsort((numbers[rows], -ties[rows], -key[rows]))[:k]
    return rows[order], score[rows[order]]


def agree(found: Found, expected) -> None:
    rows, scores = expected
    np.testing.assert_allclose(found.scores, scores, rtol=2e-7, atol=0)
    same = found.rows == rows
    # Sums in another order may differ in the last bit: then neighbours of equal score may change places.
    for place in np.flatnonzero(~same):
        near = np.abs(scores - scores[place]) <= 2e-7 * scores[place]
        assert near.sum() > 1 or place == len(rows) - 1


def dense(matrix, row):
    return matrix[row].toarray().ravel()


CORPORA = {
    "ordinary": lambda: random_rows(1, 700, 900, 40),
    "many ties": lambda: random_rows(2, 700, 60, 8, levels=1),
    "few weights": lambda: random_rows(3, 500, 40, 6, levels=2),
    "all rows equal": lambda: sparse.vstack([random_rows(4, 1, 50, 20)] * 300, format="csr"),
    "one term": lambda: sparse.csr_matrix(np.ones((200, 1), np.float32)),
    "own term each": lambda: sparse.identity(150, np.float32, format="csr"),
    "with empty rows": lambda: random_rows(5, 400, 100, 1),
    "duplicates": lambda: sparse.vstack([random_rows(6, 60, 200, 30)] * 5, format="csr"),
    "far terms": lambda: sparse.hstack(
        [sparse.csr_matrix((90, 200_000), dtype=np.float32), random_rows(7, 90, 300, 9)]
    ).tocsr(),
}


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_nearest_is_what_looking_at_every_row_gives(name: str, k: int) -> None:
    matrix = CORPORA[name]()
    postings = Postings.build(matrix)
    for row in range(0, matrix.shape[0], 17):
        agree(postings.nearest(row, k), by_looking_at_all(matrix, dense(matrix, row), k, out=[row]))


def test_ranges_of_rows_are_searched_together() -> None:
    matrix = random_rows(8, 140_000, 3_000, 6)
    postings = Postings.build(matrix)
    for row in [0, 65_535, 65_536, 100_000, 139_999]:
        agree(postings.nearest(row, 10), by_looking_at_all(matrix, dense(matrix, row), 10, out=[row]))


def test_equal_scores_come_by_tie_break_then_number() -> None:
    matrix = sparse.csr_matrix(np.ones((6, 1), np.float32))
    ties = np.array([5, 9, 5, 9, 1, 5])
    numbers = np.array([3, 8, 1, 7, 0, 2])
    found = Postings.build(matrix).nearest(4, 4, ties=ties, numbers=numbers)
    assert found.rows.tolist() == [3, 1, 2, 5]
    assert Postings.build(matrix).nearest(4, 2).rows.tolist() == [5, 3]


def test_scores_within_a_step_are_equal() -> None:
    matrix = sparse.csr_matrix(np.array([[0.5000001], [0.5], [0.4]], np.float32))
    postings = Postings.build(matrix)
    query = (np.array([0]), np.array([1.0]))
    assert postings.search(*query, 2).rows.tolist() == [0, 1]
    assert postings.search(*query, 2, step=1e-3).rows.tolist() == [1, 0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(0, 30),
    minimum=st.sampled_from([0.0, 0.1, 0.5]),
    step=st.sampled_from([0.0, 1e-6, 0.01]),
    masked=st.booleans(),
    parts=st.integers(1, 4),
)
def test_any_vector_any_mask_any_segments(seed, k, minimum, step, masked, parts) -> None:
    rng = np.random.default_rng(seed)
    matrix = random_rows(seed, 240, 150, 12, levels=int(rng.integers(0, 4)))
    postings = Postings()
    for part in np.array_split(np.arange(240), parts):
        postings = postings.add(matrix[part])
    allowed = rng.random(240) < rng.choice([0.02, 0.5]) if masked else None
    out = rng.choice(240, 5).tolist()
    query = np.where(rng.random(150) < 0.2, rng.normal(0.3, 0.5, 150), 0).astype(np.float32)
    columns = np.flatnonzero(query)
    found = postings.search(
        np.append(columns, [150, 10_000]), np.append(query[columns], [1, 1]), k,
        allowed=allowed, excluded=out, minimum=minimum, step=step,
    )  # fmt: skip
    agree(found, by_looking_at_all(matrix, query, k, out=out, allowed=allowed, minimum=minimum, step=step))


def test_a_query_of_very_many_terms() -> None:
    matrix = random_rows(9, 60, 40_000, 3_000)
    query = np.random.default_rng(1).random(40_000).astype(np.float32)
    found = Postings.build(matrix).search(np.arange(40_000), query, 5)
    agree(found, by_looking_at_all(matrix, query, 5))


def test_removed_rows_are_in_no_answer_and_merging_changes_none() -> None:
    matrix = random_rows(10, 500, 200, 20)
    split = Postings.build(matrix[:200]).add(matrix[200:450]).add(matrix[450:])
    gone = np.arange(0, 500, 3)
    small = split.remove(gone)
    living = np.setdiff1d(np.arange(500), gone)
    allowed = np.isin(np.arange(500), living)
    for row in living[::29].tolist():
        expected = by_looking_at_all(matrix, dense(matrix, row), 10, out=[row], allowed=allowed)
        for one in (small, small.merged(), small.merged(1, 3), small.merged(0, 2)):
            agree(one.nearest(row, 10), expected)
        compacted = small.compact().nearest(int(np.searchsorted(living, row)), 10)
        agree(Found(living[compacted.rows], compacted.scores), expected)
    assert len(split.nearest(0, 500).rows) > len(small.nearest(1, 500).rows)


def test_scores_that_round_to_the_minimum_are_found() -> None:
    for seed in range(200):
        matrix = random_rows(seed, 240, 60, 8)
        row = seed % 240
        expected = by_looking_at_all(matrix, dense(matrix, row), 30, out=[row], minimum=0.5, step=0.01)
        agree(Postings.build(matrix).nearest(row, 30, minimum=0.5, step=0.01), expected)


@pytest.mark.parametrize("share", [0.03, 0.5, 0.98])
def test_few_or_nearly_all_rows_may_be_found(share: float) -> None:
    matrix = random_rows(31, 3_000, 400, 20)
    allowed = np.random.default_rng(1).random(3_000) < share
    postings = Postings.build(matrix)
    for row in range(0, 3_000, 211):
        expected = by_looking_at_all(matrix, dense(matrix, row), 12, out=[row], allowed=allowed)
        agree(postings.nearest(row, 12, allowed=allowed), expected)


def test_rows_of_a_topic_stand_together() -> None:
    # Four topics of words of their own, in turns; the words that all share are no topic.
    rng = np.random.default_rng(5)
    rows = np.zeros((2_000, 460))
    topics = np.arange(2_000) % 4
    for topic in range(4):
        own = topics == topic
        rows[own, topic * 100 : topic * 100 + 100] = rng.random((own.sum(), 100)) < 0.1
    rows[:, 400:] = rng.random((2_000, 60)) < 0.5
    segment = Segment.build(unit(sparse.csr_matrix(rows, dtype=np.float32)))
    if len(segment.order):
        changes = np.count_nonzero(np.diff(topics[segment.order]))
        assert changes < 40  # of 1,999 where they stand as they came
        assert (segment.order[segment.places] == np.arange(2_000)).all()
        again = Segment.build(unit(sparse.csr_matrix(rows, dtype=np.float32)))
        assert (again.order == segment.order).all()


def test_rows_come_back_as_they_went_in() -> None:
    for make in CORPORA.values():
        matrix = make()
        matrix.sort_indices()
        back = Segment.build(matrix).matrix()
        back.resize(matrix.shape)
        assert (back != matrix).nnz == 0
        twice = merge([Segment.build(matrix[:50]), Segment.build(matrix[50:])]).matrix()
        twice.resize(matrix.shape)
        assert (twice != matrix).nnz == 0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    terms=st.sampled_from([3, 80, 400, 3_000]),
    mean=st.sampled_from([1.0, 20.0, 90.0]),
    levels=st.sampled_from([0, 1, 2]),
    k=st.sampled_from([1, 10, 300]),
    minimum=st.sampled_from([0.0, 0.08, 0.3]),
)
def test_frequent_terms_left_unread_change_no_answer(seed, terms, mean, levels, k, minimum) -> None:
    # Enough rows that terms have lists by ranges, levels and fronts; rows with one term or none among them.
    matrix = random_rows(seed, 900, terms, mean, levels=levels)
    matrix = sparse.vstack([matrix, matrix[:40], sparse.csr_matrix((3, terms), dtype=np.float32)], format="csr")
    whole = Postings.build(matrix)
    split = Postings.build(matrix[:850]).add(matrix[850:900]).add(matrix[900:])
    for row in (0, 39, 500, 899, 930, 942):
        expected = by_looking_at_all(matrix, dense(matrix, row), k, out=[row], minimum=minimum)
        for one in (whole, split, split.merged(1, 3)):
            agree(one.nearest(row, k, minimum=minimum), expected)


def test_wide_gaps_between_frequent_terms_are_crossed() -> None:
    # Frequent terms of some rows lie more than one byte apart, other terms more than two.
    rng = np.random.default_rng(20)
    full = rng.random((400, 700)) * (rng.random((400, 700)) < np.linspace(0.9, 0.3, 700))
    full[:40, 5:650] = 0
    far = sparse.random(400, 70_000, 0.0002, format="csr", dtype=np.float32, rng=rng)
    matrix = unit(sparse.hstack([sparse.csr_matrix(full, dtype=np.float32), far], format="csr"))
    postings = Postings.build(matrix)
    assert (postings.segments[0].fronts & 255).max() == kinds.SHORT
    for row in range(0, 400, 13):
        agree(postings.nearest(row, 10), by_looking_at_all(matrix, dense(matrix, row), 10, out=[row]))


def test_small_segments_hold_no_table_of_all_columns() -> None:
    row = sparse.csr_matrix(([0.6, 0.8], ([0, 0], [7, 900_000])), shape=(1, 1_000_000), dtype=np.float32)
    segment = Segment.build(row)
    assert segment.nbytes < 1_000
    assert (segment.number(np.array([900_000, 8, -1, 7])) >= 0).tolist() == [True, False, False, True]
    found = Postings.build(row).search(np.array([900_000, 5]), np.array([0.5, 1.0]), 3)
    assert (found.rows.tolist(), found.scores.tolist()) == ([0], [np.float32(0.4)])


def test_scores_of_some_rows() -> None:
    matrix = random_rows(11, 300, 100, 15)
    postings = Postings.build(matrix[:100]).add(matrix[100:])
    rows = np.array([250, 3, 100, 99])
    query = np.random.default_rng(0).random(100).astype(np.float32)
    found = postings.scores(np.arange(100), query, rows)
    np.testing.assert_allclose(found, matrix[rows] @ query, rtol=1e-6)


def test_nothing_to_find() -> None:
    empty = Postings()
    assert len(empty) == 0
    assert len(empty.search(np.array([1]), np.array([1.0]), 5).rows) == 0
    blank = Postings.build(sparse.csr_matrix((3, 4), dtype=np.float32))
    assert len(blank.nearest(0, 5).rows) == 0
    assert len(blank.search(np.array([], np.int32), np.array([], np.float32), 5).rows) == 0


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Postings.build(sparse.csr_matrix(np.array([[-1.0]], np.float32)))
    with pytest.raises(ValueError, match="finite"):
        Postings().search(np.array([0]), np.array([np.nan]), 1)
    with pytest.raises(IndexError):
        Postings().nearest(0, 1)


def test_both_directions_take_at_most_eleven_bytes_a_posting() -> None:
    postings = Postings.build(random_rows(12, 6_000, 20_000, 120))
    assert postings.nbytes <= 11 * postings.postings


def test_saved_postings_come_back_mapped_and_unchanged(tmp_path) -> None:
    matrix = random_rows(13, 4_000, 3_000, 50)
    first = Postings.build(matrix[:3_900])
    whole = first.add(matrix[3_900:]).remove([5, 3_950])
    files.save(first, tmp_path / "index")
    files.save(whole, tmp_path / "index")
    back = files.load(tmp_path / "index")
    assert (len(back), len(back.segments), back.nbytes) == (4_000, 2, whole.nbytes)
    for row in (0, 3_899, 3_999):
        found, known = back.nearest(row, 10), whole.nearest(row, 10)
        assert found.rows.tolist() == known.rows.tolist()
        assert found.scores.tolist() == known.scores.tolist()
    files.save(back.merged(), tmp_path / "index")
    assert len([path for path in (tmp_path / "index").iterdir() if path.is_dir()]) == 1
    assert back.nearest(7, 3).rows.tolist() == whole.nearest(7, 3).rows.tolist()  # its files are unlinked, still mapped


def test_a_torn_folder_is_refused_with_advice(tmp_path) -> None:
    with pytest.raises(files.PostingsUnreadable, match="build them again"):
        files.load(tmp_path)
    files.save(Postings.build(random_rows(14, 50, 30, 5)), tmp_path)
    next(tmp_path.glob("segment-*/weights.npy")).unlink()
    with pytest.raises(files.PostingsUnreadable, match="build them again"):
        files.load(tmp_path)


def test_threads_search_while_others_add() -> None:
    matrix = random_rows(15, 600, 200, 20)
    current = [Postings.build(matrix[:300])]
    expected = {row: Postings.build(matrix[:300]).nearest(row, 5).rows.tolist() for row in range(0, 300, 30)}

    def ask(postings: Postings) -> bool:
        return all(postings.nearest(row, 5).rows.tolist() == rows for row, rows in expected.items())

    with ThreadPoolExecutor(4) as pool:
        first = current[0]
        asked = [pool.submit(ask, first) for _ in range(40)]
        for start in range(300, 600, 30):
            current[0] = current[0].add(matrix[start : start + 30])
        assert all(one.result() for one in asked)
    whole = Postings.build(matrix)
    assert current[0].nearest(599, 9).rows.tolist() == whole.nearest(599, 9).rows.tolist()


def test_a_snapshot_is_searched_while_others_are_swapped_in_merged_and_removed() -> None:
    matrix = random_rows(16, 500, 150, 25)
    current = [Postings.build(matrix[:300])]
    failed: list[int] = []
    done = Event()

    def ask() -> None:
        row = 0
        while not done.is_set():
            row = (row + 37) % 300
            snapshot = current[0]
            allowed = np.ones(len(snapshot), np.bool_) if snapshot.alive is None else snapshot.alive
            some = matrix[: len(snapshot)]
            found = snapshot.nearest(row, 5)
            try:
                agree(found, by_looking_at_all(some, dense(some, row), 5, out=[row], allowed=allowed))
            except AssertionError:
                failed.append(row)

    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask) for _ in range(3)]
        for start in range(300, 500, 20):
            current[0] = current[0].add(matrix[start : start + 20])
            current[0] = current[0].remove([start - 300])
            if start % 60 == 0:
                current[0] = current[0].merged(1)
        current[0] = current[0].merged()
        done.set()
        for one in asking:
            one.result()
    assert not failed


def test_machine_code_is_kept_for_these_sources() -> None:
    # A private corner of numba is used for that (see compiled.py): here it shows if a release of it changes.
    assert kernels.search._cache._cache_file._source_stamp == compiled.STAMP


def test_machine_code_is_made_anew_when_a_constant_of_another_file_changes(tmp_path: Path) -> None:
    room = tmp_path / "recommender"
    shutil.copytree(Path(compiled.__file__).parent, room, ignore=shutil.ignore_patterns("web", "__pycache__", "*.nb*"))
    command = [sys.executable, "-c", "from recommender.compiled import STAMP; print(STAMP)"]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    stamps = []
    for value in ("0.2", "0.2", "0.3"):
        text = (room / "signals.py").read_text().replace("HALF_CLOSE = 0.2", f"HALF_CLOSE = {value}")
        (room / "signals.py").write_text(text)
        os.utime(room / "signals.py", (1, 1))
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        stamps.append(done.stdout)
    assert stamps[0] == stamps[1] != stamps[2]
