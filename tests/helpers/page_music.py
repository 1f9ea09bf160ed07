"""What the small server of the studio's page offers: fixed lists, plans, and sounds."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np

RATE = 44100
TRACKS = {"kick": "drums", "bass": "bass", "keys": "piano"}
MOODS = ["intense", "bright", "lively", "peaceful", "refreshing", "mysterious", "melancholic", "clear", "gloomy"]
LIMITS = {
    "bytes": 50_000_000,
    "seconds": 600,
    "pixels": 8294400,
    "clips": 10,
    "jobs": 8,
    "candidates": 8,
    "keep_seconds": 3600,
}
OPTIONS = {
    "version": "0",
    "genres": [{"name": name, "title": name.capitalize()} for name in ("break", "house", "krump", "street-jazz")],
    "moods": MOODS,
    "roles": ["auto", "intro", "verse", "lift", "chorus", "break", "outro"],
    "transitions": ["auto", "none"],
    "arrangers": ["composer"],
    "keys": ["A:min", "C:maj", "F#:min"],
    "tracks": ["drums", "piano", "guitar", "bass", "strings", "effects"],
    "channels": TRACKS,
    "instruments": {"bass": [{"name": "bass.sub", "title": "Sub bass"}]},
    "limits": LIMITS,
}


def plan_of(duration: float, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """A plan of 120 bpm with two sections that meet at the third bar line."""
    beats = [round(0.5 * n, 6) for n in range(int(2 * duration) + 8)]
    middle = 4.0 if duration > 6 else 2.0
    common = {
        "role": "auto",
        "mood": options.get("mood", ""),
        "energy": 0.5,
        "key": "",
        "arranger": "composer",
        "seed": seed,
        "transition": "auto",
    }
    genre = options.get("genre", "house")
    section = [
        {"start": 0.0, "end": middle, "genre": genre, "cause": "start", **common},
        {"start": middle, "end": duration, "genre": genre, "cause": "energy", **common},
    ]
    return {
        "version": 1,
        "duration": duration,
        "forgiving": False,
        "fade_in": 0.0,
        "fade_out": 0.0,
        "loop": False,
        "section": section,
        "hit": [{"time": 2.0, "strength": 0.8, "kind": "move"}, {"time": 5.5, "strength": 0.6, "kind": "move"}],
        "tempo": {
            "bpm": 120.0,
            "source": "dance",
            "confidence": 0.7,
            "beats_per_bar": 4,
            "beats": beats,
            "downbeats": list(range(0, len(beats), 4)),
            "energy": [round(0.5 + 0.4 * np.sin(n / 3), 3) for n in range(len(beats))],
        },
    }


def wav(samples: np.ndarray) -> bytes:
    """A stereo WAV file of 16 bits from float samples (N,)."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.repeat((samples * 32767).astype("<i2"), 2).tobytes())
    return stream.getvalue()
