"""What a video shows is decided by measurements; without a dancer, cuts are on beats and voices have a bed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from dances import dance, figure, steady_beats

from d2m import engines
from d2m.audio.loudness import loudness
from d2m.errors import D2MError
from d2m.features import analyse, subject
from d2m.features.cut_beats import cut_grid
from d2m.features.envelope import Speeds
from d2m.features.picture import PictureMotion, camera_flow, picture_motion
from d2m.features.subject import Speech, Subject, legs_visible, rhythm_without_dance, subject_of, upper_speed
from d2m.generate_options import GenerateOptions
from d2m.media import open_video
from d2m.plans import plan_for, play, read_plan, write_plan
from d2m.plans.make import hits_on
from d2m.types import BeatGrid, Dance, Motion

RATE = 30.0


def person(seconds: float, moving: float, legs: bool) -> Motion:
    """Somebody whose hands and head go to and fro; ``moving`` in shoulder widths (0.14) a second, about."""
    frames = round(seconds * RATE)
    joints = figure(frames)
    sway = 0.14 * moving / 4.0 * np.sin(2 * np.pi * np.arange(frames) / RATE)
    joints[:, [0, 11, 12, 13, 14, 15, 16], 0] += sway[:, None]
    confidence = np.full(joints.shape[:2], 0.95, np.float32)
    if not legs:
        confidence[:, 25:] = 0.05
    return Motion(joints.astype(np.float32), RATE, "mediapipe33", confidence)


def film(path: Path, pictures: list[np.ndarray]) -> Path:
    """Write pictures as a video of 30 frames a second without sound."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def still(own: float, camera: float, seconds: float = 12.0) -> PictureMotion:
    count = round(seconds * RATE)
    return PictureMotion(Speeds(np.full(count, own), np.full((6, count), own), RATE, 0.01), np.full(count, camera))


@pytest.mark.parametrize(
    ("motion", "spoken", "own", "camera", "cuts", "expected"),
    [
        (person(6.0, 4.0, True), 0.9, 0.0, 0.0, 0, "dance"),
        (person(6.0, 0.2, True), 0.9, 0.0, 0.0, 0, "speech"),
        (person(6.0, 0.6, False), 0.9, 0.0, 0.0, 0, "speech"),
        (person(6.0, 4.0, False), 0.9, 0.0, 0.0, 0, "dance"),
        (person(6.0, 0.2, False), 0.0, 0.0, 0.0, 0, "dance"),
        (None, 0.9, 0.5, 0.5, 9, "speech"),
        (None, 0.0, 0.02, 0.1, 1, "landscape"),
        (None, 0.0, 0.3, 0.1, 1, "picture"),
        (None, 0.0, 0.02, 0.9, 1, "picture"),
        (None, 0.0, 0.02, 0.1, 9, "picture"),
    ],
)
def test_the_subject_follows_from_what_is_measured(monkeypatch, motion, spoken, own, camera, cuts, expected) -> None:
    monkeypatch.setattr(subject, "speech_of", lambda video: Speech(spoken))
    video = SimpleNamespace(duration=12.0)
    found = subject_of(video, motion, 0.0 if motion is None else 1.0, cuts, "auto", lambda: still(own, camera))
    assert found.name == expected
    assert "person" in found.reason
    assert found.reason in found.in_words
    given = subject_of(video, motion, 1.0, cuts, "landscape")
    assert given == Subject("landscape", "as given")


def test_singing_with_a_band_is_no_talk() -> None:
    assert Speech(0.6, 20.0).is_talk
    assert not Speech(0.6, 1.0).is_talk
    assert "as in a song" in Speech(0.6, 1.0).in_words
    assert not Speech(0.2).is_talk


def test_the_sound_between_speech_is_measured(tmp_path, monkeypatch) -> None:
    from d2m.audio import voice

    sound = np.full((1, 10 * 16000), 0.3, np.float32)
    sound[:, : 5 * 16000] = 0.03
    monkeypatch.setattr("d2m.media.read_audio", lambda path, rate: sound)
    monkeypatch.setattr(voice, "find_voice", lambda sound, rate: (voice.VoiceSegment(5.0, 10.0, 0.9),))
    found = subject.speech_of(SimpleNamespace(has_audio=True, path=tmp_path, duration=10.0))
    assert found.share == pytest.approx(0.5)
    assert found.contrast == pytest.approx(20.0, abs=0.1)
    assert subject.speech_of(SimpleNamespace(has_audio=False)).share == 0.0


def test_legs_and_speed_are_those_of_the_person() -> None:
    assert legs_visible(person(3.0, 1.0, True)) == 1.0
    assert legs_visible(person(3.0, 1.0, False)) == 0.0
    assert upper_speed(person(3.0, 4.0, True)) == pytest.approx(4.0, rel=0.3)
    assert upper_speed(dance(steady_beats(120, 8.0, 0.2), 8.0, 1)) > subject.STANDING
    assert upper_speed(person(3.0, 0.0, False)) < 0.05


def test_a_subject_that_does_not_exist_is_refused() -> None:
    with pytest.raises(D2MError, match="no subject 'cat'; choose auto, dance"):
        GenerateOptions(subject="cat").check()
    with pytest.raises(D2MError, match="no subject 'cat'"):
        subject_of(SimpleNamespace(duration=1.0), None, 0.0, 0, "cat")
    with pytest.raises(D2MError, match="leave out --subject"):
        GenerateOptions(subject="speech", plan="p.toml").check()


def test_cuts_are_on_beats_and_mostly_on_bar_lines() -> None:
    rng = np.random.default_rng(3)
    bars = np.cumsum(rng.integers(1, 4, 12)) * 2.0
    cuts = bars + rng.normal(0, 0.03, len(bars))
    grid, share = cut_grid(cuts, float(bars[-1]) + 3.0, 92.0, 132.0)
    assert share > 0.9
    assert grid.source == "cuts"
    assert 114 < grid.tempo < 126
    away = np.abs(grid.beats[:, None] - cuts[None]).min(0)
    assert (away < 1e-6).mean() > 0.9
    lines = grid.beats[grid.downbeats]
    assert (np.abs(lines[:, None] - cuts[None]).min(0) < 1e-6).mean() > 0.7
    assert grid.beats[0] <= 0.0
    assert grid.beats[-1] >= bars[-1] + 3.0


def test_irregular_cuts_keep_the_tempo_nearly_steady() -> None:
    rng = np.random.default_rng(5)
    cuts = np.cumsum(rng.uniform(0.7, 4.0, 20))
    grid, share = cut_grid(cuts, float(cuts[-1]) + 2.0, 92.0, 132.0)
    assert share >= 0.6
    periods = np.diff(grid.beats)
    assert periods.max() / periods.min() < 1.25
    steady, none = cut_grid([], 10.0, 60.0, 60.1)
    assert (steady.source, none) == ("steady", 0.0)
    assert cut_grid([4.0], 10.0, 92.0, 132.0)[1] == 1.0


def test_hits_are_on_the_cuts_that_are_on_beats() -> None:
    grid = BeatGrid.steady(120.0, 20.0)
    hits = hits_on(grid, [2.03, 2.3, 4.75, 7.12, 8.0])
    assert [(hit.time, hit.kind) for hit in hits] == [(2.0, "cut"), (4.75, "cut"), (8.0, "cut")]
    assert hits[0].strength > hits[1].strength


def test_camera_and_own_motion_are_told_apart() -> None:
    y, x = np.mgrid[0:120, 0:160].astype(np.float32)
    pan_and_zoom = np.stack([2.0 + 0.02 * (x - 80), 0.02 * (y - 60)], axis=-1)
    flow = pan_and_zoom.copy()
    flow[40:70, 50:90] += 5.0
    assert np.abs(camera_flow(flow) - pan_and_zoom).max() < 0.2


def test_a_pan_over_a_still_picture_is_the_cameras_alone(tmp_path) -> None:
    rng = np.random.default_rng(1)
    import cv2

    wide = cv2.GaussianBlur(rng.integers(0, 255, (120, 500, 3), dtype=np.uint8), (0, 0), 3)
    wide = cv2.normalize(wide, None, 0, 255, cv2.NORM_MINMAX)
    video = film(tmp_path / "pan.mp4", [wide[:, 3 * i : 3 * i + 160] for i in range(45)])
    moved = picture_motion(open_video(video))
    assert np.median(moved.camera) == pytest.approx(3 * 30 / 120, rel=0.15)
    assert np.median(moved.own.whole) < 0.06
    assert moved.together().parts.shape[0] == 7


def quiet_dance(seconds: float, tempo: float = 80.0) -> Dance:
    grid = BeatGrid.steady(tempo, seconds)
    return Dance(seconds, None, grid, np.full(len(grid.beats), 0.3, np.float32), np.zeros(len(grid.beats)), "gJB")


@pytest.mark.slow
def test_music_for_speech_is_a_bed_and_the_plan_says_so(tmp_path) -> None:
    engine = engines.load("symbolic")
    plan = plan_for(quiet_dance(12.0), seed=2, subject="speech", reason="speech in 90% of the clip")
    assert [section.role for section in plan.sections] == ["bed"]
    write_plan(plan, tmp_path / "p.toml")
    text = (tmp_path / "p.toml").read_text()
    assert 'subject = "speech"' in text
    again = read_plan(tmp_path / "p.toml")
    assert (again.subject, again.reason) == ("speech", "speech in 90% of the clip")
    bed = play(again, engine)
    full = play(replace(plan, sections=[replace(plan.sections[0], role="chorus")]), engine)
    assert loudness(bed.waveform, bed.sample_rate) < loudness(full.waveform, full.sample_rate) - 6.0
    drums = [sum(len(part.starts) for part in sound.score.parts if part.is_drum) for sound in (bed, full)]
    assert drums[0] < 0.7 * drums[1]
    assert not [part for part in bed.score.parts if part.is_effect or part.patch.startswith("lead.")]
    (tmp_path / "p.toml").write_text(text.replace('"speech"', '"cat"'))
    with pytest.raises(D2MError, match=r"p.toml, line \d+: subject: 'cat' does not exist; choose dance, speech"):
        read_plan(tmp_path / "p.toml")


def test_beats_without_a_dancer() -> None:
    speeds = still(0.2, 0.2).together()
    assert rhythm_without_dance("dance", speeds, (3.0, 6.0), 12.0) is None
    assert rhythm_without_dance("picture", speeds, (3.0,), 12.0) is None
    cut = rhythm_without_dance("picture", speeds, (3.0, 6.0, 9.0), 12.0)
    assert cut is not None
    assert np.abs(cut.grid.beats[:, None] - np.array([3.0, 6.0, 9.0])).min(0).max() < 1e-6
    for name, low, high in (("speech", 72, 88), ("landscape", 58, 76)):
        rhythm = rhythm_without_dance(name, speeds, (3.0, 6.0), 12.0)
        assert rhythm is not None
        assert low <= rhythm.grid.tempo <= high
        assert subject.calmed(rhythm, name).energy.max() <= 0.5


@pytest.mark.slow
def test_a_film_of_cuts_gets_hits_on_them(tmp_path) -> None:
    rng = np.random.default_rng(2)
    shots = [rng.integers(0, 255, (9, 16, 3), dtype=np.uint8).repeat(20, 0).repeat(20, 1) for _ in range(4)]
    pictures = [np.roll(shots[min(i // 36, 3)], 4 * i, axis=1) for i in range(144)]
    video = open_video(film(tmp_path / "film.mp4", pictures))
    seen = analyse(video)
    assert seen.subject.name == "picture"
    assert seen.source == "cuts"
    cuts = np.array([1.2, 2.4, 3.6])
    assert np.abs(seen.dance.grid.beats[:, None] - cuts).min(0).max() < 0.04
    assert analyse(video, subject="landscape").dance.grid.tempo < 80
