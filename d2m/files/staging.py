"""Staging folder for the results of :mod:`d2m.pipeline`, which appear together when all are complete, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.files.atomic import io_errors

#: Bytes of a report above which it is none of d2m's.
LONGEST_REPORT = 50_000_000


@contextlib.contextmanager
def staging_folder(output_dir: Path) -> Iterator[Path]:
    """Create a temporary folder inside ``output_dir``; it is removed at the end, together with folders that stayed
    empty.

    Args:
        output_dir: the output folder, created if missing.

    Yields:
        The folder to write to.
    """
    if output_dir.exists() and not output_dir.is_dir():
        raise D2MError(f"{output_dir}: this is a file; -o takes a folder")
    made = [folder for folder in (output_dir, *output_dir.parents) if not folder.exists()]
    try:
        with io_errors(output_dir):
            output_dir.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(prefix=".d2m-", dir=output_dir))
        try:
            yield staging
        except D2MError as error:
            raise D2MError(str(error).replace(str(staging), str(output_dir))) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def left_over(folder: Path, stem: str, files: dict[str, str], channels: Sequence[str] = ()) -> list[str]:
    """List files of an earlier run that this run does not replace. They are not deleted, since the user may have edited
    them.

    Args:
        folder: the output folder.
        stem: beginning of the names.
        files: names by kind, of this run.
        channels: channels of the mix that a run may have written.
    """
    endings = (".mp4", ".mkv", ".mid", ".markers.txt", ".markers.csv", *(f".{channel}.wav" for channel in channels))
    names = [f"{stem}.d2m{ending}" for ending in endings]
    return [name for name in names if name not in files.values() and (folder / name).is_file()]


def earlier_result(report: Path, seed: int, genre: str) -> str | None:
    """Say which other music a run replaces.

    Args:
        report: path of the json that is about to be replaced.
        seed, genre: what is asked for now, the genre by name or ``"auto"``.

    Returns:
        A line for the user, or None if there is no earlier result or it was made with the same wishes.
    """
    try:
        if report.stat().st_size > LONGEST_REPORT:
            return None
        earlier = json.loads(report.read_text("utf-8"))
        before, asked = int(earlier["seed"]), str(earlier["genre_asked"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    if (before, asked) == (seed, genre):
        return None
    return f"replaced the earlier result (seed {before}, genre {asked}); give each its own folder with -o to keep both"


def publish(staging: Path, files: dict[str, str], report: dict[str, Any]) -> dict[str, Path]:
    """Write the report beside the other files, and move them all to the output folder, the report last.

    Args:
        staging: the temporary folder.
        files: names by kind.
        report: written as JSON.

    Returns:
        Paths by kind.
    """
    targets = {kind: staging.parent / name for kind, name in files.items()}
    for target in targets.values():
        if target.is_dir():
            raise D2MError(f"{target}: a folder has this name; move it or choose another folder with -o")
    with io_errors(targets["json"]):
        content = json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        (staging / files["json"]).write_text(content, "utf-8", errors="backslashreplace")
        # A report proves that the other files are there, also after a sudden end.
        for kind in sorted(targets, key=lambda kind: kind == "json"):
            os.replace(staging / files[kind], targets[kind])
    return targets


def publish_folder(staging: Path, target: Path) -> Path:
    """Move the files of a staging folder into a folder, which they replace as a whole.

    Args:
        staging: staging folder; its files are complete.
        target: folder beside it; an older one, written by the same command, is removed.

    Returns:
        The target.

    Raises:
        D2MError: if the target is a file, or cannot be replaced.
    """
    if target.exists() and not target.is_dir():
        raise D2MError(f"{target}: a file has this name; move it, or choose another folder with -o")
    fresh, old = staging / "new", staging / "old"
    with io_errors(target):
        names = list(staging.iterdir())
        fresh.mkdir()
        for path in names:
            os.replace(path, fresh / path.name)
        if target.exists():
            os.replace(target, old)
        os.replace(fresh, target)
    return target
