"""Draw mel spectrograms up to 20 kHz of stereo recordings above each other.

    python scripts/plot_mix.py "before=old.wav" "now=new.wav" "a record=record.ogg:42" -o docs/mix.png --seconds 8

Each argument is a title and a file, with the second from which it is shown after a colon. Levels are relative to the
loudest point of each recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.load_librosa import load_librosa

_HOP, _WINDOW, _MELS, _FLOOR_DB = 512, 4096, 160, -70.0


def read(words: str, seconds: float) -> tuple[str, np.ndarray, int]:
    """Read what an argument names: title, mono samples and rate."""
    import soundfile

    title, _, place = words.partition("=")
    name, _, start = place.rpartition(":") if place.rpartition(":")[2].isdigit() else (place, "", "0")
    if not place:
        raise D2MError(f"'{words}' is not TITLE=FILE; give a title for each file")
    with soundfile.SoundFile(name) as file:
        file.seek(int(float(start) * file.samplerate))
        wave = file.read(int(seconds * file.samplerate), dtype="float32", always_2d=True).mean(axis=1)
        return title, wave, file.samplerate


def draw(panels: list[tuple[str, np.ndarray, int]], path: Path) -> None:
    """Draw one spectrogram a recording, on one scale of frequency and level."""
    librosa = load_librosa()
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(len(panels), 1, figsize=(11, 2.4 * len(panels)), sharex=True, squeeze=False)
    for axis, (title, wave, rate) in zip(axes[:, 0], panels, strict=True):
        bands = librosa.feature.melspectrogram(
            y=wave, sr=rate, n_fft=_WINDOW, hop_length=_HOP, n_mels=_MELS, fmin=20, fmax=20000
        )
        levels = librosa.power_to_db(bands, ref=np.max, top_db=-_FLOOR_DB)
        axis.imshow(
            levels, origin="lower", aspect="auto", cmap="magma", vmin=_FLOOR_DB, vmax=0,
            extent=(0, len(wave) / rate, 0, _MELS),
        )  # fmt: skip
        hertz = librosa.mel_frequencies(_MELS + 2, fmin=20, fmax=20000)[1:-1]
        marks = (100, 400, 1000, 4000, 11000, 18000)
        axis.set_yticks([int(np.searchsorted(hertz, mark)) for mark in marks], [f"{m / 1000:g} kHz" for m in marks])
        axis.set_title(title, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", metavar="TITLE=FILE[:SECOND]")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=8.0)
    args = parser.parse_args()
    draw([read(words, args.seconds) for words in args.recordings], args.output)
    print(args.output)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
