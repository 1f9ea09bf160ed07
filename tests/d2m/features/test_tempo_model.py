"""The tempo model: what it finds in movement of known tempo, and what it is sure of."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import pytest
from repository import SCRIPTS

from d2m.features.envelope import MotionEvents, Speeds, body_speeds, motion_events
from d2m.features.rhythm import find_rhythm
from d2m.features.tempo_curves import GROUPS, curves_of, curves_of_speeds
from d2m.features.tempo_model import PIECE, TEMPOS, _tempo_path, believe, calibrated, figures, most_probable
from d2m.types import Motion

FPS = 30.0


def swinging(tempo: float, seconds: float, turns: float = 0.5, fps: float = FPS, size: float = 1.0) -> np.ndarray:
    """Joints (T, 33, 3) of a figure whose arms and trunk swing once in 1 / ``turns`` beats and bounce every beat."""
    rng = np.random.default_rng(0)
    joints = np.zeros((round(seconds * fps), 33, 3))
    joints[:, :, 0] = 0.5 + 0.1 * rng.standard_normal(33)
    joints[:, 11:13, 1], joints[:, 23:25, 1], joints[:, 27:29, 1] = 0.3, 0.5, 0.9
    beats = np.arange(len(joints)) / fps * tempo / 60.0
    joints[..., 0] += 0.08 * np.sin(2 * np.pi * turns * beats)[:, None] * np.linspace(0.2, 1.0, 33)
    joints[..., 1] += 0.015 * np.sin(2 * np.pi * beats)[:, None]
    joints[:, [13, 14, 15, 16], 1] -= 0.1 * np.abs(np.sin(np.pi * turns * beats))[:, None]
    joints += rng.normal(0, 0.0007, joints.shape)
    return size * joints


def dancer(joints: np.ndarray, fps: float = FPS, skeleton: str = "mediapipe33") -> Motion:
    return Motion(joints.astype(np.float32), fps, skeleton, np.ones(joints.shape[:2], np.float32))


def belief(motion: Motion, world: np.ndarray | None = None):
    return believe(curves_of(motion, world), motion_events(body_speeds(motion, world)))


@pytest.mark.parametrize("tempo", [92.0, 110.0, 128.0, 150.0])
def test_swings_of_two_beats_are_told_from_the_beat(tempo: float) -> None:
    found = belief(dancer(swinging(tempo, 12.0)))[0].belief
    assert found.tempo == pytest.approx(tempo, rel=0.04)
    assert np.exp(found.log_probability).sum() == pytest.approx(1.0)


def test_size_place_and_frame_rate_change_nothing_that_matters() -> None:
    one = belief(dancer(swinging(118.0, 10.0)))[0].belief
    large = belief(dancer(swinging(118.0, 10.0, size=3.0) + 1.0))[0].belief
    fast = belief(dancer(swinging(118.0, 10.0, fps=60.0), fps=60.0))[0].belief
    assert large.tempo == pytest.approx(one.tempo, rel=1e-3)
    assert fast.tempo == pytest.approx(one.tempo, rel=0.02)


def test_every_skeleton_and_speeds_alone_have_curves() -> None:
    motion = dancer(swinging(118.0, 10.0)[:, :17], skeleton="coco17")
    curves = curves_of(motion)
    assert set(curves.groups) == {"speed", "acceleration"}
    speeds = Speeds(body_speeds(motion).whole, np.zeros((0, 300)), FPS)
    events = motion_events(body_speeds(motion))
    for some in (curves, curves_of_speeds(speeds)):
        found = figures(some, events)
        assert np.isfinite(found).all()
        assert found.shape == (len(TEMPOS), 6 * len(GROUPS) + 10)


@pytest.mark.slow
def test_a_tempo_that_changes_in_a_long_clip_is_followed() -> None:
    joints = np.concatenate([swinging(100.0, 24.0), swinging(132.0, 24.0)])
    stretches = belief(dancer(joints))
    assert [round(s.belief.tempo / 4) for s in stretches] == [25, 33]
    assert stretches[0].end == pytest.approx(24.0, abs=4.0)
    beats = find_rhythm(dancer(joints), 48.0).grid.beats
    spacing = 60.0 / np.diff(beats)
    assert np.median(spacing[beats[1:] < 20]) == pytest.approx(100.0, rel=0.03)
    assert np.median(spacing[beats[:-1] > 28]) == pytest.approx(132.0, rel=0.03)
    assert spacing.min() > 70.0
    assert spacing.max() < 190.0


def test_one_tempo_stays_one_stretch() -> None:
    assert len(belief(dancer(swinging(124.0, 60.0)))) == 1


def test_a_single_odd_piece_does_not_change_the_tempo() -> None:
    place = np.log(TEMPOS)

    def around(tempo: float) -> np.ndarray:
        score = -0.5 * ((place - np.log(tempo)) / 0.04) ** 2
        score = np.logaddexp(score, -4.0)
        return score - np.logaddexp.reduce(score)

    path = _tempo_path(np.stack([around(t) for t in (120.0, 120.0, 97.0, 120.0, 120.0)]))
    assert len(np.unique(path)) == 1
    path = _tempo_path(np.stack([around(t) for t in (120.0, 120.0, 120.0, 97.0, 97.0, 97.0)]))
    assert path[2] != path[3]


def test_nobody_moving_is_no_reason_to_be_sure() -> None:
    still = swinging(118.0, 10.0)[:1] + np.random.default_rng(1).normal(0, 0.0007, (300, 33, 3))
    assert belief(dancer(still))[0].belief.confidence < 0.05
    assert belief(dancer(swinging(118.0, 10.0)))[0].belief.confidence > 0.5


def test_clips_without_events_and_with_hidden_dancers_are_weighed() -> None:
    motion = dancer(np.zeros((3, 33, 3)) + 0.5)
    empty = MotionEvents(np.zeros(0), np.zeros(0))
    assert 60.0 <= believe(curves_of(motion), empty)[0].belief.tempo <= 210.0
    hidden = Motion(swinging(118.0, PIECE).astype(np.float32), FPS, "mediapipe33", np.zeros((360, 33), np.float32))
    assert np.isfinite(belief(hidden)[0].belief.log_probability).all()


def test_probability_is_that_of_the_tempos_close_by() -> None:
    score = np.full(len(TEMPOS), -9.0)
    score[40:42] = 0.0
    score[70] = 0.5
    tempo, mass = most_probable(score - np.logaddexp.reduce(score))
    assert tempo == pytest.approx(np.sqrt(TEMPOS[40] * TEMPOS[41]), rel=0.01)
    assert 0.5 < mass < 0.6
    assert calibrated(0.9, (0.0, 1.0)) == pytest.approx(0.9)
    assert calibrated(1.0, (0.0, 1.0)) < 1.0


def test_the_fit_of_weights_finds_what_matters_and_leaves_whole_sources_out(monkeypatch) -> None:
    path = SCRIPTS / "fit_tempo.py"
    monkeypatch.syspath_prepend(str(path.parent))
    spec = importlib.util.spec_from_file_location("fit_tempo", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fit_tempo", module)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(0)
    tempos = np.exp(rng.uniform(np.log(80), np.log(180), 40))
    rows = rng.normal(0, 0.3, (40, len(TEMPOS), 15))
    rows[..., 3] += np.exp(-0.5 * ((np.log(TEMPOS) - np.log(tempos)[:, None]) / 0.03) ** 2) * 6.0
    groups = np.array([str(i // 2) for i in range(40)])
    found, mass = module.cross_validate((rows, tempos, groups), (rows[:2], tempos[:2]), 5, 0)
    assert np.mean(np.abs(found / tempos - 1) < 0.04) > 0.95
    # Two clips of a source whose truth contradicts all others do not teach each other.
    odd = tempos.copy()
    odd[:2] = 70.0
    rows[:2, :, 7] = 20.0 * (np.abs(TEMPOS - 70.0) < 2)
    found, _ = module.cross_validate((rows, odd, groups), (rows[2:4], tempos[2:4]), 5, 0)
    assert (np.abs(found[:2] / 70.0 - 1) > 0.04).all()
    line = module.calibrate(np.linspace(0.05, 0.95, 40), np.linspace(0.05, 0.95, 40) > 0.5, np.full(40, 1 / 40))
    assert line[1] > 0.0
