"""A stream that is safe to give to tarfile, which reads headers whole, however long they say they are."""

from __future__ import annotations

import io
import tarfile
from typing import IO


class CarefulStream(io.RawIOBase):
    """A stream that is never asked for much at once.

    Args:
        stream: of the uncompressed archive.
        most: bytes that may be asked for; more is :class:`tarfile.ReadError`.
    """

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream, self.most = stream, most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.most:
            raise tarfile.ReadError("a header of absurd length")
        return self.stream.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return self.stream.seek(place, whence)

    def tell(self) -> int:
        return self.stream.tell()
