"""Lock that keeps a second process from downloading the same file at the same time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that is being downloaded; without locks on the platform, nothing is locked.

    Args:
        path: output file of the download.

    Raises:
        D2MError: if another process is downloading it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    lock = path.with_name(path.name + ".part.lock")
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise D2MError(f"{path} is being downloaded by another process; wait for it") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
