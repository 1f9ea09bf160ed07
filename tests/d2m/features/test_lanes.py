"""Who dances when: several people and several shots on one timeline."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.features.lanes import lanes
from d2m.features.people import People, Person, Track, bridged

FPS = 30.0


def someone(frame: int, x: float, colour: float, height: float = 0.6, lift: float = 0.1) -> Person:
    """A detection: a stick figure at ``x`` in clothes of one ``colour``, whose arms swing by ``lift``."""
    joints = np.zeros((33, 3), np.float32)
    joints[:, 0] = x + 0.05 * np.cos(np.arange(33))
    joints[:, 1] = np.linspace(0.2, 0.2 + height, 33)
    joints[15:23, 1] -= lift * np.sin(0.4 * frame)
    return Person(frame, joints, joints, np.full(33, 0.9, np.float32), np.full(6, colour, np.float32))


def colours(lane) -> dict[float, int]:
    """Frames in which a lane holds clothes of each colour."""
    seen = [round(float(person.colour[0]), 2) for person in lane.people.values()]
    return {colour: seen.count(colour) for colour in sorted(set(seen))}


def test_three_shots_of_three_dancers_are_one_lane_without_a_gap() -> None:
    people = People(FPS)
    for frame in range(180):
        if frame in (60, 120):
            people.cut(frame)
        people.add([someone(frame, 0.4 + 0.3 * (frame // 60), 0.2 + 0.3 * (frame // 60), 0.4 + 0.1 * (frame // 60))])
    (lane,) = lanes(people, 180, set())
    assert sorted(lane.people) == list(range(180))
    assert lane.cuts == (60, 120)
    motion, world = lane.motion(180, FPS)
    assert motion.cuts == (60, 120)
    assert world.shape == motion.joints.shape == (180, 33, 3)
    # Nothing is smoothed across a cut: the hips stay where they are up to the last frame before it.
    hips = motion.joints[:, 23, 0]
    assert np.ptp(hips[:60]) < 1e-3 > np.ptp(hips[60:120])
    assert motion.confidence.min() > 0.8


def test_the_first_lane_keeps_its_dancer_over_a_cut() -> None:
    people = People(FPS)
    for frame in range(120):
        if frame == 60:
            people.cut(frame)
        star = someone(frame, 0.4 if frame < 60 else 1.5, 0.3, 0.7 if frame < 60 else 0.5)
        people.add([star, someone(frame, 1.0, 0.8, 0.6)])
    first, second = lanes(people, 120, set())
    assert colours(first) == {0.3: 120}
    assert colours(second) == {0.8: 120}


def test_whoever_is_there_stands_in_for_a_dancer_who_left() -> None:
    people = People(FPS)
    for frame in range(120):
        people.add([someone(frame, 0.4, 0.2)] if frame < 80 else [someone(frame, 1.5, 0.8)])
    (lane,) = lanes(people, 120, set())
    assert colours(lane) == {0.2: 80, 0.8: 40}
    assert lane.cuts == (80,)


def test_dancers_who_cross_keep_their_lanes() -> None:
    people = People(FPS)
    for frame in range(90):
        a, b = someone(frame, 0.3 + 0.01 * frame, 0.3), someone(frame, 1.2 - 0.01 * frame, 0.6)
        hidden = 42 <= frame <= 48
        people.add([b] if hidden else [b, a] if frame % 2 else [a, b])
    found = lanes(people, 90, set())
    assert sorted(colours(lane).popitem() for lane in found) == [(0.3, 83), (0.6, 90)]
    assert [lane.cuts for lane in found] == [(), ()]


def test_somebody_seen_for_less_than_a_second_is_no_dancer() -> None:
    people = People(FPS)
    for frame in range(90):
        people.add([someone(frame, 0.4, 0.3), *([someone(frame, 1.2, 0.7)] if 30 <= frame < 45 else [])])
    assert [colours(lane) for lane in lanes(people, 90, set())] == [{0.3: 90}]


def test_frames_in_which_nobody_was_looked_for_are_filled_in() -> None:
    seen = Track([someone(frame, 0.4, 0.3) for frame in range(0, 60, 2)])
    whole = bridged(seen, set(range(60)))
    assert [person.frame for person in whole.people] == list(range(59))
    true = np.stack([someone(frame, 0.4, 0.3).joints for frame in range(59)])
    missed = np.abs(np.stack([person.joints for person in whole.people]) - true).max(axis=(1, 2))
    # Cubic, linear beside the ends; the arms swing by 0.2.
    assert missed[3:-3].max() < 0.002
    assert missed.max() < 0.01
    assert bridged(seen, set()) is seen


def test_nobody_is_no_lane() -> None:
    assert lanes(People(FPS), 30, set()) == []


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 5, 7])
def test_several_people_have_a_lane_each_up_to_five(count: int) -> None:
    people = People(FPS)
    for frame in range(60):
        people.add([someone(frame, 0.3 + 0.4 * k, 0.1 * k) for k in range(count)])
    found = lanes(people, 60, set())
    assert len(found) == min(count, 5)
    assert all(len(colours(lane)) == 1 for lane in found)
