"""Read the npz files of training examples, which may be damaged or of another kind."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError

import numpy as np

from d2m.errors import D2MError

#: An array of an example unpacked, bytes: half an hour of music has 80 million.
_LARGEST = 1 << 30
#: Exceptions of NumPy and zipfile for damaged or manipulated archives.
DAMAGED = (
    OSError, ValueError, TypeError, KeyError, AttributeError, IndexError,
    EOFError, SyntaxError, RuntimeError, NotImplementedError, MemoryError,
    zipfile.BadZipFile, zlib.error, struct.error, TokenError,
)  # fmt: skip


def read_example(
    path: str | Path, content: bytes | None = None, /, **wanted: tuple[type[np.generic], int]
) -> dict[str, np.ndarray]:
    """Return some of an example's arrays; the others are not read.

    Args:
        path: an npz file.
        content: its bytes, where they have been read already; the path then only names it.
        wanted: name of each array -> type of its numbers and number of dimensions.

    Raises:
        D2MError: if the file is missing, damaged, or an array is missing, another one, or not finite.
    """
    path, found = Path(path), {}
    try:
        with zipfile.ZipFile(path if content is None else io.BytesIO(content)) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        missing = [name for name in wanted if f"{name}.npy" not in sizes]
        fits = not any(sizes.get(f"{name}.npy", 0) > _LARGEST for name in wanted)
        if not missing and fits:
            with np.load(path if content is None else io.BytesIO(content), allow_pickle=False) as archive:
                # By the whole name: a member that is called just "waveform" would come before "waveform.npy".
                found = {name: np.asarray(archive[f"{name}.npy"]) for name in wanted}
    except FileNotFoundError as error:
        raise D2MError(f"{path} is missing") from error
    except DAMAGED as error:
        raise D2MError(f"{path} is damaged; make it again, or remove it") from error
    if missing:
        raise D2MError(f"{path} is not a training example: it has no '{missing[0]}'; remove it")
    for name, (kind, dimensions) in wanted.items():
        if not fits or found[name].dtype != kind or found[name].ndim != dimensions:
            raise D2MError(f"{path} is not a training example: its '{name}' is something else; remove it")
        if not np.isfinite(found[name]).all():
            raise D2MError(f"{path}: '{name}' holds numbers that are not finite; make it again, or remove it")
    return found


def read_song(path: str | Path) -> np.ndarray:
    """Read the music of an example.

    Args:
        path: the file.

    Returns:
        int16 (T,).

    Raises:
        D2MError: as for :func:`read_example`, or if there is no music.
    """
    waveform = read_example(path, waveform=(np.int16, 1))["waveform"]
    if not len(waveform):
        raise D2MError(f"{path} holds no sound; remove it")
    return waveform
