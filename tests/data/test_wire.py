"""What other programs hand us: every wrong field is named, what validates is safe to store."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data.wire import ArticleIn, DeviceIn, EventIn, ReaderIn, SourceIn, reasons

ARTICLE: dict[str, Any] = {
    "id": "a1",
    "url": "https://news.example/a1",
    "title": "Talks resume",
    "published_at": "2026-03-01T08:00:00+01:00",
}
EVENT: dict[str, Any] = {"id": "e", "reader": "r", "article": "a", "kind": "read", "at": "2026-03-01T08:00:00Z"}


def why(shape: Any, value: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as caught:
        shape.model_validate(value)
    return reasons(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("published_at", "2026-03-01T08:00:00", "published_at: .*offset"),
        ("published_at", "soon", "published_at: .*RFC 3339"),
        ("published_at", 1772352000, "published_at: .*RFC 3339"),
        ("published_at", "0001-01-01T00:00:00Z", "1800"),
        ("title", "x" * 100_000, "title: .*1000 characters"),
        ("title", " \n\t ", "title: "),
        ("title", None, "title: "),
        ("id", "", "id: "),
        ("id", "x" * 201, "id: .*200"),
        ("url", "javascript:alert(1)", "url: "),
        ("url", "not a url", "url: "),
        ("url", "https://h.example/a\x00b", "url: .*control characters"),
        ("source", {"id": "s", "name": "S", "icon_url": "/\x00"}, "source.icon_url: "),
        ("source", {"id": "s", "name": "S", "icon_url": "//evil.example/x"}, "source.icon_url: "),
        ("image_url", "data:text/html,x", "image_url: "),
        ("news_value", 6, "news_value: "),
        ("lifetime", "eternal", "lifetime: "),
        ("body", "x" * 1_000_001, "body: "),
        ("language", "<b>", "language: "),
        ("titel", "misspelt", "titel: "),
    ],
)
def test_a_wrong_article_field_is_named(field: str, value: object, said: str) -> None:
    assert re.search(said, why(ArticleIn, ARTICLE | {field: value}))


@pytest.mark.parametrize(
    ("field", "value"),
    [("dwell_s", -1), ("dwell_s", float("nan")), ("kind", "stare"), ("at", "2026-03-01T08:00:00"), ("position", -1)],
)
def test_a_wrong_event_field_is_named(field: str, value: object) -> None:
    assert why(EventIn, EVENT | {field: value}).startswith(f"{field}: ")


def test_times_come_out_in_utc() -> None:
    assert ArticleIn.model_validate(ARTICLE).published_at == datetime(2026, 3, 1, 7, tzinfo=UTC)


def test_control_characters_and_lone_surrogates_are_dropped() -> None:
    held = ArticleIn.model_validate(ARTICLE | {"title": "a\x00b\ud800c\nd", "body": "x\x00y\nz"})
    assert (held.title, held.body) == ("abc d", "xy\nz")


def test_a_source_may_be_only_a_name() -> None:
    assert SourceIn.model_validate("The Herald") == SourceIn(id="The Herald", name="The Herald")
    assert SourceIn.model_validate({"name": "The Herald"}).id == "The Herald"


def test_an_unknown_zone_is_refused() -> None:
    assert "zone: " in why(ReaderIn, {"id": "r", "zone": "Mars/Base"})


def test_a_device_needs_a_known_platform() -> None:
    assert "platform: " in why(DeviceIn, {"fid": "f", "platform": "pager"})


@given(st.dictionaries(st.sampled_from(sorted(ArticleIn.model_fields)), st.one_of(st.text(), st.integers(), st.none())))
def test_whatever_validates_encodes_as_utf8_without_nul(fields: dict[str, Any]) -> None:
    try:
        held = ArticleIn.model_validate(ARTICLE | fields)
    except ValidationError:
        return
    text = held.model_dump_json()
    assert "\\u0000" not in text
    text.encode()
