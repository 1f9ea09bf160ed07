"""Embeddings of networks whose weights are inside other packages: musicnn and basic-pitch.

Neither package is imported, and neither needs TensorFlow here: the weights are read from the installed files.

    pip install --no-deps musicnn
    pip install --no-deps basic-pitch onnxruntime

References
----------
J. Pons and X. Serra, "musicnn: Pre-trained convolutional neural networks for music audio tagging", ISMIR 2019 (late
breaking). R. M. Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic Note Transcription and
Multipitch Estimation", ICASSP 2022.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.load_librosa import load_librosa

if TYPE_CHECKING:
    import torch


def package_folder(package: str, install: str, name: str) -> Path:
    """Return the folder of an installed package without importing it.

    Args:
        package: name of the module.
        install: what ``pip install`` takes.
        name: name of the embedding, for the message.

    Raises:
        D2MError: if it is not installed.
    """
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise D2MError(f"the embedding '{name}' needs the package {package}: pip install {install}")
    return Path(next(iter(spec.submodule_search_locations)))


def windows(waveform: np.ndarray, length: int, step: int) -> np.ndarray:
    """Cut a waveform into overlapping windows.

    Args:
        waveform: (samples,), at least one window.
        length, step: samples.

    Returns:
        (windows, length).
    """
    return np.lib.stride_tricks.sliding_window_view(np.asarray(waveform, np.float32), length)[::step]


class MusicnnFeatures:
    """The layer before the last of musicnn's tagger that learnt from the Million Song Dataset, 200 values.

    Args:
        window: seconds of a window, 2 to 30; None for the 3 s of training. The next starts half a window later.

    Raises:
        D2MError: if the package is not installed, or the window is shorter or longer.
    """

    name, version, size, sample_rate, standardise = "musicnn", "MSD-0.1", 200, 16000, False

    def __init__(self, window: float | None = None) -> None:
        seconds = 3.0 if window is None else window
        if not 2.0 <= seconds <= 30.0:
            raise D2MError(f"a window of {window} s cannot be described by musicnn; choose 2 to 30 s")
        self._frames = int((seconds * 16000 - 256) // 256) + 1
        # Frames are centred, so the last one begins where the window ends.
        self.window = (self._frames - 1) * 256 / 16000
        folder = package_folder("musicnn", "--no-deps musicnn", self.name)
        self._variables = _read_musicnn(str(folder / "MSD_musicnn"))

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform.

        Args:
            waveform: float32 (samples,).

        Returns:
            float32 (windows, 200).
        """
        import torch

        librosa = load_librosa()
        power = librosa.feature.melspectrogram(y=waveform, sr=16000, n_fft=512, hop_length=256, n_mels=96)
        # Rounded to half precision, as in training; the package multiplies in half precision, too, which overflows.
        mels = np.log10(10000 * power.T.astype(np.float16).astype(np.float32) + 1)
        starts = range(0, len(mels) - self._frames + 1, self._frames // 2)
        with torch.no_grad():
            rows = [_penultimate(torch.from_numpy(mels[s : s + self._frames]), self._variables) for s in starts]
        return torch.stack(rows).numpy()


@lru_cache(maxsize=1)
def _read_musicnn(folder: str) -> dict[str, torch.Tensor]:
    """Variables of a checkpoint by name."""
    import torch

    from d2m.weights.tf_bundle import open_bundle

    with open_bundle(Path(folder) / ".index") as bundle:
        wanted = [name for name in bundle.variables if "Adam" not in name and "power" not in name]
        return {name: torch.from_numpy(np.array(bundle.read(name), np.float32)) for name in wanted}


def _penultimate(mels: torch.Tensor, variables: dict[str, torch.Tensor]) -> torch.Tensor:
    """Run the network up to the layer before the last; mels (frames, 96) -> (200,)."""
    import torch
    from torch.nn import functional

    def numbered(name: str, index: int) -> str:
        return f"{name}_{index}" if index else name

    def norm(x: torch.Tensor, index: int) -> torch.Tensor:
        # The channels are in the last axis.
        part = {key: variables[f"{numbered('batch_normalization', index)}/{key}"] for key in _NORM}
        return (x - part["moving_mean"]) / torch.sqrt(part["moving_variance"] + 1e-3) * part["gamma"] + part["beta"]

    def convolved(x: torch.Tensor, index: int, pad: tuple[int, int]) -> torch.Tensor:
        # x (frames, bands) -> (frames, bands left, channels)
        kernel, bias = (variables[f"{numbered('conv2d', index)}/{key}"] for key in ("kernel", "bias"))
        padded = functional.pad(x, (0, 0, *pad))[None, None]
        return torch.relu(functional.conv2d(padded, kernel.permute(3, 2, 0, 1), bias))[0].permute(1, 2, 0)

    x = norm(mels[..., None], 0)[..., 0]
    pads = ((3, 3), (3, 3), (63, 64), (31, 32), (15, 16))
    front = [norm(convolved(x, i, pad), i + 1).amax(dim=1) for i, pad in enumerate(pads)]
    layers = [torch.cat(front, dim=1)]
    first = norm(convolved(layers[0], 5, (3, 3)), 6)[:, 0]
    second = norm(convolved(first, 6, (3, 3)), 7)[:, 0] + first
    third = norm(convolved(second, 7, (3, 3)), 8)[:, 0] + second
    whole = torch.cat([*layers, first, second, third], dim=1)
    pooled = torch.stack([whole.amax(dim=0), whole.mean(dim=0)], dim=1).reshape(-1)
    dense = norm(pooled, 9) @ variables["dense/kernel"] + variables["dense/bias"]
    return norm(torch.relu(dense), 10)


_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


class BasicPitchActivations:
    """Mean activations of the 88 keys, of notes and of their beginnings, by basic-pitch's transcriber: 176 values.

    It represents pitches and their density, and little of the timbre.

    Args:
        window: seconds; only the network's own, 1.988 s, or None.

    Raises:
        D2MError: if a package is not installed, or another window is asked for.
    """

    name, version, size, sample_rate, standardise = "basic-pitch", "icassp-2022", 176, 22050, False
    _LENGTH = 2 * 22050 - 256

    def __init__(self, window: float | None = None) -> None:
        self.window = self._LENGTH / 22050
        if window is not None and abs(window - self.window) > 0.05:
            raise D2MError(f"the embedding 'basic-pitch' has a window of {self.window:.2f} s; leave out --window")
        folder = package_folder("basic_pitch", "--no-deps basic-pitch", self.name)
        self._session = _read_basic_pitch(str(folder / "saved_models" / "icassp_2022" / "nmp.onnx"))

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform.

        Args:
            waveform: float32 (samples,).

        Returns:
            float32 (windows, 176).
        """
        batch = np.ascontiguousarray(windows(waveform, self._LENGTH, self._LENGTH // 2))[..., None]
        names = ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"]
        parts = [self._session.run(names, {"serving_default_input_2:0": part[None]}) for part in batch]
        return np.stack([np.concatenate([notes[0].mean(0), onsets[0].mean(0)]) for notes, onsets in parts])


@lru_cache(maxsize=1)
def _read_basic_pitch(path: str) -> Any:
    package_folder("onnxruntime", "onnxruntime", BasicPitchActivations.name)
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise D2MError(f"the weights of basic-pitch cannot be read ({error}); install the package again") from error
