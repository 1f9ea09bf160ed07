"""Suppress the log of MediaPipe's native code on stderr.

The native library of MediaPipe 1.2 logs in three ways: Abseil (``W0000 00:00:1795925102.8 ...``), TensorFlow Lite with
XNNPACK (``INFO: Created ...``) and, from 1.2.3 on, LiteRT (``INFO: [environment.cc:36] ...``). It writes when a model
is loaded, when a network runs for the first time (the one for landmarks: when the first person is seen) and when a
landmarker is closed. No environment variable is read for any of them, neither the Python nor the C interface sets a
level (``MpSetLoggingCallback`` passes on Abseil's lines, which are written all the same), and the lines come from the
library's own threads. So the file descriptor is diverted for the time of such a call, and what others wrote meanwhile
is written afterwards.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_STDERR = 2
#: Lines of the three loggers below the level of errors.
_LOG_LINES = re.compile(rb"(?:(?:VERBOSE|DEBUG|INFO|WARNING): |[IW]\d{4} \d\d:\d\d:\d\d?)[^\n]*\n?")


class _Diversion:
    """File descriptor 2 led to a temporary file while at least one thread wants it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._saved = -1
        self._file: IO[bytes] | None = None

    def begin(self) -> None:
        """Divert the descriptor, unless it is already."""
        with self._lock:
            if self._users == 0:
                _flush_stderr()
                self._saved = os.dup(_STDERR)
                try:
                    self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by end)
                    os.dup2(self._file.fileno(), _STDERR)
                except OSError:
                    os.close(self._saved)
                    raise
            self._users += 1

    def end(self) -> None:
        """Lead the descriptor back once nobody wants the diversion any more, and write what is not MediaPipe's."""
        with self._lock:
            self._users -= 1
            if self._users or self._file is None:
                return
            _flush_stderr()
            os.dup2(self._saved, _STDERR)
            os.close(self._saved)
            with self._file as file:
                file.seek(0)
                rest = _LOG_LINES.sub(b"", file.read())
            self._file = None
            with contextlib.suppress(OSError):
                while rest:
                    rest = rest[os.write(_STDERR, rest) :]


_diversion = _Diversion()


@contextlib.contextmanager
def native_log_hidden() -> Iterator[None]:
    """Drop information and warnings that MediaPipe's native code writes to stderr in a ``with`` block.

    Its errors, and whatever other threads write to stderr, appear when the block ends. Blocks may overlap in several
    threads. Without a stderr or a temporary folder nothing is diverted.
    """
    try:
        _diversion.begin()
    except OSError:
        yield
        return
    try:
        yield
    finally:
        _diversion.end()


def _flush_stderr() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
