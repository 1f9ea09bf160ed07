"""Half and double tempo: a genre chooses the octave and moves no beat."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.features.octave import GENRE_TEMPOS, doubled, halved, in_octave, octave_of
from d2m.types import GENRES, BeatGrid

DURATION = 20.0


def grid(tempo: float, first: float = 0.3, bar: int = 0) -> BeatGrid:
    """A steady grid whose bars begin ``bar`` beats after those of :meth:`BeatGrid.steady`."""
    made = BeatGrid.steady(tempo, DURATION, first, 0.7)
    return BeatGrid(made.beats, np.arange(bar, len(made.beats), 4), tempo, 0.7, source="dance")


def covers(found: BeatGrid) -> bool:
    return bool(found.beats[0] <= 0.0 and found.beats[-1] >= DURATION)


@pytest.mark.parametrize(
    ("tempo", "genre", "factor"),
    [
        *((60.0, "gHO", 2.0), (240.0, "gHO", 0.5), (128.0, "gHO", 1.0), (99.0, "gHO", 1.0), (70.0, "gHO", 1.0)),
        *((60.0, "gKR", 2.0), (99.0, "gKR", 1.0), (174.0, "gBR", 0.5), (145.0, "gBR", 1.0), (60.0, None, 1.0)),
    ],
)
def test_only_a_tempo_that_comes_into_range_is_halved_or_doubled(tempo, genre, factor):
    assert octave_of(tempo, genre) == factor


def test_every_genre_has_a_range_and_others_are_refused():
    assert set(GENRE_TEMPOS) == set(GENRES)
    with pytest.raises(ValueError, match="unknown genre 'gXX'"):
        octave_of(100.0, "gXX")


def test_a_grid_in_range_stays_the_same_object():
    found = grid(99.0)
    assert in_octave(found, "gHO", DURATION) is found
    assert in_octave(found, None, DURATION) is found


@pytest.mark.parametrize("bar", [0, 1, 2, 3])
def test_doubling_keeps_every_beat_and_every_bar_line(bar):
    slow = grid(60.0, bar=bar)
    fast = in_octave(slow, "gHO", DURATION)
    assert (fast.tempo, fast.confidence, fast.source) == (120.0, 0.7, "dance")
    assert covers(fast)
    inside = slow.beats[(slow.beats > 0) & (slow.beats < DURATION)]
    assert all(np.abs(fast.beats - beat).min() < 1e-9 for beat in inside)
    assert np.allclose(np.diff(fast.beats), 0.5)
    assert set(np.diff(fast.downbeats)) == {4}
    lines = fast.beats[fast.downbeats]
    old = slow.beats[slow.downbeats]
    assert all(np.abs(lines - line).min() < 1e-9 for line in old[(old > 0) & (old < DURATION)])


@pytest.mark.parametrize("bar", [0, 1, 2, 3])
def test_halving_keeps_the_beats_on_which_bars_begin(bar):
    fast = grid(240.0, bar=bar)
    slow = in_octave(fast, "gHO", DURATION)
    assert slow.tempo == 120.0
    assert covers(slow)
    assert np.allclose(np.diff(slow.beats), 0.5)
    inside = slow.beats[(slow.beats > 0) & (slow.beats < DURATION)]
    assert all(np.abs(fast.beats - beat).min() < 1e-9 for beat in inside)
    lines = slow.beats[slow.downbeats]
    old = fast.beats[fast.downbeats]
    assert all(np.abs(old - line).min() < 1e-9 for line in lines[(lines > 0) & (lines < DURATION)])
    assert set(np.diff(slow.downbeats)) == {4}


def test_beats_that_wander_are_halved_and_doubled_as_they_are():
    beats = np.cumsum(np.linspace(0.9, 1.1, 24)) - 0.9
    slow = BeatGrid(beats, np.arange(0, 24, 4), 60.0, 1.0)
    fast = doubled(slow)
    assert np.allclose(fast.beats[::2], beats)
    assert np.allclose(halved(fast).beats, beats)
    assert halved(fast).downbeats.tolist() == slow.downbeats.tolist()


def test_short_grids_can_be_halved():
    tiny = BeatGrid(np.array([0.0, 0.25]), np.array([1]), 240.0, 0.0)
    found = in_octave(tiny, "gHO", 0.2)
    assert len(found.beats) >= 2
    assert found.beats[0] <= 0.0
    assert found.beats[-1] >= 0.2
    assert 0.25 in found.beats


def test_covering_adds_and_removes_beats_at_both_ends_and_keeps_the_bars():
    short = BeatGrid(np.arange(5.1, 9.0, 0.5), np.array([2, 6]), 120.0, 0.5)
    found = short.covering(DURATION)
    assert covers(found)
    assert np.allclose(np.diff(found.beats), 0.5)
    lines = found.beats[found.downbeats]
    assert np.allclose(np.diff(lines), 2.0)
    assert np.abs(lines - 6.1).min() < 1e-9
    assert lines[0] < 2.0 + found.beats[0]
    back = found.covering(4.0)
    assert len(back.beats) < len(found.beats)
    assert back.beats[-2] < 4.0 <= back.beats[-1]
    assert np.allclose(np.diff(back.beats[back.downbeats]), 2.0)


def test_a_grid_beside_the_clip_is_carried_on_into_it():
    for start in (-30.0, 50.0):
        found = BeatGrid(start + 0.5 * np.arange(9), np.array([1, 5]), 120.0, 0.5).covering(DURATION)
        assert covers(found)
        assert np.allclose(np.diff(found.beats), 0.5)
        assert len(found.downbeats) >= 9
