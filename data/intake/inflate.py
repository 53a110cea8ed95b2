"""Decompression that stops at a limit, so that a small bomb cannot fill the memory."""

import zlib

from data.errors import FetchFailed, TooLarge

GZIP_MAGIC = b"\x1f\x8b"
_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's wbits: 31 reads gzip, 15 zlib, -15 raw deflate


def too_large(what: str, limit: int) -> TooLarge:
    """The error that names the limit and the setting that raises it."""
    return TooLarge(f"{what} is larger than {limit:,} bytes; raise NEWSBELL_FETCH_MAX_BYTES if it is meant to be")


class Body:
    """Collects the bytes of an answer, decompressing as they come; TooLarge past `limit` bytes of result."""

    def __init__(self, what: str, encoding: str, limit: int) -> None:
        self._what, self._limit = what, limit
        self._pieces: list[bytes] = []
        self._size = 0
        name = encoding.strip().lower()
        if name not in {"", "identity", *_WINDOW}:
            raise FetchFailed(f"{what} came compressed as {name[:40]!r}, which was not asked for")
        self._window = _WINDOW.get(name)
        self._inflate = zlib.decompressobj(self._window) if self._window else None
        self._begun = False

    def feed(self, chunk: bytes) -> None:
        """Take the next raw bytes."""
        if self._inflate is None:
            self._keep(chunk)
            return
        try:
            self._expand(chunk)
        except zlib.error as error:
            raise FetchFailed(f"{self._what} is damaged: {error}") from None

    def _expand(self, chunk: bytes) -> None:
        if not self._begun and chunk and self._window == 15 and not _is_zlib(chunk):
            self._inflate = zlib.decompressobj(-15)  # many servers send raw deflate under this name
        self._begun = self._begun or bool(chunk)
        while chunk and self._inflate is not None:
            self._keep(self._inflate.decompress(chunk, self._limit - self._size + 1))
            chunk = self._inflate.unconsumed_tail
            if self._inflate.eof:
                chunk = self._inflate.unused_data
                if not chunk.startswith(GZIP_MAGIC):  # rubbish after the end is common and harmless
                    return
                self._inflate = zlib.decompressobj(31)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise too_large(self._what, self._limit)
        self._pieces.append(piece)

    def content(self) -> bytes:
        """Everything so far, as one."""
        return b"".join(self._pieces)


def gunzip(data: bytes, what: str, limit: int) -> bytes:
    """The content of a gzip file held in memory; a cut-off file gives what is there."""
    body = Body(what, "gzip", limit)
    body.feed(data)
    return body.content()


def _is_zlib(chunk: bytes) -> bool:
    return chunk[0] & 0x0F == 8 and (len(chunk) < 2 or (chunk[0] << 8 | chunk[1]) % 31 == 0)
