"""`newsbell evaluate`: layouts it reads, rows it prints, and the bars on real news."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data.errors import NewsbellError, NotFound
from recommender.evaluate import related, stories
from recommender.evaluate.bcubed import bcubed
from recommender.evaluate.cli import mount
from recommender.evaluate.sets import LabelledTexts, background, judged_pairs, labelled_texts, scored_pairs
from recommender.vectors import Document, Epoch

EVENTS = ("train crash near Odense kills two", "Japan tariff talks on cars", "storm floods harbour", "cup final goal")
app = typer.Typer()
mount(app)


def write(path: Path, text: str) -> None:
    """Write a file, compressed when its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")


def clusters() -> str:
    rows = [{"text": f"{event} report {n}", "cluster": story} for n in range(4) for story, event in enumerate(EVENTS)]
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("place", ["stories/kept.jsonl.gz", "kept.jsonl", "stories/kept.jsonl"])
def test_texts_with_clusters_are_found_in_the_folder_or_its_room(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, "not json\n[]\n" + clusters())
    (found,) = labelled_texts(tmp_path)
    assert found.name == "kept"
    assert len(found.documents) == 16
    assert found.odd.sum() == 8


def test_aggregated_headlines_come_in_time_order_and_broken_rows_are_left_out(tmp_path: Path) -> None:
    rows = 'ID,TITLE,STORY,TIMESTAMP\n1,"second, later",b,200\n2,first,a,100\n3,cut off\n'
    write(tmp_path / "stories" / "news.csv.gz", rows)
    (found,) = labelled_texts(tmp_path)
    assert [one.title for one in found.documents] == ["first", "second, later"]
    assert found.odd.tolist() == [False, True]


def test_pairs_with_scores_and_judgements_are_read(tmp_path: Path) -> None:
    write(tmp_path / "related" / "pairs.tsv", "year\tscore\ta\tb\n2013\t2.5\tone text\tanother text\nbroken\n")
    judged = [
        {"query": "prvni-clanek", "doc": "druhy-clanek", "rel": [1, 0, 1]},
        {"query": "prvni-clanek", "doc": "prvni-clanek", "rel": [1]},
        {"query": "prvni-clanek", "doc": "treti", "rel": []},
    ]
    write(tmp_path / "related" / "judged.json.gz", json.dumps(judged))
    (pairs,) = scored_pairs(tmp_path)
    assert pairs.human.tolist() == [2.5]
    (judgements,) = judged_pairs(tmp_path)
    ((query, candidates),) = judgements.queries.items()
    assert query.title == "prvni clanek"
    assert [(one.title, share) for one, share in candidates] == [("druhy clanek", pytest.approx(2 / 3))]


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl.gz", clusters())
    (tmp_path / "a.jsonl.gz").write_bytes((tmp_path / "a.jsonl.gz").read_bytes()[:-20])
    with pytest.raises(NewsbellError, match=r"a\.jsonl\.gz"):
        labelled_texts(tmp_path)


def test_a_folder_without_sets_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no labelled set"):
        list(related.measure_related(tmp_path))
    with pytest.raises(NotFound, match="not a folder"):
        list(stories.measure_stories(tmp_path / "absent"))


def test_background_news_is_read_beside_the_sets(tmp_path: Path) -> None:
    write(tmp_path / "corpora" / "multisource_2019.jsonl.gz", '{"title": "A", "summary": "B"}\n{"url": "x"}\n')
    expected = [Document("A", "B", language="en")]
    assert background(tmp_path) == expected
    assert background(tmp_path / "stories") == expected
    assert background(tmp_path / "corpora" / "deeper") == []


@pytest.mark.parametrize("layout", ["stories", "related"])
def test_the_command_prints_rows_as_json_and_as_a_table(tmp_path: Path, layout: str) -> None:
    write(tmp_path / "stories" / "kept.jsonl.gz", clusters())
    answer = CliRunner().invoke(app, ["--format", layout, "--json", str(tmp_path)])
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)
    assert {row["set"] for row in rows} == {"kept"}
    figures = [row["f1"] if layout == "stories" else row["ours"] for row in rows]
    assert max(figures) == 1
    quick = CliRunner().invoke(app, ["--format", layout, "--quick", str(tmp_path)])
    assert quick.exit_code == 0
    assert "kept" in quick.stdout


def test_equal_scores_are_ranked_in_no_telling_order() -> None:
    labels = np.repeat(np.arange(20), 10)
    found = related._retrieval(lambda queries: np.zeros((len(queries), 200), dtype=np.float32), labels)
    assert np.nanmean(found[:, 1]) < 0.2  # in file order it would be near 1 for texts sorted by story


class TestRealNews:
    """The bars, on slices that take seconds; `newsbell evaluate` measures the whole sets."""

    def test_headlines_are_as_alike_as_people_find_them(self, shared_data: Path) -> None:
        (pairs,) = scored_pairs(shared_data)
        rows = related.measure_scores(pairs, self.stream(shared_data))
        figures = {row.part: row for row in rows if row.measure == "Pearson"}
        assert figures["2013"].ours >= 0.77
        assert figures["2014"].ours >= 0.73
        assert all(row.ours > row.plain for row in rows)

    def test_czech_related_articles_come_first(self, shared_data: Path) -> None:
        (judgements,) = judged_pairs(shared_data)
        figures = {row.measure: row.ours for row in related.measure_judgements(judgements, [])}
        assert figures["MAP"] >= 0.67
        assert figures["nDCG@10"] >= 0.73

    def test_headlines_of_one_event_find_each_other(self, shared_data: Path) -> None:
        texts = self.odd(shared_data, "uci_news_aggregator", stories=25)
        rows = related.measure_retrieval(texts, self.stream(shared_data))
        figures = {row.measure: row for row in rows if row.part == "all"}
        assert figures["P@1"].ours >= max(0.90, figures["P@1"].plain + 0.02)
        assert figures["MAP"].ours >= max(0.74, figures["MAP"].plain + 0.1)

    @pytest.mark.parametrize(("name", "bar"), [("uci_news_aggregator", 0.87), ("googlenews_ts", 0.93)])
    def test_one_pass_finds_the_stories(self, shared_data: Path, name: str, bar: float) -> None:
        texts = self.odd(shared_data, name, stories=30)
        vectors = Epoch.fit(texts.documents, background=self.stream(shared_data)).encode(texts.documents)
        assert bcubed(stories.one_pass(vectors), texts.labels).f1 >= bar

    @staticmethod
    def stream(folder: Path) -> list[Document]:
        """A part of the background news: enough for word weights."""
        return background(folder)[::4]

    @staticmethod
    def odd(folder: Path, name: str, stories: int = 1000) -> LabelledTexts:
        """The texts of the first so many stories with odd labels."""
        texts = next(one for one in labelled_texts(folder) if one.name == name)
        kept = np.isin(texts.labels, np.unique(texts.labels[texts.odd])[:stories])
        documents = [texts.documents[place] for place in np.flatnonzero(kept)]
        return LabelledTexts(name, documents, texts.labels[kept], texts.odd[kept])
