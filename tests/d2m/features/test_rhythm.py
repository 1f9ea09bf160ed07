"""Beats found in motion: on dances whose beats are known, on motion without any, and at every length."""

from __future__ import annotations

import numpy as np
import pytest
from dances import FPS, dance, f_measure, figure, steady_beats

from d2m.features import choose_genre, find_rhythm
from d2m.features.envelope import MotionEvents, body_speeds, low_points, motion_events
from d2m.features.flow import dancer_speed, picture_speeds
from d2m.features.landmarks import fill_and_smooth
from d2m.features.rhythm import downbeats
from d2m.features.tempo_change import change_of_tempo
from d2m.types import GENRES, BeatGrid, Motion


@pytest.mark.slow
@pytest.mark.parametrize("tempo", [84.0, 100.0, 118.0, 134.0])
def test_the_beats_of_a_dance_are_found(tempo: float) -> None:
    scores = []
    for seed in range(4):
        beats = steady_beats(tempo, 12.0, 0.1 * seed)
        rhythm = find_rhythm(dance(beats, 12.0, seed), 12.0)
        scores.append(f_measure(beats, rhythm.grid.beats, 12.0))
        assert rhythm.grid.tempo == pytest.approx(60.0 / np.median(np.diff(rhythm.grid.beats)))
    assert np.mean(scores) >= 0.85


@pytest.mark.slow
def test_beats_of_the_studio_are_found_through_an_estimators_mistakes() -> None:
    from d2m.datasets.studio.example import sample

    scores = []
    for index in range(8):
        example = sample(seed=5, index=index, held_out=True, seconds=16.0, audio=False, noise=1.0)
        found = find_rhythm(example.motion, 16.0)
        scores.append(f_measure(example.score.grid.beats, found.grid.beats, 16.0))
    assert np.mean(scores) >= 0.75


def test_movement_towards_the_camera_counts_where_it_is_known() -> None:
    beats = steady_beats(106.0, 10.0, 0.2)
    motion = dance(beats, 10.0, 13)
    rng = np.random.default_rng(13)
    # Turned by a quarter, so that it goes towards the camera; the picture shows nothing but the estimator's jitter.
    world = 1.7 * (motion.joints - motion.joints[:, [23, 24]].mean(axis=1, keepdims=True))[..., [2, 1, 0]]
    hidden, sure = fill_and_smooth(figure(300) + rng.normal(0, 0.0007, (300, 33, 3)), motion.confidence, FPS)
    hidden = Motion(hidden, FPS, "mediapipe33", sure)
    blind, seeing = find_rhythm(hidden, 10.0).grid, find_rhythm(hidden, 10.0, world=world).grid
    assert seeing.tempo == pytest.approx(106.0, rel=0.02)
    assert abs(blind.tempo / 106.0 - 1.0) > 0.04
    assert seeing.confidence > blind.confidence + 0.1


def test_landmarks_in_space_may_be_of_any_size_and_frames_that_do_not_count_are_bridged() -> None:
    motion = dance(steady_beats(100.0, 6.0, 0.1), 6.0, 14)
    metres = 1.7 * (motion.joints - motion.joints[:, [23, 24]].mean(axis=1, keepdims=True))
    one, other = (find_rhythm(motion, 6.0, world=world).grid.beats for world in (metres, 100.0 * metres))
    assert np.allclose(one, other, atol=1e-6)
    cut = motion.joints.copy()
    cut[90:, :, 0] += 0.6
    turned = metres.copy()
    turned[90:, :, 0] *= -1
    speeds = body_speeds(Motion(cut, FPS, "mediapipe33", motion.confidence), turned)
    assert speeds.space.whole.max() < 1.3 * body_speeds(motion, metres).space.whole.max()


@pytest.mark.slow
def test_a_slowly_changing_tempo_is_followed_over_a_minute() -> None:
    periods = np.linspace(60 / 100, 60 / 112, 120)
    beats = np.cumsum(periods) - 2.0
    duration = float(beats[-1]) - 1.5
    rhythm = find_rhythm(dance(beats, duration, 3), duration)
    assert f_measure(beats, rhythm.grid.beats, duration) >= 0.85
    early, late = np.diff(rhythm.grid.beats)[[8, -8]]
    assert 60 / late - 60 / early > 6.0


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "change"), [(121.0, 102.0, 5.0), (96.0, 132.0, 6.5), (140.0, 108.0, 4.0)])
def test_a_change_of_tempo_in_a_short_clip_is_followed(before: float, after: float, change: float) -> None:
    early = np.arange(0.2, change, 60.0 / before)
    beats = np.concatenate([early, np.arange(early[-1] + 60.0 / after, 12.0, 60.0 / after)])
    motions = [dance(beats, 11.0, seed) for seed in range(4)]
    moments = [change_of_tempo(motion_events(body_speeds(motion)), 11.0) for motion in motions]
    assert sum(moment is not None and abs(moment - change) < 1.6 for moment in moments) >= 3
    assert np.mean([f_measure(beats, find_rhythm(motion, 11.0).grid.beats, 11.0) for motion in motions]) >= 0.85


@pytest.mark.parametrize("tempo", [76.0, 98.0, 121.0, 152.0])
def test_a_steady_tempo_is_not_split(tempo: float) -> None:
    for seed in range(3):
        motion = dance(steady_beats(tempo, 13.0, 0.1), 13.0, seed, loose=0.04)
        assert change_of_tempo(motion_events(body_speeds(motion)), 13.0) is None


def test_where_nothing_moves_or_a_clip_is_short_no_change_is_found() -> None:
    nothing = MotionEvents(np.zeros(0), np.zeros(0))
    assert change_of_tempo(nothing, 12.0) is None
    beats = np.arange(0.0, 6.9, 0.5)
    assert change_of_tempo(MotionEvents(beats, np.ones(len(beats))), 6.9) is None


def test_a_steady_dance_gets_a_steady_grid() -> None:
    rhythm = find_rhythm(dance(steady_beats(108.0, 40.0, 0.2), 40.0, 1, loose=0.03), 40.0)
    assert np.ptp(np.diff(rhythm.grid.beats)) < 1e-6


@pytest.mark.parametrize("duration", [0.5, 0.9, 2.0, 3.0, 7.3, 12.5, 31.0])
def test_the_grid_covers_the_clip_and_everything_has_its_length(duration: float) -> None:
    rhythm = find_rhythm(dance(steady_beats(110.0, duration, 0.2), duration, 2), duration)
    beats = rhythm.grid.beats
    assert beats[0] <= 0.0
    assert beats[-1] >= duration
    assert len(beats) >= 2
    assert np.all(np.diff(beats) > 0.3)
    assert np.all(np.diff(beats) < 0.9)
    assert rhythm.energy.shape == rhythm.accents.shape == beats.shape
    for values in (rhythm.energy, rhythm.accents):
        assert values.dtype == np.float32
        assert np.all((values >= 0) & (values <= 1))
    assert len(rhythm.envelope) == round(duration * FPS)
    assert np.all(np.diff(rhythm.grid.downbeats) == 4)
    assert 0.0 <= rhythm.grid.confidence <= 1.0


def test_someone_who_stands_still_gets_a_steady_grid_without_confidence() -> None:
    rng = np.random.default_rng(0)
    joints, confidence = fill_and_smooth(figure(300) + rng.normal(0, 0.0007, (300, 33, 3)), np.ones((300, 33)), FPS)
    rhythm = find_rhythm(Motion(joints, FPS, "mediapipe33", confidence), 10.0)
    assert rhythm.grid.confidence < 0.1
    assert 85 < rhythm.grid.tempo < 140
    assert np.ptp(np.diff(rhythm.grid.beats)) < 1e-6
    assert rhythm.energy.max() < 0.4


def test_one_frame_is_enough_not_to_fail() -> None:
    motion = Motion(figure(1).astype(np.float32), FPS, "mediapipe33", np.ones((1, 33), np.float32))
    assert find_rhythm(motion, 0.5).grid.beats[-1] >= 0.5


def test_confidence_tells_a_dance_from_aimless_movement() -> None:
    rng = np.random.default_rng(4)
    clear = [find_rhythm(dance(steady_beats(112.0, 10.0, 0.1), 10.0, s), 10.0).grid.confidence for s in range(3)]
    aimless = []
    for seed in range(3):
        times = np.cumsum(rng.uniform(0.15, 0.9, 60)) - 2.0
        aimless.append(find_rhythm(dance(times, 10.0, seed), 10.0).grid.confidence)
    assert min(clear) > 0.6
    assert np.mean(aimless) < np.mean(clear) - 0.25


def test_lost_frames_do_not_move_the_beats() -> None:
    beats = steady_beats(104.0, 10.0, 0.25)
    whole = dance(beats, 10.0, 7)
    rng = np.random.default_rng(7)
    joints = whole.joints.astype(np.float64).copy()
    for start in rng.integers(5, 290, 12):
        joints[start : start + 4] = np.nan
    joints, confidence = fill_and_smooth(joints, whole.confidence, FPS)
    assert np.isfinite(joints).all()
    assert (confidence == 0).any()
    found = find_rhythm(Motion(joints, FPS, "mediapipe33", confidence), 10.0)
    assert f_measure(beats, found.grid.beats, 10.0) >= 0.85


def test_a_cut_in_the_film_is_not_a_movement() -> None:
    motion = dance(steady_beats(100.0, 8.0, 0.2), 8.0, 8)
    cut = motion.joints.copy()
    cut[120:, :, 0] += 0.6
    speeds = body_speeds(Motion(cut, FPS, "mediapipe33", motion.confidence))
    assert speeds.whole.max() < 1.3 * body_speeds(motion).whole.max()


def test_energy_follows_the_movement() -> None:
    motion = dance(steady_beats(110.0, 12.0, 0.2), 12.0, 9)
    joints = motion.joints.copy()
    joints[180:] = joints[180]
    rhythm = find_rhythm(Motion(joints, FPS, "mediapipe33", motion.confidence), 12.0)
    middle = rhythm.grid.beats
    assert rhythm.energy[(middle > 7) & (middle < 11)].max() < 0.1
    assert rhythm.energy[(middle > 0) & (middle < 5)].mean() > 0.5
    assert rhythm.accents[(middle > 0) & (middle < 5)].mean() > rhythm.accents[(middle > 7) & (middle < 11)].mean()


def test_motion_beats_are_where_the_movement_stops() -> None:
    time = np.arange(240) / FPS
    speed = np.abs(np.sin(np.pi * (time - 0.2) / 0.6)) + 0.05
    times, salience, _ = low_points(speed, FPS, 0.05, 0.06)
    assert np.abs(times - np.arange(0.2, 8.0, 0.6)[: len(times)]).max() < 0.02
    assert salience.min() > 0.6


def test_bars_begin_on_the_strongest_moves() -> None:
    accents = np.tile([0.2, 0.3, 1.0, 0.3], 8)
    assert downbeats(accents, np.full(32, 0.5)).tolist() == list(range(2, 32, 4))


def test_bars_begin_where_the_body_goes_deepest() -> None:
    low = np.tile([0.0, 0.002, 0.0, 0.006], 8)
    assert downbeats(np.full(32, 0.5), np.full(32, 0.5), low).tolist() == list(range(3, 32, 4))
    assert downbeats(np.full(3, 0.5), np.full(3, 0.5)).tolist() == [0]


def test_results_do_not_depend_on_the_dancers_size_or_place() -> None:
    motion = dance(steady_beats(96.0, 8.0, 0.1), 8.0, 11)
    far = Motion(motion.joints * 0.5 + np.float32(0.3), FPS, "mediapipe33", motion.confidence)
    assert np.allclose(find_rhythm(motion, 8.0).grid.beats, find_rhythm(far, 8.0).grid.beats, atol=1e-6)
    events, far_events = motion_events(body_speeds(motion)), motion_events(body_speeds(far))
    assert np.allclose(events.weights, far_events.weights, atol=1e-4)


@pytest.mark.slow
def test_genres_of_unseen_studio_dances_are_mostly_recognised() -> None:
    from d2m.datasets.studio.example import sample

    right = 0
    for index in range(20):
        example = sample(seed=6, index=index, held_out=True, seconds=10.0, audio=False)
        rhythm = find_rhythm(example.motion, 10.0)
        right += choose_genre(rhythm.grid, rhythm.energy, example.motion) == example.genre
    assert right >= 11


def test_a_dance_unlike_all_that_is_known_is_judged_by_tempo_and_energy() -> None:
    motion = dance(steady_beats(124.0, 8.0, 0.1), 8.0, 12)
    strange = motion.joints.copy()
    strange[:, [13, 14, 15, 16], 1] -= 1.0
    strange = Motion(strange, FPS, "mediapipe33", motion.confidence)
    grid, energy = BeatGrid.steady(124.0, 8.0), np.full(20, 0.6, np.float32)
    assert choose_genre(grid, energy, strange) == choose_genre(grid, energy, None) == "gHO"


def test_a_genre_is_chosen_by_tempo_and_manner_and_always_the_same() -> None:
    motion = dance(steady_beats(124.0, 8.0, 0.1), 8.0, 12)
    rhythm = find_rhythm(motion, 8.0)
    assert choose_genre(rhythm.grid, rhythm.energy, motion) in GENRES
    assert choose_genre(rhythm.grid, rhythm.energy, motion) == choose_genre(rhythm.grid, rhythm.energy, motion)
    energy = np.full(20, 0.6)
    fast, slow = (choose_genre(BeatGrid.steady(tempo, 8.0), energy, None) for tempo in (124.0, 88.0))
    assert fast == "gHO"
    assert slow in ("gKR", "gLH", "gJB")


def film_of_a_ball(path, beats: np.ndarray, pan: float = 0.0) -> list[int]:
    """Eight seconds of a ball that stands still at both ends of its way, once a beat; its place in every frame.

    Args:
        path: where the film is written.
        beats: seconds; only the first counts, and that they are 0.6 s apart.
        pan: pixels that the camera moves in a frame.
    """
    import av

    rng = np.random.default_rng(0)
    ball = (rng.uniform(60, 255, (40, 40, 3))).astype(np.uint8)
    room = (rng.uniform(0, 60, (120, 160 + round(240 * pan), 3))).astype(np.uint8)
    places = []
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "18"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(240):
            x = 60 + round(50 * np.cos(np.pi * (index / 30 - beats[0]) / 0.6))
            start = round(pan * index)
            frame = room[:, start : start + 160].copy()
            frame[40:80, x : x + 40] = ball
            places.append(x)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        out.mux(stream.encode(None))
    return places


BALL_BEATS = np.arange(0.25, 8.0, 0.6)


@pytest.mark.slow
def test_picture_motion_gives_the_beat_when_there_is_no_dancer(tmp_path) -> None:
    from d2m.media import open_video

    film_of_a_ball(tmp_path / "ball.mp4", BALL_BEATS)
    speeds = picture_speeds(open_video(tmp_path / "ball.mp4"))
    rhythm = find_rhythm(speeds, 8.0)
    assert f_measure(BALL_BEATS, rhythm.grid.beats, 8.0) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("pan", [0.0, 0.5])
def test_the_dancers_flow_rests_on_the_beat_whether_or_not_the_camera_moves(tmp_path, pan: float) -> None:
    from d2m.evaluation.alignment import speed_beats
    from d2m.media import open_video

    places = film_of_a_ball(tmp_path / "ball.mp4", BALL_BEATS, pan)
    corners = np.array([[[x, 40], [x + 40, 80]] for x in places]) / 120.0
    flow = dancer_speed(open_video(tmp_path / "ball.mp4"), corners, 30.0)
    assert len(flow) == 239
    found = speed_beats(flow, 30.0)
    inner = BALL_BEATS[1:-1]
    assert np.abs(found[:, None] - inner[None]).min(axis=0).max() < 0.06
