"""Read lists of times from text files that a user wrote or another program exported."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

from d2m.errors import D2MError

#: Files beyond this size, and lists beyond this length, are refused.
LARGEST_BYTES, MOST_TIMES = 1_000_000, 20_000

_CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):(\d{1,2}(?:[.,]\d*)?)")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?")


def read_text(path: Path) -> str:
    """Read a short text file in UTF-8, or UTF-16 with a byte order mark.

    Args:
        path: the file.

    Raises:
        D2MError: if it cannot be read, is too large or is no text.
    """
    try:
        with path.open("rb") as source:
            data = source.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise D2MError(f"cannot read {path} ({error.strerror}); give a text file") from None
    if len(data) > LARGEST_BYTES:
        raise D2MError(f"{path} is larger than {LARGEST_BYTES // 1_000_000} MB; give a list of times")
    charset = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(charset)
    except UnicodeDecodeError:
        raise D2MError(f"{path} is not a text file in UTF-8; save it as plain text") from None
    if "\0" in text:
        raise D2MError(f"{path} is not a text file; give a list of times")
    return text


def seconds_of(text: str) -> float | None:
    """Convert a time to seconds.

    Args:
        text: seconds (``"64.5"``), minutes and seconds (``"1:04.5"``) or hours too (``"0:01:04.5"``); the decimal mark
            may be a comma.

    Returns:
        Seconds, or None if it is no time.
    """
    text = text.strip().removesuffix("s").strip()
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (float((group or "0").replace(",", ".")) for group in clock.groups())
        return None if seconds >= 60 else 3600 * hours + 60 * minutes + seconds
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else None


def time_lines(path: Path) -> Iterator[tuple[int, float, str]]:
    """Iterate over the times of a file with one time per line.

    Empty lines, and what follows a ``#``, are ignored.

    Args:
        path: the file.

    Yields:
        Number of the line, seconds, and the text that follows the time.

    Raises:
        D2MError: if a line does not begin with a time, or there are too many.
    """
    count = 0
    for number, row in enumerate(read_text(path).splitlines(), 1):
        row = row.split("#", 1)[0].strip()
        if not row:
            continue
        word, _, rest = row.replace("\t", " ").partition(" ")
        time = seconds_of(word)
        if time is None:
            raise D2MError(f"{path}: line {number}: '{_short(word)}' is no time; write seconds such as 12.5, or 1:04.5")
        count += 1
        if count > MOST_TIMES:
            raise D2MError(f"{path}: more than {MOST_TIMES} times; give a shorter list")
        yield number, time, rest.strip()


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
