"""Change the tune of a composed score in the latent space of the emotion model, fitted to its harmony.

The tune's own notes are kept where the model changes nothing, as for songs (:mod:`d2m.symbolic.emotion.edit`): the
model decides which notes are removed and added, and how the bars move against each other. It does not change the mean
pitch, since the register of all parts is changed along the harmony. Of the notes that differ, those on beats and long
ones are then moved to the nearest chord tone and the others to the nearest tone of the scale, and all are played in the
part of the tune with the swing of the piece.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from d2m.symbolic.emotion.actor_critic import EmotionModel
from d2m.symbolic.emotion.emotions import Emotion
from d2m.symbolic.emotion.mood_harmony import Harmony, key_range
from d2m.symbolic.emotion.mood_notes import Pulse, tidy, to_velocities
from d2m.symbolic.emotion.song import Song, recolour_song
from d2m.symbolic.melody import STEPS_PER_BEAT, to_notes
from d2m.symbolic.melody_extract import notes_on_grid, sections
from d2m.types import Part, Score

#: A note that is at least so many beats long is heard as part of the chord.
_LONG = 1.0
#: Nearest tones are looked for within so many semitones.
_REACH = 6


@lru_cache(maxsize=1)
def shipped_model() -> EmotionModel:
    """Load the emotion model that is included in the package."""
    from d2m.symbolic.emotion import load, load_emotion

    return load_emotion("studio-emotion", load("studio-musicvae"))


def change_melody(
    score: Score,
    number: int,
    harmony: Harmony,
    pulse: Pulse,
    emotion: Emotion,
    amount: float,
    model: EmotionModel | None = None,
) -> Score:
    """Change the tune of a score towards an emotion; a score without bars of 4/4 stays.

    Args:
        score: the score.
        number: number of the part that plays the tune.
        harmony: its harmony, as it sounds now.
        pulse: bars and swing.
        emotion: where to.
        amount: strength of the change, 0 to 1.
        model: actor and MusicVAE; None takes the included ones.
    """
    lead, spans = score.parts[number], sections(score)
    if amount <= 0 or not spans or not len(lead.starts):
        return score
    rows = np.column_stack([lead.starts, lead.ends, lead.pitches]).astype(np.float64)
    melodies = tuple(notes_on_grid(rows, first, bars) for first, bars in spans)
    if not any(len(to_notes(melody)) for melody in melodies):
        return score
    song = Song(score.grid, score.duration, melodies, tuple(first for first, _ in spans))
    # Register is not the model's to change here: the target of the mean pitch is the tune's own.
    aim = replace(emotion, pitch=float(lead.pitches.mean()))
    changed = recolour_song(model or shipped_model(), song, aim, amount)
    new = _played(changed, lead, harmony, pulse)
    return replace(score, parts=tuple(new if part is lead else part for part in score.parts))


def _played(song: Song, lead: Part, harmony: Harmony, pulse: Pulse) -> Part:
    """The tune of a song as a part in place of the lead."""
    first, last = float(lead.starts.min()), float(lead.ends.max())
    rows = []
    for melody, begin in zip(song.melodies, song.firsts, strict=True):
        for start, end, key in to_notes(melody).tolist():
            rows.append((begin + start / STEPS_PER_BEAT, begin + end / STEPS_PER_BEAT, key))
    outside = _outside(song, lead)
    if not rows:
        return lead
    starts, ends, keys = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    before = np.clip(np.searchsorted(lead.starts, starts + 0.5 / STEPS_PER_BEAT) - 1, 0, len(lead.starts) - 1)
    same = np.abs(lead.starts[before] - starts) < 0.5 / STEPS_PER_BEAT
    played = np.where(same, lead.starts[before], [pulse.position(start) for start in starts])
    own = same & (lead.pitches[before] == keys)
    velocities = lead.velocities[before]
    longest = np.append(played[1:], last) - played
    lengths = np.clip(np.minimum(ends - starts, longest), 0.06, None)
    part = replace(lead, starts=played, ends=np.minimum(played + lengths, last), pitches=keys.astype(np.int64))
    part = replace(part, velocities=to_velocities(velocities))
    fitted = _fitted(part, harmony, starts, own)
    keep = (part.starts >= first - 1e-6) & (part.starts < last - 0.05)
    return tidy(
        replace(
            part,
            starts=np.concatenate([part.starts[keep], lead.starts[outside]]),
            ends=np.concatenate([part.ends[keep], lead.ends[outside]]),
            pitches=np.concatenate([fitted[keep], lead.pitches[outside]]),
            velocities=np.concatenate([part.velocities[keep], lead.velocities[outside]]),
        )
    )


def _outside(song: Song, lead: Part) -> np.ndarray:
    """Notes of the lead that lie in no section of 4/4, which stay: bool (N,)."""
    outside = np.ones(len(lead.starts), bool)
    for melody, begin in zip(song.melodies, song.firsts, strict=True):
        steps = np.floor((lead.starts - begin) * STEPS_PER_BEAT + 0.5)
        outside &= (steps < 0) | (steps >= len(melody))
    return outside


def _fitted(part: Part, harmony: Harmony, written: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Keys of a tune on chord tones and tones of the scale; those that are the lead's own stay: int64 (N,)."""
    low, high = key_range(part)
    keys = part.pitches.copy()
    strong = (np.abs(written - np.round(written)) < 1e-6) | (part.ends - part.starts >= _LONG)
    for i, segment in enumerate(harmony.segments(part).tolist()):
        if own[i]:
            continue
        tones = harmony.tones[segment] & harmony.scale
        tones = tones if strong[i] and tones.any() else harmony.tones[segment] | harmony.scale
        near = [int(keys[i]) + step for step in sorted(range(-_REACH, _REACH + 1), key=abs)]
        fits = [key for key in near if tones[key % 12] and low <= key <= high]
        keys[i] = fits[0] if fits else int(np.clip(keys[i], low, high))
    return keys
