"""Import librosa with a lock, so that only one process compiles it at a time.

librosa's ``guvectorize`` functions are compiled when their module is first imported, and numba writes each to two files
one after the other. Two processes that do so at the same time may leave files that do not match; every process that
loads them afterwards ends with a segmentation fault (numba issue 10128). Features, reports and benchmarks all run in
several processes, also on a new machine without compiled files.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType

# Every module of librosa 0.11 that has such functions; what else librosa compiles is kept in one file each. The beat
# tracker's takes as long to load as all others together, and most have no need of it.
MODULES, BEAT = ("librosa.util.utils", "librosa.core.audio", "librosa.core.pitch"), "librosa.beat"

# Seconds to wait for others; compiling takes some 20 on a slow core. Then a lock is taken for one nobody will free.
PATIENCE = 600.0


@lru_cache(maxsize=2)
def load_librosa(beat: bool = False) -> ModuleType:
    """Return the package librosa, with nothing left in it that two processes must not compile at once.

    Args:
        beat: ``librosa.beat`` is used, too.
    """
    with _alone():
        for name in (*MODULES, BEAT) if beat else MODULES:
            importlib.import_module(name)
    return importlib.import_module("librosa")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Holds the lock of this user's processes; where no lock can be had, loading is still worth a try."""
    from filelock import FileLock, Timeout

    from d2m.files.cache_folder import default_folder

    temporary = Path(tempfile.gettempdir()) / f"d2m-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    with contextlib.ExitStack() as held:
        for folder in (default_folder().parent, temporary):
            with contextlib.suppress(OSError, NotImplementedError, Timeout):
                folder.mkdir(parents=True, exist_ok=True)
                held.enter_context(FileLock(folder / "librosa.lock", timeout=PATIENCE))
                break
        yield
