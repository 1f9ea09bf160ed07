"""Free memory goes back to the system, and long music is not copied."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from d2m.audio.mastering import mastering
from d2m.memory import release_memory

RATE = 44100


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_between_objects_that_stay_is_given_back():
    held = [np.ones(8000) for _ in range(3000)]
    stay = held[::50]
    full = resident()
    held.clear()
    release_memory()
    assert full - resident() > 0.5 * 3000 * 64000
    assert len(stay) == 60


def test_other_systems_are_left_alone(monkeypatch):
    from d2m import memory

    memory._trim.cache_clear()
    monkeypatch.setattr(sys, "platform", "darwin")
    try:
        assert memory._trim() is None
        release_memory()
    finally:
        memory._trim.cache_clear()


@pytest.mark.parametrize("longer", [0, 5000, -5000])
def test_mastering_in_place_gives_the_same_samples(longer):
    samples = 3 * RATE
    mix = (0.2 * np.random.default_rng(0).standard_normal((2, samples + longer)) + 0.01).astype(np.float32)
    gains = mastering(mix, RATE, samples / RATE)
    expected = gains.apply(mix)
    assert not np.shares_memory(expected, mix)
    found = gains.apply_in_place(mix)
    np.testing.assert_array_equal(found, expected)
    # A mix that is too short needs a longer array.
    assert np.shares_memory(found, mix) == (longer >= 0)
    assert found.shape == (2, samples)
