"""Videos made on the spot, whose pictures tell their own time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

ENCODERS = {"h264": "libx264", "hevc": "libx265", "vp9": "libvpx-vp9", "av1": "libsvtav1", "vp8": "libvpx"}
OPTIONS = {
    "libx264": {"preset": "ultrafast", "crf": "18"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "b": "0"},
    "libsvtav1": {"preset": "12", "crf": "30"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "500000"},
}


def picture(time: float, duration: float, size: tuple[int, int]) -> np.ndarray:
    """uint8 (height, width, 3): grey that tells the time (:func:`time_shown`), red in the top left."""
    width, height = size
    rgb = np.full((height, width, 3), min(255, round(20 + 200 * time / duration)), np.uint8)
    rgb[: height // 4, : width // 4] = (220, 20, 20)
    return rgb


def time_shown(rgb: np.ndarray, duration: float) -> float:
    """Seconds told by the grey in the middle of a picture."""
    height, width = rgb.shape[:2]
    centre = rgb[height * 3 // 8 : height * 5 // 8, width * 3 // 8 : width * 5 // 8]
    return (float(centre.mean()) - 20) / 200 * duration


def write_clip(
    path: Path,
    *,
    codec: str = "h264",
    duration: float = 2.0,
    rate: int = 20,
    size: tuple[int, int] = (160, 120),
    times: Sequence[float] | None = None,
    start: float = 0.0,
    rotation: int = 0,
    sound: np.ndarray | None = None,
    sample_rate: int = 44100,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    pixels: str = "yuv420p",
    clock: int = 10000,
) -> Path:
    """Write a video whose pictures tell their own time.

    Args:
        times: seconds of each picture (from the first), for a frame rate that varies; else ``rate`` a second.
        start: seconds on the file's clock of the first picture; below 0 the pictures before 0 are cut by an
            edit list.
        rotation: degrees counter-clockwise in the file's display matrix.
        sound: float32 (channels, samples), starting at 0 on the file's clock.
        pixels: FFmpeg's name of the pixel format.
        tags: colour tags of the picture, such as ``{"color_primaries": 1}``.
        clock: ticks a second of the encoder's times; formats that store a frame rate take it from here.
    """
    import av

    encoder = ENCODERS.get(codec, codec)
    times = [i / rate for i in range(round(duration * rate))] if times is None else list(times)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(encoder, rate=rate, options={**OPTIONS.get(encoder, {}), **(options or {})})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = Fraction(1, clock)
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        music = None
        if sound is not None:
            name = "libopus" if path.suffix == ".webm" else "aac"
            music = out.add_stream(name, rate=sample_rate, layout="stereo" if len(sound) == 2 else "mono")
        for time in times:
            frame = av.VideoFrame.from_ndarray(picture(time, duration, size), format="rgb24")
            frame.pts, frame.time_base = round((time + start) * clock), Fraction(1, clock)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if music is not None:
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound, np.float32),
                format="fltp",
                layout="stereo" if len(sound) == 2 else "mono",
            )
            frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
            out.mux(music.encode(frame))
            out.mux(music.encode(None))
    return path
