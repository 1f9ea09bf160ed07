"""Paired examples for the generator: music, its score, and the dance to it, on the same frames.

An example on disk is one npz file: ``waveform`` int16 (T,), ``rows`` uint8 (P, F, ROWS), ``programs`` int64 (P,),
``motion`` float16 (F, MOTION_SIZE), ``rhythm`` float16 (F, RHYTHM_SIZE), ``genre`` int64 (-1 when unknown). Music
without a dancer has an empty ``motion``. Where a .flac file of the same name lies beside it, the music is there and
``waveform`` is empty.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.examples import read_example
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.generator.conditions import MOTION_SIZE, RHYTHM_SIZE, motion_rows, rhythm_rows
from d2m.generator.sketch import ROWS, sketch
from d2m.types import Dance, Score

_ARRAYS: dict[str, tuple[type[np.generic], int]] = {
    "waveform": (np.int16, 1), "rows": (np.uint8, 3), "programs": (np.int64, 1), "motion": (np.float16, 2),
    "rhythm": (np.float16, 2), "genre": (np.int64, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Pair:
    """One example in memory; see the module's docstring for its arrays.

    Attributes:
        music: file of the music, or the content of that file; None where ``waveform`` is the music.
    """

    waveform: np.ndarray
    rows: np.ndarray
    programs: np.ndarray
    motion: np.ndarray
    rhythm: np.ndarray
    genre: int
    music: Path | bytes | None = None

    @property
    def frames(self) -> int:
        return self.rows.shape[1]

    def sound(self, start: int, count: int) -> np.ndarray:
        """Read samples of the music.

        Args:
            start: first sample.
            count: number of samples.

        Returns:
            float32 (channels, count); one channel unless the music is in a file of its own.
        """
        if self.music is None:
            return self.waveform[None, start : start + count].astype(np.float32) / 32768
        import soundfile

        source = io.BytesIO(self.music) if isinstance(self.music, bytes) else self.music
        try:
            samples, _ = soundfile.read(
                source, frames=count, start=start, dtype="float32", always_2d=True, fill_value=0.0
            )
        except (OSError, ValueError, soundfile.SoundFileError) as error:
            name = "the music of an example" if isinstance(self.music, bytes) else self.music
            raise D2MError(f"{name} is damaged; make it again, or remove it") from error
        return np.ascontiguousarray(samples.T)


def make_pair(
    waveform: np.ndarray,
    score: Score,
    dance: Dance,
    genre: int,
    sample_rate: int,
    hop: int,
    *,
    keep: bool = True,
    patches: bool = False,
) -> Pair:
    """Return the example of a rendered score and the dance to it.

    Args:
        waveform: float32 (T,), the score as it sounds.
        score: what is played.
        dance: its grid and, unless None, the dancer's landmarks.
        genre: index, or -1.
        sample_rate, hop: parameters of the codec.
        patches: whether instruments are patches of the sound library (:func:`~d2m.generator.sketch.sketch`).
        keep: whether the example holds the music; otherwise it has to lie in a file beside it.
    """
    frames, rate = len(waveform) // hop, sample_rate / hop
    drawn = sketch(score, rate, 0.0, frames, patches=patches)
    motion = (
        motion_rows(dance.motion, rate, 0.0, frames)
        if dance.motion is not None
        else np.zeros((0, MOTION_SIZE), np.float32)
    )
    return Pair(
        np.round(np.clip(waveform[: frames * hop * keep], -1, 1) * 32767).astype(np.int16),
        np.round(drawn.rows * 127).astype(np.uint8),
        drawn.programs,
        motion.astype(np.float16),
        rhythm_rows(dance, rate, 0.0, frames).astype(np.float16),
        genre,
    )


def save_pair(pair: Pair, path: str | Path) -> None:
    """Write an example atomically.

    Args:
        pair: the example.
        path: the output file.
    """
    with atomic_write(path) as temporary:
        np.savez_compressed(temporary, **{name: getattr(pair, name) for name in _ARRAYS})


def load_pairs(paths: list[Path]) -> list[Pair]:
    """Read examples.

    Args:
        paths: the files.

    Raises:
        D2MError: if one is damaged, or its arrays do not fit each other.
    """
    musics = [path.with_suffix(".flac") for path in paths]
    return [
        read_pair(path, None, music if music.is_file() else None) for path, music in zip(paths, musics, strict=True)
    ]


def read_pair(path: str | Path, content: bytes | None = None, music: Path | bytes | None = None) -> Pair:
    """Read one example.

    Args:
        path: the npz file.
        content: its bytes, where they have been read already; the path then only names it.
        music: file of its music, or the content of that file, if it has one.

    Raises:
        D2MError: if it is damaged, or its arrays do not fit each other.
    """
    fields = read_example(path, content, **_ARRAYS)
    pair = Pair(
        waveform=fields["waveform"],
        rows=fields["rows"],
        programs=fields["programs"],
        motion=fields["motion"],
        rhythm=fields["rhythm"],
        genre=int(fields["genre"]),
        music=music,
    )
    parts, frames = pair.rows.shape[:2]
    fits = (
        parts == len(pair.programs)
        and pair.rows.shape[2] == ROWS
        and pair.rhythm.shape == (frames, RHYTHM_SIZE)
        and pair.motion.shape[1] == MOTION_SIZE
        and len(pair.motion) in (0, frames)
        and (pair.music is not None or len(pair.waveform) >= frames)
        and frames > 0
    )
    if not fits:
        raise D2MError(f"{path} is not a training example: its arrays do not fit each other; make it again")
    return pair


def crop(pair: Pair, start: int, frames: int, parts: int) -> dict[str, np.ndarray]:
    """Cut a range of frames out of an example.

    A part that is silent in the crop takes no place: it would only cost time.

    Args:
        pair: the example.
        start: first frame.
        frames: number of frames.
        parts: number of places for parts; unused ones have program -1.

    Returns:
        Arrays by name.
    """
    window = slice(start, start + frames)
    rows = pair.rows[:, window]
    sounding = np.flatnonzero(rows.any((1, 2)))[:parts]
    placed = np.zeros((parts, frames, ROWS), np.float32)
    placed[: len(sounding)] = rows[sounding] / np.float32(127)
    programs = np.full(parts, -1, np.int64)
    programs[: len(sounding)] = pair.programs[sounding]
    motion = pair.motion[window].astype(np.float32) if len(pair.motion) else np.zeros((frames, MOTION_SIZE), np.float32)
    return {"rows": placed, "programs": programs, "motion": motion, "rhythm": pair.rhythm[window].astype(np.float32)}
