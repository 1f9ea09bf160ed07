"""Videos that a command works on: files, folders, lists of them, and URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from d2m.errors import D2MError
from d2m.files.url import files_at, is_url

#: Endings of the files that are taken from a folder.
VIDEOS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".flv", ".3gp")
)
#: Endings of a list of videos.
LISTS = frozenset((".txt", ".lst"))
_LONGEST_LIST = 64_000_000


@dataclass(frozen=True)
class Source:
    """Video and the file for its features.

    Attributes:
        video: the file; text for a URL.
        target: the ``.npz``, below the folder that is written to.
        identity: what the file system of a URL says about the content, or "".
    """

    video: Path | str
    target: Path
    identity: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The video as it was named."""
        return str(self.video)


def find_sources(inputs: Iterable[str | Path]) -> list[Source]:
    """List the videos that the user gave, each once.

    A folder stands for the videos in it and below it, and its inner folders come again below the output. A ``.txt``
    file lists one video (or folder) a line, relative to its own folder; lines that start with ``#`` are skipped.

    Args:
        inputs: videos, folders or ``.txt`` lists.

    Raises:
        D2MError: if a folder or list holds no video, a list cannot be read, or two videos would be written to one
            file.
    """
    found: dict[Path, Source] = {}
    for source in _expanded(inputs):
        other = found.setdefault(source.target, source)
        if other.video != source.video:
            raise D2MError(
                f"{other.video} and {source.video} would both be written to {source.target}; run them one by one "
                "with different -o"
            )
    return list(found.values())


def _expanded(inputs: Iterable[str | Path], from_list: bool = False) -> Iterator[Source]:
    for given in inputs:
        if isinstance(given, str) and is_url(given):
            yield from _at_url(given)
            continue
        path = Path(given)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if _is_video(p))
            if not inside:
                raise D2MError(f"{path}: no videos in this folder")
            yield from (Source(video, video.relative_to(path).with_suffix(".npz")) for video in inside)
        elif path.suffix.lower() in LISTS and path.is_file() and not from_list:
            yield from _expanded(_listed(path), from_list=True)
        else:
            yield Source(path, Path(f"{path.stem or path.name}.npz"))


def _at_url(url: str) -> Iterator[Source]:
    root = url.rstrip("/")
    for video, identity in files_at(url, VIDEOS).items():
        below = PurePosixPath(video.rpartition("/")[2] if video == root else video.removeprefix(root).lstrip("/"))
        if ".." in below.parts:
            raise D2MError(f"{video}: '..' in the name would lead out of the output folder; rename it")
        yield Source(video, Path(below.with_suffix(".npz")), identity)


def _is_video(path: Path) -> bool:
    # macOS leaves hidden companions of files on foreign disks.
    return path.suffix.lower() in VIDEOS and not path.name.startswith(".") and path.is_file()


def _listed(path: Path) -> list[str | Path]:
    try:
        if path.stat().st_size > _LONGEST_LIST:
            raise D2MError(f"{path} is far too long for a list of videos")
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"{path}: cannot be read as a list of videos, one a line ({error})") from None
    named = [line for line in lines if line and not line.startswith("#")]
    videos = [line if is_url(line) else path.parent / line for line in named]
    if not videos:
        raise D2MError(f"{path}: no videos in this list; write one a line")
    return videos
