"""Four-bar phrases for training: format on disk, and in memory as bits.

A folder made by :func:`d2m.datasets.phrases_make.prepare` holds ``train/*.npz``, ``held_out/*.npz`` and ``made.json``.
A shard has

    held, onsets   uint8 (N, bytes)   bits of bool (4, steps, pitches, 5), most significant first (numpy.packbits)
    song, bar      int32 (N,)         index into ``names``, and the phrase's first bar in it
    tempo          float32 (N,)       quarter notes a minute
    names          text (S,)          of the songs
    shape          int64 (4,)         bars, steps, pitches, tracks
    lowest         int64 ()           MIDI key of the first pitch
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.examples import DAMAGED
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write
from d2m.symbolic.pianoroll_tensor import RESOLUTIONS, Resolution, articulate
from d2m.symbolic.tracks import DRUMS
from d2m.types import TRACKS

SPLITS: tuple[str, ...] = ("train", "held_out")
BARS = 4
_MOST_BYTES = 4_000_000_000


@dataclass(frozen=True)
class PhraseSet:
    """Phrases as bits, with where they come from; arrays as in the module's table."""

    held: np.ndarray
    onsets: np.ndarray
    song: np.ndarray
    bar: np.ndarray
    tempo: np.ndarray
    names: tuple[str, ...]
    resolution: Resolution

    def __len__(self) -> int:
        return len(self.held)


def pack(tensors: np.ndarray) -> np.ndarray:
    """Pack phrases to bits.

    Args:
        tensors: bool (N, bars, steps, pitches, 5).

    Returns:
        uint8 (N, bytes).
    """
    return np.packbits(tensors.reshape(len(tensors), -1), axis=1)


def unpack(bits: np.ndarray, resolution: Resolution) -> np.ndarray:
    """Unpack bits to phrases.

    Args:
        bits: uint8 (N, bytes).
        resolution: resolution of the phrases.

    Returns:
        bool (N, 4, steps, pitches, 5).
    """
    shape = resolution.shape(BARS)
    flat = np.unpackbits(bits, axis=1, count=int(np.prod(shape)))
    return flat.view(bool).reshape(len(bits), *shape)


def save_phrases(path: str | Path, phrases: PhraseSet) -> None:
    """Write a shard atomically.

    Args:
        path: the file.
        phrases: its content.

    Raises:
        D2MError: if the file cannot be written.
    """
    with atomic_write(path) as part:
        np.savez_compressed(
            part, held=phrases.held, onsets=phrases.onsets, song=phrases.song.astype(np.int32),
            bar=phrases.bar.astype(np.int32), tempo=phrases.tempo.astype(np.float32),
            names=np.array(phrases.names or [""], dtype=np.str_),
            shape=np.array(phrases.resolution.shape(BARS)), lowest=np.array(phrases.resolution.lowest),
        )  # fmt: skip


def load_phrases(path: str | Path) -> PhraseSet:
    """Read a shard.

    Args:
        path: the file.

    Raises:
        D2MError: if the file is missing, damaged or of another kind.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise D2MError(f"{path} unpacks to more than {_MOST_BYTES // 1_000_000} MB; it is no shard of phrases")
        with np.load(path, allow_pickle=False) as data:
            resolution = _resolution(tuple(data["shape"].tolist()), int(data["lowest"]))
            names = tuple(str(name) for name in data["names"])
            found = PhraseSet(
                data["held"], data["onsets"], data["song"], data["bar"], data["tempo"], names, resolution
            )  # fmt: skip
    except D2MError:
        raise
    except DAMAGED as error:
        reason = " ".join(str(error).split())
        raise D2MError(f"cannot read the phrases {path} ({reason}); prepare them again") from None
    count = (int(np.prod(resolution.shape(BARS))) + 7) // 8
    for array, shape in ((found.held, (len(found), count)), (found.onsets, (len(found), count))):
        if array.dtype != np.uint8 or array.shape != shape:
            raise D2MError(f"{path} is damaged; prepare the phrases again")
    if not all(a.shape == (len(found),) for a in (found.song, found.bar, found.tempo)):
        raise D2MError(f"{path} is damaged; prepare the phrases again")
    return found


def _resolution(shape: tuple[int, ...], lowest: int) -> Resolution:
    for resolution in RESOLUTIONS.values():
        if resolution.shape(BARS) == shape and resolution.lowest == lowest:
            return resolution
    raise ValueError(f"phrases of shape {shape} from key {lowest} are at no known resolution")


class Phrases:
    """The phrases of one split, kept in memory as bits: 2.9 kB each at the compact resolution, 20 kB at the paper's.

    Args:
        folder: made by :func:`d2m.datasets.phrases_make.prepare`.
        split: ``"train"`` or ``"held_out"``.
        articulated: whether repeated notes are set off by a step of silence, as in LPD (see
            :func:`d2m.symbolic.pianoroll_tensor.articulate`); otherwise they melt together.
        sources: only shards whose names begin with one of these (``"pop909"``, ``"studio"``); None takes all.

    Attributes:
        resolution: resolution of the tensors.
        names: names of the songs.
        song, bar: int32 (N,): where each phrase comes from.
        tempo: float32 (N,), quarter notes a minute.

    Raises:
        D2MError: if there are no phrases, or they cannot be read.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        *,
        articulated: bool = True,
        sources: Sequence[str] | None = None,
    ):
        if split not in SPLITS:
            raise D2MError(f"unknown split '{split}'; choose {' or '.join(SPLITS)}")
        paths = sorted((Path(folder) / split).glob("*.npz"))
        paths = [p for p in paths if sources is None or p.name.startswith(tuple(sources))]
        if not paths:
            raise D2MError(f"no phrases in {Path(folder) / split}; make them with `d2m symbolic prepare`")
        bits, songs, bars, tempos = [], [], [], []
        names: list[str] = []
        resolutions: list[Resolution] = []
        for path in paths:
            shard = load_phrases(path)
            if resolutions and shard.resolution != resolutions[0]:
                raise D2MError(f"{path} is at another resolution than the shards before it; keep them apart")
            resolutions.append(shard.resolution)
            bits.append(articulated_bits(shard) if articulated else shard.held)
            songs.append(shard.song + len(names))
            bars.append(shard.bar)
            tempos.append(shard.tempo)
            names += shard.names
        self._bits = np.concatenate(bits)
        self.song, self.bar, self.tempo = (np.concatenate(parts) for parts in (songs, bars, tempos))
        self.resolution = resolutions[0]
        self.names = tuple(names)
        self._room: np.ndarray | None = None
        if not len(self._bits):
            raise D2MError(f"the shards in {Path(folder) / split} hold no phrases; prepare more music")

    def __len__(self) -> int:
        return len(self._bits)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Return bool (4, steps, pitches, 5) of one phrase, (N, 4, ...) of several."""
        rows = self._bits[index]
        tensors = unpack(np.atleast_2d(rows), self.resolution)
        return tensors[0] if rows.ndim == 1 else tensors

    def batch(self, rng: np.random.Generator, count: int, transpose: bool | int = False) -> np.ndarray:
        """Draw phrases.

        Args:
            rng: draws phrases and transpositions.
            count: how many, with repetition.
            transpose: True moves each phrase by -5 to 6 semitones, a number by at most as many up or down; the drums
                stay, and no phrase is moved so far that a note would be lost.

        Returns:
            float32 (count, 4, steps, pitches, 5), 0 or 1.
        """
        chosen = rng.integers(0, len(self), count)
        tensors = self[chosen]
        if transpose is not False:
            low, high = (-5, 6) if transpose is True else (-int(transpose), int(transpose))
            room = self._rooms()[chosen]
            shifts = rng.integers(np.maximum(low, -room[:, 0]), np.minimum(high, room[:, 1]) + 1)
            tensors = shifted(tensors, shifts)
        return tensors.astype(np.float32)

    def _rooms(self) -> np.ndarray:
        """int64 (N, 2): semitones that each phrase may be moved down and up; counted once."""
        if self._room is None:
            room = np.zeros((len(self), 2), dtype=np.int64)
            for start in range(0, len(self), 256):
                used = np.any(self[start : start + 256][..., DRUMS + 1 :], axis=(1, 2, 4))
                room[start : start + len(used), 0] = used.argmax(axis=1)
                room[start : start + len(used), 1] = used[:, ::-1].argmax(axis=1)
            self._room = room
        return self._room


def shifted(tensors: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Transpose phrases except their drums; notes that leave the range are lost.

    Args:
        tensors: (N, bars, steps, pitches, 5).
        shifts: semitones (N,).
    """
    out = np.zeros_like(tensors)
    out[..., DRUMS] = tensors[..., DRUMS]
    pitches, rest = tensors.shape[3], slice(DRUMS + 1, len(TRACKS))
    for shift in np.unique(shifts):
        rows = np.flatnonzero(shifts == shift)
        to = slice(max(shift, 0), pitches + min(shift, 0))
        origin = slice(max(-shift, 0), pitches + min(-shift, 0))
        block = out[rows]
        block[:, :, :, to, rest] = tensors[rows][:, :, :, origin, rest]
        out[rows] = block
    return out


def articulated_bits(shard: PhraseSet) -> np.ndarray:
    """Return the shard's ``held`` bits with gaps before repeated notes.

    Args:
        shard: the phrases.

    Returns:
        uint8 (N, bytes).
    """
    resolution, parts = shard.resolution, [np.zeros((0, shard.held.shape[1]), np.uint8)]
    for start in range(0, len(shard), 256):
        held, onsets = (unpack(a[start : start + 256], resolution) for a in (shard.held, shard.onsets))
        flat = (len(held), BARS * resolution.steps, resolution.pitches, len(TRACKS))
        parts.append(pack(articulate(held.reshape(flat), onsets.reshape(flat), not resolution.strikes_only)))
    return np.concatenate(parts)
