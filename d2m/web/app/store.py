"""Files of the studio: a folder for each visitor, in it one for each clip, and names that no visitor chooses.

``visitors/<hash of the cookie>/<clip>/`` holds ``clip.json``, the uploaded file in ``source``, the landmarks, and a
folder for each piece. The name of the uploaded file is kept in a restricted form, since results are named after it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes, io_errors

#: Endings of the clips that are taken.
ENDINGS = (
    ".mp4", ".m4v", ".mov", ".qt", ".webm", ".mkv", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".3gp", ".3g2",
    ".wmv", ".flv", ".ogv", ".gif",
)  # fmt: skip
#: Most characters of the name of a clip without its ending.
LONGEST_NAME = 60
_SEEN = ".seen"
_CLIP = re.compile(r"c_[A-Za-z0-9_-]{8,40}")


class Disk:
    """Folder of the visitors' files, which one server uses at a time.

    Args:
        folder: the folder.

    Raises:
        D2MError: if it cannot be written, or another server uses it.
    """

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock, Timeout

        self.folder, self.visitors = folder, folder / "visitors"
        with io_errors(folder / "visitors"):
            self.visitors.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = FileLock(folder / "lock", thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise D2MError(f"another 'd2m app' uses {folder}; choose another folder with --folder") from None

    def close(self, keep: bool) -> None:
        """Give the folder back.

        Args:
            keep: keep the files of the visitors.
        """
        if not keep:
            shutil.rmtree(self.visitors, ignore_errors=True)
        self._lock.release()
        if not keep:
            with contextlib.suppress(OSError):
                (self.folder / "lock").unlink(missing_ok=True)
                self.folder.rmdir()

    def of_visitor(self, visitor: str) -> Path:
        """Return the folder of a visitor.

        Args:
            visitor: name of the visitor.
        """
        return self.visitors / visitor

    def seen(self, visitor: str, when: float) -> None:
        """Note when a visitor was last seen, for a restart.

        Args:
            visitor: name of the visitor.
            when: seconds since 1970.
        """
        with contextlib.suppress(OSError):
            path = self.of_visitor(visitor) / _SEEN
            path.touch()
            os.utime(path, (when, when))

    def known(self) -> Iterator[tuple[str, float, list[dict[str, Any]]]]:
        """Yield each visitor of an earlier run: name, when last seen, and the clips as stored."""
        for folder in sorted(self.visitors.iterdir()):
            try:
                seen = (folder / _SEEN).stat().st_mtime
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            clips = []
            for path in sorted(folder.iterdir()):
                if not path.is_dir():
                    continue
                record = _read(path / "clip.json")
                if not _CLIP.fullmatch(path.name) or record is None:
                    shutil.rmtree(path, ignore_errors=True)
                    continue
                sweep(path)
                pieces = [piece for each in path.glob("pieces/*/piece.json") if (piece := _read(each)) is not None]
                clips.append(record | {"pieces": sorted(pieces, key=lambda piece: piece.get("created", 0.0))})
            yield folder.name, seen, clips

    def remove(self, path: Path) -> None:
        """Remove a folder of a visitor or clip.

        Args:
            path: the folder.
        """
        shutil.rmtree(path, ignore_errors=True)


def visitor_name(cookie: str) -> str:
    """Return the name of a visitor, which does not tell the cookie.

    Args:
        cookie: value of the cookie.
    """
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]


def write_clip(folder: Path, record: dict[str, Any]) -> None:
    """Write what is known of a clip.

    Args:
        folder: folder of the clip.
        record: plain JSON values.
    """
    atomic_write_bytes(folder / "clip.json", json.dumps(record, allow_nan=False).encode(), make_folder=False)


def sweep(folder: Path) -> None:
    """Remove what a worker that died has left unfinished: files and folders whose names begin with a dot.

    Args:
        folder: folder of a clip that no worker works on.
    """
    for path in list(folder.rglob(".*")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder.

    Args:
        folder: the folder.
    """
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(path, name)).st_size
    return total


def safe_name(name: str) -> str | None:
    """Return a name for an uploaded file: letters, digits, dashes and spaces, with an ending that is taken.

    Args:
        name: as the visitor gave it; what comes before the last slash is left out.

    Returns:
        The name, or None if its ending is not one of a video.
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    stem, dot, ending = last.rpartition(".")
    if not dot or f".{ending.lower()}" not in ENDINGS:
        return None
    kept = "".join(sign if sign.isalnum() or sign in "-_ " else "_" for sign in stem)
    kept = kept.strip("-_ ")[:LONGEST_NAME].strip()
    while len(kept.encode()) > 180:
        kept = kept[:-1]
    return f"{kept or 'clip'}.{ending.lower()}"


def looks_like_video(begin: bytes) -> bool:
    """Tell whether a file begins like a container of videos.

    Args:
        begin: its first bytes.
    """
    if begin[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return True
    starts = (b"\x1aE\xdf\xa3", b"OggS", b"FLV", b"GIF8", b"\x30\x26\xb2\x75", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")
    if begin.startswith(starts) or (begin[:4] == b"RIFF" and begin[8:12] == b"AVI "):
        return True
    return any(
        len(begin) > at + 188 and begin[at] == 0x47 and begin[at + step] == 0x47 for at, step in ((0, 188), (4, 192))
    )


def _read(path: Path) -> dict[str, Any] | None:
    """Read a record, or None if it is missing or damaged."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
