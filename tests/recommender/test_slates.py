"""Kept slates: cursors come back as they were written, and no story or source is crowded below the first page."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.errors import Expired, InvalidInput
from recommender.slates import KEPT_S, Cursors, Kept, spread, whose

NOW_US = 1_770_000_000_000_000
OWNER = whose("r1", None, "en")
slates = st.builds(
    Kept,
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.integers(NOW_US - KEPT_S * 1_000_000, NOW_US),
    st.just(OWNER),
    st.integers(0, 1_000),
    st.lists(st.integers(1, 2**40), min_size=1, max_size=150).map(tuple),
)


@given(slate=slates)
def test_a_cursor_is_read_as_it_was_written(slate: Kept) -> None:
    cursor = Cursors(b"secret").write(slate)
    assert len(cursor) < 4_000
    assert Cursors(b"secret").read(cursor, OWNER, NOW_US) == slate


@given(slate=slates, at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_a_changed_cursor_is_refused(slate: Kept, at: int, flip: int) -> None:
    cursor = bytearray(Cursors(b"secret").write(slate).encode())
    cursor[at % len(cursor)] ^= flip
    try:
        found = Cursors(b"secret").read(cursor.decode("latin-1"), OWNER, NOW_US)
    except InvalidInput:
        return
    assert found == slate  # the last character holds bits that stand for nothing


@given(text=st.text(max_size=200))
def test_no_text_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidInput):
        Cursors(b"secret").read(text, OWNER, NOW_US)


def test_a_cursor_is_of_one_installation_one_owner_and_half_an_hour() -> None:
    slate = Kept("0f" * 16, NOW_US, OWNER, 20, (1, 2))
    cursor = Cursors(b"secret").write(slate)
    for secret, owner in (
        (b"other", OWNER),
        (b"secret", whose("r1", "en", None)),
        (b"secret", whose("r1\x00", None, "en")),
    ):
        with pytest.raises(InvalidInput):
            Cursors(secret).read(cursor, owner, NOW_US)
    with pytest.raises(Expired):
        Cursors(b"secret").read(cursor, OWNER, NOW_US + KEPT_S * 1_000_000 + 1)


@given(
    groups=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), max_size=60),
    placed=st.integers(0, 9),
    caps=st.tuples(st.integers(1, 3), st.integers(1, 2), st.integers(1, 10)),
)
def test_the_rest_is_spread_as_one_would_write_it(
    groups: list[tuple[int, int]], placed: int, caps: tuple[int, int, int]
) -> None:
    placed = min(placed, len(groups))
    source = np.array([one for one, _ in groups], np.int64)
    story = np.array([other for _, other in groups], np.int64)
    assert spread(source, story, placed, *caps).tolist() == slowly(source, story, placed, *caps)


def slowly(source: np.ndarray, story: np.ndarray, placed: int, source_cap: int, story_cap: int, span: int) -> list[int]:
    chosen = list(range(placed))
    while True:
        recent = chosen[max(0, len(chosen) - span + 1) :]
        free = [one for one in range(len(source)) if one not in chosen and room(story, recent, one, story_cap)]
        spread_out = [one for one in free if room(source, recent, one, source_cap)]
        if not free:
            return chosen[placed:]
        chosen.append((spread_out or free)[0])


def room(group: np.ndarray, recent: list[int], one: int, cap: int) -> bool:
    return bool(group[one] == 0 or sum(group[other] == group[one] for other in recent) < cap)
