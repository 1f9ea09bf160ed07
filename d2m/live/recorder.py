"""Record picture and music of a live session while it goes on."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.live.camera import RATE as PICTURES
from d2m.live.player import RATE
from d2m.media.encode import CLOCK, ENCODER

#: Endings of recordings.
ENDINGS = (".mp4", ".wav")
#: Pictures that wait for the encoder at most; later ones are left out.
_MOST_WAITING = 60
#: x264's speed and quality: the encoder shares the processor with the pose model and the mixer.
_SETTINGS = {"preset": "superfast", "tune": "zerolatency", "crf": "23"}


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
    """Encoder of a recording, in a thread of its own.

    Args:
        path: the file that is written, with one of :data:`ENDINGS`.
        patient: whether pictures wait for the encoder; otherwise they are left out if it is too slow.

    Attributes:
        pictures: number of pictures in the file.
        left_out: pictures that the encoder had no time for.
        failure: what went wrong in the thread, or None.
    """

    def __init__(self, path: Path, patient: bool = False) -> None:
        self.path, self._patient = path, patient
        self.pictures = self.left_out = 0
        self.failure: Exception | None = None
        self._waiting: queue.SimpleQueue[tuple[float, np.ndarray] | np.ndarray | None] = queue.SimpleQueue()
        self._shown = path.suffix.lower() == ".mp4"
        self._last = -1
        self._samples = 0

    @contextlib.contextmanager
    def writing(self) -> Iterator[Recorder]:
        """Write the file during a ``with`` block; it is complete when the block ends, also on Ctrl-C.

        Raises:
            D2MError: if the file cannot be written.
        """
        with atomic_write(self.path) as temporary:
            thread = threading.Thread(target=self._run, args=(temporary,), name="recorder")
            thread.start()
            try:
                yield self
            finally:
                self._waiting.put(None)
                thread.join()
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

    def _run(self, temporary: Path) -> None:
        try:
            self._write(temporary)
        except Exception as error:
            reason = " ".join(str(error).split()).rstrip(".")
            told = error if isinstance(error, D2MError) else D2MError(f"cannot write {self.path} ({reason})")
            self.failure = told
            while self._waiting.get() is not None:
                pass

    def _write(self, temporary: Path) -> None:
        import av

        # RF64, which counts in 64 bits, where a .wav grows beyond 4 GB.
        options = {"rf64": "auto"} if not self._shown else {"movflags": "+faststart"}
        with av.open(f"file:{temporary}", "w", container_options=options) as out:
            sound = out.add_stream("aac" if self._shown else "pcm_s16le", rate=RATE, layout="stereo")
            if self._shown:
                sound.bit_rate = 192000
            picture: Any = None
            waiting: list[np.ndarray] = []
            while (item := self._waiting.get()) is not None:
                if isinstance(item, tuple):
                    if picture is None:
                        picture = self._add_picture(out, item[1])
                        for block in waiting:
                            self._add_sound(out, sound, block)
                    self._encode(out, picture, *item)
                elif self._shown and picture is None:
                    # The streams of an .mp4 must be known before anything is written.
                    waiting.append(item)
                else:
                    self._add_sound(out, sound, item)
            if self._shown and picture is None:
                raise D2MError(f"{self.path}: there was no picture to record; use -o with a .wav")
            for stream in (sound, *([picture] if picture is not None else [])):
                for packet in stream.encode(None):
                    out.mux(packet)

    def _add_picture(self, out: Any, rgb: np.ndarray) -> Any:
        import av

        if ENCODER not in av.codecs_available:
            raise D2MError("this installation of PyAV cannot encode H.264; record a .wav, or reinstall av from PyPI")
        height, width = (side // 2 * 2 for side in rgb.shape[:2])
        stream = out.add_stream(ENCODER, rate=int(PICTURES), options=_SETTINGS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        return stream

    def _encode(self, out: Any, stream: Any, seconds: float, rgb: np.ndarray) -> None:
        import av

        part = np.ascontiguousarray(rgb[: stream.height, : stream.width])
        frame = av.VideoFrame.from_ndarray(part, format="rgb24")
        self._last = max(self._last + 1, round(seconds * CLOCK))
        frame.pts, frame.time_base = self._last, Fraction(1, CLOCK)
        for packet in stream.encode(frame):
            out.mux(packet)
        self.pictures += 1

    def _add_sound(self, out: Any, stream: Any, block: np.ndarray) -> None:
        import av

        planar = np.ascontiguousarray(np.clip(block, -1.0, 1.0), np.float32)
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, Fraction(1, RATE)
        self._samples += planar.shape[1]
        for packet in stream.encode(frame):
            out.mux(packet)
