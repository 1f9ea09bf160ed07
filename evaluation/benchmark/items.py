"""Items of a benchmark: the sequences of a data set's split."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from d2m.datasets import dance_data
from d2m.datasets.base import DanceData, Item
from d2m.datasets.prepared import SPLITS, Manifest, read_entry, read_split
from d2m.errors import D2MError
from d2m.types import GENRES


def find_items(kind: str, root: str | Path, split: str = "test", limit: int | None = None) -> tuple[Item, ...]:
    """Return the items of a split.

    Args:
        kind: name of a data set of dances in :data:`d2m.datasets.DATA_SETS`.
        root: the data set as downloaded or made by ``d2m data studio``, or prepared by ``d2m data prepare``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        limit: at most so many, spread evenly over the split's list.

    Raises:
        D2MError: if there is no such data set, the folder is none, or the split is empty.
    """
    root, data_set = Path(root), dance_data(kind)
    if not root.is_dir():
        raise D2MError(f"{root}: no such folder")
    if split not in SPLITS:
        raise D2MError(f"there is no split '{split}'; choose one of {', '.join(SPLITS)}")
    found = _prepared(root, split) if (root / "prepared.json").is_file() else data_set.items(root, split)
    if not found:
        raise D2MError(f"{root} has nothing in its split '{split}'")
    if limit is not None and limit < len(found):
        places = np.unique(np.linspace(0, len(found) - 1, limit).round().astype(int))
        found = [found[i] for i in places]
    return tuple(found)


def _prepared(root: Path, split: str) -> list[Item]:
    manifest, codes = Manifest.read(root), list(GENRES)
    entries = [read_entry(root, name, manifest) for name in read_split(root, split)]
    return [
        Item(e.name, e.music, manifest.kind, root, codes[e.genre] if e.genre >= 0 else None, prepared=True)
        for e in entries
    ]


def has_music(item: Item) -> bool:
    """Return whether there is music that an item was danced to: sound that is more than silence.

    Only data sets whose music is optional are looked at. A file that cannot be read counts as music: reading it later
    gives the error that names it.

    Args:
        item: the item.
    """
    if item.prepared or not data_set_of(item).music_optional:
        return True
    from d2m.evaluation.recordings import read
    from d2m.media import open_video

    try:
        path = data_set_of(item).item_music(item)
        return open_video(path).has_audio and not read(path).silent
    except D2MError:
        return True


def data_set_of(item: Item) -> DanceData:
    """Return the data set of an item.

    Args:
        item: the item.
    """
    return dance_data(item.data_set)


def item_files(item: Item) -> tuple[Path, ...]:
    """Return the existing files from which an item is read.

    Args:
        item: the item.
    """
    if item.prepared:
        parts = [item.root / "sequences" / f"{item.name}.npz", item.root / "music" / f"{item.music}.npy"]
    else:
        parts = data_set_of(item).item_files(item)
    return tuple(sorted(path for path in parts if path.is_file()))


def picture_name(item: Item) -> str:
    """Return the name of the video of an item, under which its visual features are stored.

    Args:
        item: the item.
    """
    return item.name if item.prepared else data_set_of(item).picture_name(item)
