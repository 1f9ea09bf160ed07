"""Download the data sets of the catalogue (:mod:`d2m.datasets.catalogue`) and unpack them in their layout.

Files are downloaded by :mod:`d2m.files.download`, archives unpacked by :mod:`d2m.datasets.archives`.
``downloaded.json`` in the folder of the data set lists the parts that are there and their sources.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from d2m.datasets.aist import AistName
from d2m.datasets.archives import Damaged, unpack
from d2m.datasets.catalogue import VIDEO_FOLDER, VIDEO_LIST, Offer, Part
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.files.download import Patience, download, sha256_of

#: Called with what is being done, bytes done and bytes in all (None while unknown).
Progress = Callable[[str, int, int | None], None]


def agreed(offer: Offer, accept: bool) -> None:
    """Check that the terms of a data set need no agreement, or have it.

    Args:
        offer: the data set.
        accept: whether the user agreed.

    Raises:
        D2MError: otherwise; says where to read them and how to agree.
    """
    if offer.agree and not accept:
        raise D2MError(f"{offer.title}: {offer.licence}; read {offer.terms} and, if you agree, run again with --yes")


def fetch(
    offer: Offer,
    root: str | Path,
    parts: list[str] | None = None,
    *,
    accept: bool = False,
    camera: int = 1,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> list[str]:
    """Download a data set, or its missing parts.

    Args:
        offer: which.
        root: folder, created if need be; several data sets may share it.
        parts: names, ``["all"]``, or None for those that are needed.
        accept: whether the user agrees to its terms.
        camera: 1 to 9, for videos.
        progress: see :data:`Progress`.
        patience: see :class:`d2m.files.download.Patience`.

    Returns:
        What is there now: names of parts, or of videos.

    Raises:
        D2MError: without agreement; if a part cannot be had (those before it stay); for videos, after all of them.
    """
    agreed(offer, accept)
    root, progress = Path(root), progress or (lambda what, done, total: None)
    if offer.views:
        return _fetch_videos(root, camera, progress, patience)
    for part in offer.chosen(parts):
        if not _is_there(root, offer, part):
            _fetch_part(root, offer, part, progress, patience)
    return [part.name for part in offer.chosen(parts)]


def _is_there(root: Path, offer: Offer, part: Part) -> bool:
    return part.name in _record(root).get(offer.name, {}) and (root / part.into).exists()


def _fetch_part(root: Path, offer: Offer, part: Part, progress: Progress, patience: Patience | None) -> None:
    target = root / part.into
    if target.exists():
        raise D2MError(f"{target} is there, but was not downloaded by d2m; move it away, or leave out {part.name}")
    archive = root / "downloads" / f"{offer.name}-{part.name}" if part.packed else target
    download(
        part.url, archive, sha256=part.sha256, patience=patience,
        progress=lambda done, total: progress(part.name, done, total),
    )  # fmt: skip
    found = {"url": part.url, "sha256": sha256_of(archive), "bytes": archive.stat().st_size}
    if part.packed:
        try:
            place(archive, target, lambda done, total: progress(f"unpack {part.name}", done, total))
        except Damaged:
            archive.unlink()
            raise
        archive.unlink()
        if not any(archive.parent.iterdir()):
            archive.parent.rmdir()
    record = _record(root)
    record.setdefault(offer.name, {})[part.name] = found | {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"), "licence": offer.licence,
    }  # fmt: skip
    with atomic_write(root / "downloaded.json") as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _record(root: Path) -> dict[str, dict[str, object]]:
    try:
        found = json.loads((root / "downloaded.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    sound = isinstance(found, dict) and all(isinstance(entry, dict) for entry in found.values())
    return found if sound else {}


def place(archive: Path, target: Path, progress: Callable[[int, int], None] | None = None) -> None:
    """Unpack an archive so that its content is directly in ``target``.

    Makers pack a folder ``motions/``, or ``release/motions/``, or its files without a folder: the folder of the
    target's name is taken if there is one, else the only folder there is, else everything.

    Args:
        archive: the file.
        target: folder for its content.
        progress: called with (bytes done, bytes in total).

    Raises:
        D2MError: as :func:`~d2m.datasets.archives.unpack`; or if the target exists.
    """
    if target.exists():
        raise D2MError(f"{target} exists already; move it away to unpack {archive.name} again")
    whole = target.with_name(f".{target.name}.unpacked")
    shutil.rmtree(whole, ignore_errors=True)
    unpack(archive, whole, progress=progress)
    try:
        os.replace(_content(whole, target.name), target)
    except OSError as error:
        raise D2MError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(whole, ignore_errors=True)


def _content(whole: Path, name: str) -> Path:
    for depth in range(1, 4):
        named = [p for p in sorted(whole.glob("/".join("*" * depth))) if p.is_dir() and p.name == name]
        if named:
            return named[0]
    inside = [p for p in whole.iterdir() if p.name != "__MACOSX"]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else whole


def _fetch_videos(root: Path, camera: int, progress: Progress, patience: Patience | None) -> list[str]:
    if not 1 <= camera <= 9:
        raise D2MError(f"there is no camera {camera}; choose 1 to 9")
    listing = download(VIDEO_LIST, root / "video_list.txt", patience=patience)
    names = videos_of(listing.read_text(encoding="utf-8", errors="replace"), camera)
    failed: list[str] = []
    for i, name in enumerate(names, start=1):
        label = f"{i} of {len(names)}"
        try:
            download(
                f"{VIDEO_FOLDER}{name}.mp4", root / "videos" / f"{name}.mp4", patience=patience,
                progress=partial(progress, label),
            )  # fmt: skip
        except D2MError as error:
            failed.append(str(error))
            if len(failed) >= 5 and len(failed) == i:
                break
    if failed:
        raise D2MError(f"{len(failed)} of {len(names)} videos are missing, the first because: {failed[0]}")
    return names


def videos_of(listing: str, camera: int) -> list[str]:
    """Return the names of one camera's videos in the list of all.

    Args:
        listing: text of the list.
        camera: 1 to 9.

    Raises:
        D2MError: if there are none.
    """
    names = []
    for line in listing.splitlines():
        # the list is not ours: what is no name of a video is left out
        with contextlib.suppress(D2MError):
            name = AistName.parse(line)
            if name.camera == f"{camera:02d}":
                names.append(str(name))
    if not names:
        raise D2MError(f"the list of videos holds none of camera {camera}; download it again")
    return names
