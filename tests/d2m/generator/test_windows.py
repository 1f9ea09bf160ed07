"""A model of two seconds plays a dance of any length, and nobody hears where its windows meet."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from d2m.generator.d2m_gan import D2MGANConfig
from d2m.generator.windows import plan, stream


class Still(nn.Module):
    """A model of the right shapes that answers with what ``say`` makes of the motion's first column."""

    def __init__(self, config: D2MGANConfig, say) -> None:
        super().__init__()
        self.config = config
        self.say = say
        self.unused = nn.Parameter(torch.zeros(1))
        self.batches: list[int] = []

    def forward(self, motion, visual, genre):
        self.batches.append(len(motion))
        self.last = (motion, visual, genre)
        return self.say(motion[:, :, 0])[:, None].expand(-1, 64, -1)


def seconds_of_frames(config: D2MGANConfig, motion: torch.Tensor) -> torch.Tensor:
    """(B, F): the motion's first column, which tells the time, on the VQ frames of each window."""
    rate = config.sample_rate / config.hop
    return motion[:, :1] + torch.arange(config.frames) / rate


def clock(frames: int, rate: float) -> np.ndarray:
    """Motion whose first column is its own time in seconds."""
    rows = np.zeros((frames, 219), np.float32)
    rows[:, 0] = np.arange(frames) / rate
    return rows


@pytest.mark.parametrize(
    ("level", "motion_frames"), list(itertools.product(("high", "low"), (120, 121, 150, 211, 1234)))
)
def test_every_frame_is_made_from_the_dance_at_its_own_time(level, motion_frames):
    config = D2MGANConfig(level=level)
    model = Still(config, lambda column: seconds_of_frames(config, column))
    rate = config.sample_rate / config.hop
    frames = int(np.ceil(motion_frames / 60 * rate))
    pieces = list(stream(model, clock(motion_frames, 60), None, 0, motion_frames, frames))
    made = torch.cat(pieces, 1)[0].numpy()
    assert made.shape == (frames,)
    # Windows start on motion frames, whose place among the VQ frames is rounded: half a frame at the most, and one
    # more at the very end, where the last frame is held.
    assert np.abs(made - np.arange(frames) / rate)[:-2].max() < 0.51 / rate
    assert np.abs(made - np.arange(frames) / rate).max() < 2 / rate


def test_where_windows_disagree_one_fades_into_the_other():
    config = D2MGANConfig()
    answers = itertools.cycle([-1.0, 1.0])
    model = Still(config, lambda column: torch.tensor([[next(answers)] for _ in column]).expand(-1, config.frames))
    made = torch.cat(list(stream(model, clock(600, 60), None, 0, 600, 1723)), 1)[0]
    fade = round(0.5 * 22050 / 128)
    assert float(made.diff().abs().max()) == pytest.approx(2 / fade, rel=1e-3)
    assert (made == -1).any()
    assert (made == 1).any()


def test_the_plan_covers_the_dance_and_no_frame_is_in_more_than_two_windows():
    for level, motion_frames in itertools.product(("high", "low"), (60, 120, 121, 139, 180, 211, 212, 213, 301, 4000)):
        config = D2MGANConfig(level=level)
        windows = plan(motion_frames, 10**9, config)
        heard = np.zeros(windows[-1].end, int)
        for window in windows:
            assert window.start <= window.begin < window.end <= window.start + config.frames
            heard[window.begin : window.end] += 1
        assert heard.min() == 1
        assert heard.max() <= 2
        assert windows[-1].motion + 120 == max(motion_frames, 120)


def test_memory_does_not_grow_with_the_dance():
    config = D2MGANConfig()
    model = Still(config, lambda column: torch.zeros(len(column), config.frames))
    sizes = [piece.shape[1] for piece in stream(model, clock(6000, 60), None, 0, 6000, 17227)]
    assert sum(sizes) == 17227
    assert max(sizes) <= config.frames
    assert set(model.batches) <= {1, 2, 3, 4}


def test_a_dance_shorter_than_a_window_holds_its_last_pose():
    config = D2MGANConfig()
    model = Still(config, lambda column: column.mean(1, keepdim=True).expand(-1, config.frames))
    made = torch.cat(list(stream(model, clock(30, 60), None, 0, 30, 87)), 1)
    assert made.shape == (64, 87)
    held = np.concatenate([np.arange(30), np.full(90, 29)]) / 60
    assert float(made[0, 0]) == pytest.approx(held.mean(), rel=1e-5)


def test_windows_look_at_the_picture_of_their_own_time():
    asked = []

    def visual(begin: float, end: float) -> np.ndarray:
        asked.append((begin, end))
        return np.full(2048, begin)

    config = D2MGANConfig()
    model = Still(config, lambda column: torch.zeros(len(column), config.frames))
    list(stream(model, clock(300, 60), visual, 3, 300, 861))
    assert asked[0] == (0, 2)
    assert asked[-1] == (3, 5)
    assert model.last[1].shape == (len(asked), 2048)
    assert model.last[2].tolist() == [3] * len(asked)
