from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.intake.dates import parse_feed_date


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 01 Jan 2004 19:48:21 GMT", "2004-01-01T19:48:21+00:00"),
        ("Thu, 1 Jan 04 19:48:21 -0500", "2004-01-02T00:48:21+00:00"),
        ("01 Jan 2004 19:48 EST", "2004-01-02T00:48:00+00:00"),
        ("Mon, 01 Jul 2024 10:00:00 CEST", "2024-07-01T08:00:00+00:00"),
        ("Mon, 01 Jul 2024 10:00:00 JST", "2024-07-01T01:00:00+00:00"),
        ("Mon, 01 Jul 2024 10:00:00 +0200 (CEST)", "2024-07-01T08:00:00+00:00"),
        ("2003-12-31T10:14:55Z", "2003-12-31T10:14:55+00:00"),
        ("2003-12-31t10:14:55.5z", "2003-12-31T10:14:55.500000+00:00"),
        ("2003-12-31 10:14:55 +0100", "2003-12-31T09:14:55+00:00"),
        ("2003-12-31T10:14+01:00", "2003-12-31T09:14:00+00:00"),
        ("  Thu,\n 01 Jan 2004\t19:48:21 GMT ", "2004-01-01T19:48:21+00:00"),
    ],
)
def test_the_usual_forms_are_read_with_their_zone(text: str, expected: str) -> None:
    dated = parse_feed_date(text)
    assert dated is not None
    assert (dated.at.isoformat(), dated.has_zone) == (expected, True)
    assert dated.at.tzinfo is UTC


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2008-12-23", "2008-12-23T00:00:00+00:00"),
        ("2008-12-23T07:30:00", "2008-12-23T07:30:00+00:00"),
        ("Thu, 01 Jan 2004 19:48:21", "2004-01-01T19:48:21+00:00"),
    ],
)
def test_a_date_without_a_zone_is_read_as_utc_and_says_so(text: str, expected: str) -> None:
    dated = parse_feed_date(text)
    assert dated is not None
    assert (dated.at.isoformat(), dated.has_zone) == (expected, False)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "0000-00-00", "2003-13-45", "9999-12-31T23:59:59-12:00", "1 Foo 2004", "x" * 10_000]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_feed_date(text) is None


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1), timezones=zones)


@given(instants)
def test_every_rfc_822_date_round_trips(at: datetime) -> None:
    dated = parse_feed_date(format_datetime(at))
    assert dated is not None
    assert dated.at == at.replace(microsecond=0)


@given(instants)
def test_every_w3c_date_round_trips(at: datetime) -> None:
    dated = parse_feed_date(at.isoformat())
    assert dated is not None
    assert dated.at == at


@given(st.text(max_size=60))
def test_any_text_is_read_or_none(text: str) -> None:
    dated = parse_feed_date(text)
    assert dated is None or dated.at.tzinfo is UTC
