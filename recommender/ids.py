"""Identifiers made here: of requests and of served lists."""

import os
from random import Random

_random = Random()  # noqa: S311  ids tell things apart and guard nothing; asking the system for each takes 10 us
os.register_at_fork(after_in_child=_random.seed)  # two processes never go on with the same numbers


def fresh_id() -> str:
    """32 hexadecimal digits that nothing else is called; no secret, for it can be guessed from others."""
    return f"{_random.getrandbits(128):032x}"
