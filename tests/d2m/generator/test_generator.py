"""The any-length generator, its conditions and its discriminators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from d2m.generator.conditions import MOTION_SIZE, RHYTHM_SIZE, motion_rows, rhythm_rows
from d2m.generator.sketch import DRUM_PROGRAM, KEYS, ROWS, sketch
from d2m.generator.temporal import Conditions, TemporalConfig, TemporalGenerator
from d2m.nn.multi_scale import MultiScaleDiscriminator
from d2m.types import BeatGrid, Dance, Motion, Part, Score

CONFIG = TemporalConfig(feature_size=16, channels=32, blocks=4, part_channels=16, part_blocks=2)
RATE = 22050 / 256


@pytest.fixture(scope="module")
def generator() -> TemporalGenerator:
    torch.manual_seed(0)
    return TemporalGenerator(CONFIG).eval().requires_grad_(False)


def part(track: str, program: int, notes: list[tuple[float, float, int, int]]) -> Part:
    starts, ends, pitches, velocities = (np.array(column) for column in zip(*notes, strict=True))
    return Part(track, program, starts.astype(float), ends.astype(float), pitches, velocities)


@pytest.fixture
def score() -> Score:
    grid = BeatGrid.steady(120, 4.0)
    bass = part("bass", 33, [(0, 1, 40, 127), (2, 2.5, 43, 64)])
    drums = part("drums", 0, [(0, 0.1, 36, 100), (1, 1.1, 38, 127)])
    return Score((bass, drums), grid, 4.0)


def dance(duration: float = 4.0) -> Dance:
    rng = np.random.default_rng(0)
    frames = int(duration * 30)
    joints = rng.normal(0, 0.02, (frames, 33, 3)).cumsum(0).astype(np.float32)
    joints[:, 27:33, 1] += 1.0
    motion = Motion(joints, 30.0, "mediapipe33", np.ones((frames, 33), np.float32))
    grid = BeatGrid.steady(120, duration)
    ones = np.ones(len(grid.beats), np.float32)
    return Dance(duration, motion, grid, 0.5 * ones, ones, "gHO")


def test_sketch_puts_notes_on_their_frames(score):
    drawn = sketch(score, RATE, 0.0, 300)
    assert drawn.rows.shape == (2, 300, ROWS)
    assert drawn.programs.tolist() == [33, DRUM_PROGRAM]
    second = 1.0 * RATE - 0.5  # beat 2 is at one second, in the middle of this frame
    onsets = drawn.rows[0, :, 43 - 21]
    assert onsets.sum() == pytest.approx(64 / 127, abs=1e-5)
    assert (onsets * np.arange(300)).sum() / onsets.sum() == pytest.approx(second, abs=1e-3)
    held = drawn.rows[0, :, KEYS + 40 - 21]
    assert abs(held.sum() - 0.5 * RATE) <= 1
    snare = drawn.rows[1, :, 38 - 35]
    assert (snare * np.arange(300)).sum() / snare.sum() == pytest.approx(0.5 * RATE - 0.5, abs=1e-3)


def test_a_later_window_is_a_cut_of_the_whole_sketch(score):
    whole, late = sketch(score, RATE, 0.0, 300), sketch(score, RATE, 50 / RATE, 100)
    np.testing.assert_allclose(late.rows, whole.rows[:, 50:150], atol=1e-5)


def test_rhythm_rows_turn_once_a_beat_and_once_a_bar():
    rows = rhythm_rows(dance(), RATE, 0.0, 300)
    assert rows.shape == (300, RHYTHM_SIZE)
    period = round(0.5 * RATE)
    assert np.corrcoef(rows[:-period, 0], rows[period:, 0])[0, 1] > 0.95
    assert np.corrcoef(rows[: -4 * period, 2], rows[4 * period :, 2])[0, 1] > 0.95
    assert np.corrcoef(rows[:-period, 2], rows[period:, 2])[0, 1] < 0.5


def test_motion_rows_do_not_depend_on_where_and_how_large_the_dancer_is():
    motion = dance().motion
    moved = replace(motion, joints=motion.joints * 0.4 + np.float32([0.7, 0.2, 0]))
    np.testing.assert_allclose(motion_rows(motion, RATE, 0, 200), motion_rows(moved, RATE, 0, 200), atol=1e-3)


def conditions(frames: int, seed: int = 0) -> Conditions:
    draw = torch.Generator().manual_seed(seed)
    rows = torch.rand(1, 3, frames, ROWS, generator=draw) * (torch.rand(1, 3, frames, ROWS, generator=draw) < 0.02)
    return Conditions(
        frames,
        rows,
        torch.tensor([[33, DRUM_PROGRAM, -1]]),
        torch.randn(1, frames, MOTION_SIZE, generator=draw),
        torch.randn(1, frames, RHYTHM_SIZE, generator=draw),
        torch.randn(1, frames, CONFIG.visual_size, generator=draw),
        torch.tensor([4]),
        torch.randn(1, frames, CONFIG.noise_size, generator=draw),
    )


@pytest.mark.parametrize("frames", [1, 37, 200])
def test_any_length(generator, frames):
    assert generator(conditions(frames)).shape == (1, 16, frames)


@pytest.mark.parametrize("name", ["rows", "motion", "rhythm", "visual", "genre", "noise"])
def test_every_condition_is_optional_and_matters(generator, name):
    given = conditions(60)
    without = replace(given, **{name: None}, **({"programs": None} if name == "rows" else {}))
    assert not torch.allclose(generator(given), generator(without), atol=1e-5)


def test_nothing_given_still_gives_features(generator):
    assert torch.isfinite(generator(Conditions(frames=20))).all()


def test_order_of_parts_and_empty_places_do_not_matter(generator):
    given = conditions(60)
    swapped = replace(given, rows=given.rows[:, [1, 0]], programs=given.programs[:, [1, 0]])
    torch.testing.assert_close(generator(swapped), generator(given), atol=1e-5, rtol=1e-5)


def test_windows_with_context_equal_one_pass(generator):
    frames, begin, end = 400, 150, 250
    given, context = conditions(frames), generator.context
    window = slice(begin - context, end + context)
    cut = Conditions(
        window.stop - window.start, given.rows[:, :, window], given.programs, given.motion[:, window],
        given.rhythm[:, window], given.visual[:, window], given.genre, given.noise[:, window],
    )  # fmt: skip
    piece = generator(cut)[:, :, context : context + end - begin]
    torch.testing.assert_close(piece, generator(given)[:, :, begin:end], atol=1e-5, rtol=1e-4)


def test_output_stays_within_sigma(generator):
    loud = conditions(50)
    loud.motion = loud.motion * 1e4
    assert float(generator.normalised(loud).abs().max()) <= CONFIG.sigma


def test_discriminator_hears_three_scales():
    answers = MultiScaleDiscriminator(16)(torch.randn(2, 16, 128))
    assert [logits.shape[2] for logits, _ in answers] == [32, 16, 8]
    assert all(len(maps) == 4 for _, maps in answers)
