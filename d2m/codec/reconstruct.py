"""Recordings of any rate and number of channels through a codec and back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from d2m.codec.base import Codec


def reconstruct(codec: Codec, waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """Pass a recording through a codec and back.

    Args:
        codec: of any sample rate and number of channels. If it has another number of channels than the recording, each
            of them gets the mean of the recording's channels, and each of those the mean of the decoded ones.
        waveform: float32 (channels, samples).
        sample_rate: of ``waveform``, hertz.

    Returns:
        float32, of the shape of ``waveform``, at its sample rate.
    """
    import torch

    from d2m.nn.device import device_of

    sound = _channels(_resampled(waveform, sample_rate, codec.sample_rate), codec.channels)
    padded = torch.from_numpy(np.pad(sound, ((0, 0), (0, -sound.shape[1] % codec.hop))).astype(np.float32))
    with torch.no_grad():
        sent = (padded[None] if codec.channels > 1 else padded).to(device_of(codec))
        decoded = codec.decode(codec.encode(sent)).cpu()
    output = decoded.reshape(codec.channels, -1)[:, : sound.shape[1]].float().numpy()
    output = _resampled(_channels(output, len(waveform)), codec.sample_rate, sample_rate)
    return output[:, : waveform.shape[1]].astype(np.float32)


def _channels(sound: np.ndarray, count: int) -> np.ndarray:
    return sound if len(sound) == count else np.repeat(sound.mean(0, keepdims=True), count, axis=0)


def _resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    from scipy.signal import resample_poly

    if rate == wanted:
        return sound
    common = math.gcd(rate, wanted)
    return resample_poly(sound, wanted // common, rate // common, axis=1)
