"""Check the sizes in a PyTorch file before PyTorch reads it.

PyTorch's restricted unpickler executes no code, but a few bytes can make it fill the memory: a compressed entry of the
zip archive may unpack to any size, and the unpickler may build a ``bytearray`` of any length. Its zip reader (miniz)
locates the archive's directory differently from Python's, so that a file could show one directory to a check and
another to PyTorch; only archives that both read alike are accepted. (Format: APPNOTE.TXT of PKWARE, 4.3.12 to 4.3.16;
files of ``torch.save`` have no comment and nothing behind the directory.)
"""

from __future__ import annotations

import io
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import IO

#: What begins a zip archive, ends its directory, and stands before that end in archives of more than 4 GiB.
_ZIP, _END, _LOCATOR = b"PK\x03\x04", struct.Struct("<4s4H2LH"), struct.Struct("<4sLQL")
#: Optimisers of ten thousand parameters take some hundred thousand.
_MOST_OPCODES = 2_000_000
#: PyTorch's older format: a magic number, a version, the machine, the content, and the names of what follows.
_PICKLES = 5
_GREEDY = frozenset(("builtins bytearray", "__builtin__ bytearray"))


class Hostile(Exception):
    """Error for a refused file; its message is the end of a sentence that begins with the file."""


def check_torch_file(path: Path) -> None:
    """Check that ``torch.load(weights_only=True)`` needs about as much memory as the file is long.

    Args:
        path: the file.

    Raises:
        Hostile: if it would make more.
        OSError, ValueError: if it cannot be read, or is damaged.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == _ZIP:
            _check_zip(file, size)
        elif start[:1] == b"\x80":
            for _ in range(_PICKLES):
                _check_pickle(file)
        else:
            # What is left is PyTorch's oldest format, a tar archive, which the restricted unpickler does not take.
            raise ValueError("no zip archive and no pickle")


def _check_zip(file: IO[bytes], size: int) -> None:
    _check_directory(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise Hostile("is a compressed archive, not a file that PyTorch wrote")
            if sum(entry.file_size for entry in entries) > 2 * size:
                raise Hostile("claims to hold more than its size; download the file again")
            for entry in entries:
                # PyTorch ignores the case of names.
                if entry.orig_filename.lower().endswith(".pkl"):
                    _check_pickle(io.BytesIO(archive.read(entry)))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _check_directory(file: IO[bytes], size: int) -> None:
    """Raises ValueError unless the archive's directory lies where every reader finds it: whole, just before its end."""
    if size < _END.size:
        raise ValueError("too short")
    end = size - _END.size
    file.seek(end)
    sign, _, _, _, _, length, start, comment = _END.unpack(file.read(_END.size))
    if sign != b"PK\x05\x06" or comment:
        raise ValueError("does not end as a file of PyTorch does")
    before = max(end - _LOCATOR.size, 0)
    file.seek(before)
    located = file.read(end - before)
    if located[:4] == b"PK\x06\x07":
        _, _, record, _ = _LOCATOR.unpack(located)
        # The record of 56 bytes: its last three numbers are those of the short one, at 8 bytes each.
        file.seek(min(record, size))
        fields = file.read(56)
        if record + 56 != before or fields[:4] != b"PK\x06\x06":
            raise ValueError("its directory is not where it says")
        length, start = struct.unpack("<2Q", fields[40:56])
        end = record
    if start + length != end:
        raise ValueError("its directory is not where it says")


def _check_pickle(stream: IO[bytes]) -> None:
    """Reads a pickle's instructions, without following them."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if opcode.name == "GLOBAL" and argument in _GREEDY:
            raise Hostile("asks for memory of any length, which no file that PyTorch wrote does; do not use it")
        if count >= _MOST_OPCODES:
            raise Hostile("holds more entries than any training has; do not use it")
