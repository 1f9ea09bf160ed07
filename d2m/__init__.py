"""Generate music for dance videos.

import d2m
result = d2m.generate("dance.mp4", seed=1)
result.files["mp4"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2m.version import __version__

if TYPE_CHECKING:
    from d2m.pipeline import Result, generate

__all__ = ["Result", "__version__", "generate"]


def __getattr__(name: str) -> object:
    # Reading a version or a help text must not load the models' libraries.
    if name in ("Result", "generate"):
        import importlib

        return getattr(importlib.import_module("d2m.pipeline"), name)
    raise AttributeError(f"module 'd2m' has no attribute '{name}'")
