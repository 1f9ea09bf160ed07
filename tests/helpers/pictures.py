"""What the pictures of a written clip show, for the tests of copying and encoding."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def told(path: Path, shown: Any, duration: float) -> list[tuple[float, float]]:
    """For every picture that a decoder shows: seconds from the first, and seconds told by its grey."""
    import av

    with av.open(str(path)) as container:
        frames = [
            (float(f.pts * f.time_base), shown(f.to_ndarray(format="rgb24"), duration))
            for f in container.decode(video=0)
        ]
    return [(time - frames[0][0], grey) for time, grey in frames]
