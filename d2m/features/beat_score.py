"""F-measure of beats, which training and evaluation share."""

from __future__ import annotations

import numpy as np

from d2m.extras import require

#: Distance within which a beat is right, seconds.
TOLERANCE = 0.07


def beat_f_measure(reference: np.ndarray, estimated: np.ndarray, tolerance: float = TOLERANCE) -> float:
    """Compute the F-measure of beats; each beat is matched at most once (mir_eval's matching).

    Args:
        reference, estimated: times in seconds.
        tolerance: seconds.

    Returns:
        0 to 1.
    """
    require("mir_eval", "evaluate", "the F-measure of beats")
    from mir_eval import util

    reference, estimated = np.asarray(reference, float), np.asarray(estimated, float)
    if not len(reference) or not len(estimated):
        return 0.0
    hits = len(util.match_events(reference, estimated, tolerance))
    return float(util.f_measure(hits / len(estimated), hits / len(reference)))
