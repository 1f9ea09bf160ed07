"""Moods: change a composed score towards one of the nine emotions, to a degree.

    score = in_mood(score, Mood.read("gloomy:0.6"), seed=1)

The change is a pure function of the score. Mode, register, density, articulation, loudness, patches and mix change in
proportion to the strength, as the tables ``moods.toml`` and ``emotions.toml`` say; above a strength of one half the
emotion model changes the tune, and the drums get another feel. Beats, bars, tempo, duration, effects, and all strokes
of kick and snare drums stay, since the music follows a dancer's beats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from unicodedata import normalize

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.emotion.emotions import check_strength, load_emotions
from d2m.symbolic.emotion.mood_harmony import harmony_of, mode_at, move_register, reharmonise
from d2m.symbolic.emotion.mood_notes import Pulse, lead_of, pulse_of
from d2m.symbolic.emotion.mood_rhythm import change_articulation, change_density, change_feel, change_loudness
from d2m.symbolic.emotion.mood_sound import change_sound
from d2m.symbolic.emotion.mood_table import Cues, cues, names
from d2m.types import Part, Score

if TYPE_CHECKING:
    from d2m.symbolic.emotion.actor_critic import EmotionModel

#: Strength above which the tune and the feel of the drums change.
STRONG = 0.5
#: Weights of the models that change it.
MODELS: tuple[str, ...] = ("studio-emotion", "studio-musicvae")


@dataclass(frozen=True)
class Mood:
    """An emotion and its strength.

    Attributes:
        name: English name of one of the nine emotions.
        strength: 0 (unchanged) to 1 (full).
    """

    name: str
    strength: float = 1.0

    @classmethod
    def read(cls, text: str) -> Mood:
        """Parse a mood such as ``"gloomy"``, ``"sad:0.6"`` or ``"우울한:0.6"``; without a number its strength is 1.

        Args:
            text: an emotion's English or Korean name or one of its aliases, then a colon and the strength if wanted.

        Raises:
            D2MError: if there is no such emotion, or the strength is not a number from 0 to 1.
        """
        title, colon, number = text.partition(":")
        name = names().get(normalize("NFC", title).strip().casefold())
        if name is None:
            choices = ", ".join(f"{emotion.name} {emotion.korean}" for emotion in load_emotions().emotions)
            raise D2MError(f"no mood '{title.strip()}'; choose one of {choices}")
        try:
            strength = float(number) if colon else 1.0
        except ValueError:
            strength = math.nan
        if not 0.0 <= strength <= 1.0:
            raise D2MError(f"strength '{number.strip()}' of the mood is not a number from 0 to 1; give e.g. {name}:0.6")
        return cls(name, strength)


def in_mood(score: Score, mood: Mood, seed: int, model: EmotionModel | None = None) -> Score:
    """Change a score towards a mood.

    The same arguments give the same score.

    Args:
        score: a composed score, or any other; parts of the sound library's effects are left as they are.
        mood: where to, and how far; at strength 0 the score itself is returned.
        seed: random seed of the choices among equals.
        model: emotion model for the tune, used above a strength of one half; None takes the included one.

    Returns:
        A score on the same grid, of the same duration, with the same parts in the same order.

    Raises:
        D2MError: if the strength is not from 0 to 1, there is no such emotion, or the emotion model cannot be read.
    """
    if check_strength(mood.strength) == 0:
        return score
    change = cues(mood.name, mood.strength)
    pulse, lead = pulse_of(score), lead_of(score)
    score = _pitches(score, lead, pulse, change, seed, model)
    end = _last_stroke(score)
    parts = []
    for number, part in enumerate(score.parts):
        rng = np.random.default_rng([seed, 1, number])
        # The density of the tune is the emotion model's.
        if not part.is_effect and number != lead:
            part = change_density(part, pulse, change.density, end, rng)
        parts.append(part if part.is_effect else _played(part, score.parts[number], pulse, change))
    score = replace(score, parts=tuple(parts), loudness=score.loudness + change.loudness)
    return change_sound(score, change)


def _strong(strength: float) -> float:
    """How far a strength is above the one from which the tune and the feel of the drums change, 0 to 1."""
    return max(strength - STRONG, 0.0) / (1.0 - STRONG)


def _pitches(
    score: Score, lead: int | None, pulse: Pulse, change: Cues, seed: int, model: EmotionModel | None
) -> Score:
    """Change mode, tune and register."""
    harmony = harmony_of(score, pulse)
    if harmony is None:
        return score
    mode = mode_at(harmony.mode, change.mode, change.strength)
    score = reharmonise(score, harmony, mode)
    harmony = replace(harmony_of(score, pulse) or harmony, tonic=harmony.tonic, mode=mode)
    if lead is not None and _strong(change.strength) > 0:
        from d2m.symbolic.emotion.mood_melody import change_melody

        score = change_melody(score, lead, harmony, pulse, change.emotion, _strong(change.strength), model)
    return move_register(score, harmony, change.register, np.random.default_rng([seed, 0]))


def _played(part: Part, before: Part, pulse: Pulse, change: Cues) -> Part:
    """Change feel, articulation and loudness of a part that had other strokes before."""
    if part.is_drum:
        part = change_feel(part, pulse, change.feel, _strong(change.strength))
    else:
        part = change_articulation(part, change.length)
    mean = float(before.velocities.mean()) if len(before.velocities) else 0.0
    return change_loudness(part, pulse, mean, change.velocity)


def _last_stroke(score: Score) -> float:
    """Position of the last stroke of the drums, where a composed piece ends; else of the score's end."""
    end = float(score.grid.position_of(score.duration))
    drums = [part for part in score.parts if part.is_drum and len(part.starts)]
    return min(end, max(float(part.starts.max()) for part in drums)) if drums else end
