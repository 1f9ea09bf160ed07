"""JSON schema of plans, for editors that complete and check TOML files (Taplo, Even Better TOML).

    python -m d2m.plans.schema > plan.schema.json

A first line ``#:schema ./plan.schema.json`` in a plan makes such an editor use it.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any

from d2m.engines.arrangers import ARRANGERS
from d2m.genres import genre_names
from d2m.plans.files import VERSION
from d2m.plans.types import MOST_GAIN, PARTS, TRANSITIONS, VOCALS, Hit, Section
from d2m.types import BEAT_SOURCES, ROLES, SUBJECTS, TRACKS

_HELP = {
    "section": {
        "start": "Start in seconds. Sections that follow each other meet at a bar line.",
        "end": "End in seconds.",
        "genre": "Dance genre.",
        "role": "Role in the form; auto leaves the form within the section to the arranger, bed is for under a voice.",
        "mood": "Emotion and strength, such as gloomy:0.6, or empty.",
        "energy": "Mean energy, 0 to 1: how full the music is.",
        "key": "Key, such as A:min, or empty for the arranger's choice.",
        "arranger": f"Arranger: {', '.join(ARRANGERS)}, musegan:FILE with weights, or a MIDI file (.mid).",
        "seed": "Random seed. Sections of one genre and seed share key, chords and instruments.",
        "transition": "auto: a composed bar leads here from another genre or key; none: it begins at once.",
        "cause": "Why the section begins here, for readers.",
    },
    "hit": {
        "time": "Time in seconds.",
        "strength": "Strength, 0 to 1.",
        "kind": "Why it is there, for readers.",
    },
}
_RANGES = {"energy": (0, 1), "strength": (0, 1), "seed": (0, 2**63 - 1), "start": (0, 86400), "end": (0, 86400)}
_CHOICES = {"role": ROLES, "transition": TRANSITIONS}
_TYPES = {"str": "string", "int": "integer", "float": "number"}


def schema() -> dict[str, Any]:
    """Return the JSON schema of plans."""
    seconds = {"type": "number", "minimum": 0}
    gain = {"type": "number", "minimum": -MOST_GAIN, "maximum": MOST_GAIN, "description": "Level in dB."}
    mix: dict[str, Any] = dict.fromkeys(PARTS, gain)
    mix["without"] = {"type": "array", "items": {"enum": [*PARTS, VOCALS]}, "description": "Tracks that are left out."}
    mix["instruments"] = {
        "type": "object",
        "properties": dict.fromkeys(TRACKS, {"type": ["string", "integer"]}),
        "additionalProperties": False,
        "description": "General MIDI program (0-127) or patch of the sound library by track.",
    }
    numbers = {"type": "array", "items": {"type": "number"}}
    tempo = {
        "bpm": {"type": "number", "minimum": 10, "maximum": 1000},
        "source": {"enum": list(BEAT_SOURCES)},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
        "beats_per_bar": {"type": "integer", "minimum": 1, "maximum": 32},
        "beats": numbers | {"minItems": 2, "description": "Beat times in seconds."},
        "downbeats": {"type": "array", "items": {"type": "integer"}, "description": "Numbers of first beats of bars."},
        "energy": numbers | {"description": "Energy of the dancer per beat, 0 to 1."},
    }
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Plan of a piece for d2m",
        "type": "object",
        "properties": {
            "version": {"const": VERSION},
            "duration": seconds,
            "subject": {"enum": list(SUBJECTS), "description": "What the video shows; of speech the voice is kept."},
            "reason": {"type": "string", "description": "Why that was decided, for readers."},
            "forgiving": {"type": "boolean", "description": "The beats may be wrong: begin softly, without hits."},
            "fade_in": seconds,
            "fade_out": seconds,
            "loop": {"type": "boolean", "description": "The end leads back to the beginning."},
            "tempo": _table(tempo, ["beats", "downbeats"]),
            "section": {"type": "array", "minItems": 1, "items": _record(Section, "section")},
            "hit": {"type": "array", "items": _record(Hit, "hit")},
            "mix": _table(mix, []),
        },
        "required": ["version", "duration", "tempo", "section"],
        "additionalProperties": False,
    }


def _table(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _record(kind: type[Any], table: str) -> dict[str, Any]:
    """Return the schema of the tables of one kind."""
    properties: dict[str, Any] = {}
    for each in fields(kind):
        entry: dict[str, Any] = {"type": _TYPES[str(each.type)], "description": _HELP[table][each.name]}
        if each.name in _RANGES:
            entry["minimum"], entry["maximum"] = _RANGES[each.name]
        if each.name in _CHOICES:
            entry["enum"] = list(_CHOICES[each.name])
        if each.name == "genre":
            entry["examples"] = list(genre_names())
        properties[each.name] = entry
    return _table(properties, [each.name for each in fields(kind) if each.default is MISSING])


if __name__ == "__main__":
    print(json.dumps(schema(), indent=2))
