"""Measure loudness, peaks, dynamics, spectrum and stereo of sound files, by genre and in the mean.

    python scripts/measure_mix.py FOLDER [--reference reference.npz]

The genre is what comes before the first digit of a file's name (``gHO0.wav``). Printed are integrated loudness (LUFS),
true peak (dBTP), crest factor (peak over RMS, dB), energy in bands relative to the whole (dB), energy of the side
relative to the middle (dB), and what the downmix to mono loses (dB). ``--reference``: an npz file with ``ltas``, the
mean energies of real music in the same bands and its crest factor; differences to it are printed, too.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np

from d2m.audio.loudness import loudness, true_peak
from d2m.errors import D2MError

EDGES = (20, 60, 120, 250, 500, 1000, 2000, 4000, 8000, 11000, 16000, 20000)
NAMES = [
    "LUFS",
    "dBTP",
    *(f"{a}-{b}" for a, b in zip(EDGES, EDGES[1:], strict=False)),
    "crest",
    "side",
    "mono",
]


def measure(path: Path) -> np.ndarray:
    """Measure a file: the values of :data:`NAMES`."""
    import soundfile

    wave, rate = soundfile.read(path, always_2d=True)
    wave = wave.T
    middle = wave.mean(axis=0)
    power = np.abs(np.fft.rfft(middle)) ** 2
    hertz = np.fft.rfftfreq(len(middle), 1 / rate)
    bands = [power[(hertz >= a) & (hertz < b)].sum() / power.sum() for a, b in zip(EDGES, EDGES[1:], strict=False)]
    mean_power = np.mean(wave**2)
    crest = np.abs(wave).max() ** 2 / mean_power
    side = np.mean((0.5 * (wave[0] - wave[-1])) ** 2) / np.mean(middle**2)
    mono = np.mean(middle**2) / mean_power
    decibels = 10 * np.log10(np.maximum([*bands, crest, side, mono], 1e-12))
    return np.array([loudness(wave, rate), true_peak(wave), *decibels])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--reference", type=Path)
    args = parser.parse_args()
    rows: dict[str, list[np.ndarray]] = {}
    for path in sorted(path for end in ("wav", "flac") for path in args.folder.glob(f"*.{end}")):
        rows.setdefault(re.split(r"\d", path.stem)[0], []).append(measure(path))
    if not rows:
        raise D2MError(f"no .wav or .flac files in {args.folder}; give a folder with some")
    print(" " * 8 + " ".join(f"{name:>11}" for name in NAMES))
    means = []
    for genre, found in rows.items():
        means.append(np.mean(found, axis=0))
        print(f"{genre:8}" + " ".join(f"{value:11.1f}" for value in means[-1]))
    mean = np.mean(means, axis=0)
    print(f"{'mean':8}" + " ".join(f"{value:11.1f}" for value in mean))
    if args.reference:
        real = np.load(args.reference)["ltas"]
        difference = np.concatenate([[np.nan, np.nan], mean[2 : 2 + len(real)] - real])
        print(f"{'- real':8}" + " ".join(f"{value:11.1f}" for value in difference))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
