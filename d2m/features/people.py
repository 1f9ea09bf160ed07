"""Tracking of several people: assign the detections of each frame to one track per person.

A detection is assigned to the track whose predicted pose and clothing it fits best (an optimal assignment per frame). A
track that was lost remains a candidate: the longer ago, the further away it may reappear, if the clothes match. Lengths
are relative to the person's height, so that the same thresholds apply to near and far people.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

#: Shoulders and hips: the joints that a pose model gets wrong the least.
TORSO = (11, 12, 24, 23)
#: Shoulders, elbows, wrists, hips, knees, ankles and the nose: the shape of a pose.
BODY = (0, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)

#: People lower than this (picture heights) are background.
SMALLEST = 0.15
#: Maximum number of people.
MOST_PEOPLE = 5
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
        seen: bool (33,), landmarks that the model saw; the others are filled in from other frames. None for all.
    """

    frame: int
    joints: np.ndarray
    world: np.ndarray
    confidence: np.ndarray
    colour: np.ndarray
    seen: np.ndarray | None = None

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
        """Return int64 (n,), indices of the frames in which the person is visible."""
        return np.array([person.frame for person in self.people], dtype=np.int64)

    def add(self, person: Person, *, learn_colour: bool) -> None:
        """Append a detection. The colour of the clothes is not updated while people overlap.

        Args:
            person: the detection.
            learn_colour: update the colour of the clothes.
        """
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
    """Assignment of detections to tracks, frame by frame.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float):
        self.fps = fps
        #: Tracks of the current shot, and of all shots; numbers of the first frames of shots.
        self.tracks: list[Track] = []
        self.shots: list[list[Track]] = [self.tracks]
        self.starts: list[int] = [0]

    def cut(self, frame: int) -> None:
        """Begin a new shot, in which nobody's position is known.

        Args:
            frame: its first frame.
        """
        self.tracks = []
        self.shots.append(self.tracks)
        self.starts.append(frame)

    def add(self, found: list[Person]) -> None:
        """Add the detections of the next frame.

        Args:
            found: detections with the same ``frame``.
        """
        found = distinct(found)
        if not found:
            return
        cost = np.array([[self._cost(track, person) for person in found] for track in self.tracks])
        taken: dict[int, Track] = {}
        if len(self.tracks):
            pairs = _assigned(np.minimum(cost, 10.0))
            taken = {j: self.tracks[i] for i, j in pairs if cost[i, j] < 2.0}
        for j, person in enumerate(found):
            if j not in taken:
                taken[j] = Track()
                self.tracks.append(taken[j])
            near = any(apart(person, other) < 0.5 for other in found if other is not person)
            taken[j].add(person, learn_colour=not near)

    def _cost(self, track: Track, person: Person) -> float:
        frames = person.frame - track.last.frame
        seconds = frames / self.fps
        expected = track.velocity * min(frames, 0.3 * self.fps)
        reach = min(REACH + REACH_PER_SECOND * seconds, LONGEST_REACH)
        far = apart(track.last, person, shift=expected) / reach
        clothes = float(np.linalg.norm(track.colour - person.colour)) / OTHER_CLOTHES
        return far + clothes if far < 1.0 else np.inf


def _assigned(cost: np.ndarray) -> list[tuple[int, int]]:
    """The pairs (row, column) of least total cost."""
    if cost.shape[1] == 1:
        # One person, as in most clips: no need to load SciPy's optimisation.
        return [(int(np.argmin(cost[:, 0])), 0)]
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True)]


def distinct(found: list[Person]) -> list[Person]:
    """Remove duplicate detections of one person; the one with the higher confidence is kept.

    Args:
        found: detections of one frame.
    """
    kept: list[Person] = []
    for person in sorted(found, key=lambda p: -float(p.confidence.mean())):
        if all(apart(person, other) > SAME_PERSON for other in kept):
            kept.append(person)
    return kept


def bridged(track: Track, skipped: set[int]) -> Track:
    """Return a track with the frames in which nobody was looked for filled in: cubic between its neighbours, else
    linear.

    Args:
        track: track of one person.
        skipped: frames in which not everybody was looked for.
    """
    people = {person.frame: person for person in track.people}
    between = {}
    for frame in skipped:
        before, after = people.get(frame - 1), people.get(frame + 1)
        if frame in people or before is None or after is None:
            continue
        earlier, later = people.get(frame - 3), people.get(frame + 3)
        joints, world = 0.5 * (before.joints + after.joints), 0.5 * (before.world + after.world)
        if earlier is not None and later is not None:
            joints = 1.125 * joints - 0.0625 * (earlier.joints + later.joints)
            world = 1.125 * world - 0.0625 * (earlier.world + later.world)
        sure, colour = np.minimum(before.confidence, after.confidence), 0.5 * (before.colour + after.colour)
        between[frame] = Person(frame, joints, world, sure, colour)
    if not between:
        return track
    filled = people | between
    return Track([filled[frame] for frame in sorted(filled)], track.velocity, track.colour)


def dancer(tracks: list[Track], fps: float) -> list[Person]:
    """Return the detections of the most prominent person (:func:`persons`), in the order of time.

    Args:
        tracks: tracks of a clip.
        fps: frames per second.
    """
    found = persons(tracks, fps, 1)
    return found[0].people if found else []


def persons(tracks: list[Track], fps: float, most: int) -> list[Track]:
    """Join the tracks of one shot that are the same person.

    The first is whoever is seen for longest, largest and moving most, the next whoever is of those who are left. Where
    they are out of the picture, other stretches with the same clothes are joined on; so are stretches in which nobody
    else was in the picture to be confused with.

    Args:
        tracks: tracks of one shot.
        fps: frames a second.
        most: people wanted.
    """
    crowd: dict[int, int] = {}
    for track in tracks:
        for person in track.people:
            crowd[person.frame] = crowd.get(person.frame, 0) + 1
    left = sorted(tracks, key=lambda track: -prominence(track, fps))
    found: list[Track] = []
    while left and len(found) < most:
        chosen, *left = left
        people = {person.frame: person for person in chosen.people}
        others = []
        for track in left:
            frames = track.frames().tolist()
            alone = all(crowd[frame] == 1 for frame in frames)
            different = float(np.linalg.norm(track.colour - chosen.colour))
            if any(frame in people for frame in frames) or different >= OTHER_CLOTHES * (1.0 if alone else 0.4):
                others.append(track)
            else:
                people.update({person.frame: person for person in track.people})
        left = others
        found.append(Track([people[frame] for frame in sorted(people)], chosen.velocity, chosen.colour))
    return found


def prominence(track: Track, fps: float) -> float:
    """Compute how prominent a track is: seconds visible, times height in the picture, times motion.

    Args:
        track: detections of one person.
        fps: frames per second.
    """
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


def apart(a: Person, b: Person, shift: np.ndarray | float = 0.0) -> float:
    """Compute the median distance of the joints of two detections, in body heights.

    Args:
        a, b: detections.
        shift: displacement that is added to ``a``.
    """
    body = list(BODY)
    apart = np.linalg.norm(a.joints[body, :2] + shift - b.joints[body, :2], axis=1)
    return float(np.median(apart)) / max(a.height, b.height)
