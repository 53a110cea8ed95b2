import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.intake.canonical import canonical_url

PAGE = "https://news.example/story/1"


@pytest.mark.parametrize(
    "same",
    [
        "http://news.example/story/1",
        "https://NEWS.example:443/story/1",
        "http://news.example:80/story/1/",
        "https://news.example./story/1",
        "https://reader:secret@news.example/story/1",
        "https://news.example/story/1#comments",
        "https://news.example/story/1#xtor=RSS-3208",
        "https://news.example/x/../story/1",
        "https://news.example/story/1/index.html",
        "https://news.example/story/1/amp/",
        "https://news.example/story/1?amp=1",
        "https://news.example/story/1?outputType=amp",
        "https://news.example/story/1;jsessionid=0A1B",
        "https://news.example/story/1?utm_source=rss&utm_medium=feed&fbclid=x&gclid=y&at_medium=RSS",
        " https://news.example/\nstory/1 ",
        "https://news.example/st%6Fry/1",
    ],
)
def test_one_page_has_one_address(same: str) -> None:
    assert canonical_url(same) == PAGE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/s?id=1", "https://a.example/s?id=2"),
        ("https://a.example/s", "https://a.example:8443/s"),
        ("https://a.example/s", "https://b.example/s"),
        ("https://a.example/S", "https://a.example/s"),
        ("https://a.example/amp", "https://a.example/"),
        ("https://a.example/a%2Fb", "https://a.example/a/b"),
        ("https://a.example/2017/06/26.html#a080605", "https://a.example/2017/06/26.html#a030658"),
        ("https://a.example/#!/story/1", "https://a.example/#!/story/2"),
    ],
)
def test_different_pages_stay_apart(one: str, other: str) -> None:
    assert canonical_url(one) != canonical_url(other)


def test_the_query_is_sorted_and_international_names_are_written_in_ascii() -> None:
    assert canonical_url("https://bücher.example/ä?b=2&a=1") == "https://xn--bcher-kva.example/%C3%A4?a=1&b=2"


def test_what_is_no_http_address_only_loses_white_space() -> None:
    assert canonical_url(" mailto:desk@news.example\n") == "mailto:desk@news.example"
    assert canonical_url("http://[broken/") == "http://[broken/"


pieces = st.lists(
    st.sampled_from(
        [*"/?#&=%;:@.[]!~ +", "..", "amp", "index.html", ".amp", "a", "B", "%2f", "é", "utm_x=1", "b=2", ":80"]
    ),
    max_size=14,
).map("".join)


@given(st.one_of(st.text(max_size=40), pieces).map(lambda tail: f"http://News.example{tail}"))
def test_canonical_is_idempotent(url: str) -> None:
    once = canonical_url(url)
    assert canonical_url(once) == once


@given(st.text(max_size=60))
def test_any_text_is_taken(text: str) -> None:
    once = canonical_url(text)
    assert canonical_url(once) == once
