"""Patches, effects, automation and stems: what makes a score a record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from d2m.audio.presets import CHANNELS, characters
from d2m.cli.main import main
from d2m.datasets.studio.music import read_score, write_score
from d2m.generator.sketch import PATCH_PROGRAM, drum_programs, patch_numbers, sketch
from d2m.sounds.patches import genre_sounds, patches
from d2m.symbolic.composer import compose
from d2m.symbolic.composer.dress import dress
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.sound import find_soundfont, render, render_stems
from d2m.symbolic.sound.channels import channels_of
from d2m.types import GENRES, BeatGrid, Lane, Part, Score

RATE = 44100


def song(genre: str, seconds: float = 40.0, seed: int = 0, tempo: float = 112.0) -> Score:
    return compose(BeatGrid.steady(tempo, seconds), seconds, genre, np.random.default_rng(seed))


def power(wave: np.ndarray) -> float:
    return float(np.mean(np.square(wave, dtype=np.float64)))


@pytest.mark.parametrize("genre", GENRES)
def test_a_genre_is_played_by_its_own_patches(genre):
    weights = genre_sounds()[genre].weights
    allowed = {name for slot in weights.values() for name in slot}
    parts = [part for seed in range(4) for part in song(genre, seed=seed).parts]
    dressed = [part.patch for part in parts if not part.is_vocal]
    named = [name for name in dressed if name]
    assert set(named) <= allowed
    assert len(named) > 0.8 * len(dressed)
    assert len(set(named)) > 6


def test_parts_are_moved_into_the_range_of_their_patch_or_keep_their_program():
    notes = np.array([0.0, 1.0]), np.array([1.0, 2.0])
    low = Part("bass", 33, *notes, np.array([12, 19]), np.array([90, 90]))
    wide = Part("guitar", 27, *notes, np.array([20, 120]), np.array([90, 90]))
    score = Score((low, wide), BeatGrid.steady(120, 2.0), 2.0, "gMH")
    moved, kept = dress(score, np.random.default_rng(0)).parts
    patch = patches()[moved.patch]
    assert (moved.pitches >= patch.low).all()
    assert set((moved.pitches - low.pitches).tolist()) <= {12, 24}
    assert not kept.patch
    np.testing.assert_array_equal(kept.pitches, wide.pitches)


@pytest.mark.slow
def test_effects_lead_to_fuller_sections_and_stay_out_of_notes(tmp_path):
    risers = 0
    for seed in range(6):
        score = song("gHO", 60.0, seed, 124.0)
        effects = [part for part in score.parts if part.is_effect]
        assert effects
        risers += sum(len(part.starts) for part in effects if patches()[part.patch].leads)
        assert all(CHANNELS[channels_of(part)[0]] == "effects" for part in effects)
        assert len(sketch(score, 86.0, 0.0, 100).programs) == len(score.instruments().parts)
        back = read_midi(write_midi(score, tmp_path / "a.mid"))
        assert sum(len(p.starts) for p in back.parts) == sum(len(p.starts) for p in score.instruments().parts)
    assert risers >= 6


def test_effects_are_heard_from_the_library_only():
    grid = BeatGrid.steady(120, 4.0)
    boom = Part("strings", 0, np.zeros(1), np.ones(1), np.array([60]), np.array([110]), patch="fx.impact")
    score = Score((boom,), grid, 4.0)
    assert power(render(score, RATE)) > 1e-4
    assert not render(score, RATE, "TimGM6mb").any()


def test_a_score_keeps_patches_lanes_and_character_on_disk(tmp_path):
    score = song("gMH", 60.0, 3)
    write_score(tmp_path / "s.npz", score)
    back, _ = read_score(tmp_path / "s.npz")
    assert [part.patch for part in back.parts] == [part.patch for part in score.parts]
    assert back.character == score.character
    assert [(lane.target, lane.parameter) for lane in back.lanes] == [(x.target, x.parameter) for x in score.lanes]
    for one, other in zip(back.lanes, score.lanes, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_characters_are_drawn_by_genre():
    drawn = {song("gMH", 4.0, seed).character for seed in range(24)}
    assert drawn <= set(characters("gMH"))
    assert len(drawn) >= 3


def test_a_lane_of_the_score_is_heard_where_it_says():
    grid = BeatGrid.steady(60, 6.0)
    pad = Part("strings", 89, np.zeros(1), np.array([6.0]), np.array([60]), np.array([100]))
    plain = Score((pad,), grid, 6.0)
    faded = replace(plain, lanes=(Lane("pad", "gain", np.array([3.0, 3.1]), np.array([0.0, -80.0])),))
    sound = render(faded, RATE)[0]
    assert power(sound[2 * RATE : 3 * RATE]) > 1e4 * power(sound[int(5.2 * RATE) : int(5.8 * RATE)])


def test_the_mix_is_louder_where_the_dancer_moves_more():
    grid = BeatGrid.steady(120.0, 32.0)
    energy = np.where(np.arange(len(grid.beats)) < 32, 0.1, 0.9).astype(np.float32)
    score = compose(grid, 32.0, "gHO", np.random.default_rng(0), energy=energy)
    (swell,) = (lane for lane in score.lanes if lane.target == "mix" and lane.parameter == "gain")
    quiet, loud = (np.interp(np.arange(*span), swell.beats, swell.values).mean() for span in ((4, 24), (40, 60)))
    assert loud > quiet + 1.0
    assert (np.diff(swell.beats) > 0).all()
    assert (np.abs(swell.values) <= 3.0).all()


def test_patches_are_programs_of_a_sketch():
    score = song("gKR", 8.0)
    drawn = sketch(score, 86.0, 0.0, 600, patches=True)
    assert len(drawn.programs) == len(score.parts)
    for part, program in zip(score.parts, drawn.programs, strict=True):
        assert program == (
            PATCH_PROGRAM + patch_numbers()[part.patch] if part.patch else part.program + 128 * part.is_drum
        )
        assert drum_programs()[program] == part.is_drum


@pytest.mark.slow
def test_stems_add_up_to_the_mix_and_dry_ones_have_no_room():
    score = song("gWA", 6.0)
    made = render_stems(score)
    total = sum(made.stems.values())
    np.testing.assert_allclose(total, made.mix, atol=2e-3)
    dry = render_stems(score, before_bus=True)
    assert max(np.abs(stem).max() for stem in dry.stems.values()) == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    np.testing.assert_allclose(dry.mix, made.mix, atol=2e-3)


@pytest.mark.slow
def test_the_command_line_mixes_and_writes_stems(tmp_path, capsys):
    write_midi(song("gHO", 6.0), tmp_path / "a.mid")
    words = ["symbolic", "render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "a.wav")]
    assert main([*words, "--genre", "house", "--stems", str(tmp_path / "stems")]) == 0
    mix, rate = soundfile.read(tmp_path / "a.wav")
    stems = sorted((tmp_path / "stems").glob("*.wav"))
    assert {"kick", "bass"} <= {path.stem for path in stems}
    total = sum(soundfile.read(path)[0] for path in stems)
    assert rate == RATE
    assert np.abs(total - mix).max() < 3e-3
    assert main([*words, "--genre", "polka"]) == 1
    assert main([*words, "--dry-stems"]) == 1
    assert "--stems" in capsys.readouterr().err
    (tmp_path / "file").write_text("not a folder")
    assert main([*words, "--stems", str(tmp_path / "file")]) == 1
    assert "is a file" in capsys.readouterr().err


def test_the_library_is_the_default_font():
    assert find_soundfont().name == "studio.sf3"
    assert find_soundfont("studio") == find_soundfont()
    assert Path(find_soundfont("TimGM6mb")).suffix == ".sf2"
