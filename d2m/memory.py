"""Memory of the process."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any


def release_memory() -> None:
    """Return memory that is free, but kept by the C library for later, to the operating system.

    glibc keeps the buffers of pictures in several heaps and in pieces between other objects: after five minutes of
    video 0.7 GB of 1.1 GB were free. Other C libraries than glibc are left alone.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Any | None:
    """glibc's ``malloc_trim``, or None."""
    if sys.platform != "linux":
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)
