"""Analysis of the answers of a listening test.

Conventions
-----------
The unit is the listener: answers of one person are not independent observations. A system's mean opinion score is the
mean over listeners of each one's mean; its 95 % interval is a bootstrap over listeners (percentiles of 4000 draws).

Two systems are compared by a paired permutation test: under the null hypothesis, the sign of each listener's difference
is random (all combinations for up to 14 listeners, 20,000 draws for more). P-values are corrected for the number of
pairs by Holm's method. The share of listeners who prefer the first system (ties count half) is reported as well.

Listeners who fail more than half of the attention checks, give the same rating throughout, or answer faster than the
clips can be heard are left out, and listed.

References
----------
ITU-T P.800 (1996), "Methods for subjective determination of transmission quality"; ITU-R BS.1534-3 (2015).
R. A. Fisher, "The Design of Experiments", 1935, section 21 (the permutation test).
S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian J. of Statistics 6, 1979.
K. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011 (interval data).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.evaluation.listening.answers import MAX_BYTES, Listener, parse, read_key

#: Answers faster than this after a clip appears cannot rest on hearing it, seconds.
QUICKEST = 1.5


def read_answers(test: Path, folder: Path | None = None) -> tuple[list[Listener], dict[str, str]]:
    """Return all listeners of a test, and the files that could not be used with the reason.

    Args:
        test: folder of the test.
        folder: folder of the answers; ``test/answers`` by default.

    Raises:
        D2MError: if there is no test or no answer.
    """
    key, folder = read_key(test), folder or test / "answers"
    found: dict[str, Listener] = {}
    refused: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            if path.stat().st_size > MAX_BYTES:
                raise D2MError("these answers are too long to be any listener's")
            listener = parse(path.read_bytes(), key)
            found[listener.name] = listener
        except (D2MError, OSError) as error:
            refused[path.name] = str(error)
    if not found:
        raise D2MError(f"no answers in {folder}; collect some with d2m evaluate listening serve")
    return list(found.values()), refused


def unreliable(listener: Listener) -> str | None:
    """Return the reason why a listener's answers are left out.

    Args:
        listener: the answers.

    Returns:
        The reason, or None.
    """
    if listener.checks and listener.failed * 2 > listener.checks:
        return f"{listener.failed} of {listener.checks} attention checks failed"
    points = [value for rating in listener.ratings for value in rating.answers.values()]
    if len(points) >= 8 and len(set(points)) == 1:
        return f"the same point, {points[0]}, throughout"
    if listener.ratings and np.median([rating.seconds for rating in listener.ratings]) < QUICKEST:
        return "answered faster than the clips can be heard"
    return None if listener.ratings else "no clip was rated"


def analyse(listeners: Sequence[Listener], keep_all: bool = False, seed: int = 0) -> dict[str, Any]:
    """Return scores of every system on every question.

    Args:
        listeners: listeners from :func:`read_answers`.
        keep_all: use unreliable listeners too.
        seed: random seed of the bootstrap.

    Returns:
        ``listeners`` (number used), ``left_out`` (listener -> reason), and for each question ``scores`` (system ->
        mean, low, high, listeners, clips), ``pairs`` (first, second, difference, preference, p, p_holm, listeners)
        and ``reliability`` (``alpha``, Krippendorff's; ``agreement``, the mean correlation of a listener with the
        others' mean).

    Raises:
        D2MError: if nobody's answers are left.
    """
    left_out = {} if keep_all else {person.name: why for person in listeners if (why := unreliable(person))}
    used = [person for person in listeners if person.name not in left_out and person.ratings]
    if not used:
        raise D2MError("no listener passed the attention checks; include their answers with --keep-all")
    questions = list(used[0].ratings[0].answers)
    report: dict[str, Any] = {"listeners": len(used), "left_out": left_out, "questions": {}}
    for question in questions:
        systems, table = _by_listener(used, question)
        report["questions"][question] = {
            "scores": _scores(systems, table, used, question, np.random.default_rng(seed)),
            "pairs": _pairs(systems, table),
            "reliability": {
                "alpha": _finite(alpha(_by_clip(used, question))),
                "agreement": _finite(_agreement(used, question)),
            },
        }
    return report


def _by_listener(used: Sequence[Listener], question: str) -> tuple[list[str], np.ndarray]:
    """Systems, and float (listeners, systems): each one's mean of a system, NaN for one not heard."""
    systems = sorted({rating.system for person in used for rating in person.ratings})
    table = np.full((len(used), len(systems)), np.nan)
    for row, person in zip(table, used, strict=True):
        points = defaultdict(list)
        for rating in person.ratings:
            points[rating.system].append(rating.answers[question])
        for i, system in enumerate(systems):
            if points[system]:
                row[i] = np.mean(points[system])
    return systems, table


def _by_clip(used: Sequence[Listener], question: str) -> np.ndarray:
    """float (listeners, clips), NaN for a clip not heard."""
    clips = sorted({(rating.item, rating.system) for person in used for rating in person.ratings})
    place = {clip: i for i, clip in enumerate(clips)}
    table = np.full((len(used), len(clips)), np.nan)
    for row, person in zip(table, used, strict=True):
        for rating in person.ratings:
            row[place[rating.item, rating.system]] = rating.answers[question]
    return table


def _scores(
    systems: list[str], table: np.ndarray, used: Sequence[Listener], question: str, rng: np.random.Generator
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for system, column in zip(systems, table.T, strict=True):
        heard = column[np.isfinite(column)]
        draws = heard[rng.integers(0, len(heard), (4000, len(heard)))].mean(1)
        # With one listener there is no interval.
        low, high = np.percentile(draws, [2.5, 97.5]) if len(heard) > 1 else (np.nan, np.nan)
        clips = sum(rating.system == system for person in used for rating in person.ratings)
        found[system] = {
            "mean": float(heard.mean()),
            "low": _finite(low),
            "high": _finite(high),
            "listeners": len(heard),
            "clips": clips,
        }
    return found


def _pairs(systems: list[str], table: np.ndarray) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for i, j in combinations(range(len(systems)), 2):
        both = np.isfinite(table[:, i]) & np.isfinite(table[:, j])
        difference = table[both, i] - table[both, j]
        found.append(
            {
                "first": systems[i],
                "second": systems[j],
                "difference": _finite(difference.mean()) if len(difference) else None,
                "preference": _finite(((difference > 0) + 0.5 * (difference == 0)).mean()) if len(difference) else None,
                "p": sign_flip_test(difference),
                "listeners": int(both.sum()),
            }
        )
    for pair, corrected in zip(found, holm([pair["p"] for pair in found]), strict=True):
        pair["p_holm"] = corrected
    return found


def sign_flip_test(difference: np.ndarray, seed: int = 0) -> float:
    """Compute the two-sided p-value of a mean difference: the share of random signs that give one as large.

    Args:
        difference: float (listeners,).
        seed: random seed of the tosses for more than 14 listeners.
    """
    count = len(difference)
    if not np.count_nonzero(difference):
        return 1.0
    if count <= 14:
        signs = 1 - 2 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)
        return float((np.abs(signs @ difference) >= abs(difference.sum()) - 1e-9).mean())
    signs = np.random.default_rng(seed).choice([-1, 1], (20_000, count))
    # The observed sign pattern is one of the draws.
    return float((1 + (np.abs(signs @ difference) >= abs(difference.sum()) - 1e-9).sum()) / 20_001)


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values by Holm's method for the family-wise error rate.

    Args:
        p_values: p-values of all tests.
    """
    count = len(p_values)
    corrected, highest = [0.0] * count, 0.0
    for rank, i in enumerate(np.argsort(p_values)):
        highest = max(highest, min(1.0, (count - rank) * p_values[i]))
        corrected[i] = highest
    return corrected


def alpha(table: np.ndarray) -> float:
    """Return Krippendorff's alpha for interval data: 1 is full agreement, 0 is chance.

    Args:
        table: float (listeners, clips), NaN where a listener did not hear a clip.

    Returns:
        NaN if no clip was heard twice, or all points are the same.
    """
    rated = np.isfinite(table).sum(0)
    table = table[:, rated > 1]
    values = table[np.isfinite(table)]
    if not len(values) or np.ptp(values) == 0:
        return float("nan")
    within = 0.0
    for column in table.T:
        heard = column[np.isfinite(column)]
        # The sum of squared differences over all ordered pairs of n values is 2 n^2 times their variance.
        within += 2 * len(heard) ** 2 * heard.var() / (len(heard) - 1)
    count = len(values)
    between = 2 * count**2 * values.var() / (count - 1)
    return float(1 - within / between)


def _agreement(used: Sequence[Listener], question: str) -> float:
    """The mean correlation of a listener with the mean of the others, over the clips that both heard."""
    table = _by_clip(used, question)
    found = []
    for i, row in enumerate(table):
        others = np.delete(table, i, 0)
        heard = np.isfinite(row) & np.isfinite(others).any(0)
        if heard.sum() < 3:
            continue
        mean = np.nanmean(others[:, heard], 0)
        if row[heard].std() > 0 and mean.std() > 0:
            found.append(np.corrcoef(row[heard], mean)[0, 1])
    return float(np.mean(found)) if found else float("nan")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
