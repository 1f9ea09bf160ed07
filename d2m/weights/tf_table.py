"""Read the sorted table of names in the ``.index`` file of TensorFlow's checkpoints: LevelDB's table format.

The format consists of blocks of (key, value) pairs, whose keys omit the prefix they share with the key before; an index
block with the places of those blocks; and a footer of 48 bytes with the place of the index. Every block has its type
and a masked CRC-32C. (Format: ``doc/table_format.md`` of github.com/google/leveldb, and TensorFlow's
``core/lib/io/format.cc``.)
"""

from __future__ import annotations

from collections.abc import Iterator

from .crc32c import crc32c, unmask

_FOOTER, _TRAILER = 48, 5
_MAGIC = 0xDB4775248B80FB57
#: Names of variables stay below 200 bytes; keys that share much could else grow far beyond the file.
_LONGEST_KEY = 1024


def varint(content: bytes, place: int) -> tuple[int, int]:
    """Read an unsigned variable-length integer (7 bits per byte, lowest first).

    Args:
        content: bytes.
        place: offset of the first byte.

    Returns:
        The number, and the offset after it.

    Raises:
        ValueError: if it does not end, or takes more than 64 bits.
    """
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(content):
            break
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80 and value < 1 << 64:
            return value, place
    raise ValueError("a number in it does not end")


def table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Iterate over the keys and values of a table, in their order.

    Args:
        content: the file.

    Raises:
        ValueError: if it is no table, or damaged.
    """
    if len(content) < _FOOTER or int.from_bytes(content[-8:], "little") != _MAGIC:
        raise ValueError("it does not end as such a file does")
    footer = content[-_FOOTER:-8]
    _, _, place = _handle(footer, 0)
    start, size, _ = _handle(footer, place)
    end, last = 0, None
    for _, where in _pairs(_block(content, start, size)):
        offset, length, _ = _handle(where, 0)
        if offset < end:
            raise ValueError("its blocks overlap")
        end = offset + length
        for key, value in _pairs(_block(content, offset, length)):
            if last is not None and key <= last:
                raise ValueError("its names are out of order")
            last = key
            yield key, value


def _handle(content: bytes, place: int) -> tuple[int, int, int]:
    offset, place = varint(content, place)
    size, place = varint(content, place)
    return offset, size, place


def _block(content: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER > len(content):
        raise ValueError("it is cut short")
    stored = int.from_bytes(content[end + 1 : end + _TRAILER], "little")
    if crc32c(content[offset : end + 1]) != unmask(stored):
        raise ValueError("a checksum is wrong")
    if content[end]:
        raise ValueError("its index is compressed, which TensorFlow does not do")
    return content[offset:end]


def _pairs(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if len(block) < 4 or end < 0:
        raise ValueError("a block is cut short")
    place, key = 0, b""
    while place < end:
        shared, place = varint(block, place)
        more, place = varint(block, place)
        size, place = varint(block, place)
        if shared > len(key) or shared + more > _LONGEST_KEY or place + more + size > end:
            raise ValueError("a block holds what cannot be")
        key = key[:shared] + block[place : place + more]
        place += more + size
        yield key, block[place - size : place]
