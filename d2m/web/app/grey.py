"""Clip that a worker watches while it starts, so that the first visitor need not wait for what is loaded then."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def write_grey(path: Path) -> None:
    """Write a second of grey pictures with a quiet tone.

    Args:
        path: the file, MP4.
    """
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        music = out.add_stream("aac", rate=44100, layout="mono")
        for number in range(30):
            grey = np.full((120, 160, 3), 100 + number, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        tone = 0.1 * np.sin(np.arange(44100) * 0.05)
        sound = av.AudioFrame.from_ndarray(tone[None].astype(np.float32), format="fltp", layout="mono")
        sound.sample_rate, sound.pts = 44100, 0
        out.mux(music.encode(sound))
        out.mux(music.encode(None))
