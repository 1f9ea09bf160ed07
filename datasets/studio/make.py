"""Make a studio on disk: songs, dances to them and their videos, in the layout of AIST++."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from d2m.datasets import aist
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.files.file_log import file_log
from d2m.parallel import Parallel, count_of, each
from d2m.types import SmplMotion
from d2m.version import __version__

from . import plan
from .camera import Camera, aist_cameras
from .choreographer import Performance, choreograph
from .landmarks import COCO17, estimate, points
from .music import compose_song, read_score, write_beats, write_score

#: Raised whenever the same seed would give other files than before.
FORMAT = 1
_SETTING = "setting1"


@dataclass(frozen=True)
class Studio:
    """Settings of a studio, which determine its content.

    Attributes:
        songs: number of songs; genres take turns.
        dances: number of dances for each song.
        seconds: length of each song and dance in seconds.
        seed: random seed.
        sample_rate: sample rate of the wav files in hertz.
        video: whether the mannequin is filmed (first camera, 640 x 360, 30 frames per second).
        split: split of all songs and dancers, or None if the three splits take turns.
    """

    songs: int
    dances: int
    seconds: float
    seed: int
    sample_rate: int = 22050
    video: bool = False
    split: str | None = None


def make_studio(
    out_dir: str | Path,
    songs: int,
    dances_per_song: int,
    seconds: float,
    seed: int,
    video: bool = False,
    progress: Callable[[int, int], None] | None = None,
    *,
    processes: Parallel = 1,
    split: str | None = None,
) -> Studio:
    """Make or complete a studio.

    Files that are complete are kept, so that an interrupted run is resumed; the result does not depend on
    ``processes``. A run with more songs or dances adds to a studio of the same seed and length. ``make.log`` lists what
    was made.

    Args:
        out_dir: output folder, created if missing.
        songs: number of songs, 1 to 10000.
        dances_per_song: number of dancers for each song, 1 to 15.
        seconds: length of each song in seconds, 4 to 600.
        seed: random seed, 0 or more.
        video: also film the mannequin.
        progress: called with the number of finished songs and of all songs.
        processes: number of local processes, or an executor.
        split: split of all songs and dancers, ``"test"`` for a benchmark; None lets the splits take turns.

    Returns:
        Settings of the studio.

    Raises:
        D2MError: for numbers out of range, a folder with another studio in it, or no space.
    """
    if not 4 <= seconds <= 600:
        raise D2MError(f"songs of {seconds} s are not possible; choose 4 to 600 seconds")
    if songs < 1 or count_of(processes) < 1:
        raise D2MError("a studio needs at least one song and one process")
    studio = Studio(songs, dances_per_song, float(seconds), seed, video=video, split=split)
    todo = [plan.song(i, dances_per_song, seed, split) for i in range(songs)]
    out = Path(out_dir)
    claim(out, studio)
    with file_log(out / "make.log") as log:
        log.info("%s", json.dumps(asdict(studio)))
        jobs = [(song, studio, out) for song in todo]
        for done, (name, took) in enumerate(each(_make_song, jobs, processes), start=1):
            log.info("%s %.1f s", name, took)
            if progress is not None:
                progress(done, songs)
        _write_index(out, todo, studio)
    return studio


def claim(out: Path, studio: Studio, layout: str = "aist") -> None:
    """Write the manifest first, so that a folder never contains two studios.

    Args:
        out: the folder.
        studio: its settings.
        layout: ``"aist"`` or ``"tiktok"``.

    Raises:
        D2MError: if it holds another one.
    """
    manifest = out / "manifest.json"
    wanted: dict[str, object] = {"format": FORMAT, "seed": studio.seed, "seconds": studio.seconds}
    wanted["sample_rate"] = studio.sample_rate
    if layout != "aist":
        wanted["layout"] = layout
    if studio.split is not None:
        wanted["split"] = studio.split
    if manifest.exists():
        try:
            found = json.loads(manifest.read_text())
            optional = {"layout": None, "split": None}
            same = {key: found.get(key) for key in {**optional, **wanted}} == {**optional, **wanted}
        except (OSError, ValueError, AttributeError, RecursionError):
            same = False
        if not same:
            raise D2MError(f"{out} holds another studio; choose an empty folder, or its seed and seconds")
        return
    if out.exists() and not out.is_dir():
        raise D2MError(f"{out} is not a folder; choose another place")
    if out.exists() and any(not path.name.startswith(".") for path in out.iterdir()):
        raise D2MError(f"{out} is not empty; choose an empty folder")
    aist.write_text(manifest, json.dumps(wanted, indent=1) + "\n")


def _make_song(song: plan.Song, studio: Studio, out: Path) -> tuple[str, float]:
    began = time.monotonic()
    score_path, wav = out / "scores" / f"{song.music}.npz", out / "wav" / f"{song.music}.wav"
    if score_path.exists():
        score, energy = read_score(score_path)
    else:
        score, energy = compose_song(song.genre, studio.seconds, plan.song_stream(studio.seed, song.index))
        write_score(score_path, score, energy)
    beats = out / "beats" / f"{song.music}.txt"
    if not beats.exists():
        write_beats(beats, score.grid, studio.seconds)
    if not wav.exists():
        from d2m.symbolic.sound import render

        write_wav(wav, render(score, studio.sample_rate), studio.sample_rate)
    cameras = aist_cameras(plan.camera_stream(studio.seed))
    for dance in range(len(song.dancers)):
        name = song.sequence(dance)
        motion = out / "motions" / f"{name}.pkl"
        rng = plan.dance_stream(studio.seed, song.index, dance)
        film_path = out / "videos" / f"{aist.AistName.parse(name).view(1)}.mp4"
        if motion.exists() and (film_path.exists() or not studio.video):
            continue
        style = plan.dancer(song.dancers[dance], studio.seed)
        danced = choreograph(score, song.genre, studio.seconds, rng, dancer=style, energy=energy)
        if studio.video and not film_path.exists():
            _film(danced, cameras[0], film_path, song.dancers[dance], studio.seed)
        if not motion.exists():
            _write_dance(out, name, danced, cameras, plan.camera_stream(studio.seed, song.index, dance + 1))
    return song.music, time.monotonic() - began


def write_wav(path: Path, waveform: np.ndarray, sample_rate: int) -> None:
    """Write a .wav file with 16 bits atomically.

    Args:
        path: the file.
        waveform: float (channels, samples).
        sample_rate: hertz.
    """
    import soundfile

    with atomic_write(path) as part:
        try:
            soundfile.write(part, waveform.T, sample_rate, subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise OSError(str(error)) from error


def _film(danced: Performance, camera: Camera, path: Path, dancer: int, seed: int) -> None:
    from .filming import film
    from .mannequin import Look

    small = Camera(np.diag([1 / 3, 1 / 3, 1.0]) @ camera.matrix, camera.rotation, camera.translation, (640, 360))
    film(danced, small, path, look=Look.random(plan.look_stream(seed, dancer)))


def _write_dance(
    out: Path, name: str, danced: Performance, cameras: tuple[Camera, ...], rng: np.random.Generator
) -> None:
    """Write keypoints and motion; the motion comes last, so that a sequence with a motion file is complete."""
    exact = points(danced, COCO17)
    fps, size = danced.smpl.fps, 1.70 * danced.smpl.scale / 100.0
    views, scores = [], []
    for camera in cameras:
        pixels, depth = camera.project(exact)
        tall = float(np.median(camera.matrix[1, 1] * size / depth))
        seen, confidence = estimate(pixels, COCO17, tall, fps, rng)
        views.append(np.concatenate([seen, confidence[..., None]], axis=-1))
        scores.append(np.clip(confidence.mean(axis=1) + rng.normal(0, 0.01, len(seen)), 0, 1))
    stamps = np.round(np.arange(len(exact)) * 1e6 / fps).astype(np.int64)
    keypoints = aist.Keypoints2d(np.stack(views), np.stack(scores), stamps)
    aist.write_keypoints2d(out / "keypoints2d" / f"{name}.pkl", keypoints)
    # nine views together are three times better than one
    raw, _ = estimate(exact, COCO17, size, fps, rng, noise=0.33)
    smooth = gaussian_filter1d(raw, 0.02 * fps, axis=0, mode="nearest")
    aist.write_keypoints3d(out / "keypoints3d" / f"{name}.pkl", 100 * raw, 100 * smooth)
    smpl = danced.smpl
    motion = SmplMotion(smpl.poses, smpl.translation, smpl.scale, smpl.fps)
    aist.write_motion(out / "motions" / f"{name}.pkl", motion)


def _write_index(out: Path, songs: list[plan.Song], studio: Studio) -> None:
    """Write the lists of sequences, the cameras and the manifest, from all motion files in the folder."""
    names = sorted(p.stem for p in (out / "motions").glob("*.pkl"))
    splits: dict[str, list[str]] = {part: [] for part in aist.SPLITS}
    for name in names:
        dancer = int(aist.AistName.parse(name).dancer)
        part = next(part for part, people in plan.DANCERS.items() if dancer in people)
        splits[part].append(name)
    for part, members in splits.items():
        for protocol in ("crossmodal", "pose"):
            aist.write_text(out / "splits" / f"{protocol}_{part}.txt", "".join(f"{n}\n" for n in members))
    aist.write_text(out / "ignore_list.txt", "")
    aist.write_text(out / "cameras" / "mapping.txt", "".join(f"{n} {_SETTING}\n" for n in names))
    cameras = [
        camera_record(view, camera)
        for view, camera in zip(aist.VIEWS, aist_cameras(plan.camera_stream(studio.seed)), strict=True)
    ]
    aist.write_text(out / "cameras" / f"{_SETTING}.json", json.dumps(cameras) + "\n")
    manifest = {
        "format": FORMAT,
        "seed": studio.seed,
        "seconds": studio.seconds,
        "sample_rate": studio.sample_rate,
        "d2m": __version__,
        "numpy": np.__version__,
        "songs": len({aist.AistName.parse(n).music for n in names}),
        "sequences": {part: len(members) for part, members in splits.items()},
    }
    if studio.split is not None:
        manifest["split"] = studio.split
    aist.write_text(out / "manifest.json", json.dumps(manifest, indent=1) + "\n")


def camera_record(name: str, camera: Camera) -> dict[str, object]:
    """Convert a camera to AIST++'s format: rotation as axis-angle, translation in centimetres.

    Args:
        name: name of the camera.
        camera: the camera.
    """
    from .skeleton import rotvecs

    return {
        "name": name,
        "size": list(camera.size),
        "matrix": camera.matrix.tolist(),
        "rotation": rotvecs(camera.rotation[None])[0].tolist(),
        "translation": (100.0 * camera.translation).tolist(),
        "distortions": [0.0] * 5,
    }
