"""Re-encode the picture of a video as H.264."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.media.container import open_container, picture_stream
from d2m.media.copy import last_duration, open_output, refused_by_ffmpeg, write_streams

if TYPE_CHECKING:
    from d2m.media.video import Video

#: Ticks a second of the pictures' times: what MPEG uses, which holds every usual frame rate.
CLOCK = 90_000
#: Name of the encoder.
ENCODER = "libx264"


def encode_video(video: Video, sound: np.ndarray, rate: int, target: Path, crf: int) -> None:
    """Write the re-encoded picture of a video with new sound.

    Pictures keep their times. They are stored as they are in the source, with its rotation and pixel shape; an odd
    width or height is scaled up by one pixel, which 4:2:0 colour needs.

    Args:
        video: the source.
        sound: float32 (1 or 2 channels, samples); sample 0 sounds with the first picture.
        rate: hertz, one that AAC knows.
        target: the ``.mp4`` to write.
        crf: x264's constant rate factor, 0 to 51.

    Raises:
        D2MError: if no picture can be decoded, this FFmpeg has no H.264 encoder, or ``crf`` is out of range.
    """
    import av

    if not 0 <= crf <= 51:
        raise D2MError(f"a constant rate factor of {crf} is not possible; choose 0 (lossless) to 51 (worst)")
    if ENCODER not in av.codecs_available:
        raise D2MError("this installation of PyAV cannot encode H.264; reinstall av from PyPI, or use --no-video")
    from d2m.media.video import decoded

    if video.alpha:
        video.warn("the transparency of the picture is lost: H.264 has none")
    with (
        open_container(video.path) as source,
        refused_by_ffmpeg(video, "encoded", "use --no-video"),
        open_output(target, Fraction(1, CLOCK)) as out,
    ):
        stream = picture_stream(source, video.path)
        frames = decoded(source, video)
        first = next(frames, None)
        if first is None:
            raise D2MError(f"{video.path}: no picture in this file can be decoded; it is damaged, use another copy")
        picture, form = _add_picture(out, stream, first[1], video, crf)
        pictures = _pictures(itertools.chain([first], frames), video, picture, form)
        write_streams(source, out, video, {stream: picture}, pictures, sound, rate)


def _add_picture(out: Any, stream: Any, first: Any, video: Video, crf: int) -> tuple[Any, dict[str, Any]]:
    """Add the stream of the new picture; also what each picture is converted with."""
    context = stream.codec_context
    rate = Fraction(video.rate).limit_denominator(1001)
    picture = out.add_stream(ENCODER, rate=rate, options={"crf": str(crf)})
    picture.width, picture.height = context.width + context.width % 2, context.height + context.height % 2
    picture.pix_fmt = "yuv420p"
    picture.codec_context.time_base = 1 / rate
    if stream.sample_aspect_ratio:
        picture.codec_context.sample_aspect_ratio = stream.sample_aspect_ratio
    form: dict[str, Any] = {"width": picture.width, "height": picture.height, "format": "yuv420p"}
    colours = {name: getattr(context, name) for name in ("color_primaries", "color_trc", "colorspace", "color_range")}
    if first.format.is_rgb or "pal" in first.format.name:
        form |= {"dst_colorspace": "ITU709", "src_color_range": "JPEG", "dst_color_range": "MPEG"}
        colours |= {"colorspace": 1, "color_range": 1}
    elif first.format.name.startswith("yuvj"):
        form |= {"src_color_range": "JPEG", "dst_color_range": "MPEG"}
        colours["color_range"] = 1
    for name, value in colours.items():
        setattr(picture.codec_context, name, value)
    matrix = first.side_data.get("DISPLAYMATRIX")
    if matrix is not None and len(bytes(matrix)) >= 36:
        picture.set_display_matrix(np.frombuffer(bytes(matrix)[:36], np.int32).tolist())
    return picture, form


def _pictures(frames: Iterable[tuple[float, Any]], video: Video, picture: Any, form: dict[str, Any]) -> Iterator[Any]:
    """Packets of the pictures, the last of which ends when the video does.

    The encoder counts pictures; each packet gets the time of its picture for display, and for decoding the time of as
    many pictures before as the encoder put others first.
    """
    from av.video.reformatter import VideoReformatter

    reformatter = VideoReformatter()
    times: list[int] = []

    def packets() -> Iterator[Any]:
        for time, frame in frames:
            shown = reformatter.reformat(frame, **form)
            shown.pts, shown.time_base, shown.pict_type = len(times), picture.codec_context.time_base, 0
            times.append(max(times[-1] + 1 if times else 0, round(time * CLOCK)))
            yield from picture.encode(shown)
        yield from picture.encode(None)

    waiting, began = None, 0
    step = round(CLOCK / video.rate)
    for packet in packets():
        packet.pts = times[packet.pts]
        packet.dts = times[packet.dts] if packet.dts >= 0 else packet.dts * step
        packet.time_base = Fraction(1, CLOCK)
        if waiting is None:
            began = packet.dts
        else:
            waiting.duration = packet.dts - waiting.dts
            yield waiting
        waiting = packet
    if waiting is not None:
        waiting.duration = last_duration(round(video.duration * CLOCK), began, waiting.dts)
        yield waiting
