"""An item with all inputs of engines and metrics: the dance, its beats, the original music.

Engines get what a video contains: landmarks in the picture of one camera (AIST++: the first), and a beat grid estimated
from them. The evaluation uses joints in space where the data has them, estimated separately from all cameras; the
engines never get these. Prepared data contains only one motion, so there the evaluation is not independent of the
engines' input: a front view of SMPL's joints, or the keypoints themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from d2m.datasets.base import Item, Take
from d2m.errors import D2MError
from d2m.evaluation.alignment import JUDGES, aist_beats, kinematic_beats
from d2m.evaluation.alignment_report import Watched
from d2m.evaluation.recordings import SAMPLE_RATE, read, silent
from d2m.types import BeatGrid, Dance, Motion, Visual

from .items import data_set_of, has_music, picture_name

#: Seconds of picture to a row of features.
_SEEN = 2.0
#: Difference in length between music and dance in seconds above which the report has a note.
_SHORT = 0.1


@dataclass(frozen=True)
class Inputs:
    """Item with all inputs of engines and metrics.

    Attributes:
        item: the item.
        dance: input of the engines.
        keypoints: ``"body25"`` from the data, for engines that use it, or None.
        watched: motion beats for the evaluation of the music.
        judge: description of the joints that they were found from.
        music: float32 (T,), the original at 22,050 Hz, as long as the dance; None where there is none.
        true_beats: seconds of the beats that the music was written on, or None if they are unknown.
        notes: unusual properties of the item.
    """

    item: Item
    dance: Dance
    keypoints: Motion | None
    watched: Watched
    judge: str
    music: np.ndarray | None
    true_beats: np.ndarray | None
    notes: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """Samples at 22,050 Hz that the dance lasts."""
        return round(self.dance.duration * SAMPLE_RATE)

    @property
    def original(self) -> np.ndarray:
        """The original music.

        Raises:
            D2MError: if there is none.
        """
        if self.music is None:
            raise D2MError(f"{self.item.name}: this dance has no original music")
        return self.music


def read_inputs(item: Item, genre: str = "given", visual: Path | None = None) -> Inputs:
    """Read an item and estimate the beats of its dance.

    Args:
        item: which.
        genre: ``"given"`` takes the data's, as D2M-GAN is given it, where there is one; ``"auto"`` chooses one from the
            dance.
        visual: folder of visual features of the videos, or None.

    Raises:
        D2MError: if a file is missing, damaged, or cannot be used.
    """
    from d2m.features.beat_source import dance_rhythm
    from d2m.features.genre import choose_genre

    take = _prepared(item) if item.prepared else data_set_of(item).item_take(item)
    music = _music(item) if has_music(item) else None
    duration = take.motion.duration if music is None else min(take.motion.duration, len(music) / SAMPLE_RATE)
    if duration < 1.0:
        raise D2MError(f"{item.name}: {duration:.2f} s of dance and music are too short; at least 1 s is needed")
    notes: tuple[str, ...] = ()
    if duration < take.motion.duration - _SHORT:
        notes = (
            f"{duration:.2f} s of music for {take.motion.duration:.2f} s of dance: the rest of the dance is left out",
        )
    if music is not None:
        music = music[: round(duration * SAMPLE_RATE)]
        if silent(music):
            raise D2MError(f"{item.name}: the original music is silence")
    told = item.genre if genre == "given" else None
    motion = _cut(take.motion, duration)
    # From the movement alone: a system that uses the original music could not be compared with the others.
    rhythm = dance_rhythm(motion, duration, told)
    grid = replace(rhythm.grid, beats=rhythm.grid.beats + take.lag)
    chosen = told or choose_genre(grid, rhythm.energy, motion)
    dance = Dance(duration, motion, grid, rhythm.energy, rhythm.accents, chosen, _visual(item, take, duration, visual))
    judge = JUDGES[take.sight]
    beats = kinematic_beats(take.joints, take.fps, judge.smoothing)
    script = aist_beats(take.joints, take.fps) if take.sight == "space" else None
    smpl = take.smpl
    return Inputs(
        item,
        replace(dance, smpl=smpl),
        None if take.keypoints is None else _cut(take.keypoints, duration),
        Watched(duration, {take.sight: beats}, script),
        take.judge,
        music,
        _true_beats(item, duration),
        notes,
    )


def _prepared(item: Item) -> Take:
    from d2m.datasets.prepared import Manifest, read_sequence

    sequence = read_sequence(item.root, item.name, Manifest.read(item.root))
    take = data_set_of(item).take(sequence.motion, item.name)
    if sequence.visual is None:
        return take
    return replace(take, visual=(sequence.visual.astype(np.float32), sequence.visual_seconds))


def _music(item: Item) -> np.ndarray:
    """float32 (T,) at 22,050 Hz, from where the dance begins."""
    if item.prepared:
        from d2m.datasets.prepared import Manifest, find_music, read_entry

        entry = read_entry(item.root, item.name, Manifest.read(item.root))
        place = find_music(item.root, entry.music)
        return place.rows(entry.offset, place.shape[0] - entry.offset).astype(np.float32) / 32768
    from d2m.datasets.riff import check_whole

    data_set = data_set_of(item)
    path = data_set.item_music(item)
    check_whole(path)
    return read(path).mono()[data_set.music_offset(item) :]


def read_music(item: Item) -> np.ndarray:
    """Read the original music of an item.

    Args:
        item: the item.

    Returns:
        float32 (T,) at 22,050 Hz.

    Raises:
        D2MError: if it cannot be read.
    """
    return _music(item)


def _true_beats(item: Item, duration: float) -> np.ndarray | None:
    path = data_set_of(item).beats_file(item)
    if not path.is_file():
        return None
    from d2m.datasets.studio.music import read_beats

    beats = read_beats(path).beats
    return beats[beats < duration]


def _cut(motion: Motion, duration: float) -> Motion:
    frames = max(1, round(duration * motion.fps))
    return replace(motion, joints=motion.joints[:frames], confidence=motion.confidence[:frames])


def _visual(item: Item, take: Take, duration: float, folder: Path | None) -> Visual | None:
    """A row for each two seconds of the dance, as :func:`d2m.features.i3d.segments` cuts it."""
    rows = take.visual
    if folder is not None:
        from d2m.datasets.visuals import Visuals

        rows = Visuals(folder).read(picture_name(item))
    if rows is None:
        return None
    from d2m.features.i3d import segments

    features, seconds = rows
    edges = np.arange(len(features)) * seconds
    spans = segments(duration, _SEEN)
    shared = np.minimum(spans[:, 1:], edges + seconds) - np.maximum(spans[:, :1], edges)
    weights = np.maximum(shared, 0.0)
    weights[weights.sum(1) <= 0, -1] = 1.0
    return Visual((weights / weights.sum(1, keepdims=True) @ features).astype(np.float32), "i3d, from the data")


def steady(grid: BeatGrid) -> Mapping[str, Any]:
    """Return the values of a grid that the report contains.

    Args:
        grid: beats.
    """
    return {"tempo": round(float(grid.tempo), 2), "confidence": round(float(grid.confidence), 3)}
