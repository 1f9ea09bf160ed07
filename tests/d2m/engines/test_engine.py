"""The vq engine on its shipped weights: length, level, windows, seeds, conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m import engines
from d2m.audio.loudness import loudness
from d2m.audio.mastering import master
from d2m.engines import vq
from d2m.errors import D2MError
from d2m.generator.band import band_of
from d2m.load_librosa import load_librosa
from d2m.types import BeatGrid, Dance, Motion

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> vq.VqEngine:
    return engines.load("vq")


@pytest.fixture(scope="module")
def dance() -> Dance:
    rng = np.random.default_rng(3)
    duration, fps = 5.3, 30.0
    time = np.arange(int(duration * fps)) / fps
    joints = np.tile(rng.uniform(0.2, 0.8, (33, 3)), (len(time), 1, 1))
    joints[..., 1] += 0.03 * np.abs(np.sin(np.pi * 2 * time))[:, None]
    motion = Motion(joints.astype(np.float32), fps, "mediapipe33", np.ones((len(time), 33), np.float32))
    grid = BeatGrid.steady(120, duration)
    beats = len(grid.beats)
    return Dance(duration, motion, grid, np.full(beats, 0.7, np.float32), np.full(beats, 0.5, np.float32), "gHO")


@pytest.fixture(scope="module")
def soundtrack(engine, dance):
    return engine.compose(dance, seed=1)


def test_music_is_as_long_as_the_dance(soundtrack, dance):
    assert soundtrack.waveform.shape == (2, round(dance.duration * soundtrack.sample_rate))
    assert soundtrack.sample_rate == 44100
    assert soundtrack.waveform.dtype == np.float32
    assert soundtrack.codes.shape[1] == int(np.ceil(dance.duration * 22050 / 256))


def test_level_is_even_and_never_clips(soundtrack):
    wave = soundtrack.waveform
    peak = 20 * np.log10(np.abs(wave).max())
    assert -12 < peak < -0.1
    assert -24 < loudness(wave, 44100) < -10
    seconds = wave[0, : 5 * 44100].reshape(5, -1)
    assert np.sqrt((seconds**2).mean(1)).min() > 0.01


def test_it_is_the_beat_that_is_heard(soundtrack, dance):
    librosa = load_librosa()
    strength = librosa.onset.onset_strength(y=soundtrack.waveform.mean(0), sr=44100, hop_length=512)
    on = dance.grid.beats[(dance.grid.beats > 0.2) & (dance.grid.beats < 5)]
    near = [strength[max(0, int(b * 22050 / 256) - 2) : int(b * 22050 / 256) + 4].max() for b in on]
    assert np.mean(near) > 1.5 * strength.mean()


def test_same_seed_same_music_other_seed_other_music(engine, dance, soundtrack):
    again, other = engine.compose(dance, seed=1), engine.compose(dance, seed=2)
    np.testing.assert_allclose(again.waveform, soundtrack.waveform, atol=1e-4)
    assert np.abs(other.waveform - soundtrack.waveform).max() > 0.1


def test_windows_meet_without_a_seam(engine, dance, soundtrack, monkeypatch):
    monkeypatch.setattr(vq, "_WINDOW", 100)
    pieces = engine.compose(dance, seed=1)
    # A code on the border between two entries may fall to either side; the music stays the same.
    assert (pieces.codes == soundtrack.codes).mean() > 0.999
    difference = np.abs(pieces.waveform - soundtrack.waveform)
    assert np.quantile(difference, 0.99) < 1e-3


def test_a_dance_without_a_dancer_or_genre_gets_music_too(engine, dance):
    music = engine.compose(replace(dance, motion=None, genre=None), seed=1)
    assert music.waveform.std() > 0.02


def test_half_a_second_is_enough(engine, dance):
    grid = BeatGrid.steady(120, 0.5)
    ones = np.ones(len(grid.beats), np.float32)
    short = replace(dance, duration=0.5, grid=grid, energy=ones, accents=ones, motion=None)
    assert engine.compose(short).waveform.shape == (2, 22050)


def test_the_library_plays_effects_and_voices_beside_the_generator(engine, dance):
    score = engine.arranger.write(replace(dance, genre="gKR"), 1)
    added = [part for part in score.parts if part.is_effect or part.is_vocal]
    assert added
    both = engine.perform(score, dance, seed=1).waveform
    band = engine.perform(band_of(score), dance, seed=1).waveform
    assert np.abs(band[0] - band[1]).max() < 1e-6
    assert np.abs(both - band).max() > 0.01
    # They are heard, and do not cover the band.
    assert np.corrcoef(both.mean(0), band.mean(0))[0, 1] > 0.6


@pytest.mark.parametrize("level", ["high", "low"])
def test_the_same_music_comes_through_the_jukebox_codec(dance, soundtrack, level):
    short = replace(dance, duration=3.0, motion=None)
    heard = engines.load("vq", codec="jukebox", level=level).compose(short, seed=1)
    assert heard.waveform.shape == (1, 3 * 22050)
    assert heard.codes.shape == (1, -(-3 * 22050 // {"high": 128, "low": 32}[level]))
    assert heard.provenance["weights"][-1] == "studio-vqvae"
    assert heard.provenance["details"] == {"codec": "jukebox", "level": level, "arranger": "composer"}
    through_spectral = engines.load("vq").compose(short, seed=1).waveform.mean(0)[::2]
    level_of = [np.abs(w.reshape(-1, 2205)).mean(1) for w in (heard.waveform[0], through_spectral)]
    assert np.corrcoef(*level_of)[0, 1] > 0.6


@pytest.mark.parametrize(
    "options", [{"name": "organ"}, {"codec": "mp3"}, {"codec": "jukebox", "level": "middle"}, {"weights": "nobody"}]
)
def test_what_does_not_exist_is_said(options):
    with pytest.raises(D2MError):
        engines.load(**options)


def test_weights_of_another_model_are_refused():
    with pytest.raises(D2MError, match="generator"):
        engines.load("vq", weights="studio-codec")


def test_master_brings_music_of_any_level_to_one():
    rng = np.random.default_rng(0)
    music = rng.normal(0, 1, (1, 3 * 22050)) * (0.2 + 0.1 * np.sin(np.arange(3 * 22050) / 500))
    loud, quiet = (master(music * gain, 22050, 3.0) for gain in (1.0, 0.01))
    assert loudness(loud, 22050) == pytest.approx(loudness(quiet, 22050), abs=0.2)
    assert loudness(loud, 22050) == pytest.approx(-14, abs=1)
    assert not master(np.zeros((1, 22050)), 22050, 1.0).any()
