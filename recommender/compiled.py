"""Compiling kernels ahead, and keeping the machine code on disk for as long as it is true."""

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numba as nb

# Kernels take constants from these, too.
_OTHERS = ("signals.py", "subject.py")


def _stamp() -> tuple[str, int]:
    """Every file that may be part of a kernel, in one number."""
    made, size = blake2b(digest_size=16), 0
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        content = path.read_bytes()
        if b"numba" in content or path.name in _OTHERS:
            made.update(content)
            size += len(content)
    return made.hexdigest(), size


# numba keeps machine code beside a source file and looks at that file's time and size alone: a change in a helper of
# another file, or of a constant, would go unnoticed, and a file put back with an old time too.
STAMP = _stamp()


def compiled(signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile for one signature when the module is first imported, without the GIL; later imports load it.

    `options` are those of `numba.njit`.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = nb.njit(nogil=True, **options)(function)
        made.enable_caching()
        made._cache._cache_file._source_stamp = STAMP
        made.compile(signature)
        made.disable_compile()
        return made

    return decorate


def compiled_at_use(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile when first called, kept on disk under the same stamp: for replay and learning, not for answers."""

    def decorate(function: Callable[..., Any]) -> Any:
        made: Any = nb.njit(nogil=True, **options)(function)
        made.enable_caching()
        made._cache._cache_file._source_stamp = STAMP
        return made

    return decorate
