"""Copy subtitles, chapters, title and creation time of a video to a new file."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from d2m.media.container import open_container

if TYPE_CHECKING:
    from d2m.media.video import Video

# Text subtitles, which can be rewritten, and the codec for them by muxer.
_TEXT = {"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text"}
_TEXT_CODEC = {"mp4": "mov_text", "matroska": "subrip"}
# Tags that describe the file that was read, not what is in it.
_OF_THE_FILE = {"major_brand", "minor_version", "compatible_brands", "encoder", "duration", "wm/encodingsettings"}
_OF_A_STREAM = ("title", "language", "creation_time")
#: Bytes of subtitles above which a file's subtitles are left out; they are held in memory.
MOST_BYTES = 64_000_000


def carry_metadata(source: Any, out: Any, streams: dict[Any, Any], start: float, length: float) -> None:
    """Copy tags and chapters, before the header of ``out`` is written.

    Args:
        source, out: PyAV containers.
        streams: stream of ``source`` -> stream of ``out``.
        start, length: seconds of the source that ``out`` holds.
    """
    for name, value in source.metadata.items():
        if name.lower() not in _OF_THE_FILE:
            out.metadata[name] = value
    for old, new in streams.items():
        new.metadata.update({name: old.metadata[name] for name in _OF_A_STREAM if name in old.metadata})
        new.disposition = int(old.disposition)
    chapters: list[dict[str, Any]] = []
    for chapter in source.chapters():
        base = chapter["time_base"] or Fraction(1, 1000)
        begin, end = (min(max(float(chapter[at] * base) - start, 0.0), length) for at in ("start", "end"))
        if end > begin:
            times = {"start": round(begin * 1000), "end": round(end * 1000), "time_base": Fraction(1, 1000)}
            chapters.append({**chapter, **times, "id": len(chapters)})
    if chapters:
        out.set_chapters(chapters)


def carry_subtitles(source: Any, out: Any, video: Video) -> tuple[dict[Any, Any], list[Iterator[Any]]]:
    """Add the subtitles of a video to ``out``; text is rewritten where the format of ``out`` asks for another codec.

    Subtitles that ``out`` cannot hold are named in the video's warnings.

    Args:
        source: a PyAV input container.
        out: a PyAV output container.
        video: the video, which collects warnings.

    Returns:
        Stream of ``source`` -> stream of ``out``, and for each an iterator of its packets, counted from the first
        picture. The packets may be taken once the header of ``out`` has been written.
    """
    streams, iterators = {}, []
    for stream in source.streams.subtitles:
        codec = stream.codec_context
        name = codec.name if codec is not None else "an unknown codec"
        written = _add(out, stream) if codec is not None else None
        packets = None if written is None else _packets(video, stream.index)
        if written is None or packets is None:
            why = (
                f"do not fit into {'.mp4' if out.format.name == 'mp4' else '.mkv'}"
                if written is None
                else "are too large"
            )
            video.warn(f"subtitles ({name}) {why} and are left out")
            continue
        streams[stream] = written
        iterators.append(_moved(packets, stream, written, video))
    return streams, iterators


def _add(out: Any, stream: Any) -> Any | None:
    """A stream for subtitles: a copy if ``out`` takes the codec, else one for text written anew, else None."""
    try:
        return out.add_stream_from_template(stream, opaque=True)
    except ValueError:
        if stream.codec_context.name not in _TEXT:
            return None
    written = out.add_stream(_TEXT_CODEC[out.format.name])
    stream.codec_context.open(strict=False)
    written.codec_context.subtitle_header = stream.codec_context.subtitle_header
    written.codec_context.time_base = Fraction(1, 1000)
    written.time_base = stream.time_base
    return written


def _packets(video: Video, index: int) -> list[Any] | None:
    """All packets of a subtitle stream; None if they are too large."""
    import av

    found, size = [], 0
    with open_container(video.path) as container:
        try:
            for packet in container.demux(container.streams[index]):
                size += packet.size
                if size > MOST_BYTES:
                    return None
                if packet.size and packet.pts is not None:
                    found.append(packet)
        except av.FFmpegError:
            pass  # what comes after the damage cannot be reached
    return found


def _moved(packets: list[Any], stream: Any, written: Any, video: Video) -> Iterator[Any]:
    """The packets, text written anew where the codecs differ, counted from the first picture."""
    start = round(video.start_time / stream.time_base)
    end = round(video.duration / stream.time_base)
    last = -1
    for packet in packets:
        time = max(packet.pts - start, 0, last + 1)
        length = min(packet.duration or 0, end - time)
        if packet.pts - start + (packet.duration or 0) < 0 or time >= end:
            continue
        if written.codec_context.name != stream.codec_context.name:
            text = stream.decode2(packet)
            if text is None or not len(text):
                continue
            packet = written.codec_context.encode_subtitle(text)
        packet.pts, packet.dts, packet.duration = time, time, max(length, 0)
        packet.time_base, packet.stream = stream.time_base, written
        last = time
        yield packet
