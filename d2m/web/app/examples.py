"""Example clips that come with the package."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent.parent / "examples"
#: Titles and seconds of the examples by their names.
_EXAMPLES: dict[str, tuple[str, float]] = {"dance": ("A studio dancer", 10.0)}


def listed() -> list[dict[str, Any]]:
    """Return the examples that are there."""
    return [
        {"id": name, "title": title, "duration": seconds}
        for name, (title, seconds) in _EXAMPLES.items()
        if path_of(name) is not None
    ]


def path_of(name: str) -> Path | None:
    """Return the file of an example, or None.

    Args:
        name: of the example.
    """
    path = _FOLDER / f"{name}.mp4"
    return path if name in _EXAMPLES and path.is_file() else None


async def copy(path: Path, folder: Path) -> int:
    """Copy an example to the folder of a clip.

    Args:
        path: the example.
        folder: the folder, which is made.

    Returns:
        The bytes of the file.
    """

    def work() -> int:
        (folder / "source").mkdir(parents=True, mode=0o700)
        shutil.copyfile(path, folder / "source" / path.name)
        return path.stat().st_size

    return await asyncio.to_thread(work)
