"""Causal beat tracking: the filter, the tracker, the clock that follows it, and their evaluation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dances import FPS, dance, f_measure, steady_beats

from d2m.cli.main import main
from d2m.features.beat_clock import MOST, BeatClock
from d2m.features.beat_filter import BeatFilter, BeatState
from d2m.features.causal import AHEAD, START, CausalTracker, causal_grid
from d2m.features.envelope import MotionEvents

TEMPO = 112.0
NONE = MotionEvents(np.zeros(0), np.zeros(0))


@pytest.fixture(scope="module")
def beats() -> np.ndarray:
    return steady_beats(TEMPO, 20.0, 0.2)


@pytest.fixture(scope="module")
def motion(beats):
    return dance(beats, 20.0, seed=3)


def test_the_filter_finds_tempo_and_phase_of_even_events():
    found, period = BeatFilter(), 60.0 / 97.0
    for second in np.arange(0.5, 14.0, 0.5):
        found.advance(second)
        times = np.arange(0.1, second, period)
        new = times[times > second - 0.5]
        found.observe(MotionEvents(new, np.ones(len(new))))
    state = found.state()
    assert min(abs(state.tempo / tempo - 1) for tempo in (97.0, 194.0)) < 0.02
    error = (state.phase_at(0.1 + 20 * period) + 0.5) % 1.0 - 0.5
    assert abs(error) * period < 0.04


def test_without_events_the_filter_knows_nothing():
    found = BeatFilter()
    found.advance(5.0)
    found.observe(NONE)
    assert found.state().mass < 0.15


def test_a_given_tempo_is_kept():
    found = BeatFilter(128.0)
    found.advance(3.0)
    found.believe(np.zeros(84), 1.0)
    assert found.state().tempo == pytest.approx(128.0)


def test_the_phase_of_a_state_goes_on_with_its_tempo():
    assert BeatState(1.0, 0.75, 120.0, 1.0).phase_at(1.25) == pytest.approx(0.25)


def test_the_beats_of_a_dance_are_tracked_without_looking_ahead(motion, beats):
    grid = causal_grid(motion, None, 20.0)
    assert grid.beats[0] >= START - AHEAD
    true, found = (times[times >= 8.0] - 8.0 for times in (beats, grid.beats))
    assert f_measure(true, found, 12.0) > 0.9
    assert grid.tempo == pytest.approx(TEMPO, rel=0.04)


def test_beats_do_not_depend_on_frames_after_they_were_fixed(motion):
    whole = causal_grid(motion, None, 20.0).beats
    frames = int(12.0 * FPS)
    part = replace(motion, joints=motion.joints[:frames], confidence=motion.confidence[:frames])
    fixed = causal_grid(part, None, 12.0).beats
    last = (frames - 1) / FPS + AHEAD
    np.testing.assert_allclose(fixed[fixed <= last], whole[whole <= last], atol=1e-9)


def test_a_clip_that_ends_before_the_music_begins_has_no_confidence(motion):
    part = replace(motion, joints=motion.joints[:40], confidence=motion.confidence[:40])
    assert causal_grid(part, None, 40 / FPS).confidence == 0.0


def test_frames_at_uneven_times_with_gaps_are_tracked(motion, beats):
    rng, tracker = np.random.default_rng(5), CausalTracker()
    for index in np.flatnonzero(rng.random(len(motion.joints)) < 0.6):
        time = index / FPS
        if 9.0 < time < 9.4:
            seen = tracker.add(time, None, None, None)
            assert not seen.visible
            continue
        seen = tracker.add(time, motion.joints[index], None, motion.confidence[index])
    assert seen.beat is not None
    assert seen.visible
    assert seen.beat.tempo == pytest.approx(TEMPO, rel=0.04)
    error = (seen.beat.phase_at(float(beats[20])) + 0.5) % 1.0 - 0.5
    assert abs(error) * 60.0 / TEMPO < 0.07


def test_energy_falls_when_the_dancer_stops(motion):
    tracker, still = CausalTracker(), motion.joints[240]
    moving = [tracker.add(i / FPS, motion.joints[i], None, motion.confidence[i]).energy for i in range(240)]
    stopped = [tracker.add(8.0 + i / FPS, still, None, motion.confidence[240]).energy for i in range(60)]
    assert np.mean(moving[120:]) > 0.3
    assert stopped[-1] < 0.1


def test_the_clock_is_continuous_and_catches_up():
    clock = BeatClock(0.0, BeatState(0.0, 0.0, 120.0, 1.0))
    for step in range(1, 60):
        clock.steer(0.1 * step, BeatState(0.1 * step, (0.2 * step + 0.3) % 1.0, 120.0, 1.0))
    times = np.arange(0.0, 6.0, 0.01)
    places = clock.position(times)
    speeds = np.diff(places) / 0.01
    assert speeds.min() > 2.0 * (1 - MOST) - 1e-6
    assert speeds.max() < 2.0 * (1 + MOST) + 1e-6
    assert float(clock.position(5.9)) % 1.0 == pytest.approx((5.9 * 2 + 0.3) % 1.0, abs=0.02)
    np.testing.assert_allclose(clock.time(places), times, atol=1e-9)


def test_what_is_committed_is_not_changed():
    clock = BeatClock(0.0, BeatState(0.0, 0.0, 120.0, 1.0))
    clock.steer(1.0, BeatState(1.0, 0.4, 120.0, 1.0))
    before = clock.position(np.linspace(0, 1.0, 9))
    clock.steer(0.3, BeatState(0.3, 0.9, 90.0, 1.0))
    np.testing.assert_array_equal(clock.position(np.linspace(0, 1.0, 9)), before)
    clock.forget(0.9)
    assert float(clock.position(1.0)) == pytest.approx(2.0)


def clip(folder: Path, motion, beats: np.ndarray, seconds: float) -> None:
    frames = int(seconds * FPS)
    inside = beats[(beats >= 0) & (beats < seconds)]
    np.savez(folder / f"c{seconds:.0f}.npz", landmarks=motion.joints[:frames], fps=FPS, beats=inside)


def test_the_report_compares_both_finders_on_the_same_seconds(tmp_path, motion, beats, capsys):
    clip(tmp_path, motion, beats, 20.0)
    f = {}
    for causal in (True, False):
        switch = ["--causal"] if causal else []
        assert main(["evaluate", "rhythm", str(tmp_path), "--skip", "4", "--json", *switch]) == 0
        row = json.loads(capsys.readouterr().out)["clips"][0]
        assert row["duration"] == 20.0
        assert max(row["beats"]) < 16.0
        f[causal] = row["f"] - row["f_chance"]
    assert f[True] > 0.4
    assert f[False] > 0.4


def test_a_clip_with_too_few_beats_after_the_beginning_is_named(tmp_path, motion, beats, capsys):
    clip(tmp_path, motion, beats, 5.0)
    assert main(["evaluate", "rhythm", str(tmp_path), "--skip", "4"]) == 1
    assert "too few to judge by" in capsys.readouterr().err
