"""Parallel map of the package: one function over many units, in this process, in local processes or on a Ray cluster.

:func:`each` calls a function for many jobs. :meth:`Executor.run` is the map below it, for callers that handle crashes
and progress themselves. What is given as ``processes`` is a number of local processes or an :class:`Executor`; the
calls are the same for all. :class:`Helpers` are processes that share jobs with this one.
"""

from __future__ import annotations

from d2m.parallel.executor import Executor, Parallel, ProcessPool, Serial, count_of, each, executor_of
from d2m.parallel.helpers import Helpers
from d2m.parallel.workers import Crash, Done, Workers, cores

__all__ = [
    "Crash",
    "Done",
    "Executor",
    "Helpers",
    "Parallel",
    "ProcessPool",
    "Serial",
    "Workers",
    "cores",
    "count_of",
    "each",
    "executor_of",
]
