"""Lock that keeps a second process from downloading the same file at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is being downloaded; on a file system without locks, nothing is locked.

    Args:
        path: output file of the download.

    Raises:
        D2MError: if another process is downloading it.
    """
    from filelock import FileLock, Timeout

    file = path.with_name(path.name + ".part.lock")
    lock = FileLock(file)
    try:
        # A file system without locks: both processes download the file, and the last one to finish places it.
        with contextlib.suppress(NotImplementedError):
            lock.acquire(timeout=0)
    except Timeout:
        raise D2MError(f"{path} is being downloaded by another process; wait for it") from None
    try:
        yield
    finally:
        lock.release()
        file.unlink(missing_ok=True)
