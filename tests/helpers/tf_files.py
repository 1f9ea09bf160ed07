"""TensorFlow checkpoints written by hand, right and wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from d2m.weights.crc32c import crc32c

MAGIC = 0xDB4775248B80FB57
TYPES = {"float32": 1, "float64": 2, "int64": 9, "float16": 19}


def varint(value: int) -> bytes:
    content = b""
    while value >= 0x80:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])


def masked(content: bytes) -> bytes:
    crc = crc32c(content)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")


def field(number: int, value: int | bytes, fixed: bool = False) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 5) + value if fixed else varint(number << 3 | 2) + varint(len(value)) + value


def entry(values: np.ndarray, place: int, **changed: int) -> bytes:
    """A ``BundleEntryProto``."""
    shape = b"".join(field(2, field(1, size)) for size in changed.get("shape", values.shape))
    content = values.tobytes()
    return (
        field(1, changed.get("type", TYPES[values.dtype.name]))
        + (field(2, shape) if shape else b"")
        + field(3, changed.get("shard", 0))
        + field(4, changed.get("offset", place))
        + field(5, changed.get("size", len(content)))
        + field(6, masked(content), fixed=True)
    )


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    content, last = b"", b""
    for key, value in pairs:
        shared = next((n for n, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        content += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    return content + bytes(4) + (1).to_bytes(4, "little")


def index_file(pairs: list[tuple[bytes, bytes]], each: int = 4, kind: int = 0) -> bytes:
    """A table of blocks with ``each`` pairs."""
    content, blocks = b"", []

    def add(raw: bytes) -> bytes:
        nonlocal content
        handle = varint(len(content)) + varint(len(raw))
        raw += bytes([kind])
        content += raw + masked(raw)
        return handle

    for start in range(0, len(pairs), each):
        part = pairs[start : start + each]
        blocks.append((part[-1][0], add(block(part))))
    footer = add(block([])) + add(block(blocks))
    return content + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def header(shards: int = 1, endianness: int = 0) -> bytes:
    return field(1, shards) + (field(2, endianness) if endianness else b"") + field(3, field(1, 1))


def write_bundle(
    prefix: Path, variables: Mapping[str, np.ndarray], changed: Mapping[str, Mapping[str, int]] | None = None
) -> Path:
    """Writes ``prefix.index`` and ``prefix.data-00000-of-00001``; ``changed`` falsifies entries by name."""
    pairs, data = [(b"", header())], b""
    for name, values in sorted(variables.items()):
        pairs.append((name.encode(), entry(values, len(data), **(changed or {}).get(name, {}))))
        data += values.tobytes()
    prefix.with_name(prefix.name + ".index").write_bytes(index_file(pairs))
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    return prefix
