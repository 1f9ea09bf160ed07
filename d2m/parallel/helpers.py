"""Helper processes that share jobs with this one, and load what they need while this process prepares the jobs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from d2m.parallel.executor import Raised, call
from d2m.parallel.workers import Crash, Workers


class Helpers:
    """Processes that share jobs with this one; they end with the ``with`` block.

    A helper that cannot be started or dies leaves its job to this process.
    """

    def __init__(self, count: int, function: Callable[..., Any], first: tuple[Any, ...]) -> None:
        """Start the processes.

        Args:
            count: number of processes; with 0, this process does all jobs.
            function: function of a module's top level, which does the jobs.
            first: arguments of a job that each process does as soon as it is started, to load what the others need;
                what it returns or raises is not used.
        """
        self._function = function
        self._first = first
        self._jobs: queue.SimpleQueue[tuple[int, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._ended = False
        self._pools = [Workers(1, call) for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._lead, args=(pool,), name="d2m helper", daemon=True) for pool in self._pools
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Helpers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended = True
        for pool in self._pools:
            self._jobs.put(None)
            pool.terminate()
        for thread in self._threads:
            thread.join()

    def share(self, jobs: Sequence[tuple[Any, ...]], here: Callable[..., Any]) -> Iterator[tuple[int, Any]]:
        """Do jobs in this process and the helpers, each where there is time.

        Args:
            jobs: arguments of each job; those for helpers and their results travel between processes.
            here: does a job in this process; it returns the same as the function of the helpers.

        Yields:
            The index of each job and its result, as they become ready.

        Raises:
            Exception: what a job raises; other jobs may then be left, so that this must not be called again.
        """
        for job in enumerate(jobs):
            self._jobs.put(job)
        for _ in jobs:
            index, outcome = self._next(here)
            if isinstance(outcome, Crash):
                outcome = here(*jobs[index])
            if isinstance(outcome, Raised):
                raise outcome.error from RuntimeError(outcome.trace)
            yield index, outcome

    def _next(self, here: Callable[..., Any]) -> tuple[int, Any]:
        """Return a result of a helper if there is one, else do a job here, else wait for a helper."""
        try:
            return self._results.get_nowait()
        except queue.Empty:
            pass
        try:
            taken = self._jobs.get_nowait()
        except queue.Empty:
            return self._results.get()
        assert taken is not None  # put at the end of the block only
        index, job = taken
        return index, here(*job)

    def _lead(self, pool: Workers) -> None:
        """Give jobs to one process until the end, or until it dies."""
        current: int | None = None

        def tasks() -> Iterator[tuple[Callable[..., Any], tuple[Any, ...]]]:
            nonlocal current
            yield self._function, self._first
            while (taken := self._jobs.get()) is not None and not self._ended:
                current = taken[0]
                yield self._function, taken[1]

        with pool:
            try:
                for _, outcome in pool.run(tasks(), lambda task, share: None):
                    if current is not None:
                        self._results.put((current, outcome))
                        current = None
                    if isinstance(outcome, Crash):
                        return
            except (RuntimeError, OSError):  # the process could not be started
                if current is not None:
                    self._results.put((current, Crash(None)))
