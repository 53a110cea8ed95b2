"""One contract for mapping over blocks, held by the map in process and by the one on Dask."""

import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from cloudpickle import register_pickle_by_value

from data.errors import BlockFailed, InvalidSettings
from recommender.scale import InProcess, Mapper, mapper


@pytest.fixture(params=["in process", "dask"])
def over(request: pytest.FixtureRequest) -> Iterator[Mapper]:
    address = None if request.param == "in process" else request.getfixturevalue("dask_address")
    register_pickle_by_value(sys.modules[__name__])  # the workers cannot import a test
    with mapper(address) as made:
        yield made


def scaled(shared: dict[str, np.ndarray], block: np.ndarray) -> np.ndarray:
    return np.sin(block * shared["weights"]).astype(np.float32)


def slow_when_early(_: None, number: int) -> int:
    time.sleep(0.05 if number % 4 == 0 else 0)
    return number


def fails_at_three(_: None, number: int) -> int:
    if number >= 3:
        raise ValueError(f"cannot take {number}")
    return number


def test_results_are_those_of_a_loop_to_the_last_bit(over: Mapper) -> None:
    rng = np.random.default_rng(1)
    shared, blocks = {"weights": rng.random(50)}, [rng.random((7, 50)) for _ in range(20)]
    found = list(over.map(scaled, shared, blocks))
    assert [one.tobytes() for one in found] == [scaled(shared, block).tobytes() for block in blocks]


def test_results_keep_the_order_of_the_blocks(over: Mapper) -> None:
    assert list(over.map(slow_when_early, None, range(25))) == list(range(25))


def test_the_first_block_that_fails_is_named_after_those_before_it_were_handed_out(over: Mapper) -> None:
    found: list[int] = []
    with pytest.raises(BlockFailed, match=r"block 3 .*ValueError: cannot take 3") as caught:
        found.extend(over.map(fails_at_three, None, range(10)))
    assert found == [0, 1, 2]
    assert isinstance(caught.value.__cause__, ValueError)


def test_blocks_are_drawn_as_results_are_taken(over: Mapper) -> None:
    drawn: list[int] = []

    def blocks() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    results: Any = over.map(slow_when_early, None, blocks())
    assert next(results) == 0
    assert len(drawn) < 20
    results.close()


def test_no_blocks_give_no_results(over: Mapper) -> None:
    assert list(over.map(scaled, None, [])) == []


def test_without_an_address_the_work_is_done_here() -> None:
    with mapper() as made:
        assert isinstance(made, InProcess)


def test_an_address_where_no_scheduler_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommender.scale.CONNECT_S", 0.3)
    with pytest.raises(InvalidSettings, match="NEWSBELL_DASK"), mapper("tcp://127.0.0.1:9"):
        pass
