"""Generate music for dance videos.

import d2m

result = d2m.generate("dance.mp4", seed=1)
result.files["mp4"]

plan = d2m.plan("dance.mp4")
plan.section(1).mood = "gloomy:0.6"
soundtrack = d2m.play(plan)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from d2m.version import __version__

if TYPE_CHECKING:
    from d2m.pipeline import Result, generate, plan
    from d2m.plans.play import play_with as play

__all__ = ["Result", "__version__", "generate", "plan", "play"]

#: Public name -> module and name there.
_PUBLIC = {
    "Result": ("d2m.pipeline", "Result"),
    "generate": ("d2m.pipeline", "generate"),
    "plan": ("d2m.pipeline", "plan"),
    "play": ("d2m.plans.play", "play_with"),
}


def __getattr__(name: str) -> object:
    # Reading a version or a help text must not load the models' libraries.
    if name in _PUBLIC:
        import importlib

        module, attribute = _PUBLIC[name]
        return getattr(importlib.import_module(module), attribute)
    raise AttributeError(f"module 'd2m' has no attribute '{name}'")
