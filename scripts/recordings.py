"""Functions shared by the measuring scripts: opening recordings and codecs, and control baselines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.datasets.examples import read_song
from d2m.errors import D2MError
from d2m.load_librosa import load_librosa

if TYPE_CHECKING:
    from d2m.codec.base import Codec

SAMPLE_RATE = 22050


def open_codec(spec: str) -> Codec:
    """Return a codec from a word such as ``spectral:studio-codec`` or ``jukebox:vqvae.pth.tar:high``: its kind, the
    name or path of its weights, and for JukeBox the level (high or low).

    Raises:
        D2MError: if the word is not of that form or the weights cannot be used.
    """
    kind, _, rest = spec.partition(":")
    if kind == "spectral" and rest:
        from d2m import codec

        return codec.load(rest)
    if kind == "jukebox" and rest:
        from d2m import jukebox, weights

        name, _, level = rest.rpartition(":")
        if level not in ("high", "low"):
            name, level = rest, "high"
        return jukebox.JukeboxCodec(jukebox.load(weights.find(name, "jukebox-vqvae")[0]), level, SAMPLE_RATE).eval()
    raise D2MError(f"'{spec}' names no codec; write spectral:WEIGHTS or jukebox:WEIGHTS:high")


def recordings(folder: Path, seconds: float = 0.0, count: int = 0) -> list[np.ndarray]:
    """Return recordings of a folder: examples (npz with int16 ``waveform``) or sound files, float32 mono at 22050 Hz.

    Args:
        folder: searched for ``*.npz``, ``*.wav``, ``*.flac``; in the order of their names.
        seconds: take this much from the middle of each, leaving shorter ones out; 0 for all of it.
        count: take this many, evenly spread over the names; 0 for all.

    Raises:
        D2MError: if there is none.
    """
    files = sorted(f for f in Path(folder).iterdir() if f.suffix in (".npz", ".wav", ".flac"))
    if count and len(files) > count:
        files = [files[i] for i in np.linspace(0, len(files) - 1, count).round().astype(int)]
    length = int(seconds * SAMPLE_RATE)
    found = []
    for file in files:
        waveform = read(file)
        start = (len(waveform) - length) // 2
        if not length:
            found.append(waveform)
        elif start >= 0:
            found.append(waveform[start : start + length])
    if not found:
        raise D2MError(f"no recordings of {seconds:g} s or more in {folder}")
    return found


def read(file: Path) -> np.ndarray:
    """Return one recording, float32 mono at 22050 Hz."""
    if file.suffix == ".npz":
        return read_song(file).astype(np.float32) / 32768
    librosa = load_librosa()

    return librosa.load(file, sr=SAMPLE_RATE, mono=True)[0]


def fine_log_mel_l1(output: np.ndarray, reference: np.ndarray) -> float:
    """Measure the log10-mel L1 of two mono recordings at 44.1 kHz: 128 mels to 20 kHz, n_fft 4096, floor 2e-4."""
    import torch

    from d2m.nn.mel import LogMel

    log_mel = LogMel(44100, 4096, 512, 128, 2e-4, 20000.0)
    one, other = (log_mel(torch.from_numpy(np.ascontiguousarray(x, np.float32))[None]) for x in (output, reference))
    return float((one - other).abs().mean())


def white_noise(waveform: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return white noise as long and as powerful as a recording."""
    return (rng.standard_normal(waveform.shape) * np.sqrt(np.square(waveform).mean())).astype(np.float32)


def shuffled(waveform: np.ndarray, rng: np.random.Generator, seconds: float = 0.25) -> np.ndarray:
    """Return the recording cut into pieces of 0.25 s, which are played in random order, 5 ms cross-faded."""
    piece, fade = int(seconds * SAMPLE_RATE), int(0.005 * SAMPLE_RATE)
    starts = np.arange(0, len(waveform) - piece - fade, piece)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    out = np.zeros(len(starts) * piece + fade, np.float32)
    for place, start in enumerate(rng.permutation(starts)):
        part = waveform[start : start + piece + fade].copy()
        part[:fade] *= ramp
        part[-fade:] *= ramp[::-1]
        out[place * piece :][: len(part)] += part
    return out


def table(rows: list[list[str]]) -> str:
    """Return rows of words as aligned columns, the first row a heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        words = [row[0].ljust(widths[0]), *(word.rjust(w) for word, w in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(words))
    return "\n".join([lines[0], "  ".join("-" * w for w in widths), *lines[1:]])
