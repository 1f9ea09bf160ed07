"""Read the pictures of a video by their timestamps.

Clips from phones have rotation flags, variable frame rates, pictures that begin later than the sound, and damaged
frames. Pictures are sampled at even times counted from the first picture shown, upright and in square pixels, and sound
is cut to the same clock.

All files are read through PyAV (FFmpeg's libraries), from the local disk only: a playlist or a file that refers to
another address is refused.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.media.clock import extent
from d2m.media.container import (
    LONGEST,
    decode_all,
    first_picture,
    has_alpha_beside,
    is_still,
    open_container,
    picture_stream,
    shown_at,
    sound_stream,
)

#: Seconds of picture below which there is no dance to follow.
SHORTEST = 0.5
#: Pixels of a frame, about 8K; the decoder reserves memory for what a header claims.
LARGEST_FRAME = 8192 * 4608

# Pictures a second that no camera of a dance exceeds; headers may claim more.
_FASTEST = 1000.0
# Seconds before the first picture within which a decoder's rounding may put it.
_EARLY = 0.002
_UNDECODABLE = "no picture in this file can be decoded; it is damaged, use another copy"


@dataclass(frozen=True)
class Frame:
    """Picture of a video.

    Attributes:
        time: seconds from the first picture.
        rgb: uint8 (height, width, 3), upright. Shared between frames that hold the same picture: copy it
            before writing into it.
        held: whether it is the picture of the frame before, as the video has none of its own for this time.
    """

    time: float
    rgb: np.ndarray
    held: bool = False


@dataclass(frozen=True)
class Video:
    """Readable video file, opened by :func:`open_video`.

    Attributes:
        path: the file.
        duration: seconds from the start of the first picture to the end of the last.
        fps: average pictures a second.
        rate: pictures a second where they follow each other fastest (over two seconds). It is above ``fps`` where the
            frame rate varies: a recording that stood still for a while is to be watched at the rate at which it moves.
        width, height: pixels as shown, after rotation and with square pixels.
        rotation: degrees clockwise (0, 90, 180, 270) that the stored picture is turned for showing.
        start_time: seconds on the file's own clock at which the first picture is shown.
        has_audio: whether the file has sound.
        codec: FFmpeg's name of the picture's codec, such as ``"h264"``.
        alpha: whether the picture is transparent in places; its frames are given out opaque.
        timed: whether the file says when its pictures are shown; else they are counted.
        warnings: what went wrong while reading and could be worked around; grows while frames are read.
    """

    path: Path
    duration: float
    fps: float
    rate: float
    width: int
    height: int
    rotation: int
    start_time: float
    has_audio: bool
    codec: str
    alpha: bool = False
    timed: bool = True
    warnings: list[str] = field(default_factory=list, compare=False)

    def frames(self, rate: float, height: int | None = None) -> Generator[Frame, None, None]:
        """Iterate over pictures at the even times 0, 1/rate, 2/rate … below ``duration``, each the one shown nearest
        then.

        Where a picture is missing (slow or varying frame rate, damage, an end without pictures) the nearest
        one is held. Memory does not depend on the video's length.

        Args:
            rate: pictures a second.
            height: largest height of the pictures given out, in pixels; larger ones are scaled down, which
                also makes them much cheaper.

        Raises:
            D2MError: if not a single picture can be decoded.
        """
        if not rate > 0:
            raise ValueError("rate must be above 0")
        scaler = _Scaler(self, height)
        count = max(1, int(np.ceil(self.duration * rate - 1e-6)))
        index, held, held_time, given = 0, None, 0.0, None
        with open_container(self.path) as container:
            for time, picture in decoded(container, self):
                while index < count and index / rate <= time:
                    target = index / rate
                    nearer = picture if held is None or time - target < target - held_time else held
                    yield Frame(target, scaler(nearer), nearer is given)
                    given = nearer
                    index += 1
                if index == count:
                    return
                held, held_time = picture, time
        if held is None:
            raise D2MError(f"{self.path}: {_UNDECODABLE}")
        for rest in range(index, count):
            yield Frame(rest / rate, scaler(held), held is given)
            given = held

    def warn(self, message: str) -> None:
        """Add a line to ``warnings``, once.

        Args:
            message: the line.
        """
        if message not in self.warnings:
            self.warnings.append(message)


def open_video(path: str | os.PathLike[str]) -> Video:
    """Open a video file and read its properties, decoding one picture.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, unreadable, empty, not a video, a single picture, sound only,
            shorter than half a second, longer than two hours, or larger than 8K.
    """
    path = Path(path)
    with open_container(path) as container:
        stream = picture_stream(container, path)
        context = stream.codec_context
        if context.width * context.height > LARGEST_FRAME:
            size = f"{context.width}x{context.height}"
            raise D2MError(f"{path}: {size} pixels are more than 8K; scale the video down first")
        first = first_picture(container, stream)
        if first is None:
            raise D2MError(f"{path}: {_UNDECODABLE}")
        start, duration, rate, complete, timed = extent(container, stream, path, first.pts)
        if not duration >= SHORTEST:
            raise D2MError(f"{path}: only {duration:.2f} s of picture; d2m needs at least {SHORTEST} s")
        if duration > LONGEST:
            hours = f"{duration / 3600:.1f}"
            raise D2MError(f"{path}: {hours} hours are more than d2m takes; cut it into shorter videos")
        context_size = (context.width, context.height)
        matrix = _display_matrix(first)
        width, height = _square_size(first, stream)
        video = Video(
            path=path,
            duration=duration,
            fps=min(float(stream.average_rate or stream.guessed_rate or 0) or 25.0, _FASTEST),
            rate=min(rate or float(stream.average_rate or 25), _FASTEST),
            width=height if matrix[0] else width,
            height=width if matrix[0] else height,
            rotation=_rotation(matrix),
            start_time=start,
            has_audio=sound_stream(container) is not None,
            codec=context.name,
            alpha=_has_alpha(stream, first),
            timed=timed,
        )
        others = sum(not is_still(other) for other in container.streams.video) - 1
    if others:
        size = f"{context_size[0]}x{context_size[1]}"
        video.warn(f"the file has {others + 1} picture streams; the one of {size} pixels is used")
    if not complete:
        video.warn(f"the file is cut off; using the {duration:.2f} s of picture that are there")
    return video


def decoded(container: Any, video: Video) -> Iterator[tuple[float, Any]]:
    """Decode the pictures of a video.

    Args:
        container: the video's file, opened.
        video: told how many pictures were damaged.

    Yields:
        Seconds from the first picture, and a PyAV frame; in rising order, damaged ones left out.
    """
    stream = picture_stream(container, video.path)
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, 8)  # each thread holds a few pictures
    damaged, last = 0, -np.inf

    def on_damage() -> None:
        nonlocal damaged
        damaged += 1

    try:
        for picture in decode_all(container, stream, on_damage):
            stamp = shown_at(picture, stream)
            if stamp is None:
                if video.timed and not np.isfinite(last):
                    continue  # to be shown before the file's first instant
                time = last + 1 / video.fps if np.isfinite(last) else 0.0
            else:
                time = stamp - video.start_time
            if time >= last and time > -_EARLY:
                last = time
                yield time, picture
    finally:
        if damaged:
            video.warn(f"{damaged} damaged picture{'s' if damaged > 1 else ''} skipped")


class _Scaler:
    """Turns decoded pictures into upright RGB arrays of at most a given height."""

    def __init__(self, video: Video, height: int | None) -> None:
        from av.video.reformatter import VideoReformatter

        scale = min(1.0, height / video.height) if height else 1.0
        self._shown = (max(2, round(video.width * scale)), max(2, round(video.height * scale)))
        # Two steps: swscale is about twice as fast at scaling, then converting, as at both at once.
        self._resize, self._to_rgb = VideoReformatter(), VideoReformatter()
        self._turn: tuple[bool, bool, bool] | None = None
        self._picture, self._rgb = None, np.empty((0, 0, 3), np.uint8)

    def __call__(self, picture) -> np.ndarray:
        if picture is self._picture:
            return self._rgb
        if self._turn is None:
            # Once only: a picture whose side data was looked at refers to itself and is freed late.
            self._turn = _display_matrix(picture)
        transposed, flip_x, flip_y = self._turn
        width, height = self._shown[::-1] if transposed else self._shown
        if (width, height) != (picture.width, picture.height):
            picture_yuv = self._resize.reformat(
                picture, width=width, height=height, format="yuv420p", interpolation="AREA", threads=1
            )
        else:
            picture_yuv = picture
        rgb = self._to_rgb.reformat(picture_yuv, format="rgb24", threads=1).to_ndarray()
        rgb = rgb.transpose(1, 0, 2) if transposed else rgb
        rgb = rgb[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
        self._picture, self._rgb = picture, np.ascontiguousarray(rgb)
        return self._rgb


def _display_matrix(picture) -> tuple[bool, bool, bool]:
    """How a stored picture is shown: (rows and columns exchanged, then mirrored in x, then mirrored in y)."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if data is None or len(bytes(data)) < 36:
        return False, False, False
    a, b, _, c, d = (int(v) for v in np.frombuffer(bytes(data), np.int32)[:5])
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


def _rotation(matrix: tuple[bool, bool, bool]) -> int:
    """Degrees clockwise; a mirrored picture counts as the turn that is left after mirroring it in x."""
    transposed, flip_x, flip_y = matrix
    if transposed:
        return 270 if flip_y else 90
    return 180 if flip_y else 0


def _has_alpha(stream: Any, picture: Any) -> bool:
    """Tell whether a stream has transparency: by its pixel format, or beside the picture as in WebM.

    GIFs always have a format for it; there the first picture tells.
    """
    if stream.codec_context.name == "gif":
        return bool(picture.to_ndarray(format="rgba")[..., 3].min() < 255)
    return has_alpha_beside(stream) or any(part.is_alpha for part in picture.format.components)


def _square_size(picture, stream) -> tuple[int, int]:
    """(width, height) of the stored picture in square pixels."""
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    if not 0.1 < ratio < 10:
        ratio = 1.0
    return max(1, round(picture.width * ratio)), picture.height
