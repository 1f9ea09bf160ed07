"""Rule-based composer: music in the ten AIST genres for any beat grid and any length.

    score = compose(BeatGrid.steady(112, 30.0), 30.0, "gLO", np.random.default_rng(1))

Modules: ``form`` (bars and sections), ``harmony`` (chords), ``grooves`` (drums), ``bass``, ``comping`` and ``melody``
(the other instruments), ``arrange`` (the whole score); ``funk``, ``hiphop`` and ``club`` contain the styles of the
genres.
"""

from d2m.symbolic.composer.arrange import STYLES, compose
from d2m.symbolic.composer.style import DRUM_KEYS, PROGRAMS, TEMPOS, typical_tempo

__all__ = ["DRUM_KEYS", "PROGRAMS", "STYLES", "TEMPOS", "compose", "typical_tempo"]
