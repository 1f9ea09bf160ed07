"""TikTok Dance-Music as a data set: downloads, names, folder, and what the benchmark reads of it.

Addresses and terms are those of README.md and ``dataset/`` of L-YeZhu/D2M-GAN, which publishes no checksums.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.datasets.base import DanceData, Item, Source, Take, whole_name
from d2m.datasets.offers import Offer, Part
from d2m.datasets.pieces import D2M_GAN, PiecesSource, drive, is_pieces, piece_lists
from d2m.datasets.tiktok.files import FPS, VALUES, TikTok, TikTokName
from d2m.errors import D2MError
from d2m.types import Motion

#: Height in pixels of the pictures that the keypoints are put in.
_HEIGHT = 720

_OFFERS = (
    Offer(
        "tiktok", "TikTok Dance-Music in 2 s pieces, 445 videos", "none stated; the videos are their makers'",
        D2M_GAN, True, D2M_GAN,
        (
            Part("motion", drive("1Zi2Ut4r6UONN-OrVhkjT2o43kqqlAUga"), "motion_s2"),
            Part("vision", drive("1oJ9cmyKZQuSPETGZBSCwJd3J6I11Qq1c"), "video_s2"),
            Part("audio", drive("1RPRlansMmpPtCY1zDVI5-hMC0EpbVFrh"), "audio_s2"),
            *piece_lists("tiktok"),
        ),
        note="2,384 pieces to train, 307 to test; links to whole videos are on its page; cite Zhu et al., ECCV 2022",
    ),
)  # fmt: skip


class TikTokData(DanceData):
    """TikTok Dance-Music (Zhu et al., ECCV 2022): 25 keypoints at 30 frames a second, no genre, the video's sound."""

    name, title = "tiktok", "TikTok"
    offers = _OFFERS
    motion_fps, motion_size = FPS, VALUES

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder has keypoints, or the pieces of D2M-GAN's authors.

        Args:
            folder: an existing folder.
        """
        if is_pieces(folder):
            return not (folder / "aist_motion_train_segment.txt").is_file()
        return (folder / "keypoints").is_dir()

    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Open a folder of keypoints, or of the pieces of D2M-GAN's authors.

        Args:
            folder: the folder.
            visual: folder of visual features of the videos, or None.
            protocol: ignored; there is only one.

        Raises:
            D2MError: if it is not such a folder.
        """
        from d2m.datasets.tiktok.source import TikTokSource

        return PiecesSource(folder, self.name) if is_pieces(folder) else TikTokSource(folder, visual)

    def check_name(self, name: str) -> None:
        """Check the form of a sequence's name.

        Args:
            name: the name.

        Raises:
            D2MError: for a name of another form.
        """
        TikTokName.parse(name)

    def song(self, music: str) -> str:
        """Return the song of a video: ``song 23`` of ``000007_23_207_seg4``.

        Args:
            music: id of a piece of music, or ``""``.

        Raises:
            D2MError: for an id of another form.
        """
        return f"song {TikTokName.parse(whole_name(music)).music}" if music else ""

    def take(self, frames: np.ndarray, name: str) -> Take:
        """Convert keypoints in the picture; they are the engines' input, and the music is judged by them.

        Args:
            frames: float32 (T, 75) at 30 frames per second: x, y in pixels and confidence of 25 keypoints.
            name: name of the video, for error messages.

        Raises:
            D2MError: if nobody is seen in any frame.
        """
        from d2m.features.to_mediapipe import tidied, to_mediapipe33

        points = frames.reshape(len(frames), 25, 3)
        try:
            motion = tidied(points[..., :2] / _HEIGHT, points[..., 2], self.motion_fps, "body25")
        except ValueError as error:
            raise D2MError(f"{name}: {error}") from error
        joints = np.concatenate([points[..., :2] / _HEIGHT, np.zeros_like(points[..., :1])], axis=-1)
        original = Motion(joints.astype(np.float32), self.motion_fps, "body25", points[..., 2].copy())
        picture = motion.joints[..., :2]
        told = "25 keypoints in the picture, which the engines see too"
        return Take(to_mediapipe33(motion), 0.0, picture, self.motion_fps, "picture", told, keypoints=original)

    def items(self, root: Path, split: str) -> list[Item]:
        """Return the videos of a split.

        Args:
            root: the folder.
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            D2MError: if the folder cannot be used.
        """
        names = [TikTokName.parse(name) for name in TikTok(root).names(split)]
        return [Item(str(name), f"song{name.music}", self.name, root) for name in names]

    def item_files(self, item: Item) -> list[Path]:
        """Return the files of the keypoints, beats, sound and video of an item; some may not exist.

        Args:
            item: an item of a raw folder.
        """
        root, name = item.root, item.name
        parts = [root / "keypoints" / f"{name}.{suffix}" for suffix in ("npz", "npy")]
        parts += sorted((root / "keypoints" / name).glob("*.json"))
        return [*parts, self.beats_file(item), root / "wav" / f"{name}.wav", root / "videos" / f"{name}.mp4"]

    def item_take(self, item: Item) -> Take:
        """Read the keypoints of an item.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if they cannot be read.
        """
        return self.take(TikTok(item.root).frames(item.name), item.name)

    def item_music(self, item: Item) -> Path:
        """Return the file with the sound of an item's video.

        Args:
            item: an item of a raw folder.

        Raises:
            D2MError: if there is none.
        """
        return TikTok(item.root).sound(item.name)

    def music_offset(self, item: Item) -> int:
        """Return 0: motion and sound both begin with the video.

        Args:
            item: an item of a raw folder.
        """
        return 0


TIKTOK = TikTokData()
