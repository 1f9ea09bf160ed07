"""Metrics of sets of recordings: distances in an embedding."""

from __future__ import annotations

import math

import numpy as np

from d2m.evaluation.distances import Kernel, frechet_infinity, kernel_distance
from d2m.evaluation.fidelity import frechet_distance

from .base import Metric, Score, Sets, plain

_SAME = ("shuffled", "scrambled")
_FOOLED = "the right music at the wrong time: the originals of other dances are at 0"


def _frechet(sets: Sets) -> Score:
    """Of the originals themselves, the distance of one half to the other: a set is at 0 from itself."""
    if sets.same:
        return None if sets.floor is None else sets.floor.reference
    return frechet_distance(sets.generated.vectors, sets.reference.vectors)


def _per_value(sets: Sets) -> Score:
    total = _frechet(sets)
    return total / sets.reference.vectors.shape[1] if isinstance(total, float) else None


def _infinity(sets: Sets) -> Score:
    if sets.same:
        return None
    found = frechet_infinity(sets.generated.vectors, sets.reference.vectors, sets.rng)
    if found is None:
        return None
    reach = 1.96 * found.standard_error
    return {"value": found.value, "interval": [found.value - reach, found.value + reach]}


def _halves(sets: Sets) -> Score:
    floor = sets.floor
    if sets.same or floor is None:
        return None
    return {
        "windows": floor.windows,
        "generated": floor.generated,
        "reference": floor.reference,
        "excess": floor.excess,
        "interval": list(floor.interval),
    }


def _kernel(sets: Sets, kernel: Kernel = "cubic") -> Score:
    names = sets.generated.names, sets.reference.names
    if sets.same or min(map(len, names)) < 2 or len({*names[0], *names[1]}) < 3:
        return None
    found = kernel_distance(sets.generated, sets.reference, kernel)
    interval = [float(value) for value in found.interval] if np.isfinite(found.interval).all() else None
    return {"value": plain(float(found.value)), "interval": interval}


FRECHET = Metric(
    "frechet",
    "Fréchet",
    "sets",
    _frechet,
    "lower",
    "total distance to the originals in the embedding, of the ground truth that of its halves; biased upwards "
    "by small sets; shuffled originals are the same set",
    "Dowson and Landau, Journal of Multivariate Analysis 12(3), 1982; Kilgour et al., Fréchet Audio Distance, "
    "Interspeech 2019",
    high=math.inf,
    digits=2,
    headline="Fréchet",
    version="2",
    fooled_by=_FOOLED + "; small sets of unequal size",
    fools=_SAME,
)
FRECHET_PER_VALUE = Metric(
    "frechet_per_value",
    "Fréchet per value",
    "sets",
    _per_value,
    "lower",
    "the Fréchet distance over the number of values of the embedding",
    "d2m.evaluation.fidelity.music_distance",
    high=math.inf,
    column=False,
    fooled_by=_FOOLED + "; comparison of embeddings of unlike sizes",
    fools=_SAME,
)
FRECHET_INFINITY = Metric(
    "frechet_infinity",
    "Fréchet ∞",
    "sets",
    _infinity,
    "lower",
    "Fréchet distance extrapolated to endless sets, 95 % of the line; undefined below four windows to each "
    "value of the embedding",
    "Chong and Forsyth, CVPR 2020, section 3; Gui et al., Adapting Fréchet Audio Distance, ICASSP 2024",
    low=-math.inf,
    high=math.inf,
    digits=2,
    fooled_by=_FOOLED,
    fools=_SAME,
)
HALVES = Metric(
    "halves",
    "over real halves",
    "sets",
    _halves,
    "nearer",
    "distance to one half of the originals less that of the other half; 0 is real music",
    "d2m.evaluation.distances.frechet_against_itself",
    low=-math.inf,
    high=math.inf,
    target=0.0,
    digits=2,
    version="2",
    fooled_by=_FOOLED,
    fools=_SAME,
)
KERNEL = Metric(
    "kernel",
    "kernel distance",
    "sets",
    _kernel,
    "lower",
    "KID: unbiased, squared maximum mean discrepancy with a cubic kernel; 95 %",
    "Bińkowski et al., Demystifying MMD GANs, ICLR 2018, section 4",
    low=-math.inf,
    high=math.inf,
    fooled_by=_FOOLED,
    fools=_SAME,
)
KERNEL_AUDIO = Metric(
    "kernel_audio",
    "kernel audio distance",
    "sets",
    lambda sets: _kernel(sets, "gaussian"),
    "lower",
    "KAD: the same with a Gaussian kernel as wide as the median distance of the originals' windows, times 100; 95 %",
    "Chung et al., KAD: No More FAD!, arXiv:2502.15602, 2025",
    low=-math.inf,
    high=200.0,
    fooled_by=_FOOLED,
    fools=_SAME,
)
