"""Render stereo music for training the stereo codec and its generator.

    python scripts/make_studio_music.py OUT --hours 8 --pop909 POP909 --fonts studio FluidR3_GM MuseScore_General

writes OUT/train/*.flac and OUT/held_out/*.flac, 44.1 kHz stereo of 30 s each. Half of it (``--own``) is played as the
toolkit plays (the first font, the genre's mix); the rest by a font drawn from all and with a mix drawn at random, so
that the codec hears more than one band. Beside each song that is played as the toolkit plays lies the example that a
generator learns from (NAME.npz, see :mod:`d2m.datasets.pairs`), with somebody dancing to it unless it is of POP909.
Songs are split by seed (studio) and by number (POP909: every tenth song is held out), and studio dancers of the two
parts are different people. A file that exists is not made again, so an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from d2m.audio.presets import BAND, Preset, preset
from d2m.datasets.examples_make import Job, make_all, nobody, pop_folders, pop_score, somebody
from d2m.datasets.pairs import make_pair, save_pair
from d2m.datasets.studio.music import compose_song
from d2m.files.atomic import atomic_write
from d2m.symbolic.composer.dress import dress
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound.render import mix_down
from d2m.types import GENRES, Dance, Score

RATE, HOP = 44100, 512


def random_mix(base: Preset, rng: np.random.Generator) -> Preset:
    """Move the gains, sends and spaces of a preset at random."""
    strips = {}
    for name, strip in base.strips.items():
        sends = {
            field.name: getattr(strip, field.name) + rng.uniform(-6, 6)
            for field in fields(strip)
            if field.name in ("room", "hall", "echo")
        }
        moved = {"gain": strip.gain + rng.uniform(-5, 4), "spread": rng.uniform(0.3, 1.8), **sends}
        strips[name] = replace(strip, **moved, drive=max(strip.drive + rng.uniform(-4, 4), 0.0))
    bus = replace(base.bus, crest=rng.uniform(9, 14), width=rng.uniform(0.7, 1.5))
    space = replace(base.space, room=rng.uniform(0.3, 0.9), hall=rng.uniform(0.9, 3.0))
    return Preset(strips, bus, space)


@dataclass(frozen=True)
class Band:
    """Who plays: ``fonts``, of which the first is the toolkit's own, and the share ``own`` of songs that it plays."""

    fonts: list[str]
    own: float


def render_song(score: Score, dance: Dance, band: Band, rng: np.random.Generator, path: Path) -> None:
    """Play a score and write the sound, and the example for generators if it was played as the toolkit plays."""
    import soundfile

    from d2m.audio.mastering import master

    font, mix, own = band.fonts[0], preset(score.genre, score.character), rng.random() < band.own
    if not own:
        font = band.fonts[int(rng.integers(len(band.fonts)))]
        mix = random_mix(preset(list(GENRES)[int(rng.integers(10))] if rng.random() < 0.7 else BAND), rng)
    wave = master(mix_down(score, font, mix=mix).mix, RATE, score.duration, mix.bus.crest)
    if own:
        genre = list(GENRES).index(score.genre) if score.genre else -1
        pair = make_pair(wave[0], score, dance, genre, RATE, HOP, keep=False, patches=True)
        save_pair(pair, path.with_suffix(".npz"))
    with atomic_write(path) as temporary:
        soundfile.write(temporary, wave.T, RATE, format="FLAC", subtype="PCM_16")


def pop_song(folder: Path, seed: int, seconds: float, band: Band, path: Path) -> None:
    """Render an excerpt of a POP909 song in the sound of a genre, without a dancer."""
    rng = np.random.default_rng([seed, 909, int(folder.name)])
    score = pop_score(folder, seconds, rng)
    dressed = dress(replace(score, genre=list(GENRES)[int(rng.integers(10))]), rng)
    render_song(dressed, nobody(score), band, rng, path)


def studio_song(index: int, seed: int, held_out: bool, seconds: float, band: Band, path: Path) -> None:
    """Render a song of the composer with a dance to it."""
    rng = np.random.default_rng([seed, int(held_out), index])
    genre = list(GENRES)[index % len(GENRES)]
    score, _ = compose_song(genre, seconds, rng)
    render_song(score, somebody(score, genre, seconds, seed, held_out, rng), band, rng, path)


def jobs(args: argparse.Namespace) -> list[Job]:
    """List what has to be made: held-out songs first, then the others in a mixed order."""
    total = int(np.ceil(args.hours * 3600 / args.seconds))
    pop = min(total // 4, 800) if args.pop909 else 0
    band = Band(args.fonts, args.own)
    parts: dict[bool, list[Job]] = {}
    for held_out, folder in ((True, args.out / "held_out"), (False, args.out / "train")):
        folder.mkdir(parents=True, exist_ok=True)
        made = parts.setdefault(held_out, [])
        for index in range(args.held_out if held_out else total - pop):
            path = folder / f"studio-{index:05d}.flac"
            made.append((studio_song, (index, args.seed, held_out, args.seconds, band, path)))
        if pop:
            for song in pop_folders(args.pop909, args.seed, held_out)[: args.held_out if held_out else pop]:
                made.append((pop_song, (song, args.seed, args.seconds, band, folder / f"pop-{song.name}.flac")))
    # So that an unfinished set holds all kinds.
    order = np.random.default_rng(args.seed).permutation(len(parts[False]))
    return parts[True] + [parts[False][i] for i in order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=8.0)
    parser.add_argument("--pop909", type=Path, help="folder with the songs 001 ... 909; a quarter of the music")
    parser.add_argument("--fonts", nargs="+", required=True, help="soundfonts; the first is the toolkit's")
    parser.add_argument("--own", type=float, default=0.5, help="share of songs that are played as the toolkit plays")
    parser.add_argument("--held-out", type=int, default=20, help="held-out songs of each kind")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    args = parser.parse_args()
    for font in args.fonts:
        find_soundfont(font)
    make_all(jobs(args), args.processes, lambda done, total: print(f"{done} of {total}", flush=True))


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
