"""Sound of scores: SoundFonts, the player, and rendering through the mixer."""

from d2m.symbolic.sound.fonts import find_soundfont
from d2m.symbolic.sound.render import Rendered, render, render_parts, render_stems

__all__ = ["Rendered", "find_soundfont", "render", "render_parts", "render_stems"]
