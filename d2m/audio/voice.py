"""Find speech in a clip's own sound, and mix it above music that is ducked meanwhile.

Speech is found by Silero VAD (https://github.com/snakers4/silero-vad, MIT licence), a recurrent network over frames of
32 ms whose weights come with its package. It takes singing for speech where the words are clear.
"""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Sample rate of the network in hertz, and samples of one of its frames.
VOICE_RATE, FRAME = 16000, 512
#: Probability above which a frame is speech; and below which a segment ends.
THRESHOLD, END_THRESHOLD = 0.5, 0.35
#: Shortest segment, and shortest silence between two segments, in seconds; seconds by which segments are extended.
SHORTEST, SHORTEST_GAP, PADDING = 0.25, 0.35, 0.08
#: Level of the music under speech in dB; seconds before speech in which it falls, and after speech in which it returns.
DUCK_LEVEL, ATTACK, RELEASE = -12.0, 0.25, 0.6
#: Seconds over which the voice itself is faded in and out.
VOICE_FADE = 0.06
#: Peak of a mix that would clip.
CEILING = 0.98
#: Values of a gain curve a second.
_CURVE_RATE = 200


@dataclass(frozen=True)
class VoiceSegment:
    """A stretch of speech.

    Attributes:
        start, end: seconds.
        probability: mean probability of speech in it, 0..1.
    """

    start: float
    end: float
    probability: float


def voice_probability(sound: np.ndarray, sample_rate: int) -> np.ndarray:
    """Compute the probability of speech over time.

    Args:
        sound: float (channels, samples).
        sample_rate: hertz.

    Returns:
        float32 (N,), one value for every 32 ms (:data:`FRAME` samples at :data:`VOICE_RATE`).
    """
    import soxr
    import torch

    mono = np.asarray(sound, dtype=np.float32).mean(axis=0)
    if sample_rate != VOICE_RATE:
        mono = np.asarray(soxr.resample(mono, sample_rate, VOICE_RATE), dtype=np.float32)
    if not len(mono):
        return np.zeros(0, dtype=np.float32)
    mono = np.pad(mono, (0, -len(mono) % FRAME))
    # The network is so small that sharing its work, or compiling it anew, takes longer than running it.
    with _one_thread(), torch.inference_mode(), torch.jit.optimized_execution(False):
        found = _network().audio_forward(torch.from_numpy(mono)[None], VOICE_RATE)
    return np.asarray(found[0], dtype=np.float32)


def find_voice(sound: np.ndarray, sample_rate: int, threshold: float = THRESHOLD) -> tuple[VoiceSegment, ...]:
    """Find the stretches of a sound in which somebody speaks.

    Args:
        sound: float (channels, samples).
        sample_rate: hertz.
        threshold: probability above which a frame is speech.

    Returns:
        The segments in the order of time, within the length of the sound.
    """
    return segments_of(voice_probability(sound, sample_rate), sound.shape[1] / sample_rate, threshold)


def segments_of(probability: np.ndarray, duration: float, threshold: float = THRESHOLD) -> tuple[VoiceSegment, ...]:
    """Convert the probability of speech over time to segments.

    Args:
        probability: (N,), from :func:`voice_probability`.
        duration: seconds of the sound.
        threshold: probability above which a frame is speech.
    """
    with _one_thread():
        from silero_vad import get_speech_timestamps_from_probs

    spans = get_speech_timestamps_from_probs(
        probability.tolist(),
        VOICE_RATE,
        threshold=threshold,
        neg_threshold=min(END_THRESHOLD, threshold),
        min_speech_duration_ms=round(1000 * SHORTEST),
        min_silence_duration_ms=round(1000 * SHORTEST_GAP),
        speech_pad_ms=round(1000 * PADDING),
    )
    found = []
    for span in spans:
        inside = probability[span["start"] // FRAME : max(-(-span["end"] // FRAME), span["start"] // FRAME + 1)]
        start, end = span["start"] / VOICE_RATE, min(span["end"] / VOICE_RATE, duration)
        if end > start:
            found.append(VoiceSegment(start, end, float(inside.mean())))
    return tuple(found)


@functools.lru_cache(maxsize=1)
def _network() -> Any:
    """The network; its package sets the number of PyTorch's threads when it is imported."""
    from silero_vad import load_silero_vad

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return load_silero_vad()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let PyTorch use one thread, and the usual number again afterwards."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def duck(
    music: np.ndarray,
    segments: Sequence[VoiceSegment],
    sample_rate: int,
    level_db: float = DUCK_LEVEL,
    attack: float = ATTACK,
    release: float = RELEASE,
) -> np.ndarray:
    """Turn music down while somebody speaks.

    The gain falls in the seconds before a segment, so that it is down when speech begins, and returns after it, both
    linear in decibels. Where the music could not return in full before the next segment, it returns as far as there is
    time for.

    Args:
        music: float32 (channels, samples).
        segments: stretches of speech, whose time 0 is the music's first sample.
        sample_rate: hertz.
        level_db: gain under speech in dB, 0 or below.
        attack: seconds in which the gain falls.
        release: seconds in which it returns.

    Returns:
        float32 (channels, samples).
    """
    if not segments:
        return np.asarray(music, dtype=np.float32)
    amount = presence(segments, music.shape[1], sample_rate, attack, release)
    return (music * 10 ** (min(level_db, 0.0) / 20 * amount)).astype(np.float32)


def presence(
    segments: Sequence[VoiceSegment], samples: int, sample_rate: int, attack: float, release: float
) -> np.ndarray:
    """Compute a curve that is 1 in segments, with linear ramps before and after, and 0 elsewhere.

    Args:
        segments: stretches of speech.
        samples: length of the curve.
        sample_rate: hertz.
        attack: seconds of the ramp before a segment.
        release: seconds of the ramp after it.

    Returns:
        float32 (samples,).
    """
    times = np.arange(int(samples / sample_rate * _CURVE_RATE) + 2) / _CURVE_RATE
    curve = np.zeros(len(times))
    for segment in segments:
        # Only the part of the curve that a segment reaches.
        first, last = np.searchsorted(times, (segment.start - attack, segment.end + release), side="right")
        first, last = max(int(first) - 1, 0), min(int(last) + 1, len(times))
        near = times[first:last]
        before = (segment.start - near) / max(attack, 1e-3)
        after = (near - segment.end) / max(release, 1e-3)
        curve[first:last] = np.maximum(curve[first:last], np.clip(1.0 - np.maximum(before, after), 0.0, 1.0))
    return np.interp(np.arange(samples) / sample_rate, times, curve).astype(np.float32)


def mix_voice(
    music: np.ndarray,
    own: np.ndarray,
    sample_rate: int,
    segments: Sequence[VoiceSegment],
    level_db: float = 0.0,
    duck_db: float = DUCK_LEVEL,
) -> np.ndarray:
    """Mix the speech of a clip's own sound above music, and leave out the rest of that sound.

    Args:
        music, own: float32 (1 or 2 channels, samples), the same number of samples.
        sample_rate: hertz.
        segments: stretches of speech in ``own``.
        level_db: gain of the speech in dB.
        duck_db: gain of the music under speech in dB.

    Returns:
        float32 (channels, samples), two channels if either input has two. A sum that would clip is turned down as a
        whole.
    """
    heard = own * presence(segments, own.shape[1], sample_rate, VOICE_FADE, VOICE_FADE) * 10 ** (level_db / 20)
    mix = duck(music, segments, sample_rate, duck_db) + heard
    return (mix / max(1.0, float(np.abs(mix).max(initial=0.0)) / CEILING)).astype(np.float32)
