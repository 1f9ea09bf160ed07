"""The beat of several dancers and of several shots: their agreement, on one timeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from dances import FPS, dance, f_measure, figure, steady_beats

from d2m.features.envelope import body_speeds, motion_events
from d2m.features.group import Group, shares, speeds_and_events, together
from d2m.features.landmarks import fill_and_smooth
from d2m.features.rhythm import find_rhythm, salient_beats
from d2m.features.skeletons import at_rate, to_body25
from d2m.generator.conditions import motion_rows
from d2m.types import Motion

DURATION = 12.0


def still(noise: float = 0.0015) -> Motion:
    joints = figure(round(DURATION * FPS)) + np.random.default_rng(9).normal(0, noise, (round(DURATION * FPS), 33, 3))
    joints, confidence = fill_and_smooth(joints, np.full(joints.shape[:2], 0.95), FPS)
    return Motion(joints, FPS, "mediapipe33", confidence)


def group(*motions: Motion) -> Group:
    return Group(motions, (None,) * len(motions))


def sharing(moving: Group) -> np.ndarray:
    return shares(moving, [body_speeds(motion) for motion in moving.motions]).mean(axis=1)


def in_shots(*motions: Motion) -> Motion:
    """Dancers one after another, each for an equal part of the time: nearer, further away, elsewhere in the picture."""
    edges = np.linspace(0, len(motions[0].joints), len(motions) + 1).astype(int)
    parts = [
        motion.joints[first:last] * (0.6 + 0.4 * number) + np.float32(0.3 * number)
        for number, (motion, first, last) in enumerate(zip(motions, edges[:-1], edges[1:], strict=True))
    ]
    return replace(motions[0], joints=np.concatenate(parts), cuts=tuple(edges[1:-1].tolist()))


@pytest.mark.slow
def test_the_others_overrule_the_first_dancer() -> None:
    ours, others = steady_beats(100.0, DURATION, 0.2), steady_beats(126.0, DURATION, 0.1)
    odd = dance(others, DURATION, 5)
    assert find_rhythm(odd, DURATION).grid.tempo == pytest.approx(126.0, rel=0.03)
    right, scores = 0, []
    for seed in range(3):
        crowd = [dance(ours, DURATION, 10 * seed + k) for k in range(3)]
        grid = find_rhythm(group(odd, *crowd), DURATION).grid
        right += abs(grid.tempo / 100.0 - 1) < 0.03
        scores.append(f_measure(ours, grid.beats, DURATION))
    assert right == 3
    assert np.mean(scores) > 0.8


@pytest.mark.slow
def test_dancers_who_hardly_show_the_beat_show_it_together() -> None:
    """Loose dancers: five of them tell the tempo more often than each by itself."""
    beats = steady_beats(112.0, DURATION, 0.15)
    alone, joined = [], []
    for seed in range(4):
        dancers = [dance(beats, DURATION, 50 * seed + k, loose=0.2, noise=0.06) for k in range(5)]
        alone += [f_measure(beats, find_rhythm(one, DURATION).grid.beats, DURATION) for one in dancers[:2]]
        joined.append(f_measure(beats, find_rhythm(group(*dancers), DURATION).grid.beats, DURATION))
    assert np.mean(joined) > np.mean(alone) + 0.1


def test_who_stands_still_has_no_share_and_changes_nothing() -> None:
    beats = steady_beats(118.0, DURATION, 0.1)
    dancer = dance(beats, DURATION, 1)
    moving = group(dancer, still(), still())
    assert sharing(moving)[0] > 0.9
    grid = find_rhythm(moving, DURATION).grid
    assert f_measure(find_rhythm(dancer, DURATION).grid.beats, grid.beats, DURATION) > 0.95


def test_who_walks_through_the_picture_has_little_share() -> None:
    dancer = dance(steady_beats(118.0, DURATION, 0.1), DURATION, 1)
    walker = dance(steady_beats(105.0, DURATION, 0.1), DURATION, 2)
    way = (0.5 * 0.8 * np.arange(len(walker.joints)) / FPS)[:, None]
    joints = walker.joints.copy()
    joints[..., 0] += way.astype(np.float32)
    confidence = walker.confidence.copy()
    confidence[150:] = 0.0
    part = sharing(group(dancer, replace(walker, joints=joints, confidence=confidence)))
    assert part[1] < 0.1


def test_shares_are_one_in_all_in_every_frame_and_zero_where_nobody_is_seen() -> None:
    one, other = dance(steady_beats(100.0, DURATION, 0.1), DURATION, 1), dance(steady_beats(100.0, 12.0, 0.1), 12.0, 2)
    hidden = other.confidence.copy()
    hidden[100:200] = 0.0
    both = group(one, replace(other, confidence=hidden))
    part = shares(both, [body_speeds(motion) for motion in both.motions])
    assert np.allclose(part.sum(axis=0), 1.0)
    assert not part[1, 100:200].any()
    assert part[1, 250:].min() > 0.2


def test_one_dancer_is_no_group() -> None:
    motion = dance(steady_beats(100.0, 4.0, 0.1), 4.0, 1)
    assert together(motion, None, (), ()) is motion
    same = group(motion)
    one, many = speeds_and_events(motion), speeds_and_events(same)
    assert np.allclose(one[0].whole, many[0].whole)
    assert np.allclose(one[1].weights, many[1].weights)


@pytest.mark.slow
def test_the_beat_goes_on_through_cuts_between_dancers() -> None:
    scores = []
    for seed in range(4):
        beats = steady_beats(104.0 + 6 * seed, DURATION, 0.2)
        motion = in_shots(*(dance(beats, DURATION, 20 * seed + k) for k in range(3)))
        rhythm = find_rhythm(motion, DURATION)
        scores.append(f_measure(beats, rhythm.grid.beats, DURATION))
        middle = (rhythm.grid.beats > 4.5) & (rhythm.grid.beats < 7.5)
        assert rhythm.energy[middle].min() > 0.2
    assert np.mean(scores) > 0.75


def test_a_cut_is_no_movement() -> None:
    dancers = [dance(steady_beats(110.0, DURATION, 0.1), DURATION, seed) for seed in range(3)]
    motion = in_shots(*dancers)
    speeds = body_speeds(motion)
    usual = max(body_speeds(dancer).whole.max() for dancer in dancers)
    assert speeds.cuts == motion.cuts == (120, 240)
    assert speeds.whole.max() < 1.1 * usual
    assert np.abs(np.diff(speeds.lowering)).max() < 0.05
    near = [np.abs(motion_events(speeds).times - cut / FPS).min() for cut in motion.cuts]
    assert min(near) > 1.0 / FPS
    assert all(np.abs(salient_beats(speeds) - cut / FPS).min() >= 0.1 for cut in motion.cuts)
    # Without its marks the same film seems to leap, and its dancers to have one size.
    assert not np.allclose(body_speeds(replace(motion, cuts=())).whole, speeds.whole, atol=0.1)


def test_cuts_go_along_to_other_rates_and_skeletons() -> None:
    motion = in_shots(*(dance(steady_beats(110.0, DURATION, 0.1), DURATION, seed) for seed in range(2)))
    finer = at_rate(motion, 50.0, 600)
    assert (motion.cuts, finer.cuts, to_body25(finer).cuts) == ((180,), (300,), (300,))
    # The last frame before the cut is held until it.
    assert np.array_equal(finer.joints[299], motion.joints[179])
    assert [(shot.start, shot.stop) for shot in finer.shots()] == [(0, 300), (300, 600)]
    rows = motion_rows(motion, 30.0, 0.0, 360)
    speed = rows.reshape(360, 15, 5)[..., 2:4]
    assert np.abs(speed).max() < 0.9
