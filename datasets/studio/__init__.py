"""Studio: synthetic dance and music made from one score, so that the exact beats are known.

:func:`sample` gives one pair in memory, :func:`make_studio` writes a whole data set in the layout of AIST++,
:func:`make_tiktok_studio` in that of TikTok Dance-Music, :func:`choreograph` dances to any beat grid and :func:`film`
films it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .camera import Camera, aist_cameras, wild_camera
    from .choreographer import DancerStyle, Performance, choreograph
    from .example import StudioExample, sample
    from .filming import film
    from .landmarks import landmark_motion
    from .make import Studio, make_studio
    from .tiktok import make_tiktok_studio

_HOME = {
    "Camera": "camera", "aist_cameras": "camera", "wild_camera": "camera", "DancerStyle": "choreographer",
    "Performance": "choreographer", "choreograph": "choreographer", "StudioExample": "example", "sample": "example",
    "film": "filming", "landmark_motion": "landmarks", "Studio": "make", "make_studio": "make",
    "make_tiktok_studio": "tiktok",
}  # fmt: skip
__all__ = [
    "Camera", "DancerStyle", "Performance", "Studio", "StudioExample", "aist_cameras", "choreograph", "film",
    "landmark_motion", "make_studio", "make_tiktok_studio", "sample", "wild_camera",
]  # fmt: skip


def __getattr__(name: str) -> object:
    # on demand: the command line imports this package to show its help
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
