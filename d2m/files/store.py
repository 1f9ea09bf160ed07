"""Stores: results in a folder, or below a URL of any file system that fsspec knows (``s3://``, ``gs://`` …).

Objects are written as a whole: a folder gets each file under a temporary name that is then renamed, a store of objects
shows an object when its upload is complete. Several files of one result are written in their order, so that the last
one proves the others.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write, atomic_write_bytes
from d2m.files.url import OBJECTS, file_system, identity_in, identity_of, is_url, url_errors


class Store(Protocol):
    """Place for results; instances are sent to other processes."""

    @property
    def place(self) -> str:
        """Path or URL."""

    def names(self, below: str = "") -> dict[str, str]:
        """Return the files below a folder of the store.

        Args:
            below: name of a folder, or "" for all.

        Returns:
            Identity (size and time, or the checksum that the file system keeps) by name.
        """

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of a file, or None if it is missing or longer than the limit.

        Args:
            name: name of the file.
            limit: maximum number of bytes.
        """

    def put(self, name: str, content: bytes) -> None:
        """Write a file.

        Args:
            name: name of the file.
            content: its bytes.
        """

    def put_files(self, folder: Path, names: Sequence[str]) -> None:
        """Move files of a local folder to the store, in their order.

        Args:
            folder: local folder.
            names: names, the same in the store.
        """

    def remove(self, name: str) -> None:
        """Remove a file if it is there.

        Args:
            name: name of the file.
        """

    def path(self, name: str) -> str:
        """Return the path or URL of a file.

        Args:
            name: name of the file.
        """


@dataclass(frozen=True)
class FolderStore:
    """Results in a folder, which is made with the first file."""

    place: str

    def names(self, below: str = "") -> dict[str, str]:
        """Return the files below a folder; see :class:`Store`.

        Args:
            below: name of a folder, or "" for all.

        Returns:
            Size and time by name.
        """
        root, found = Path(self.place), {}
        for folder, inner, files in os.walk(root / below):
            inner[:] = [name for name in inner if not name.startswith(".")]
            for name in files:
                path = Path(folder) / name
                found[path.relative_to(root).as_posix()] = identity_of(path)
        return found

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of a file; see :class:`Store`.

        Args:
            name: name of the file.
            limit: maximum number of bytes.
        """
        try:
            with open(self.path(name), "rb") as file:
                content = file.read(limit + 1)
        except OSError:
            return None
        return content if len(content) <= limit else None

    def put(self, name: str, content: bytes) -> None:
        """Write a file atomically.

        Args:
            name: name of the file.
            content: its bytes.
        """
        atomic_write_bytes(self.path(name), content)

    def put_files(self, folder: Path, names: Sequence[str]) -> None:
        """Move files to the folder, in their order.

        Args:
            folder: local folder.
            names: names, the same in the store.
        """
        for name in names:
            with atomic_write(self.path(name)) as part:
                shutil.copyfile(folder / name, part)

    def remove(self, name: str) -> None:
        """Remove a file if it is there.

        Args:
            name: name of the file.
        """
        Path(self.path(name)).unlink(missing_ok=True)

    def path(self, name: str) -> str:
        """Return the path of a file.

        Args:
            name: name of the file.
        """
        return str(Path(self.place) / name)


@dataclass(frozen=True)
class UrlStore:
    """Results below a URL."""

    place: str

    def names(self, below: str = "") -> dict[str, str]:
        """Return the files below a folder; see :class:`Store`.

        Args:
            below: name of a folder, or "" for all.

        Returns:
            Identity by name.
        """
        system, root = file_system(self.place)
        with url_errors(self.place, "read"):
            entries = system.find(posixpath.join(root, below) if below else root, detail=True)
        return {path[len(root) :].lstrip("/"): identity_in(entry) for path, entry in entries.items()}

    def read(self, name: str, limit: int) -> bytes | None:
        """Return the content of a file; see :class:`Store`.

        Args:
            name: name of the file.
            limit: maximum number of bytes.
        """
        system, root = file_system(self.place)
        try:
            with url_errors(self.place, "read"), system.open(posixpath.join(root, name), "rb") as file:
                content = file.read(limit + 1)
        except FileNotFoundError:
            return None
        return content if len(content) <= limit else None

    def put(self, name: str, content: bytes) -> None:
        """Write a file.

        Args:
            name: name of the file.
            content: its bytes.
        """
        with tempfile.TemporaryDirectory(prefix="d2m-") as folder:
            (Path(folder) / Path(name).name).write_bytes(content)
            self._upload(Path(folder) / Path(name).name, name)

    def put_files(self, folder: Path, names: Sequence[str]) -> None:
        """Upload files of a local folder, in their order.

        Args:
            folder: local folder.
            names: names, the same in the store.
        """
        for name in names:
            self._upload(folder / name, name)

    def remove(self, name: str) -> None:
        """Remove a file if it is there.

        Args:
            name: name of the file.
        """
        system, root = file_system(self.place)
        with contextlib.suppress(FileNotFoundError), url_errors(self.path(name), "remove"):
            system.rm_file(posixpath.join(root, name))

    def path(self, name: str) -> str:
        """Return the URL of a file.

        Args:
            name: name of the file.
        """
        return f"{self.place.rstrip('/')}/{name}"

    def _upload(self, file: Path, name: str) -> None:
        system, root = file_system(self.place)
        target = posixpath.join(root, name)
        with url_errors(self.path(name), "write"):
            if self.place.partition("://")[0] in OBJECTS:
                system.put_file(str(file), target)
                return
            system.makedirs(posixpath.dirname(target), exist_ok=True)
            part = posixpath.join(posixpath.dirname(target), f".{secrets.token_hex(4)}-{posixpath.basename(target)}")
            try:
                system.put_file(str(file), part)
                system.mv(part, target)
            except BaseException:
                with contextlib.suppress(Exception):
                    system.rm_file(part)
                raise


def open_store(place: str | os.PathLike[str]) -> Store:
    """Return the store at a path or URL; nothing is written.

    Args:
        place: path or URL.

    Raises:
        D2MError: if the path is a file, or no installed package knows the protocol of the URL.
    """
    if is_url(place):
        file_system(str(place))
        return UrlStore(str(place).rstrip("/"))
    if Path(place).exists() and not Path(place).is_dir():
        raise D2MError(f"{place}: this is a file; -o takes a folder")
    return FolderStore(os.fspath(place))
