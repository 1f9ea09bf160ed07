"""Detection of all people in a frame: one MediaPipe tracker for one person, one tracker each for several.

A search of the whole picture (about twice the time of tracking one person) once a second, and after a cut, counts the
people. One person whose joints all move slowly is looked for in every second frame. Each of several people has a
separate tracker, whose first frame shows nobody else; the trackers run in parallel on several cores. From three people
on, each is tracked in every second frame. The frames between are interpolated (:func:`d2m.features.people.bridged`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from d2m.features.landmarker import BUNDLE, Landmarker
from d2m.features.people import BODY, MOST_PEOPLE, TORSO, Person, apart
from d2m.features.pose_models import PoseModel
from d2m.features.store import content_of

#: Most people who are followed in every frame rather than in every second.
MOST_EVERY_FRAME = 2
#: Speed of the fastest joint (body heights per second) below which one person is looked for in every second frame, and
#: the lowest frame rate at which frames are left out.
SLOW, LEAST_RATE = 2.5, 23.0
#: Distance (body heights) up to which a detection is the person whom a tracker follows, and up to which two trackers
#: follow the same person.
SAME_PLACE, SAME_BODY = 0.3, 0.1
#: How far (body heights) a person may move from one frame that they are looked for in to the next.
LEAP = 0.5
#: Seconds between looks at the whole picture: usually, and after a person was lost.
LOOK, LOOK_SOON = 1.0, 0.3
#: Width (in heights) from which a picture is also searched in parts, since the model's input has 224 x 224 pixels;
#: distance of the parts (heights), and how far (in widths of a part) a person may be from the middle of theirs.
WIDE, STEP, OFF_CENTRE = 1.25, 0.8, 0.25
#: How often a picture is looked at again for people whom others hide, and the joints of those that are covered then.
PASSES, COVERED = 3, (0, 11, 12, 23, 24, 25, 26, 27, 28)
#: Minimum ratio of heights at which a person replaces the smallest tracked one, where there are too many.
TALLER = 1.3


class PeopleFinder(PoseModel):
    """Detector of people, frame by frame, with a pose landmarker of MediaPipe.

    Args:
        bundle: a MediaPipe pose landmarker ``.task``.
        rate: frames a second.
    """

    name = "mediapipe"
    version = "3"
    # Then the landmarks are those of a finder that began earlier, but for 0.2 % of the body's height (median).
    warm_up = 10

    def __init__(self, bundle: str | Path, rate: float):
        PoseModel.__init__(self, rate)
        self.bundle = Path(bundle)
        self._look_around = max(int(round(LOOK * rate)), 1)
        self._next_look = 0
        self._looks = 0
        self._alone = 0
        self._crowd = False
        #: The last detection of one person, and the speed of the fastest joint before it.
        self._last: Person | None = None
        self._speed = np.inf
        self._look = Landmarker(self.bundle, MOST_PEOPLE)
        self._trackers = [_Tracker(self.bundle, rate)]
        self._threads: ThreadPoolExecutor | None = None

    def close(self) -> None:
        """Close all trackers."""
        if self._threads is not None:
            self._threads.shutdown()
        self._look.close()
        for tracker in self._trackers:
            tracker.close()
        self._trackers.clear()

    def find(self, rgb: np.ndarray, index: int, cut: bool = False) -> list[Person]:
        """Return the people of a frame.

        Args:
            rgb: uint8 (H, W, 3).
            index: number of the frame, from 0, rising.
            cut: whether the frame has nothing to do with the one before.
        """
        if cut:
            self._forget()
        if self._crowd:
            return self._follow_crowd(rgb, index)
        is_due = cut or index % self._look_around == 0
        self.alternating = not is_due and self._may_leave_out(index)
        if self.alternating:
            return []
        if is_due:
            found = self._look_for_all(rgb, index, thorough=cut or index == 0)
            if len(found) > 1:
                return self._first_of_crowd(rgb, index, found)
        person = self._trackers[0].follow(rgb, index)
        self._measure_speed(person)
        self.count = int(person is not None)
        return [person] if person is not None else []

    def _may_leave_out(self, index: int) -> bool:
        return self.is_interpolated and self.rate >= LEAST_RATE and index % 2 == 1 and self._speed < SLOW

    def _measure_speed(self, person: Person | None) -> None:
        """Measure the speed of the fastest joint since the last frame in which one person was looked for."""
        self._speed, last, self._last = np.inf, self._last, person
        if person is not None and last is not None and person.frame > last.frame:
            moved = np.linalg.norm(person.joints[list(BODY), :2] - last.joints[list(BODY), :2], axis=1).max()
            self._speed = float(moved) / person.height * self.rate / (person.frame - last.frame)

    def _look_for_all(self, rgb: np.ndarray, index: int, thorough: bool = False) -> list[Person]:
        """Who is in the picture: those followed, and those in all of it or, in turn, in one part of a wide one.

        Args:
            rgb: the frame.
            index: its number.
            thorough: whether to look at all of it and at all parts.
        """
        known = self._known()
        parts = [(0, rgb.shape[1]), *_parts(rgb)]
        if not thorough:
            parts = [parts[self._looks % len(parts)]]
        self._looks += 1
        for left, width in parts:
            for _ in range(PASSES if thorough else 1):
                # The model takes people who stand close together for one: cover those who are known.
                seen = self._look.find(covered(rgb, known)[:, left : left + width], index, left=left)
                new = [person for person in seen if all(apart(person, other) > SAME_PLACE for other in known)]
                known += new
                if not new:
                    break
        return known

    def _known(self) -> list[Person]:
        return [tracker.person for tracker in self._trackers if tracker.person is not None]

    def _forget(self) -> None:
        self._crowd = self.alternating = False
        self._last, self._speed = None, np.inf
        for tracker in self._trackers:
            tracker.forget()

    def _first_of_crowd(self, rgb: np.ndarray, index: int, found: list[Person]) -> list[Person]:
        self._crowd, self._alone = True, 0
        self._last, self._speed = None, np.inf
        self._next_look = index + self._look_around
        self._trackers[0].follow(rgb, index)
        self._take_up(rgb, index, found)
        return self._people(index)

    def _follow_crowd(self, rgb: np.ndarray, index: int) -> list[Person]:
        active = [tracker for tracker in self._trackers if tracker.person is not None]
        self.alternating = len(active) > MOST_EVERY_FRAME
        due = [tracker for place, tracker in enumerate(active) if not self.alternating or (place + index) % 2 == 0]
        self._run([partial(tracker.follow, rgb, index, insist=True) for tracker in due])
        self._part_twins()
        if any(tracker.person is None for tracker in due):
            self._next_look = min(self._next_look, index + max(int(LOOK_SOON * self.rate), 1))
        if index >= self._next_look:
            self._next_look = index + self._look_around
            self._take_up(rgb, index, self._look_for_all(rgb, index))
        found = self._people(index)
        self._leave_crowd()
        return found

    def _people(self, index: int) -> list[Person]:
        people = self._known()
        self.count = len(people)
        return [person for person in people if person.frame == index]

    def _part_twins(self) -> None:
        """Where two trackers have come to follow the same person, leave it to the one that is surer."""
        active = [(tracker.person, tracker) for tracker in self._trackers if tracker.person is not None]
        kept: list[Person] = []
        for person, tracker in sorted(active, key=lambda pair: -float(pair[0].confidence.mean())):
            if any(apart(person, other) < SAME_BODY for other in kept):
                tracker.forget()
            else:
                kept.append(person)

    def _take_up(self, rgb: np.ndarray, index: int, found: list[Person]) -> None:
        """Follow those who were found and are not followed yet."""
        known = self._known()
        new = [person for person in found if all(apart(person, other) > SAME_PLACE for other in known)]
        starts: list[Callable[[], Any]] = []
        for person in sorted(new, key=lambda person: -person.height):
            tracker = self._free(person)
            if tracker is not None:
                tracker.person = person
                hidden = covered(rgb, [other for other in [*known, *new] if other is not person])
                starts.append(partial(tracker.start, hidden, index, person))
        self._run(starts)
        self._part_twins()

    def _free(self, person: Person) -> _Tracker | None:
        """A tracker for a person: an idle one, a new one, or that of somebody much smaller."""
        for tracker in self._trackers:
            if tracker.person is None:
                return tracker
        if len(self._trackers) < MOST_PEOPLE:
            self._trackers.append(_Tracker(self.bundle, self.rate))
            return self._trackers[-1]
        heights = [other.height for other in self._known()]
        smallest = int(np.argmin(heights))
        return self._trackers[smallest] if person.height > TALLER * heights[smallest] else None

    def _leave_crowd(self) -> None:
        """Go back to one tracker when there has been one person, or nobody, for two seconds."""
        self._alone = self._alone + 1 if len(self._known()) < 2 else 0
        if self._alone > 2 * self._look_around:
            self._crowd = self.alternating = False
            # The first one continues.
            self._trackers.sort(key=lambda tracker: tracker.person is None)
            self._trackers[0].see_all()

    def _run(self, jobs: list[Callable[[], Any]]) -> None:
        if len(jobs) == 1:
            jobs[0]()
        elif jobs:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST_PEOPLE), thread_name_prefix="pose")
            for job in [self._threads.submit(job) for job in jobs]:
                job.result()


class MediaPipe(PeopleFinder):
    """Detector of people with the landmarker that ships with the package.

    Args:
        rate: frames per second.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(BUNDLE, rate)

    @classmethod
    def identity(cls) -> str:
        """Return the name of the landmarker's file with the start of its sha256."""
        return f"{cls.name}-{BUNDLE.stem}:{_content(BUNDLE)[:12]}:{cls.version}"


class _Tracker:
    """Follows one person.

    Attributes:
        person: the last detection; None when there is nobody to follow.
    """

    def __init__(self, bundle: Path, rate: float):
        self.rate = rate
        self.person: Person | None = None
        self._landmarker = Landmarker(bundle, 1, tracks=True)
        self._time = -1
        self._stale = False
        #: First column and width of the part of the picture that is the model's input; None for all of it.
        self._window: tuple[int, int] | None = None

    def follow(self, rgb: np.ndarray, index: int, insist: bool = False) -> Person | None:
        """Find the person in the next frame.

        Args:
            rgb: the frame.
            index: its number.
            insist: whether somebody far from where the person was is not taken for them.
        """
        if insist and self.person is not None and self._at_edge(rgb, self.person):
            self.start(rgb, index, self.person)
            return self.person
        found = self._find(rgb, index)
        if found is not None and insist and self.person is not None and apart(self.person, found) > LEAP:
            found = None
        self.person = found
        return found

    def start(self, rgb: np.ndarray, index: int, person: Person) -> None:
        """Follow a person from this frame on, whatever was followed before."""
        self.forget()
        self._window = _square_around(rgb, person)
        body = person.joints[:, :2] * len(rgb)
        margin = 0.25 * person.height * len(rgb)
        x0, y0 = np.maximum(np.floor(body.min(axis=0) - margin), 0).astype(int)
        x1, y1 = np.maximum(np.ceil(body.max(axis=0) + margin), 0).astype(int)
        alone = np.full_like(rgb, 128)
        alone[y0:y1, x0:x1] = rgb[y0:y1, x0:x1]
        found = self._find(alone, index)
        self.person = found if found is not None and apart(found, person) < SAME_PLACE else None

    def forget(self) -> None:
        """Follow nobody any more."""
        self.person = None
        self._stale = self._time >= 0
        self._window = None

    def see_all(self) -> None:
        """Look at the whole picture again."""
        if self._window is not None:
            self.forget()

    def close(self) -> None:
        self._landmarker.close()

    def _find(self, rgb: np.ndarray, index: int) -> Person | None:
        left, width = self._window or (0, rgb.shape[1])
        part = rgb[:, left : left + width]
        if self._stale:
            # The model tracks its last person as long as one is visible: give it an empty picture.
            self._landmarker.find(np.full_like(part, 128), index, self._tick(index))
            self._stale = False
        found = self._landmarker.find(part, index, self._tick(index), left)
        return found[0] if found else None

    def _at_edge(self, rgb: np.ndarray, person: Person) -> bool:
        """Whether the person has come near the edge of what the model sees, where there is more beyond."""
        if self._window is None:
            return False
        ideal = _square_around(rgb, person)
        return ideal is not None and abs(ideal[0] - self._window[0]) > OFF_CENTRE * self._window[1]

    def _tick(self, index: int) -> int:
        """Milliseconds of a frame; a later time than that of any call before."""
        self._time = max(int(round(index * 1000 / self.rate)), self._time + 1)
        return self._time


@lru_cache(maxsize=1)
def _content(path: Path) -> str:
    return content_of(path)


def covered(rgb: np.ndarray, people: list[Person]) -> np.ndarray:
    """Cover the head, trunk and legs of some people with a grey box.

    Args:
        rgb: picture uint8 (H, W, 3).
        people: detections.

    Returns:
        A changed copy of the picture.
    """
    if not people:
        return rgb
    height, width = rgb.shape[:2]
    hidden = rgb.copy()
    for person in people:
        body = person.joints[list(COVERED), :2] * height
        margin = np.array([0.05, 0.1]) * person.height * height
        x0, y0 = np.clip(body.min(axis=0) - margin, 0, (width, height)).astype(int)
        x1, y1 = np.clip(body.max(axis=0) + margin, 0, (width, height)).astype(int)
        hidden[y0:y1, x0:x1] = 128
    return hidden


def _square_around(rgb: np.ndarray, person: Person) -> tuple[int, int] | None:
    """First column and width of a part as wide as high with a person in the middle; None for a narrow picture."""
    height, width = rgb.shape[:2]
    if width <= WIDE * height:
        return None
    middle = int(round(float(person.joints[list(TORSO), 0].mean()) * height))
    return int(np.clip(middle - height // 2, 0, width - height)), height


def _parts(rgb: np.ndarray) -> list[tuple[int, int]]:
    """First column and width of parts as wide as high that overlap and cover a wide picture; none of a narrow one."""
    height, width = rgb.shape[:2]
    if width <= WIDE * height:
        return []
    count = int(np.ceil((width / height - 1.0) / STEP)) + 1
    return [(int(left), height) for left in np.linspace(0, width - height, count)]
