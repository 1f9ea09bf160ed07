"""Record picture and music of a live session while it goes on."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.live.encoder import encoding
from d2m.live.process import GIVES_WAY, AskedProcess

#: Endings of recordings.
ENDINGS = (".mp4", ".wav")
#: Pictures that wait for the encoder at most; later ones are left out.
_MOST_WAITING = 60


def check_ending(path: str) -> Path:
    """Return the path of a recording.

    Args:
        path: the file to write.

    Raises:
        D2MError: if its ending is not one of :data:`ENDINGS`.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise D2MError(f"-o {path}: give a name that ends in .mp4 (picture and music) or .wav (music)")
    return Path(path)


class Recorder:
    """Recording that is encoded in a process of its own.

    Args:
        path: the file that is written, with one of :data:`ENDINGS`.
        patient: whether pictures wait for the encoder; otherwise they are left out if it is too slow.

    Attributes:
        pictures: number of pictures in the file.
        left_out: pictures that the encoder had no time for.
        failure: what went wrong while the file was written, or None.
    """

    def __init__(self, path: Path, patient: bool = False) -> None:
        self.path, self._patient = path, patient
        self.pictures = self.left_out = 0
        self.failure: Exception | None = None
        self._waiting: queue.SimpleQueue[tuple[float, np.ndarray] | np.ndarray | None] = queue.SimpleQueue()
        self._shown = path.suffix.lower() == ".mp4"

    @contextlib.contextmanager
    def writing(self) -> Iterator[Recorder]:
        """Write the file during a ``with`` block; it is complete when the block ends, also on Ctrl-C.

        Raises:
            D2MError: if the file cannot be written, or the process that writes it dies. No file is left then.
        """
        with atomic_write(self.path) as temporary:
            lost = f"cannot write {self.path}: the process that records has ended; start again"
            process = AskedProcess(lost, encoding, self.path, temporary, nice=GIVES_WAY)
            thread = threading.Thread(target=self._send, args=(process,), name="recorder", daemon=True)
            thread.start()
            try:
                yield self
            finally:
                self._waiting.put(None)
                try:
                    thread.join()
                except BaseException:
                    # Ctrl-C once more, while the file is completed.
                    process.kill()
                    raise
                process.close()
            if self.failure is not None:
                raise self.failure

    def picture(self, seconds: float, rgb: np.ndarray) -> None:
        """Add a picture.

        Args:
            seconds: from the first sample of the music.
            rgb: uint8 (height, width, 3).
        """
        if not self._shown or seconds < 0:
            return
        while self._patient and self._waiting.qsize() > _MOST_WAITING and self.failure is None:
            time.sleep(0.005)
        if self._waiting.qsize() > _MOST_WAITING:
            self.left_out += 1
            return
        self._waiting.put((seconds, rgb))

    def sound(self, block: np.ndarray) -> None:
        """Add the next samples of the music.

        Args:
            block: float32 (2, n).
        """
        self._waiting.put(block)

    def _send(self, process: AskedProcess) -> None:
        """Give the process what waits, until the end."""
        try:
            while (item := self._waiting.get()) is not None:
                if isinstance(item, tuple):
                    process.ask("picture", item[0], array=item[1])
                    self.pictures += 1
                else:
                    process.ask("sound", array=item)
            process.ask("end")
        except D2MError as error:
            self.failure = error
            while item is not None:
                item = self._waiting.get()
