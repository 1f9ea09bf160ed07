"""CRC-32C (Castagnoli), the checksum of TensorFlow's checkpoints, at memory speed without a compiled library.

A CRC is linear over bits: the register after a block is the XOR of the contributions of its words, and n zero bytes
apply a fixed 32 x 32 bit matrix. So all words are combined in pairs, the pairs in pairs and so on, with one table
look-up for every half of a word in each round. Polynomial and bit order: RFC 3720, appendix B.4.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_POLYNOMIAL = 0x82F63B78
_CHUNK = 1 << 22


def crc32c(content: bytes | memoryview, crc: int = 0) -> int:
    """Compute the CRC-32C of bytes.

    Args:
        content: the bytes.
        crc: checksum of the bytes before them.
    """
    view = memoryview(content).cast("B")
    register = crc ^ 0xFFFFFFFF
    whole = len(view) - len(view) % 4
    for start in range(0, whole, _CHUNK):
        words = np.frombuffer(view[start : min(start + _CHUNK, whole)], "<u4").copy()
        words[0] ^= register
        register = _apply(_zeros(0), _fold(words))
    for byte in view[whole:]:
        register = _byte(register ^ byte)
    return register ^ 0xFFFFFFFF


def unmask(stored: int) -> int:
    """Remove the mask with which a checksum is stored (LevelDB, ``util/crc32c.h``).

    Args:
        stored: masked checksum.
    """
    rotated = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def _fold(words: np.ndarray) -> int:
    level = 0
    while len(words) > 1:
        # Zeros in front of all leave a register of zeros as it is.
        if len(words) % 2:
            words = np.concatenate([np.zeros(1, np.uint32), words])
        low, high = _tables(level)
        halves = words.view(np.uint16)
        words = low.take(halves[::4]) ^ high.take(halves[1::4]) ^ words[1::2]
        level += 1
    return int(words[0])


@lru_cache(maxsize=32)
def _zeros(level: int) -> tuple[int, ...]:
    """What ``4 * 2 ** level`` zero bytes make of each bit of the register, lowest first."""
    if level == 0:
        columns = [1 << bit for bit in range(32)]
        for _ in range(4):
            columns = [_byte(column) for column in columns]
        return tuple(columns)
    half = _zeros(level - 1)
    return tuple(_apply(half, column) for column in half)


@lru_cache(maxsize=32)
def _tables(level: int) -> tuple[np.ndarray, np.ndarray]:
    columns = _zeros(level)
    return _span(columns[:16]), _span(columns[16:])


def _span(columns: tuple[int, ...]) -> np.ndarray:
    """The image of every 16-bit number, uint32 (65536,)."""
    table = np.zeros(1, np.uint32)
    for column in columns:
        table = np.concatenate([table, table ^ np.uint32(column)])
    return table


def _apply(columns: tuple[int, ...], register: int) -> int:
    image = 0
    for bit, column in enumerate(columns):
        if register >> bit & 1:
            image ^= column
    return image


def _byte(register: int) -> int:
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register
