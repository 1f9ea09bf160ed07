"""Render a video of a performance by a mannequin, with or without its music."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d2m.files.atomic import atomic_write

from . import skeleton as sk
from .camera import Camera
from .choreographer import Performance

if TYPE_CHECKING:
    from .mannequin import Look


def pictures(
    performance: Performance, camera: Camera, look: Look | None = None, fps: float = 30.0, smooth: int = 2
) -> Iterator[np.ndarray]:
    """Iterate over pictures RGB uint8 (height, width, 3), ``fps`` a second, of the size of the camera.

    Args:
        performance: the dance.
        camera: where it is seen from.
        look: a :class:`~d2m.datasets.studio.mannequin.Look`; the default dancer if None.
        fps: pictures a second.
        smooth: see :class:`~d2m.datasets.studio.mannequin.Painter`.
    """
    from .mannequin import Look, Painter

    painter = Painter(camera, look if look is not None else Look(), smooth)
    smpl = performance.smpl
    _, world = sk.forward_kinematics(sk.matrices(smpl.poses), np.zeros((len(smpl.poses), 3)))
    count = max(int(round(len(smpl.poses) / smpl.fps * fps)), 1)
    for i in range(count):
        frame = min(int(round(i * smpl.fps / fps)), len(world) - 1)
        yield painter.draw(performance.joints[frame].astype(np.float64), world[frame], smpl.scale / 100.0)


def film(
    performance: Performance,
    camera: Camera,
    path: str | Path,
    *,
    look: Look | None = None,
    fps: int = 30,
    waveform: np.ndarray | None = None,
    sample_rate: int = 44100,
    crf: int = 23,
) -> None:
    """Write an mp4 (H.264 where FFmpeg has x264, else MPEG-4) of the dance; complete or absent.

    Args:
        performance: the dance.
        camera: its size is the picture's; both sides even.
        path: ends in ``.mp4``.
        look: colours of the dancer and the room.
        fps: pictures a second.
        waveform: float (channels, samples) in -1..1 to play with it (AAC), or None for no sound track.
        sample_rate: sample rate of the waveform, hertz.
        crf: x264's constant rate factor: lower is better and larger.

    Raises:
        D2MError: if the file cannot be written.
    """
    import av

    with atomic_write(path) as part, av.open(str(part), "w") as container:
        stream = _video_stream(container, camera.size, fps, crf)
        sound = None
        if waveform is not None:
            sound = container.add_stream("aac", rate=sample_rate)
            sound.layout = "mono" if waveform.shape[0] == 1 else "stereo"
        for picture in pictures(performance, camera, look, fps):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if sound is not None and waveform is not None:
            _sound(container, sound, waveform, sample_rate)


def _video_stream(container, size: tuple[int, int], fps: int, crf: int):
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    stream = container.add_stream(codec, rate=Fraction(fps))
    stream.width, stream.height, stream.pix_fmt = size[0], size[1], "yuv420p"
    if codec == "libx264":
        # one thread: the same seed gives the same bytes on any machine
        stream.options = {"crf": str(crf), "preset": "medium", "threads": "1"}
    else:
        stream.bit_rate = 1_200_000
    return stream


def _sound(container, stream, waveform: np.ndarray, sample_rate: int) -> None:
    import av

    block = 1024
    for start in range(0, waveform.shape[1], block):
        chunk = np.ascontiguousarray(waveform[:, start : start + block], dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(chunk, format="fltp", layout=stream.layout.name)
        frame.sample_rate, frame.pts = sample_rate, start
        frame.time_base = Fraction(1, sample_rate)
        for packet in stream.encode(frame):
            container.mux(packet)
    for packet in stream.encode():
        container.mux(packet)
