"""Studios as a data set: synthetic dances in the layout of AIST++ or of TikTok Dance-Music."""

from __future__ import annotations

from pathlib import Path

from d2m.datasets.aist import Aist
from d2m.datasets.aist.data_set import AIST, AistData
from d2m.datasets.base import DanceData, Item, Source
from d2m.datasets.offers import Offer
from d2m.datasets.tiktok.data_set import TIKTOK
from d2m.errors import D2MError


class StudioData(AistData):
    """Folder that ``d2m data studio`` made; in the layout of TikTok Dance-Music it is read as one of that data set."""

    name, title = "studio", "studio"
    offers: tuple[Offer, ...] = ()
    published_as = "aist"

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder has annotations of AIST++ and the manifest that a studio writes.

        Args:
            folder: an existing folder.
        """
        if not (folder / "manifest.json").is_file() or (folder / "keypoints").is_dir():
            return False
        try:
            Aist(folder)
        except D2MError:
            return False
        return True

    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Open a folder; the videos of a studio have 30 frames per second.

        Args:
            folder: the folder.
            visual: folder of visual features of the videos, or None.
            protocol: ``"crossmodal"`` or ``"pose"``; ignored in the layout of TikTok Dance-Music.

        Raises:
            D2MError: if it is not such a folder.
        """
        from d2m.datasets.aist.source import AistSource

        if (folder / "keypoints").is_dir():
            return TIKTOK.source(folder, visual)
        return AistSource(folder, visual, protocol, any_fps=True)

    def items(self, root: Path, split: str) -> list[Item]:
        """Return the dances of a split, as those of the data set whose layout the folder has.

        Args:
            root: the folder.
            split: ``"train"``, ``"val"`` or ``"test"``.

        Raises:
            D2MError: if the folder cannot be used.
        """
        layout: DanceData = TIKTOK if (root / "keypoints").is_dir() else AIST
        return layout.items(root, split)


STUDIO = StudioData()
