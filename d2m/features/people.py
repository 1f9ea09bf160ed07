"""Who is who: detections of several people, frame by frame, joined into one track per person.

A detection is given to the track whose predicted pose and clothing it fits best (an optimal assignment per
frame). A track that was lost stays a candidate: the longer ago, the further away it may come back, as long
as the clothes match. Lengths are in the person's own height, so that it works for near and far alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: Shoulders and hips: the joints that a pose model gets wrong the least.
TORSO = (11, 12, 24, 23)
#: Shoulders, elbows, wrists, hips, knees, ankles and the nose: the shape of a pose.
BODY = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)

#: How far, in body heights, a person may be from where they are expected, at once and per second unseen.
REACH = 0.35
REACH_PER_SECOND = 1.0
LONGEST_REACH = 2.5
#: Distance of clothing colours (CIELAB / 100) at which two people are surely different.
OTHER_CLOTHES = 0.3
#: Two detections of one frame closer than this (body heights, median over joints) are the same person.
SAME_PERSON = 0.08


@dataclass(frozen=True)
class Person:
    """One person in one frame.

    Attributes:
        frame: index of the frame.
        joints: float32 (33, 3), picture heights.
        world: float32 (33, 3), metres, hips at the origin, y downwards.
        confidence: float32 (33,).
        colour: float32 (6,), CIELAB / 100 of the torso and of the thighs.
    """

    frame: int
    joints: np.ndarray
    world: np.ndarray
    confidence: np.ndarray
    colour: np.ndarray

    @property
    def height(self) -> float:
        """Picture heights, from the span of the body's joints."""
        body = self.joints[list(BODY), :2]
        return float(max(np.ptp(body[:, 1]), np.ptp(body[:, 0]), 1e-3))


@dataclass
class Track:
    """The detections of one person, in the order of time."""

    people: list[Person] = field(default_factory=list)
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    colour: np.ndarray = field(default_factory=lambda: np.zeros(6))

    @property
    def last(self) -> Person:
        return self.people[-1]

    def frames(self) -> np.ndarray:
        """int64 (n,), indices of the frames in which the person was seen."""
        return np.array([person.frame for person in self.people], dtype=np.int64)

    def add(self, person: Person, *, learn_colour: bool) -> None:
        """Append a detection; clothes are not learnt while people overlap, for they may be someone else's."""
        if self.people:
            gap = person.frame - self.last.frame
            moved = (_centre(person) - _centre(self.last)) / gap
            self.velocity = 0.6 * self.velocity + 0.4 * moved if gap <= 3 else np.zeros(2)
            if learn_colour:
                self.colour = 0.9 * self.colour + 0.1 * person.colour
        else:
            self.colour = person.colour.astype(np.float64)
        self.people.append(person)


class People:
    """Joins detections into tracks, one frame after another.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float):
        self.fps = fps
        self.tracks: list[Track] = []

    def add(self, found: list[Person]) -> None:
        """The people of the next frame (all with the same ``frame``)."""
        from scipy.optimize import linear_sum_assignment

        found = distinct(found)
        if not found:
            return
        cost = np.array([[self._cost(track, person) for person in found] for track in self.tracks])
        taken: dict[int, Track] = {}
        if len(self.tracks):
            rows, columns = linear_sum_assignment(np.minimum(cost, 10.0))
            taken = {int(j): self.tracks[i] for i, j in zip(rows, columns, strict=True) if cost[i, j] < 2.0}
        for j, person in enumerate(found):
            if j not in taken:
                taken[j] = Track()
                self.tracks.append(taken[j])
            near = any(_distance(person, other) < 0.5 for other in found if other is not person)
            taken[j].add(person, learn_colour=not near)

    def _cost(self, track: Track, person: Person) -> float:
        frames = person.frame - track.last.frame
        seconds = frames / self.fps
        expected = track.velocity * min(frames, 0.3 * self.fps)
        reach = min(REACH + REACH_PER_SECOND * seconds, LONGEST_REACH)
        far = _distance(track.last, person, shift=expected) / reach
        clothes = float(np.linalg.norm(track.colour - person.colour)) / OTHER_CLOTHES
        return far + clothes if far < 1.0 else np.inf


def distinct(found: list[Person]) -> list[Person]:
    """The detections without those that the model made twice for one person (the surer one stays)."""
    kept: list[Person] = []
    for person in sorted(found, key=lambda p: -float(p.confidence.mean())):
        if all(_distance(person, other) > SAME_PERSON for other in kept):
            kept.append(person)
    return kept


def dancer(tracks: list[Track], fps: float) -> list[Person]:
    """The detections of the person to follow, in the order of time.

    That is whoever is seen for longest, largest and moving most. Where they are out of the picture, or after
    a cut, other stretches with the same clothes are joined on; so are stretches in which nobody else was in
    the picture to be confused with.
    """
    if not tracks:
        return []
    chosen = max(tracks, key=lambda track: prominence(track, fps))
    people = {person.frame: person for person in chosen.people}
    crowd: dict[int, int] = {}
    for track in tracks:
        for person in track.people:
            crowd[person.frame] = crowd.get(person.frame, 0) + 1
    for track in sorted(tracks, key=lambda track: -prominence(track, fps)):
        frames = track.frames().tolist()
        if track is chosen or any(frame in people for frame in frames):
            continue
        alone = all(crowd[frame] == 1 for frame in frames)
        apart = float(np.linalg.norm(track.colour - chosen.colour))
        if apart < OTHER_CLOTHES * (1.0 if alone else 0.4):
            people.update({person.frame: person for person in track.people})
    return [people[frame] for frame in sorted(people)]


def prominence(track: Track, fps: float) -> float:
    """How much a track looks like the dancer: seconds seen, times height in the picture, times motion."""
    frames = track.frames()
    height = float(np.median([person.height for person in track.people]))
    sure = float(np.mean([person.confidence[list(BODY)].mean() for person in track.people]))
    motion = 0.0
    if len(frames) > 1:
        body = np.stack([person.joints[list(BODY), :2] for person in track.people])
        steps = np.linalg.norm(np.diff(body, axis=0), axis=-1).mean(axis=1) / np.diff(frames)
        motion = float(np.median(steps)) * fps / height
    return len(frames) / fps * height * sure * (0.15 + min(motion, 1.5))


def _centre(person: Person) -> np.ndarray:
    return person.joints[list(TORSO), :2].mean(axis=0)


def _distance(a: Person, b: Person, shift: np.ndarray | float = 0.0) -> float:
    """Median distance of the joints, in body heights; a whole body is compared, as torsos may overlap."""
    body = list(BODY)
    apart = np.linalg.norm(a.joints[body, :2] + shift - b.joints[body, :2], axis=1)
    return float(np.median(apart)) / max(a.height, b.height)
