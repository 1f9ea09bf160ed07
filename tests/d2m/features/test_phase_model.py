"""The phase model: what it says of movement whose phase is known."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from repository import SCRIPTS

from d2m.features import phase_model, phase_weights
from d2m.features.envelope import MotionEvents, body_speeds
from d2m.features.event_fit import PHASES, WINDOW
from d2m.features.phase_model import ROW_COUNT, PhaseEvidence, phase_likelihood, steady_phase_likelihood
from d2m.features.rhythm import POSE_LAG
from d2m.features.tempo import find_beats
from d2m.features.tempo_curves import curves_of, curves_of_speeds
from d2m.features.tempo_model import TEMPOS, TempoBelief, TempoSegment
from d2m.types import Motion

FPS = 30.0


def stepping(tempo: float, seconds: float, late: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Joints (T, 33, 3) of a figure that moves between beats and stands on them, in the picture and in metres."""
    beats = (np.arange(round(seconds * FPS)) / FPS - late) * tempo / 60.0
    whole, part = np.floor(beats), beats % 1.0
    eased = 0.5 - 0.5 * np.cos(np.pi * np.clip(part / 0.85, 0.0, 1.0))
    place = np.where(whole % 2 == 0, eased, 1.0 - eased)[:, None]
    joints = np.zeros((len(beats), 33, 3))
    joints[:, :, 0] = 0.5 + 0.05 * np.random.default_rng(0).standard_normal(33)
    joints[:, 11:13, 1], joints[:, 23:25, 1], joints[:, 25:27, 1], joints[:, 27:29, 1] = 0.3, 0.5, 0.7, 0.9
    joints[..., 0] += 0.2 * place * np.linspace(0.2, 1.0, 33)
    joints[:, 13:17, 1] += 0.4 - 0.2 * place
    return joints, 1.7 * (joints - joints[:, 23:25].mean(1, keepdims=True))


def dancer(joints: np.ndarray) -> Motion:
    return Motion(joints.astype(np.float32), FPS, "mediapipe33", np.ones(joints.shape[:2], np.float32))


def evidence(tempo: float, seconds: float, late: float = 0.0) -> PhaseEvidence:
    joints, world = stepping(tempo, seconds, late)
    return PhaseEvidence.of(curves_of(dancer(joints), world))


def known(tempo: float) -> TempoBelief:
    return TempoBelief(-0.5 * ((np.log(TEMPOS) - np.log(tempo)) / 0.01) ** 2, tempo, 0.9)


@pytest.mark.parametrize(("seconds", "late"), [(9.0, 0.0), (9.0, 0.13), (33.0, 0.2)])
def test_standing_still_is_on_the_beat(seconds: float, late: float) -> None:
    tempo = 108.0
    found = find_beats(
        *(MotionEvents(np.zeros(0), np.zeros(0)), [TempoSegment(0.0, seconds, known(tempo))], 0.0, seconds),
        evidence(tempo, seconds, late),
    )
    away = ((found - late) * tempo / 60.0 + 0.5) % 1.0 - 0.5
    assert np.abs(away * 60.0 / tempo).max() < 0.09
    assert np.median(np.diff(found)) == pytest.approx(60.0 / tempo, rel=0.01)


def test_a_shift_of_the_movement_shifts_the_likelihood() -> None:
    tempo, seconds = 120.0, 8.0
    rows = [
        phase_likelihood(evidence(tempo, seconds, late), np.array([tempo]), 4.0, None, 0.0, seconds)[0]
        for late in (0.0, 0.125)
    ]
    assert abs((int(rows[0].argmax() - rows[1].argmax()) - PHASES // 4 + 32) % PHASES - 32) <= 3


def test_windows_agree_with_the_whole() -> None:
    tempo, seconds = 116.0, 40.0
    seen = evidence(tempo, seconds)
    tempos = tempo * np.exp(np.linspace(-0.01, 0.01, 9))
    whole = steady_phase_likelihood(seen, tempos, np.array([20.0]), 0.0, seconds)
    windows = steady_phase_likelihood(seen, tempos, np.linspace(0.0, seconds, 11), 0.0, seconds)
    assert whole.shape == windows.shape == (9, PHASES)
    for found in (whole, windows):
        row, phase = np.unravel_index(int(found.argmax()), found.shape)
        assert tempos[row] == pytest.approx(tempo, rel=0.003)
        assert abs((phase - int(whole[4].argmax()) + 32) % PHASES - 32) <= 4


def test_figures_of_a_part_use_that_part_alone() -> None:
    seen = evidence(120.0, 12.0)
    rows = seen.rows[0].copy()
    rows[:, 200:] = 7.0
    other = PhaseEvidence((rows,), (1.0,), FPS)
    args = (np.array([118.0, 120.0]), 3.0, WINDOW / 2, 0.0, 6.0)
    np.testing.assert_array_equal(seen.figures(*args), other.figures(*args))
    assert seen.figures(*args).shape == (2, ROW_COUNT, 3)


def test_without_landmarks_low_points_decide_alone() -> None:
    joints, _ = stepping(120.0, 8.0)
    nothing = PhaseEvidence.of(curves_of_speeds(body_speeds(dancer(joints))))
    assert nothing.rows == ()
    events = MotionEvents(np.arange(0.1, 8.0, 0.5), np.ones(16))
    segments = [TempoSegment(0.0, 8.0, known(120.0))]
    found = find_beats(events, segments, 0.0, 8.0, nothing)
    np.testing.assert_array_equal(found, find_beats(events, segments, 0.0, 8.0))
    assert np.abs((found - 0.1) / 0.5 - np.round((found - 0.1) / 0.5)).max() < 0.1


def test_a_still_figure_and_one_frame_say_nothing() -> None:
    still = np.tile(stepping(120.0, 1.0)[0][:1], (90, 1, 1))
    for frames in (still, still[:1]):
        seen = PhaseEvidence.of(curves_of(dancer(frames)))
        found = phase_likelihood(seen, np.array([120.0]), 0.5, None, 0.0, 3.0)
        assert np.abs(found).max() < 1e-6


def test_every_row_and_harmonic_has_a_weight() -> None:
    assert len(phase_weights.WEIGHTS) == 2 * ROW_COUNT * len(phase_model.HARMONICS)
    assert 0.0 <= phase_weights.EVENTS_WEIGHT < 1.0
    assert POSE_LAG < 0.05


def test_the_fit_finds_the_curve_that_tells_the_phase(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("fit_phase")
    rng = np.random.default_rng(0)
    phases = np.arange(PHASES) / PHASES
    targets, rows = np.zeros((30, PHASES)), rng.normal(0, 0.1, (30, PHASES, 5))
    for number in range(30):
        middle = rng.integers(PHASES)
        away = (phases - phases[middle] + 0.5) % 1.0 - 0.5
        targets[number] = np.exp(-0.5 * (away / 0.05) ** 2) / np.exp(-0.5 * (away / 0.05) ** 2).sum()
        rows[number, :, 2] += np.cos(2 * np.pi * away)
        rows[number, :, 4] = 0.0
    weights = module.fit_phase(rows, targets, np.ones(30))
    assert weights[2] > 5.0 * np.abs(np.delete(weights, 2)).max()


def test_the_wanted_phase_is_that_of_the_music(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("fit_phase")
    joints, _ = stepping(120.0, 8.0)
    beats = np.arange(0.1, 8.0, 0.5)
    wanted = module.wanted_phase(dancer(joints), beats, 0.03)
    assert wanted.sum() == pytest.approx(1.0)
    # 4 s, less the landmarks' delay, is 7.8 beats after the first.
    assert wanted.argmax() / PHASES == pytest.approx((3.9 - POSE_LAG) / 0.5 % 1.0, abs=0.02)
