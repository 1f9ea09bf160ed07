"""TikTok Dance-Music on disk: names, splits, keypoints and sound.

The data set of D2M-GAN (Zhu et al., ECCV 2022, section 4.1): 445 dance videos from the wild, 12.5 s long on average, to
85 songs (their lists number 86). Its authors publish the links of the videos, two lists (392 videos to train, 53 to
test; no song is in both) and 2 s pieces (:mod:`d2m.datasets.pieces`). The names follow from their lists:
``000007_23_207`` is video 207 (0 to 444), to music 23 (0 to 85), from collection 7 (0 to 14).

The whole videos have no published layout. This is ours::

    train.txt test.txt      names, one a line; val.txt if there is one. The authors' own lists of pieces do as well
    wav/NAME.wav            the sound of the video from its first picture on; if missing, that of videos/NAME.mp4
    keypoints/NAME.npz      what `d2m features` writes of the video; or
    keypoints/NAME.npy      float32 (T, 75): x, y, confidence of BODY_25's points, 30 frames a second, in pixels of a
                            picture 720 high (:func:`d2m.features.skeletons.body25_frames`); or
    keypoints/NAME/*.json   what OpenPose writes with --write_json, one file a picture; needs videos/NAME.mp4
    videos/NAME.mp4         optional otherwise
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.base import whole_name
from d2m.datasets.lists import MOST_TEXT, read_list
from d2m.datasets.npy import read_npy
from d2m.errors import D2MError
from d2m.types import Motion

#: Motion frames a second and values a frame.
FPS, VALUES = 30.0, 75
SPLITS: tuple[str, ...] = ("train", "val", "test")
_NAME = re.compile(r"(?P<collection>\d{6})_(?P<music>\d{1,4})_(?P<video>\d{1,5})")
#: Largest number of OpenPose's files to a video that is read.
_MOST_PICTURES = 40_000


@dataclass(frozen=True)
class TikTokName:
    """A name such as ``000007_23_207``, taken apart.

    Attributes:
        collection: where the video comes from.
        music, video: their numbers.
    """

    collection: int
    music: int
    video: int

    @classmethod
    def parse(cls, text: str) -> TikTokName:
        """Parse a name.

        Args:
            text: such as ``000007_23_207``.

        Raises:
            D2MError: for a name of another form.
        """
        found = _NAME.fullmatch(text.strip())
        if found is None:
            raise D2MError(f"'{text[:80]}' is not a TikTok name; expected one like 000007_23_207")
        return cls(**{key: int(value) for key, value in found.groupdict().items()})

    def __str__(self) -> str:
        return f"{self.collection:06d}_{self.music}_{self.video}"


class TikTok:
    """A folder in the layout above.

    Args:
        root: the folder that holds ``keypoints/``.

    Raises:
        D2MError: if it does not.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)
        if not (self.root / "keypoints").is_dir():
            raise D2MError(f"{root} is not a TikTok folder: it has no keypoints/")

    def names(self, split: str | None = None) -> tuple[str, ...]:
        """Return the videos of a split as listed, or all that have keypoints.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``, or None for all; without a list, the split ``"val"`` is empty.

        Raises:
            D2MError: if the list of another split is missing.
        """
        if split is None:
            # logs and temporary files may lie there too
            found = {path.stem for path in (self.root / "keypoints").iterdir()}
            return tuple(sorted(name for name in found if _NAME.fullmatch(name)))
        path = find_list(self.root, split)
        if path is None:
            if split == "val":
                return ()
            raise D2MError(f"{self.root} has no {split}.txt with the names of its videos")
        return tuple(dict.fromkeys(whole_name(line) for line in read_list(path)))

    def motion_files(self, name: str) -> tuple[Path, ...]:
        """Return the keypoint files of a video.

        Args:
            name: name of the video.

        Raises:
            D2MError: if there are none.
        """
        stem = self.root / "keypoints" / str(TikTokName.parse(name))
        for suffix in ("npz", "npy"):
            path = stem.with_name(f"{stem.name}.{suffix}")
            if path.is_file():
                return (path,)
        files = tuple(sorted(stem.glob("*.json"))) if stem.is_dir() else ()
        if not files:
            raise D2MError(f"{stem}.npz is missing; make it with `d2m features`")
        return files

    def frames(self, name: str) -> np.ndarray:
        """Read the keypoints of a video.

        Args:
            name: name of the video.

        Returns:
            float32 (T, 75) at 30 frames per second.

        Raises:
            D2MError: if they cannot be read.
        """
        files = self.motion_files(name)
        if files[0].suffix == ".npy":
            return read_frames(files[0])
        from d2m.features.skeletons import at_rate, body25_frames

        motion = self._extracted(files[0]) if files[0].suffix == ".npz" else self._openpose(name, files)
        if abs(motion.fps - FPS) > 0.01:
            motion = at_rate(motion, FPS, round(motion.duration * FPS))
        return body25_frames(motion)

    def _extracted(self, path: Path) -> Motion:
        from d2m.datasets.visuals import read_extracted

        motion = read_extracted(path).motion
        if motion is None:
            raise D2MError(f"{path}: nobody was found in the video")
        return motion

    def _openpose(self, name: str, files: tuple[Path, ...]) -> Motion:
        from d2m.media import open_video

        video = self.video(name)
        if video is None:
            raise D2MError(f"OpenPose's files of {name} need videos/{name}.mp4 for its frame rate and height")
        film = open_video(video)
        return read_openpose(files, film.fps, film.height)

    def video(self, name: str) -> Path | None:
        """Return the video file.

        Args:
            name: name of the video.

        Returns:
            The file, or None if it does not exist.
        """
        path = self.root / "videos" / f"{TikTokName.parse(name)}.mp4"
        return path if path.is_file() else None

    def sound(self, name: str) -> Path:
        """Return the file with the sound of a video.

        Args:
            name: name of the video.

        Raises:
            D2MError: if there is none.
        """
        for folder, suffix in (("wav", "wav"), ("videos", "mp4")):
            path = self.root / folder / f"{TikTokName.parse(name)}.{suffix}"
            if path.is_file():
                return path
        raise D2MError(f"no music: neither wav/{name}.wav nor videos/{name}.mp4 is in {self.root}")


def find_list(root: Path, split: str) -> Path | None:
    """Find the list of a split: d2m's, or the authors' list of pieces.

    Args:
        root: root of the data set.
        split: its name.

    Returns:
        The file, or None.
    """
    names = (f"{split}.txt", f"splits/{split}.txt", f"tiktok_audio_{split}_segment.txt")
    return next((root / name for name in names if (root / name).is_file()), None)


def read_frames(path: Path) -> np.ndarray:
    """Read keypoints from an npy file of shape (T, 75) or (T, 25, 3).

    Args:
        path: the file.

    Returns:
        float32 (T, 75).

    Raises:
        D2MError: if it is missing, damaged, of another shape, or not finite.
    """
    values = read_npy(path)
    if values.ndim == 3 and values.shape[1:] == (25, 3):
        values = values.reshape(len(values), VALUES)
    if values.ndim != 2 or values.shape[1] != VALUES or not len(values):
        raise D2MError(f"{path} has shape {values.shape}, expected (T, {VALUES})")
    return values.astype(np.float32)


def read_openpose(files: tuple[Path, ...], fps: float, height: int) -> Motion:
    """Read one dancer from the output of OpenPose, ``"body25"``.

    The dancer of the first picture is the most visible one, then the one nearest to it. Points that were not found are
    interpolated in time and have confidence 0.

    Args:
        files: a file for each picture, in order.
        fps: frame rate of the video.
        height: height of its pictures, in pixels.

    Raises:
        D2MError: if a file cannot be read, or nobody was found in any.
    """
    if len(files) > _MOST_PICTURES:
        raise D2MError(f"{files[0].parent} holds {len(files)} pictures; cut the video into shorter ones")
    points = np.zeros((len(files), 25, 3), np.float32)
    before = None
    for i, path in enumerate(files):
        people = _people(path)
        if len(people):
            points[i] = before = people[_same(people, before)]
    sure = points[..., 2]
    if not sure.any():
        raise D2MError(f"nobody was found in {files[0].parent}")
    frames = np.arange(len(files))
    for joint in range(25):
        seen = sure[:, joint] > 0
        if seen.any():
            for axis in range(2):
                points[:, joint, axis] = np.interp(frames, frames[seen], points[seen, joint, axis])
    joints = np.concatenate([points[..., :2] / height, np.zeros_like(points[..., :1])], axis=-1)
    return Motion(joints.astype(np.float32), float(fps), "body25", np.clip(sure, 0, 1))


def _people(path: Path) -> np.ndarray:
    """Read the keypoints of all people in one picture, float32 (P, 25, 3)."""
    try:
        if path.stat().st_size > MOST_TEXT:
            raise ValueError("too large")
        people = json.loads(path.read_text(encoding="utf-8"))["people"]
        found = np.array([p["pose_keypoints_2d"] for p in people], np.float32).reshape(len(people), 25, 3)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise D2MError(f"{path} is damaged or not OpenPose's BODY_25") from error
    if not np.isfinite(found).all():
        raise D2MError(f"{path} holds numbers that are not finite")
    return found


def _same(people: np.ndarray, before: np.ndarray | None) -> int:
    seen = people[..., 2] > 0
    if before is None:
        return int(people[..., 2].sum(axis=1).argmax())
    both = seen & (before[:, 2] > 0)
    away = np.linalg.norm(people[..., :2] - before[:, :2], axis=-1)
    mean = np.where(both.any(axis=1), (away * both).sum(axis=1) / np.maximum(both.sum(axis=1), 1), np.inf)
    return int(mean.argmin())
