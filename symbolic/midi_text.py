"""Decode the names in MIDI files, which do not say their charset: UTF-8, Shift-JIS, CP949 or Latin-1."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: In this order where a text could be any of them. CP1252 holds all of Latin-1 that is printed.
_CHARSETS = ("utf_8", "cp932", "cp949", "cp1252")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
#: A syllable of Hangul beside a small Latin letter is an accented letter and its neighbour taken for one.
_TORN = re.compile("[a-z][\uac00-\ud7a3\u4e00-\u9fff]|[\uac00-\ud7a3\u4e00-\u9fff][a-z]")
#: Bytes looked at to find the charset, and differences in disorder that mean nothing.
_MOST_BYTES, _EQUAL = 8192, 0.05


def find_charset(texts: Sequence[bytes]) -> str:
    """Find the charset of the texts of one file, all of them together.

    Args:
        texts: as they stand in the file.

    Returns:
        One of ``utf_8``, ``cp932`` (Shift-JIS), ``cp949`` and ``cp1252``.
    """
    told = b" ".join(text for text in texts if not text.isascii())[:_MOST_BYTES]
    if not told or _decodes(told, "utf_8"):
        return "utf_8"
    able = [name for name in _CHARSETS[1:] if _decodes(told, name)]
    if len(able) < 2:
        return able[0] if able else "cp1252"
    scores = {name: _disorder(told, name) for name in able}
    least = min(scores.values())
    likely = [name for name in able if scores[name] <= least + _EQUAL]
    for name, letters in (("cp932", _KANA), ("cp949", _HANGUL)):
        if name in likely and letters.search(told.decode(name)):
            return name
    return "cp1252" if "cp1252" in likely else likely[0]


def _decodes(text: bytes, charset: str) -> bool:
    try:
        text.decode(charset)
    except UnicodeDecodeError:
        # What was cut within a character at the end is not held against it.
        try:
            text[:-1].decode(charset)
        except UnicodeDecodeError:
            return False
        return len(text) == _MOST_BYTES
    return True


def _disorder(text: bytes, charset: str) -> float:
    """How unlike writing the text looks, 0 to 1."""
    from charset_normalizer import from_bytes

    found = from_bytes(text, cp_isolation=[charset], steps=1, chunk_size=max(len(text), 1), threshold=1.0)
    best = found.best()
    disorder = float(best.chaos) if best is not None else 1.0
    return disorder + 0.5 * bool(_TORN.search(text.decode(charset, "replace")))


def decode(text: bytes, charset: str) -> str:
    """Decode a text, without what ends it in some files and what could not be printed on one line."""
    words = text.decode(charset, "replace").lstrip("\ufeff").split("\0")[0]
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())
