"""Table of the nine emotions (``emotions.toml``): targets and playback of each, found by Korean or English name.

A melody has an emotion if its mean pitch and its notes per bar are close to the emotion's; the distance is measured in
standard deviations of real melodies, so that both have the same weight.
"""

from __future__ import annotations

import difflib
import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unicodedata import normalize

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.melody import FIRST_KEY, LOWEST, STEPS_PER_BAR

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("emotions.toml")
MODES: tuple[str, ...] = ("major", "minor")
ARTICULATIONS: tuple[str, ...] = ("legato", "detached", "staccato", "accented")
#: A melody is in an emotion's region within this many standard deviations of its targets, in pitch and in density.
REGION = 0.5
_MOST_BYTES = 1 << 20
_WHOLE = ("register", "program")
_NUMBERS: dict[str, tuple[float, float]] = {
    "valence": (-1.0, 1.0),
    "arousal": (-1.0, 1.0),
    "pitch_quantile": (0.0, 1.0),
    "density_quantile": (0.0, 1.0),
    "pitch": (21.0, 108.0),
    "density": (0.0, 16.0),
    "register": (-48, 48),
    "tempo": (20.0, 300.0),
    "program": (0, 127),
}


@dataclass(frozen=True)
class Emotion:
    """One row of the table.

    Attributes:
        name, korean: in English and Korean.
        valence, arousal: from unpleasant to pleasant and from calm to aroused, -1 to 1.
        pitch_quantile, density_quantile: where the targets lie among real melodies, 0 to 1.
        pitch: target of the mean pitch, MIDI.
        density: target of the notes a bar.
        mode: ``major`` or ``minor``.
        register: semitones by which the melody is moved when it is played.
        tempo: beats a minute.
        articulation: ``legato``, ``detached``, ``staccato`` or ``accented``.
        program: General MIDI program of the melody.
    """

    name: str
    korean: str
    valence: float
    arousal: float
    pitch_quantile: float
    density_quantile: float
    pitch: float
    density: float
    mode: str
    register: int
    tempo: float
    articulation: str
    program: int


@dataclass(frozen=True)
class EmotionTable:
    """All emotions, and what real melodies are like.

    Attributes:
        emotions: in the order of the file.
        pitch_mean, pitch_deviation: mean and deviation of the mean pitch of real melodies, MIDI and
            semitones.
        density_mean, density_deviation: mean and deviation of their notes per bar.
    """

    emotions: tuple[Emotion, ...]
    pitch_mean: float
    pitch_deviation: float
    density_mean: float
    density_deviation: float

    def find(self, name: str) -> Emotion:
        """Find an emotion by its English or Korean name or an everyday word (``moods.toml``), in any case.

        Args:
            name: name of the emotion.

        Raises:
            D2MError: if there is none; the message has the nearest name.
        """
        wanted = normalize("NFC", str(name)).strip().casefold()
        by_name = {title: emotion for emotion in self.emotions for title in (emotion.name, emotion.korean)}
        if wanted in by_name:
            return by_name[wanted]
        from d2m.symbolic.emotion.mood_table import aliases

        if (known := aliases().get(wanted)) in by_name:
            return by_name[str(known)]
        # Letters of Korean syllables, so that 우울 and 우울한 are near 우울함.
        spelled = {normalize("NFD", title): title for title in by_name}
        near = difflib.get_close_matches(normalize("NFD", wanted), spelled, n=1, cutoff=0.5)
        choices = ", ".join(f"{emotion.name} {emotion.korean}" for emotion in self.emotions)
        hint = f"did you mean '{spelled[near[0]]}'? " if near else ""
        raise D2MError(f"no emotion '{name}'; {hint}choose one of {choices}")

    def targets(self) -> np.ndarray:
        """Return the target mean pitch (MIDI) and density (notes a bar) of all emotions, float64 (E, 2)."""
        return np.array([(emotion.pitch, emotion.density) for emotion in self.emotions])

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Convert pitches and densities to standard deviations from the mean of real melodies.

        Args:
            values: (..., 2).

        Returns:
            float64 (..., 2).
        """
        mean = np.array([self.pitch_mean, self.density_mean])
        return (np.asarray(values) - mean) / np.array([self.pitch_deviation, self.density_deviation])

    def errors(self, values: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Compute distances from targets in standard deviations.

        Args:
            values: pitches and densities (..., 2).
            targets: (..., 2).

        Returns:
            float64 (...,).
        """
        return np.abs(self.scaled(values) - self.scaled(targets))

    def hits(self, values: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Tell whether pitches and densities are in the region of their targets; NaN never is.

        Args:
            values: (..., 2).
            targets: (..., 2).

        Returns:
            bool (...,).
        """
        return np.all(self.errors(values, targets) <= REGION, axis=-1)


def attributes(melodies: np.ndarray) -> np.ndarray:
    """Compute the mean pitch of the onsets and the notes per bar.

    Args:
        melodies: uint8 (..., steps).

    Returns:
        float64 (..., 2); the pitch (MIDI) is NaN without onsets.
    """
    melodies = np.asarray(melodies)
    struck = melodies >= FIRST_KEY
    count = struck.sum(axis=-1)
    keys = np.where(struck, melodies.astype(np.int64) - FIRST_KEY + LOWEST, 0).sum(axis=-1)
    pitch = np.divide(keys, count, out=np.full(count.shape, np.nan), where=count > 0)
    return np.stack([pitch, count * STEPS_PER_BAR / melodies.shape[-1]], axis=-1)


@cache
def load_emotions(path: str | Path = TABLE) -> EmotionTable:
    """Read a table.

    Args:
        path: the TOML file.

    Raises:
        D2MError: if it cannot be read or a value is missing or out of its range.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise D2MError(f"{path} is too long for a table of emotions")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        data = {name: float(content["data"][name]) for name in EmotionTable.__annotations__ if name != "emotions"}
        emotions = tuple(_emotion(path, name, row) for name, row in content["emotion"].items())
    except OSError as error:
        raise D2MError(f"cannot read {path}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise D2MError(f"{path} is not a table of emotions ({error}); see the one that comes with d2m") from error
    if not emotions or not all(map(math.isfinite, data.values())):
        raise D2MError(f"{path} has no emotions, or no figures of real melodies; run 'd2m symbolic emotion-fit'")
    if data["pitch_deviation"] <= 0 or data["density_deviation"] <= 0:
        raise D2MError(f"{path}: deviations are above 0; run 'd2m symbolic emotion-fit'")
    return EmotionTable(emotions, **data)


def check_strength(strength: float) -> float:
    """Check the strength of an emotion and return it.

    Args:
        strength: 0 (unchanged) to 1 (full).

    Raises:
        D2MError: if it is anything else.
    """
    if not 0.0 <= strength <= 1.0:
        raise D2MError(f"strength {strength:g} is not between 0 (as it was) and 1 (all of the emotion)")
    return float(strength)


def _emotion(path: Path, name: str, row: dict[str, object]) -> Emotion:
    emotion = Emotion(name=normalize("NFC", name).casefold(), **row)  # type: ignore[arg-type]
    for field, (least, most) in _NUMBERS.items():
        value, kind = getattr(emotion, field), int if field in _WHOLE else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            number = "whole number" if field in _WHOLE else "number"
            raise D2MError(f"{path}: {field} of {name} is {value!r}, not a {number} from {least:g} to {most:g}")
    for field, choices in (("mode", MODES), ("articulation", ARTICULATIONS)):
        if getattr(emotion, field) not in choices:
            raise D2MError(f"{path}: {field} of {name} is {getattr(emotion, field)!r}, not {' or '.join(choices)}")
    if not isinstance(emotion.korean, str):
        raise D2MError(f"{path}: korean of {name} is not a name")
    return emotion
