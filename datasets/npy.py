"""Read arrays of numbers from untrusted npy and npz files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np

from d2m.errors import D2MError

_DAMAGED = (
    *(OSError, ValueError, EOFError, TypeError, SyntaxError, TokenError, KeyError, OverflowError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


def read_npy(path: str | Path, most_bytes: int = 100_000_000) -> np.ndarray:
    """Read the numbers in an npy file; they are finite.

    Args:
        path: the file.
        most_bytes: maximum size.

    Raises:
        D2MError: if the file is missing, damaged, too large, claims more than it holds, or holds no finite numbers.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise D2MError(f"{path} is larger than {most_bytes // 1_000_000} MB; that is not what it should be")
        with path.open("rb") as file:
            check_header(file, size)
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise D2MError(f"{path} is missing") from error
    except _DAMAGED as error:
        raise D2MError(f"{path} is damaged or holds no array of numbers; get it again") from error
    if not np.isfinite(values).all():
        raise D2MError(f"{path} holds numbers that are not finite")
    return values


def read_npz(path: str | Path, names: Collection[str], most_bytes: int = 100_000_000) -> dict[str, np.ndarray]:
    """Read numeric arrays from an ``.npz`` file, packed or not. Other members are ignored.

    Args:
        path: the file.
        names: arrays to read, where the file has them.
        most_bytes: limit of the unpacked size of each of them.

    Returns:
        Array by name, finite numbers of any shape.

    Raises:
        D2MError: if the file is missing or damaged, or if one of the arrays is too large, claims more than it holds,
            or holds no finite numbers.
    """
    path, found = Path(path), {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename: member for member in archive.infolist()}
            for name in names:
                if (member := members.get(f"{name}.npy")) is not None:
                    found[name] = _member(path, archive, member, most_bytes)
    except FileNotFoundError as error:
        raise D2MError(f"{path} is missing") from error
    except _DAMAGED as error:
        raise D2MError(f"{path} is damaged or holds no arrays of numbers; get it again") from error
    for name, values in found.items():
        if not np.isfinite(values).all():
            raise D2MError(f"{path}: '{name}' holds numbers that are not finite; get it again")
    return found


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, most_bytes: int) -> np.ndarray:
    if member.file_size > most_bytes:
        raise D2MError(f"{path}: {member.filename} is larger than {most_bytes // 1_000_000} MB; get another file")
    # Of these two kinds zipfile unpacks no more than the size that was just checked, whatever is in them.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("packed in a way that numpy does not use")
    content = io.BytesIO(archive.read(member))
    check_header(content, member.file_size)
    content.seek(0)
    return np.load(content, allow_pickle=False)


def check_header(file: BinaryIO, size: int) -> None:
    """Check that an npy file contains as many numbers as its header claims, since NumPy allocates any claimed size.

    Args:
        file: opened at its beginning.
        size: size of the file in bytes.

    Raises:
        ValueError: if it does not.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in "fiu" or int(np.prod(shape, dtype=object)) * dtype.itemsize != size - file.tell():
        raise ValueError("not an array of numbers, or its size is not the one in its header")
