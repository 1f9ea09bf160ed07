"""Recursive filters over blocks of samples, with states that go on from block to block.

States are those of the transposed direct form II, two values for each second-order section.
"""

from __future__ import annotations

import numpy as np

#: Samples between two settings of a filter that moves.
FILTER_STEP = 64


def filter_block(
    sections: np.ndarray, block: np.ndarray, state: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Filter a block of several channels.

    Args:
        sections: float (n, 6), second-order sections as :func:`scipy.signal.sosfilt` takes them.
        block: float32 or float64 (channels, samples).
        state: float64 (channels, 2 * n), what the filter holds; None for the beginning. It is not written into.

    Returns:
        The filtered block, of the same shape and type, and the state after it.
    """
    from scipy.signal import sosfilt

    channels, count = block.shape
    held = np.zeros((channels, 2 * len(sections))) if state is None else state
    if not count:
        return block, held
    before = held.reshape(channels, -1, 2).transpose(1, 0, 2)
    out, after = sosfilt(sections, block, axis=-1, zi=before)
    return out.astype(block.dtype, copy=False), after.transpose(1, 0, 2).reshape(channels, -1)


def filter_steps(
    block: np.ndarray, top: np.ndarray, bottom: np.ndarray, state: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Filter a block with other second-order coefficients in each step of :data:`FILTER_STEP` samples.

    All steps are filtered at once from silence, and so are their responses to the two values that the filter holds at
    the beginning of a step; then these values are found step by step.

    Args:
        block: float (channels, steps * FILTER_STEP).
        top, bottom: numerators and denominators (steps, 3), the denominators beginning with 1.
        state: float64 (channels, 2) or None, as of :func:`filter_block`.

    Returns:
        float64 (channels, samples), the filtered block, and the state after it.
    """
    channels, steps = len(block), len(top)
    if state is None:
        state = np.zeros((channels, 2))
    waves = np.ascontiguousarray(block.reshape(channels, steps, FILTER_STEP).transpose(2, 0, 1), np.float64)
    fall, fall_later = -bottom[:, 1], -bottom[:, 2]
    # Rows: the channels, and free from states (1, 0) and (0, 1).
    one, two = np.zeros((channels + 2, steps)), np.zeros((channels + 2, steps))
    one[-2], two[-1] = 1.0, 1.0
    sound = np.empty((len(waves), channels + 2, steps))
    for wave, now in zip(waves, sound, strict=True):
        now[:] = one
        now[:-2] += wave * top[:, 0]
        np.multiply(fall, now, out=one)
        one += two
        one[:-2] += wave * top[:, 1]
        np.multiply(fall_later, now, out=two)
        two[:-2] += wave * top[:, 2]
    begins = np.empty((2, channels, steps))
    after = np.empty((channels, 2))
    free = np.stack([one[-2], one[-1], two[-2], two[-1]], axis=1).tolist()
    for channel in range(channels):
        begins[:, channel], after[channel] = _step_states(free, one[channel], two[channel], state[channel])
    filtered = sound[:, :-2]
    filtered += sound[:, -2:-1] * begins[0]
    filtered += sound[:, -1:] * begins[1]
    return filtered.transpose(1, 2, 0).reshape(channels, -1), after


def _step_states(
    free: list[list[float]], one: np.ndarray, two: np.ndarray, state: np.ndarray
) -> tuple[np.ndarray, list[float]]:
    """Find the states (2, steps) at the beginnings of steps of one channel, and the last one's end."""
    first, second = state.tolist()
    begun = []
    for (a, b, c, d), added, added_later in zip(free, one.tolist(), two.tolist(), strict=True):
        begun.append((first, second))
        first, second = added + a * first + b * second, added_later + c * first + d * second
    return np.array(begun).reshape(-1, 2).T, [first, second]
