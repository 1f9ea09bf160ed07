"""Beats from the sound, from the dance or as given: which are taken, how they are corrected, and what is said of it."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from d2m.beat_options import BeatOptions
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.features import analyse
from d2m.features.beat_source import SOUND_RATE, UNSURE, at_tempo, dance_rhythm, follow_beats, rhythm_on
from d2m.features.rhythm import POSE_LAG
from d2m.media import open_video, read_audio
from d2m.types import BeatGrid, Motion

DURATION = 12.0
FPS = 30.0


@dataclass
class FakeTracker:
    """A tracker of sound that finds steady beats and remembers what it was given."""

    tempo: float = 126.0
    first: float = 0.21
    confidence: float = 0.93
    duration: float = DURATION
    given: list[tuple[np.ndarray, float]] = field(default_factory=list)

    def track_sound(self, waveform, rate):
        self.given.append((waveform, rate))
        beats = np.arange(self.first, self.duration, 60.0 / self.tempo) if self.tempo else np.zeros(0)
        return SimpleNamespace(
            beats=beats, downbeats=np.arange(1, len(beats), 4), tempo=self.tempo, confidence=self.confidence
        )


@pytest.fixture
def tracker(monkeypatch):
    """The tracker of sound, replaced by a :class:`FakeTracker`."""
    fake = FakeTracker()
    module = ModuleType("d2m.features.sound_beats")
    module.track_sound = fake.track_sound
    monkeypatch.setitem(sys.modules, "d2m.features.sound_beats", module)
    return fake


@pytest.fixture
def heard(tracker, monkeypatch):
    """The same, and a clip whose sound can be read."""
    monkeypatch.setattr("d2m.media.read_audio", lambda path, rate, mono=True: np.zeros((1, int(99 * rate)), np.float32))
    return tracker


def a_clip(sound: bool = True, duration: float = DURATION):
    return SimpleNamespace(path="dance.mp4", duration=duration, has_audio=sound)


@pytest.fixture(scope="module")
def dancer() -> Motion:
    """A made dance to music of a steady tempo."""
    from d2m.datasets.studio.example import sample

    return sample(seed=5, index=1, held_out=True, seconds=DURATION, audio=False, noise=0.5).motion


@pytest.fixture(scope="module")
def nobody() -> Motion:
    """Somebody who stands still."""
    pose = np.random.default_rng(0).uniform(0.3, 0.7, (1, 33, 3))
    joints = np.repeat(pose, int(DURATION * FPS), 0).astype(np.float32)
    return Motion(joints, FPS, "mediapipe33", np.ones(joints.shape[:2], np.float32))


def follow(dancer, wish="auto", sound=True, genre=None, **options):
    return follow_beats(a_clip(sound), dancer, BeatOptions.read(wish, **options), genre)


def covers(grid: BeatGrid) -> bool:
    return bool(grid.beats[0] <= 0.0 and grid.beats[-1] >= DURATION and len(grid.downbeats))


def test_clear_music_leads_and_the_movement_gives_energy_and_accents(heard, dancer):
    found = follow(dancer)
    grid = found.rhythm.grid
    assert (grid.source, grid.confidence, grid.tempo) == ("sound", 0.93, 126.0)
    assert not found.forgiving
    assert not found.notes
    assert covers(grid)
    assert np.abs(grid.beats - 0.21).min() < 1e-9
    lines = grid.beats[grid.downbeats]
    assert np.allclose((lines - 0.21 - 60 / 126) % (240 / 126), 0, atol=1e-6) or np.allclose(
        np.abs((lines - 0.21 - 60 / 126 + 120 / 126) % (240 / 126) - 120 / 126), 0, atol=1e-6
    )
    assert found.rhythm.energy.shape == found.rhythm.accents.shape == grid.beats.shape
    same = rhythm_on(grid, dancer, DURATION)
    assert np.array_equal(same.energy, found.rhythm.energy)
    assert found.rhythm.energy.max() > 0.5


def test_changes_of_tempo_in_the_music_are_kept(heard, dancer, monkeypatch):
    beats = np.cumsum(np.linspace(0.4, 0.6, 23))
    fake = SimpleNamespace(beats=beats, downbeats=np.arange(0, 23, 4), tempo=120.0, confidence=0.9)
    monkeypatch.setattr(sys.modules["d2m.features.sound_beats"], "track_sound", lambda waveform, rate: fake)
    found = follow(dancer).rhythm.grid
    inside = beats[beats < DURATION]
    assert all(np.abs(found.beats - beat).min() < 1e-9 for beat in inside)
    assert covers(found)


@pytest.mark.parametrize("confidence", [0.0, 0.3])
def test_unclear_music_leaves_the_dance_to_lead(heard, dancer, confidence):
    heard.confidence = confidence
    found = follow(dancer).rhythm.grid
    assert found.source == "dance"
    assert np.array_equal(found.beats, dance_rhythm(dancer, DURATION, follow(dancer).genre).grid.beats)


def test_music_without_beats_leaves_the_dance_to_lead(heard, dancer):
    heard.tempo = 0.0
    assert follow(dancer).rhythm.grid.source == "dance"
    with pytest.raises(D2MError, match="no beats in its sound; choose --beats dance"):
        follow(dancer, "sound")


def test_a_silent_film_is_not_listened_to(heard, dancer):
    assert follow(dancer, sound=False).rhythm.grid.source == "dance"
    assert not heard.given


def test_sound_can_be_insisted_on_and_says_when_it_is_unclear(heard, dancer):
    heard.confidence = 0.2
    found = follow(dancer, "sound")
    assert found.rhythm.grid.source == "sound"
    assert not found.forgiving
    assert ["no clear beat (confidence 0.20)" in note for note in found.notes] == [True]


def test_dance_means_that_nobody_listens(heard, dancer):
    assert follow(dancer, "dance").rhythm.grid.source == "dance"
    assert not heard.given


def test_sound_that_cannot_be_read_is_said(tracker, dancer, monkeypatch):
    def broken(path, rate):
        raise D2MError(f"{path}: this file has no sound")

    monkeypatch.setattr("d2m.media.read_audio", broken)
    found = follow(dancer)
    assert found.rhythm.grid.source == "dance"
    assert "the clip's sound cannot be read: following the movement" in found.notes
    with pytest.raises(D2MError, match="this file has no sound; choose --beats dance"):
        follow(dancer, "sound")


def test_sound_is_heard_from_the_first_picture_on(clip, tone, tracker, dancer, tmp_path):
    # The picture starts 0.4 s after the sound: a tone that begins at 1.0 s in the file is at 0.6 s of the picture.
    sound = np.concatenate([np.zeros((1, 44100), np.float32), tone(1.5, 440)], axis=1)
    video = open_video(clip(tmp_path / "late.mp4", duration=2.0, size=(160, 120), start=0.4, sound=sound))
    tracker.duration = video.duration
    found = follow_beats(video, dancer, BeatOptions.read("sound"))
    (waveform, rate), *_ = tracker.given
    assert rate == SOUND_RATE
    assert np.flatnonzero(np.abs(waveform[0]) > 0.1)[0] / rate == pytest.approx(0.6, abs=0.02)
    assert waveform.shape[1] <= np.ceil(video.duration * rate)
    assert np.abs(found.rhythm.grid.beats - tracker.first).min() < 1e-9
    assert read_audio(video.path, rate).shape[0] == 1


def test_a_genre_moves_no_beat(heard, dancer):
    free = dance_rhythm(dancer, DURATION).grid
    for genre in ("gHO", "gKR", "gJB"):
        grid = follow(dancer, "dance", genre=genre).rhythm.grid
        ratio = grid.tempo / free.tempo
        assert any(abs(ratio - factor) < 1e-6 for factor in (0.5, 1.0, 2.0))
        inside = [beat for beat in grid.beats if 0.5 < beat < DURATION - 0.5]
        steps = free.position_of(np.array(inside)) * 2
        assert np.allclose(steps, np.rint(steps), atol=1e-6)
    heard.tempo = 60.0
    assert follow(dancer, genre="gHO").rhythm.grid.tempo == 120.0
    heard.tempo = 99.0
    assert follow(dancer, genre="gHO").rhythm.grid.tempo == 99.0


@pytest.mark.parametrize("tempo", [47.0, 96.0, 128.0, 174.0, 220.0])
def test_a_tempo_that_is_given_is_kept_and_its_beats_lie_in_the_movement(heard, tempo):
    period = 60.0 / tempo
    time = np.arange(round(DURATION * FPS)) / FPS
    joints = np.zeros((len(time), 33, 3))
    joints[..., 1] = np.linspace(0.2, 0.9, 33)
    joints[..., 0] = 0.5
    # The arms rest 0.1 s after every beat of a grid that starts at 0, less the estimator's delay.
    place = (time - 0.1 - POSE_LAG) / period
    swing = 0.08 * (np.floor(place) + 0.5 * (1 - np.cos(np.pi * (place % 1.0)))) % 0.16
    joints[:, 13:17, 0] += np.abs(swing - 0.08)[:, None]
    motion = Motion(joints.astype(np.float32), FPS, "mediapipe33", np.ones((len(time), 33), np.float32))
    rhythm = at_tempo(tempo, motion, DURATION)
    assert rhythm.grid.tempo == tempo
    assert rhythm.grid.source == "given"
    assert covers(rhythm.grid)
    assert np.allclose(np.diff(rhythm.grid.beats), period)
    late = (rhythm.grid.beats[3] - 0.1 + period / 2) % period - period / 2
    assert abs(late) < 0.04
    assert rhythm.grid.confidence > 0.3
    assert follow(motion, str(tempo), genre="gHO").rhythm.grid.tempo == tempo
    assert not heard.given


def test_a_tempo_given_for_no_movement_has_no_confidence(nobody):
    rhythm = at_tempo(100.0, nobody, DURATION)
    assert rhythm.grid.confidence < 0.05
    assert covers(rhythm.grid)


@pytest.mark.parametrize("offset", [80.0, -130.0, 1700.0])
def test_an_offset_moves_every_beat(heard, dancer, offset):
    plain, moved = follow(dancer).rhythm.grid, follow(dancer, offset=offset).rhythm.grid
    assert covers(moved)
    away = moved.position_of(plain.beats[5] + offset / 1000.0)
    assert away == pytest.approx(round(float(away)), abs=1e-6)
    assert moved.tempo == plain.tempo


def test_a_downbeat_sets_the_bars_from_the_nearest_beat_on(heard, dancer):
    plain = follow(dancer).rhythm.grid
    wanted = plain.beats[plain.downbeats[1] + 2]
    found = follow(dancer, downbeat=float(wanted) + 0.1).rhythm.grid
    assert np.abs(found.beats[found.downbeats] - wanted).min() < 1e-9
    assert set(np.diff(found.downbeats)) == {4}
    assert found.downbeats[0] < 4
    with pytest.raises(D2MError, match="--downbeat 50: the clip has only 12.00 s"):
        follow(dancer, downbeat=50.0)


def test_unsure_beats_are_forgiven_only_where_nobody_chose_the_source(heard, nobody):
    heard.confidence = 0.1
    found = follow(nobody)
    assert found.rhythm.grid.confidence < UNSURE
    assert found.forgiving
    assert any("the tempo is a guess; the music begins softly" in note for note in found.notes)
    for wish in ("dance", "sound", "120"):
        assert not follow(nobody, wish).forgiving
    assert follow(nobody, "dance").notes == ("the dance shows no clear beat: the tempo is a guess",)
    assert follow(nobody, "120").notes == ()


@pytest.mark.parametrize(
    ("wish", "mode", "tempo"),
    [
        ("auto", "auto", None),
        (" Dance", "dance", None),
        ("128", "given", 128.0),
        (99.5, "given", 99.5),
        (30, "given", 30),
    ],
)
def test_wishes_are_read(wish, mode, tempo):
    options = BeatOptions.read(wish, 20.0, 1.5)
    assert (options.mode, options.tempo, options.offset, options.downbeat) == (mode, tempo, 20.0, 1.5)
    assert BeatOptions.read(options) is options


@pytest.mark.parametrize(
    ("wish", "offset", "downbeat", "reason"),
    [
        ("music", 0, None, "no source of beats 'music'; choose auto, dance, sound or give a tempo"),
        ("nan", 0, None, "a tempo of nan is not usable"),
        ("400", 0, None, "a tempo of 400 is not usable; give 30 to 300"),
        ("auto", 9000, None, "offset 9000 ms is not usable"),
        ("auto", float("nan"), None, "offset nan ms is not usable"),
        ("auto", 0, -1.0, "downbeat -1 s is not usable"),
        ("auto", 0, float("inf"), "downbeat inf s is not usable"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(wish, offset, downbeat, reason):
    with pytest.raises(D2MError, match=reason):
        BeatOptions.read(wish, offset, downbeat)


@pytest.mark.slow
def test_no_one_measuring_movement_listens(monkeypatch, clip, tone, tmp_path):
    """Benchmark and alignment follow the movement, whatever music the clip has."""
    from d2m.evaluation.alignment_report import watch
    from d2m.evaluation.benchmark.inputs import read_inputs
    from d2m.evaluation.benchmark.items import find_items
    from d2m.evaluation.benchmark.studio import make_test_studio

    def track_sound(waveform, rate):
        raise AssertionError("the original music was listened to")

    module = ModuleType("d2m.features.sound_beats")
    module.track_sound = track_sound
    monkeypatch.setitem(sys.modules, "d2m.features.sound_beats", module)
    make_test_studio(tmp_path / "studio", 1, 1, 5.0, seed=3)
    assert read_inputs(find_items("studio", tmp_path / "studio")[0]).dance.source == "dance"
    video = open_video(clip(tmp_path / "sound.mp4", duration=1.5, size=(160, 120), sound=tone(1.5, 440)))
    assert video.has_audio
    assert watch(video).duration == video.duration
    with pytest.raises(AssertionError, match="listened to"):
        analyse(video)


@pytest.mark.slow
def test_the_report_says_where_the_beats_come_from(tracker, clip, tone, tmp_path, capsys):
    video = clip(tmp_path / "flash.mp4", duration=3.0, size=(160, 120), sound=tone(3.0, 440))
    tracker.duration = 3.0
    words = ["generate", str(video), "--engine", "symbolic", "--no-video", "-o", str(tmp_path)]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "beats from the clip's own music, 126 bpm, confidence 0.93 (3.0 s of music made in" in told
    assert main([*words, "--beats", "120", "--offset", "40", "--downbeat", "1", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["source"], report["tempo"], report["forgiving"]) == ("given", 120.0, False)
    assert (report["beats_asked"], report["offset"], report["downbeat"]) == (120.0, 40.0, 1.0)
    assert np.abs(np.array(report["downbeats"]) - 1.0).min() <= 0.25
    assert main([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["source"], report["beats_asked"], report["confidence"]) == ("sound", "auto", 0.93)
    assert main([*words, "--beats", "music"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
