"""Read every song once in the background, so that files that cannot be played are neither counted nor queued."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from d2m.errors import D2MError
from d2m.symbolic.stream.library import stamp
from d2m.symbolic.stream.programme import Programme

#: Seconds of rest for each second of reading: composing and playing come first.
_REST, _LONGEST_REST = 3.0, 5.0


class Checks:
    """Songs of a library that have been read in their present version.

    Args:
        programme: told which files cannot be played.
        changed: held while ``unread`` changes; notified when there is something to read.
        broken: called, while that is held, with the name of a song that cannot be played.

    Attributes:
        unread: name -> path of songs that have not been read yet. Always a new dictionary.
    """

    def __init__(self, programme: Programme, changed: threading.Condition, broken: Callable[[str], None]) -> None:
        self.programme, self.changed, self.broken = programme, changed, broken
        self.unread: dict[str, Path] = {}
        self._read: dict[str, tuple[int, int]] = {}

    def expect(self, songs: dict[str, Path]) -> None:
        """Register the available songs; new and changed ones will be read.

        Args:
            songs: name -> path.
        """
        read = {name: seen for name, seen in self._read.items() if name in songs}
        unread = {name: path for name, path in songs.items() if read.get(name) != stamp(path)}
        with self.changed:
            self._read, self.unread = read, unread
            self.changed.notify_all()

    def check(self, name: str) -> None:
        """Read a song, unless it has been read and has not changed.

        Args:
            name: name of the song.

        Raises:
            D2MError: if it cannot be played.
        """
        path = self.unread.get(name)
        if path is None:
            return
        # Before it is read: if it changes meanwhile, it is read again.
        seen = stamp(path)
        reason = self.programme.read(name, path)
        with self.changed:
            self._read = self._read | {name: seen}
            self.unread = {other: path for other, path in self.unread.items() if other != name}
            if reason:
                self.broken(name)
        if reason:
            raise D2MError(reason)

    def work(self, stopped: Callable[[], bool]) -> None:
        """Read unread songs one after another.

        Args:
            stopped: tells whether to stop.
        """
        rest = 0.0
        while True:
            until = time.monotonic() + rest
            with self.changed:
                while not stopped() and (not self.unread or time.monotonic() < until):
                    self.changed.wait(max(until - time.monotonic(), 0.02) if self.unread else 1.0)
                if stopped():
                    return
                name = next(iter(self.unread))
            began = time.monotonic()
            with contextlib.suppress(D2MError):
                self.check(name)
            rest = min(_REST * (time.monotonic() - began), _LONGEST_REST)
