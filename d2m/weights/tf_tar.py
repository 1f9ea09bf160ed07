"""Read the files of a TensorFlow checkpoint inside a tar file, plain or gzip, without unpacking them.

No path of the archive is written to: names are only compared, links and devices are skipped.
"""

from __future__ import annotations

import contextlib
import gzip
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from d2m.errors import D2MError
from d2m.files.careful_tar import CarefulStream, each_member

_GZIP = b"\x1f\x8b\x08"
_MOST_MEMBERS = 1000
#: Trained weights shrink by less than a tenth; a gzip file may unfold to a thousand times its size.
_MOST_UNFOLDED = 20
_MOST_AT_ONCE = 1 << 20


class Readable(Protocol):
    """Interface of binary files: the methods that are needed here."""

    def seek(self, place: int, /) -> int:
        """Move to a position.

        Args:
            place: offset from the start in bytes.

        Returns:
            The new position.
        """

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes.

        Args:
            size: number of bytes.
        """


def is_tar(path: Path | str) -> bool:
    """Tell whether a file begins like a tar or gzip file.

    Args:
        path: the file.

    Returns:
        False also if the file cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            start = file.read(265)
    except OSError:
        return False
    # A safetensors file whose header happens to be as long as gzip's first bytes say has a brace there.
    return (start[:3] == _GZIP and start[8:9] != b"{") or start[257:262] == b"ustar"


def tar_files(path: Path, stack: contextlib.ExitStack) -> Callable[[str], tuple[Readable, int] | None]:
    """Return a function that opens the files of the one checkpoint in a tar file by their suffix (".index").

    Args:
        path: the tar file.
        stack: closes the files.

    Returns:
        Function that takes a suffix and returns the open file and its size in bytes, or None if there is no such file.

    Raises:
        D2MError: if it cannot be read, is damaged, or holds no checkpoint or several.
    """
    try:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
        packed = raw.read(3) == _GZIP
        raw.seek(0)
        if packed:
            # Variables are read in any order, and gzip files only from their beginning.
            raw = _unfolded(gzip.GzipFile(fileobj=raw), path.stat().st_size, stack)
        members = _members(raw)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, gzip.BadGzipFile, RecursionError) as error:
        raise D2MError(f"{path} is damaged or not a tar file ({str(error)[:100]}); download the file again") from error
    except OSError as error:
        raise D2MError(f"cannot read {path}: {error.strerror}") from error
    indices = [name for name in members if name.endswith(".index")]
    if len(indices) != 1:
        raise D2MError(
            f"{path} holds {len(indices) or 'no'} TensorFlow checkpoints (.index files); one is needed"
            + ("; unpack it and give the name of one" if indices else "")
        )
    name = indices[0].removesuffix(".index")

    def find(suffix: str) -> tuple[Readable, int] | None:
        if name + suffix not in members:
            return None
        start, size = members[name + suffix]
        return _Part(raw, start, size), size

    return find


def _unfolded(packed: Readable, length: int, stack: contextlib.ExitStack) -> IO[bytes]:
    """Decompress a gzip file of ``length`` bytes into a temporary file."""
    plain = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    while block := packed.read(_MOST_AT_ONCE):
        plain.write(block)
        if plain.tell() > _MOST_UNFOLDED * length + _MOST_AT_ONCE:
            raise tarfile.ReadError("it unfolds to far more than weights do")
    plain.seek(0)
    return plain


def _members(raw: IO[bytes]) -> dict[str, tuple[int, int]]:
    """Return start and size in bytes of the regular files in a tar file, by name."""
    members: dict[str, tuple[int, int]] = {}
    with tarfile.open(fileobj=CarefulStream(raw), mode="r:") as opened:
        # Read as a stream: the list of a hostile file may be endless.
        for count, info in enumerate(each_member(opened)):
            if count >= _MOST_MEMBERS:
                raise tarfile.ReadError("it holds too many files")
            # macOS puts a hidden "._name" beside every file.
            hidden = PurePosixPath(info.name).name.startswith(".")
            if info.isreg() and not info.issparse() and info.size >= 0 and not hidden:
                if info.name in members:
                    raise tarfile.ReadError(f"it holds '{info.name[:60]}' twice")
                members[info.name] = (info.offset_data, info.size)
    return members


class _Part:
    """Range of bytes of a file, read as a file of its own."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self.stream, self.start, self.size, self.place = stream, start, size, 0

    def seek(self, place: int, /) -> int:
        self.place = place
        return place

    def read(self, size: int, /) -> bytes:
        size = min(size, self.size - self.place)
        self.stream.seek(self.start + self.place)
        self.place += size
        return self.stream.read(size)
