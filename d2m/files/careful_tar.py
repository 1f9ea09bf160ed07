"""Stream wrapper for tarfile that bounds the size of headers, which tarfile reads completely whatever size they
claim.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Protocol

#: Bytes that may be asked for at once. Headers nest as deep as Python's stack, and what they hold is kept as long.
MOST_AT_ONCE = 1 << 17


def each_member(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Iterate over the members of an archive without keeping earlier ones, unlike tarfile's own list.

    Args:
        archive: an open archive.

    Raises:
        tarfile.TarError: if the archive is damaged. Headers that nest without end are a RecursionError, here or when
            the archive is opened.
    """
    for member in archive:
        yield member
        archive.members.clear()  # type: ignore[attr-defined]  # not in the stub of the standard library
        archive.pax_headers = {}


class Stream(Protocol):
    """The part of a binary file that :class:`CarefulStream` needs."""

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes.

        Args:
            size: number of bytes.
        """

    def seek(self, place: int, whence: int, /) -> int:
        """Move to a position of the stream.

        Args:
            place: offset in bytes.
            whence: 0 from the start, 1 from the current position, 2 from the end.

        Returns:
            The new position in bytes from the start.
        """

    def tell(self) -> int:
        """Return the current position in bytes from the start."""


class CarefulStream(io.RawIOBase):
    """Stream that is read in bounded portions only.

    Args:
        stream: stream of the uncompressed archive.
        most: bytes that may be asked for; more is :class:`tarfile.ReadError`.
    """

    def __init__(self, stream: Stream, most: int = MOST_AT_ONCE) -> None:
        self.stream, self.most = stream, most

    def read(self, size: int = -1) -> bytes:
        """Read up to ``size`` bytes, which must not exceed the limit.

        Args:
            size: number of bytes; a negative number is refused, too.

        Raises:
            tarfile.ReadError: if more bytes are asked for than allowed.
        """
        if not 0 <= size <= self.most:
            raise tarfile.ReadError("a header of absurd length")
        return self.stream.read(size)

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position of the stream.

        Args:
            place: offset in bytes.
            whence: 0 from the start, 1 from the current position, 2 from the end.

        Returns:
            The new position.
        """
        return self.stream.seek(place, whence)

    def tell(self) -> int:
        return self.stream.tell()
