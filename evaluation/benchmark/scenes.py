"""Scenes of a benchmark: the sequences of a data set's test split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.prepared import SPLITS
from d2m.errors import D2MError
from d2m.types import GENRES

#: What ``d2m benchmark`` is called with.
KINDS: tuple[str, ...] = ("aist", "tiktok", "studio")


@dataclass(frozen=True)
class Scene:
    """One dance, by where its files are.

    Attributes:
        name: name of the sequence.
        music: id of its song: two scenes with the same id are danced to the same one.
        layout: ``"aist"``, ``"tiktok"`` or ``"prepared"`` (:mod:`d2m.datasets.prepared`).
        root: the data folder.
        genre: AIST code, or None where it is unknown.
    """

    name: str
    music: str
    layout: str
    root: Path
    genre: str | None = None


def layout_of(kind: str, root: Path) -> str:
    """Return the layout of a folder.

    Args:
        kind: data set that the user named.
        root: the folder.

    Raises:
        D2MError: if there is no such kind or folder.
    """
    if kind not in KINDS:
        raise D2MError(f"there is no benchmark '{kind}'; choose {', '.join(KINDS)}")
    if not root.is_dir():
        raise D2MError(f"{root}: no such folder")
    if (root / "prepared.json").is_file():
        return "prepared"
    if kind == "tiktok" or (kind == "studio" and (root / "keypoints").is_dir()):
        return "tiktok"
    return "aist"


def find_scenes(kind: str, root: str | Path, split: str = "test", limit: int | None = None) -> tuple[Scene, ...]:
    """Return the scenes of a split.

    Args:
        kind: one of :data:`KINDS`.
        root: the data set as downloaded or made by ``d2m data studio``, or prepared by ``d2m data prepare``.
        split: ``"train"``, ``"val"`` or ``"test"``.
        limit: at most so many, spread evenly over the split's list.

    Raises:
        D2MError: if the folder is no such data set, or the split is empty.
    """
    root = Path(root)
    layout = layout_of(kind, root)
    if split not in SPLITS:
        raise D2MError(f"there is no split '{split}'; choose one of {', '.join(SPLITS)}")
    found = {"aist": _aist, "tiktok": _tiktok, "prepared": _prepared}[layout](root, split)
    if not found:
        raise D2MError(f"{root} has nothing in its split '{split}'")
    if limit is not None and limit < len(found):
        places = np.unique(np.linspace(0, len(found) - 1, limit).round().astype(int))
        found = [found[i] for i in places]
    return tuple(found)


def scene_files(scene: Scene) -> tuple[Path, ...]:
    """Return the existing files from which a scene is read.

    Args:
        scene: the scene.
    """
    root, name = scene.root, scene.name
    if scene.layout == "aist":
        from d2m.datasets.aist import Aist

        data = Aist(root)
        parts = [data.annotations / part / f"{name}.pkl" for part in ("keypoints2d", "keypoints3d", "motions")]
        parts += [root / "beats" / f"{scene.music}.txt"]
        parts += [base / folder / f"{scene.music}.wav" for base in {root, data.annotations} for folder in _WAV]
    elif scene.layout == "tiktok":
        parts = [root / "keypoints" / f"{name}.{suffix}" for suffix in ("npz", "npy")]
        parts += sorted((root / "keypoints" / name).glob("*.json"))
        parts += [root / "beats" / f"{name}.txt", root / "wav" / f"{name}.wav", root / "videos" / f"{name}.mp4"]
    else:
        parts = [root / "sequences" / f"{name}.npz", root / "music" / f"{scene.music}.npy"]
    return tuple(sorted(path for path in parts if path.is_file()))


def picture_name(scene: Scene) -> str:
    """Return the name of the video of a scene, under which its visual features are stored (AIST++: the first camera).

    Args:
        scene: the scene.
    """
    if scene.layout != "aist":
        return scene.name
    from d2m.datasets.aist import AistName

    return str(AistName.parse(scene.name).view(1))


_WAV = ("wav", "all_musics", "music")


def _aist(root: Path, split: str) -> list[Scene]:
    from d2m.datasets.aist import Aist, AistName

    names = [AistName.parse(name) for name in Aist(root).names(split)]
    return [Scene(str(name), f"m{name.music}", "aist", root, name.genre) for name in names]


def _tiktok(root: Path, split: str) -> list[Scene]:
    from d2m.datasets.tiktok import TikTok, TikTokName

    names = [TikTokName.parse(name) for name in TikTok(root).names(split)]
    return [Scene(str(name), f"song{name.music}", "tiktok", root) for name in names]


def _prepared(root: Path, split: str) -> list[Scene]:
    from d2m.datasets.prepared import Manifest, read_entry, read_split

    manifest, codes = Manifest.read(root), list(GENRES)
    entries = [read_entry(root, name, manifest) for name in read_split(root, split)]
    return [Scene(e.name, e.music, "prepared", root, codes[e.genre] if e.genre >= 0 else None) for e in entries]
