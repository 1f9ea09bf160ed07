"""Draw mel spectrograms of real, reconstructed and generated music above each other.

    python scripts/plot_spectrograms.py DATA/held_out/song.npz --codec spectral:studio-codec --generated
        out/dance.d2m.wav \\ -o docs/spectrograms.png

The recording and what each codec makes of it show the same seconds; generated music shows its own, from
--generated-start.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from recordings import SAMPLE_RATE, open_codec, read, reconstruct

from d2m.errors import D2MError
from d2m.evaluation.fidelity import log_mel


def draw(panels: list[tuple[str, np.ndarray]], path: Path) -> None:
    """One picture of several recordings (title, samples), on one colour scale."""
    import librosa
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    mels = [20 * log_mel(waveform, SAMPLE_RATE, n_mels=128, n_fft=2048) for _, waveform in panels]
    top = max(float(mel.max()) for mel in mels)
    figure, axes = pyplot.subplots(len(panels), 1, figsize=(9, 2.1 * len(panels)), sharex=True, layout="constrained")
    labels = [250, 500, 1000, 2000, 4000, 8000]
    bands = librosa.mel_frequencies(128, fmin=0, fmax=SAMPLE_RATE / 2)
    for axis, (title, waveform), mel in zip(np.atleast_1d(axes), panels, mels, strict=True):
        extent = (0, len(waveform) / SAMPLE_RATE, 0, 128)
        image = axis.imshow(mel, origin="lower", aspect="auto", extent=extent, vmin=top - 70, vmax=top, cmap="magma")
        axis.set_yticks(np.interp(labels, bands, np.arange(128) + 0.5), [f"{f:g}" for f in labels], fontsize=7)
        axis.set_ylabel("Hz", fontsize=8)
        axis.set_title(title, loc="left", fontsize=9)
    np.atleast_1d(axes)[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=axes, label="dB", shrink=0.6, pad=0.01)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial.png")
    figure.savefig(partial, dpi=110)
    partial.replace(path)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, help="a recording: wav, flac, or an example (npz)")
    parser.add_argument("--codec", action="append", default=[], help="spectral:WEIGHTS or jukebox:WEIGHTS:high|low")
    parser.add_argument("--generated", type=Path, action="append", default=[], help="generated recordings")
    parser.add_argument("--start", type=float, default=0.0, help="first second shown of the real recording")
    parser.add_argument("--generated-start", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/spectrograms.png"))
    options = parser.parse_args()
    real = _cut(options.real, options.start, options.seconds)
    panels = [(f"real: {options.real.stem}", real)]
    panels += [(f"reconstructed: {spec}", reconstruct(open_codec(spec), real)) for spec in options.codec]
    panels += [(f"generated: {g.stem}", _cut(g, options.generated_start, options.seconds)) for g in options.generated]
    draw(panels, options.output)
    print(options.output)


def _cut(file: Path, start: float, seconds: float) -> np.ndarray:
    waveform = read(file)[int(start * SAMPLE_RATE) : int((start + seconds) * SAMPLE_RATE)]
    if not len(waveform):
        raise D2MError(f"{file} ends before second {start:g}")
    return waveform


if __name__ == "__main__":
    try:
        main()
    except D2MError as error:
        sys.exit(f"error: {error}")
