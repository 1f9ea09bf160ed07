"""Open media files, choose their streams and decode past damage.

Shared by everything that reads video and sound. Files are untrusted: nothing but the named file is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.media.order import DisplayOrder, counts_pictures

#: Seconds of picture or of sound above which a file is refused: a damaged or hostile header may claim any length.
LONGEST = 2 * 3600.0

# A playlist format makes FFmpeg open other files, which is not allowed.
_PLAYLISTS = {"hls", "concat", "concatf", "dash", "sdp", "rtsp", "imf"}
# Codecs of single pictures. Beside a larger stream such a stream is a preview.
_STILL_CODECS = {"mjpeg", "png", "bmp", "tiff", "webp", "jpeg2000", "gif"}


def open_container(path: Path, kind: str = "video") -> Any:
    """Open a media file.

    Args:
        path: the file.
        kind: "video" or "recording": what it should be, for messages.

    Returns:
        A PyAV input container.

    Raises:
        D2MError: if the file is missing, unreadable, empty, not a media file, or a playlist.
    """
    import av

    try:
        if path.is_dir():
            raise D2MError(f"{path}: this is a folder; name a {kind} file in it")
        if path.exists() and not path.is_file():
            raise D2MError(f"{path}: not a regular file; save the {kind} to disk first")
        with open(path, "rb") as file:
            begin = file.read(64)
        if not begin:
            raise D2MError(f"{path}: the file is empty")
        if begin[:4] == b"RIFF" and begin[8:12] == b"WEBP" and b"ANIM" in begin:
            raise D2MError(f"{path}: FFmpeg reads no animated WebP; convert it to .gif or .mp4 first")
    except FileNotFoundError:
        raise D2MError(f"{path}: no such file") from None
    except PermissionError:
        raise D2MError(f"{path}: no permission to read this file") from None
    except (OSError, ValueError) as error:
        raise D2MError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    try:
        # The prefix keeps a name such as "take:2.mp4" from being taken for an address.
        # Recordings of cameras as JPEGs in a row would be taken for a picture.
        form = "mjpeg" if path.suffix.lower() in (".mjpeg", ".mjpg") else None
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{path}", format=form, options=options, metadata_errors="replace")
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise D2MError(
            f"{path}: not a {kind} that can be read, or cut off before its index ({reason.lower()}); "
            "check that it plays, or copy it again"
        ) from None
    names = set(container.format.name.split(","))
    if names & _PLAYLISTS:
        container.close()
        raise D2MError(f"{path}: this is a playlist, not a {kind}; name the {kind} itself")
    return container


def is_still(stream: Any) -> bool:
    """Tell whether a picture stream is an attached picture or a row of thumbnails, not a video.

    Args:
        stream: a PyAV stream of pictures.
    """
    from av.stream import Disposition

    kinds = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    return bool(stream.disposition & kinds)


def picture_stream(container: Any, path: Path) -> Any:
    """Choose the picture stream of a container.

    Attached pictures and previews (a smaller stream in a codec of single pictures) are never taken. Of the others,
    the default one is taken, or the largest.

    Args:
        container: a PyAV input container.
        path: its file, for messages.

    Raises:
        D2MError: if there is none that can be decoded.
    """
    name = container.format.name
    if name.endswith("_pipe") or name == "image2":
        raise D2MError(f"{path}: this is a single picture; d2m needs a video")
    streams = [s for s in container.streams.video if not is_still(s)]
    if not streams:
        kind = "has sound but no picture" if container.streams.audio else "has no picture"
        raise D2MError(f"{path}: this file {kind}; d2m needs a video of the dance")
    usable = [s for s in streams if s.codec_context is not None]
    if not usable:
        raise D2MError(f"{path}: its picture codec cannot be decoded here; convert it to H.264 first")
    largest = max(_area(stream) for stream in usable)
    moving = [s for s in usable if s.codec_context.name not in _STILL_CODECS or _area(s) == largest]
    return max(moving, key=lambda stream: (_area(stream) > 0, _merit(stream), _area(stream), -stream.index))


def sound_stream(container: Any) -> Any | None:
    """Choose the sound stream of a container: the default one, or the one with most channels; None if there is none.

    Args:
        container: a PyAV input container.
    """
    usable = [s for s in container.streams.audio if s.codec_context is not None]
    return max(usable, key=lambda s: (_merit(s), s.codec_context.channels, -s.index), default=None)


def has_alpha_beside(stream: Any) -> bool:
    """Tell whether a VP8 or VP9 stream stores its transparency in a separate channel, as WebM does.

    Args:
        stream: a PyAV stream of pictures.
    """
    return any(name.lower() == "alpha_mode" and value == "1" for name, value in stream.metadata.items())


def _merit(stream: Any) -> int:
    """Points as FFmpeg's ``av_find_best_stream`` gives them: one for the default stream, one for the main content."""
    from av.stream import Disposition

    aside = Disposition.comment | Disposition.hearing_impaired | Disposition.visual_impaired
    aside |= Disposition.descriptions | Disposition.dependent
    return int(bool(stream.disposition & Disposition.default)) + int(not stream.disposition & aside)


def _area(stream: Any) -> int:
    return int(stream.codec_context.width * stream.codec_context.height)


def first_picture(container: Any, stream: Any) -> Any | None:
    """Decode the first picture that can be decoded. The container is left at a position behind it.

    Args:
        container: a PyAV input container.
        stream: its stream of pictures.

    Returns:
        The picture, or None.
    """
    return next(iter(decode_all(container, stream, lambda: None)), None)


def shown_at(frame: Any, stream: Any) -> float | None:
    """Return the start time of a decoded picture or sound on the clock of the file.

    Args:
        frame: a PyAV frame.
        stream: its stream.

    Returns:
        Seconds, or None if it has no time.
    """
    base = frame.time_base or stream.time_base
    return None if frame.pts is None or base is None else float(frame.pts * base)


def decode_all(
    container: Any, stream: Any, on_damage: Callable[[], None], order: DisplayOrder | None = None
) -> Iterator[Any]:
    """Decode a stream, its timestamps repaired (:func:`d2m.media.clock.packets`).

    Args:
        container: container from :func:`open_container`, at its beginning.
        stream: one of its streams.
        on_damage: called for each packet that cannot be decoded.
        order: told which picture is shown when, in files that do not say so.

    Yields:
        PyAV frames.
    """
    import av

    from d2m.media.clock import packets

    if order is None and counts_pictures(container, stream):
        order = DisplayOrder()
    for packet in packets(container, stream, on_damage):
        if order is not None:
            order.number(packet)
        try:
            for frame in stream.decode(packet):
                if order is not None:
                    order.place(frame)
                if getattr(frame, "is_corrupt", False):
                    on_damage()
                else:
                    yield frame
        except av.error.EOFError:
            return
        except av.FFmpegError:
            on_damage()
