"""Log files of long runs."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError


@contextlib.contextmanager
def file_log(path: Path) -> Iterator[logging.Logger]:
    """Open a log file for appending, each line with its time.

    Args:
        path: the file.

    Yields:
        The logger.

    Raises:
        D2MError: if the file cannot be written.
    """
    log = logging.getLogger(f"{__name__}.{os.getpid()}.{path}")
    log.setLevel(logging.INFO)
    log.propagate = False
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise D2MError(f"cannot write {path}: {error.strerror or error}") from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log.addHandler(handler)
    try:
        yield log
    finally:
        handler.close()
        log.removeHandler(handler)
