"""Gzip for answers: whole ones, and such whose middle was compressed before."""

from struct import pack
from zlib import DEFLATED, Z_DEFAULT_STRATEGY, Z_SYNC_FLUSH, compressobj, crc32

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # RFC 1952: no name, no time, quickest, any system


def zipped(body: bytes) -> bytes:
    """The quickest gzip: an answer is read once."""
    packer = compressobj(1, wbits=31, strategy=Z_DEFAULT_STRATEGY)
    return packer.compress(body) + packer.flush()


def deflated(part: bytes) -> bytes:
    """Part of an answer as deflate blocks that end on a byte and none of which is the last: for `around`."""
    packer = compressobj(1, DEFLATED, -15)
    return packer.compress(part) + packer.flush(Z_SYNC_FLUSH)


def around(head: bytes, part: bytes, blocks: bytes, tail: bytes) -> bytes:
    """The gzip of head + part + tail, where `blocks` is `deflated(part)`; head and tail of at most 65,535 bytes.

    Both stand in stored blocks (RFC 1951, 3.2.4) around the others, which never look back beyond their own beginning.
    Cost: the checksum of the whole.
    """
    total = crc32(tail, crc32(part, crc32(head)))
    length = len(head) + len(part) + len(tail)
    return b"".join((_HEADER, _stored(head, 0), blocks, _stored(tail, 1), pack("<LL", total, length & 0xFFFFFFFF)))


def _stored(text: bytes, is_last: int) -> bytes:
    return pack("<BHH", is_last, len(text), len(text) ^ 0xFFFF) + text
