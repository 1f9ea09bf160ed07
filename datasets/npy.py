"""Arrays of numbers from npy files of other people."""

from __future__ import annotations

from pathlib import Path
from tokenize import TokenError

import numpy as np

from d2m.errors import D2MError


def read_npy(path: str | Path, most_bytes: int = 100_000_000) -> np.ndarray:
    """The numbers in an npy file, finite, of any shape.

    Raises:
        D2MError: if the file is missing, damaged, too large, claims more than it holds, or holds no finite numbers.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > most_bytes:
            raise D2MError(f"{path} is larger than {most_bytes // 1_000_000} MB; that is not what it should be")
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            # the header is believed only after this: numpy would set aside whatever it claims
            if dtype.kind not in "fiu" or int(np.prod(shape, dtype=object)) * dtype.itemsize != size - file.tell():
                raise ValueError
        values = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise D2MError(f"{path} is missing") from error
    except (OSError, ValueError, EOFError, TypeError, SyntaxError, TokenError) as error:
        raise D2MError(f"{path} is damaged or holds no array of numbers; get it again") from error
    if not np.isfinite(values).all():
        raise D2MError(f"{path} holds numbers that are not finite")
    return values
