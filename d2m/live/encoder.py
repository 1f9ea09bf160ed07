"""Encoder of a recording: pictures and music into an .mp4, or music into a .wav."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import io_errors
from d2m.live.camera import RATE as PICTURES
from d2m.live.player import RATE
from d2m.live.process import Answer
from d2m.media.encode import CLOCK, ENCODER

#: x264's speed and quality: the encoder shares the processor with the pose model and the mixer.
_SETTINGS = {"preset": "superfast", "tune": "zerolatency", "crf": "23"}


@contextlib.contextmanager
def encoding(path: Path, temporary: Path) -> Iterator[Answer]:
    """Write a recording; it is removed if the block ends before it is complete.

    Args:
        path: the name that the recording will have; an .mp4 has pictures.
        temporary: the file to write.

    Yields:
        Function that takes a kind and its values: "picture" with seconds from the first sample of the music and uint8
        (height, width, 3); "sound" with float32 (2, n); "end", which completes the file.
    """
    encoder = Encoder(path, temporary)

    def answer(kind: str, *values: Any) -> None:
        with _told(path):
            getattr(encoder, kind)(*values)

    try:
        with _told(path):
            encoder.begin()
        yield answer
    finally:
        if not encoder.complete:
            encoder.discard()


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn the errors of FFmpeg into a D2MError that names the recording."""
    try:
        with io_errors(path):
            yield
    except D2MError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise D2MError(f"cannot write {path} ({reason})") from None


class Encoder:
    """Encoder of one file.

    Args:
        path: the name that the recording will have.
        temporary: the file to write.

    Attributes:
        complete: whether the file is complete.
    """

    def __init__(self, path: Path, temporary: Path) -> None:
        self.complete = False
        self._path, self._temporary = path, temporary
        self._shown = path.suffix.lower() == ".mp4"
        self._out: Any = None
        self._music: Any = None
        self._film: Any = None
        self._early: list[np.ndarray] = []
        self._last = -1
        self._samples = 0

    def begin(self) -> None:
        """Open the file."""
        import av

        if self._shown and ENCODER not in av.codecs_available:
            raise D2MError("this installation of PyAV cannot encode H.264; record a .wav, or reinstall av from PyPI")
        # RF64, which counts in 64 bits, where a .wav grows beyond 4 GB.
        options = {"movflags": "+faststart"} if self._shown else {"rf64": "auto"}
        self._out = av.open(f"file:{self._temporary}", "w", container_options=options)
        self._music = self._out.add_stream("aac" if self._shown else "pcm_s16le", rate=RATE, layout="stereo")
        if self._shown:
            self._music.bit_rate = 192000

    def picture(self, seconds: float, rgb: np.ndarray) -> None:
        """Add a picture.

        Args:
            seconds: from the first sample of the music.
            rgb: uint8 (height, width, 3).
        """
        import av

        if self._film is None:
            self._film = self._add_film(rgb)
            for block in self._early:
                self._add_sound(block)
            self._early.clear()
        part = np.ascontiguousarray(rgb[: self._film.height, : self._film.width])
        frame = av.VideoFrame.from_ndarray(part, format="rgb24")
        self._last = max(self._last + 1, round(seconds * CLOCK))
        frame.pts, frame.time_base = self._last, Fraction(1, CLOCK)
        self._mux(self._film, frame)

    def sound(self, block: np.ndarray) -> None:
        """Add the next samples of the music.

        Args:
            block: float32 (2, n).
        """
        if self._shown and self._film is None:
            # The streams of an .mp4 must be known before anything is written.
            self._early.append(block)
        else:
            self._add_sound(block)

    def end(self) -> None:
        """Complete the file.

        Raises:
            D2MError: if an .mp4 has no picture.
        """
        if self._shown and self._film is None:
            raise D2MError(f"{self._path}: there was no picture to record; use -o with a .wav")
        for stream in (self._music, self._film):
            if stream is not None:
                self._mux(stream, None)
        self._out.close()
        self.complete = True

    def discard(self) -> None:
        """Close the file and remove it."""
        # What cannot be written any more is removed in any case.
        with contextlib.suppress(Exception):
            if self._out is not None:
                self._out.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink(missing_ok=True)

    def _mux(self, stream: Any, frame: Any) -> None:
        for packet in stream.encode(frame):
            self._out.mux(packet)

    def _add_film(self, rgb: np.ndarray) -> Any:
        height, width = (side // 2 * 2 for side in rgb.shape[:2])
        stream = self._out.add_stream(ENCODER, rate=int(PICTURES), options=_SETTINGS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, CLOCK)
        return stream

    def _add_sound(self, block: np.ndarray) -> None:
        import av

        planar = np.ascontiguousarray(np.clip(block, -1.0, 1.0), np.float32)
        frame = av.AudioFrame.from_ndarray(planar, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, Fraction(1, RATE)
        self._samples += planar.shape[1]
        self._mux(self._music, frame)
