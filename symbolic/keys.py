"""Key finding: the key of every bar, and key changes.

Pitch classes weighted by duration are compared with the key profiles of Temperley ("What's Key for Key? The
Krumhansl-Schmuckler Key-Finding Algorithm Reconsidered", Music Perception 17, 1999; the values counted in the
Kostka-Payne corpus, "Music and Probability", 2007), and the most likely sequence of keys over the bars is found by the
Viterbi algorithm with a cost for key changes.

Keys are numbers: 0 to 11 the major keys from C, 12 to 23 the minor keys.
"""

from __future__ import annotations

import re
from typing import TypeVar, overload

import numpy as np

from d2m.errors import D2MError

_KEY = re.compile(r"([A-Ga-g])([#b♯♭]?)((?:\s*:?\s*)(?:maj|major|min|minor|m|M)?)")
_NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
#: Share of pieces' segments in which each degree occurs, from the tonic upwards.
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
#: Cost of a change of key between two bars in nats; a bar favours its key over a neighbouring one by about one.
_CHANGE = 12.0
#: Beats of evidence in a full bar.
_WEIGHT = 4.0

KEYS = 24

#: One key, or an array of keys.
Keys = TypeVar("Keys", int, np.ndarray)


def key_name(key: int) -> str:
    """Return the name of a key, such as ``"A:min"``.

    Args:
        key: its number.
    """
    return f"{_NAMES[key % 12]}:{'min' if key >= 12 else 'maj'}"


@overload
def transposed(key: int, semitones: int) -> int: ...


@overload
def transposed(key: np.ndarray, semitones: np.ndarray | int) -> np.ndarray: ...


def transposed(key: np.ndarray | int, semitones: np.ndarray | int) -> np.ndarray | int:
    """Transpose keys; major stays major, and minor stays minor.

    Args:
        key: number or numbers of keys.
        semitones: interval in semitones, upwards if positive.
    """
    return (key // 12) * 12 + (key + semitones) % 12


def signature(key: Keys) -> Keys:
    """Return the tonic of the major key with the same scale.

    Args:
        key: number or numbers of keys.
    """
    return (key + 3 * (key // 12)) % 12


def scale(key: int) -> np.ndarray:
    """Return the pitch classes of a key; a minor key includes both sevenths and not the raised sixth.

    Args:
        key: its number.

    Returns:
        bool (12,).
    """
    steps = (0, 2, 4, 5, 7, 9, 11) if key < 12 else (0, 2, 3, 5, 7, 8, 10, 11)
    return np.isin(np.arange(12), [(key + step) % 12 for step in steps])


def fifths_apart(first: Keys, second: Keys) -> Keys:
    """Return the number of accidentals by which the scales of two keys differ; 0 for a major key and its relative
    minor.

    Args:
        first, second: numbers of keys.

    Returns:
        0 to 6.
    """
    gap = (7 * (signature(first) - signature(second))) % 12
    return np.minimum(gap, 12 - gap)


def profile(key: int) -> np.ndarray:
    """Return how strongly each pitch class belongs to a key.

    Args:
        key: its number.

    Returns:
        float64 (12,), C first.
    """
    return np.roll((_MAJOR, _MINOR)[key // 12], key % 12)


def find_keys(chroma: np.ndarray) -> np.ndarray:
    """Find the key of every bar by the Viterbi algorithm.

    Args:
        chroma: float (B, 12), duration of each pitch class in a bar, in any unit.

    Returns:
        int64 (B,), numbers of keys.
    """
    total = chroma.sum(axis=1, keepdims=True)
    weight = _WEIGHT * chroma / np.maximum(total, 1e-9)
    # Sparse bars have a lower weight.
    weight = weight * np.minimum(total / max(float(np.median(total[total > 0])) if (total > 0).any() else 1.0, 1e-9), 1)
    chances = np.stack([np.array(p) / np.sum(p) for p in (_MAJOR, _MINOR)])
    rolled = np.stack([np.roll(chances[key // 12], key % 12) for key in range(KEYS)])
    return _most_likely(weight @ np.log(rolled).T)


def _most_likely(likelihood: np.ndarray) -> np.ndarray:
    """Find the best path (Viterbi) through likelihoods (B, 24), with the same cost for every change."""
    bars = len(likelihood)
    if not bars:
        return np.zeros(0, np.int64)
    best = likelihood[0]
    came = np.zeros((bars, KEYS), dtype=np.int64)
    stay = np.arange(KEYS)
    for bar in range(1, bars):
        leap = int(best.argmax())
        moved = best[leap] - _CHANGE > best
        came[bar] = np.where(moved, leap, stay)
        best = np.where(moved, best[leap] - _CHANGE, best) + likelihood[bar]
    path = np.zeros(bars, dtype=np.int64)
    path[-1] = best.argmax()
    for bar in range(bars - 1, 0, -1):
        path[bar - 1] = came[bar, path[bar]]
    return path


def changes(keys: np.ndarray) -> np.ndarray:
    """Return the first bars of sections in one key.

    Args:
        keys: keys of all bars.

    Returns:
        int64, beginning with 0.
    """
    return np.flatnonzero(np.diff(keys, prepend=-1) != 0)


def read_key(text: str) -> tuple[int, bool]:
    """Read the name of a key, such as ``"A:min"``, ``"Am"``, ``"F#"`` or ``"Bb major"``.

    Args:
        text: name of a note with an optional mode; major if none is given.

    Returns:
        Pitch class of the tonic, and whether the key is minor.

    Raises:
        D2MError: if it is not the name of a key.
    """
    match = _KEY.fullmatch(text.strip())
    if match is None:
        raise D2MError(f"no key '{text}'; give a note and a mode, such as A:min, Am, F# or Bb:maj")
    letter, accidental, mode = match.groups()
    return read_note(f"{letter.upper()}{accidental}"), mode.strip(" :") in ("m", "min", "minor")


def read_note(name: str) -> int:
    """Return the pitch class of a note such as ``"F#"``.

    Args:
        name: a capital letter and an optional accidental.
    """
    step = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(name[1:], 0)
    return ({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]] + step) % 12


def key_number(text: str) -> int:
    """Return the number of a key given by name.

    Args:
        text: name of a note with an optional mode, as of :func:`read_key`.

    Returns:
        Pitch class of the tonic (0-11), 12 more for minor keys.

    Raises:
        D2MError: if it is not the name of a key.
    """
    tonic, minor = read_key(text)
    return tonic + 12 * minor
