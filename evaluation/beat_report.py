"""Beat metrics of generated music against the original music of the same dances: the published and stricter ones.

For each pair of recordings the metrics of the group "beats" (:mod:`d2m.evaluation.metrics`):

* ``d2m_coverage``, ``d2m_hit``: beat coverage and hit of D2M-GAN's script; its table has their means.
* ``bcs``, ``bhs``: coverage and hit of LORIS's script; its table has their means, their standard deviations over the
  pairs (``csd``, ``hsd``, n - 1: none for a single pair) and the harmonic mean of the two means (``f1``).
* ``onset_f``, ``beat_f``: F-measure of onsets and of tracked beats at 70 ms (mir_eval, including the beginning).
* ``continuity``: CMLc, CMLt, AMLc and AMLt of the tracked beats.
* ``tempo_ratio``: tempo of the generated music over that of the reference.

A score that is undefined (for example, for a reference without onsets) is None, is explained in the pair's ``notes``
and left out of that score's mean; ``counted`` is the number of pairs of each mean. A generated recording without beats
scores 0. The tempo ratio of music without beats is None.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from d2m.parallel import Parallel

from . import metrics
from .beats import TOLERANCE
from .metrics.base import BeatPair
from .recordings import Pairs, measure, pair, read
from .rhythm_features import RhythmFeatures, rhythm_features

#: Difference in length of a pair in seconds above which the report has a note.
SAME_LENGTH = 0.1


def evaluate_beats(
    reference: str | os.PathLike[str],
    generated: str | os.PathLike[str],
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Score generated recordings against their references.

    Args:
        reference, generated: two files, or two folders whose files pair by name.
        processes: number of local processes, or an executor.
        progress: called with the pairs done and their number.

    Returns:
        Plain JSON values: ``pairs``, ``mean``, ``counted``, ``failed`` (name and error of pairs that could not be
        measured), ``unpaired`` (files of either side without a partner), ``tolerance`` in seconds, ``metrics`` (their
        titles, units, directions and sources).

    Raises:
        D2MError: if a place does not exist or nothing pairs.
    """
    found: Pairs = pair(reference, generated)
    jobs = [(name, (str(first), str(second))) for name, first, second in found.pairs]
    tell = None if progress is None else lambda done: progress(done, len(jobs))
    good, bad = measure(score_files, jobs, processes, tell)
    pairs = [{"name": name, **scores} for name, scores in good]
    return {
        "tolerance": TOLERANCE,
        "metrics": metrics.describe("beats"),
        "pairs": pairs,
        "mean": mean_scores(pairs),
        "counted": _counted(pairs),
        "failed": [asdict(failure) for failure in bad],
        "unpaired": {
            "reference": [path.name for path in found.unpaired_reference],
            "generated": [path.name for path in found.unpaired_generated],
        },
    }


def score_files(reference: str, generated: str) -> dict[str, Any]:
    """Score a pair of files by :func:`score_pair`, with unusual properties in ``notes``.

    Args:
        reference, generated: paths.

    Raises:
        D2MError: if either cannot be read.
    """
    # One after the other: a long recording takes a lot of memory, its features very little.
    (true, first), (made, second) = _listen(reference), _listen(generated)
    files = {"reference": Path(reference).name, "generated": Path(generated).name}
    scores = score_pair(true, made)
    return {**files, **scores, "notes": _notes(true, made, first, second) + scores["notes"]}


@dataclass(frozen=True)
class _File:
    """What is kept of a file that was listened to: hertz, and whether it is silent."""

    sample_rate: int
    silent: bool


def _listen(path: str) -> tuple[RhythmFeatures, _File]:
    recording = read(path)
    return rhythm_features(recording.mono()), _File(recording.sample_rate, recording.silent)


def score_pair(reference: RhythmFeatures, generated: RhythmFeatures) -> dict[str, Any]:
    """Score a pair of recordings over the time that both last; see the module's docstring.

    Args:
        reference, generated: onsets and beats.
    """
    compared = BeatPair(reference, generated)
    notes = []
    if not len(reference.marks["d2m-gan"]):
        notes.append("reference: no onset in it for the published scripts: D2M-GAN's is undefined, LORIS's gives 0")
    if not len(compared.onsets[0]):
        notes.append("reference: no onset in it: onset_f is undefined")
    if not len(compared.beats[0]):
        notes.append("reference: no beat in it: beat_f, continuity and tempo_ratio are undefined")
    if not len(compared.beats[1]):
        notes.append("generated: no beat in it: tempo_ratio is undefined")
    return {
        **metrics.compute("beats", compared),
        "tempo": {"reference": reference.tempo, "generated": generated.tempo},
        "notes": notes,
    }


def mean_scores(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """Average the scores of pairs where they are defined, and compute LORIS's summary.

    Args:
        pairs: scores of each pair.

    Returns:
        Means by name; None where no score is defined.
    """
    return metrics.combine("beats", pairs)


def _counted(pairs: list[dict[str, Any]]) -> dict[str, int]:
    keys = [metric.name for metric in metrics.metrics_of("beats") if metric.counted]
    return {key: sum(p[key] is not None for p in pairs) for key in keys}


def _notes(reference: RhythmFeatures, generated: RhythmFeatures, first: _File, second: _File) -> list[str]:
    notes = [f"{side}: silence" for side, file in (("reference", first), ("generated", second)) if file.silent]
    if abs(reference.duration - generated.duration) > SAME_LENGTH:
        common = min(reference.duration, generated.duration)
        notes.append(
            f"reference {reference.duration:.2f} s, generated {generated.duration:.2f} s: "
            f"the first {common:.2f} s compared"
        )
    if first.sample_rate != second.sample_rate:
        notes.append(f"reference {first.sample_rate} Hz, generated {second.sample_rate} Hz: both brought to 22050 Hz")
    return notes
