"""What keeps a reader from any alert: the holdout, quiet hours, a policy."""

from datetime import UTC, datetime, time, timedelta
from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.clock import is_quiet, micros
from data.errors import InvalidInput
from data.values import ReaderColumns, ReaderRow
from recommender import push
from recommender.push import Policy
from recommender.push_time import quiet_now

ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Pacific/Kiritimati", "Europe/Prague"]


def test_the_holdout_is_the_same_for_good_and_about_its_share() -> None:
    keys = [f"reader-{number}" for number in range(5_000)]
    small, large = push.is_holdout(keys, 0.02), push.is_holdout(keys, 0.05)
    assert 60 <= small.sum() <= 140
    assert not (small & ~large).any()
    assert not push.is_holdout(keys, 0).any()


@given(st.lists(st.text(max_size=5), max_size=20), st.floats(0, 1.2))
def test_the_holdout_is_those_whose_hash_lies_below_the_share(keys: list[str], share: float) -> None:
    points = [int.from_bytes(blake2b(key.encode(), digest_size=8, person=b"holdout").digest()) for key in keys]
    assert push.is_holdout(keys, share).tolist() == [point < share * 2**64 for point in points]


def test_a_misspelt_policy_is_refused() -> None:
    with pytest.raises(InvalidInput, match="dayly_cap"):
        Policy.of({"dayly_cap": 3})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=8),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),
    st.integers(0, 60 * 24),
    st.times(),
    st.times(),
)
def test_quiet_hours_of_many_are_those_of_each(
    zones: list[str], at: datetime, step_min: int, begin: time, end: time
) -> None:
    walls = {"quiet_from": begin.strftime("%H:%M"), "quiet_until": end.strftime("%H:%M")}
    people = [ReaderRow(id=i, key=str(i), zone=zone, **walls) for i, zone in enumerate(zones)]
    instants = [at + timedelta(minutes=step_min * number) for number in range(len(zones))]
    found = quiet_now(ReaderColumns.of(people), np.array([micros(one) for one in instants], np.int64))
    bounds = time.fromisoformat(walls["quiet_from"]), time.fromisoformat(walls["quiet_until"])
    assert found.tolist() == [is_quiet(one, zone, *bounds) for one, zone in zip(instants, zones, strict=True)]
