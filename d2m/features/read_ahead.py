"""Compute the next items of an iteration in another thread while the last one is processed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item], count: int = 2) -> Iterator[Item]:
    """Compute the items of an iterator in another thread.

    Worth it where making and using them both let go of Python's lock, as decoding pictures and looking at them do.

    Args:
        items: the iterator.
        count: maximum number of items that are computed ahead.

    Yields:
        The items in order.
    """
    end = object()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        waiting = deque(thread.submit(next, items, end) for _ in range(max(count, 1)))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, items, end))
                yield item  # type: ignore[misc]
        finally:
            for made in waiting:
                made.cancel()
