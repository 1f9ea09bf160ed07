"""Player whose tones are made before they are needed, so that no block of sound waits for one."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from d2m.audio.mixer import Mixer
from d2m.symbolic.sound.notes import EFFECT, Notes
from d2m.symbolic.sound.player import RATE, Player, Score
from d2m.symbolic.sound.soundfont import DRUM_BANK, SoundFont, Tone
from d2m.types import TRACKS

#: Samples mixed at a time: 35 ms. With longer blocks there is less time from the moment at which there is room for one
#: to the one at which it must be ready; shorter ones take nearly as long to compute, each.
BLOCK = 1536
#: Phrases whose tones are kept: the one that is played, the one before, whose notes still sound, and the next ones.
KEPT = 3


class LivePlayer(Player):
    """Player of a live session; see :class:`d2m.symbolic.sound.player.Player`.

    Tones are made in one thread (:meth:`prepare`) and played in another; the soundfont, which makes one tone at a time,
    is asked by the second one only for what was not prepared.

    Args:
        font: SoundFont that plays the notes.
        score: source of the notes.
        position: first sample that is given out.
        mixer: mixer of the channels, in blocks of :data:`BLOCK`.
    """

    def __init__(self, font: SoundFont, score: Score, position: int, mixer: Mixer) -> None:
        self._phrases: deque[dict[tuple[Any, ...], Tone | None]] = deque([{}], maxlen=KEPT)
        self._preparing = threading.local()
        #: Number of tones that had to be made while they were needed.
        self.late = 0
        super().__init__(font, score, position, mixer=mixer)

    def prepare(self, phrase: Iterable[Notes]) -> None:
        """Make the tones of the notes of a phrase.

        Args:
            phrase: the notes of its densities; their lengths matter, their starts do not.
        """
        tones: dict[tuple[Any, ...], Tone | None] = {}
        self._preparing.tones = tones
        for notes in phrase:
            for index in range(len(notes)):
                self._voice(notes, index)
                # The thread that renders the sound goes first.
                time.sleep(0)
        self._preparing.tones = None
        self._phrases.append(tones)

    @staticmethod
    def _take(bank: int, program: int, start: int) -> int:
        """Return the take that :func:`with_takes` chose."""
        return program

    @property
    def ready(self) -> int:
        """Number of samples that are mixed and not given out yet."""
        return self._ready.shape[1]

    def begin(self, score: Score, sample: int) -> None:
        """Play another score from a sample on.

        Args:
            score: source of the notes.
            sample: number of the next sample that is given out.
        """
        self.score = score
        self.mixed += sample - self.position
        self.position = sample

    def _tone(
        self, program: int, drums: bool, key: int, velocity: int, bank: int, seconds: float, bend: float
    ) -> Tone | None:
        name = (program, drums, key, velocity, bank, seconds, bend)
        wanted = getattr(self._preparing, "tones", None)
        for tones in (wanted or {}, *self._phrases):
            if name in tones:
                tone = tones[name]
                break
        else:
            self.late += wanted is None
            tone = self.font.tone(program, drums, key, velocity, RATE, seconds, 2, bend, bank)
        if wanted is not None:
            wanted[name] = tone
        return tone


def with_takes(notes: Notes) -> Notes:
    """Choose the takes of the sound library's patches by when the notes start.

    A :class:`LivePlayer` plays these, since it does not know beforehand when a note will start.

    Args:
        notes: the notes.
    """
    presets = notes.presets.copy()
    for index, (preset, program) in enumerate(zip(presets, notes.programs, strict=True)):
        effect = EFFECT if preset >= EFFECT else 0
        bank, program = divmod(int(preset) % EFFECT, 128) if preset >= 0 else (0, int(program))
        drums = TRACKS[int(notes.tracks[index])] == "drums"
        take = Player._take(DRUM_BANK if drums else bank, program, int(notes.starts[index]))
        if take != program:
            presets[index] = 128 * bank + take + effect
    return replace(notes, presets=presets)
