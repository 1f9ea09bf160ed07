"""MuseGAN playing for a dancer: phrases chosen, tidied, laid on the beats, following the energy, ending at home."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from d2m.errors import D2MError
from d2m.sounds.patches import genre_sounds
from d2m.symbolic.chords import pitch_classes
from d2m.symbolic.musegan import MuseGan, configure, load
from d2m.symbolic.musegan.band import play_for
from d2m.symbolic.musegan.choice import Wanted, choose, measure
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.musegan.harmonise import read_phrase
from d2m.types import GENRES, BeatGrid

NAMES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")


@pytest.fixture(scope="module")
def muse() -> MuseGan:
    return load()


@pytest.fixture(scope="module")
def score(muse):
    grid = BeatGrid.steady(112, 30.0, first_beat=0.2)
    count = len(grid.beats)
    energy = np.where(np.arange(count) < count / 2, 0.1, 0.95).astype(np.float32)
    accents = np.full(count, 0.3, np.float32)
    accents[[21, 38]] = 1.0
    return play_for(muse, grid, 30.0, "gMH", 4, energy=energy, accents=accents)


def untrained(**changes) -> MuseGan:
    torch.manual_seed(0)
    return MuseGan(Generator(replace(configure("hybrid"), width=8, latent=16, **changes)).eval().requires_grad_(False))


def phrase(*chords: tuple[int, ...], steps: int = 16) -> np.ndarray:
    """A bar for each chord: piano holds it, the bass its first note."""
    held = np.zeros((len(chords), steps, 72, 5), bool)
    for bar, keys in enumerate(chords):
        held[bar, :, [key - 24 for key in keys], 1] = True
        held[bar, :, keys[0] % 12 + 12, 3] = True
    return held


def test_every_note_is_in_the_key_that_the_score_names(score):
    tonic, mode = score.key.split(":")
    scale = pitch_classes("minor" if mode == "min" else "major", NAMES.index(tonic))
    for part in score.parts:
        if not part.is_drum:
            assert set(part.pitches % 12) <= scale


def test_the_piece_fills_the_dance_and_ends_at_home(score):
    assert score.duration == 30.0
    assert {part.track for part in score.parts} >= {"drums", "bass", "piano"}
    last = float(score.grid.position_of(30.0))
    finals = {part.track: round(part.starts.max(), 1) for part in score.parts}
    final = finals["drums"]
    assert final > last - 4
    bass = next(part for part in score.parts if part.track == "bass")
    assert bass.pitches[-1] % 12 == NAMES.index(score.key.split(":")[0])
    assert abs(bass.starts[-1] - final) < 0.2
    assert abs(final - round(final)) < 0.1


def test_the_beats_are_the_dancers(score):
    drums = next(part for part in score.parts if part.is_drum)
    beats = np.arange(np.ceil(score.grid.position_of(0.0)), np.floor(drums.starts.max()))
    kept = [np.abs(drums.starts - beat).min() < 0.06 for beat in beats]
    assert np.mean(kept) > 0.95


def test_strong_moves_are_struck_by_the_band(score):
    drums = next(part for part in score.parts if part.is_drum)
    for beat in (21, 38):
        near = np.abs(drums.starts - beat) < 0.06
        assert set(drums.pitches[near]) & {49, 57}


def test_little_movement_means_little_music(score):
    middle = len(score.grid.beats) / 2
    quiet = sum(int((part.starts < middle - 2).sum()) for part in score.parts)
    busy = sum(int((part.starts >= middle + 2).sum()) for part in score.parts)
    assert busy > 1.4 * quiet


@pytest.mark.slow
@pytest.mark.parametrize("genre", GENRES)
def test_every_genre_has_its_own_instruments(muse, genre):
    grid = BeatGrid.steady(100, 6.0)
    made = play_for(muse, grid, 6.0, genre, 1)
    patches = {part.track: part.patch for part in made.instruments().parts}
    assert patches["drums"] in genre_sounds()[genre].weights["drums"]
    assert patches["bass"] in genre_sounds()[genre].weights["bass"]
    assert made.genre == genre


@pytest.mark.slow
def test_the_same_seed_plays_the_same(muse):
    grid = BeatGrid.steady(120, 5.0)
    first, again, other = (play_for(muse, grid, 5.0, "gHO", seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a.starts, b.starts) for a, b in zip(first.parts, again.parts, strict=True))
    assert [len(p.starts) for p in first.parts] != [len(p.starts) for p in other.parts]


@pytest.mark.slow
def test_odd_lengths_and_grids_are_played(muse):
    for seconds in (0.4, 1.7, 40.0):
        made = play_for(muse, BeatGrid.steady(87, seconds, first_beat=0.3), seconds, "gJB", 0)
        assert made.parts
    grid = replace(BeatGrid.steady(120, 12.0), downbeats=np.array([0, 3, 7, 12, 16, 19]))
    assert play_for(muse, grid, 12.0, "gKR", 0).parts


@pytest.mark.slow
def test_what_cannot_be_played_is_named(muse):
    grid = BeatGrid.steady(120, 5.0)
    with pytest.raises(D2MError, match="no style for genre 'polka'"):
        play_for(muse, grid, 5.0, "polka", 0)
    with pytest.raises(D2MError, match="positive number"):
        play_for(muse, grid, float("nan"), "gHO", 0)
    with pytest.raises(D2MError, match="is conditioned on a track"):
        play_for(untrained(condition=1), grid, 5.0, "gHO", 0)
    silent = untrained()
    silent.generator.start_from(torch.zeros(16, 72, 5), torch.ones(5))
    with pytest.raises(D2MError, match="only silence"):
        play_for(silent, grid, 5.0, "gHO", 0)


def test_chords_are_read_in_c_whatever_the_key():
    chords = ((62, 66, 69), (67, 71, 74), (57, 61, 64), (59, 62, 66))
    held = phrase(*chords)
    pool = measure(held[None], 24, np.zeros(1, int))
    assert pool.tonic.tolist() == [2]
    read = read_phrase(held, 2, untrained())
    assert [(chord.root, chord.quality) for chord in read.chords] == [(0, "maj"), (5, "maj"), (7, "maj"), (9, "m")]
    assert sorted(read.bar(1, 0)[:, 2]) == [60, 64, 67]
    assert [chord.start for chord in read.chords] == [0, 4, 8, 12]


def test_two_chords_in_a_bar_are_two_chords():
    held = phrase((60, 64, 67), (60, 64, 67))
    held[1, 8:] = phrase((67, 71, 74))[0, 8:]
    read = read_phrase(held, 0, untrained())
    assert [(chord.start, chord.root) for chord in read.chords] == [(0, 0), (4, 0), (6, 7)]


def test_a_silent_bar_keeps_the_chord_before_it():
    held = phrase((57, 60, 64), (60, 64, 67))
    held[1] = False
    assert [chord.root for chord in read_phrase(held, 0, untrained()).chords] == [9, 9]


def test_clean_phrases_are_chosen_and_come_back():
    rng = np.random.default_rng(0)
    tonal = [phrase((60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67)) for _ in range(3)]
    for number, held in enumerate(tonal):
        held[:, :: 4 - number, 20, 0] = True
    noise = [rng.random((4, 16, 72, 5)) < 0.06 for _ in range(3)]
    pool = measure(np.stack(noise + tonal), 24, np.array([0, 0, 0, 1, 1, 1]))
    assert pool.clean[3:].min() > pool.clean[:3].max() + 0.1
    chosen = choose(pool, [Wanted("verse", 0.0), Wanted("chorus", 1.0), Wanted("verse", 0.0), Wanted("lift", 0.5)])
    assert min(chosen) >= 3
    assert chosen[0] == chosen[2]
    assert len({chosen[0], chosen[1], chosen[3]}) == 3
    assert pool.fullness[chosen[1]] > pool.fullness[chosen[0]]
    assert len(choose(pool, [Wanted(str(i), 0.5) for i in range(8)])) == 8
