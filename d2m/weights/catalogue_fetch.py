"""Download the files of the catalogue and check them."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.files.download import download, sha256_of

from .catalogue import Entry


def fetch(entry: Entry, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Download a file, load it strictly as a check, and then move it to its place. Nothing is done if it exists.

    Beside it a note is kept of where it came from and what its checksum was, for :func:`verify`.

    Args:
        entry: entry of the catalogue.
        progress: called with bytes there and bytes in all (None while unknown).

    Raises:
        D2MError: if only a person can get the file, or it cannot be had, or is not what it should be.
    """
    if entry.present:
        return entry.path
    if not entry.url:
        raise D2MError(f"'{entry.name}' cannot be downloaded automatically; {entry.how_to_get()}")
    incoming = entry.path.parent / "incoming" / entry.file
    download(entry.url, incoming, sha256=entry.sha256, size=entry.size, progress=progress)
    try:
        _check(entry, incoming)
    except D2MError:
        incoming.unlink()
        raise
    note = {"url": entry.url, "sha256": sha256_of(incoming), "size": incoming.stat().st_size}
    atomic_write_bytes(_note(entry), json.dumps(note, indent=1).encode() + b"\n")
    os.replace(incoming, entry.path)
    incoming.parent.rmdir()
    return entry.path


def verify(entry: Entry) -> str:
    """Check a fetched file: size, checksums where they are known, and that it loads strictly.

    Args:
        entry: entry of the catalogue.

    Returns:
        What it was held against, in words.

    Raises:
        D2MError: if it is not there, or not what it should be.
    """
    from .catalogue import path_of

    path = path_of(entry)
    _check(entry, path)
    against = ["loads strictly" if entry.loader else "is there; nothing in d2m reads it yet"]
    if entry.sha256 or entry.git_object:
        against.append("its published checksum is right")
    if _note(entry).is_file():
        try:
            noted = json.loads(_note(entry).read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise D2MError(f"{_note(entry)} is damaged; delete it and run again") from error
        if sha256_of(path) != noted:
            raise D2MError(f"{path} has changed since it was fetched; delete it and {entry.how_to_get()}")
        against.append("unchanged since it was fetched")
    return ", ".join(against)


def _check(entry: Entry, path: Path) -> None:
    """Raises D2MError unless a file has the entry's size and checksums, and loads."""
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        raise D2MError(f"{path} has {size} bytes instead of {entry.size}; delete it and {entry.how_to_get()}")
    wrong = entry.sha256 is not None and sha256_of(path) != entry.sha256
    if wrong or (entry.git_object is not None and _git_object(path) != entry.git_object):
        raise D2MError(f"{path} is not the file that was published as '{entry.name}': its checksum is another")
    if entry.loader:
        module, _, function = entry.loader.partition(":")
        getattr(importlib.import_module(module), function)(path)


def _git_object(path: Path) -> str:
    """The name that git gives to a file's content: the SHA-1 of a short head and the content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _note(entry: Entry) -> Path:
    return entry.path.with_name(entry.path.name + ".json")
