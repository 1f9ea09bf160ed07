"""Assign the people of all shots to lanes on one timeline, the most prominent dancer first.

A lane is the place of one dancer through the whole clip. In each shot the first lane contains the most prominent
person, of two similar ones the one who was in other shots (recognised by the clothes). While that person is out of the
picture, somebody else who is visible is used. Whenever another person or another shot begins in a lane, the lane has a
cut, and no movement is computed across it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from d2m.features.landmarks import fill_and_smooth
from d2m.features.people import MOST_PEOPLE, OTHER_CLOTHES, People, Person, Track, bridged, persons, prominence
from d2m.types import Motion

#: Minimum visible time in seconds of a further dancer, and of a replacement of the main dancer.
LEAST_SEEN, LEAST_STAND_IN = 1.0, 0.5
#: Share of the highest prominence in a shot at which the dancer of other shots is the main dancer.
AS_PROMINENT = 0.5


@dataclass
class Lane:
    """Place of one dancer through a clip.

    Attributes:
        people: detections by frame.
        cuts: rising frames at which another person or shot begins.
    """

    people: dict[int, Person]
    cuts: tuple[int, ...]

    def motion(self, frames: int, fps: float) -> tuple[Motion, np.ndarray]:
        """Return the landmarks over all frames, interpolated and smoothed between cuts.

        Args:
            frames: number of frames.
            fps: frames per second.

        Returns:
            Landmarks in the picture, and float32 (T, 33, 3) in metres.
        """
        joints = np.full((frames, 33, 3), np.nan, dtype=np.float32)
        world = np.full((frames, 33, 3), np.nan, dtype=np.float32)
        confidence = np.zeros((frames, 33), dtype=np.float32)
        for person in self.people.values():
            joints[person.frame], world[person.frame] = person.joints, person.world
            confidence[person.frame] = person.confidence
            if person.seen is not None:
                joints[person.frame, ~person.seen] = np.nan
        filled = []
        for first, last in pairwise([0, *self.cuts, frames]):
            shot = slice(first, last)
            places, sure = fill_and_smooth(joints[shot], confidence[shot], fps)
            filled.append((places, fill_and_smooth(world[shot], sure, fps)[0], sure))
        joints, world, confidence = (np.concatenate(arrays) for arrays in zip(*filled, strict=True))
        return Motion(joints, float(fps), "mediapipe33", confidence, self.cuts), world


def lanes(people: People, frames: int, skipped: set[int]) -> list[Lane]:
    """Assign everybody who is visible to lanes.

    Args:
        people: all tracks, by shot.
        frames: number of frames.
        skipped: frames in which not everybody was looked for.

    Returns:
        The first lane, if anybody was seen, then those of people who are seen for a second or longer.
    """
    fps = people.fps
    shots = [persons([bridged(track, skipped) for track in tracks], fps, MOST_PEOPLE) for tracks in people.shots]
    everybody = [person for found in shots for person in found]
    if not everybody:
        return []
    star = max(everybody, key=lambda person: prominence(person, fps))
    places: list[list[list[Track]]] = [[] for _ in range(MOST_PEOPLE)]
    colours: list[np.ndarray | None] = [None] * MOST_PEOPLE
    for start, end, found in zip(people.starts, [*people.starts[1:], frames], shots, strict=True):
        for lane, pieces in enumerate(_sorted(found, star, colours, fps, (start, end))):
            places[lane].append(pieces)
    made = [_joined(pieces) for pieces in places]
    return made[:1] + [lane for lane in made[1:] if len(lane.people) >= LEAST_SEEN * fps]


def _sorted(
    found: list[Track], star: Track, colours: list[np.ndarray | None], fps: float, shot: tuple[int, int]
) -> list[list[Track]]:
    """The stretches of people in each lane in one shot; ``colours``, of the last dancer of each, is kept up to date."""
    lanes_: list[list[Track]] = [[] for _ in range(MOST_PEOPLE)]
    if not found:
        return lanes_
    first = _first(found, star, fps)
    found = [first, *(person for person in found if person is not first)]
    lanes_[0], rest = _with_stand_ins(found, shot, fps)
    free = list(range(1, MOST_PEOPLE))
    for person in rest:
        same = [lane for lane in free if (colour := colours[lane]) is not None and _alike(person.colour, colour)]
        lane = (same or free)[0]
        free.remove(lane)
        lanes_[lane], colours[lane] = [person], person.colour
    return lanes_


def _first(found: list[Track], star: Track, fps: float) -> Track:
    most = prominence(found[0], fps)
    same = [person for person in found if _alike(person.colour, star.colour)]
    same = [person for person in same if person is star or prominence(person, fps) >= AS_PROMINENT * most]
    return same[0] if same else found[0]


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return float(np.linalg.norm(one - other)) < 0.4 * OTHER_CLOTHES


def _with_stand_ins(found: list[Track], shot: tuple[int, int], fps: float) -> tuple[list[Track], list[Track]]:
    """The stretches of the first lane: the first person's, and others' where that one is away; and the others' rest."""
    taken = {person.frame for person in found[0].people}
    stretches, rest = [found[0]], []
    for track in found[1:]:
        people = {person.frame: person for person in track.people}
        missing = [frame for frame in range(*shot) if frame not in taken]
        for run in _runs(missing):
            seen = [people[frame] for frame in run if frame in people]
            if len(seen) >= LEAST_STAND_IN * fps:
                stretches.append(Track(seen, track.velocity, track.colour))
                taken.update(person.frame for person in seen)
                people = {frame: person for frame, person in people.items() if frame not in taken}
        if people:
            rest.append(Track(list(people.values()), track.velocity, track.colour))
    return stretches, rest


def _runs(frames: list[int]) -> list[list[int]]:
    """Frames that follow each other, together."""
    edges = [0, *(i for i in range(1, len(frames)) if frames[i] != frames[i - 1] + 1), len(frames)]
    return [frames[first:last] for first, last in pairwise(edges)]


def _joined(shots: list[list[Track]]) -> Lane:
    """One lane of all shots, cut wherever another stretch begins."""
    owner: dict[int, tuple[int, int]] = {}
    people: dict[int, Person] = {}
    for shot, stretches in enumerate(shots):
        for number, stretch in enumerate(stretches):
            for person in stretch.people:
                people[person.frame], owner[person.frame] = person, (shot, number)
    seen = sorted(people)
    cuts = tuple(frame for before, frame in pairwise(seen) if owner[before] != owner[frame])
    return Lane(people, cuts)
