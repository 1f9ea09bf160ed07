"""AIST++ folders, and studio folders in their layout, as sources of prepared data."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from d2m.datasets import aist
from d2m.datasets.base import Excluded, Skip, Source
from d2m.datasets.prepared import Sequence
from d2m.datasets.visuals import Visuals
from d2m.errors import D2MError
from d2m.types import GENRES

#: Videos count as 60 frames a second from here to there: AIST's are at 60 or 59.94.
_FPS_RANGE = (59.9, 60.1)
#: Seconds by which a video may differ in length from its annotation.
_SLACK = 0.5
#: Microseconds between pictures at 60 a second.
_STEP = 1e6 / aist.FPS


@dataclass
class AistSource(Source):
    """Motion as 219 values a frame (:func:`d2m.features.smpl.smpl_frames`), genre from the name, music from the wav.

    Motion and music both begin with the video, so the offset is 0. Where the video of a sequence is there, it must
    agree with the motion: of the same length, and at 60 frames a second unless the studio made it.

    Attributes:
        root: the folder.
        visual: folder of visual features of the videos from ``camera``, or None.
        protocol: which splits; see :meth:`d2m.datasets.aist.Aist.names`.
        camera: 1 to 9.
        any_fps: accept any frame rate, for studios, whose videos have 30 frames per second.

    Raises:
        D2MError: if the folder is no AIST++ folder, or lacks the list of faulty sequences.
    """

    root: Path
    visual: Path | None = None
    protocol: str = "crossmodal"
    camera: int = 1
    any_fps: bool = False

    kind = "aist"
    motion_fps = aist.FPS
    motion_size = 219

    def __post_init__(self) -> None:
        self.data = aist.Aist(self.root)
        if not (self.data.annotations / "motions").is_dir():
            raise D2MError(f"{self.root} has no motions/; unpack motions.zip of AIST++ there")
        if not (self.data.annotations / "ignore_list.txt").is_file():
            # without it faulty annotations would go unnoticed
            raise D2MError(f"{self.root} has no ignore_list.txt; `d2m data download aist --part ignore_list` brings it")

    @cached_property
    def _visuals(self) -> Visuals | None:
        return None if self.visual is None else Visuals(self.visual)

    @cached_property
    def _ignored(self) -> frozenset[str]:
        return self.data.ignored()

    @property
    def visual_size(self) -> int | None:
        return None if self._visuals is None else self._visuals.size

    def splits(self) -> dict[str, tuple[str, ...]]:
        return {split: self.data.listed(split, self.protocol) for split in aist.SPLITS}

    def music(self, name: str) -> str:
        """Return the id of the music of a sequence.

        Args:
            name: name of the sequence.
        """
        if name in self._ignored:
            raise Excluded("in ignore_list", f"{name} is in ignore_list.txt: its annotation is faulty")
        genre = name[:3]
        if len(name) > 3 and name[0] == "g" and name[3] == "_" and genre not in GENRES:
            raise Skip("of an unknown genre", f"{name}: there is no genre {genre}; AIST has {', '.join(GENRES)}")
        return f"m{aist.AistName.parse(name).music}"

    def music_file(self, music: str) -> Path:
        """Return the file of a piece of music.

        Args:
            music: its id.
        """
        try:
            return self.data.wav_file(music)
        except D2MError as error:
            raise Skip("without music", str(error)) from error

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the files of a sequence.

        Args:
            name: name of the sequence.
        """
        files = [self.data.annotations / "motions" / f"{name}.pkl"]
        if self._visuals is not None:
            files.append(self._visuals.path(self._view(name)))
        return tuple(files)

    def sequence(self, name: str) -> Sequence:
        """Read a sequence.

        Args:
            name: name of the sequence.
        """
        from d2m.features.smpl import smpl_frames

        if not self.files(name)[0].is_file():
            raise Skip("without motion", f"{self.files(name)[0]} is missing")
        try:
            frames = smpl_frames(self.data.motion(name))
        except D2MError as error:
            raise Skip("with damaged motion", str(error)) from error
        self._check_video(name, len(frames))
        genre = list(GENRES).index(aist.AistName.parse(name).genre)
        rows, seconds = (None, 2.0) if self._visuals is None else self._visuals.read(self._view(name))
        return Sequence(frames, self.music(name), 0, genre, rows, seconds)

    def problems(self, name: str) -> list[str]:
        """Return what is wrong with the keypoints and cameras of a sequence, as far as they are there.

        Args:
            name: name of the sequence.
        """
        problems, folder, frames = [], self.data.annotations, None
        with contextlib.suppress(D2MError):  # reported by those who read the sequence
            frames = len(self.data.motion(name).poses)
        if (folder / "keypoints2d").is_dir():
            try:
                points = self.data.keypoints2d(name)
                steps = np.diff(points.timestamps.astype(np.float64))
                # a faulty clock shows in the median, a lost picture does not
                if len(steps) and np.median(steps) > 1000 and abs(np.median(steps) - _STEP) > 20:
                    problems.append(f"its 2-D keypoints run at {1e6 / np.median(steps):.2f} fps, not at 60")
            except D2MError as error:
                problems.append(str(error))
        if (folder / "keypoints3d").is_dir():
            try:
                count = len(self.data.keypoints3d(name))
                if frames is not None and abs(count - frames) > 1:
                    problems.append(f"it has {frames} frames of motion and {count} of 3-D keypoints")
            except D2MError as error:
                problems.append(str(error))
        if (folder / "cameras").is_dir():
            try:
                if len(self.data.cameras(name)) != 9:
                    problems.append("its cameras are not nine")
            except D2MError as error:
                problems.append(str(error))
        return problems

    def notes(self) -> list[str]:
        """Return a note on motions that no split lists."""
        listed = {name for split in aist.SPLITS for name in self.data.listed(split)}
        spare = set(self.data.listed()) - listed - self._ignored
        return [f"{len(spare)} sequences are in no crossmodal split"] if spare else []

    def _view(self, name: str) -> str:
        return str(aist.AistName.parse(name).view(self.camera))

    def _check_video(self, name: str, frames: int) -> None:
        path = self.data.video(name, self.camera)
        if path is None:
            return
        from d2m.media import open_video

        try:
            video = open_video(path)
        except D2MError as error:
            raise Skip("with a damaged video", str(error)) from error
        if not self.any_fps and not _FPS_RANGE[0] <= video.fps <= _FPS_RANGE[1]:
            raise Skip("not at 60 fps", f"{path} runs at {video.fps:.2f} fps, not at 60")
        if abs(video.duration - frames / aist.FPS) > _SLACK:
            raise Skip(
                "not at 60 fps",
                f"{name} has {frames} frames of motion, {frames / aist.FPS:.2f} s at 60 fps, but its video lasts "
                f"{video.duration:.2f} s",
            )
