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
    """A folder that ``d2m data studio`` made. In TikTok's layout, it is read as one of TikTok's."""

    name, title = "studio", "studio"
    offers: tuple[Offer, ...] = ()
    published_as = "aist"

    def recognises(self, folder: Path) -> bool:
        """Return whether a folder has annotations of AIST++ and the manifest that a studio writes."""
        if not (folder / "manifest.json").is_file() or (folder / "keypoints").is_dir():
            return False
        try:
            Aist(folder)
        except D2MError:
            return False
        return True

    def source(self, folder: Path, visual: Path | None = None, protocol: str = "crossmodal") -> Source:
        """Open a folder. The videos of a studio have 30 frames a second."""
        from d2m.datasets.aist.source import AistSource

        if (folder / "keypoints").is_dir():
            return TIKTOK.source(folder, visual)
        return AistSource(folder, visual, protocol, any_fps=True)

    def items(self, root: Path, split: str) -> list[Item]:
        """Return the dances of a split, as those of the data set whose layout the folder has."""
        layout: DanceData = TIKTOK if (root / "keypoints").is_dir() else AIST
        return layout.items(root, split)


STUDIO = StudioData()
