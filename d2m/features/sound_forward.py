"""Beat network computed with NumPy: the same as :class:`d2m.features.sound_net.BeatNet`, without loading PyTorch."""

from __future__ import annotations

import numpy as np

#: See d2m.features.sound_net, which this module does not import.
_STRIDE, _POOL_ONE, _POOL_TWO, _KERNEL = 2, 2, 4, 5
#: Frames worked out at once by the front end, which bounds memory.
_CHUNK = 2000


def activations(frames: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    """Return probabilities of beat and downbeat per frame.

    Args:
        frames: float32 (T, 80), from :func:`d2m.features.sound_spectrum.spectrum`.
        weights: float32 arrays by the names of the network's parameters.

    Returns:
        float32 (T, 2).
    """
    count = len(frames)
    frames = frames / np.float32(4.0) - np.float32(1.0)
    parts = []
    for first in range(0, count, _CHUNK):
        # Two frames of context on either side: each convolution takes one.
        low, high = max(first - 2, 0), min(first + _CHUNK + 2, count)
        parts.append(_front(frames[low:high], weights)[first - low :][: min(_CHUNK, count - first)])
    x = np.concatenate(parts) if parts else np.zeros((0, len(weights["enter.bias"])), np.float32)
    total = np.zeros_like(x)
    for i in range(sum(name.startswith("mix.") and name.endswith("bias") for name in weights)):
        near = _along(x, weights[f"near.{i}.weight"], weights[f"near.{i}.bias"], 2**i)
        far = _along(x, weights[f"far.{i}.weight"], weights[f"far.{i}.bias"], 2 ** (i + 1))
        new = (
            _elu(np.concatenate([near, far], axis=1)) @ weights[f"mix.{i}.weight"][..., 0].T + weights[f"mix.{i}.bias"]
        )
        total += new
        x = _elu(x + new)
    logits = _elu(x + total) @ weights["leave.weight"].T + weights["leave.bias"]
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30)))).astype(np.float32)


def _front(frames: np.ndarray, weights: dict[str, np.ndarray]) -> np.ndarray:
    x = _pooled(_around(frames[..., None], weights["one.weight"], weights["one.bias"], _STRIDE), _POOL_ONE)
    x = _pooled(_around(x, weights["two.weight"], weights["two.bias"], 1), _POOL_TWO)
    # The network was trained with channels before bands.
    x = x.transpose(0, 2, 1).reshape(len(x), -1)
    return _elu(x @ weights["enter.weight"].T + weights["enter.bias"])


def _around(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Convolution over time and bands with zeros around: (T, F, in) to (T, F / stride, out)."""
    time, bands = len(x), x.shape[1] // stride
    _, inside, high, wide = weight.shape
    padded = np.pad(x, ((high // 2,) * 2, ((wide - 1) // 2,) * 2, (0, 0)))
    seen = [padded[i : i + time, j : j + stride * bands : stride][:, :bands] for i in range(high) for j in range(wide)]
    kernel = weight.transpose(2, 3, 1, 0).reshape(high * wide * inside, -1)
    return np.concatenate(seen, axis=2) @ kernel + bias


def _pooled(x: np.ndarray, bands: int) -> np.ndarray:
    """The greatest of some bands: (T, F, C) to (T, F / bands, C)."""
    return _elu(x.reshape(len(x), -1, bands, x.shape[2]).max(axis=2))


def _along(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """Dilated convolution over time with zeros around: (T, in) to (T, out)."""
    count, reach = len(x), dilation * (_KERNEL // 2)
    out = np.broadcast_to(bias, (count, len(bias))).astype(np.float32)
    for k in range(_KERNEL):
        shift = k * dilation - reach
        low, high = max(0, -shift), min(count, count - shift)
        if high > low:
            out[low:high] += x[low + shift : high + shift] @ np.ascontiguousarray(weight[:, :, k].T)
    return out


def _elu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0) + np.expm1(np.minimum(x, 0.0))
