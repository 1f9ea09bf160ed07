"""Apply a model of fixed length to dances of any length: overlapping windows, cross-faded in VQ-feature space.

The windows are spread evenly from the first motion frame to the last. Where two overlap, the features of the first fade
into those of the second around the middle of the overlap, which keeps every output frame as far as possible from the
ends of its window. Features are yielded piece by piece, and memory does not grow with the length of the dance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from d2m.generator.d2m_gan import D2MGAN, D2MGANConfig

#: Seconds that two windows share at least, and over which one fades into the other.
OVERLAP = 0.5


@dataclass(frozen=True)
class Window:
    """One pass of the model.

    Attributes:
        motion: its first motion frame.
        start: its first VQ frame.
        begin, end: the VQ frames that it is heard in, the fades included.
        fade: VQ frames from ``begin`` on in which it fades in over the window before; 0 for the first.
    """

    motion: int
    start: int
    begin: int
    end: int
    fade: int


def plan(motion_frames: int, frames: int, config: D2MGANConfig, overlap: float = OVERLAP) -> list[Window]:
    """Return the windows over a dance.

    Args:
        motion_frames: motion frames that there are; a dance shorter than one window gets one.
        frames: VQ frames that are wanted. The last window is heard to its end.
        config: the model's.
        overlap: see :data:`OVERLAP`.

    Raises:
        ValueError: if the windows would overlap by more than half.
    """
    if not 0 < overlap <= config.seconds / 2:
        raise ValueError(f"windows of {config.seconds:g} s cannot overlap by {overlap:g} s")
    size, rate = config.motion_frames, config.data.motion_rate
    spare = max(motion_frames - size, 0)
    count = 1 + math.ceil(spare / (size - round(overlap * rate)))
    motion = np.round(np.linspace(0, spare, count)).astype(int)
    frame_rate = config.sample_rate / config.hop
    starts = np.round(motion / rate * frame_rate).astype(int)
    fades = [0]
    edges = [0]
    for left, right in zip(starts, starts[1:], strict=False):
        shared = int(left + config.frames - right)
        fade = min(round(overlap * frame_rate), shared)
        edges.append(int(right) + (shared - fade) // 2)
        fades.append(fade)
    ends = [edge + fade for edge, fade in zip(edges[1:], fades[1:], strict=True)] + [int(starts[-1]) + config.frames]
    rows = zip(motion, starts, edges, ends, fades, strict=True)
    return [Window(int(m), int(s), b, min(e, frames), f) for m, s, b, e, f in rows if b < frames]


@torch.no_grad()
def stream(
    model: D2MGAN,
    motion: np.ndarray | None,
    visual: Callable[[float, float], np.ndarray] | None,
    genre: int | None,
    motion_frames: int,
    frames: int,
    *,
    overlap: float = OVERLAP,
    batch: int = 4,
) -> Iterator[Tensor]:
    """Generate VQ features of a dance piece by piece.

    Args:
        model: any :class:`D2MGAN`.
        motion: float32 (T, D) at the model's rate, or None for a model of vision alone.
        visual: float32 (2048,) of the picture from one second to another, or None for a model of motion alone.
        genre: the index, or None for a model without genres.
        motion_frames: T, also where there is no motion.
        frames: VQ frames to make. Those after the last window (the windows' frames are whole, their seconds not quite)
            repeat its last one.
        overlap: see :func:`plan`.
        batch: windows in one pass of the network.

    Yields:
        (64, F) pieces, ``frames`` in all.
    """
    config = model.config
    device = next(model.parameters()).device
    windows = plan(motion_frames, frames, config, overlap)
    waiting = torch.zeros(0)
    for first in range(0, len(windows), batch):
        group = windows[first : first + batch]
        inputs = [_inputs(config, motion, visual, window) for window in group]
        moves = [m for m, _ in inputs if m is not None]
        looks = [v for _, v in inputs if v is not None]
        made = model(
            torch.from_numpy(np.stack(moves)).to(device) if moves else None,
            torch.from_numpy(np.stack(looks)).to(device) if looks else None,
            torch.full((len(group),), genre, device=device) if genre is not None else None,
        ).cpu()
        for number, (window, features) in enumerate(zip(group, made, strict=True), first):
            heard = features[:, window.begin - window.start : window.end - window.start]
            faded = min(window.fade, heard.shape[1])
            if faded:
                ramp = (torch.arange(faded) + 0.5) / window.fade
                heard = torch.cat([torch.lerp(waiting[:, :faded], heard[:, :faded], ramp), heard[:, faded:]], 1)
            last = number + 1 == len(windows)
            until = heard.shape[1] if last else windows[number + 1].begin - window.begin
            waiting = heard[:, until:]
            yield heard[:, :until]
            if last and window.end < frames:
                yield heard[:, -1:].expand(-1, frames - window.end)


def _inputs(
    config: D2MGANConfig,
    motion: np.ndarray | None,
    visual: Callable[[float, float], np.ndarray] | None,
    window: Window,
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Motion and vision of one window; the last motion frame is held where the dance is shorter."""
    moves = looks = None
    if config.modality != "vision" and motion is not None:
        moves = motion[window.motion : window.motion + config.motion_frames].astype(np.float32)
        moves = np.concatenate([moves, np.repeat(moves[-1:], config.motion_frames - len(moves), 0)])
    if config.modality != "motion" and visual is not None:
        begin = window.motion / config.data.motion_rate
        looks = visual(begin, begin + config.seconds).astype(np.float32)
    return moves, looks
