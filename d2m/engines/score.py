"""Default score of an engine: the composer's score for a dance."""

from __future__ import annotations

import numpy as np

from d2m.types import Dance, Score

#: Seconds between a note's start and the middle of its attack, the mean over the instruments of the composer (drums a
#: few milliseconds, bass and strings 40): a player strikes so much ahead of the beat for the sound to be on it (Vos
#: and Rasch, "The perceptual onset of musical tones", 1981).
ATTACK = 0.02
#: The genre of a dance of which none is known: middle hip-hop.
FALLBACK_GENRE = "gMH"


def write_score(dance: Dance, seed: int) -> Score:
    """Compose a score for the beats, energy and genre of a dance.

    Args:
        dance: analysis of a video.
        seed: random seed.
    """
    from d2m.symbolic.composer import compose

    genre = dance.genre or FALLBACK_GENRE
    rng = np.random.default_rng(seed)
    return compose(
        *(dance.grid, dance.duration, genre, rng),
        energy=dance.energy,
        accents=dance.accents,
        forgiving=dance.forgiving,
        brief=dance.brief,
    )
