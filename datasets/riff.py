"""Detect truncated .wav files, of which decoders play the remaining part without an error."""

from __future__ import annotations

import struct
from pathlib import Path

from d2m.errors import D2MError

#: Length written by programs that do not know it yet.
_UNKNOWN = (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFF000)
_MOST_CHUNKS = 1000


def check_whole(path: str | Path) -> None:
    """Check that a .wav file is as long as its header says; other formats are accepted.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, or its samples are cut short by more than a hundredth of a second of CD sound.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
            if head[:4] != b"RIFF" or head[8:] != b"WAVE":
                return
            for _ in range(_MOST_CHUNKS):
                chunk = file.read(8)
                if len(chunk) < 8:
                    break
                name, length = struct.unpack("<4sI", chunk)
                if name == b"fmt " and length >= 16:
                    _, channels, rate = struct.unpack("<HHI", file.read(8))
                    if not (1 <= channels <= 64 and 1000 <= rate <= 1_000_000):
                        raise D2MError(f"{path} is damaged: {channels} channels at {rate} Hz; download it again")
                    length -= 8
                if name == b"data":
                    if length not in _UNKNOWN and file.tell() + length > size + 2000:
                        raise D2MError(
                            f"{path} is cut short: {size - file.tell()} of {length} bytes of sound are there"
                        )
                    return
                file.seek(length + length % 2, 1)
    except struct.error as error:
        raise D2MError(f"{path} is cut short: it has no sound; download it again") from error
    except OSError as error:
        raise D2MError(f"cannot read {path}: {error.strerror or error}") from error
    raise D2MError(f"{path} is damaged: it holds no sound; download it again")
