"""Mastering in blocks: the result does not depend on their size."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.audio.dynamics import STEP
from d2m.audio.loudness import KWeighting, k_weighted
from d2m.audio.mastering import finish, mastering

RATE = 44100


def bursts(samples: int) -> np.ndarray:
    """Noise whose level changes, float32 (2, samples)."""
    random = np.random.default_rng(1)
    level = np.repeat(random.random(samples // 3000 + 1), 3000)[:samples]
    return (0.3 * level * random.standard_normal((2, samples))).astype(np.float32)


@pytest.mark.parametrize("measured", [None, 1.3])
@pytest.mark.parametrize("samples", [3 * RATE, 3 * RATE + 17, 50 * STEP])
def test_mastering_does_not_depend_on_the_size_of_its_blocks(monkeypatch, samples, measured):
    mix = bursts(samples)
    whole = mastering(mix, RATE, samples / RATE, measured=measured).apply(mix)
    monkeypatch.setattr("d2m.audio.mastering._BLOCK", 5 * STEP)
    np.testing.assert_array_equal(mastering(mix, RATE, samples / RATE, measured=measured).apply(mix), whole)
    assert np.abs(whole).max() > 0.1


def test_weighting_does_not_depend_on_the_size_of_its_blocks():
    mix = bursts(RATE)
    weight = KWeighting(RATE, 2, mix.dtype)
    np.testing.assert_array_equal(
        np.concatenate([weight(mix[:, :999]), weight(mix[:, 999:])], axis=1), k_weighted(mix, RATE)
    )


def test_an_empty_mix_is_finished_without_gains():
    assert finish(np.zeros((2, 0), np.float32), RATE).gain.tolist() == [1.0]
