"""Make training examples for the audio models: rendered POP909 and studio songs, the latter with dancers.

Songs are split by seed (studio) and by number (POP909: every tenth song is held out); studio dancers of the two parts
are different people.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from d2m.datasets.pairs import make_pair, save_pair
from d2m.datasets.pop909 import arrange, song_folders
from d2m.datasets.studio.camera import wild_camera
from d2m.datasets.studio.choreographer import DancerStyle, choreograph
from d2m.datasets.studio.landmarks import landmark_motion
from d2m.datasets.studio.music import compose_song
from d2m.errors import D2MError, D2MWarning
from d2m.features.envelope import body_speeds, motion_events
from d2m.features.rhythm import accents_per_beat, energy_per_beat
from d2m.files.atomic import atomic_write_bytes, io_errors
from d2m.generator.band import band_of, playable
from d2m.parallel import Parallel, each
from d2m.symbolic.excerpt import excerpt
from d2m.symbolic.sound import render
from d2m.types import GENRES, Dance, Score

Job = tuple[Callable[..., None], tuple]
SAMPLE_RATE, HOP = 22050, 256
PROGRAMS = {
    "drums": (0, 8, 16, 25, 32, 40),
    "piano": (0, 1, 2, 4, 5, 6, 7, 11, 16, 17, 18),
    "guitar": (24, 25, 26, 27, 28, 29, 30),
    "bass": (32, 33, 34, 35, 36, 37, 38, 39),
    "strings": (40, 48, 49, 50, 51, 56, 61, 62, 63, 65, 73, 80, 81, 88, 89, 90),
}


def pop_score(folder: Path, seconds: float, rng: np.random.Generator) -> Score:
    """Return an excerpt of a POP909 song, arranged for five tracks.

    Args:
        folder: the song, ``POP909/NNN``.
        seconds: maximum length in seconds.
        rng: random generator, which draws the instruments and the excerpt.

    Raises:
        D2MError: if the song cannot be read.
    """
    score = arrange(folder, rng, PROGRAMS)
    start = rng.uniform(0, max(0.0, score.duration - seconds))
    return excerpt(score, start, min(seconds, score.duration))


def nobody(score: Score) -> Dance:
    """Return an empty dance for music without a dancer.

    Args:
        score: the music, with the beat grid.
    """
    beats = len(score.grid.beats)
    return Dance(score.duration, None, score.grid, np.full(beats, 0.6, np.float32), np.full(beats, 0.5, np.float32))


def somebody(score: Score, genre: str, seconds: float, seed: int, held_out: bool, rng: np.random.Generator) -> Dance:
    """Return a dance to a score, with the errors of pose estimation.

    Args:
        score: the music.
        genre: AIST code such as ``"gHO"``.
        seconds: length in seconds.
        seed: random seed of the dancers.
        held_out: draw one of the dancers of the held-out part.
        rng: random generator of the dance, the camera and the errors.
    """
    # Dancers are known by number: the held-out ones are others than those of the training part.
    dancer = DancerStyle.random(np.random.default_rng([seed, int(held_out), int(rng.integers(40))]))
    motion = landmark_motion(choreograph(score, genre, seconds, rng, dancer=dancer), wild_camera(rng), rng)
    speeds, beats = body_speeds(motion), score.grid.beats
    energy, accents = energy_per_beat(speeds, beats, seconds), accents_per_beat(motion_events(speeds), beats)
    return Dance(seconds, motion, score.grid, energy, accents, genre)


def pop_example(folder: Path, seed: int, seconds: float, path: Path) -> None:
    """Write an example of music without a dancer: an excerpt of an arranged POP909 song.

    Args:
        folder: the song, ``POP909/NNN``.
        seed: random seed.
        seconds: maximum length in seconds.
        path: output .npz file.

    Raises:
        D2MError: if the song cannot be read or the file cannot be written.
    """
    score = pop_score(folder, seconds, np.random.default_rng([seed, 909, int(folder.name)]))
    wave = render(score, SAMPLE_RATE)[0]
    save_pair(make_pair(wave, score, nobody(score), -1, SAMPLE_RATE, HOP), path)


def studio_example(index: int, seed: int, held_out: bool, seconds: float, vocals: bool, band: bool, path: Path) -> None:
    """Write an example of music with a dancer: a song of the studio.

    Args:
        index: number of the song; genres take turns.
        seed: random seed.
        held_out: whether it belongs to the held-out part.
        seconds: length in seconds.
        vocals: keep the voices of the song.
        band: leave out effects and voices, which the sound library plays beside the generator.
        path: output .npz file.

    Raises:
        D2MError: if the file cannot be written.
    """
    rng = np.random.default_rng([seed, int(held_out), index])
    genre = list(GENRES)[index % len(GENRES)]
    score, _ = compose_song(genre, seconds, rng, vocals=vocals)
    dance = somebody(score, genre, seconds, seed, held_out, rng)
    score = band_of(score) if band else score
    wave = render(score, SAMPLE_RATE)[0]
    save_pair(make_pair(wave, playable(score), dance, list(GENRES).index(genre), SAMPLE_RATE, HOP), path)


def pop_folders(root: Path, seed: int, held_out: bool) -> list[Path]:
    """Return the folders of POP909 songs of one part in a random order; every tenth song is held out.

    Args:
        root: folder of POP909.
        seed: random seed of the order.
        held_out: return the held-out part instead of the training part.

    Raises:
        D2MError: if there are no songs.
    """
    folders = song_folders(root)
    order = np.random.default_rng(seed).permutation(len(folders))
    return [folders[i] for i in order if (int(folders[i].name) % 10 == 0) == held_out]


def make_examples(
    out: str | Path,
    studio_songs: int = 0,
    pop_songs: int = 0,
    pop909: Path | None = None,
    *,
    held_out: int = 20,
    seconds: float = 24.0,
    seed: int = 1,
    vocals: bool = False,
    processes: Parallel = 1,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write ``OUT/train/*.npz`` and ``OUT/held_out/*.npz`` (:mod:`d2m.datasets.pairs`).

    A file that exists is kept, so an interrupted run is resumed and a folder can be extended.

    Args:
        out: output folder, created if missing.
        studio_songs: number of songs of the studio in the training part, spread over the genres.
        pop_songs: number of songs of POP909 in the training part.
        pop909: folder with the songs 001 to 909.
        held_out: number of held-out songs of each kind.
        seconds: maximum length of an example in seconds, 2 to 600.
        seed: random seed.
        vocals: keep the effects of the studio's songs, and in every second round of genres the voices.
        processes: number of local processes, or an executor.
        progress: called with the number of finished examples and of all examples to make.

    Returns:
        The number of examples in the folder that belong to these settings.

    Raises:
        D2MError: if nothing is asked for, a number is out of range, the folder contains examples of other settings or
            cannot be written, POP909 is missing, or an example could not be made.
    """
    if studio_songs < 1 and pop_songs < 1:
        raise D2MError("nothing to make; give the number of songs with --pop-songs, --studio-songs or both")
    if pop_songs > 0 and pop909 is None:
        raise D2MError("--pop-songs needs --pop909, the folder with the songs")
    if not 2 <= seconds <= 600:
        raise D2MError(f"examples of {seconds:g} s are not possible; choose 2 to 600 seconds")
    if min(seed, held_out) < 0:
        raise D2MError("the seed and the number of held-out songs cannot be negative; choose 0 or more")
    folder = Path(out)
    jobs: list[Job] = []
    if pop909 is not None and pop_songs > 0:
        for part, count in (("train", pop_songs), ("held_out", held_out)):
            for song in pop_folders(pop909, seed, part == "held_out")[:count]:
                jobs.append((pop_example, (song, seed, seconds, folder / part / f"pop-{song.name}.npz")))
    for part, count in (("train", studio_songs), ("held_out", held_out if studio_songs > 0 else 0)):
        for index in range(count):
            path = folder / part / f"studio-{index:05d}.npz"
            sung = vocals and index // len(GENRES) % 2 == 1
            jobs.append((studio_example, (index, seed, part == "held_out", seconds, sung, not vocals, path)))
    claim(folder, {"seed": seed, "seconds": float(seconds)} | ({"vocals": True} if vocals else {}))
    make_all(jobs, processes, progress)
    return len(jobs)


def claim(folder: Path, settings: dict[str, Any]) -> None:
    """Make the folders of both parts and write the settings, since a folder never contains examples of two settings.

    Args:
        folder: output folder.
        settings: values that JSON can hold.

    Raises:
        D2MError: if the folder contains examples of other settings or cannot be written.
    """
    path = folder / "examples.json"
    with io_errors(path):
        for part in ("train", "held_out"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        if not path.exists():
            atomic_write_bytes(path, (json.dumps(settings) + "\n").encode())
            return
        text = path.read_text(encoding="utf-8", errors="replace")
    try:
        before = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise D2MError(f"{path} is damaged; remove it, or choose another folder") from error
    if before != settings:
        raise D2MError(f"{folder} contains examples of other settings ({path}); choose another folder")


def make_all(jobs: list[Job], processes: Parallel, progress: Callable[[int, int], None] | None = None) -> None:
    """Make the files that are missing.

    A job that fails becomes a warning, and the others are done.

    Args:
        jobs: function and arguments; the last argument is the output file.
        processes: number of local processes, or an executor.
        progress: called with the number of finished jobs and of all jobs to do.

    Raises:
        D2MError: if a job failed.
    """
    waiting = [job for job in jobs if not job[1][-1].exists()]
    failed = 0
    for number, problem in enumerate(each(_tried, waiting, processes), 1):
        if problem:
            warnings.warn(problem, D2MWarning, 2)
            failed += 1
        if progress is not None:
            progress(number, len(waiting))
    if failed:
        raise D2MError(f"{failed} of {len(waiting)} files could not be made, see the warnings; the others are complete")


def _tried(function: Callable[..., None], arguments: tuple) -> str:
    """Run a job; return the error in one line, or ""."""
    try:
        function(*arguments)
    except Exception as error:
        text = str(error) if isinstance(error, D2MError) else repr(error)
        return f"{arguments[-1].name}: {text}"
    return ""
