"""Real media made on the spot, and the folder of data beside the repository."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browsers import browsers_end_after
from clips import time_shown, write_clip
from repository import ROOT

# Two cores are shared by everything a test starts.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SVT_LOG", "0")
#: Part of a test's time limit after which its browsers are killed; the rest is for the test to end with an error.
BROWSER_SHARE = 0.8


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data beside the repository; the test is skipped where there is none."""
    folder = ROOT.parent / "shared"
    if not (folder / "clips").is_dir():
        pytest.skip("needs the data folder ../shared beside the repository")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that read the folder of data, so that ``-m "not shared"`` leaves them out."""
    for item in items:
        if "shared" in getattr(item, "fixturenames", ()):
            item.add_marker("shared")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Kill the browsers of a test, with its fixtures, that is about to reach its time limit."""
    if not item.get_closest_marker("browser"):
        return (yield)
    marker = item.get_closest_marker("timeout")
    limit = float(marker.args[0] if marker else item.config.getini("timeout"))
    with browsers_end_after(BROWSER_SHARE * limit):
        return (yield)


@pytest.fixture(scope="session")
def clip() -> Callable[..., Path]:
    """The function that writes a clip: :func:`~clips.write_clip`."""
    return write_clip


@pytest.fixture(scope="session")
def shown() -> Callable[[np.ndarray, float], float]:
    """The function that reads a picture's time: :func:`~clips.time_shown`."""
    return time_shown


@pytest.fixture(scope="session")
def tone() -> Callable[..., np.ndarray]:
    """``tone(seconds, hertz, sample_rate=44100, level=0.3)`` makes a sine, float32 (1, samples)."""

    def make(seconds: float, hertz: float, sample_rate: int = 44100, level: float = 0.3) -> np.ndarray:
        phase = 2 * math.pi * hertz * np.arange(round(seconds * sample_rate)) / sample_rate
        return (level * np.sin(phase)).astype(np.float32)[None]

    return make
