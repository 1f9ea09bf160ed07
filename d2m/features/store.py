"""Feature cache on disk, keyed by what the features were computed from.

An entry is a small ``.npz`` whose name is a hash of the video's content, the settings and the model. Entries are
written under another name and renamed, so that any number of processes may share a folder. A lock for each key
prevents duplicate work and is released by the system when its owner dies. An entry that cannot be read counts as
absent. Nothing is ever removed: the folder may be deleted at any time.

Landmarks take about 16 kB, visual features 4 kB for each second of video.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.files.cache_folder import default_folder

_DAMAGED = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError)


class StopRun(D2MError):
    """Error that would occur for every other video too, such as a full disk or wrong weights."""


def content_of(path: str | Path) -> str:
    """Return the SHA-256 checksum of a file's content.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except FileNotFoundError:
        raise D2MError(f"{path}: no such file") from None
    except PermissionError:
        raise D2MError(f"{path}: no permission to read this file") from None
    except OSError as error:
        raise D2MError(f"{path}: cannot be read ({(error.strerror or str(error)).lower()})") from None
    return digest.hexdigest()


def key_of(**parts: object) -> str:
    """Return a file name from plain JSON values; another value of any of them gives another one."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Store:
    """Cache in a folder, which is created when the first entry is written."""

    def __init__(self, folder: str | Path | None = None):
        self.folder = default_folder() if folder is None else Path(folder)

    def get(self, key: str) -> dict[str, np.ndarray] | None:
        """Return the arrays of an entry.

        Args:
            key: key of the entry.

        Returns:
            The arrays by name, or None if there is no readable entry.
        """
        return read_arrays(self._path(key))

    def has(self, key: str) -> bool:
        """Tell whether an entry exists, without reading it.

        Args:
            key: key of the entry.
        """
        return self._path(key).is_file()

    def put(self, key: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Write an entry.

        Args:
            key: key of the entry.
            arrays: arrays by name.

        Raises:
            StopRun: if it cannot be written.
        """
        write_arrays(self._path(key), arrays)

    def get_or_make(
        self, key: str, make: Callable[[], Mapping[str, np.ndarray]], anew: bool = False
    ) -> tuple[dict[str, np.ndarray], bool]:
        """Return an entry, made if need be by one process only, and whether it was made here.

        Args:
            key: key from :func:`key_of`.
            make: what to call for the arrays.
            anew: make it even if it is there.

        Raises:
            StopRun: if it cannot be written; and whatever ``make`` raises.
        """
        if not anew and (found := self.get(key)) is not None:
            return found, False
        with self._alone(key):
            # Another process may have made it while this one waited.
            if not anew and (found := self.get(key)) is not None:
                return found, False
            made = dict(make())
            self.put(key, made)
            return made, True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    @contextlib.contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        from filelock import FileLock

        path = self.folder / "locks" / key
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path)
            # A file system without locks: work may be done twice, but what is written is whole.
            with contextlib.suppress(NotImplementedError):
                lock.acquire()
        except OSError as error:
            raise StopRun(
                f"cannot write to the cache {self.folder}: {error.strerror}; choose one with --cache"
            ) from None
        try:
            yield
        finally:
            # Processes that wait on a removed lock file look for the entry before they compute it.
            with contextlib.suppress(OSError):
                path.unlink()
            lock.release()


def read_arrays(path: Path, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, np.ndarray] | None:
    """Read the arrays of an ``.npz`` of plain data.

    Args:
        path: the file.
        wanted: whether an array of a name is read.

    Returns:
        The arrays by name, or None if it cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # Packed contents may unfold to any size; these files are written unpacked.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                return None
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files if wanted(name)}
    except _DAMAGED:
        return None


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an ``.npz`` atomically.

    Args:
        path: the file.
        arrays: arrays by name.

    Raises:
        StopRun: if it cannot be written.
    """
    from d2m.files.atomic import atomic_write_bytes

    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # NumPy's stub: any name could be allow_pickle
    try:
        atomic_write_bytes(path, content.getvalue())
    except D2MError as error:
        raise StopRun(str(error)) from error
