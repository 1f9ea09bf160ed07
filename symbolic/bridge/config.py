"""Configuration of a bridge network: kind and width."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from d2m.weights.config import config_from

#: Longest bridge, in bars.
MOST_BARS = 8
#: The two networks: Smootify's as published, and ours.
MODELS = ("own", "published")


@dataclass(frozen=True)
class BridgeConfig:
    """Shape of a bridge network at the compact resolution.

    Attributes:
        model: one of :data:`MODELS`; the widths below are of ``"own"``, the published network has only one shape.
        steps, pitches, tracks: of a bar.
        lowest: MIDI number of the lowest pitch.
        width: channels of an octave during a sixteenth.
        beat_width: channels of an octave during a beat.
        channels: channels of a beat.
        blocks: residual blocks over the beats.
        shifts: semitones by which bars may be copied up or down.
    """

    model: str = "own"
    steps: int = 16
    pitches: int = 72
    tracks: int = 5
    lowest: int = 24
    width: int = 32
    beat_width: int = 64
    channels: int = 128
    blocks: int = 2
    shifts: int = 6

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"the model is one of {', '.join(MODELS)}, not '{self.model}'")
        # Bounds that no sensible model reaches, so that a file's configuration cannot ask for any amount of memory.
        limits = {"steps": 96, "pitches": 120, "tracks": 16, "lowest": 127, "width": 1024, "beat_width": 1024}
        limits |= {"channels": 4096, "blocks": 32, "shifts": 24}
        for name, most in limits.items():
            if not (isinstance(getattr(self, name), int) and 1 <= getattr(self, name) <= most):
                raise ValueError(f"{name} must be a whole number from 1 to {most}")
        if self.steps % 4 or self.pitches % 12 or self.lowest + self.pitches > 128:
            raise ValueError("steps must be a multiple of 4, pitches of 12 and within MIDI's 128")
        if self.model == "published" and (self.steps, self.pitches, self.tracks) != (16, 72, 5):
            raise ValueError("the published network knows bars of 16 steps, 72 pitches and 5 tracks only")

    @property
    def most_bars(self) -> int:
        """Longest bridge that the model makes in one piece."""
        return 2 if self.model == "published" else MOST_BARS

    @property
    def shape(self) -> tuple[int, int, int]:
        """(steps, pitches, tracks) of a bar."""
        return self.steps, self.pitches, self.tracks

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, for a file's header."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BridgeConfig:
        """Read the configuration in a file's header.

        Args:
            values: entries by name.

        Raises:
            D2MError: if an entry is unknown, of the wrong type, or out of range.
        """
        return config_from(cls, values, "bridge")
