"""Atomic file writing: files are written under a temporary name beside their own, then renamed."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], make_folder: bool = True) -> Iterator[Path]:
    """Yield a temporary name beside ``path`` with the same suffix; the file written there is renamed at the end.

    Whatever goes wrong, also on Ctrl-C, the temporary file is removed and a file that ``path`` named before stays.

    Args:
        path: where to.
        make_folder: make the folder if it is missing.

    Raises:
        D2MError: if the folder is missing or not writable, ``path`` is a folder, or the disk is full.
    """
    path = Path(path)
    # A long name, with what is put before it, could be longer than file systems take.
    temporary = path.with_name(f".{path.stem[:80]}.{secrets.token_hex(4)}{path.suffix}")
    try:
        with io_errors(path):
            if path.is_dir():
                raise D2MError(f"cannot write {path}: it is a folder; give the name of a file")
            if make_folder:
                path.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(exist_ok=False)
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def atomic_write_bytes(path: str | os.PathLike[str], content: bytes, make_folder: bool = True) -> None:
    """Write a file atomically; see :func:`atomic_write`.

    Args:
        path: the output file.
        content: bytes.
        make_folder: create missing folders.
    """
    with atomic_write(path, make_folder) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def io_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Convert errors of the file system in a ``with`` block to a D2MError.

    Args:
        path: the output file.
    """
    try:
        yield
    except FileNotFoundError:
        raise D2MError(f"cannot write {path}: the folder {Path(path).parent} does not exist; make it first") from None
    except PermissionError:
        raise D2MError(f"cannot write {path}: no permission to write there; choose another folder") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise D2MError(f"cannot write {path}: the disk is full; free some space or choose another folder") from None
        reason = (error.strerror or str(error)).lower()
        raise D2MError(f"cannot write {path}: {reason}; choose another folder") from None
