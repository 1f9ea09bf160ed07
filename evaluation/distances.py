"""Distances of sets of recordings in an embedding, with corrections for small sets.

Conventions
-----------
A set is :class:`Embedded`: vectors of windows, each of which belongs to a recording. Windows of one recording resemble
one another, so whatever concerns uncertainty treats whole recordings as the units.

Metrics
-------
* :func:`kernel_distance`: squared maximum mean discrepancy with the cubic kernel of KID or the Gaussian kernel of KAD;
  unbiased (it may be below 0), with a jackknife interval.
* :func:`d2m.evaluation.fidelity.frechet_distance` is biased upwards by small sets, by an amount that depends on the
  music. Two remedies: :func:`frechet_infinity` extrapolates to endless sets, where there are enough windows for that;
  :func:`frechet_against_itself` sets beside it what real music scores against itself at the same number of windows.
* :func:`diversity`: how unlike each other the recordings of one set are.

References
----------
M. Bińkowski, D. J. Sutherland, M. Arbel and A. Gretton, "Demystifying MMD GANs", ICLR 2018, section 4 and appendix D
(kernel distance). Y. Chung et al., "KAD: No More FAD! An Effective and Efficient Evaluation Metric for Audio
Generation", arXiv:2502.15602, 2025 (Gaussian kernel). M. J. Chong and D. Forsyth, "Effectively Unbiased FID and
Inception Score and Where to Find Them", CVPR 2020, section 3 (extrapolation). A. Gui et al., "Adapting Fréchet Audio
Distance for Generative Music Evaluation", ICASSP 2024 (the same for music). B. Efron, "The Jackknife, the Bootstrap and
Other Resampling Plans", 1982.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .fidelity import frechet_distance

#: Windows to each dimension from which on the Fréchet distance is near enough linear in 1 / windows.
PER_DIMENSION = 2
#: Distances at which the line is fitted, and draws averaged at each.
SIZES, DRAWS = 8, 6
#: Kernels of :func:`kernel_distance`, and what KAD's distance is multiplied by.
Kernel = Literal["cubic", "gaussian"]
KAD_FACTOR = 100.0
_Function = Callable[[np.ndarray, np.ndarray], np.ndarray]
#: Random halves of the reference.
SPLITS = 20


@dataclass(frozen=True)
class Embedded:
    """Windows of a set of recordings.

    Attributes:
        names: names of the recordings.
        vectors: float64 (N, D), recording after recording.
        recording: int64 (N,), index into ``names`` of each window, rising.
    """

    names: tuple[str, ...]
    vectors: np.ndarray
    recording: np.ndarray

    @classmethod
    def of(cls, recordings: Sequence[tuple[str, np.ndarray]]) -> Embedded:
        """Make a set from the windows of its recordings.

        Args:
            recordings: names and (windows, D).

        Raises:
            ValueError: if it is empty.
        """
        if not recordings:
            raise ValueError("no recording to compare")
        counts = [len(vectors) for _, vectors in recordings]
        names = tuple(name for name, _ in recordings)
        return cls(names, np.concatenate([v for _, v in recordings]), np.repeat(np.arange(len(names)), counts))

    @property
    def starts(self) -> np.ndarray:
        """Index of the first window of each recording."""
        return np.searchsorted(self.recording, np.arange(len(self.names)))

    @property
    def counts(self) -> np.ndarray:
        """Windows of each recording."""
        return np.bincount(self.recording, minlength=len(self.names))

    def scaled(self, centre: np.ndarray, spread: np.ndarray) -> Embedded:
        """Standardise the windows.

        Args:
            centre: (D,), which is subtracted.
            spread: (D,), by which is divided.
        """
        return Embedded(self.names, (self.vectors - centre) / spread, self.recording)

    def some(self, windows: int, rng: np.random.Generator, among: np.ndarray | None = None) -> np.ndarray:
        """Draw whole recordings in random order until there are enough windows.

        Args:
            windows: number of windows.
            rng: random generator.
            among: recordings to draw from, or None for all.

        Returns:
            (windows, D).
        """
        order = rng.permutation(np.arange(len(self.names)) if among is None else among)
        ends = np.append(self.starts, len(self.vectors))
        chosen = np.concatenate([np.arange(ends[i], ends[i + 1]) for i in order])
        return self.vectors[chosen[:windows]]


@dataclass(frozen=True)
class KernelDistance:
    """Squared maximum mean discrepancy, its standard error, and its 95 % interval (normal)."""

    value: float
    standard_error: float
    interval: tuple[float, float]


def kernel_distance(first: Embedded, second: Embedded, kernel: Kernel = "cubic") -> KernelDistance:
    """Compute a kernel distance of two sets: unbiased squared MMD.

    KID's kernel is cubic, ``(x·y / D + 1)³``. KAD's is Gaussian; its width is the median distance of the windows of
    ``second``, and the result is multiplied by 100.

    Only windows that are independent are compared: neither of one recording nor, between the sets, of recordings of the
    same name (music for the same dance). Standard error: jackknife, all of one name left out at a time.

    Args:
        first, second: the sets.
        kernel: ``"cubic"`` or ``"gaussian"``.

    Raises:
        ValueError: if a set has fewer than two recordings, the sizes differ.
    """
    if min(len(first.names), len(second.names)) < 2:
        raise ValueError("a kernel distance needs at least two recordings in each set")
    if first.vectors.shape[1] != second.vectors.shape[1]:
        raise ValueError("the sets are in different embeddings")
    units = {name: i for i, name in enumerate(dict.fromkeys(first.names + second.names))}
    function, factor = (_cubic, 1.0) if kernel == "cubic" else (_gaussian(second), KAD_FACTOR)
    terms = [_kernel_mean(a, b, units, function) for a, b in ((first, first), (second, second), (first, second))]
    value = factor * (terms[0][0] + terms[1][0] - 2 * terms[2][0])
    without = factor * (terms[0][1] + terms[1][1] - 2 * terms[2][1])
    without = without[np.isfinite(without)]
    error = float(np.sqrt((len(without) - 1) * without.var())) if len(without) > 1 else float("nan")
    return KernelDistance(float(value), error, (float(value - 1.96 * error), float(value + 1.96 * error)))


def _cubic(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first @ second.T / first.shape[1] + 1) ** 3


def _gaussian(reference: Embedded) -> _Function:
    """Gaussian kernel as wide as the median distance of the windows of a set."""
    from scipy.spatial.distance import pdist

    vectors = reference.vectors[:: max(1, len(reference.vectors) // 2000)]
    width = max(float(np.median(pdist(vectors))), 1e-9)

    def function(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        squares = np.square(first).sum(1)[:, None] + np.square(second).sum(1) - 2 * first @ second.T
        return np.exp(-np.maximum(squares, 0) / (2 * width**2))

    return function


def _kernel_mean(
    first: Embedded, second: Embedded, units: dict[str, int], function: _Function
) -> tuple[float, np.ndarray]:
    """Mean of the kernel over windows of different names; and without each name in turn (NaN where none is left)."""
    place = [np.array([units[name] for name in x.names]) for x in (first, second)]
    sums = np.zeros((len(units), len(units)))
    sums[np.ix_(*place)] = _kernel_sums(first, second, function)
    np.fill_diagonal(sums, 0.0)
    counts = np.zeros((2, len(units)))
    counts[0, place[0]], counts[1, place[1]] = first.counts, second.counts
    (a, b), (total_a, total_b) = counts, counts.sum(1)
    pairs = total_a * total_b - a @ b
    left = pairs - a * (total_b - b) - b * (total_a - a)
    with np.errstate(divide="ignore", invalid="ignore"):
        without = (sums.sum() - sums.sum(0) - sums.sum(1)) / np.where(left > 0, left, np.nan)
    return float(sums.sum() / pairs), without


def _kernel_sums(first: Embedded, second: Embedded, function: _Function) -> np.ndarray:
    """Sums of the kernel over the windows of each pair of recordings, (recordings, recordings)."""
    starts = np.append(first.starts, len(first.vectors))
    sums = np.empty((len(first.names), len(second.names)))
    for i, (begin, end) in enumerate(zip(starts[:-1], starts[1:], strict=True)):
        kernel = function(first.vectors[begin:end], second.vectors)
        sums[i] = np.add.reduceat(kernel.sum(0), second.starts)
    return sums


@dataclass(frozen=True)
class Extrapolation:
    """A Fréchet distance for endlessly many windows.

    Attributes:
        value: where the line through distances over 1 / windows meets 0.
        standard_error: standard error of that, from the scatter about the line.
        windows: at which distances were taken, falling.
        distances: their means over draws.
    """

    value: float
    standard_error: float
    windows: tuple[int, ...]
    distances: tuple[float, ...]


def frechet_infinity(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> Extrapolation | None:
    """Return Fréchet distance extrapolated to endless sets (Chong and Forsyth 2020), plain covariances.

    Args:
        first, second: (windows, D).
        rng: draws the windows.

    Returns:
        None with fewer than four windows to each dimension, where no straight line can be relied upon.
    """
    size = first.shape[1]
    most = min(len(first), len(second))
    if most < 2 * PER_DIMENSION * size:
        return None
    counts = np.unique(np.rint(1 / np.linspace(1 / most, 2 / most, SIZES)).astype(int))[::-1]
    distances = [
        np.mean(
            [frechet_distance(_draw(first, count, rng), _draw(second, count, rng), shrink=False) for _ in range(DRAWS)]
        )
        for count in counts
    ]
    x = 1 / counts
    design = np.stack([np.ones(len(x)), x], axis=1)
    (value, slope), *_ = np.linalg.lstsq(design, np.array(distances), rcond=None)
    scatter = np.square(distances - design @ [value, slope]).sum() / max(len(x) - 2, 1)
    error = np.sqrt(scatter * np.linalg.inv(design.T @ design)[0, 0])
    return Extrapolation(float(value), float(error), tuple(map(int, counts)), tuple(map(float, distances)))


def _draw(vectors: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    return vectors[rng.choice(len(vectors), count, replace=False)]


@dataclass(frozen=True)
class Floor:
    """Fréchet distances to one half of the reference, at equal numbers of windows; means over random halves.

    Attributes:
        windows: in each set.
        generated: distance of the generated music.
        reference: distance of the other half of the reference: what real music scores.
        excess: generated less reference, about what the bias leaves.
        interval: 95 % of the halves' excesses.
    """

    windows: int
    generated: float
    reference: float
    excess: float
    interval: tuple[float, float]


def frechet_against_itself(generated: Embedded, reference: Embedded, rng: np.random.Generator) -> Floor | None:
    """Compare the Fréchet distance of generated music with that of real music to itself at the same number of windows.

    Covariances shrunk. Recordings stay whole: none is in both halves, and generated ones of the same name (music for
    the same dance) as one in the half that is compared with are left out too.

    Args:
        generated, reference: the sets.
        rng: random generator.

    Returns:
        None where the reference has fewer than four recordings or a half has fewer than two windows.
    """
    count = len(reference.names)
    half = count // 2
    if count < 4:
        return None
    rows, sizes = [], []
    for _ in range(SPLITS):
        order = rng.permutation(count)
        a, b = order[:half], order[half:]
        counts = reference.counts
        apart = np.flatnonzero(~np.isin(generated.names, np.array(reference.names)[b]))
        windows = int(min(counts[a].sum(), counts[b].sum(), generated.counts[apart].sum()))
        if windows < 2:
            return None
        real, other = reference.some(windows, rng, b), reference.some(windows, rng, a)
        made = generated.some(windows, rng, apart)
        rows.append((frechet_distance(made, real), frechet_distance(other, real)))
        sizes.append(windows)
    table = np.array(rows)
    excess = table[:, 0] - table[:, 1]
    low, high = np.quantile(excess, [0.025, 0.975])
    return Floor(
        round(float(np.mean(sizes))),
        float(table[:, 0].mean()),
        float(table[:, 1].mean()),
        float(excess.mean()),
        (float(low), float(high)),
    )


@dataclass(frozen=True)
class Diversity:
    """Dissimilarity of the recordings of a set.

    Attributes:
        value: mean Euclidean distance of the recordings' mean vectors, over the square root of their size.
        closest: names of the two that are most alike, and their distance; near 0 is one recording twice.
    """

    value: float
    closest: tuple[str, str, float]


def diversity(embedded: Embedded) -> Diversity | None:
    """Compute the intra-set diversity.

    Args:
        embedded: the set.

    Returns:
        The diversity; None for fewer than two recordings.
    """
    from scipy.spatial.distance import pdist, squareform

    if len(embedded.names) < 2:
        return None
    means = np.add.reduceat(embedded.vectors, embedded.starts) / embedded.counts[:, None]
    apart = pdist(means) / np.sqrt(embedded.vectors.shape[1])
    table = squareform(apart)
    np.fill_diagonal(table, np.inf)
    i, j = sorted(map(int, np.unravel_index(table.argmin(), table.shape)))
    return Diversity(float(apart.mean()), (embedded.names[i], embedded.names[j], float(table[i, j])))
