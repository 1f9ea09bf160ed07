"""Tasks for worker processes, which import them by name."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from d2m.datasets.segments import Segments
from d2m.errors import D2MError


def square_or_die(task: int, tell: Callable[[float], None]) -> int:
    """The square of a task; every fourth ends the process."""
    for step in range(101):
        tell(step / 100)
    if task % 4 == 3:
        os.abort()
    return task * task


def negative(number: int) -> int:
    """The negative of a number; two is refused."""
    if number == 2:
        raise D2MError("two cannot be used")
    return -number


def root(number: int) -> float:
    """The square root of a number; that of a negative one is refused."""
    if number < 0:
        raise D2MError(f"{number}: no root")
    return number**0.5


class Odd(Exception):
    """An exception that cannot travel between processes."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


def work(number: int, how: str = "") -> tuple[int, int, str]:
    """The square of a number, the process and its threads; or an end of another kind."""
    if how == "refuse":
        raise D2MError(f"{number} cannot be used")
    if how == "odd":
        raise Odd(number, 1)
    if how == "closure":
        return lambda: number  # type: ignore[return-value]
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number, os.getpid(), os.environ.get("OMP_NUM_THREADS", "")


def fail_or_work(fatal: int, number: int) -> tuple[int, int, str]:
    """:func:`work`, but the number ``fatal`` ends the process, and 4 is refused where ``fatal`` is 99."""
    if number == fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    if fatal == 99 and number == 4:
        raise ValueError("number 4")
    return work(number)


def total(data: Segments, number: int) -> float:
    """The sum of the motion of a segment."""
    return float(data[number].motion.sum())
