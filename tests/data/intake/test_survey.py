from pathlib import Path

import pytest

from data.intake.survey import main, survey


def test_no_real_feed_and_no_malformed_one_crashes_the_reader(shared_data: Path) -> None:
    folder = shared_data / "feeds"
    if not folder.is_dir():
        pytest.skip("needs the feed suites of ../shared/data/feeds, which are not here")
    suites = survey(folder)
    assert sum(suite.files for suite in suites.values()) > 0
    assert {name: suite.crashes for name, suite in suites.items()} == dict.fromkeys(suites, 0)
    # Whole feeds of the world, not fragments made to test one element: nearly every item comes in.
    real = suites.get("RSParser")
    if real is not None:
        assert real.articles / (real.articles + real.rejected.total()) > 0.97


def test_the_command_prints_a_line_per_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "a.xml").write_text("<rss><channel><item><title>T</title></item></channel></rss>")
    (tmp_path / "page.html").write_text("<html>")
    assert main([str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "suite" in out
    assert "no feeds, .: 1 x is not a feed: an HTML page" in out
    assert main([]) == 2
