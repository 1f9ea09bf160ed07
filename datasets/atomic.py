"""Files that are complete or absent."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path`` with the same suffix; renames it to ``path`` if all goes well.

    The folder is created if need be. Whatever goes wrong, the temporary file is removed.

    Raises:
        D2MError: if the file cannot be written.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        raise D2MError(f"cannot write {path}: {error.strerror or error}; choose a folder with space") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
