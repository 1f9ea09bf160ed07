"""Songs of a folder or playlist, and their order.

A folder is read again whenever a song is chosen, so files may be added and removed. The order is by name, round after
round. Shuffled, every round has its own order, with each song once, which depends on the seed and the names of the
songs only, so that it stays the same when files are added or removed or the process is restarted.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from d2m.errors import D2MError
from d2m.symbolic.midi import MIDI_SUFFIXES
from d2m.symbolic.stream.playlist import read_playlist

KINDS = (*MIDI_SUFFIXES, ".npz")
PLAYLISTS = (".m3u", ".m3u8", ".txt")
#: Songs at most; a folder may be anything, such as the root of a disk.
MOST_SONGS = 20_000
_LONGEST_PLAYLIST = 8_000_000


class Place(NamedTuple):
    """Position in the order: the round, and the song chosen last."""

    round: int = 0
    name: str = ""


@dataclass
class Library:
    """The songs of a folder (its subfolders too) or of a playlist, one path a line.

    Raises:
        D2MError: if there is no such folder or playlist, it cannot be read, names no songs, or more than
            :data:`MOST_SONGS`; so do :meth:`songs`, :meth:`playable` and :meth:`after`, but for what is missing or
            empty later on.

    Attributes:
        source: the folder or playlist.
        broken: name -> (what the file was like, why it cannot be played), of files that are there. Always a new
            dictionary, so that another thread may look through it at any time.
        missing: lines of a playlist that name no song -> reason, as of the last reading. Always a new
            dictionary.
    """

    source: Path
    broken: dict[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _marking: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.source.exists():
            raise D2MError(f"there is no folder or playlist {self.source}")
        if not self.songs():
            line = next((f" ({name} {reason})" for name, reason in self.missing.items()), "")
            raise D2MError(
                f"{self.source} names no songs{line}; give a folder or playlist of files that end in {', '.join(KINDS)}"
            )

    def songs(self) -> dict[str, Path]:
        """Name -> path of every file that there is, sorted by name (of a playlist: in its order).

        A name is the path from the folder on; of a playlist as much of the path's end as tells the files apart.
        """
        if self.source.is_dir():
            return _in_folder(self.source)
        found, self.missing = _in_playlist(self.source) if self.source.is_file() else ({}, {})
        return found

    def left_out(self) -> dict[str, str]:
        """Return what cannot be played, with reasons: broken files, and lines of a playlist that name no song."""
        return {name: reason for name, (_, reason) in sorted(self.broken.items())} | self.missing

    def playable(self) -> dict[str, Path]:
        """Return the songs without those that were found broken and have not changed since; forgets broken ones that
        are gone or have changed.
        """
        songs = self.songs()
        with self._marking:
            self.broken = {n: why for n, why in self.broken.items() if n in songs and self.is_broken(n, songs[n])}
        return {name: path for name, path in songs.items() if name not in self.broken}

    def is_broken(self, name: str, path: Path) -> bool:
        """Tell whether the file, in its present version, is known to be broken.

        Args:
            name: name of the song.
            path: path of the file.
        """
        known = self.broken.get(name)
        return known is not None and known[0] == _condition(path)

    def mark(self, name: str, path: Path, reason: str) -> bool:
        """Register a broken file.

        Args:
            name: name of the song.
            path: path of the file.
            reason: why it cannot be played.

        Returns:
            Whether this was not known before.
        """
        with self._marking:
            news = not self.is_broken(name, path)
            self.broken = self.broken | {name: (_condition(path), reason)}
        return news

    def after(self, place: Place, shuffle: bool, seed: int, names: list[str] | None = None) -> Place | None:
        """Return the next song in order, or None if none can be played.

        A song follows itself only where it is the only one.

        Args:
            place: how far the order has come.
            shuffle, seed: the order.
            names: names of :meth:`playable`, where the caller has looked already.
        """
        names = list(self.playable()) if names is None else names
        if not names:
            return None
        if not shuffle:
            order = names if self.source.is_file() else sorted(names)
            return self._in_turn(order, place)
        for turn in (place.round, place.round + 1):
            keys = sorted((_key(seed, turn, name), name) for name in names)
            past = _key(seed, turn, place.name) if turn == place.round and place.name else ""
            later = [name for key, name in keys if key > past and (name != place.name or len(names) == 1)]
            if later:
                return Place(turn, later[0])
        return Place(place.round + 1, names[0])

    def _in_turn(self, order: list[str], place: Place) -> Place:
        if place.name in order:
            at = order.index(place.name) + 1
        elif self.source.is_file():
            at = 0
        else:
            # The song played last is missing: continue at its position.
            at = sum(name < place.name for name in order)
        return Place(place.round + at // len(order), order[at % len(order)])


def stamp(path: Path) -> tuple[int, int]:
    """Return the modification time and size of a file; zeros if it does not exist.

    Args:
        path: the file.
    """
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _condition(path: Path) -> tuple[int, ...]:
    """What tells that a file has changed, or may be read now: a new permission is no new content."""
    try:
        return *stamp(path), path.stat().st_ctime_ns
    except OSError:
        return 0, 0, 0


def _key(seed: int, turn: int, name: str) -> str:
    return hashlib.sha256(f"{seed}\0{turn}\0{name}".encode("utf-8", "surrogateescape")).hexdigest()


def _in_folder(folder: Path) -> dict[str, Path]:
    found = {}
    for base, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(base) / name
            if path.suffix.lower() in KINDS and not name.startswith(".") and not _waits(path):
                found[path.relative_to(folder).as_posix()] = path
                if len(found) > MOST_SONGS:
                    raise D2MError(f"{folder} holds more than {MOST_SONGS} songs; give a smaller folder")
    return dict(sorted(found.items()))


def _waits(path: Path) -> bool:
    """Whether to open a file would wait for another program: pipes, sockets and devices."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        # A file that cannot be read is named when it is its turn.
        return False


def _in_playlist(playlist: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The songs, and what other lines say -> why it is no song."""
    if playlist.suffix.lower() in KINDS:
        return {playlist.name: playlist}, {}
    if playlist.suffix.lower() not in PLAYLISTS:
        raise D2MError(
            f"{playlist} is neither a folder, a song nor a playlist ({', '.join(PLAYLISTS)}); save others as .m3u8"
        )
    try:
        if playlist.stat().st_size > _LONGEST_PLAYLIST:
            raise D2MError(f"{playlist} is longer than a playlist can be; give a smaller one")
        data = playlist.read_bytes()
    except OSError as error:
        raise D2MError(f"cannot read {playlist} ({error.strerror}); give a folder or playlist") from None
    found: dict[str, Path] = {}
    missing: dict[str, str] = {}
    for number, text, path in read_playlist(data, playlist.parent):
        if path is None or path.suffix.lower() not in KINDS:
            reason = "names no file that is there" if path is None else "names a file that is no song"
            missing.setdefault(f"line {number} of {playlist.name}: '{text}'", reason)
            continue
        ends = ("/".join(path.parts[-count:]) for count in range(1, len(path.parts) + 1))
        name = next((end for end in ends if found.get(end, path) == path), str(path))
        found[name] = path
        if len(found) > MOST_SONGS:
            raise D2MError(f"{playlist} names more than {MOST_SONGS} songs; give a shorter one")
    return found, missing
