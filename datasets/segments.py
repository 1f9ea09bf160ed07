"""Segments of a prepared data set: motion, visual features and music of the same few seconds.

D2M-GAN (Zhu et al., ECCV 2022, section 4.1) trains and tests on 2 s, cut one after the other: 120 frames of motion for
AIST++, 60 for TikTok, 44,100 samples of music at 22.05 kHz. Its ablation goes up to 6 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from d2m.datasets.prepared import Entry, Manifest, Place, find_music, read_entry, read_split
from d2m.errors import D2MError


@dataclass(frozen=True)
class Segment:
    """A few seconds of a dance.

    Attributes:
        name: name of the sequence.
        start: seconds from the sequence's first frame.
        motion: float32 (Tm, D).
        visual: float32 (V,), the mean over the segment, or None.
        waveform: float32 (T,) in -1..1, one channel, as loud as the source.
        genre: index into :data:`d2m.types.GENRES`, or -1 where it is unknown.
    """

    name: str
    start: float
    motion: np.ndarray
    visual: np.ndarray | None
    waveform: np.ndarray
    genre: int


class Segments:
    """The segments of one split, in the order of the split's list and of time.

    Nothing is kept in memory but where things lie, so that an instance may be handed to any number of worker
    processes.

    Args:
        folder: a prepared data set (:mod:`d2m.datasets.prepared`).
        split: ``"train"``, ``"val"`` or ``"test"``.
        seconds: length of a segment; a whole number of motion frames.
        stride: seconds from one segment's start to the next; None for ``seconds``.

    Attributes:
        names: the sequences that have a segment.
        genres: genres of each of them, as in :class:`Segment`.
        skipped: the sequences of the split that are shorter than one.
        kind, motion_fps, motion_size, visual_size, sample_rate: see :class:`~d2m.datasets.prepared.Manifest`.
        seconds, stride: as given.

    Raises:
        D2MError: if the folder is not whole, the lengths are impossible, or no sequence is long enough.
    """

    def __init__(self, folder: str | Path, split: str, *, seconds: float = 2.0, stride: float | None = None) -> None:
        self.folder = Path(folder)
        manifest = Manifest.read(folder)
        self.kind, self.sample_rate = manifest.kind, manifest.sample_rate
        self.motion_fps, self.motion_size = manifest.motion_fps, manifest.motion_size
        self.visual_size = manifest.visual_size
        self.seconds, self.stride = float(seconds), float(seconds if stride is None else stride)
        self._frames = _whole(self.seconds, self.motion_fps, "a segment")
        self._step = _whole(self.stride, self.motion_fps, "a stride")
        self._samples = round(self.seconds * self.sample_rate)
        self._entries: list[Entry] = []
        self._music: dict[str, Place] = {}
        skipped, counts = [], []
        names = read_split(folder, split)
        if not names:
            raise D2MError(f"the split '{split}' of {folder} is empty; prepare data that has one")
        for name in names:
            entry = read_entry(folder, name, manifest)
            if entry.music not in self._music:
                self._music[entry.music] = find_music(folder, entry.music)
            if count := self._count(entry):
                self._entries.append(entry)
                counts.append(count)
            else:
                skipped.append(name)
        self.names = tuple(entry.name for entry in self._entries)
        self.genres = tuple(entry.genre for entry in self._entries)
        self.skipped = tuple(skipped)
        self._ends = np.cumsum(counts, dtype=np.int64)
        if not counts:
            raise D2MError(f"no sequence of the split '{split}' in {folder} is {self.seconds:g} s long; choose shorter")

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Segment:
        """Return the segment of that number; negative ones count from the end.

        Raises:
            IndexError: beyond the last.
            D2MError: if a file has been changed since, or holds numbers that are not finite.
        """
        index = index + len(self) if index < 0 else index
        if not 0 <= index < len(self):
            raise IndexError(f"segment {index} of {len(self)}")
        place = int(np.searchsorted(self._ends, index, side="right"))
        entry = self._entries[place]
        frame = (index - (int(self._ends[place - 1]) if place else 0)) * self._step
        start = frame / self.motion_fps
        music = self._music[entry.music]
        # a segment's ends may both be rounded up
        sample = min(entry.offset + round(start * self.sample_rate), music.shape[0] - self._samples)
        waveform = music.rows(sample, self._samples)
        motion = entry.motion.rows(frame, self._frames)
        visual = self._visual(entry, start)
        if not (np.isfinite(motion).all() and (visual is None or np.isfinite(visual).all())):
            raise D2MError(f"{entry.motion.path} holds numbers that are not finite; prepare the data set again")
        return Segment(
            entry.name,
            start,
            motion,
            visual,
            waveform.astype(np.float32) / 32768,
            entry.genre,
        )

    def _count(self, entry: Entry) -> int:
        """How many whole segments there are of motion, music and picture alike."""
        samples = self._music[entry.music].shape[0] - entry.offset
        frames = min(entry.motion.shape[0], int(samples * self.motion_fps / self.sample_rate + 1e-6))
        if entry.visual is not None:
            frames = min(frames, round(entry.visual.shape[0] * entry.visual_seconds * self.motion_fps))
        return max(0, (frames - self._frames) // self._step + 1)

    def _visual(self, entry: Entry, start: float) -> np.ndarray | None:
        if entry.visual is None:
            return None
        first = int(start / entry.visual_seconds + 1e-6)
        last = min(int(np.ceil((start + self.seconds) / entry.visual_seconds - 1e-6)), entry.visual.shape[0])
        rows = entry.visual.rows(first, last - first).astype(np.float32)
        edges = np.arange(first, last + 1) * entry.visual_seconds
        shares = np.minimum(edges[1:], start + self.seconds) - np.maximum(edges[:-1], start)
        return (shares / shares.sum()).astype(np.float32) @ rows


def _whole(seconds: float, fps: float, what: str) -> int:
    frames = seconds * fps
    if not 0.1 <= seconds <= 600 or abs(frames - round(frames)) > 1e-6:
        raise D2MError(f"{what} of {seconds:g} s is not possible; choose whole frames at {fps:g} fps, 0.1 to 600 s")
    return round(frames)
