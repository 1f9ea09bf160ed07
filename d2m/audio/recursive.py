"""Recursive filters by array operations: second-order sections over a block of samples.

A recursive filter computes one sample from the last ones, which array operations cannot do directly. A row of samples,
however, is a linear function of the same row of the input and of the state at its beginning, and so are the states at
the beginnings of the rows of that of the first one. Both are computed as matrix products. States are those of the
transposed direct form II.

References:
    C. S. Burrus, "Block realization of digital filters" (IEEE Transactions on Audio and Electroacoustics 20, 1972).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

#: Samples of a row; blocks of whole rows are filtered in the least time.
ROW = 64
#: Rows of a group, and groups of a larger group.
_GROUP = 16
#: Samples between two settings of a filter that moves.
FILTER_STEP = 64
#: Rows of one product of matrices, and its multiplications: with more, BLAS shares the work among threads.
_MOST_ROWS, _MOST_PRODUCTS = 32, 1 << 18


@dataclass(frozen=True)
class _Rows:
    """Matrices of a filter for a row; states are rows of ``m`` values, two for each section.

    Attributes:
        direct: (row, row), input to output from the state 0, in the type of the samples.
        free: (m, row), state to output without input, in the same type.
        driven: (row, m), input to the state at the end of the row, in the same type.
        powers: float64 (row + 1, m, m), state to the state after so many samples.
        groups: matrices that find the states of rows, of groups of rows and so on.
    """

    direct: np.ndarray
    free: np.ndarray
    driven: np.ndarray
    powers: np.ndarray
    groups: tuple[_Group, ...]


@dataclass(frozen=True)
class _Group:
    """Matrices for the states of a group of rows, all float64.

    Attributes:
        once: (m, m), state to the state one row later.
        ends: (group * m, m), what the rows add to the state at the end of the group.
        driven: (group * m, group * m), what they add to the states at the beginnings of the later rows.
        free: (m, group * m), state at the beginning of the group to those of its rows.
    """

    once: np.ndarray
    ends: np.ndarray
    driven: np.ndarray
    free: np.ndarray


def product(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply matrices in batches of one size, small enough for BLAS to compute each in one thread.

    So a row's product depends neither on the number of rows, for which BLAS has kernels that round differently, nor on
    that of processors.

    Args:
        rows: (n, k).
        matrix: (k, m).

    Returns:
        (n, m), of the type of the rows.
    """
    batch = min(_MOST_ROWS, 1 << (_MOST_PRODUCTS // matrix.size).bit_length() - 1)
    count = -(-len(rows) // batch) * batch
    if count != len(rows):
        padded = np.zeros((count, rows.shape[1]), rows.dtype)
        padded[: len(rows)] = rows
    else:
        padded = rows
    out = np.empty((count, matrix.shape[1]), rows.dtype)
    np.matmul(padded.reshape(-1, batch, rows.shape[1]), matrix, out=out.reshape(-1, batch, matrix.shape[1]))
    return out[: len(rows)]


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
    rows = _rows(np.asarray(sections, np.float64).tobytes(), block.dtype.str)
    channels, count = block.shape
    if state is None:
        state = np.zeros((channels, 2 * len(sections)))
    if not count:
        return block, state
    whole = count // ROW
    # The last samples that fill no row are filtered as a row that ends in zeros.
    total = -(-count // ROW)
    source = np.ascontiguousarray(block)
    if total * ROW != count:
        source = np.zeros((channels, total * ROW), block.dtype)
        source[:, :count] = block
    source = source.reshape(channels * total, ROW)
    added = product(source, rows.driven).reshape(channels, total, -1).astype(np.float64)
    begins = _begins(added, state, rows.groups)
    out = product(source, rows.direct)
    out += product(begins.reshape(channels * total, -1).astype(block.dtype), rows.free)
    rest = count - whole * ROW
    if rest:
        ends = begins[:, whole] @ rows.powers[rest]
        ends += source.reshape(channels, total, ROW)[:, whole, :rest] @ rows.driven[ROW - rest :]
    else:
        ends = begins[:, -1] @ rows.powers[ROW] + added[:, -1]
    return out.reshape(channels, -1)[:, :count], ends


def _begins(added: np.ndarray, state: np.ndarray, groups: tuple[_Group, ...]) -> np.ndarray:
    """Find the states at the beginnings of rows.

    Args:
        added: float64 (channels, rows, m), what each row adds to the state at its end.
        state: (channels, m), the state at the beginning of the first row.
        groups: matrices for these rows, and for larger groups; those of the last one are found one by one.

    Returns:
        float64 (channels, rows, m).
    """
    channels, count, size = added.shape
    group = groups[0]
    if len(groups) == 1:
        begins = np.empty_like(added)
        for number in range(count):
            begins[:, number] = state
            state = state @ group.once + added[:, number]
        return begins
    many = -(-count // _GROUP)
    if many * _GROUP != count:
        padding = np.zeros((channels, many * _GROUP - count, size))
        added = np.concatenate([added, padding], axis=1)
    grouped = added.reshape(channels * many, _GROUP * size)
    ends = product(grouped, group.ends).reshape(channels, many, size)
    first = _begins(ends, state, groups[1:])
    begins = product(grouped, group.driven) + product(first.reshape(channels * many, size), group.free)
    return begins.reshape(channels, many * _GROUP, size)[:, :count]


@lru_cache(maxsize=256)
def _rows(sections: bytes, kind: str) -> _Rows:
    """Compute the matrices of float64 sections for samples of a type."""
    table = np.frombuffer(sections).reshape(-1, 6)
    table = table / table[:, 3:4]
    size = 2 * len(table)
    # All states of value 1, and at last an impulse without a state.
    states = np.eye(size + 1, size)
    signal = np.zeros((size + 1, ROW))
    signal[-1, 0] = 1.0
    powers, output = [states], np.empty((size + 1, ROW))
    for at in range(ROW):
        output[:, at], states = _one_sample(table, signal[:, at], states)
        powers.append(states)
    after = np.array(powers)
    answer = output[-1]
    direct = np.array([np.concatenate([np.zeros(at), answer[: ROW - at]]) for at in range(ROW)])
    driven = after[ROW - np.arange(ROW), -1]
    steps = after[:, :-1]
    samples = np.dtype(kind)
    return _Rows(direct.astype(samples), output[:-1].astype(samples), driven.astype(samples), steps, _groups(steps[-1]))


def _one_sample(table: np.ndarray, sample: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run sections (transposed direct form II) for one sample of each signal: its output and the new states."""
    after = np.empty_like(states)
    for number, (b0, b1, b2, _, a1, a2) in enumerate(table):
        one, two = states[:, 2 * number], states[:, 2 * number + 1]
        out = b0 * sample + one
        after[:, 2 * number] = b1 * sample - a1 * out + two
        after[:, 2 * number + 1] = b2 * sample - a2 * out
        sample = out
    return sample, after


def _groups(once: np.ndarray) -> tuple[_Group, ...]:
    """Compute the matrices of groups of rows, of groups of groups, and of groups of those."""
    found, size = [], len(once)
    for _ in range(3):
        powers = [np.eye(size)]
        for _ in range(_GROUP):
            powers.append(powers[-1] @ once)
        driven = np.zeros((_GROUP, size, _GROUP, size))
        for source in range(_GROUP):
            for target in range(source + 1, _GROUP):
                driven[source, :, target] = powers[target - 1 - source]
        ends = np.concatenate(powers[_GROUP - 1 :: -1])
        free = np.concatenate(powers[:_GROUP], axis=1)
        found.append(_Group(once, ends, driven.reshape(_GROUP * size, _GROUP * size), free))
        once = powers[_GROUP]
    return tuple(found)


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
