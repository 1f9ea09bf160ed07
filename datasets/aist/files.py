"""AIST++ on disk: names and folder; :mod:`d2m.datasets.aist.pickles` reads and writes the pickles.

AIST++ (Li et al., "AI Choreographer", ICCV 2021) annotates the AIST Dance Video Database (Tsuchida et al.,
ISMIR 2019): 1,408 sequences of 30 dancers in ten genres, nine cameras, 60 frames a second. The layout is that of
google/aistplusplus_api::

    motions/NAME.pkl        smpl_poses (T, 24, 3) or (T, 72) radians, smpl_scaling (1,), smpl_trans (T, 3) cm, smpl_loss
    keypoints2d/NAME.pkl    keypoints2d (9, T, 17, 3) pixels and confidence, det_scores (9, T), timestamps (T,)
    keypoints3d/NAME.pkl    keypoints3d, keypoints3d_optim (T, 17, 3) cm, y upwards
    cameras/mapping.txt     "NAME setting" a line; cameras/SETTING.json: nine cameras
    splits/                 crossmodal_train.txt, crossmodal_val.txt, crossmodal_test.txt, pose_*.txt
    ignore_list.txt         names whose annotation is faulty
    wav/ (or all_musics/)   mBR0.wav ...
    videos/                 NAME with a camera's number in the place of "All", .mp4; optional

Splits (their site's table 2): 980 sequences to train, 20 to validate, 20 to test; validation and test share ten songs,
training shares none with them. Annotations count 60 frames a second exactly, also where a video runs at 59.94.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from d2m.datasets.aist.pickles import FPS, Keypoints2d, read_keypoints2d, read_keypoints3d, read_motion
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.types import GENRES, Motion, SmplMotion

VIEWS: tuple[str, ...] = tuple(f"c{i:02d}" for i in range(1, 10))
SPLITS: tuple[str, ...] = ("train", "val", "test")
_NAME = re.compile(
    r"g(?P<genre>[A-Z]{2})_s(?P<situation>[A-Z]{2})_c(?P<camera>All|\d{2})_d(?P<dancer>\d{2,3})"
    r"_m(?P<music>[A-Z]{2}\d{1,3})_ch(?P<dance>\d{2,3})"
)


@dataclass(frozen=True)
class AistName:
    """Parts of a name such as ``gBR_sBM_cAll_d04_mBR0_ch01``.

    Attributes:
        genre: AIST code such as ``"gBR"``.
        situation: ``"BM"`` (basic moves) or ``"FM"`` (freestyle) in AIST++.
        camera: ``"All"``, or ``"01"`` to ``"09"`` for one view's video.
        dancer, dance: numbers as written, ``"04"`` and ``"01"``.
        music: ``"BR0"``; its file is ``mBR0.wav``.
    """

    genre: str
    situation: str
    camera: str
    dancer: str
    music: str
    dance: str

    @classmethod
    def parse(cls, text: str) -> AistName:
        """Parse a name.

        Args:
            text: such as ``gBR_sBM_cAll_d04_mBR0_ch01``.

        Raises:
            D2MError: for a name of another form.
        """
        found = _NAME.fullmatch(text.strip())
        if found is None or f"g{found['genre']}" not in GENRES:
            raise D2MError(f"'{text}' is not an AIST name; expected one like gBR_sBM_cAll_d04_mBR0_ch01")
        parts = found.groupdict()
        return cls(**(parts | {"genre": f"g{parts['genre']}"}))

    def __str__(self) -> str:
        return f"{self.genre}_s{self.situation}_c{self.camera}_d{self.dancer}_m{self.music}_ch{self.dance}"

    def view(self, camera: int | str) -> AistName:
        """Return the name of one view's video.

        Args:
            camera: 1 to 9, or ``"All"`` for the sequence.
        """
        return replace(self, camera=f"{camera:02d}" if isinstance(camera, int) else camera)


class Aist:
    """A folder in the layout of AIST++.

    Args:
        root: the folder that holds ``motions/`` or ``keypoints3d/``, or holds the unpacked ``aist_plusplus_final/`` or
            ``annotations/`` that does. Music and videos may lie in either.

    Attributes:
        root: as given.
        annotations: where ``motions/`` is.

    Raises:
        D2MError: if it holds neither.
    """

    def __init__(self, root: str | Path):
        self.root = Path(root)
        for folder in (self.root, self.root / "aist_plusplus_final", self.root / "annotations"):
            if (folder / "motions").is_dir() or (folder / "keypoints3d").is_dir():
                self.annotations = folder
                break
        else:
            raise D2MError(f"{root} is not an AIST++ folder: it has neither motions/ nor keypoints3d/")

    def ignored(self) -> frozenset[str]:
        """Return the names of sequences whose annotation is faulty according to the makers of AIST++."""
        return frozenset(_lines(self.annotations / "ignore_list.txt", missing_ok=True))

    def names(self, split: str | None = None, protocol: str = "crossmodal") -> tuple[str, ...]:
        """Return the names of the sequences of a split, or of all in the folder, without the ignored ones.

        Args:
            split: ``"train"``, ``"val"`` or ``"test"``, or None for all.
            protocol: ``"crossmodal"`` (music unseen) or ``"pose"`` (dancers unseen).

        Raises:
            D2MError: if there is no such split.
        """
        ignored = self.ignored()
        return tuple(name for name in self.listed(split, protocol) if name not in ignored)

    def listed(self, split: str | None = None, protocol: str = "crossmodal") -> tuple[str, ...]:
        """Return the names of a split, as :meth:`names`, including ignored ones.

        Args:
            split: its name, or None for all.
            protocol: ``"crossmodal"`` or ``"pose"``.
        """
        if split is not None:
            return tuple(_lines(self.annotations / "splits" / f"{protocol}_{split}.txt"))
        folder = "motions" if (self.annotations / "motions").is_dir() else "keypoints3d"
        return tuple(sorted(p.stem for p in (self.annotations / folder).glob("*.pkl")))

    def motion(self, name: str) -> SmplMotion:
        """Read the SMPL parameters of a sequence.

        Args:
            name: name of the sequence.

        Raises:
            D2MError: as for :func:`read_motion`.
        """
        return read_motion(self.annotations / "motions" / f"{_checked(name)}.pkl")

    def keypoints2d(self, name: str) -> Keypoints2d:
        """Read the 2-D keypoints of a sequence in all views.

        Args:
            name: name of the sequence.

        Raises:
            D2MError: as for :func:`read_motion`.
        """
        return read_keypoints2d(self.annotations / "keypoints2d" / f"{_checked(name)}.pkl")

    def keypoints3d(self, name: str, optimised: bool = True) -> np.ndarray:
        """Read the 3-D keypoints of a sequence.

        Args:
            name: name of the sequence.
            optimised: the temporally smoothed ones.

        Returns:
            float32 (T, 17, 3), COCO keypoints in centimetres.
        """
        return read_keypoints3d(self.annotations / "keypoints3d" / f"{_checked(name)}.pkl", optimised)

    def landmarks(self, name: str) -> Motion:
        """Read the dance in space from the 3-D keypoints.

        Args:
            name: name of the sequence.

        Returns:
            Skeleton ``"coco17"`` in metres, y upwards; keypoints that were not found have confidence 0.

        Raises:
            D2MError: as for :func:`read_motion`.
        """
        points = self.keypoints3d(name) / 100.0
        seen = np.all(np.isfinite(points), axis=-1)
        return Motion(np.where(seen[..., None], points, 0.0), FPS, "coco17", seen.astype(np.float32))

    def wav(self, name: str) -> Path:
        """Return the music file of a sequence.

        Args:
            name: name of the sequence.

        Raises:
            D2MError: if the file is not there.
        """
        return self.wav_file(f"m{AistName.parse(name).music}")

    def wav_file(self, music: str) -> Path:
        """Return a music file.

        Args:
            music: name without suffix, such as ``mBR0``.

        Raises:
            D2MError: if it does not exist.
        """
        for root in dict.fromkeys((self.root, self.annotations)):
            for folder in ("wav", "all_musics", "music"):
                if (root / folder / f"{music}.wav").is_file():
                    return root / folder / f"{music}.wav"
        raise D2MError(f"no music {music}.wav in {self.root}/wav; put the AIST music files there")

    def video(self, name: str, camera: int = 1) -> Path | None:
        """Return the video of one view.

        Args:
            name: name of the sequence.
            camera: 1 to 9.

        Returns:
            The file, or None if it does not exist.
        """
        file = f"{AistName.parse(name).view(camera)}.mp4"
        places = (root / "videos" / file for root in (self.root, self.annotations))
        return next((path for path in places if path.is_file()), None)

    def cameras(self, name: str) -> list[dict[str, object]]:
        """Return the nine cameras that filmed a sequence: name, size, matrix, rotation, translation (cm), distortions.

        Args:
            name: name of the sequence.

        Raises:
            D2MError: if there are none.
        """
        for line in _lines(self.annotations / "cameras" / "mapping.txt"):
            sequence, _, setting = line.partition(" ")
            if sequence == name and re.fullmatch(r"\w+", setting.strip()):
                path = self.annotations / "cameras" / f"{setting.strip()}.json"
                try:
                    if path.stat().st_size > 1_000_000:
                        raise ValueError("far too long")
                    return json.loads(path.read_text(encoding="utf-8"))
                except (OSError, ValueError, RecursionError) as error:
                    raise D2MError(f"cannot read the cameras in {path}: {error}") from error
        raise D2MError(f"cameras/mapping.txt in {self.root} does not list {name}")


def _checked(name: str) -> str:
    """Return a name that cannot lead out of its folder."""
    return str(AistName.parse(name))


def _lines(path: Path, missing_ok: bool = False) -> list[str]:
    try:
        if path.stat().st_size > 4_000_000:
            raise D2MError(f"{path} is far too long for a list of names; download it again")
        return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except FileNotFoundError as error:
        if missing_ok:
            return []
        raise D2MError(f"{path} is missing; download the AIST++ annotations again") from error
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"cannot read {path}: {error}") from error


def write_text(path: str | Path, text: str) -> None:
    """Write a small text file atomically.

    Args:
        path: the file.
        text: its content.

    Raises:
        D2MError: if it cannot be written.
    """
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8")
