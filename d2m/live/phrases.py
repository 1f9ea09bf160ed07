"""Phrases of music that are written ahead: a few bars each, in several densities on one harmony.

An arranger writes a phrase once for each density, as a section of a longer piece (:class:`d2m.types.Brief`), so that
song, key and instruments are the same; at every bar line the conductor can take the next bar from another density.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from d2m.audio.presets import CHANNELS, Preset, preset
from d2m.engines.arrangers import Arranger
from d2m.live.player import RATE, with_takes
from d2m.plans.edit import edited
from d2m.plans.types import Mix, Section
from d2m.symbolic.sound.fonts import pans
from d2m.symbolic.sound.notes import Notes, notes_of
from d2m.types import BeatGrid, Brief, Dance, Score

#: Bars of a phrase, and beats of a bar.
BARS, BEATS = 4, 4
#: Energy that the arranger is told, from the thinnest density to the fullest. The thinnest has no drums and no bass.
DENSITIES = (0.1, 0.3, 0.65, 1.0)
#: Beats before a bar line from which notes belong to the next bar.
EDGE = 0.12
#: Phrases of one song, after which the key, the instruments and the tunes are drawn anew.
SONG = 16
#: Roles of the phrases of a song in turn.
COURSE = ("verse", "verse", "lift", "chorus", "verse", "chorus", "lift", "chorus")
#: Energy below which a phrase is a break, and from which it is a chorus, whatever its turn.
BREAK, CHORUS = 0.12, 0.85
#: Seconds before the phrase in which its first notes may begin, and bars after it that the arranger knows of.
_LEAD, _TAIL = 0.1, 2.02


@dataclass(frozen=True)
class Phrase:
    """One density of a phrase.

    Attributes:
        notes: its notes, by their place.
        places: float64 (N,), beats from the beginning of the phrase.
        starts: int64 (N,), samples at which the notes would begin at the tempo that the phrase was written for.
    """

    notes: Notes
    places: np.ndarray
    starts: np.ndarray

    def between(self, first: float, last: float) -> Phrase:
        """Select the notes between two places.

        Args:
            first, last: beats from the beginning of the phrase.
        """
        part = slice(*np.searchsorted(self.places, (first, last)).tolist())
        return Phrase(self.notes.chosen(part), self.places[part], self.starts[part])


@dataclass(frozen=True)
class Wish:
    """What the music is to be.

    Attributes:
        genre: AIST code, or name of an added genre.
        seed: random seed.
        key: key of all songs, or "" for the arranger's choice.
        mood: emotion and strength, or "".
        mix: changes to the mix.
    """

    genre: str
    seed: int = 0
    key: str = ""
    mood: str = ""
    mix: Mix = field(default_factory=Mix)


class PhraseWriter:
    """Writer of the phrases of a session.

    Args:
        arranger: writes the scores.
        wish: what the music is to be.

    Attributes:
        key: key of the phrase that was written last, or "".
        character: character of the mix, which the first phrase chose.
    """

    def __init__(self, arranger: Arranger, wish: Wish) -> None:
        self.arranger, self.wish = arranger, wish
        self.key = self.character = ""
        self._mix: Preset | None = None

    @property
    def mix(self) -> Preset:
        """Settings of the mixer; after the first phrase they are those of its character."""
        return self._mix or preset(self.wish.genre)

    def role(self, number: int, energy: float) -> str:
        """Choose the role of a phrase.

        Args:
            number: number of the phrase from 0.
            energy: mean energy of the dancer, 0 to 1.
        """
        if energy < BREAK:
            return "break"
        usual = COURSE[number % SONG % len(COURSE)]
        return "chorus" if energy >= CHORUS and usual == "verse" else usual

    def write(self, number: int, role: str, tempo: float) -> tuple[Phrase, ...]:
        """Write a phrase in all densities.

        Args:
            number: number of the phrase from 0.
            role: its role, one of :data:`d2m.types.ROLES`.
            tempo: beats per minute.

        Returns:
            One phrase for each of :data:`DENSITIES`.
        """
        seed = self.wish.seed + number // SONG
        scores = [self._score(seed, role, tempo, density) for density in DENSITIES]
        if self._mix is None:
            self.character = scores[-1].character
            self._mix = preset(self.wish.genre, self.character)
        self.key = scores[-1].key or ""
        # The thinnest density keeps what holds the harmony.
        quiet = [part for part in scores[0].parts if not part.is_drum and part.track != "bass" and not part.is_effect]
        scores[0] = replace(scores[0], parts=tuple(quiet) or scores[0].parts)
        return tuple(self._placed(score) for score in scores)

    def _score(self, seed: int, role: str, tempo: float, density: float) -> Score:
        bar = BEATS * 60.0 / tempo
        end = _LEAD + BARS * bar
        duration = end + _TAIL * bar
        grid = BeatGrid.steady(tempo, duration, _LEAD)
        count = len(grid.beats)
        dance = Dance(
            *(duration, None, grid, np.full(count, density, np.float32), np.zeros(count, np.float32)),
            genre=self.wish.genre,
            brief=Brief(_LEAD, end, role, self.wish.key or None, ()),
        )
        section = Section(
            _LEAD, end, self.wish.genre, role, self.wish.mood, density, self.wish.key, self.arranger.name, seed
        )
        return edited(self.arranger.write(dance, seed), section, self.wish.mix)

    def _placed(self, score: Score) -> Phrase:
        def sample_of(beats: np.ndarray) -> np.ndarray:
            return np.round(score.grid.time_of(beats) * RATE).astype(np.int64)

        spread = [self.mix.strips[name].spread for name in CHANNELS]
        parts = zip(score.parts, pans(score.parts), strict=True)
        notes = notes_of(parts, sample_of, lambda beats: np.zeros(len(beats)), RATE, spread)
        places = score.grid.position_of(notes.starts / RATE) - score.grid.position_of(_LEAD)
        inside = np.flatnonzero((places >= -EDGE) & (places < BARS * BEATS - EDGE))
        order = inside[np.argsort(places[inside], kind="stable")]
        chosen = with_takes(notes.chosen(order))
        return Phrase(chosen, places[order], chosen.starts)
