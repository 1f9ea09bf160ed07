"""Structure of a piece of music: whether parts come back, and whether sections differ.

Chroma and timbre (20 MFCCs) of every second are compared with those of every other second: the self-similarity matrix.

* :func:`repetition`: how much more alike two stretches of four seconds are, at the best distance in time, than at all
  distances in the mean. Verses and choruses that come back make it high. A loop is even higher.
* :func:`contrast`: the largest change between the four seconds before and after an instant, over the mean change: the
  peak of the novelty curve. Sections make it high, a loop and noise do not.

References
----------
J. Foote, "Automatic Audio Segmentation Using a Measure of Audio Novelty", ICME 2000 (novelty by a checkerboard kernel).
M. Goto, "A Chorus Section Detection Method for Musical Audio Signals", IEEE TASLP 14(5), 2006 (repetition by time lag).
M. Müller, "Fundamentals of Music Processing", 2015, chapter 4.
"""

from __future__ import annotations

import numpy as np

from d2m.load_librosa import load_librosa

from .recordings import SAMPLE_RATE

#: Seconds of a cell of the matrix, of a stretch that is compared, of the shortest piece, and of the shortest lag.
CELL, STRETCH, SHORTEST, NEAREST = 0.5, 4.0, 20.0, 4.0


def self_similarity(waveform: np.ndarray) -> np.ndarray | None:
    """Compute the cosine similarity of all pairs of half seconds.

    Args:
        waveform: float32 (samples,), 22,050 Hz.

    Returns:
        float64 (N, N); None for less than 20 s, or for sound that never changes.
    """
    librosa = load_librosa()

    if len(waveform) < SHORTEST * SAMPLE_RATE:
        return None
    hop = 1024
    mels = librosa.feature.melspectrogram(y=waveform, sr=SAMPLE_RATE, n_fft=4096, hop_length=hop)
    timbre = librosa.feature.mfcc(S=librosa.power_to_db(mels), sr=SAMPLE_RATE, n_mfcc=20)[1:]
    chroma = librosa.feature.chroma_stft(y=waveform, sr=SAMPLE_RATE, n_fft=4096, hop_length=hop, tuning=0.0)
    parts = []
    for features in (timbre, chroma):
        edges = np.arange(0, len(waveform) / SAMPLE_RATE + 1e-9, CELL) * SAMPLE_RATE / hop
        starts = edges.astype(int)[:-1]
        cells = np.add.reduceat(features[:, : int(edges[-1])], starts, axis=1) / np.diff(edges.astype(int))
        cells = cells - cells.mean(axis=1, keepdims=True)
        size = np.sqrt(np.square(cells).sum(axis=0).mean())
        if size < 1e-6:
            return None
        parts.append(cells / size)
    vectors = np.concatenate(parts)
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=0), 1e-9)
    return vectors.T @ vectors


def repetition(similarity: np.ndarray) -> float:
    """Compute how well parts of a piece come back.

    Args:
        similarity: of :func:`self_similarity`.

    Returns:
        The mean over all stretches of 4 s of their likeness with the most similar later or earlier one that is at
        least 4 s away, less the mean likeness; 0 where nothing comes back more than by chance, at most 2.
    """
    width = round(STRETCH / CELL)
    count = len(similarity) - width + 1
    # Likeness of two stretches: the mean of the diagonal that starts at their first cells.
    likeness = np.zeros((count, count))
    for i in range(width):
        likeness += similarity[i : i + count, i : i + count] / width
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count))) >= round(NEAREST / CELL)
    best = np.where(apart, likeness, -np.inf).max(axis=1)
    return float(best[np.isfinite(best)].mean() - likeness[apart].mean())


def contrast(similarity: np.ndarray) -> float:
    """Compute how much the most different neighbouring sections differ.

    Args:
        similarity: of :func:`self_similarity`.

    Returns:
        The highest novelty: mean likeness within the 4 s before and the 4 s after an instant, less that between them;
        0 to 2.
    """
    width = round(STRETCH / CELL)
    novelty = []
    for middle in range(width, len(similarity) - width + 1):
        past, future = slice(middle - width, middle), slice(middle, middle + width)
        within = (similarity[past, past].mean() + similarity[future, future].mean()) / 2
        novelty.append(within - similarity[past, future].mean())
    return float(max(novelty)) if novelty else 0.0
