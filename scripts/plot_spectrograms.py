"""Draw mel spectrograms of real, reconstructed and generated music above each other.

    python scripts/plot_spectrograms.py DATA/held_out/song.npz -o docs/spectrograms.png

An example (npz) by itself is drawn as it is, through the spectral codec, through the JukeBox codec where its weights
are installed, and as the generator plays its true sketch. Any of --codec, --generator and --generated draws those
instead:

    python scripts/plot_spectrograms.py song.wav --codec spectral:studio-codec --generated out/dance.d2m.wav

Everything shows the same seconds but --generated, which shows its own, from --generated-start.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from from_sketch import open_generator, play
from recordings import SAMPLE_RATE, open_codec, read

from d2m.codec.reconstruct import reconstruct
from d2m.errors import D2MError
from d2m.evaluation.fidelity import log_mel
from d2m.load_librosa import load_librosa
from d2m.weights import list_cards

#: Pixels across.
WIDTH = 1400


def draw(panels: list[tuple[str, np.ndarray]], path: Path) -> None:
    """Draw spectrograms of several recordings (title, samples) with one colour scale."""
    librosa = load_librosa()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # Bands narrow enough to part the notes of a chord need a long window; a short hop keeps drum hits sharp.
    mels = [20 * log_mel(waveform, SAMPLE_RATE, n_mels=128, n_fft=2048) for _, waveform in panels]
    top = max(float(mel.max()) for mel in mels)
    size = (9, 0.4 + 1.75 * len(panels))
    figure, axes = pyplot.subplots(len(panels), 1, figsize=size, sharex=True, layout="constrained")
    labels = [250, 500, 1000, 2000, 4000, 8000]
    bands = librosa.mel_frequencies(128, fmin=0, fmax=SAMPLE_RATE / 2)
    for axis, (title, waveform), mel in zip(np.atleast_1d(axes), panels, mels, strict=True):
        extent = (0, len(waveform) / SAMPLE_RATE, 0, 128)
        image = axis.imshow(mel, origin="lower", aspect="auto", extent=extent, vmin=top - 70, vmax=top, cmap="magma")
        axis.set_yticks(np.interp(labels, bands, np.arange(128) + 0.5), [f"{f:g}" for f in labels], fontsize=7)
        axis.set_ylabel("Hz", fontsize=8)
        axis.set_title(title, loc="left", fontsize=9)
    np.atleast_1d(axes)[-1].set_xlabel("seconds", fontsize=8)
    np.atleast_1d(axes)[-1].tick_params(axis="x", labelsize=7)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, pad=0.01)
    bar.set_label("dB", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    _save(figure, path)
    pyplot.close(figure)


def _save(figure, path: Path) -> None:
    """The figure as a PNG of the colour map and greys alone, a third of the size of one of all colours."""
    from matplotlib import colormaps
    from PIL import Image

    figure.set_dpi(WIDTH / figure.get_size_inches()[0])
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    colours = colormaps["magma"](np.linspace(0, 1, 112))[:, :3]
    greys = np.repeat(np.linspace(0, 1, 16)[:, None], 3, 1)
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.round(255 * np.concatenate([colours, greys])).astype(np.uint8).tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial.png")
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(partial, optimize=True)
    partial.replace(path)


def _title(spec: str, bits: float) -> str:
    """A codec's word, such as ``jukebox:studio-vqvae:high``, as a heading."""
    kind, name, *level = spec.split(":")
    words = ", ".join([Path(name).stem, *(f"{word} level" for word in level)])
    known = {"spectral": "spectral", "jukebox": "JukeBox"}[kind]
    return f"Through the {known} codec ({words}), {bits / 1000:.1f} kbit/s"


def panels_of(options: argparse.Namespace) -> list[tuple[str, np.ndarray]]:
    """Return titles and recordings, real music first."""
    start, seconds = options.start, options.seconds
    real = _cut(options.real, start, seconds)
    panels = [(f"Real: {options.real.stem}", real)]
    codecs, generators = options.codec, options.generator
    if not (codecs or generators or options.generated) and options.real.suffix == ".npz":
        codecs = ["spectral:studio-codec"]
        if any(card.name == "studio-vqvae" for card in list_cards()):
            codecs.append("jukebox:studio-vqvae:high")
        generators = ["studio-generator"]
    for spec in codecs:
        codec = open_codec(spec)
        panels.append((_title(spec, codec.bits_per_second), reconstruct(codec, real[None], SAMPLE_RATE)[0]))
    panels += [
        (f"Generated from its sketch ({Path(name).stem})", _played(options.real, name, start, seconds))
        for name in generators
    ]
    for file in options.generated:
        panels.append((f"Generated: {file.stem}", _cut(file, options.generated_start, seconds)))
    return panels


def _played(file: Path, name: str, start: float, seconds: float) -> np.ndarray:
    from d2m.datasets.pairs import load_pairs

    if file.suffix != ".npz":
        raise D2MError(f"{file} has no sketch to play; give an example (npz)")
    from scipy.signal import resample_poly

    generator, codec = open_generator(name)
    # All of the example: what is cut out of it then has its surroundings, as in use.
    generated = play(load_pairs([file])[0], generator, codec)[0].mean(0)
    if codec.sample_rate != SAMPLE_RATE:
        generated = resample_poly(generated, SAMPLE_RATE, codec.sample_rate)
    return generated[int(start * SAMPLE_RATE) : int((start + seconds) * SAMPLE_RATE)]


def _cut(file: Path, start: float, seconds: float) -> np.ndarray:
    waveform = read(file)[int(start * SAMPLE_RATE) : int((start + seconds) * SAMPLE_RATE)]
    if not len(waveform):
        raise D2MError(f"{file} ends before second {start:g}")
    return waveform


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("real", type=Path, help="a recording: wav, flac, or an example (npz)")
    parser.add_argument("--codec", action="append", default=[], help="spectral:WEIGHTS or jukebox:WEIGHTS:high|low")
    parser.add_argument("--generator", action="append", default=[], help="weights that play the example's sketch")
    parser.add_argument("--generated", type=Path, action="append", default=[], help="generated recordings")
    parser.add_argument("--start", type=float, default=0.0, help="first second shown of the real recording")
    parser.add_argument("--generated-start", type=float, default=0.0)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/spectrograms.png"))
    options = parser.parse_args()
    draw(panels_of(options), options.output)
    print(f"{options.output}: {options.output.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
