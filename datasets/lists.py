"""Lists of names in text files, one name a line."""

from __future__ import annotations

import re
from pathlib import Path

from d2m.errors import D2MError

#: Longest text file that is read, bytes.
MOST_TEXT = 4_000_000


def read_list(path: Path) -> list[str]:
    """Read the names in a list, without folders and suffixes.

    Args:
        path: the list.

    Raises:
        D2MError: if it cannot be read.
    """
    try:
        if path.stat().st_size > MOST_TEXT:
            raise D2MError(f"{path} is far too long for a list of names")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise D2MError(f"cannot read {path}: {error}") from error
    found = (line.strip().replace("\\", "/").rsplit("/", 1)[-1] for line in lines if line.strip())
    return [re.sub(r"\.(wav|npy|mp4)$", "", name) for name in found]
