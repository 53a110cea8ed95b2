"""Ids of requests and lists: of one form, and never the same, not even in a forked process."""

import os
import re

from recommender.ids import fresh_id


def test_an_id_is_32_hexadecimal_digits_and_no_two_are_the_same() -> None:
    made = [fresh_id() for _ in range(10_000)]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)
    assert len(set(made)) == len(made)


def test_a_forked_process_makes_other_ids() -> None:
    come, go = os.pipe()
    child = os.fork()
    if not child:
        os.write(go, fresh_id().encode())
        os._exit(0)
    ours = fresh_id()
    os.waitpid(child, 0)
    assert os.read(come, 32).decode() != ours
    os.close(come)
    os.close(go)
