"""Make music with known beats for ``d2m train beats`` (``d2m data beats``).

Each file contains two mixes of a song, or of sound without a beat: log-mel frames (uint8, 28 steps a unit) and the
beats. Songs are of three sources: a band in thirteen styles, the toolkit's composer, and POP909. Songs whose number
ends on 00 to 04 are held out, and so are the last 60 songs of POP909.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.datasets.examples_make import Job, claim, make_all
from d2m.datasets.studio.beat_band import Band, Beats
from d2m.datasets.studio.beat_mix import composed, empty, mixed, recorded, spoiled
from d2m.datasets.studio.beat_sounds import RATE, DrumSounds, open_font
from d2m.errors import D2MError
from d2m.features.sound_spectrum import spectrum
from d2m.files.atomic import atomic_write
from d2m.parallel import Parallel

#: Length of each mix in seconds, and the number of mixes of a song.
SECONDS, VARIANTS = 32.0, 2

_HELD_OUT_POP = 60


@dataclass(frozen=True)
class Sources:
    """Sources of the sounds and songs.

    Attributes:
        soundfonts: soundfont files that play the notes.
        samples: folders of drum samples.
        songs: song folders of POP909; may be empty.
        empty: share of sound without a beat, 0 to 1.
    """

    soundfonts: tuple[Path, ...]
    samples: tuple[Path, ...] = ()
    songs: tuple[Path, ...] = ()
    empty: float = 0.06


def make_beats(
    out: str | Path,
    sources: Sources,
    *,
    songs: int = 1000,
    seed: int = 1,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``OUT/train/*.npz`` and ``OUT/held_out/*.npz``; a file that exists is kept, so a run can be resumed.

    Args:
        out: output folder, created if missing.
        sources: sounds and songs.
        songs: number of songs.
        seed: random seed.
        processes: number of local processes, or an executor.
        progress: called with the number of finished songs and of all songs to make.

    Returns:
        The number of songs.

    Raises:
        D2MError: if a number is out of range, a soundfont cannot be read, the folder contains music of another seed or
            cannot be written, or a song could not be made.
    """
    if songs < 1 or seed < 0 or not 0 <= sources.empty < 1:
        raise D2MError("give at least one song, a seed of 0 or more, and a share without beat below 1")
    for font in sources.soundfonts:
        open_font(font)
    folder = Path(out)
    claim(folder, {"seed": seed, "empty": sources.empty})
    jobs: list[Job] = []
    for number in range(songs):
        part = "held_out" if number % 100 < 5 else "train"
        jobs.append((make_song, (number, seed, sources, folder / part / f"{number:06d}.npz")))
    make_all(jobs, processes, progress)
    return songs


def make_song(number: int, seed: int, sources: Sources, path: Path) -> None:
    """Write the mixes of one song.

    Args:
        number: number of the song.
        seed: random seed.
        sources: sounds and songs.
        path: output .npz file in the folder ``train`` or ``held_out``.
    """
    held_out = path.parent.name == "held_out"
    band, rng = _band(sources.soundfonts, sources.samples), np.random.default_rng([seed, number])
    pop = sources.songs[-_HELD_OUT_POP:] if held_out else sources.songs[:-_HELD_OUT_POP]
    made = _song(band, pop, sources.empty, rng)
    arrays: dict[str, np.ndarray] = {}
    for i in range(VARIANTS):
        frames, beats = _variant(made, band, rng, clean=held_out and i == 0)
        arrays |= {f"frames{i}": frames, f"beats{i}": beats.beats, f"downbeats{i}": beats.downbeats}
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


@lru_cache(maxsize=1)
def _band(soundfonts: tuple[Path, ...], samples: tuple[Path, ...]) -> Band:
    """Load the sounds, once in each process."""
    return Band([open_font(path) for path in soundfonts], DrumSounds(soundfonts, samples))


def _song(band: Band, pop: tuple[Path, ...], empties: float, rng: np.random.Generator) -> Beats | None:
    """Return a song of one of the three sources; None for sound without a beat."""
    shares = np.array([0.64, 0.15, 0.21]) * (1.0 - empties)
    source = rng.choice(["band", "composer", "pop909", "empty"], p=[*shares, empties])
    if source == "pop909" and pop:
        return recorded(pop[int(rng.integers(len(pop)))], band, SECONDS, rng)
    if source == "composer":
        return composed(band, SECONDS, rng)
    return None if source == "empty" else band.play(SECONDS, rng)


def _variant(made: Beats | None, band: Band, rng: np.random.Generator, clean: bool) -> tuple[np.ndarray, Beats]:
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
