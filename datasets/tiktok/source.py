"""TikTok folders as a source of prepared data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from d2m.datasets import tiktok
from d2m.datasets.base import Skip, Source
from d2m.datasets.prepared import Sequence
from d2m.datasets.visuals import Visuals
from d2m.errors import D2MError

#: Seconds by which a video may differ in length from its keypoints.
_SLACK = 0.5


@dataclass
class TikTokSource(Source):
    """Motion as 75 values a frame, no genre, the sound of each video as its own music.

    Attributes:
        root: the folder; see :mod:`d2m.datasets.tiktok`.
        visual: folder of visual features of the videos, or None.

    Raises:
        D2MError: if the folder is no TikTok folder.
    """

    root: Path
    visual: Path | None = None

    kind = "tiktok"
    motion_fps = tiktok.FPS
    motion_size = tiktok.VALUES

    def __post_init__(self) -> None:
        self.data = tiktok.TikTok(self.root)

    @cached_property
    def _visuals(self) -> Visuals | None:
        return None if self.visual is None else Visuals(self.visual)

    @property
    def visual_size(self) -> int | None:
        return None if self._visuals is None else self._visuals.size

    def splits(self) -> dict[str, tuple[str, ...]]:
        return {split: self.data.names(split) for split in tiktok.SPLITS}

    def music(self, name: str) -> str:
        """Return the id of the music of a video.

        Args:
            name: name of the video.
        """
        return str(tiktok.TikTokName.parse(name))

    def music_file(self, music: str) -> Path:
        """Return the file of a piece of music.

        Args:
            music: its id.
        """
        try:
            return self.data.sound(music)
        except D2MError as error:
            raise Skip("without music", str(error)) from error

    def files(self, name: str) -> tuple[Path, ...]:
        """Return the files of a video.

        Args:
            name: name of the video.
        """
        files = self.data.motion_files(name)
        return files if self._visuals is None else (*files, self._visuals.path(name))

    def sequence(self, name: str) -> Sequence:
        """Read the sequence of a video.

        Args:
            name: name of the video.
        """
        try:
            frames = self.data.frames(name)
        except D2MError as error:
            raise Skip("with missing or damaged keypoints", str(error)) from error
        if (path := self.data.video(name)) is not None:
            from d2m.media import open_video

            try:
                video = open_video(path)
            except D2MError as error:
                raise Skip("with a damaged video", str(error)) from error
            if abs(video.duration - len(frames) / tiktok.FPS) > _SLACK:
                raise Skip(
                    "not at 30 fps",
                    f"{name} has {len(frames)} frames of keypoints, {len(frames) / tiktok.FPS:.2f} s at 30 fps, but "
                    f"its video lasts {video.duration:.2f} s",
                )
        rows, seconds = (None, 2.0) if self._visuals is None else self._visuals.read(name)
        return Sequence(frames, self.music(name), 0, -1, rows, seconds)
