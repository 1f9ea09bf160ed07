"""Recordings of the user on the dancer's beats: tempo, pitch, seams and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from d2m import engines
from d2m.engines.record import RATE, RecordEngine, choose_passages, fitting_ratio, stretched
from d2m.errors import D2MError
from d2m.features.sound_beats import SoundBeats, track_sound
from d2m.media import read_audio
from d2m.media.write import write_wav
from d2m.types import BeatGrid, Dance

pytestmark = pytest.mark.slow

mir_eval = pytest.importorskip("mir_eval")


def dance_of(tempo: float, seconds: float, first: float = 0.3) -> Dance:
    grid = BeatGrid.steady(tempo, seconds, first)
    energy = np.linspace(0.2, 0.9, len(grid.beats)).astype(np.float32)
    return Dance(seconds, None, grid, energy, np.zeros_like(energy), "gHO")


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A recording at 120 bpm of 16 s."""
    path = tmp_path_factory.mktemp("record") / "song.wav"
    sound = engines.load("symbolic").compose(dance_of(120.0, 16.0, 0.0), seed=2)
    write_wav(path, sound.waveform, sound.sample_rate)
    return RecordEngine(path)


def test_its_beats_are_the_dancers(record) -> None:
    dance = dance_of(127.0, 12.0)
    sound = record.compose(dance)
    assert sound.waveform.shape == (2, 12 * RATE)
    tracked = track_sound(sound.waveform, RATE)
    truth = dance.grid.beats[(dance.grid.beats >= 0) & (dance.grid.beats < 12)]
    assert mir_eval.beat.f_measure(truth, tracked.beats) > 0.9
    assert sound.provenance["details"]["stretch"] == pytest.approx(127 / 120 - 1, abs=0.005)
    assert np.abs(sound.waveform[:, -10:]).max() < 1e-3


def test_a_short_recording_is_repeated_and_no_seam_is_a_click(record) -> None:
    dance = dance_of(118.0, 30.0)
    passages = choose_passages(record._sound, record._beats, dance, 1.0)
    assert len(passages) > 1
    for before, after in zip(passages, passages[1:], strict=False):
        assert before.dance[-1] == after.dance[0]
    assert passages[0].dance[0] <= 0.0
    assert passages[-1].dance[-1] >= 30.0
    wave = record.compose(dance).waveform
    steps = np.abs(np.diff(wave, axis=1)).max(0)
    for passage in passages[1:]:
        at = round(passage.dance[0] * RATE)
        assert steps[at - 700 : at + 700].max() < np.quantile(steps, 0.9999)
    assert np.sqrt(np.mean(wave[:, 20 * RATE : 29 * RATE] ** 2)) > 0.03


def told(beats: np.ndarray) -> SoundBeats:
    """What a tracker says that has found these beats of bars of four at 120 bpm."""
    return SoundBeats(beats, np.arange(0, len(beats), 4), 120.0, 1.0, np.zeros((0, 2), np.float32), 100.0)


def clicks_at(beats: np.ndarray, seconds: float, gain: np.ndarray) -> np.ndarray:
    """A short noise at each beat, louder on the first of four."""
    sound = np.zeros((1, round(seconds * RATE)), np.float32)
    noise = np.random.default_rng(0).standard_normal(round(0.04 * RATE)) * np.linspace(1, 0, round(0.04 * RATE)) ** 2
    for number, beat in enumerate(beats):
        at = round(beat * RATE)
        part = sound[0, at : at + len(noise)]
        part += gain[number] * (0.3 if number % 4 == 0 else 0.15) * noise[: len(part)]
    return sound


def test_a_passage_in_which_the_beats_are_uneven_is_avoided() -> None:
    # The loudest bars are those in which the tracker has jumped by a fifth of a beat.
    beats = np.arange(100) * 0.5
    beats[52:] += 0.1
    gain = np.ones(100)
    gain[36:68] = 2.5
    sound = clicks_at(beats, 51.0, gain)
    dance = dance_of(120.0, 12.0)
    passages = choose_passages(sound, told(beats), dance, 1.0)
    assert len(passages) == 1
    assert not passages[0].record[0] < beats[52] < passages[0].record[-1]


def test_a_passage_that_is_tracked_otherwise_on_its_own_is_avoided() -> None:
    # In the loud half of the recording the beats are said to be half a beat from where they are.
    beats = np.arange(100) * 0.5 + 0.25
    gain = np.ones(100)
    gain[56:] = 3.0
    sound = clicks_at(beats, 51.0, gain)
    said = beats.copy()
    said[50:] += 0.25
    passages = choose_passages(sound, told(said), dance_of(120.0, 12.0), 1.0)
    assert passages[0].record[-1] <= beats[50]


@pytest.mark.parametrize(("dance", "ratio"), [(120.0, 1.0), (60.0, 2.0), (240.0, 0.5), (126.0, 1.0)])
def test_half_and_double_tempo_are_near(dance, ratio) -> None:
    found, change = fitting_ratio(120.0, dance)
    assert found == ratio
    assert abs(change) < 0.06


def test_tempos_that_are_far_apart_are_refused(record) -> None:
    with pytest.raises(D2MError, match=r"song.wav is at 120 bpm and the dance at 90: .* or add --tempo 120"):
        record.compose(dance_of(90.0, 8.0))


def test_the_pitch_stays() -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)[None].astype(np.float32)
    for rate in (0.9, 1.1):
        played = stretched(tone, rate)
        assert played.shape[1] == pytest.approx(4 * RATE / rate, abs=2)
        middle = played[0, RATE : 3 * RATE]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 20))
        assert abs(1200 * np.log2(np.argmax(spectrum) * RATE / (1 << 20) / 440)) < 5


def test_sound_without_a_beat_and_options_that_do_not_fit_are_refused(record, tmp_path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (1, 5 * RATE)).astype(np.float32)
    write_wav(tmp_path / "noise.wav", noise, RATE)
    with pytest.raises(D2MError, match="no clear beat was found"):
        RecordEngine(tmp_path / "noise.wav")
    assert isinstance(engines.load("symbolic", sketch=str(record.path)), RecordEngine)
    with pytest.raises(D2MError, match="leave out --arranger"):
        engines.load("symbolic", sketch=str(record.path), arranger="composer")
    with pytest.raises(D2MError, match=r"none\.mp3"):
        engines.load("symbolic", sketch="none.mp3")


def test_a_dance_without_energy_gets_the_loudest_passage(record) -> None:
    dance = dance_of(120.0, 6.0)
    flat = replace(dance, energy=np.full(len(dance.grid.beats), 0.5, np.float32))
    assert np.sqrt(np.mean(record.compose(flat).waveform ** 2)) > 0.05


def test_a_file_that_is_no_recording_is_named_as_one(tmp_path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"not sound" * 100)
    with pytest.raises(D2MError, match=r"song\.mp3: not a recording that can be read"):
        read_audio(path, 44100)
