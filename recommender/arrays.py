"""Arrays in files: written so that they survive a crash, mapped rather than read."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPPED_FROM = 1 << 16  # bytes; smaller arrays are read: quicker than mapping them


def save(path: Path, array: NDArray[Any]) -> None:
    """Write an array into a new file and wait until it is on the disk."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def load(path: Path) -> NDArray[Any]:
    """What `save` wrote, read-only; pages are read when touched, and shared between processes."""
    is_large = path.stat().st_size > MAPPED_FROM
    array = np.asarray(np.load(path, mmap_mode="r" if is_large else None, allow_pickle=False))
    array.flags.writeable = False
    return array


def write(path: Path, content: bytes) -> None:
    """Put a whole file in the place of another in one step."""
    draft = path.with_name(f".{path.name}.draft")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make names in a folder survive a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
