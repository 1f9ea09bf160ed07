"""Files at URLs: of any file system that fsspec knows (``s3://``, ``gs://`` …), each with a package of its own."""

from __future__ import annotations

import contextlib
import os
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.extras import require

#: Protocols whose uploads become visible when they are complete.
OBJECTS = frozenset(("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "oci", "oss", "memory", "r2"))
#: Packages that bring a protocol to fsspec; it names the package in its own error, too.
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}


def is_url(place: str | os.PathLike[str]) -> bool:
    """Tell whether a place is a URL, not a path.

    Args:
        place: path or URL.
    """
    return isinstance(place, str) and "://" in place


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it.

    Args:
        url: the URL.

    Raises:
        D2MError: if fsspec or the package for the protocol is not installed.
    """
    require("fsspec", "cluster", "a file at a URL")
    import fsspec

    protocol = url.partition("://")[0]
    try:
        system, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        package = _PACKAGES.get(protocol)
        advice = f"install it with pip install {package}" if package else "use s3://, gs:// or another one of fsspec"
        reason = " ".join(str(error).split())
        raise D2MError(f"{url}: {protocol}:// needs another package ({reason}); {advice}") from None
    return system, path.rstrip("/")


@contextlib.contextmanager
def local_copy(place: str) -> Iterator[Path]:
    """Download the file at a URL for the time of a ``with`` block; a path stands for itself.

    Args:
        place: path or URL of a file.

    Yields:
        Path of a file of the same name.

    Raises:
        D2MError: if it cannot be downloaded.
    """
    if not is_url(place):
        yield Path(place)
        return
    system, path = file_system(place)
    with tempfile.TemporaryDirectory(prefix="d2m-") as folder:
        target = Path(folder) / posixpath.basename(path)
        try:
            with url_errors(place, "read"):
                system.get_file(path, str(target))
        except FileNotFoundError:
            raise D2MError(f"{place}: no such file") from None
        try:
            yield target
        except D2MError as error:
            raise type(error)(str(error).replace(str(target), place)) from error


def files_at(url: str, endings: frozenset[str]) -> dict[str, str]:
    """List the files at a URL: itself, or those below it that have one of the endings.

    Args:
        url: URL of a file or folder.
        endings: endings of the files of a folder, in lower case.

    Returns:
        Identity by URL, in the order of the names.

    Raises:
        D2MError: if nothing is found.
    """
    system, root = file_system(url)
    with url_errors(url, "read"):
        entries = system.find(root, detail=True)
    found = {
        url.rstrip("/") + path[len(root) :]: identity_in(entry)
        for path, entry in sorted(entries.items())
        if path == root or posixpath.splitext(path)[1].lower() in endings
    }
    if not found:
        raise D2MError(f"{url}: nothing is there; give the URL of a video, or of a folder of videos")
    return found


def identity_of(place: str | os.PathLike[str]) -> str:
    """Return size and time of a file, by which another content is recognised without reading it.

    Args:
        place: path; the identity at a URL is found by :func:`files_at`.

    Returns:
        The identity, or "" for a URL and for a file that is not there.
    """
    if is_url(place):
        return ""
    try:
        stat = os.stat(place)
    except OSError:
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def absolute(place: str | os.PathLike[str]) -> str:
    """Return a URL as it is, and a path as an absolute one.

    Args:
        place: path or URL.
    """
    return str(place) if is_url(place) else os.path.abspath(place)


def identity_in(entry: dict[str, Any]) -> str:
    """Return what a file system says about a file's content.

    Args:
        entry: details of the file, as fsspec lists them.
    """
    for name in ("ETag", "etag", "md5Hash", "LastModified", "mtime", "updated", "created"):
        if entry.get(name):
            return f"{entry.get('size')}-{str(entry[name]).strip(chr(34))}"
    return f"{entry.get('size')}-"


@contextlib.contextmanager
def url_errors(url: str, verb: str) -> Iterator[None]:
    """Convert errors of a remote file system to a D2MError; a missing file that is not written stays missing.

    Args:
        url: URL of the file or folder.
        verb: ``"read"``, ``"write"`` or ``"remove"``.
    """
    try:
        yield
    except D2MError:
        raise
    except FileNotFoundError as error:
        if verb != "write":
            raise
        raise D2MError(f"cannot write {url}: no such folder, bucket or file ({error}); check the address") from None
    except PermissionError as error:
        raise D2MError(f"cannot {verb} {url}: no permission ({error}); check the credentials") from None
    except Exception as error:  # each file system has errors of its own
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise D2MError(f"cannot {verb} {url}: {reason}; check address, credentials and connection") from None
