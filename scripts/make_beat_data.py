"""Make music with known beats for `d2m train beats`.

    python scripts/make_beat_data.py data --songs 1000 --soundfont FluidR3_GM.sf2 \
        --soundfont MuseScore_General_Full.sf2 --samples /usr/share/hydrogen --samples /usr/share/lmms \
        --samples /usr/share/sonic-pi/samples --pop909 POP909

Each file holds several mixes of a song: log-mel frames (uint8, 28 steps a unit) and beats. Songs whose number ends on
the digits 00 to 04 are held out. A run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from d2m.datasets.studio.beat_band import Band, Beats
from d2m.datasets.studio.beat_mix import composed, empty, mixed, recorded, spoiled
from d2m.datasets.studio.beat_sounds import RATE, DrumSounds, open_font
from d2m.features.sound_spectrum import spectrum
from d2m.files.atomic import atomic_write

SECONDS, VARIANTS = 32.0, 2


def song(band: Band, pop: list[Path], empties: float, rng: np.random.Generator) -> Beats | None:
    """Return a song of one of the three sources; None for sound without a beat."""
    shares = np.array([0.64, 0.15, 0.21]) * (1.0 - empties)
    source = rng.choice(["band", "composer", "pop909", "empty"], p=[*shares, empties])
    if source == "pop909" and pop:
        return recorded(pop[int(rng.integers(len(pop)))], band, SECONDS, rng)
    if source == "composer":
        return composed(band, SECONDS, rng)
    return None if source == "empty" else band.play(SECONDS, rng)


def variant(made: Beats | None, band: Band, rng: np.random.Generator, clean: bool) -> tuple[np.ndarray, Beats]:
    """Return frames uint8 (T, 80) of one mix, and its beats."""
    if made is None or not made.stems or len(made.beats) < 8:
        wave, beats = empty(SECONDS, band, rng), Beats({}, np.zeros(0), np.zeros(0, np.int64))
    else:
        wave, beats = mixed(made, rng), made
    if not clean:
        wave = spoiled(wave, rng)
    speed = float(rng.uniform(0.88, 1.14)) if rng.random() < 0.5 and not clean else 1.0
    if speed != 1.0:
        wave = np.interp(np.arange(0, len(wave) - 1, speed), np.arange(len(wave)), wave).astype(np.float32)
    frames = np.clip(np.rint(spectrum(wave, RATE) * 28), 0, 255).astype(np.uint8)
    return frames, Beats({}, beats.beats / speed, beats.downbeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--songs", type=int, default=6000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--soundfont", type=Path, action="append", required=True)
    parser.add_argument("--samples", type=Path, action="append", default=[])
    parser.add_argument("--pop909", type=Path, help="folder with the songs 001 to 909")
    parser.add_argument("--empty", type=float, default=0.06, help="share of sound without a beat")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    band = Band([open_font(path) for path in options.soundfont], DrumSounds(options.soundfont, options.samples))
    pop = sorted(p for p in options.pop909.glob("[0-9]*") if p.is_dir()) if options.pop909 else []
    for number in range(options.first, options.songs):
        held_out = number % 100 < 5
        target = options.out / ("held_out" if held_out else "train") / f"{number:06d}.npz"
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng([options.seed, number])
        # The last 60 songs of POP909 are for held-out music.
        made = song(band, pop[-60:] if held_out else pop[:-60], options.empty, rng)
        arrays = {}
        for i in range(VARIANTS):
            frames, beats = variant(made, band, rng, clean=held_out and i == 0)
            arrays |= {f"frames{i}": frames, f"beats{i}": beats.beats, f"downbeats{i}": beats.downbeats}
        with atomic_write(target) as part:
            np.savez(part, **arrays)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
