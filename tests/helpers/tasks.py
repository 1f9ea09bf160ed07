"""Tasks for worker processes, which import them by name."""

from __future__ import annotations

import os
from collections.abc import Callable


def square_or_die(task: int, tell: Callable[[float], None]) -> int:
    """The square of a task; every fourth ends the process."""
    for step in range(101):
        tell(step / 100)
    if task % 4 == 3:
        os.abort()
    return task * task
