r"""Read playlists (.m3u, .m3u8, .txt: one song per line) as programs on any system write them.

A line is interpreted in several ways (its bytes unchanged, charsets, ``/`` and ``\``, percent encoding, ``file:``
addresses); the first interpretation that is an existing file is used.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

#: Charsets of lines that are no UTF-8, most frequent first: Western, Korean, Japanese, Chinese; Windows for Cyrillic,
#: Central European, Greek, Turkish and Baltic letters; DOS, Unix and Macintosh of former days.
_CHARSETS = (
    "cp1252", "cp949", "cp932", "gb18030", "big5", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "cp850", "cp852",
    "cp866", "koi8_r", "mac_roman",
)  # fmt: skip
#: Lines of no known charset for which all of these are tried; afterwards only the first few.
_MOST_TRIED, _FEW = 1000, 3
_MARKS = ((b"\xef\xbb\xbf", "utf_8"), (b"\xff\xfe", "utf_16_le"), (b"\xfe\xff", "utf_16_be"))
_DRIVE = re.compile(r"^[A-Za-z]:(?=/)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_MOST_LINES, _LONGEST_SHOWN = 100_000, 120


class Line(NamedTuple):
    """Line that is not a comment: its number from 1, its text, and the file it names or None."""

    number: int
    text: str
    path: Path | None


def read_playlist(data: bytes, folder: Path) -> list[Line]:
    """Find the files that a playlist names.

    Args:
        data: the playlist.
        folder: where it lies; relative lines count from there. A file with an absolute name that is not there, as in
            a playlist from another machine, is also looked for under this folder, by as much of the name's end as
            leads to one, a folder and a file at least.
    """
    files = _Files(folder)
    found = []
    for number, raw in enumerate(_lines(data)[:_MOST_LINES], 1):
        # Lists that were put together bring the mark of each.
        raw = raw.strip(b" \t\r\0").removeprefix(_MARKS[0][0]).strip(b" \t\r\0")
        if not raw:
            continue
        comment = raw.startswith(b"#")
        path = None if raw.upper().startswith(b"#EXT") else files.find(raw)
        if path is not None or not comment:
            found.append(Line(number, shown(raw), path))
    return found


def shown(raw: bytes) -> str:
    """Return a line in printable form.

    Args:
        raw: bytes of the line.
    """
    text = next(_readings(raw))[1]
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _lines(data: bytes) -> list[bytes]:
    """The lines of a playlist, in UTF-8 where it says how it is written, else as they are."""
    mark, charset = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", ""))
    if not charset and data[:400].count(0) >= len(data[:400]) // 3 > 0:
        # UTF-16 without a mark: every other byte of most letters is 0.
        charset = "utf_16_le" if data[1:400:2].count(0) > data[0:400:2].count(0) else "utf_16_be"
    if charset.startswith("utf_16"):
        data = data[len(mark) :].decode(charset, "replace").encode("utf_8", "replace")
    else:
        data = data[len(mark) :]
    return re.split(rb"\r\n|\n|\r", data)


def _readings(raw: bytes, charsets: Sequence[str] = _CHARSETS) -> Iterator[tuple[str, str]]:
    """(Charset, line) for those that it can be in, in their order; bytes that are no UTF-8 last as they are."""
    for charset in ("utf_8", *charsets):
        try:
            yield charset, raw.decode(charset)
        except UnicodeDecodeError:
            continue
        if charset == "utf_8":
            return
    yield "", os.fsdecode(raw)


@dataclass
class _Files:
    """Look-up of files from a folder on.

    Attributes:
        folder: from which on.
        held: what folders hold.
        charsets: in which lines are read, the one that led to a file last first.
        tried: lines of no known charset so far.
    """

    folder: Path
    held: dict[Path, dict[str, str]] = field(default_factory=dict)
    charsets: tuple[str, ...] = _CHARSETS
    tried: int = 0

    def find(self, raw: bytes) -> Path | None:
        """The file that a line names, or None."""
        charsets = self.charsets[: _FEW if self.tried > _MOST_TRIED else None]
        for way in _spellings(raw):
            for charset, text in _readings(way, charsets):
                path = self._there(text) or ("\\" in text and self._there(text.replace("\\", "/"))) or None
                if path is None:
                    continue
                if charset in charsets[1:]:
                    self.charsets = (charset, *(other for other in self.charsets if other != charset))
                return path
        self.tried += not raw.isascii()
        return None

    def _there(self, text: str) -> Path | None:
        if _ADDRESS.match(text) or "\0" in text:
            return None
        name = PurePosixPath(_DRIVE.sub("", text))
        whole = self.folder / name
        if os.path.isfile(whole):
            return whole
        found = self._like(Path(whole.anchor) if name.is_absolute() else self.folder, name)
        if found is None and name.is_absolute():
            parts = name.parts[1:]
            tails = (PurePosixPath(*parts[at:]) for at in range(len(parts) - 1))
            found = next((path for tail in tails if (path := self._like(self.folder, tail)) is not None), None)
        return found

    def _like(self, folder: Path, name: PurePosixPath) -> Path | None:
        """The file whose name differs in capitals or in how accents are composed only."""
        parts = [part for part in name.parts if part.strip("/")]
        for number, part in enumerate(parts):
            here = folder / part
            last = number == len(parts) - 1
            if not (os.path.isfile(here) if last else os.path.isdir(here)):
                twin = self._held(folder).get(_plain(part))
                if twin is None:
                    return None
                here = folder / twin
            folder = here
        return folder if parts and os.path.isfile(folder) else None

    def _held(self, folder: Path) -> dict[str, str]:
        if folder not in self.held:
            try:
                names = sorted(os.listdir(folder))
            except (OSError, ValueError):
                names = []
            self.held[folder] = {_plain(name): name for name in names}
        return self.held[folder]


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _spellings(raw: bytes) -> Iterator[bytes]:
    """What a line may mean: as it stands, without quotes, and with percent signs read as in an address."""
    if raw[:5].lower() == b"file:":
        yield _local(unquote_to_bytes(raw[5:]))
        # Some programs put names into addresses as they are.
        yield _local(raw[5:])
        return
    yield raw
    if len(raw) > 2 and raw[:1] == raw[-1:] == b'"':
        yield raw[1:-1]
    if b"%" in raw:
        yield unquote_to_bytes(raw)


def _local(rest: bytes) -> bytes:
    """The path in a ``file:`` address."""
    if rest.startswith(b"//"):
        host, slash, path = rest[2:].partition(b"/")
        # A host other than this machine is a Windows share or a relative path by a careless program.
        rest = slash + path if host.lower() in (b"", b"localhost", b"127.0.0.1") else rest[2:]
    # A drive: ``/C:/Music``.
    return rest[1:] if re.match(rb"/[A-Za-z]:/", rest) else rest
