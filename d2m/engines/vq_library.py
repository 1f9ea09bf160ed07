"""Effects and voices of a score, played by the sound library together with a generator that has not learned them.

The generator was trained on music of instruments, in mono. Risers, impacts, one-shots and voices of the score are
therefore played by the sound library in stereo, and added to the band before the mastering.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from d2m.audio.loudness import loudness
from d2m.engines.play_ahead import play_ahead
from d2m.symbolic.sound.player import RATE
from d2m.types import Score

#: Loudness (LUFS) of the instruments of a score in the mix of the sound library before the mastering: the mean over
#: 20 pieces of the ten genres, whose deviation is 0.5.
BAND_LUFS = -16.1


def with_library(band: np.ndarray, sample_rate: int, score: Score) -> np.ndarray:
    """Add effects and voices to the sound of a band, at the level that they have beside the library's instruments.

    Args:
        band: float (1, samples), sound of the generator, from the first frame of the video.
        sample_rate: of the band, in hertz.
        score: score with effects and voices.

    Returns:
        float32 (2, samples) at the library's rate.
    """
    from scipy.signal import resample_poly

    from d2m.symbolic.sound import find_soundfont

    common = math.gcd(sample_rate, RATE)
    sound = resample_poly(band, RATE // common, sample_rate // common, axis=1).astype(np.float32)
    sound = np.repeat(sound, 2, axis=0) if len(sound) == 1 else sound
    level = loudness(band, sample_rate)
    parts = tuple(part for part in score.parts if part.is_effect or part.is_vocal)
    if not parts or not np.isfinite(level):
        return sound
    added = play_ahead(replace(score, parts=parts), find_soundfont(None)).mix
    count = min(added.shape[1], sound.shape[1])
    sound[:, :count] += np.float32(10 ** ((level - BAND_LUFS) / 20)) * added[:, :count]
    return sound
