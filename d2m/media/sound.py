"""Read the sound of a file, resampled and on the clock of its picture."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.media.clock import extent
from d2m.media.container import (
    LONGEST,
    decode_all,
    first_picture,
    is_still,
    open_container,
    picture_stream,
    shown_at,
    sound_stream,
)

# Seconds without sound that are filled with silence; below it timestamps are rounded.
_GAP = 0.02
#: A pause of so many seconds comes from a broken clock and is left out.
_MOST_SILENCE = 600.0
# Seconds of padding that an encoder adds at the end at most; a header that ends earlier than that is wrong.
_PADDING = 0.2


def read_audio(path: str | os.PathLike[str], sample_rate: int, mono: bool = True) -> np.ndarray:
    """Return the sound of an audio or video file, resampled.

    Sample 0 is the instant of the first picture (of the first sound where there is no picture), so that times
    in the sound and times of :meth:`Video.frames` mean the same. Gaps are filled with silence.

    Args:
        path: the file.
        sample_rate: hertz of the result.
        mono: mix to one channel; otherwise the file's own channels, at most two.

    Returns:
        float32 (channels, samples).

    Raises:
        D2MError: if the file is missing, unreadable, has no sound that can be decoded, or more than two hours of it.
    """
    path = Path(path)
    origin = _first_picture_time(path)
    with open_container(path, "recording") as container:
        stream = sound_stream(container)
        if stream is None:
            raise D2MError(f"{path}: this file has no sound")
        blocks, samples = [], 0
        for block in _sound_blocks(container, stream, sample_rate, origin):
            samples += block.shape[1]
            if samples > LONGEST * sample_rate:
                raise D2MError(f"{path}: more than {LONGEST / 3600:g} hours of sound; cut it into shorter files")
            blocks.append(block)
        if not blocks:
            raise D2MError(f"{path}: no sound in this file can be decoded; it is damaged, use another copy")
        length = _announced(stream, origin, sample_rate)
    if length is None or not 0 <= samples - length <= _PADDING * sample_rate:
        length = samples
    channels = max(len(block) for block in blocks)
    sound = np.concatenate([np.broadcast_to(block, (channels, block.shape[1])) for block in blocks], axis=1)
    sound = sound[:, : max(1, length)]
    return sound.mean(axis=0, keepdims=True) if mono else sound


def _first_picture_time(path: Path) -> float | None:
    """Seconds on the file's clock at which its first picture is shown; None for sound alone."""
    with open_container(path, "recording") as container:
        if all(is_still(stream) for stream in container.streams.video):
            return None
        stream = picture_stream(container, path)
        first = first_picture(container, stream)
        if first is None:
            return None
        return extent(container, stream, path, first.pts)[0]


def _announced(stream: Any, origin: float | None, sample_rate: int) -> int | None:
    """Samples after which the sound ends according to the header: the encoder has filled its last frame up."""
    if stream.duration is None or stream.start_time is None:
        return None
    end = float((stream.start_time + stream.duration) * stream.time_base)
    begin = float(stream.start_time * stream.time_base) if origin is None else origin
    return round((end - begin) * sample_rate)


def _sound_blocks(container: Any, stream: Any, sample_rate: int, origin: float | None) -> Iterator[np.ndarray]:
    """Decode sound from an instant on, gaps filled with silence.

    Args:
        container, stream: the opened file and its sound stream.
        sample_rate: hertz of the result.
        origin: seconds on the file's clock; None for the first sound.

    Yields:
        float32 (1 or 2 channels, n); the number of channels may change.
    """
    end: float | None = None  # time in the file up to which sound has been handed to the resampler
    skip = 0
    converter = _Converter(sample_rate)
    for sound in decode_all(container, stream, lambda: None):
        stamp = shown_at(sound, stream)
        if end is None:
            time = (origin or 0.0) if stamp is None else stamp
            lead = 0 if origin is None else round((time - origin) * sample_rate)
            skip = max(0, -lead)
            if 0 < lead < _MOST_SILENCE * sample_rate:
                yield np.zeros((1, lead), np.float32)
        else:
            time = end if stamp is None else max(stamp, end)
            if _GAP < time - end < _MOST_SILENCE:
                yield np.zeros((1, round((time - end) * sample_rate)), np.float32)
        end = time + sound.samples / sound.sample_rate
        for block in converter(sound):
            block, skip = _after(block, skip)
            yield block
    for block in converter(None):
        block, skip = _after(block, skip)
        yield block


class _Converter:
    """Resamples decoded sound whose rate, layout and sample format may change at any frame."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._form: tuple[int, str, str] | None = None
        self._resampler: Any = None

    def __call__(self, sound: Any | None) -> Iterator[np.ndarray]:
        """Convert one frame, or at the end (None) what is left; yields float32 (1 or 2 channels, n)."""
        import av

        form = None if sound is None else (sound.sample_rate, sound.layout.name, sound.format.name)
        if form != self._form:
            if self._resampler is not None:
                yield from (piece.to_ndarray() for piece in self._resampler.resample(None))
            layout = "mono" if sound is not None and sound.layout.nb_channels == 1 else "stereo"
            self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=self._rate)
            self._form = form
        if sound is not None:
            sound.pts = None
            yield from (piece.to_ndarray() for piece in self._resampler.resample(sound))


def _after(block: np.ndarray, skip: int) -> tuple[np.ndarray, int]:
    """The block without its first ``skip`` samples, and how many are left to skip."""
    used = min(skip, block.shape[1])
    return block[:, used:].astype(np.float32, copy=False), skip - used
