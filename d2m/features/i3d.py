"""Visual features: 2048 values for each segment by I3D R50 of pytorchvideo, trained on Kinetics-400.

Model: J. Carreira and A. Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017, as a ResNet-50 with inflated
kernels (X. Wang et al., "Non-local Neural Networks", CVPR 2018; ``i3d_r50`` of pytorchvideo 0.1.5, "8x8" in its
model zoo: 8 frames, 8/30 s apart). Preparation of pictures as on pytorchvideo's page at torch hub: values in 0..1,
less 0.45, by 0.225; short side 256 pixels, the middle 256 x 256 of it. The feature is what the classifier's last
layer reads, after the network's own pooling: the logits are a linear function of it.

The frames are spread evenly over the segment: for 2 s every 0.25 s. A segment longer than the model's 2.13 s is
seen in several clips of about that length, and their features are averaged, as is usual in testing such models.

D2M-GAN's authors name another I3D for their own visual input (github.com/piergiaj/pytorch-i3d, in issue 5 of
github.com/L-YeZhu/D2M-GAN), which puts out 1024 values; how they came to 2048 is not published. Models trained on
their files therefore expect other values than these.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.errors import D2MError
from d2m.extras import require
from d2m.nn.device import current
from d2m.types import Visual

if TYPE_CHECKING:
    import torch

    from d2m.media import Video

#: Name of the weights for ``d2m models fetch``, and of the model in what is written.
NAME = "i3d-r50-k400"
FEATURES = 2048
#: Frames of a clip, and its length in seconds: 8 frames taken from every 8th of 30 a second.
CLIP_FRAMES, CLIP_SECONDS = 8, 8 * 8 / 30
SIDE = 256
MEAN, DEVIATION = 0.45, 0.225
#: Longest segment in seconds; all its pictures are in memory.
LONGEST = 60.0
#: A rest of the video shorter than this part of a segment has none of its own.
SMALLEST_REST = 0.25


def i3d_features(
    video: Video,
    weights: str | Path | torch.nn.Module | None = None,
    seconds: float = 2.0,
    progress: Callable[[float], None] | None = None,
) -> Visual:
    """Return features of a video, segment by segment; memory does not grow with its length.

    Segments follow each other from 0 s on; a rest at the end is seen in the video's last ``seconds``, so that every
    feature is of a whole segment. A video shorter than one segment is one.

    Args:
        video: an open video.
        weights: a file (see :func:`load_i3d`), the loaded model, or None for the weights fetched by
            ``d2m models fetch i3d-r50-k400``.
        seconds: length of a segment.
        progress: called with the part done, 0..1.

    Returns:
        float32 (S, 2048); S from :func:`segments`.

    Raises:
        D2MError: if the weights cannot be used or the video not be decoded.
        ValueError: if ``seconds`` is not above 0 and at most :data:`LONGEST`.
    """
    import torch

    model = load_i3d(weights) if weights is None or isinstance(weights, (str, Path)) else weights
    device = next(model.parameters()).device
    count, rows = len(segments(video.duration, seconds)), []
    for pictures in _segment_pictures(video, seconds):
        clips = torch.from_numpy(pictures).to(device).unflatten(0, (-1, CLIP_FRAMES))
        with torch.inference_mode():
            # One clip at a time: a long segment must not take more memory than a short one.
            seen = torch.stack([model(prepare(clip)[None])[0] for clip in clips])
        rows.append(seen.mean(0).float().cpu().numpy())
        if progress is not None:
            progress(len(rows) / count)
    return Visual(np.stack(rows), NAME)


def segments(duration: float, seconds: float) -> np.ndarray:
    """Compute the segments of a video.

    Args:
        duration: length of the video in seconds.
        seconds: length of a segment.

    Returns:
        float64 (S, 2), start and end in seconds; S >= 1.

    Raises:
        ValueError: if ``seconds`` is not above 0 and at most :data:`LONGEST`.
    """
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"a segment must be longer than 0 s and at most {LONGEST:.0f} s")
    if duration < seconds:
        return np.array([[0.0, duration]])
    whole = int(duration / seconds + 1e-6)
    starts = np.arange(whole) * seconds
    if duration - whole * seconds >= SMALLEST_REST * seconds:
        starts = np.append(starts, duration - seconds)
    return np.stack([starts, starts + seconds], axis=1)


def load_i3d(weights: str | Path | None = None, device: str | torch.device | None = None) -> torch.nn.Module:
    """Return the network without its last layer: (B, 3, 8, 256, 256), prepared, to (B, 2048).

    Args:
        weights: pytorchvideo's ``I3D_8x8_R50.pyth`` (its entry ``model_state``), a state dict of the same names saved
            by PyTorch, or one in safetensors; None for the fetched weights. All names and shapes must fit.
        device: where to run; None for the device that was chosen (:mod:`d2m.nn.device`).

    Raises:
        D2MError: if there are none, or they are unsafe, damaged or another model's.
    """
    import torch

    path = find_weights(weights)
    state = _read(path)
    with torch.device("meta"):
        # Without values: those of the file take their place.
        model = _network()
    wanted = model.state_dict()
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros(value.shape, dtype=value.dtype))
    missing, extra = [name for name in wanted if name not in state], [name for name in state if name not in wanted]
    if missing or extra:
        what = f"'{missing[0]}' is missing" if missing else f"'{extra[0]}' is not part of it"
        raise D2MError(f"{path} holds another model than I3D R50 for Kinetics-400: {what}")
    for name, value in state.items():
        if value.shape != wanted[name].shape:
            raise D2MError(f"{path} holds another model than I3D R50 for Kinetics-400: '{name}' has other sizes")
        if not torch.isfinite(value).all():
            raise D2MError(f"{path} is damaged: '{name}' is not finite; download the file again")
    model.load_state_dict({name: value.to(wanted[name].dtype) for name, value in state.items()}, assign=True)
    *_, head = model.get_submodule("blocks").children()
    head.proj = torch.nn.Identity()
    return model.eval().to(device or current())


def find_weights(weights: str | Path | None = None) -> Path:
    """Find the weights file of the network.

    Args:
        weights: the user's path, or None for the fetched one.

    Raises:
        D2MError: if it does not exist or pytorchvideo is not installed; the message says how to get it.
    """
    from d2m import weights as installed

    require("pytorchvideo", "d2m-gan", "I3D")
    if weights is not None:
        path = Path(weights)
        if not path.is_file():
            raise D2MError(f"{path}: no such weights file; 'd2m models fetch {NAME}' downloads them")
        return path
    try:
        return installed.find(NAME)[0]
    except D2MError:
        raise D2MError(
            f"visual features need the weights of I3D R50; get them with 'd2m models fetch {NAME}' or give "
            "pytorchvideo's I3D_8x8_R50.pyth with --i3d-weights"
        ) from None


def prepare(pictures: torch.Tensor) -> torch.Tensor:
    """Convert pictures to the input of the network.

    Args:
        pictures: uint8 (T, H, W, 3).

    Returns:
        float32 (3, T, 256, 256).
    """
    import torch

    height, width = pictures.shape[1:3]
    frames = pictures.permute(3, 0, 1, 2).float() / 255.0
    short = min(height, width)
    if short != SIDE:
        size = (round(height * SIDE / short), round(width * SIDE / short))
        frames = torch.nn.functional.interpolate(frames, size=size, mode="bilinear", align_corners=False)
    top, left = (frames.shape[2] - SIDE) // 2, (frames.shape[3] - SIDE) // 2
    return (frames[:, :, top : top + SIDE, left : left + SIDE] - MEAN) / DEVIATION


def _segment_pictures(video: Video, seconds: float) -> Iterator[np.ndarray]:
    """uint8 (8 clips, H, W, 3) of each segment, evenly spread from its start on."""
    seconds = min(seconds, video.duration)
    frames = CLIP_FRAMES * max(1, round(seconds / CLIP_SECONDS))
    # Scaling down while decoding averages over pixels, which keeps fine patterns from flickering.
    height = round(video.height * SIDE / min(video.width, video.height))
    recent: list[np.ndarray] = []
    given = 0
    for index, frame in enumerate(video.frames(frames / seconds, height)):
        recent = [*recent[-(frames - 1) :], frame.rgb]
        if index % frames == frames - 1:
            yield np.stack(recent)
            given += 1
    if given < len(segments(video.duration, seconds)):
        yield np.stack([*recent, *[recent[-1]] * (frames - len(recent))])


def _network() -> torch.nn.Module:
    with warnings.catch_warnings():
        # pytorchvideo is of 2022; torch remarks on how it scripts an activation.
        warnings.simplefilter("ignore")
        from pytorchvideo.models.hub import i3d_r50

        return i3d_r50(pretrained=False)


def _read(path: Path) -> dict[str, torch.Tensor]:
    from d2m.weights.checkpoint import load_checkpoint, state_of
    from d2m.weights.files import read_safetensors

    if path.suffix == ".safetensors":
        return read_safetensors(path)[0]
    content = load_checkpoint(path)
    inner = content.get("model_state")
    return state_of(inner if isinstance(inner, dict) else content, path)
