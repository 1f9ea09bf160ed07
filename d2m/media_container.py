"""Opening a media file, finding its picture and how long it is, and decoding past damage.

The parts of PyAV that :mod:`d2m.media` and :mod:`d2m.media_write` share. Files are untrusted: nothing but the named
file is opened, and headers are checked against the file's size.
"""

from __future__ import annotations

from pathlib import Path

from d2m.errors import D2MError

# A playlist format makes FFmpeg open other files, which a clip has no business doing.
_PLAYLISTS = {"hls", "concat", "concatf", "dash", "sdp", "rtsp", "imf"}
# Formats whose header gives the length that was written, whatever has become of the file since.
_LENGTH_IN_HEADER = {"matroska", "webm", "flv"}
# Seconds that may be missing from that length before a file counts as cut off.
_SLACK = 0.5


def open_container(path: Path):
    """An opened PyAV container, or a D2MError that says what is wrong with the file."""
    import av

    try:
        if path.is_dir():
            raise D2MError(f"{path}: this is a folder; name a video file in it")
        if path.exists() and not path.is_file():
            raise D2MError(f"{path}: not a regular file; save the video to disk first")
        with open(path, "rb") as file:
            if not file.read(1):
                raise D2MError(f"{path}: the file is empty")
    except FileNotFoundError:
        raise D2MError(f"{path}: no such file") from None
    except PermissionError:
        raise D2MError(f"{path}: no permission to read this file") from None
    except (OSError, ValueError) as error:
        raise D2MError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    try:
        # The prefix keeps a name such as "take:2.mp4" from being taken for an address.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise D2MError(
            f"{path}: not a video that can be read, or cut off before its index ({reason.lower()}); "
            "check that it plays, or copy it again"
        ) from None
    names = set(container.format.name.split(","))
    if names & _PLAYLISTS:
        container.close()
        raise D2MError(f"{path}: this is a playlist, not a video; name the video itself")
    return container


def is_cover(stream) -> bool:
    """Whether a picture stream is only the cover of an album."""
    import av

    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def picture_stream(container, path: Path):
    """The stream to look at, or a D2MError."""
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise D2MError(f"{path}: this is a single picture; d2m needs a video")
    streams = [s for s in container.streams.video if not is_cover(s)]
    if not streams:
        kind = "has sound but no picture" if container.streams.audio else "has no picture"
        raise D2MError(f"{path}: this file {kind}; d2m needs a video of the dance")
    usable = [s for s in streams if s.codec_context is not None]
    if not usable:
        raise D2MError(f"{path}: its picture codec cannot be decoded here; convert it to H.264 first")
    return usable[0]


def extent(container, stream, path: Path) -> tuple[float, float, bool]:
    """(start s, duration s, whether the file ends before its index or header says) of a picture stream.

    The header is believed where it speaks of this very stream (mp4, mov); otherwise (mkv, webm) every packet
    is looked at, without decoding.
    """
    base = stream.time_base
    size = path.stat().st_size
    complete = all(entry.pos + entry.size <= size for entry in stream.index_entries)
    if complete and len(stream.index_entries) and stream.duration and stream.start_time is not None:
        return float(stream.start_time * base), float(stream.duration * base), False
    start, end, reach = _scan(path, stream.index)
    if container.duration and _LENGTH_IN_HEADER & set(container.format.name.split(",")):
        complete = complete and reach > container.duration / 1e6 - _SLACK
    if start is None:
        start, end = float((stream.start_time or 0) * base), float((stream.start_time or 0) * base)
    return start, end - start, not complete


def _scan(path: Path, index: int) -> tuple[float | None, float, float]:
    """First and last instant (seconds on the file's clock) of the pictures to be shown, and the last of all streams."""
    import av

    start, end, step, last, reach = None, 0.0, 0.0, None, 0.0
    with open_container(path) as container:
        stream = container.streams[index]
        try:
            for packet in container.demux():
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is None or packet.is_discard:
                    continue
                time = float(stamp * packet.time_base)
                length = float((packet.duration or 0) * packet.time_base)
                reach = max(reach, time + length)
                if packet.stream_index != index:
                    continue
                if last is not None and time > last:
                    step = time - last
                last = time
                start = time if start is None else min(start, time)
                end = max(end, time + length)
        except av.FFmpegError:
            pass  # what comes after the damage cannot be reached
        if start is not None and last is not None and end <= last:
            end = last + (step or 1 / float(stream.average_rate or 25))
    return start, end, max(reach, end)


def first_picture(container, stream):
    """The first picture that decodes, or None; the container is left somewhere behind it."""
    return next(iter(decode_all(container, stream, lambda: None)), None)


def decode_all(container, stream, on_damage):
    """Every frame that decodes; ``on_damage()`` is called for each one that does not."""
    import av

    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError:
            on_damage()
            return
        try:
            for frame in stream.decode(packet):
                if getattr(frame, "is_corrupt", False):
                    on_damage()
                else:
                    yield frame
        except av.error.EOFError:
            return
        except av.FFmpegError:
            on_damage()
