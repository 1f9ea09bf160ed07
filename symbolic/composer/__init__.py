"""A composer: music in the ten AIST genres for any beat grid and any length.

    score = compose(BeatGrid.steady(112, 30.0), 30.0, "gLO", np.random.default_rng(1))

``form`` lays out bars and sections, ``harmony`` chords, ``grooves`` drums, ``bass``, ``comping`` and ``melody`` the
rest, ``arrange`` calls them in; what a genre sounds like is written down in ``funk``, ``hiphop`` and ``club``.
"""

from d2m.symbolic.composer.arrange import STYLES, compose
from d2m.symbolic.composer.style import DRUM_KEYS, PROGRAMS, TEMPOS, typical_tempo

__all__ = ["DRUM_KEYS", "PROGRAMS", "STYLES", "TEMPOS", "compose", "typical_tempo"]
