"""Decode the names in MIDI files, whose charset is not declared: UTF-8, Shift-JIS, CP949, GBK, CP1251 or Latin-1."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: In this order where a text could be any of them. CP1252 holds all of Latin-1 that is printed.
_CHARSETS = ("utf_8", "cp932", "cp949", "cp1252")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
#: A syllable of Hangul beside a small Latin letter is an accented letter and its neighbour taken for one.
_TORN = re.compile("[a-z][\uac00-\ud7a3\u4e00-\u9fff]|[\uac00-\ud7a3\u4e00-\u9fff][a-z]")
#: A word as it is written in Russian, of small letters from the second on. In other charsets these bytes are accented
#: letters, of which no language has three in a row, or characters of two bytes.
_CYRILLIC = re.compile(rb"[\xc0-\xff\xa8\xb8]?[\xe0-\xff\xb8]*")
_BESIDE_LETTERS = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")
#: Characters of two bytes: signs and wide letters; the syllables of KS X 1001; all of GB 2312, and its first level. The
#: second and the last overlap, and hold nearly all that is written in Korean and in Chinese.
_SIGN, _SYLLABLE = re.compile(rb"[\xa1-\xa3].", re.DOTALL), re.compile(rb"[\xb0-\xc8][\xa1-\xfe]")
_HANZI, _COMMON_HANZI = re.compile(rb"[\xb0-\xf7][\xa1-\xfe]"), re.compile(rb"[\xb0-\xd7][\xa1-\xfe]")
#: Share of syllables above which a text is Korean, and below which it is not; of the first level in Chinese.
_KOREAN, _NOT_KOREAN, _CHINESE = 0.75, 0.5, 0.85
#: Bytes looked at to find the charset, and differences in disorder that mean nothing.
_MOST_BYTES, _EQUAL = 8192, 0.05


def find_charset(texts: Sequence[bytes]) -> str:
    """Find the charset of the texts of one file, all of them together.

    Args:
        texts: as they stand in the file.

    Returns:
        One of ``utf_8``, ``cp932`` (Shift-JIS), ``cp949``, ``gbk``, ``cp1251`` and ``cp1252``.
    """
    told = b" ".join(text for text in texts if not text.isascii())[:_MOST_BYTES]
    if not told or _decodes(told, "utf_8"):
        return "utf_8"
    if _is_cyrillic(told):
        return "cp1251"
    found, pairs = _likeliest(told), _pairs(told)
    if not pairs or found not in ("cp949", "cp1252"):
        return found
    syllables, common = (sum(map(bool, map(kind.fullmatch, pairs))) for kind in (_SYLLABLE, _COMMON_HANZI))
    is_chinese = all(map(_HANZI.fullmatch, pairs)) and common >= _CHINESE * len(pairs)
    if is_chinese and syllables < _KOREAN * len(pairs):
        return "gbk"
    # No text consists of the syllables that only CP949 has; these bytes are Chinese characters in Shift-JIS.
    rare = found == "cp949" and syllables < _NOT_KOREAN * len(pairs) and _decodes(told, "cp932")
    return "cp932" if rare else found


def _is_cyrillic(text: bytes) -> bool:
    words = re.findall(rb"[\x80-\xff]+", text)
    long = any(len(word) > 2 for word in words)
    return long and all(map(_CYRILLIC.fullmatch, words)) and not _BESIDE_LETTERS.search(text)


def _pairs(text: bytes) -> list[bytes]:
    """The characters of two bytes but for signs; none if the text is not made of them and ASCII."""
    pairs = re.findall(rb"[\x80-\xff].?", text, re.DOTALL)
    if any(len(pair) < 2 or pair[1] < 0x40 for pair in pairs):
        return []
    return [pair for pair in pairs if not _SIGN.fullmatch(pair)]


def _likeliest(told: bytes) -> str:
    """The charset of Shift-JIS, CP949 and CP1252 in which a text looks most like writing."""
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
    """Decode a text; terminating bytes and unprintable characters are removed.

    Args:
        text: the bytes.
        charset: charset of the file.
    """
    words = text.decode(charset, "replace").lstrip("\ufeff").split("\0")[0]
    return " ".join("".join(c if c.isprintable() else " " for c in words).split())
