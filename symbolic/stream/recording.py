"""Record a stream to a .wav file, block by block."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.symbolic.sound.player import RATE, Player
from d2m.symbolic.stream.programme import Programme
from d2m.symbolic.stream.sections import Shown

#: Seconds that are played at a time, and over which the end fades.
_BLOCK, FADE = 4.0, 4.0
_FRAME = 4
#: Bytes of sound above which a file is RF64 (EBU Tech 3306), which counts in 64 bits.
_MOST_PLAIN = 2**32 - 1 - 64


def record(
    programme: Programme,
    player: Player,
    minutes: float,
    out: Path,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Shown]:
    """Write the programme's first minutes: 16-bit stereo at 44.1 kHz, faded out over the last four seconds.

    Memory does not grow with the length. Over 4 GB (6.8 hours) the file is an RF64, which common players and editors
    read.

    Args:
        programme: the programme.
        player: plays it.
        minutes: length of the file.
        out: the output file.
        progress: called with the share that is done.

    Returns:
        The sections that were played, as :meth:`~d2m.symbolic.stream.sections.Section.to_json`.

    Raises:
        D2MError: if the file cannot be written or there is no space for it.
    """
    total = int(round(minutes * 60 * RATE))
    check_space(out, total)
    played: list[Shown] = []
    with atomic_write(out) as temporary, temporary.open("wb") as file:
        file.write(header(total))
        done = 0
        while done < total:
            count = min(int(_BLOCK * RATE), total - done)
            played += prepare(programme, player.mixed + count + player.delay)
            sound = player.read(count)
            sound = sound * fade(done, count, total)
            file.write(pcm(sound))
            done += count
            programme.forget(done - 40 * RATE)
            progress(done / total)
    return [entry for entry in played if entry["start"] < total / RATE]


def prepare(programme: Programme, sample: int) -> list[Shown]:
    """Extend a programme up to a sample.

    Args:
        programme: the programme.
        sample: the sample.

    Returns:
        The sections that this closed.
    """
    closed: list[Shown] = []
    while programme.last.start < sample:
        before = programme.last
        programme.extend()
        closed += [before.to_json(), programme.sections[-2].to_json()]
    return closed


def outline(programme: Programme, minutes: float) -> list[Shown]:
    """List the sections of the first minutes, without playing them.

    Args:
        programme: the programme.
        minutes: length.
    """
    total = int(round(minutes * 60 * RATE))
    closed: list[Shown] = []
    while programme.last.start < total:
        closed += prepare(programme, programme.last.start + 1)
        programme.forget(programme.last.start - 1)
    return [entry for entry in closed if entry["start"] < total / RATE]


def pcm(sound: np.ndarray) -> bytes:
    """Convert sound to 16-bit frames, little-endian.

    Args:
        sound: float32 (2, n).
    """
    return np.round(np.clip(sound, -1.0, 1.0).T * 32767).astype("<i2").tobytes()


def fade(done: int, count: int, total: int) -> np.ndarray:
    """Compute the fade at the end of a file.

    Args:
        done: samples before this block.
        count: samples of this block.
        total: samples of the file.

    Returns:
        float32 (count,), gains.
    """
    left = (total - np.arange(done, done + count)) / (FADE * RATE)
    return (0.5 - 0.5 * np.cos(np.pi * np.clip(left, 0.0, 1.0))).astype(np.float32)


def check_space(out: Path, total: int) -> None:
    """Check that a file fits on the disk.

    Args:
        out: the output file.
        total: its number of frames.

    Raises:
        D2MError: if it does not fit.
    """
    folder = next((place for place in out.absolute().parents if place.is_dir()), Path("/"))
    free = shutil.disk_usage(folder).free
    if total * _FRAME > free:
        raise D2MError(
            f"{out} would need {total * _FRAME / 1e9:.1f} GB and there are {free / 1e9:.1f} GB; ask for fewer --minutes"
        )


def header(total: int) -> bytes:
    """Encode the header of a .wav file.

    Args:
        total: number of frames.
    """
    size = total * _FRAME
    form = b"fmt " + (16).to_bytes(4, "little") + (1).to_bytes(2, "little") + (2).to_bytes(2, "little")
    form += RATE.to_bytes(4, "little") + (RATE * _FRAME).to_bytes(4, "little")
    form += _FRAME.to_bytes(2, "little") + (16).to_bytes(2, "little")
    if size <= _MOST_PLAIN:
        return b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVE" + form + b"data" + size.to_bytes(4, "little")
    unknown = b"\xff" * 4
    sizes = b"ds64" + (28).to_bytes(4, "little") + (36 + 36 + size).to_bytes(8, "little")
    sizes += size.to_bytes(8, "little") + total.to_bytes(8, "little") + bytes(4)
    return b"RF64" + unknown + b"WAVE" + sizes + form + b"data" + unknown
