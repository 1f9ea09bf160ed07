"""Unpack untrusted archives inside one folder, with bounded size, completely or not at all.

Zip and tar files (plain, gzip, bzip2). Refused are paths that leave the folder, links, devices, encrypted members,
names that differ in case only, and archives that unpack to far more than they declare. The content appears in the
folder when all of it is unpacked.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from d2m.errors import D2MError
from d2m.files.careful_tar import MOST_AT_ONCE, CarefulStream, Stream, each_member

_BLOCK = MOST_AT_ONCE
_DAMAGED = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, struct.error, NotImplementedError,
    UnicodeError, ValueError, IndexError, RuntimeError,
)  # fmt: skip
_DRIVE = re.compile(r"[A-Za-z]:")


class Damaged(D2MError):
    """An archive that had better be deleted."""


@dataclass(frozen=True)
class Limits:
    """Maximum sizes of an archive.

    Attributes:
        files: members.
        bytes: in all.
        ratio: bytes in all for each byte of the archive, beyond the first 10 MB; numbers and videos stay below 20.
    """

    files: int = 500_000
    bytes: int = 200_000_000_000
    ratio: float = 200.0


def unpack(
    archive: str | Path,
    folder: str | Path,
    limits: Limits | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Unpack an archive into a new folder.

    Args:
        archive: zip or tar, told by its content.
        folder: must not exist; created when all is unpacked.
        limits: see :class:`Limits`.
        progress: called with bytes of the archive read so far and in all; for zip files, of their content.

    Raises:
        Damaged: if the archive is damaged, hostile or too large.
        D2MError: if the folder exists or cannot be written.
    """
    archive, folder, limits = Path(archive), Path(folder), limits or Limits()
    if folder.exists():
        raise D2MError(f"{folder} exists already; move it away to unpack {archive.name} again")
    unfinished = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        with _members(archive) as members:
            _unpack_all(archive, members, unfinished, limits, progress or (lambda done, total: None))
        unfinished.chmod(0o755)
        os.replace(unfinished, folder)
        unfinished = None
    except _DAMAGED as error:
        raise Damaged(f"{archive} is damaged or not a zip or tar file; download it again") from error
    except OSError as error:
        raise D2MError(f"cannot unpack {archive} to {folder}: {error.strerror or error}") from error
    finally:
        if unfinished is not None:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class _Member:
    """A member: name as written, ``"file"``, ``"folder"`` or what else it is, bytes promised, how to open it."""

    name: str
    kind: str
    size: int
    open: Callable[[], IO[bytes] | None]


@dataclass(frozen=True)
class _Members:
    """An iterator over the members, and what is known of the whole: bytes in all, bytes read so far."""

    each: Iterator[_Member]
    total: int
    done: Callable[[], int] | None


@contextlib.contextmanager
def _members(archive: Path) -> Iterator[_Members]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            infos = zipped.infolist()
            each = (_Member(i.orig_filename, _zip_kind(i), i.file_size, partial(zipped.open, i)) for i in infos)
            yield _Members(each, sum(info.file_size for info in infos), None)
        return
    with archive.open("rb") as raw:
        plain = CarefulStream(_decompressed(raw))
        with tarfile.open(fileobj=plain, mode="r:") as opened:
            # read as a stream: the list of a hostile file may be endless
            members = each_member(opened)
            each = (_Member(i.name, _tar_kind(i), i.size, partial(opened.extractfile, i)) for i in members)
            yield _Members(each, archive.stat().st_size, raw.tell)


def _decompressed(raw: IO[bytes]) -> Stream:
    magic = raw.read(3)
    raw.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=raw)
    return bz2.BZ2File(raw) if magic == b"BZh" else raw


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return "encrypted"
    mode = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir():
        return "folder"
    return "file" if mode in (0, stat.S_IFREG) else "link or device"


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isdir():
        return "folder"
    return "file" if info.isreg() and not info.issparse() else "link or device"


def _unpack_all(archive: Path, members: _Members, folder: Path, limits: Limits, progress) -> None:
    most = min(limits.bytes, int(10_000_000 + limits.ratio * archive.stat().st_size))
    written, names = 0, set()
    for count, member in enumerate(members.each, start=1):
        if count > limits.files:
            raise Damaged(f"{archive} holds more than {limits.files} files; it is not the data expected")
        path = _inside(archive, member)
        if path is None:
            continue
        if member.kind != "file" and member.kind != "folder":
            raise Damaged(f"{archive} holds {member.name[:80]!r}, which is {_article(member.kind)}; do not use it")
        if member.kind == "folder":
            (folder / path).mkdir(parents=True, exist_ok=True)
            continue
        if (key := str(path).casefold()) in names:
            raise Damaged(f"{archive} holds {member.name[:80]!r} twice; do not use it")
        names.add(key)
        if shutil.disk_usage(folder).free < member.size:
            raise D2MError(f"{archive} needs more space than is free in {folder.parent}; choose another folder")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with (folder / path).open("xb") as out:
            for block in _blocks(member):
                written += len(block)
                # counted, not believed
                if written > most:
                    raise Damaged(f"{archive} unpacks to more than {most // 1_000_000} MB; do not use it")
                out.write(block)
                progress(written if members.done is None else members.done(), members.total)


def _blocks(member: _Member) -> Iterator[bytes]:
    stream = member.open()
    if stream is None:
        raise ValueError("no content")
    with stream:
        while block := stream.read(_BLOCK):
            yield block


def _inside(archive: Path, member: _Member) -> PurePosixPath | None:
    """Where a member goes, relative to the folder; None for the folder itself."""
    path = PurePosixPath(member.name)
    bad = (
        not member.name.isprintable()
        or "\\" in member.name
        or path.is_absolute()
        or ".." in path.parts
        or _DRIVE.match(member.name) is not None
        or len(member.name) > 1000
    )
    if bad:
        raise Damaged(f"{archive} holds {member.name[:80]!r}, which would be written elsewhere; do not use it")
    return path if path.parts else None


def _article(kind: str) -> str:
    return kind if kind == "encrypted" else f"a {kind}"
