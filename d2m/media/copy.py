"""Copy the picture of a video packet for packet into a new file, with new sound.

The copy begins at 0 s whatever the clock of the source, each picture keeps its distance to the first one, and decoding
times are recomputed, so that gaps, wraps and decreasing times in the source do no harm. Chapters, subtitles, title,
creation time, colour and rotation are copied.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError
from d2m.media.clock import Timeline, packets, read_timeline
from d2m.media.container import first_picture, has_alpha_beside, open_container, picture_stream
from d2m.media.extras import carry_metadata, carry_subtitles

if TYPE_CHECKING:
    from d2m.media.video import Video

#: Muxers by suffix, in the order in which they are tried.
MUXERS = {".mp4": "mp4", ".mkv": "matroska"}
#: What to do where a copy is not possible.
ADVICE = "add --reencode to encode the picture as H.264, or --no-video"
#: Ticks a second of an mp4's own clock at most.
FINEST_UNIT = 200_000
# Packets that are copied to see whether a decoder can make a picture of the copy.
_TRIED = 10


class CannotCopyError(D2MError):
    """Error for a picture that can neither be copied nor encoded into a new file."""


def container_for(video: Video) -> str:
    """Choose the suffix of the file that a video's picture can be copied into.

    Args:
        video: the video.

    Returns:
        ``".mp4"``, or ``".mkv"`` for codecs that mp4 does not hold, and for transparency beside a VP8 or VP9 picture.

    Raises:
        CannotCopyError: if neither takes it.
    """
    import av

    with open_container(video.path) as source:
        stream = picture_stream(source, video.path)
        for suffix, muxer in MUXERS.items():
            if suffix == ".mp4" and has_alpha_beside(stream):
                continue
            try:
                if _takes(muxer, source, stream):
                    return suffix
            except (av.FFmpegError, ValueError):
                continue
    raise CannotCopyError(f"{video.path}: pictures in {video.codec} cannot be copied into a new video; {ADVICE}")


def _takes(muxer: str, source: Any, stream: Any) -> bool:
    """Tell whether a muxer takes a picture stream; FFmpegError or ValueError may say that it does not.

    Codecs that FFmpeg does not list for the muxer are tried: a file may be written that lacks what a decoder needs.
    """
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as out:
        picture = add_picture(out, stream)
        out.start_encoding()
        if stream.codec_context.name in out.supported_codecs:
            return True
        some = (packet for packet in packets(source, stream) if packet.size)
        for index, packet in enumerate(itertools.islice(some, _TRIED)):
            packet.pts = packet.dts = round(index / 25 / packet.time_base)
            packet.stream = picture
            out.mux(packet)
    file.seek(0)
    with av.open(file) as written:
        return first_picture(written, written.streams.video[0]) is not None


def add_picture(out: Any, stream: Any) -> Any:
    """Add a stream to ``out`` that takes the packets of a picture stream; FFmpegError or ValueError if it cannot.

    Args:
        out: a PyAV output container.
        stream: stream of pictures to copy.

    Returns:
        The new stream.
    """
    import av

    try:
        picture = out.add_stream_from_template(stream, opaque=True)
    except ValueError:
        if out.format.name != "matroska":
            raise
        # Matroska holds any codec that has a name in AVI or QuickTime, though FFmpeg does not list them.
        picture = out.add_mux_stream("mjpeg", width=stream.width, height=stream.height)
        picture.time_base = stream.time_base
        with av.open(io.BytesIO(), "w", format="avi") as unwritten:
            av.bitstream.BitStreamFilterContext("null", _with_avi_name(stream, unwritten), picture)
        return picture
    if stream.codec_context.name == "hevc" and out.format.name == "mp4":
        # Apple's players show HEVC only under this tag; FFmpeg would choose the other one.
        picture.codec_context.codec_tag = "hvc1"
    if has_alpha_beside(stream):
        picture.metadata["alpha_mode"] = "1"
    return picture


def _with_avi_name(stream: Any, unwritten: Any) -> Any:
    """A stream whose codec has the name that AVI gives it, if there is one; other containers use names of their own.

    Args:
        stream: of the source.
        unwritten: an AVI that nothing is written to.
    """
    if {"avi", "asf", "matroska"} & set(stream.container.format.name.split(",")):
        return stream
    try:
        return unwritten.add_stream_from_template(stream, opaque=True)
    except ValueError:
        return stream


def copy_video(video: Video, sound: np.ndarray, rate: int, target: Path) -> None:
    """Write a video's picture, copied, and new sound.

    Args:
        video: the source.
        sound: float32 (1 or 2 channels, samples); sample 0 sounds with the first picture.
        rate: hertz, one that AAC knows.
        target: the ``.mp4`` or ``.mkv`` to write.

    Raises:
        CannotCopyError: if the picture does not fit.
    """

    with open_container(video.path) as source:
        stream = picture_stream(source, video.path)
        timeline = read_timeline(video.path, stream.index, round(video.start_time / stream.time_base))
        kept = _kept(timeline, target.suffix, video)
        if not timeline.timed and stream.codec_context.has_b_frames:
            raise CannotCopyError(f"{video.path}: the file does not say when its pictures are shown; {ADVICE}")
        with refused_by_ffmpeg(video, "copied", ADVICE), open_output(target, stream.time_base) as out:
            picture = add_picture(out, stream)
            pictures = _retimed(packets(source, stream), picture, timeline, kept)
            write_streams(source, out, video, {stream: picture}, pictures, sound, rate)


@contextlib.contextmanager
def refused_by_ffmpeg(video: Video, done: str, advice: str) -> Iterator[None]:
    """Convert FFmpeg's errors while a picture is written to a CannotCopyError; errors of the disk are not changed.

    Args:
        video: the source.
        done: what is done with its picture, a participle.
        advice: what to do instead.
    """
    import av

    try:
        yield
    except (av.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise
        raise CannotCopyError(f"{video.path}: the picture cannot be {done} ({error}); {advice}") from None


def open_output(target: Path, time_base: Fraction) -> Any:
    """Open a container for writing, the muxer chosen by the suffix.

    Args:
        target: the ``.mp4`` or ``.mkv`` to write.
        time_base: time base of its picture.
    """
    import av

    options = {}
    if target.suffix == ".mp4":
        # Edit lists are written in this unit; the default, milliseconds, would move the first and the last picture.
        # Edit lists are written in this unit; the default, milliseconds, would move the first and the last picture.
        # Chapters are, too, and their 32 bits must hold a whole video.
        unit = min(time_base.denominator, FINEST_UNIT)
        options = {"movflags": "+faststart", "movie_timescale": str(unit * (FINEST_UNIT // unit))}
    return av.open(f"file:{target}", "w", format=MUXERS[target.suffix], container_options=options)


def write_streams(
    source: Any,
    out: Any,
    video: Video,
    streams: dict[Any, Any],
    pictures: Iterator[Any],
    sound: np.ndarray,
    rate: int,
) -> None:
    """Write a picture, new sound, and the source's subtitles, chapters and tags.

    Args:
        source, out: PyAV containers.
        video: what ``source`` is.
        streams: the picture's stream in ``source`` -> its stream in ``out``.
        pictures: packets of the picture, counted from the first picture.
        sound, rate: see :func:`copy_video`.
    """
    music = out.add_stream("aac", rate=rate, layout="stereo" if len(sound) == 2 else "mono")
    music.bit_rate = 96000 * len(sound)
    subtitles, texts = carry_subtitles(source, out, video)
    carry_metadata(source, out, streams | subtitles, video.start_time, video.duration)
    out.start_encoding()
    for packet in heapq.merge(pictures, _encoded(music, sound, rate), *texts, key=_time):
        out.mux(packet)


def _kept(timeline: Timeline, suffix: str, video: Video) -> np.ndarray:
    """Which packets are copied, bool (N,): those that are shown, and those cut by an edit list that are needed.

    Raises:
        CannotCopyError: if an edit list cuts in the middle, or at the start of a file that goes into Matroska.
    """
    shown = np.flatnonzero(timeline.shown)
    kept = timeline.shown.copy()
    if not len(shown) or not timeline.discard.any():
        return kept
    first, last = shown[0], shown[-1]
    begin = first
    while begin > 0 and not timeline.key[begin]:
        begin -= 1
    needed = np.flatnonzero(timeline.discard[begin:last]) + begin
    kept[needed] = True
    times = timeline.pts[needed]
    inside = (times >= timeline.start) & (times < timeline.pts[shown].max())
    if inside.any() or (suffix != ".mp4" and len(needed)):
        raise CannotCopyError(f"{video.path}: an edit list cuts pictures out that a copy would show; {ADVICE}")
    return kept


def _retimed(source: Iterator[Any], picture: Any, timeline: Timeline, kept: np.ndarray) -> Iterator[Any]:
    """Packets counted from the first picture, each with a display time, a decoding time and a duration.

    A packet is decoded when the picture is shown that comes as many pictures before as the order of the pictures asks
    for. So a long still does not move the start of decoding, as it does where all times are moved back by a constant.
    """
    pts = timeline.pts[kept] - timeline.start
    rising = np.sort(pts)
    ahead = int(max(0, (np.arange(len(pts)) - np.searchsorted(rising, pts)).max(initial=0)))
    step = max(1, int(np.median(np.diff(rising)))) if len(rising) > 1 else 1
    before = rising[:1] - step * np.arange(ahead, 0, -1) if len(rising) else rising
    dts = np.concatenate([before, rising])[: len(pts)]
    ends = np.append(rising[1:], timeline.end - timeline.start)
    durations = ends[np.searchsorted(rising, pts)] - pts
    if len(durations):
        durations[-1] = last_duration(timeline.end - timeline.start - int(rising[0]), int(dts[0]), int(dts[-1]))
    rows = zip(pts.tolist(), dts.tolist(), durations.tolist(), strict=True)
    filled = (packet for packet in source if packet.size)
    for packet, wanted in zip(filled, kept, strict=False):
        if wanted:
            packet.pts, packet.dts, packet.duration = next(rows)
            packet.stream = picture
            yield packet


def last_duration(length: int, first: int, last: int) -> int:
    """Return the duration of a track's last packet, from which the muxers take the length of the track.

    Args:
        length: length of the track, in ticks.
        first, last: decoding times of its first and its last packet.
    """
    return max(1, length - (last - first))


def _time(packet: Any) -> float:
    """Decoding time of a packet in seconds."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return float(stamp * packet.time_base) if stamp is not None else -np.inf


def _encoded(stream: Any, sound: np.ndarray, rate: int) -> Iterator[Any]:
    """AAC packets of ``sound`` float32 (channels, samples), the first sample sounding at 0 s; clipped to -1..1."""
    import av

    layout = "stereo" if len(sound) == 2 else "mono"
    for begin in range(0, sound.shape[1], 1024):
        block = np.clip(sound[:, begin : begin + 1024], -1.0, 1.0, order="C", dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), begin
        yield from stream.encode(frame)
    yield from stream.encode(None)
