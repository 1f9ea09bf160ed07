"""Features of dance videos: landmarks, beats, energy, genre and visual features.

from d2m.media import open_video
from d2m.features import analyse
analysis = analyse(open_video("dance.mp4"))
analysis.dance.grid.beats            # seconds
"""

from __future__ import annotations

from d2m.features.analysis import Analysis, analyse
from d2m.features.genre import choose_genre
from d2m.features.rhythm import Rhythm, find_rhythm

__all__ = ["Analysis", "Rhythm", "analyse", "choose_genre", "find_rhythm"]
