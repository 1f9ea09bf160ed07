"""Recordings to be measured: read any file with sound, pair files by name, measure many of them.

A file that cannot be measured neither stops the others nor counts silently: it is returned as a :class:`Failure` with
one line that gives the reason.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from d2m.errors import D2MError
from d2m.parallel import Parallel, each

#: Sample rate of every measurement, hertz; that of the published scripts.
SAMPLE_RATE = 22050
#: Names that end like this are looked at in a folder: sound, and video with sound in it.
SOUND = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aif", ".aiff")
VIDEO = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v")
#: Shortest and longest sound that is measured, seconds. One window of the onset detector has 0.093 s; half an hour of
#: stereo takes about 2.2 GB of memory.
SHORTEST, LONGEST = 0.1, 1800.0
#: Sound that never reaches this amplitude, -60 dBFS, is silence.
SILENCE = 1e-3
#: Sample rates that a file can have, hertz, and libsndfile's names of samples that need no decoder.
_RATES = (1000, 768000)
_UNCOMPRESSED = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@dataclass(frozen=True)
class Recording:
    """The sound of a file.

    Attributes:
        path: the file.
        waveform: float32 (channels, samples), finite.
        sample_rate: hertz, the file's own.
    """

    path: Path
    waveform: np.ndarray
    sample_rate: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.waveform.shape[1] / self.sample_rate

    @property
    def silent(self) -> bool:
        """Whether no channel moves further than -60 dBFS from its mean: a constant is no sound."""
        return silent(self.waveform)

    def mono(self, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
        """Average the channels and resample as librosa does (soxr, high quality).

        Args:
            sample_rate: hertz.

        Returns:
            float32 (samples,).
        """
        mixed = self.waveform[0] if len(self.waveform) == 1 else self.waveform.mean(axis=0)
        if self.sample_rate == sample_rate:
            return mixed
        import soxr

        return soxr.resample(mixed, self.sample_rate, sample_rate, quality="HQ").astype(np.float32)


@dataclass(frozen=True)
class Failure:
    """Recording that could not be measured: its name, and the reason in one line."""

    name: str
    error: str


@dataclass(frozen=True)
class Pairs:
    """Files that belong together.

    Attributes:
        pairs: (name, reference, generated), by name.
        unpaired_reference, unpaired_generated: files without a partner.
    """

    pairs: tuple[tuple[str, Path, Path], ...]
    unpaired_reference: tuple[Path, ...] = field(default=())
    unpaired_generated: tuple[Path, ...] = field(default=())


def silent(waveform: np.ndarray) -> bool:
    """Tell whether samples stay within -60 dBFS of the middle between each channel's extremes.

    Args:
        waveform: (..., samples).
    """
    return float((waveform.max(axis=-1) - waveform.min(axis=-1)).max()) < 2 * SILENCE


def read(path: str | os.PathLike[str]) -> Recording:
    """Read the sound of an audio or video file at its own rate, one or two channels.

    Args:
        path: the file.

    Raises:
        D2MError: if there is none, it cannot be decoded, holds values that are not numbers, or lasts less than 0.1 s or
            more than half an hour.
    """
    path = Path(path)
    waveform, rate = _plain_wav(path) or _decoded(path)
    # A header may be silent about the length.
    if waveform.shape[1] > LONGEST * rate:
        raise D2MError(f"{path}: more than {LONGEST / 60:.0f} minutes of sound; cut it")
    if waveform.shape[1] < SHORTEST * rate:
        count = waveform.shape[1]
        raise D2MError(
            f"{path}: {count} sample{'s' if count > 1 else ''} ({count / rate:.3f} s) of sound are too short to be "
            f"measured; at least {SHORTEST} s are needed"
        )
    if not np.isfinite(waveform).all():
        raise D2MError(f"{path}: the sound holds values that are not numbers (NaN or infinite); write the file again")
    return Recording(path, waveform, rate)


def _plain_wav(path: Path) -> tuple[np.ndarray, int] | None:
    """Samples float32 (channels, samples) and rate of an uncompressed wav file of one or two channels; None for any
    other. Finding out what else a file might be costs FFmpeg more time than all measurements of a short clip."""
    import soundfile

    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            if file.read(4) != b"RIFF":
                return None
        with soundfile.SoundFile(path) as sound:
            short = 0 < sound.frames <= LONGEST * sound.samplerate
            plain = sound.format in ("WAV", "WAVEX") and sound.subtype in _UNCOMPRESSED and sound.channels <= 2
            if not (plain and short and _RATES[0] <= sound.samplerate <= _RATES[1]):
                return None
            return np.ascontiguousarray(sound.read(dtype="float32", always_2d=True).T), int(sound.samplerate)
    except (OSError, ValueError, soundfile.SoundFileError):
        # The error comes from the decoder that accepts every format.
        return None


def _decoded(path: Path) -> tuple[np.ndarray, int]:
    """Samples float32 (channels, samples) and rate of any file with sound.

    Raises:
        D2MError: as :func:`read`.
    """
    from d2m.media import read_audio

    try:
        rate, seconds = _header(path)
    except D2MError as error:
        # The messages of d2m.media are about videos.
        raise D2MError(str(error).replace("not a video that", "neither sound nor a video that")) from None
    if seconds > LONGEST:
        raise D2MError(f"{path}: {seconds / 60:.0f} minutes of sound; cut it to {LONGEST / 60:.0f} minutes or less")
    return read_audio(path, rate, mono=False), rate


def _header(path: Path) -> tuple[int, float]:
    """Sample rate in hertz and length in seconds (0 where unknown) that a file's header gives."""
    from d2m.media.container import open_container, sound_stream

    with open_container(path) as container:
        stream = sound_stream(container)
        if stream is None:
            raise D2MError(f"{path}: this file has no sound")
        rate = int(stream.codec_context.sample_rate or 0)
        if not _RATES[0] <= rate <= _RATES[1]:
            raise D2MError(f"{path}: a sample rate of {rate} Hz cannot be right; convert the file to wav first")
        length = float(stream.duration * stream.time_base) if stream.duration is not None else 0.0
    return rate, length


def stem(path: Path) -> str:
    """Return the name by which a file is paired: without its suffix and ``.d2m``.

    Args:
        path: the file.
    """
    name = path.stem
    return name[:-4] if name.lower().endswith(".d2m") and len(name) > 4 else name


def find(place: str | os.PathLike[str]) -> dict[str, Path]:
    """Find the files with sound in a folder; a single file is returned itself.

    Where a folder holds a sound file and a video of the same name, the sound file counts.

    Args:
        place: file or folder.

    Returns:
        Files by name, sorted.

    Raises:
        D2MError: if there is no such place, it holds nothing, or two files of one kind share a name.
    """
    place = Path(place)
    if not place.exists():
        raise D2MError(f"{place}: no such file or folder")
    if not place.is_dir():
        return {stem(place): place}
    found: dict[str, Path] = {}
    for suffixes in (SOUND, VIDEO):
        kind: dict[str, Path] = {}
        for path in sorted(place.iterdir()):
            if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file():
                if stem(path) in kind:
                    raise D2MError(f"{place}: {kind[stem(path)].name} and {path.name} share a name; keep one of them")
                kind[stem(path)] = path
        found = {**kind, **found}
    if not found:
        raise D2MError(f"{place}: no sound files in this folder; expected {', '.join(SOUND + VIDEO)}")
    return dict(sorted(found.items()))


def pair(reference: str | os.PathLike[str], generated: str | os.PathLike[str]) -> Pairs:
    """Pair files of two folders by name; two single files are always a pair.

    Args:
        reference, generated: files or folders.

    Raises:
        D2MError: as :func:`find`, or if nothing pairs.
    """
    first, second = find(reference), find(generated)
    if not Path(reference).is_dir() and not Path(generated).is_dir():
        (name, path), *_ = first.items()
        return Pairs(((name, path, next(iter(second.values()))),))
    pairs = tuple((name, first[name], second[name]) for name in first if name in second)
    if not pairs:
        raise D2MError(
            f"nothing to compare: no file in {reference} has the name of one in {generated} "
            f"(such as {next(iter(first.values())).name} and {next(iter(second.values())).name})"
        )
    return Pairs(
        pairs,
        tuple(path for name, path in first.items() if name not in second),
        tuple(path for name, path in second.items() if name not in first),
    )


def measure(
    function: Callable[..., Any],
    jobs: Sequence[tuple[str, tuple[Any, ...]]],
    processes: Parallel = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[list[tuple[str, Any]], list[Failure]]:
    """Call a function for many recordings; one that cannot be measured does not stop the rest.

    Args:
        function: function of a module, so that other processes find it.
        jobs: name and arguments of each call.
        processes: number of local processes, or an executor.
        progress: called with the number of jobs done.

    Returns:
        (name, result) of those that worked and those that did not, both in the order of ``jobs``.

    Raises:
        D2MError: if a process dies.
    """
    outcomes: dict[int, Any] = {}
    numbered = [(function, index, arguments) for index, (_, arguments) in enumerate(jobs)]
    for done, (index, outcome) in enumerate(each(_attempt, numbered, processes), start=1):
        outcomes[index] = outcome
        if progress is not None:
            progress(done)
    good, bad = [], []
    for index, (name, _) in enumerate(jobs):
        if isinstance(outcomes[index], Failure):
            bad.append(Failure(name, outcomes[index].error))
        else:
            good.append((name, outcomes[index]))
    return good, bad


def _attempt(function: Callable[..., Any], index: int, arguments: tuple[Any, ...]) -> tuple[int, Any]:
    """The index, and the function's result or a Failure (its name is filled in by the caller)."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return index, function(*arguments)
    except D2MError as error:
        return index, Failure("", str(error))
    except (ValueError, MemoryError, OSError) as error:
        return index, Failure("", f"{type(error).__name__}: {error}")
