"""Reverberation and delay for mixes, with state between blocks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=32)
def room_response(seconds: float, predelay: float, bright: float, sample_rate: int, seed: int = 7) -> np.ndarray:
    """Make the impulse response of a room.

    Noise that falls by 60 dB in ``seconds``, faster the higher the band (walls and air absorb treble), different left
    and right, without bass.

    Args:
        seconds: reverberation time at 1 kHz.
        predelay: seconds before the response begins.
        bright: corner in hertz above which the response is dark from the beginning.
        sample_rate: sample rate in hertz.
        seed: random seed of the noise.

    Returns:
        float32 (2, samples), its energy 1 per channel.
    """
    from scipy.signal import sosfilt

    from d2m.audio.filters import highpass, lowpass

    rng = np.random.default_rng(seed)
    count = int(1.25 * seconds * sample_rate)
    time = np.arange(count) / sample_rate
    noise = rng.standard_normal((2, count))
    bands = []
    rest = noise
    for corner, factor in ((400.0, 1.1), (2500.0, 1.0), (8000.0, 0.7)):
        if corner < 0.4 * sample_rate:
            low = sosfilt(lowpass(corner, sample_rate, 1), rest, axis=1)
            bands.append((low, factor))
            rest = rest - low
    bands.append((rest, 0.45))
    answer = sum(band * 10 ** (-3.0 * time / (seconds * factor)) for band, factor in bands)
    # The first reflections come one by one: the density grows over the first 40 ms.
    answer *= np.clip(time / 0.04, 0.15, 1.0)
    answer = sosfilt(highpass(220.0, sample_rate), answer, axis=1)
    answer = sosfilt(lowpass(bright, sample_rate, 1), answer, axis=1)
    answer /= np.sqrt((answer**2).sum(axis=1, keepdims=True))
    return np.pad(answer, ((0, 0), (int(predelay * sample_rate), 0))).astype(np.float32)


class Rooms:
    """Reverberation in several rooms, by partitioned convolution in blocks of one size.

    Args:
        responses: float32 (2, samples) each.
        block: samples of every block.
        like: another one of the same responses and block, whose spectra are shared.
    """

    def __init__(self, responses: list[np.ndarray], block: int, like: Rooms | None = None) -> None:
        self.block = block
        self.parts: list[list[np.ndarray]] = _partitions(tuple(responses), block) if like is None else like.parts
        #: Spectra of the last blocks of each room's input, newest first; replaced, never written into.
        self._past: list[np.ndarray] = []
        self._last = np.zeros((len(responses), block), np.float32)

    def __call__(self, sends: np.ndarray) -> np.ndarray:
        """Compute the reverberation: float32 (rooms, block) to (2, block)."""
        from scipy.fft import irfft, rfft

        spectrum = rfft(np.concatenate([self._last, sends], axis=1), axis=1)
        self._last = sends
        self._past = [spectrum, *self._past][: max(len(parts) for parts in self.parts)]
        total = np.zeros((2, spectrum.shape[1]), np.complex64)
        for room, parts in enumerate(self.parts):
            for past, part in zip(self._past, parts, strict=False):
                total += part * past[room]
        return irfft(total, 2 * self.block, axis=1)[:, self.block :]


def _partitions(responses: tuple[np.ndarray, ...], block: int) -> list[list[np.ndarray]]:
    from scipy.fft import rfft

    found = []
    for response in responses:
        pieces = [response[:, start : start + block] for start in range(0, response.shape[1], block)]
        found.append([rfft(piece, 2 * block, axis=1) for piece in pieces])
    return found


class PingPong:
    """Echo that alternates between left and right, with less treble each time.

    Args:
        seconds: between two echoes.
        feedback: linear gain from echo to echo.
        sample_rate: sample rate in hertz.
        bright: corner in hertz of the filter in the loop.
    """

    def __init__(self, seconds: float, feedback: float, sample_rate: int, bright: float = 5000.0) -> None:
        from d2m.audio.filters import StateFilter, highpass, lowpass

        self._delay = max(int(seconds * sample_rate), 64)
        self._feedback = np.float32(feedback)
        # Input and echoes still to come, left and right.
        self._line = np.zeros((2, self._delay), np.float32)
        sections = np.concatenate([highpass(250.0, sample_rate), lowpass(bright, sample_rate)])
        self._filter = StateFilter(sections)

    def __call__(self, send: np.ndarray) -> np.ndarray:
        """Compute the echoes of a mono signal: float32 (n,) to (2, n)."""
        out = np.empty((2, len(send)), np.float32)
        for start in range(0, len(send), self._delay):
            piece = send[start : start + self._delay]
            count = len(piece)
            heard = self._line[:, :count]
            out[:, start : start + count] = heard
            back = self._filter(np.stack([piece + self._feedback * heard[1], self._feedback * heard[0]]))
            self._line = np.concatenate([self._line[:, count:], back], axis=1)
        return out
