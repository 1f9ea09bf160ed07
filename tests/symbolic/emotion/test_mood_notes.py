"""The steps of a mood: modes, registers, density, feel and articulation of notes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.symbolic.emotion.mood_harmony import harmony_of, mode_at, move_register, reharmonise, scale_of
from d2m.symbolic.emotion.mood_notes import pulse_of, strokes
from d2m.symbolic.emotion.mood_rhythm import change_articulation, change_density, change_feel
from d2m.symbolic.emotion.mood_table import MODES
from d2m.types import BeatGrid, Part, Score


def part_of(track: str, notes: list[tuple[float, float, int]], program: int = 0, patch: str = "") -> Part:
    starts, ends, keys = (np.array(column) for column in zip(*sorted(notes), strict=True))
    return Part(track, program, starts * 1.0, ends * 1.0, keys, np.full(len(starts), 80), patch=patch)


def in_chords(*chords: tuple[int, ...], key: str | None = "C:min") -> Score:
    """A bar of four beats of each chord, its root an octave lower in the bass."""
    rows = [(4.0 * i, 4.0 * i + 3.9, 60 + tone) for i, chord in enumerate(chords) for tone in chord]
    roots = [(4.0 * i, 4.0 * i + 3.9, 36 + chord[0]) for i, chord in enumerate(chords)]
    grid = BeatGrid.steady(120, 2.0 * len(chords))
    return Score((part_of("piano", rows), part_of("bass", roots, 33)), grid, 2.0 * len(chords), None, key)


def chords_of(score: Score) -> list[set[int]]:
    part = score.parts[0]
    return [
        set((part.pitches[part.starts // 4 == bar] % 12).tolist()) for bar in range(int(part.starts.max() // 4) + 1)
    ]


def test_modes_lose_one_raised_degree_after_the_other():
    assert [scale_of(number) for number in (1, 3, 4, 5)] == [
        (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 9, 10), (0, 2, 3, 5, 7, 8, 10), (0, 1, 3, 5, 7, 8, 10),
    ]  # fmt: skip
    sums = [sum(scale_of(number)) for number in range(len(MODES))]
    assert np.diff(sums).tolist() == [-1] * 5


def test_the_mode_is_reached_step_by_step_and_never_left():
    ionian, aeolian, phrygian = (MODES.index(name) for name in ("ionian", "aeolian", "phrygian"))
    assert [mode_at(ionian, aeolian, s) for s in (0.0, 0.25, 0.5, 1.0)] == [1, 2, 3, 4]
    assert [mode_at(aeolian, ionian, s) for s in (0.0, 0.25, 0.5, 1.0)] == [4, 3, 2, 1]
    assert mode_at(phrygian, aeolian, 1.0) == phrygian
    assert mode_at(0, ionian, 1.0) == 0


def changed_mode(score: Score, mode: str) -> Score:
    harmony = harmony_of(score, pulse_of(score))
    return reharmonise(score, harmony, MODES.index(mode))


def test_a_minor_progression_becomes_major_with_its_major_chord_on_the_lowered_seventh():
    score = in_chords((0, 3, 7), (8, 0, 3), (10, 2, 5), (5, 8, 0))
    major = changed_mode(score, "ionian")
    assert chords_of(major) == [{0, 4, 7}, {9, 0, 4}, {10, 2, 5}, {5, 9, 0}]
    assert major.key == "C:maj"
    np.testing.assert_array_equal(major.parts[1].pitches % 12, [0, 9, 10, 5])


def test_a_major_progression_becomes_minor():
    score = in_chords((0, 4, 7, 11), (9, 0, 4), (5, 9, 0), (7, 11, 2), key="C:maj")
    minor = changed_mode(score, "aeolian")
    assert chords_of(minor) == [{0, 3, 7, 10}, {8, 0, 3}, {5, 8, 0}, {7, 10, 2}]
    assert minor.key == "C:min"


def test_the_leading_tone_of_a_minor_dominant_is_not_a_degree_that_moves():
    score = in_chords((0, 3, 7), (7, 11, 2, 5), (5, 8, 0), (0, 3, 7))
    assert chords_of(changed_mode(score, "ionian"))[1] == {7, 11, 2, 5}
    assert chords_of(changed_mode(score, "phrygian"))[1] == {7, 11, 2, 5}


def test_no_note_comes_to_lie_a_semitone_above_its_root():
    # The ninth of a minor chord on the second degree: E over D would be E flat over D.
    score = in_chords((2, 5, 9, 4), (7, 11, 2, 5), (0, 4, 7), (0, 4, 7), key="C:maj")
    assert chords_of(changed_mode(score, "aeolian"))[0] == {2, 5, 8}


def test_a_score_without_a_key_is_given_one():
    score = in_chords((0, 4, 7), (5, 9, 0), (7, 11, 2), (0, 4, 7), key=None)
    assert changed_mode(score, "phrygian").key == "C:min"


def test_register_moves_chords_by_inversion_within_the_range_of_the_patch():
    score = in_chords((0, 4, 7), (5, 9, 12), key="C:maj")
    harmony = harmony_of(score, pulse_of(score))
    up = move_register(score, harmony, 4.0, np.random.default_rng(0))
    assert up.parts[0].pitches.tolist() == [64, 67, 72, 69, 72, 77]
    np.testing.assert_array_equal(up.parts[1].pitches, score.parts[1].pitches)
    narrow = replace(score, parts=(replace(score.parts[0], pitches=score.parts[0].pitches + 12, patch="keys.clav"),))
    harmony = harmony_of(narrow, pulse_of(narrow))
    assert move_register(narrow, harmony, 8.0, np.random.default_rng(0)).parts[0].pitches.max() <= 90


def test_low_notes_do_not_go_lower():
    score = in_chords((0, 4, 7), (5, 9, 12), key="C:maj")
    low = replace(score, parts=(replace(score.parts[0], pitches=score.parts[0].pitches - 24), score.parts[1]))
    moved = move_register(low, harmony_of(low, pulse_of(low)), -8.0, np.random.default_rng(0))
    assert moved.parts[0].pitches.tolist() == low.parts[0].pitches.tolist()


def test_thinning_empties_weak_places_first_and_the_same_in_every_bar():
    pulse = pulse_of(Score((), BeatGrid.steady(120, 8.0), 8.0))
    part = part_of("piano", [(i / 4, i / 4 + 0.2, 60 + key) for i in range(64) for key in (0, 4, 7)])
    before = set(part.starts.tolist())
    for density in (-0.2, -0.4, -0.6):
        thin = change_density(part, pulse, density, 16.0, np.random.default_rng(0))
        left = set(thin.starts.tolist())
        assert left < before
        assert len(left) == round(64 * (1 + density))
        assert len(thin.starts) == 3 * len(left)
        before = left
    # Strokes on beats are removed last.
    assert {float(at) for at in range(16)} <= left
    held = replace(part, ends=part.starts + 3.0)
    assert change_density(held, pulse, -0.6, 16.0, np.random.default_rng(0)) is held


def test_drums_lose_hi_hats_between_the_beats_and_gain_them_on_free_places():
    pulse = pulse_of(Score((), BeatGrid.steady(120, 8.0), 8.0))
    hats = [(i / 2, i / 2 + 0.1, 42) for i in range(32)]
    drums = part_of("drums", [*hats, *((2.0 * i, 2.0 * i + 0.1, 36) for i in range(8)), (1.75, 1.8, 38)])
    thin = change_density(drums, pulse, -0.9, 16.0, np.random.default_rng(0))
    assert sorted(thin.starts[thin.pitches == 42].tolist()) == [float(i) for i in range(16)]
    assert (thin.pitches == 36).sum() == 8
    assert (thin.pitches == 38).sum() == 1
    full = change_density(drums, pulse, 0.5, 16.0, np.random.default_rng(0))
    assert (full.pitches == 42).sum() == 48
    assert (np.diff(np.sort(full.starts[full.pitches == 42])) > 0.2).all()


def test_half_time_puts_the_backbeat_on_three_and_double_time_between_the_beats():
    pulse = pulse_of(Score((), BeatGrid.steady(120, 8.0), 8.0))
    hats = [(i / 2, i / 2 + 0.1, 42) for i in range(32)]
    snares = [(4.0 * bar + beat, 4.0 * bar + beat + 0.1, 38) for bar in range(4) for beat in (1, 3)]
    drums = part_of("drums", [*hats, *snares])
    half = change_feel(drums, pulse, "half", 1.0)
    on = {at: half.velocities[(half.pitches == 38) & (half.starts == at)].tolist() for at in (1.0, 2.0, 3.0)}
    assert on == {1.0: [36], 2.0: [80], 3.0: [36]}
    assert half.velocities[(half.pitches == 38) & (half.starts == 1.0)] == round(0.45 * 80)
    double = change_feel(drums, pulse, "double", 1.0)
    assert sorted(set(double.starts[double.pitches == 38].tolist()) - {s for s, _, _ in snares})[:3] == [0.5, 1.5, 2.5]
    assert change_feel(drums, pulse, "half", 0.0) is drums


def test_articulation_shortens_notes_or_holds_them_to_the_next_stroke():
    part = part_of("piano", [(0.0, 0.5, 60), (0.0, 0.5, 64), (1.0, 1.5, 60), (2.0, 5.0, 60), (6.0, 7.0, 60)])
    short = change_articulation(part, 0.5)
    assert (short.ends - short.starts).tolist() == [0.25, 0.25, 0.25, 3.0, 1.0]
    held = change_articulation(part, 2.0)
    assert held.ends.tolist() == [1.0, 1.0, 2.0, 6.0, 7.0]
    assert change_articulation(part, 1.5).ends.tolist() == [0.75, 0.75, 1.75, 5.5, 7.0]


def test_strokes_are_notes_that_start_together():
    part = part_of("guitar", [(0.0, 1.0, 60), (0.03, 1.0, 64), (0.06, 1.0, 67), (0.25, 1.0, 60), (1.0, 2.0, 60)])
    assert strokes(part).tolist() == [0, 0, 0, 1, 2]
