"""Log lines: one JSON object each when asked, and no line that says who read what."""

import json
import logging
from collections.abc import Iterator

import pytest

from data.logs import configure
from data.settings import load_settings


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, put back afterwards."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    before = (list(root.handlers), root.level, access.disabled)
    yield root
    root.handlers[:], access.disabled = before[0], before[2]
    root.setLevel(before[1])


def test_a_json_line_carries_message_and_extras(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure(load_settings(log_format="json"))
    logging.getLogger("newsbell.test").warning("planned %s", 3, extra={"campaign": "morning"})
    line = json.loads(capsys.readouterr().err)
    assert (line["message"], line["campaign"], line["level"]) == ("planned 3", "morning", "WARNING")


def test_configuring_twice_does_not_double_the_lines(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        configure(load_settings(log_format="text"))
    logging.getLogger("newsbell.test").warning("once")
    assert capsys.readouterr().err.count("once") == 1


def test_access_lines_are_off(root: logging.Logger) -> None:
    configure(load_settings())
    assert logging.getLogger("uvicorn.access").disabled


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_servers_coloured_twin_of_a_message_is_left_out(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure(load_settings(log_format=form))
    logging.getLogger("newsbell.test").warning("Started", extra={"color_message": "\x1b[36mStarted\x1b[0m"})
    assert capsys.readouterr().err.count("Started") == 1
