"""Changes that a plan makes to a score: mood, tracks, instruments and levels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from d2m.audio.presets import CHANNELS
from d2m.plans.types import VOCALS, Mix, Section
from d2m.sounds.patches import patches
from d2m.symbolic.keys import read_key
from d2m.types import Lane, Part, Score

#: Channels of the mixer that a track plays on.
CHANNELS_OF: dict[str, tuple[str, ...]] = {
    "drums": ("kick", "snare", "hats", "percussion"),
    "bass": ("bass",),
    "piano": ("keys",),
    "guitar": ("guitar",),
    "strings": ("pad", "lead"),
    "effects": ("effects",),
}
#: General MIDI percussion keys that a bed keeps, on eighths: side stick, closed and pedal hi-hat, ride, tambourine,
#: shakers; and the share of their velocity.
BED_DRUMS, BED_DRUM_LEVEL = (37, 42, 44, 51, 54, 59, 69, 70, 82), 0.6
assert {name for names in CHANNELS_OF.values() for name in names} == set(CHANNELS)


def edited(score: Score, section: Section, mix: Mix) -> Score:
    """Return a score with the mood of its section and the changes to the mix.

    Args:
        score: as the arranger wrote it.
        section: its section.
        mix: changes to the mix.
    """
    if section.key:
        score = in_key(score, section.key)
    if section.role == "bed":
        score = as_bed(score)
    if section.mood:
        from d2m.symbolic.emotion.mood import Mood, in_mood

        score = in_mood(score, Mood.read(section.mood), section.seed)
    ends = np.array([0.0, 1.0])
    lanes = [
        Lane(channel, "gain", ends, np.full(2, float(gain)))
        for track, gain in mix.gains.items()
        for channel in CHANNELS_OF[track]
        if gain
    ]
    return edited_mix(replace(score, lanes=score.lanes + tuple(lanes)), mix)


def as_bed(score: Score) -> Score:
    """Return music to be heard under a voice: without tune, effects and fills, and with few and soft drums.

    Args:
        score: the score.
    """
    from d2m.symbolic.emotion.mood_notes import lead_of

    lead = lead_of(score)
    parts = []
    for number, part in enumerate(score.parts):
        if part.is_effect or part.is_vocal or number == lead or part.patch.startswith("lead."):
            continue
        if part.is_drum:
            on_beat = np.abs(part.starts - np.round(2.0 * part.starts) / 2.0) < 0.1
            keep = np.isin(part.pitches, BED_DRUMS) & on_beat
            part = replace(
                part,
                starts=part.starts[keep],
                ends=part.ends[keep],
                pitches=part.pitches[keep],
                velocities=np.maximum((BED_DRUM_LEVEL * part.velocities[keep]).astype(np.int64), 1),
            )
        parts.append(part)
    return replace(score, parts=tuple(parts))


def in_key(score: Score, key: str) -> Score:
    """Return a score in the mode of a key; styles that have no music in a mode are moved to it.

    Args:
        score: score on the tonic of the key.
        key: name of a key.
    """
    from d2m.symbolic.emotion.mood_harmony import harmony_of, reharmonise
    from d2m.symbolic.emotion.mood_notes import pulse_of
    from d2m.symbolic.emotion.mood_table import MODES

    tonic, minor = read_key(key)
    if score.key is None or read_key(score.key) != (tonic, not minor):
        return score
    harmony = harmony_of(score, pulse_of(score))
    return score if harmony is None else reharmonise(score, harmony, MODES.index("aeolian" if minor else "ionian"))


def edited_mix(score: Score, mix: Mix) -> Score:
    """Return a score with the tracks and instruments of a plan.

    Args:
        score: the score.
        mix: changes to the mix.
    """
    if VOCALS in mix.without:
        score = score.without_vocals()
    parts = tuple(_played_by(part, mix) for part in score.parts if track_of(part) not in mix.without)
    return replace(score, parts=parts)


def track_of(part: Part) -> str:
    """Return the track of a part as plans name it.

    Args:
        part: the part.
    """
    return "effects" if part.is_effect else part.track


def _played_by(part: Part, mix: Mix) -> Part:
    """Return the part with the instrument that is asked for its track."""
    instrument = mix.instruments.get(track_of(part))
    if instrument is None:
        return part
    if instrument.isdecimal():
        return replace(part, program=int(instrument), patch="")
    patch = patches()[instrument]
    return replace(part, program=patch.fallback or 0, patch=instrument)
