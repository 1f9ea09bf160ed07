"""Recursive filters whose state goes on from block to block."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter, sosfilt

from d2m.audio.filters import SweptLowpass, highpass, lowpass
from d2m.audio.recursive import FILTER_STEP, filter_block, filter_steps

RATE = 44100
#: Three filters, the first of which rings for long.
CASCADE = np.concatenate([highpass(30.0, RATE), lowpass(9000.0, RATE), lowpass(140.0, RATE, 1)])


def noise(count: int, kind: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((2, count)).astype(kind)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 64 * 16 * 16 * 4 + 7])
@pytest.mark.parametrize(("kind", "error"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_a_block_is_filtered_as_sample_by_sample(count, kind, error):
    wave = noise(count, kind)
    made, _ = filter_block(CASCADE, wave)
    assert made.dtype == kind
    np.testing.assert_allclose(made, sosfilt(CASCADE, wave.astype(np.float64)), atol=error)


@pytest.mark.parametrize("cut", [0, 1, 64, 999, 4096])
def test_the_state_goes_on_to_the_next_block(cut):
    wave = noise(10_000, np.float64)
    whole, end = filter_block(CASCADE, wave)
    first, state = filter_block(CASCADE, wave[:, :cut])
    kept = state.copy()
    second, last = filter_block(CASCADE, wave[:, cut:], state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-11)
    np.testing.assert_allclose(last, end, atol=1e-11)
    np.testing.assert_array_equal(state, kept)


def test_samples_do_not_depend_on_later_ones():
    wave = noise(8192)
    made, _ = filter_block(CASCADE, wave)
    wave[:, 5000:] *= -3.0
    np.testing.assert_array_equal(filter_block(CASCADE, wave)[0][:, :5000], made[:, :5000])


def test_coefficients_may_change_at_every_step():
    wave = noise(6 * FILTER_STEP, np.float64)
    sections = np.concatenate([lowpass(hertz, RATE) for hertz in (200.0, 400.0, 900.0, 2000.0, 5000.0, 300.0)])
    made, end = filter_steps(wave, sections[:, :3], sections[:, 3:])
    expected, state = [], np.zeros((2, 2))
    for number, section in enumerate(sections):
        piece = wave[:, number * FILTER_STEP : (number + 1) * FILTER_STEP]
        out, state = lfilter(section[:3], section[3:], piece, zi=state)
        expected.append(out)
    np.testing.assert_allclose(made, np.concatenate(expected, axis=1), atol=1e-12)
    np.testing.assert_allclose(end, state, atol=1e-12)


def test_a_swept_filter_that_stands_still_is_one_that_moves_no_further():
    wave, steps = noise(4 * SweptLowpass.STEP), np.full(4, 700.0)
    moving = SweptLowpass(RATE)
    moving(wave, np.array([900.0, 800.0, 750.0, 700.0]))
    still = SweptLowpass(RATE)
    still.state = moving.state
    expected, _ = filter_steps(wave, *np.split(np.repeat(moving._sections(steps), 4, axis=0), 2, axis=1), still.state)
    np.testing.assert_allclose(still(wave, steps), expected, atol=1e-6)


@pytest.mark.parametrize("count", [1, 64, 100, 2000, 5000, 20_000])
def test_samples_do_not_depend_on_the_length(count):
    wave = noise(40_000)
    made, _ = filter_block(CASCADE, wave)
    np.testing.assert_array_equal(filter_block(CASCADE, wave[:, :count])[0], made[:, :count])
