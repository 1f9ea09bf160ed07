"""Any folder of dance videos, with or without the music that was danced to, as a data set of the benchmark (``clips``).

Landmarks come from MediaPipe, as in ``d2m generate``, and stay in the cache of features. The videos belong to no split:
every split has all of them.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.datasets.base import DanceData, Item, Source, Take
from d2m.errors import D2MError

_JUDGE = "33 landmarks in the picture, which the engines see too"


class ClipsData(DanceData):
    """A folder of videos; names of genres in the names of the files are not read."""

    name, title = "clips", "Clips"
    motion_fps, motion_size, music_optional = 30.0, 99, True

    def recognises(self, folder: Path) -> bool:
        """Return False: any folder with videos could be meant, so it is never guessed.

        Args:
            folder: an existing folder.
        """
        return False

    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Refuse: clips are only measured.

        Args:
            folder: the folder.
            visual: folder of visual features of the videos, or None.
            protocol: name of the protocol.

        Raises:
            D2MError: always.
        """
        raise D2MError("clips are for 'd2m benchmark clips'; training needs a data set with splits, such as studio")

    def take(self, frames: np.ndarray, name: str) -> Take:
        """Refuse: clips are not prepared.

        Args:
            frames: motion.
            name: name of the clip.

        Raises:
            D2MError: always.
        """
        raise D2MError(f"{name}: clips are not prepared")

    def items(self, root: Path, split: str) -> list[Item]:
        """Return all videos of a folder.

        Args:
            root: the folder.
            split: any split.

        Raises:
            D2MError: if there is none, or two have one name.
        """
        found: dict[str, Path] = {}
        for path in _videos(root):
            if path.stem in found:
                raise D2MError(f"{root}: {found[path.stem].name} and {path.name} share a name; rename one of them")
            found[path.stem] = path
        if not found:
            raise D2MError(f"{root}: no videos in this folder")
        return [Item(name, name, self.name, root) for name in found]

    def item_files(self, item: Item) -> list[Path]:
        """Return the video of a clip and its beats; the beats may not exist.

        Args:
            item: the clip.
        """
        return [self.item_music(item), self.beats_file(item)]

    def item_take(self, item: Item) -> Take:
        """Find the dancer of a clip, or read the landmarks from the cache.

        Args:
            item: the clip.

        Raises:
            D2MError: if the video cannot be decoded or shows no dancer.
        """
        from d2m.features.extract import Settings, extract

        motion = extract(self.item_music(item), Settings(fps=self.motion_fps)).motion
        if motion is None:
            raise D2MError(f"{item.name}: no dancer found")
        return Take(motion, 0.0, motion.joints[..., :2], motion.fps, "picture", _JUDGE)

    def item_music(self, item: Item) -> Path:
        """Return the video, whose sound is the original music.

        Args:
            item: the clip.

        Raises:
            D2MError: if it is gone.
        """
        for path in _videos(item.root):
            if path.stem == item.name:
                return path
        raise D2MError(f"{item.name}: this video is no longer in {item.root}")

    def music_offset(self, item: Item) -> int:
        """Return 0: the sound begins with the picture.

        Args:
            item: the clip.
        """
        return 0


@lru_cache(maxsize=4)
def _videos(root: Path) -> tuple[Path, ...]:
    """Videos of a folder, without results of ``d2m generate``."""
    from d2m.features.sources import VIDEOS

    found = (path for path in sorted(root.iterdir()) if path.suffix.lower() in VIDEOS and path.is_file())
    return tuple(path for path in found if ".d2m" not in path.suffixes)


CLIPS = ClipsData()
