"""Every metric on music whose figures are known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.symbolic.metrics import (
    Tally,
    count_roll,
    drum_pattern,
    pitch_class_profile,
    qualified_steps,
    tonal_centroid,
    tonal_distance,
)
from d2m.symbolic.pianoroll import Metre, PianoRoll, fill

DRUMS, PIANO, GUITAR, BASS, STRINGS = range(5)


def phrase(steps: int, bars: int = 4, pitches: int = 84) -> np.ndarray:
    """bool (1, bars, steps, pitches, 5), silent; the lowest key is C1, 24."""
    return np.zeros((1, bars, steps, pitches, 5), dtype=bool)


def measured(held: np.ndarray, **more):
    tally = Tally(held.shape[2])
    tally.add(held, 24, **more)
    return tally.metrics()


def test_empty_bars():
    held = phrase(16)
    held[0, 0, 3, 30, PIANO] = held[0, 2, 0, 10, BASS] = held[0, 3, 0, 10, BASS] = True
    found = measured(held).empty_bars
    assert found == {"drums": 100.0, "piano": 75.0, "guitar": 100.0, "bass": 50.0, "strings": 100.0}


def test_used_pitch_classes_fold_octaves_and_leave_empty_bars_out():
    held = phrase(96)
    for key in (0, 12, 24, 4, 7, 83):  # C in three octaves, E, G, B
        held[0, 0, 5:20, key, PIANO] = True
    held[0, 1, :, 0, PIANO] = True
    assert measured(held).used_pitch_classes["piano"] == pytest.approx((4 + 1) / 2)


def test_neighbouring_keys_are_different_pitch_classes():
    # Folding 84 keys in groups of seven, as the published code does, would call these two classes.
    held = phrase(96)
    held[0, :, :, :12, PIANO] = True
    assert measured(held).used_pitch_classes["piano"] == 12


@pytest.mark.parametrize(("steps", "least"), [(96, 3), (64, 2), (48, 2), (32, 2), (16, 2), (192, 6)])
def test_a_note_qualifies_from_a_32nd_on(steps, least):
    assert qualified_steps(steps) == least


def test_qualified_notes():
    held = phrase(96)
    held[0, 0, 0:2, 20, PIANO] = True  # two steps: too short
    held[0, 0, 10:13, 20, PIANO] = True  # three: qualified
    held[0, 0, 94:, 25, PIANO] = held[0, 1, :1, 25, PIANO] = True  # three, over the bar line
    held[0, 3, 50, 25, PIANO] = True
    assert measured(held).qualified_notes["piano"] == pytest.approx(50.0)
    assert np.isnan(measured(held).qualified_notes["bass"])


def test_repeated_notes_count_one_by_one_if_their_onsets_are_known():
    held, onsets = phrase(16), phrase(16)
    held[0, 0, :8, 20, BASS] = True
    onsets[0, 0, [0, 4, 5, 6], 20, BASS] = True
    assert measured(held).qualified_notes["bass"] == 100.0
    assert measured(held, onsets=onsets).qualified_notes["bass"] == 50.0


def test_drum_pattern_at_96_steps():
    held = phrase(96)
    for step in (0, 12, 24, 30, 48, 54, 72, 90):  # sixteenths
        held[0, 0, step : step + 3, 12, DRUMS] = True
    held[0, 0, 8, 14, DRUMS] = held[0, 0, 40, 14, DRUMS] = True  # triplets
    assert measured(held).drum_pattern == pytest.approx(80.0)


def test_drum_pattern_at_16_steps_prefers_eighths():
    held = phrase(16)
    held[0, 0, ::2, 18, DRUMS] = True
    assert measured(held).drum_pattern == 100.0
    held[0, 0, :, 18, DRUMS] = True  # every step is a stroke, though the key sounds throughout
    assert measured(held).drum_pattern == pytest.approx(100 * (8 + 0.8) / 16)
    assert drum_pattern(16).sum() == pytest.approx(8.8)
    assert drum_pattern(48)[::3].sum() == drum_pattern(48).sum() == 16


def test_tonal_centroid_is_that_of_harte():
    # A single C is at angle 0 of all three circles; a fifth up turns by 7 * 210 degrees on the first.
    np.testing.assert_allclose(tonal_centroid(np.eye(12)[0]), [0, 1, 0, 1, 0, 0.5], atol=1e-12)
    g = tonal_centroid(np.eye(12)[7])
    np.testing.assert_allclose(g[:2], [np.sin(49 / 6 * np.pi), np.cos(49 / 6 * np.pi)], atol=1e-12)
    # The whole-tone pair is nearer on the circle of fifths than the semitone pair.
    c, d, c_sharp = (tonal_centroid(np.eye(12)[i])[:2] for i in (0, 2, 1))
    assert np.linalg.norm(c - d) < np.linalg.norm(c - c_sharp)


def test_tonal_distance_of_known_chords():
    def chord(*keys: int) -> np.ndarray:
        roll = np.zeros((4, 84), bool)
        roll[:, list(keys)] = True
        return roll

    c_major = chord(0, 4, 7)
    assert tonal_distance(c_major, chord(12, 28, 43), 24) == pytest.approx(0.0, abs=1e-12)
    assert tonal_distance(c_major, chord(7, 11, 14), 24) < tonal_distance(c_major, chord(6, 10, 13), 24)
    # Two single keys a tritone apart: opposite on the circles of fifths and minor thirds' pair, equal on the third.
    assert tonal_distance(chord(0), chord(6), 24) == pytest.approx(np.sqrt(4 + 4 + 0), abs=1e-9)
    assert np.isnan(tonal_distance(c_major, chord()))


def test_tonal_distance_is_measured_where_both_tracks_sound():
    held = phrase(16)
    held[0, 0, 0:8, 0, PIANO] = True  # C for two beats
    held[0, 0, 4:8, 12, GUITAR] = True  # C in the second
    held[0, 1, 0:4, 0, PIANO] = True
    held[0, 1, 0:4, 6, GUITAR] = True  # against F sharp
    found = measured(held).tonal_distance
    assert found["piano-guitar"] == pytest.approx(np.sqrt(8) / 2)
    assert np.isnan(found["piano-bass"])
    assert len(found) == 6


def test_pitch_classes_count_from_c_wherever_the_roll_begins():
    profile = pitch_class_profile(np.eye(72)[7][None], 21)
    assert profile[0].argmax() == 28 % 12


def test_polyphony_keys_range_and_density():
    held = phrase(16)
    held[0, 0, :4, [10, 14, 17], PIANO] = True
    held[0, 1, :4, 40, PIANO] = True
    found = measured(held)
    assert found.polyphony["piano"] == 50.0
    assert found.keys_at_once["piano"] == 2.0
    assert (found.lowest["piano"], found.highest["piano"]) == (34.0, 64.0)
    assert found.notes_per_bar["piano"] == 1.0
    assert found.to_json()["lowest"]["bass"] is None


def test_in_scale_takes_the_best_scale_of_the_phrase_or_the_given_one():
    held = phrase(16)
    for step, key in enumerate((2, 4, 6, 7, 9, 11, 13)):  # D major
        held[0, 0, step, key, PIANO] = True
    held[0, 0, 0, 3, BASS] = held[0, 0, 1, 4, BASS] = True
    found = measured(held).in_scale
    assert found["piano"] == 100.0
    assert found["bass"] == 50.0
    tally = Tally(16, (0, 2, 4, 5, 7, 9, 11))
    tally.add(held, 24)
    assert tally.metrics().in_scale["piano"] == pytest.approx(100 * 5 / 7)


def test_tallies_add_up_and_go_through_json():
    rng = np.random.default_rng(0)
    held = rng.random((12, 4, 16, 72, 5)) < 0.03
    whole = Tally(16)
    whole.add(held, 24)
    parts = [Tally(16) for _ in range(3)]
    for i, part in enumerate(parts):
        part.add(held[4 * i : 4 * i + 4], 24)
    first = Tally.from_json(parts[0].to_json())
    for other in parts[1:]:
        first.merge(other)
    assert first.metrics().to_json() == whole.metrics().to_json()


def roll(beats_in_bar: int) -> PianoRoll:
    held, onsets = fill([np.zeros((0, 3), int)] + [np.array([[0, 24, 60], [24, 96, 64]])] * 4, 192)
    lines = np.arange(0, 192, 24 * beats_in_bar)
    return PianoRoll(held, onsets, 24, np.full(192, 120.0), lines, (Metre(0, beats_in_bar, 4),))


def test_files_are_measured_by_their_bars_in_four_four():
    tally = Tally(96)
    count_roll(roll(4), tally)
    found = tally.metrics()
    assert (found.phrases, found.bars) == (1, 2)
    assert found.empty_bars["piano"] == 50.0
    with pytest.raises(D2MError, match="4/4"):
        count_roll(roll(3), Tally(96))


@pytest.mark.parametrize("beats_in_bar", [1, 2])
def test_short_bars_are_taken_together_by_four_quarters(beats_in_bar):
    tally, usual = Tally(96), Tally(96)
    assert count_roll(roll(beats_in_bar), tally) == (2, 2)
    count_roll(roll(4), usual)
    assert tally.metrics().to_json() == usual.metrics().to_json()


def test_bars_in_other_metres_are_counted_and_named(tmp_path, capsys):
    import pretty_midi

    song = pretty_midi.PrettyMIDI(initial_tempo=120)
    piano = pretty_midi.Instrument(0)
    piano.notes = [pretty_midi.Note(90, 60, 0.5 * beat, 0.5 * beat + 0.4) for beat in range(14)]
    song.instruments = [piano]
    # Two bars of 4/4, then two of 3/4.
    song.time_signature_changes = [pretty_midi.TimeSignature(4, 4, 0.0), pretty_midi.TimeSignature(3, 4, 4.0)]
    song.write(str(tmp_path / "song.mid"))
    assert main(["symbolic", "metrics", str(tmp_path / "song.mid"), "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["bars"] == 2
    assert told.err.endswith("song.mid: 2 of 4 bars are not in 4/4 and were left out\n")


def test_pypianoroll_agrees_where_it_is_right():
    metrics = pytest.importorskip("pypianoroll").metrics
    rng = np.random.default_rng(5)
    held = np.zeros((1, 4, 96, 128, 5), bool)
    held[..., PIANO] = rng.random((1, 4, 96, 128)) < 0.4
    tally = Tally(96)
    tally.add(held, 0)
    flat = held[0, ..., PIANO].reshape(-1, 128)
    found = tally.metrics()
    padded = np.pad(flat, ((1, 1), (0, 0))).astype(int)
    # Its own note lengths mix up keys, since it looks along the wrong axis; counted here key by key.
    lengths = np.concatenate(
        [np.flatnonzero(d < 0) - np.flatnonzero(d > 0) for d in np.diff(padded, axis=0).T]
    )  # fmt: skip
    assert found.qualified_notes["piano"] == pytest.approx(100 * (lengths >= 3).mean())
    assert found.lowest["piano"] == metrics.pitch_range_tuple(flat)[0]
    assert metrics.polyphonic_rate(flat, 1) == pytest.approx(found.polyphony["piano"] / 100)
