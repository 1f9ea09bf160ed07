"""Scores of dance and music in time with each other: known answers, chance, and what a score must not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from d2m.evaluation.alignment import (
    JUDGES,
    beat_align,
    bootstrap,
    chance,
    excess,
    hit_rate,
    judged_beats,
    kinematic_beats,
    speed_beats,
)

BEATS = np.arange(0.3, 20.0, 0.5)


def pendulum(period: float, seconds: float, fps: float, joints: int = 3) -> np.ndarray:
    """Joints (T, joints, 3) swinging to and fro, at rest at 0, period / 2, period …"""
    time = np.arange(round(seconds * fps)) / fps
    swing = np.cos(2 * np.pi * time / period)
    return np.stack([np.stack([swing * (j + 1), 0 * swing, 0 * swing], -1) for j in range(joints)], axis=1)


def test_the_same_beats_score_one_in_both_directions() -> None:
    assert beat_align(BEATS, BEATS) == pytest.approx(1.0)
    assert hit_rate(BEATS, BEATS) == 1.0


def test_a_distance_of_sigma_scores_as_the_formula_says() -> None:
    assert beat_align(BEATS, BEATS + 0.05, sigma=0.05) == pytest.approx(math.exp(-0.5))
    assert beat_align(BEATS, BEATS + 0.1, sigma=0.05) == pytest.approx(math.exp(-2.0))


def test_directions_differ_when_the_music_has_beats_that_are_not_danced() -> None:
    half = BEATS[::2]
    assert beat_align(half, BEATS) == pytest.approx(1.0)
    assert beat_align(BEATS, half) == pytest.approx(0.5, abs=0.02)


def test_a_hit_is_within_seventy_milliseconds() -> None:
    assert hit_rate(BEATS, BEATS + 0.069) == 1.0
    assert hit_rate(BEATS, BEATS + 0.071) == 0.0


def test_no_motion_beats_have_no_score_and_no_music_scores_nothing() -> None:
    assert math.isnan(beat_align(np.zeros(0), BEATS))
    assert beat_align(BEATS, np.zeros(0)) == 0.0
    assert math.isnan(hit_rate(np.zeros(0), BEATS))


def test_chance_is_what_evenly_spread_distances_give() -> None:
    # Mean of the Gaussian kernel over distances spread evenly in half a period either way.
    expected = 0.05 * math.sqrt(2 * math.pi) / 0.5
    forward, backward = chance(BEATS, BEATS, 20.0)
    assert forward == pytest.approx(expected, rel=0.1)
    assert backward == pytest.approx(expected, rel=0.1)


@pytest.mark.slow
def test_music_in_time_exceeds_chance_and_random_music_does_not() -> None:
    rng = np.random.default_rng(0)
    assert excess(BEATS, BEATS + 0.01, 20.0).excess > 0.6
    unrelated = [
        excess(np.sort(rng.uniform(0, 20, 40)), np.arange(rng.uniform(0, 0.5), 20, 0.5), 20.0, shifts=80).excess
        for _ in range(200)
    ]
    assert abs(np.mean(unrelated)) < 0.015


def test_beats_outside_the_clip_do_not_count() -> None:
    outside = np.concatenate([[-3.0, -0.1], BEATS, [20.0, 25.0]])
    assert excess(BEATS, outside, 20.0) == excess(BEATS, BEATS, 20.0)


def test_a_clip_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="duration"):
        excess(BEATS, BEATS, 0.0)


@pytest.mark.parametrize("fps", [24.0, 30.0, 60.0])
def test_motion_beats_are_where_a_pendulum_turns_at_any_frame_rate(fps: float) -> None:
    found = kinematic_beats(pendulum(1.2, 6.0, fps), fps, smoothing=0.04)
    turns = np.arange(0.6, 5.9, 0.6)
    assert len(found) == len(turns)
    assert np.abs(found - turns).max() < 1.0 / fps


def test_judges_look_at_what_they_say() -> None:
    periods = {"picture": 1.2, "space": 0.9, "flow": 1.6}
    picture, space = (pendulum(periods[sight], 6.0, 30.0, 33) for sight in ("picture", "space"))
    flow = np.abs(np.sin(2 * np.pi * (np.arange(179) + 0.5) / 30.0 / periods["flow"]))
    found = judged_beats(picture, space, 30.0, flow)
    assert set(found) == set(JUDGES)
    for name, judge in JUDGES.items():
        assert np.median(np.diff(found[name])) == pytest.approx(periods[judge.sight] / 2, abs=0.02)
    assert {JUDGES[name].sight for name in judged_beats(picture, None, 30.0)} == {"picture"}


def test_beats_of_a_speed_curve_are_timed_between_frames() -> None:
    speed = np.array([3.0, 2.0, 1.0, 2.0, 3.0, 2.0, 1.0, 1.0, 2.0, 3.0])
    assert speed_beats(speed, 10.0, smoothing=0.0) == pytest.approx([0.25, 0.7])
    assert len(speed_beats(np.ones(2), 10.0)) == 0


def test_the_interval_holds_the_mean_and_narrows_with_more_clips() -> None:
    rng = np.random.default_rng(1)
    few, many = rng.normal(0.2, 0.1, 8), rng.normal(0.2, 0.1, 200)
    _, low, high = bootstrap(few, rng)
    mean, low_many, high_many = bootstrap(np.append(many, np.nan), rng)
    assert mean == pytest.approx(many.mean())
    assert high_many - low_many < (high - low) / 2
    assert low_many < 0.2 < high_many
    assert all(math.isnan(value) for value in bootstrap(np.array([np.nan]), rng))
