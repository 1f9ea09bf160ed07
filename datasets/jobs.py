"""Run jobs in several processes, and log them to a file."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from d2m.errors import D2MError


def each(function: Callable[..., Any], jobs: list[tuple], processes: int) -> Iterator[Any]:
    """What ``function`` gives for each job's arguments, as they become ready.

    Args:
        function: function of a module's top level.
        jobs: arguments; they and the results travel between processes.
        processes: how many work at a time; with one, in order and in this process.

    Raises:
        D2MError: if a process dies; besides whatever ``function`` raises.
    """
    if processes == 1 or len(jobs) < 2:
        yield from (function(*job) for job in jobs)
        return
    from multiprocessing import get_context

    # spawn: a fork would copy the threads of whatever library is loaded, and may hang
    with ProcessPoolExecutor(min(processes, len(jobs)), mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(function, *job) for job in jobs]
        try:
            for future in as_completed(waiting):
                yield future.result()
        except BrokenProcessPool as error:
            raise D2MError("a process was killed, perhaps because memory ran out; use fewer processes") from error
        finally:
            pool.shutdown(cancel_futures=True)


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
