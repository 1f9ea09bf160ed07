"""Settings of Python and of the system with which the sound waits for nothing else."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator

#: Seconds after which a thread gives Python's lock to another.
_SWITCH = 0.0001
#: Steps of priority by which the process goes before others, where it may.
_AHEAD = 10


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let no thread hold Python's lock for long during a ``with`` block.

    Threads give the lock away earlier. The garbage collector leaves out the objects that exist at the beginning: to go
    through everything that is loaded takes 50 to 100 ms, in which the lock is held. Where the user has the right, the
    threads that are started in the block have a higher priority, so that whoever holds the lock is not made to wait.
    """
    switch = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    gc.collect()
    gc.freeze()
    try:
        with _ahead():
            yield
    finally:
        gc.unfreeze()
        sys.setswitchinterval(switch)


@contextlib.contextmanager
def _ahead() -> Iterator[None]:
    try:
        before = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, before - _AHEAD)
    except (AttributeError, OSError):  # Windows, or no right to do so
        yield
        return
    try:
        yield
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)


def go_first() -> None:
    """Let this thread run before all others, as threads of sound do, where the user has the right.

    On Linux that is a real-time priority. Elsewhere the sound card's own thread has one already.
    """
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
