"""Make stereo music for training the stereo codec and its generator (``d2m data music``).

``train/*.flac`` and ``held_out/*.flac`` are 44.1 kHz stereo. A share of the songs is played as the toolkit plays (the
first soundfont, the genre's mix); the rest by a soundfont drawn from all and with a mix drawn at random, so that a
codec learns the sound of more than one band. Beside each song that is played as the toolkit plays lies the example
that a generator learns from (``NAME.npz``, :mod:`d2m.datasets.pairs`), with a dance unless the song is of POP909.

Songs are split by seed (studio) and by number (POP909: every tenth song is held out), and the studio dancers of the
two parts are different people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from d2m.audio.presets import BAND, Preset, preset
from d2m.datasets.examples_make import Job, claim, make_all, nobody, pop_folders, pop_score, somebody
from d2m.datasets.pairs import make_pair, save_pair
from d2m.datasets.studio.music import compose_song
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.parallel import Parallel
from d2m.symbolic.composer.dress import dress
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound.render import mix_down
from d2m.types import GENRES, Dance, Score

RATE, HOP = 44100, 512

#: Share and largest number of songs that are of POP909, where there is one.
_POP_SHARE, _POP_SONGS = 0.25, 800


@dataclass(frozen=True)
class Players:
    """Soundfonts that play the songs.

    Attributes:
        fonts: names or files of soundfonts; the first is the toolkit's own.
        own: share of the songs that are played as the toolkit plays, 0 to 1.
    """

    fonts: tuple[str, ...]
    own: float = 0.5


def make_music(
    out: str | Path,
    players: Players,
    *,
    hours: float = 8.0,
    pop909: Path | None = None,
    held_out: int = 20,
    seconds: float = 30.0,
    seed: int = 1,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write music and examples; a file that exists is kept, so an interrupted run is resumed.

    Args:
        out: output folder, created if missing.
        players: who plays.
        hours: length of the training part in hours.
        pop909: folder with the songs 001 to 909, from which a quarter of the music is.
        held_out: number of held-out songs of each kind.
        seconds: length of each song in seconds, 4 to 600.
        seed: random seed.
        processes: number of local processes, or an executor.
        progress: called with the number of finished songs and of all songs to make.

    Returns:
        The number of songs in the folder that belong to these settings.

    Raises:
        D2MError: if a number is out of range, a soundfont or POP909 is missing, the folder contains music of other
            settings or cannot be written, or a song could not be made.
    """
    if not 4 <= seconds <= 600 or not 0 < hours <= 1000:
        raise D2MError("songs must be 4 to 600 s long and the music at most 1000 hours; choose other numbers")
    if not 0 <= players.own <= 1 or min(held_out, seed) < 0:
        raise D2MError("the share lies between 0 and 1, and neither seed nor held-out songs are negative")
    for font in players.fonts:
        find_soundfont(font)
    folder = Path(out)
    total = math.ceil(hours * 3600 / seconds)
    pop = {part: pop_folders(pop909, seed, part) if pop909 else [] for part in (True, False)}
    count = min(int(total * _POP_SHARE), _POP_SONGS, len(pop[False]))
    make: dict[bool, list[Job]] = {True: [], False: []}
    for part, place, studio, popular in (
        (True, folder / "held_out", held_out, held_out),
        (False, folder / "train", total - count, count),
    ):
        for index in range(studio):
            path = place / f"studio-{index:05d}.flac"
            make[part].append((studio_song, (index, seed, part, seconds, players, path)))
        for song in pop[part][:popular]:
            make[part].append((pop_song, (song, seed, seconds, players, place / f"pop-{song.name}.flac")))
    claim(folder, {"seed": seed, "seconds": float(seconds), "fonts": list(players.fonts), "own": players.own})
    # In a mixed order, so that an unfinished set holds all kinds.
    order = np.random.default_rng(seed).permutation(len(make[False]))
    jobs = make[True] + [make[False][i] for i in order]
    make_all(jobs, processes, progress)
    return len(jobs)


def studio_song(index: int, seed: int, held_out: bool, seconds: float, players: Players, path: Path) -> None:
    """Write a song of the composer, and an example with a dance to it.

    Args:
        index: number of the song; genres take turns.
        seed: random seed.
        held_out: whether it belongs to the held-out part.
        seconds: length in seconds.
        players: soundfonts, and the share of songs played as the toolkit plays.
        path: output .flac file.
    """
    rng = np.random.default_rng([seed, int(held_out), index])
    genre = list(GENRES)[index % len(GENRES)]
    score, _ = compose_song(genre, seconds, rng)
    render_song(score, somebody(score, genre, seconds, seed, held_out, rng), players, rng, path)


def pop_song(folder: Path, seed: int, seconds: float, players: Players, path: Path) -> None:
    """Write an excerpt of a POP909 song with the sound of a random genre, and an example without a dancer.

    Args:
        folder: the song, ``POP909/NNN``.
        seed: random seed.
        seconds: maximum length in seconds.
        players: soundfonts, and the share of songs played as the toolkit plays.
        path: output .flac file.

    Raises:
        D2MError: if the song cannot be read.
    """
    rng = np.random.default_rng([seed, 909, int(folder.name)])
    score = pop_score(folder, seconds, rng)
    dressed = dress(replace(score, genre=_any_genre(rng)), rng)
    render_song(dressed, nobody(score), players, rng, path)


def render_song(score: Score, dance: Dance, players: Players, rng: np.random.Generator, path: Path) -> None:
    """Play a score and write the sound, and the example for generators if it was played as the toolkit plays.

    Args:
        score: notes to play.
        dance: dance to the score.
        players: soundfonts, and the share of songs played as the toolkit plays.
        rng: random generator.
        path: output .flac file.
    """
    import soundfile

    from d2m.audio.mastering import master

    font, mix, own = players.fonts[0], preset(score.genre, score.character), rng.random() < players.own
    if not own:
        font = players.fonts[int(rng.integers(len(players.fonts)))]
        mix = random_mix(preset(_any_genre(rng) if rng.random() < 0.7 else BAND), rng)
    wave = master(mix_down(score, font, mix=mix).mix, RATE, score.duration, mix.bus.crest)
    if own:
        genre = list(GENRES).index(score.genre) if score.genre else -1
        pair = make_pair(wave[0], score, dance, genre, RATE, HOP, keep=False, patches=True)
        save_pair(pair, path.with_suffix(".npz"))
    with atomic_write(path) as temporary:
        soundfile.write(temporary, wave.T, RATE, format="FLAC", subtype="PCM_16")


def random_mix(base: Preset, rng: np.random.Generator) -> Preset:
    """Move the gains, sends and spaces of a preset at random.

    Args:
        base: preset to start from.
        rng: random generator.

    Returns:
        Another preset of the same channels.
    """
    strips = {}
    for name, strip in base.strips.items():
        sends = {f.name: getattr(strip, f.name) + rng.uniform(-6, 6) for f in fields(strip) if f.name in _SENDS}
        moved = {"gain": strip.gain + rng.uniform(-5, 4), "spread": rng.uniform(0.3, 1.8), **sends}
        strips[name] = replace(strip, **moved, drive=max(strip.drive + rng.uniform(-4, 4), 0.0))
    bus = replace(base.bus, crest=rng.uniform(9, 14), width=rng.uniform(0.7, 1.5))
    space = replace(base.space, room=rng.uniform(0.3, 0.9), hall=rng.uniform(0.9, 3.0))
    return Preset(strips, bus, space)


_SENDS: Sequence[str] = ("room", "hall", "echo")


def _any_genre(rng: np.random.Generator) -> str:
    return list(GENRES)[int(rng.integers(len(GENRES)))]
