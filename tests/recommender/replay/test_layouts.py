"""The public layouts as logs: every click in its slate, nothing of the future, broken files told plainly."""

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from data.errors import InvalidInput, NotFound
from recommender.replay import ebnerd, mind
from recommender.replay.cli import micros_of, mount
from recommender.replay.log import HOUR_US

app = typer.Typer()
mount(app)

NEWS = "N1\tsport\ttennis\tA final\t\nN2\tsport\tgolf\tA cup\tLong grass\nN3\tnews\tworld\tA treaty\t\n"
SLATES = (
    "7\tU2\t2019-11-09T10:05:00\tN3 N9\tN1-0 N2-1\n"
    "3\tU1\t2019-11-09T10:00:00\t\tN1-1 N3-0 N8-0\n"
    "9\tU2\t2019-11-09T11:00:00\tN3 N2\tN3-0 N1-1\t4\t2\n"
)


@pytest.fixture
def mind_folder(tmp_path: Path) -> Path:
    (tmp_path / "news.tsv").write_text(NEWS)
    with gzip.open(tmp_path / "slates.tsv.gz", "wt") as file:
        file.write(SLATES)
    return tmp_path


def test_mind_slates_stand_in_time_order_with_their_clicks(mind_folder: Path) -> None:
    log, news = mind.load([mind_folder / "slates.tsv.gz"], mind_folder / "news.tsv")
    assert news.ids == ("N1", "N2", "N3")
    assert [log.readers[one] for one in log.slates.reader] == ["U1", "U2", "U2"]
    assert log.slates.item.tolist() == [0, 2, 0, 1, 2, 0]
    assert log.slates.clicked.tolist() == [1, 0, 0, 1, 0, 1]
    np.testing.assert_allclose(log.mapped, [2 / 3, 1, 0.5])


def test_a_mind_history_is_known_from_the_first_slate_and_tells_nothing_of_popularity(mind_folder: Path) -> None:
    log, _ = mind.load([mind_folder / "slates.tsv.gz"], mind_folder / "news.tsv")
    assert log.reads.item.tolist() == [2, 1]
    assert log.reads.at.tolist() == [log.slates.at[1] - 1, log.slates.at[2] - 1]
    assert not log.reads.counts.any()


def test_a_line_that_is_no_slate_is_named(mind_folder: Path) -> None:
    (mind_folder / "bad.tsv").write_text("1\tU1\tyesterday\t\tN1-1\n")
    with pytest.raises(InvalidInput, match=r"bad\.tsv line 1"):
        mind.load([mind_folder / "bad.tsv"], mind_folder / "news.tsv")
    with pytest.raises(NotFound, match="name the folder"):
        mind.load([mind_folder / "none.tsv"], mind_folder / "news.tsv")


@pytest.fixture
def ebnerd_folder(tmp_path: Path) -> Path:
    at = np.array(["2023-05-18T08:00:00", "2023-05-18T07:00:00"], "datetime64[us]")
    (tmp_path / "train").mkdir()
    (tmp_path / "meta").mkdir()
    behaviours = {
        "impression_time": at, "user_id": np.array([5, 4], np.uint32), "article_id": [None, 90.0],
        "device_type": np.array([2, 1], np.int8), "article_ids_inview": [[120, 110, 90], [110, 100]],
        "article_ids_clicked": [[110], [100]], "next_read_time": [1.0, 2.0],
    }  # fmt: skip
    pq.write_table(pa.table(behaviours), tmp_path / "train" / "behaviors.parquet")
    history = {
        "user_id": np.array([4], np.uint32), "article_id_fixed": [[90, 110]],
        "impression_time_fixed": [[at[1] - np.timedelta64(1, "D"), at[1] + np.timedelta64(1, "m")]],
        "read_time_fixed": [[60.0, 0.0]], "scroll_percentage_fixed": [[100.0, None]],
    }  # fmt: skip
    pq.write_table(pa.table(history), tmp_path / "train" / "history.parquet")
    length = {"article_id": [90, 100, 120], "article_length": [500, 2_500, 9_000]}
    pq.write_table(pa.table(length), tmp_path / "meta" / "article_length.parquet")
    pq.write_table(
        pa.table({"article_id": [90, 100], "premium": [0.0, 1.0]}), tmp_path / "meta" / "premium_articles.parquet"
    )
    return tmp_path


def test_ebnerd_slates_stand_in_time_order_with_their_clicks(ebnerd_folder: Path) -> None:
    log = ebnerd.load(ebnerd_folder, ["train"], ["train"])
    assert log.ids.tolist() == [90, 100, 110, 120]
    assert np.diff(log.slates.at).tolist() == [HOUR_US]
    assert log.slates.item.tolist() == [2, 1, 3, 2, 0]
    assert log.slates.clicked.tolist() == [0, 1, 0, 1, 0]
    assert log.slates.beside.tolist() == [0, -1]


def test_ebnerd_reads_weigh_by_time_and_scroll_and_count_until_slates_begin(ebnerd_folder: Path) -> None:
    log = ebnerd.load(ebnerd_folder, ["train"], ["train"])
    np.testing.assert_allclose(log.reads.worth, [1.0, 0.2])
    assert log.reads.counts.tolist() == [1, 0]


def test_ebnerd_facts_and_groups_are_of_their_articles(ebnerd_folder: Path) -> None:
    log = ebnerd.load(ebnerd_folder, ["train"], ["train"])
    assert log.articles.groups.tolist() == [[0, 1, -1, -1], [2, 4, -1, 6]]


def test_a_missing_part_is_named(ebnerd_folder: Path) -> None:
    with pytest.raises(NotFound, match="validation"):
        ebnerd.load(ebnerd_folder)


def test_a_file_of_another_layout_is_refused(ebnerd_folder: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), ebnerd_folder / "train" / "behaviors.parquet")
    with pytest.raises(InvalidInput, match=r"behaviors\.parquet"):
        ebnerd.load(ebnerd_folder, ["train"], ["train"])


@pytest.mark.parametrize(("text", "wanted"), [("0", 0), ("30s", 30), ("5m", 300), ("1h", 3_600), ("1d", 86_400)])
def test_delays_are_written_as_people_write_them(text: str, wanted: int) -> None:
    assert micros_of(text) == wanted * 1_000_000


@pytest.mark.parametrize("text", ["", "m", "-5m", "5 minutes", "1.5h"])
def test_what_is_no_delay_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no delay"):
        micros_of(text)


def write_part(folder: Path, name: str, first: str, rng: np.random.Generator) -> None:
    """Sixty slates of six new articles each, the odd ones opened; every reader read some before."""
    at = np.datetime64(first, "us") + np.sort(rng.integers(0, 8 * 3600, 60)).astype("timedelta64[s]")
    base = 1000 + int((at[0] - np.datetime64("2023-05-01", "us")) / np.timedelta64(1, "h")) * 5
    shown = [base + int(row) // 10 * 2 + np.arange(6) for row in range(60)]
    readers = rng.integers(1, 9, 60).astype(np.uint32)
    behaviours = {
        "impression_time": at, "user_id": readers, "article_id": [None] * 59 + [float(base)],
        "device_type": np.ones(60, np.int8), "article_ids_inview": [one.astype(np.int32) for one in shown],
        "article_ids_clicked": [one[1:2].astype(np.int32) for one in shown],
    }  # fmt: skip
    read = [base - 40 + np.sort(rng.integers(0, 40, 5)) for _ in range(8)]
    earlier = [at[0] - np.arange(5, 0, -1) * np.timedelta64(2, "h") for _ in read]
    history = {
        "user_id": np.arange(1, 9, dtype=np.uint32), "article_id_fixed": read, "impression_time_fixed": earlier,
        "read_time_fixed": [[30.0] * 5] * 8, "scroll_percentage_fixed": [[50.0] * 5] * 8,
    }  # fmt: skip
    (folder / name).mkdir(exist_ok=True)
    pq.write_table(pa.table(behaviours), folder / name / "behaviors.parquet")
    pq.write_table(pa.table(history), folder / name / "history.parquet")


def test_the_command_judges_an_ebnerd_folder(ebnerd_folder: Path) -> None:
    rng = np.random.default_rng(0)
    write_part(ebnerd_folder, "train", "2023-05-18T06:00:00", rng)
    write_part(ebnerd_folder, "validation", "2023-05-19T06:00:00", rng)
    answer = CliRunner().invoke(app, ["--layout", "ebnerd", str(ebnerd_folder), "--delay", "0,1d", "--json"])
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)
    assert [(row["delay"], row["by"]) for row in rows] == [
        ("0", "reads, 12 h"), ("0", "20 weights"), ("1d", "reads, 12 h"), ("1d", "20 weights"),
    ]  # fmt: skip
    assert all(0 <= row["AUC"][0] <= 1 for row in rows)
