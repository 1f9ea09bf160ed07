"""A studio in the layout of TikTok Dance-Music (:mod:`d2m.datasets.tiktok`): phone videos, keypoints, no genre."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from d2m.datasets import tiktok
from d2m.datasets.aist import write_text
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.files.file_log import file_log
from d2m.parallel import Parallel, count_of, each
from d2m.version import __version__

from . import plan
from .camera import wild_camera
from .choreographer import choreograph
from .landmarks import landmark_motion
from .make import FORMAT, Studio, claim, write_wav
from .music import compose_song, write_beats

#: Width and height of a phone's picture.
_SIZE = (360, 640)


def make_tiktok_studio(
    out_dir: str | Path,
    songs: int,
    dances_per_song: int,
    seconds: float,
    seed: int,
    video: bool = False,
    progress: Callable[[int, int], None] | None = None,
    *,
    processes: Parallel = 1,
) -> Studio:
    """Make or complete a studio in the layout of TikTok Dance-Music.

    Every dance is filmed by a camera of its own, and its keypoints have the errors of pose estimation. The dances are
    the same as in the AIST++ layout with the same seed; ``beats/NAME.txt`` contains the true beats, and videos have
    sound.

    Args:
        out_dir: output folder, created if missing.
        songs: number of songs, 1 to 1000.
        dances_per_song: number of dancers for each song, 1 to 15.
        seconds: length of each song in seconds, 4 to 600.
        seed: random seed, 0 or more.
        video: also film the mannequin.
        progress: called with the number of finished songs and of all songs.
        processes: number of local processes, or an executor.

    Returns:
        Settings of the studio.

    Raises:
        D2MError: for numbers out of range, a folder with another studio in it, or no space.
    """
    if not 4 <= seconds <= 600:
        raise D2MError(f"songs of {seconds} s are not possible; choose 4 to 600 seconds")
    if not 1 <= songs <= 1000 or count_of(processes) < 1:
        raise D2MError("a studio in this layout has 1 to 1000 songs, and needs at least one process")
    studio = Studio(songs, dances_per_song, float(seconds), seed, video=video)
    todo = [plan.song(i, dances_per_song, seed) for i in range(songs)]
    out = Path(out_dir)
    claim(out, studio, "tiktok")
    with file_log(out / "make.log") as log:
        log.info("%s", json.dumps(asdict(studio)))
        for done, took in enumerate(each(_make_song, [(song, studio, out) for song in todo], processes), start=1):
            log.info("%s %.1f s", *took)
            if progress is not None:
                progress(done, songs)
        _write_index(out, studio)
    return studio


def video_name(song: plan.Song, dance: int) -> str:
    """Return the name of a video; the collection in it stands for the genre.

    Args:
        song: song of the studio.
        dance: number of the dance.
    """
    # room for 15 dances to each song, so that a larger studio contains the smaller one
    return str(tiktok.TikTokName(song.index % 10, song.index, 15 * song.index + dance))


def _make_song(song: plan.Song, studio: Studio, out: Path) -> tuple[str, float]:
    began = time.monotonic()
    names = [video_name(song, dance) for dance in range(len(song.dancers))]
    if all(_complete(out, name, studio) for name in names):
        return song.music, time.monotonic() - began
    from d2m.symbolic.sound import render

    score, energy = compose_song(song.genre, studio.seconds, plan.song_stream(studio.seed, song.index))
    sound = render(score, studio.sample_rate)
    for dance, name in enumerate(names):
        if _complete(out, name, studio):
            continue
        rng = plan.dance_stream(studio.seed, song.index, dance)
        style = plan.dancer(song.dancers[dance], studio.seed)
        danced = choreograph(score, song.genre, studio.seconds, rng, dancer=style, energy=energy)
        lens = plan.camera_stream(studio.seed, song.index, dance + 1)
        camera = wild_camera(lens, _SIZE)
        motion = landmark_motion(danced, camera, lens, fps=tiktok.FPS)
        write_wav(out / "wav" / f"{name}.wav", sound, studio.sample_rate)
        write_beats(out / "beats" / f"{name}.txt", score.grid, studio.seconds)
        if studio.video:
            from .filming import film
            from .mannequin import Look

            look = Look.random(plan.look_stream(studio.seed, song.dancers[dance]))
            path = out / "videos" / f"{name}.mp4"
            film(danced, camera, path, look=look, waveform=sound, sample_rate=studio.sample_rate)
        write_keypoints(out, name, motion)
    return song.music, time.monotonic() - began


def _complete(out: Path, name: str, studio: Studio) -> bool:
    film = out / "videos" / f"{name}.mp4"
    return (out / "keypoints" / f"{name}.npy").exists() and (film.exists() or not studio.video)


def write_keypoints(out: Path, name: str, motion) -> None:
    """Write ``keypoints/NAME.npy`` atomically.

    Args:
        out: folder of the studio.
        name: name of the video.
        motion: ``"mediapipe33"`` or ``"body25"`` at 30 fps.
    """
    from d2m.features.skeletons import body25_frames

    with atomic_write(out / "keypoints" / f"{name}.npy") as part:
        np.save(part, body25_frames(motion))


def _write_index(out: Path, studio: Studio) -> None:
    """Write the manifest and the lists of the splits, from all videos in the folder including those of earlier runs."""
    splits: dict[str, list[str]] = {split: [] for split in tiktok.SPLITS}
    for name in tiktok.TikTok(out).names():
        song = plan.song(tiktok.TikTokName.parse(name).music, 1, studio.seed)
        splits[song.split].append(name)
    for split, names in splits.items():
        write_text(out / f"{split}.txt", "".join(f"{name}\n" for name in names))
    manifest = {
        "format": FORMAT, "seed": studio.seed, "seconds": studio.seconds, "sample_rate": studio.sample_rate,
        "layout": "tiktok", "d2m": __version__, "videos": {split: len(names) for split, names in splits.items()},
    }  # fmt: skip
    write_text(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")
