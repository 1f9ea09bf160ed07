"""Reverberation and delay for mixes, with state between blocks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from d2m.audio.filters import StateFilter, cascade, highpass, lowpass
from d2m.audio.recursive import filter_block

#: Samples of the parts that reverberation is computed in: longer ones do not fit into the processor's cache.
PART = 16384


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
    rng = np.random.default_rng(seed)
    count = int(1.25 * seconds * sample_rate)
    time = np.arange(count) / sample_rate
    noise = rng.standard_normal((2, count))
    bands = []
    rest = noise
    for corner, factor in ((400.0, 1.1), (2500.0, 1.0), (8000.0, 0.7)):
        if corner < 0.4 * sample_rate:
            low, _ = filter_block(lowpass(corner, sample_rate, 1), rest)
            bands.append((low, factor))
            rest = rest - low
    bands.append((rest, 0.45))
    answer = sum(band * 10 ** (-3.0 * time / (seconds * factor)) for band, factor in bands)
    # The first reflections come one by one: the density grows over the first 40 ms.
    answer *= np.clip(time / 0.04, 0.15, 1.0)
    tone = np.concatenate([highpass(220.0, sample_rate), lowpass(bright, sample_rate, 1)])
    answer, _ = filter_block(tone, answer)
    answer /= np.sqrt((answer**2).sum(axis=1, keepdims=True))
    return np.pad(answer, ((0, 0), (int(predelay * sample_rate), 0))).astype(np.float32)


class Rooms:
    """Reverberation in two rooms, by partitioned convolution in parts of one size.

    Args:
        responses: float32 (2, samples) of each room.
        block: samples of every block, a multiple of :data:`PART` or less than it.
        like: another one of the same responses and block, whose spectra are shared.
    """

    def __init__(self, responses: list[np.ndarray], block: int, like: Rooms | None = None) -> None:
        self._part = min(block, PART)
        #: Spectra of the pieces of each room's response: complex64 (pieces, 2, part + 1).
        self.pieces: list[np.ndarray] = [_pieces(one, self._part) for one in responses] if like is None else like.pieces
        #: Spectra of the last parts of the input, newest first, and its last part; replaced, never written into.
        self._past: list[np.ndarray] = []
        self._last = np.zeros((2, self._part), np.float32)

    def __call__(self, sends: np.ndarray) -> np.ndarray:
        """Compute the reverberation: float32 (2 rooms, block) to (2, block)."""
        size = self._part
        source = np.concatenate([self._last, sends], axis=1)
        # Each part with the one before it.
        windows = sliding_window_view(source, 2 * size, axis=1)[:, ::size]
        spectra = _spectra(windows)
        self._last = source[:, -size:].copy()
        total = np.zeros((windows.shape[1], 2, size + 1), np.complex64)
        for part, out in enumerate(total):
            self._past = [spectra[:, part], *self._past][: max(len(pieces) for pieces in self.pieces)]
            for room, pieces in enumerate(self.pieces):
                for past, piece in zip(self._past, pieces, strict=False):
                    out += past[room] * piece
        sound = np.fft.irfft(total, 2 * size, axis=-1)[..., size:]
        return sound.transpose(1, 0, 2).reshape(2, -1).astype(np.float32, copy=False)


def _spectra(windows: np.ndarray) -> np.ndarray:
    """Compute the spectra of two real signals by one complex transform: float32 (2, m, n) to complex64 (2, m, n/2 + 1).

    The transform is the inverse one of the conjugate, which NumPy computes five times as fast in single precision. The
    spectra are 2 / n times those of the signals.
    """
    packed = np.empty(windows.shape[1:], np.complex64)
    packed.real, packed.imag = windows[0], -windows[1]
    mirrored = np.fft.ifft(packed, axis=-1).astype(np.complex64, copy=False)
    half = windows.shape[-1] // 2
    ahead = np.conj(mirrored[:, : half + 1])
    behind = np.concatenate([mirrored[:, :1], mirrored[:, : half - 1 : -1]], axis=-1)
    found = np.empty((2, *ahead.shape), np.complex64)
    np.add(ahead, behind, out=found[0])
    ahead -= behind
    found[1].real, found[1].imag = ahead.imag, -ahead.real
    return found


def _pieces(response: np.ndarray, size: int) -> np.ndarray:
    """Cut a response into pieces and compute their spectra, times what those of the input lack (:func:`_spectra`)."""
    count = -(-response.shape[1] // size)
    padded = np.pad(response, ((0, 0), (0, count * size - response.shape[1])))
    spectra = np.fft.rfft(padded.reshape(2, count, size), 2 * size, axis=-1)
    return np.ascontiguousarray((size * spectra).astype(np.complex64).transpose(1, 0, 2))


class PingPong:
    """Echo that alternates between left and right, with less treble each time.

    Args:
        seconds: between two echoes.
        feedback: linear gain from echo to echo.
        sample_rate: sample rate in hertz.
        bright: corner in hertz of the filter in the loop.
    """

    def __init__(self, seconds: float, feedback: float, sample_rate: int, bright: float = 5000.0) -> None:
        self._delay = max(int(seconds * sample_rate), 1)
        self._feedback = np.float32(feedback)
        # Input and echoes still to come, left and right.
        self._line = np.zeros((2, self._delay), np.float32)
        self._filter = StateFilter(cascade([highpass(250.0, sample_rate), lowpass(bright, sample_rate)]))

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
