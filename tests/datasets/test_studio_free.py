"""Free dancers of the studio, and clips of them as on the web."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m.datasets.studio import DancerStyle, choreograph
from d2m.datasets.studio.camera import Handheld
from d2m.datasets.studio.manner import FREE, Choices, phrase_starts
from d2m.datasets.studio.timing import Timing
from d2m.datasets.studio.web_clip import SHORTEST, web_clip
from d2m.types import BeatGrid

GRID = BeatGrid.steady(120.0, 16.0)


def _dance(manner, seed: int, grid: BeatGrid = GRID, **more):
    rng = np.random.default_rng(seed)
    dancer = DancerStyle(jitter=0.005, limb_jitter=0.005, offbeat=0.0)
    return choreograph(grid, "gLH", 16.0, rng, dancer=dancer, manner=manner, fps=30.0, **more)


def _at_period(performance, beats: float) -> complex:
    """Fourier coefficient of the log of the speed at a period in beats of :data:`GRID`."""
    speed = np.linalg.norm(np.diff(performance.joints, axis=0), axis=-1).mean(axis=1) * 30
    level = np.log(speed + 0.02)
    level = (level - level.mean()) / level.std()
    position = np.arange(len(level)) / 30 * 2.0
    return complex(2 * np.mean(level * np.exp(-2j * np.pi * position / beats)))


def test_free_dancers_mark_the_beat_less_and_two_and_four_beats_more() -> None:
    clear, free = ([_dance(manner, seed) for seed in range(8)] for manner in (None, FREE))

    def strength(dances, beats: float) -> float:
        return float(np.mean([abs(_at_period(one, beats)) for one in dances]))

    assert strength(free, 1.0) < 0.7 * strength(clear, 1.0)
    assert strength(free, 2.0) + strength(free, 4.0) > 1.3 * (strength(clear, 2.0) + strength(clear, 4.0))


@pytest.mark.parametrize(("lag", "moved"), [(0.25, 0.25), (-0.25, -0.25)])
def test_a_lag_moves_the_whole_dance(lag: float, moved: float) -> None:
    only = replace(FREE, lag=0.0, phrase_lag=0.0, uneven=0.0, steps={1.0: 1.0}, pulses={1.0: 1.0}, alone=0.0)
    phases = []
    for mean in (0.0, lag):
        dances = [_dance(replace(only, lags={"gLH": mean}), seed) for seed in range(4)]
        phases.append(np.angle(sum(_at_period(one, 1.0) for one in dances)) / (2 * np.pi))
    away = (phases[0] - phases[1] - moved + 0.5) % 1.0 - 0.5
    assert abs(away) < 0.08


def test_dancers_of_one_choreography_differ_in_their_timing_only() -> None:
    one, other = (_dance(FREE, 3, performer=np.random.default_rng(seed)) for seed in (1, 2))
    apart = np.linalg.norm(one.joints - other.joints, axis=-1).mean()
    strangers = np.linalg.norm(one.joints - _dance(FREE, 4).joints, axis=-1).mean()
    assert 0.0 < apart < 0.4 * strangers


def test_offsets_keep_the_order_of_landings() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        timing = Timing(GRID, 16.0, rng, bias=0.0, jitter=0.01)
        choices = Choices.draw(FREE, "gHO", GRID, 16.0, rng)
        assert choices.start == phrase_starts(GRID, 16.0)[0]
        moved = timing.moved(choices.offsets(timing.positions))
        assert (np.diff(moved.seconds) >= 0).all()
        for figure in choices.figures:
            landings = np.arange(5) + np.append(figure.offsets, 0.0)
            assert np.diff(landings).min() >= 0.5
        assert np.abs(moved.seconds - timing.seconds).max() < 1.1 * 0.5 * 2


def test_a_resting_camera_changes_nothing_and_a_shaken_one_keeps_distances() -> None:
    points = np.random.default_rng(0).uniform(0.2, 0.8, (60, 33, 3))
    rest = Handheld(np.zeros((60, 2)), np.ones(60), np.zeros(60), np.arange(60))
    assert rest.see(points, (640, 480)) == pytest.approx(points)
    drawn = [Handheld.draw(60, 30.0, np.random.default_rng(seed)) for seed in range(12)]
    assert any(np.abs(view.shift).max() > 0.01 for view in drawn)
    assert any((np.diff(view.shown) == 0).any() for view in drawn)
    for view in drawn:
        seen = view.see(points, (640, 480))
        before, after = (np.linalg.norm(p[:, 1:, :2] - p[:, :1, :2], axis=-1) for p in (points[view.shown], seen))
        assert after == pytest.approx(before * view.zoom[:, None])


def test_clips_are_edited_and_have_several_dancers() -> None:
    clips = [web_clip(seed=5, index=index, seconds=8.0) for index in range(14)]
    again = web_clip(seed=5, index=3, seconds=8.0)
    assert np.array_equal(clips[3].motion.joints, again.motion.joints)
    assert {len(clip.others) for clip in clips} >= {0, 1}
    assert any(clip.motion.cuts for clip in clips)
    for clip in clips:
        for motion in (clip.motion, *clip.others):
            assert motion.joints.shape == (240, 33, 3)
            assert motion.cuts == clip.motion.cuts
            assert np.isfinite(motion.joints).all()
        lengths = np.diff([0, *clip.motion.cuts, 240])
        assert (lengths >= SHORTEST * 30).all()
