"""Reading video and sound by their timestamps, and writing sound under a picture that stays untouched.

A clip from a phone has a rotation flag, a frame rate that varies, a picture that starts a little after its
sound, now and then a damaged frame. All of that is normal here: pictures are sampled at even times counted
from the first picture shown, upright and in square pixels, and sound is cut to the same clock.

Everything goes through PyAV (FFmpeg's libraries). Files are read from the local disk only: a playlist or a
file that refers to another address is refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.media_container import decode_all, extent, first_picture, is_cover, open_container, picture_stream
from d2m.media_write import mux, write_wav

__all__ = ["Frame", "Video", "mux", "open_video", "read_audio", "write_wav"]

#: Seconds of picture below which there is no dance to follow.
SHORTEST = 0.5
#: Seconds of picture or of sound above which a file is refused: a damaged or hostile header may claim any length.
LONGEST = 2 * 3600.0
#: Pixels of a frame, about 8K; the decoder reserves memory for what a header claims.
LARGEST_FRAME = 8192 * 4608

_GAP = 0.02
_UNDECODABLE = "no picture in this file can be decoded; it is damaged, use another copy"


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        time: seconds from the first picture.
        rgb: uint8 (height, width, 3), upright. Shared between frames that hold the same picture: copy it
            before writing into it.
    """

    time: float
    rgb: np.ndarray


@dataclass(frozen=True)
class Video:
    """A readable video file; make one with :func:`open_video`.

    Attributes:
        path: the file.
        duration: seconds from the start of the first picture to the end of the last.
        fps: average pictures a second.
        width, height: pixels as shown, after rotation and with square pixels.
        rotation: degrees clockwise (0, 90, 180, 270) that the stored picture is turned for showing.
        start_time: seconds on the file's own clock at which the first picture is shown.
        has_audio: whether the file has sound.
        codec: FFmpeg's name of the picture's codec, such as ``"h264"``.
        warnings: what went wrong while reading and could be worked around; grows while frames are read.
    """

    path: Path
    duration: float
    fps: float
    width: int
    height: int
    rotation: int
    start_time: float
    has_audio: bool
    codec: str
    warnings: list[str] = field(default_factory=list, compare=False)

    def frames(self, rate: float, height: int | None = None) -> Iterator[Frame]:
        """Pictures at the even times 0, 1/rate, 2/rate … below ``duration``, each the one shown nearest then.

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
        index, held, held_time = 0, None, 0.0
        with open_container(self.path) as container:
            for time, picture in _decoded(container, self):
                while index < count and index / rate <= time:
                    target = index / rate
                    nearer = picture if held is None or time - target < target - held_time else held
                    yield Frame(target, scaler(nearer))
                    index += 1
                if index == count:
                    return
                held, held_time = picture, time
        if held is None:
            raise D2MError(f"{self.path}: {_UNDECODABLE}")
        for rest in range(index, count):
            yield Frame(rest / rate, scaler(held))

    def warn(self, message: str) -> None:
        """Add a line to ``warnings``, once."""
        if message not in self.warnings:
            self.warnings.append(message)


def open_video(path: str | os.PathLike[str]) -> Video:
    """Look at a video file and say what is in it, decoding one picture.

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
        start, duration, cut_off = extent(container, stream, path)
        first = first_picture(container, stream)
        if first is None:
            raise D2MError(f"{path}: {_UNDECODABLE}")
        if not duration >= SHORTEST:
            raise D2MError(f"{path}: only {duration:.2f} s of picture; d2m needs at least {SHORTEST} s")
        if duration > LONGEST:
            hours = f"{duration / 3600:.1f}"
            raise D2MError(f"{path}: {hours} hours are more than d2m takes; cut it into shorter videos")
        matrix = _display_matrix(first)
        width, height = _square_size(first, stream)
        video = Video(
            path=path,
            duration=duration,
            fps=float(stream.average_rate or stream.guessed_rate or 0) or 25.0,
            width=height if matrix[0] else width,
            height=width if matrix[0] else height,
            rotation=_rotation(matrix),
            start_time=start,
            has_audio=any(s.codec_context is not None for s in container.streams.audio),
            codec=context.name,
        )
    if cut_off:
        video.warn(f"the file is cut off; using the {duration:.2f} s of picture that are there")
    return video


def read_audio(path: str | os.PathLike[str], sample_rate: int, mono: bool = True) -> np.ndarray:
    """The sound of an audio or video file, resampled.

    Sample 0 is the instant of the first picture (of the first sound where there is no picture), so that times
    in the sound and times of :meth:`Video.frames` mean the same. Gaps are filled with silence.

    Args:
        sample_rate: hertz of the result.
        mono: mix to one channel; otherwise the file's own channels, at most two.

    Returns:
        float32 (channels, samples).

    Raises:
        D2MError: if the file is missing, unreadable, has no sound that can be decoded, or more than two hours of it.
    """
    path = Path(path)
    with open_container(path) as container:
        streams = [s for s in container.streams.audio if s.codec_context is not None]
        if not streams:
            raise D2MError(f"{path}: this file has no sound")
        stream = streams[0]
        origin = None
        if any(not is_cover(s) for s in container.streams.video):
            picture = picture_stream(container, path)
            origin = extent(container, picture, path)[0]
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        blocks, samples = [], 0
        for block in _sound_blocks(container, stream, sample_rate, layout, origin):
            samples += block.shape[1]
            if samples > LONGEST * sample_rate:
                raise D2MError(f"{path}: more than {LONGEST / 3600:g} hours of sound; cut it into shorter files")
            blocks.append(block)
        length = None
        if stream.duration is not None and stream.start_time is not None:
            # The encoder fills its last frame up; the header knows where the sound itself ends.
            end = float((stream.start_time + stream.duration) * stream.time_base)
            begin = float(stream.start_time * stream.time_base) if origin is None else origin
            length = max(1, round((end - begin) * sample_rate))
    if not blocks:
        raise D2MError(f"{path}: no sound in this file can be decoded; it is damaged, use another copy")
    sound = np.concatenate(blocks, axis=1)[:, :length]
    return sound.mean(axis=0, keepdims=True) if mono else sound


def _sound_blocks(container, stream, sample_rate: int, layout: str, origin: float | None):
    """Blocks float32 (channels, n) from ``origin`` seconds on (the first sound where None), gaps filled."""
    import av

    resampler = av.AudioResampler(format="fltp", layout=layout, rate=sample_rate)
    channels = 1 if layout == "mono" else 2
    end: float | None = None  # time in the file up to which sound has been handed to the resampler
    skip = 0
    for sound in decode_all(container, stream, lambda: None):
        stamp = None if sound.pts is None else float(sound.pts * sound.time_base)
        if end is None:
            time = (origin or 0.0) if stamp is None else stamp
            lead = 0 if origin is None else round((time - origin) * sample_rate)
            skip = max(0, -lead)
            if lead > 0:
                yield np.zeros((channels, min(lead, round(LONGEST * sample_rate))), np.float32)
        else:
            time = end if stamp is None else max(stamp, end)
            if _GAP < time - end < LONGEST:
                yield np.zeros((channels, round((time - end) * sample_rate)), np.float32)
        end = time + sound.samples / sound.sample_rate
        sound.pts = None
        for piece in resampler.resample(sound):
            block, skip = _after(piece.to_ndarray(), skip)
            yield block
    if end is not None:
        for piece in resampler.resample(None):
            block, skip = _after(piece.to_ndarray(), skip)
            yield block


def _after(block: np.ndarray, skip: int) -> tuple[np.ndarray, int]:
    """The block without its first ``skip`` samples, and how many are left to skip."""
    used = min(skip, block.shape[1])
    return block[:, used:].astype(np.float32, copy=False), skip - used


def _decoded(container, video: Video):
    """(seconds from the first picture, decoded picture) in rising order, damaged ones left out."""
    stream = picture_stream(container, video.path)
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(os.cpu_count() or 1, 8)  # each thread holds a few pictures
    damaged, last = 0, -np.inf

    def on_damage() -> None:
        nonlocal damaged
        damaged += 1

    try:
        for picture in decode_all(container, stream, on_damage):
            if picture.pts is None:
                time = last + 1 / video.fps if np.isfinite(last) else 0.0
            else:
                time = float(picture.pts * picture.time_base) - video.start_time
            if time >= last:
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


def _square_size(picture, stream) -> tuple[int, int]:
    """(width, height) of the stored picture in square pixels."""
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    if not 0.1 < ratio < 10:
        ratio = 1.0
    return max(1, round(picture.width * ratio)), picture.height
