"""Mix a score for a video: notes begin early enough for their attacks to be on the beat."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from d2m.engines.score import ATTACK
from d2m.symbolic.sound.player import RATE
from d2m.types import Score

if TYPE_CHECKING:
    from d2m.symbolic.sound.render import Rendered

#: Seconds played before the video begins, and cut off.
_LEAD_IN = 0.1


def play_ahead(score: Score, font: Path, *, stems: bool = False, border: float | None = None) -> Rendered:
    """Mix the score, every note :data:`ATTACK` early.

    Args:
        score: what to play.
        font: SoundFont.
        stems: give the channels, too.
        border: seconds before which no sample may depend on later notes, or None.
    """
    from d2m.symbolic.sound.render import Rendered, block_size, mix_down

    # A note on the first frame starts before the video does: the piece is played with a lead-in, which is cut off.
    lead = round(_LEAD_IN * RATE)
    if border is not None:
        # Within a block, the convolutions of the mixer round differently for different notes.
        for _ in range(2):  # a longer lead-in may lead to larger blocks
            lead += -(lead + round(border * RATE)) % block_size(score.duration + lead / RATE)
    later = replace(score.grid, beats=score.grid.beats + lead / RATE - ATTACK)
    played = replace(score, grid=later, duration=score.duration + lead / RATE)
    made = mix_down(played, font, stems="finished" if stems else "")
    cut = {name: stem[:, lead:] for name, stem in made.stems.items() if stem.any()}
    return Rendered(made.mix[:, lead:], cut, made.sample_rate)
