"""An index kept in a folder goes on as the one that was saved; what is not whole is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.values import ArticleText
from recommender import index_files
from recommender.index import ArticleIndex
from recommender.index_files import IndexUnreadable, Stamp
from recommender.postings import files

STAMP = Stamp(identity=7, rev=99, fitted_on=40)
SUBJECTS = ("tariff trade minister talks", "volcano island ash evacuation", "tennis final champion serve")
Make = Callable[..., ArticleText]


@pytest.fixture(scope="module")
def texts(make_text: Make) -> list[ArticleText]:
    return [
        make_text(
            number,
            f"{SUBJECTS[number % 3]} word{number % 9} other{number % 7}",
            topics=(f"T{number % 4}",),
            category="ab"[number % 2],
            story_id=number % 5,
        )
        for number in range(1, 41)
    ]


def answers(index: ArticleIndex) -> list[object]:
    found: list[object] = [len(index), index.topics["t1"].tolist(), index.categories.all()]
    rows = np.flatnonzero(index.alive)
    found.append(index.story_sources(rows, 10**12).tolist())
    for row in rows[::7]:
        ids, scores = index.nearest(index.vectors(np.array([row])), 10)
        found.append((ids.tolist(), np.round(scores, 5).tolist()))
    return found


def test_a_saved_index_answers_and_grows_as_the_one_that_was_saved(
    texts: list[ArticleText], make_text: Make, tmp_path: Path
) -> None:
    index = ArticleIndex.build(texts[:30]).add(texts[30:]).add([make_text(3, "tennis serve rewritten", topics=("T1",))])
    assert index_files.save(index, tmp_path, STAMP)
    kept = index_files.load(tmp_path)
    assert kept.stamp == STAMP == index_files.stamp(tmp_path)
    assert answers(kept.index) == answers(index)
    more = [make_text(50, "quokka escapes minister", topics=("T1", "new")), make_text(4, "volcano quokka")]
    assert answers(kept.index.add(more)) == answers(index.add(more))
    assert index_files.save(kept.index.add(more).compact(), tmp_path, STAMP)
    assert answers(index_files.load(tmp_path).index) == answers(index.add(more).compact())


def test_nothing_is_left_behind_by_later_saves(texts: list[ArticleText], tmp_path: Path) -> None:
    index = ArticleIndex.build(texts[:20])
    for upto in (20, 30, 40):
        index_files.save(index.add(texts[20:upto]), tmp_path, STAMP)
    kinds = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert kinds == [".lock", "columns", "fit", "latent", "manifest.json", "postings"]


def test_who_mapped_an_index_keeps_it_while_it_is_replaced(texts: list[ArticleText], tmp_path: Path) -> None:
    index_files.save(ArticleIndex.build(texts[:20]), tmp_path, STAMP)
    kept = index_files.load(tmp_path).index
    before = answers(kept)
    index_files.save(ArticleIndex.build(texts), tmp_path, STAMP)
    assert answers(kept) == before


def test_only_one_writes_at_a_time(texts: list[ArticleText], tmp_path: Path) -> None:
    index = ArticleIndex.build(texts)
    with index_files.turn(tmp_path) as is_mine:
        assert is_mine
        assert not index_files.save(index, tmp_path, STAMP)
    assert index_files.save(index, tmp_path, STAMP)


def test_an_index_without_latent_rows_and_one_without_articles_are_kept(make_text: Make, tmp_path: Path) -> None:
    for place, index in enumerate([ArticleIndex.build([make_text(1, "")]), ArticleIndex.build([])]):
        index_files.save(index, tmp_path / str(place), STAMP)
        assert len(index_files.load(tmp_path / str(place)).index) == len(index)


@pytest.mark.parametrize("harm", ["nothing there", "other version", "no json", "lost part", "cut part", "other rows"])
def test_what_is_not_whole_is_refused(texts: list[ArticleText], tmp_path: Path, harm: str) -> None:
    manifest = tmp_path / "manifest.json"
    if harm != "nothing there":
        index_files.save(ArticleIndex.build(texts), tmp_path, STAMP)
    if harm == "other version":
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"version": 0}))
    if harm == "no json":
        manifest.write_text("{")
    if harm == "lost part":
        next(tmp_path.glob("latent-*")).unlink()
    if harm == "cut part":
        part = next(tmp_path.glob("columns-*")) / "id.npy"
        part.write_bytes(part.read_bytes()[:150])
    if harm == "other rows":
        index_files.save(ArticleIndex.build(texts[:9]), tmp_path / "other", STAMP)
        part = json.loads((tmp_path / "other" / "manifest.json").read_text())["parts"]["columns"]
        (tmp_path / "other" / part).rename(tmp_path / part)
        facts = json.loads(manifest.read_text())
        facts["parts"]["columns"] = part
        manifest.write_text(json.dumps(facts))
    with pytest.raises(IndexUnreadable, match="index"):
        index_files.load(tmp_path)


def test_postings_of_another_save_are_refused_though_they_have_as_many_rows(
    texts: list[ArticleText], tmp_path: Path
) -> None:
    index_files.save(ArticleIndex.build(texts), tmp_path, STAMP)
    files.save(ArticleIndex.build(sorted(texts, key=lambda text: text.title)).postings, tmp_path / "postings")
    with pytest.raises(IndexUnreadable, match="different"):
        index_files.load(tmp_path)
