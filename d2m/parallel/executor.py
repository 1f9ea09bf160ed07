"""Executors: where the units of a parallel map run."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias, runtime_checkable

from d2m.errors import D2MError
from d2m.parallel.workers import Crash, Done, Workers

#: Work on one unit: called with the task and a function that takes the share done, 0 to 1. It must not raise.
Function: TypeAlias = Callable[[Any, Callable[[float], None]], Any]


@runtime_checkable
class Executor(Protocol):
    """Place where units run."""

    @property
    def count(self) -> int:
        """Number of units that run at the same time."""

    @property
    def remote(self) -> bool:
        """Whether units may run on other machines."""

    def run(
        self, function: Function, tasks: Iterable[Any], tell: Callable[[Any, float], None]
    ) -> Iterator[tuple[Any, Any]]:
        """Run tasks and yield each with its result or :class:`Crash`, in the order in which they are finished.

        Args:
            function: function of a module's top level.
            tasks: taken one by one as they are needed; a :class:`Done` among them is answered at once.
            tell: called with a task and the share of it that is done.
        """


#: A number of local processes, or an executor.
Parallel: TypeAlias = int | Executor


@dataclass(frozen=True)
class Serial:
    """Run units one after the other in this process."""

    count: int = 1
    remote: bool = False

    def run(
        self, function: Function, tasks: Iterable[Any], tell: Callable[[Any, float], None]
    ) -> Iterator[tuple[Any, Any]]:
        """Run tasks; see :meth:`Executor.run`.

        Args:
            function: function to call.
            tasks: tasks.
            tell: called with a task and the share of it that is done.

        Yields:
            Each task and its result.
        """
        for task in tasks:
            if isinstance(task, Done):
                yield task, task.result
            else:
                yield task, function(task, partial(tell, task))


@dataclass(frozen=True)
class ProcessPool:
    """Run units in local processes; the crash of one of them concerns its unit only.

    Attributes:
        count: number of processes.
    """

    count: int
    remote: bool = False

    def run(
        self, function: Function, tasks: Iterable[Any], tell: Callable[[Any, float], None]
    ) -> Iterator[tuple[Any, Any]]:
        """Run tasks; see :meth:`Executor.run`.

        Args:
            function: function of a module's top level.
            tasks: tasks.
            tell: called with a task and the share of it that is done.

        Yields:
            Each task and its result.
        """
        with Workers(self.count, function) as workers:
            yield from workers.run(tasks, tell)


def executor_of(processes: Parallel, units: int | None = None) -> Executor:
    """Return the executor that ``processes`` stands for.

    Args:
        processes: a number of local processes, or an executor.
        units: number of units, which limits the number of processes.

    Returns:
        The executor; one process, or one unit, is this process.
    """
    if isinstance(processes, Executor):
        return processes
    count = processes if units is None else min(processes, units)
    return ProcessPool(count) if count > 1 else Serial()


def count_of(processes: Parallel) -> int:
    """Return how many units run at the same time.

    Args:
        processes: a number of local processes, or an executor.
    """
    return processes.count if isinstance(processes, Executor) else processes


def each(function: Callable[..., Any], jobs: Sequence[tuple[Any, ...]], processes: Parallel = 1) -> Iterator[Any]:
    """Call a function for many jobs.

    Args:
        function: function of a module's top level.
        jobs: arguments of each call; they and the results travel between processes.
        processes: number of local processes, or an executor. With one process, the jobs are done in order and in this
            process.

    Yields:
        What the function returns for each job, as they become ready.

    Raises:
        D2MError: if a process dies; besides whatever ``function`` raises.
        RuntimeError: as :meth:`Workers.run`.
    """
    executor = executor_of(processes, len(jobs))
    if isinstance(executor, Serial):
        for job in jobs:
            yield function(*job)
        return
    for _, outcome in executor.run(call, ((function, job) for job in jobs), lambda task, share: None):
        if isinstance(outcome, Crash):
            raise D2MError("a process was killed, perhaps because memory ran out; use fewer processes")
        if isinstance(outcome, Raised):
            raise outcome.error from RuntimeError(outcome.trace)
        yield outcome


@dataclass(frozen=True)
class Raised:
    """What a job raised, and its traceback.

    Attributes:
        error: the exception, or one with the same text.
        trace: the traceback, as text.
    """

    error: Exception
    trace: str


def call(task: tuple[Callable[..., Any], tuple[Any, ...]], tell: Callable[[float], None]) -> Any:
    """Do one job of :func:`each`.

    Args:
        task: function, and its arguments.
        tell: not used; a job has no shares.

    Returns:
        What the function returns, or :class:`Raised`.
    """
    function, job = task
    try:
        result = function(*job)
        pickle.dumps(result)
    except Exception as error:
        return Raised(_portable(error), traceback.format_exc())
    return result


def _portable(error: Exception) -> Exception:
    """The error, or one with the same text if it cannot travel between processes."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
