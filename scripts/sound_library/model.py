"""Data model of a library before it is written: samples, zones, presets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf

RATE = 44100
#: Velocity bands of instruments that sound brighter when they are struck harder.
BANDS: tuple[tuple[int, int], ...] = ((1, 54), (55, 84), (85, 108), (109, 127))


@dataclass(eq=False)
class Sample:
    """One recording or one computed sound.

    Attributes:
        name: at most 20 characters, of its own in the library.
        wave: float32 (n,), within -1 to 1.
        source: name of a source in :mod:`sound_library.sources`.
        rate: hertz.
        root: the key that sounds at the sample's own speed.
        cents: correction of its pitch.
        loop: first sample of the loop and the first after it, or None.
        quality: quality of the Vorbis coder, 0 to 1.
        partner: the other side of a stereo pair.
        origin: what the source calls it.
    """

    name: str
    wave: np.ndarray
    source: str
    rate: int = RATE
    root: int = 60
    cents: int = 0
    loop: tuple[int, int] | None = None
    quality: float = 0.5
    partner: Sample | None = None
    origin: str = ""


@dataclass(frozen=True)
class Zone:
    """A sample, the keys and velocities that play it, and its generators (number -> value)."""

    sample: Sample
    keys: tuple[int, int] = (0, 127)
    velocities: tuple[int, int] = (0, 127)
    generators: dict[int, int] = field(default_factory=dict)

    def with_(self, **generators: int) -> Zone:
        """Return the zone with generators set by their names in ``soundfont_file``, in small letters."""
        named = {getattr(sf, name.upper()): int(round(value)) for name, value in generators.items()}
        return replace(self, generators=self.generators | named)


@dataclass
class Preset:
    """A preset: ``bank`` 128 is a drum kit; ``gain`` is in decibels over what its zones ask for."""

    bank: int
    program: int
    name: str
    zones: list[Zone]
    gain: float = 0.0


def timecents(seconds: float) -> int:
    return int(round(1200.0 * np.log2(max(seconds, 0.001))))


def cutoff_cents(hertz: float) -> int:
    """Return a frequency in the unit of filter cutoffs."""
    return int(round(1200.0 * np.log2(hertz / 8.176)))


def decibels(amount: float) -> int:
    """Return an attenuation as generator 48 takes it: players apply 0.4 dB for each decibel asked for."""
    return int(round(max(amount, 0.0) * 10.0 / 0.4))


def spread_keys(roots: Iterable[int], low: int = 0, high: int = 127) -> list[tuple[int, int]]:
    """Return the keys that each of some rising roots serves: half-way to its neighbours."""
    roots = list(roots)
    edges = [low, *((a + b) // 2 + 1 for a, b in zip(roots[:-1], roots[1:], strict=True)), high + 1]
    return [(first, last - 1) for first, last in zip(edges[:-1], edges[1:], strict=True)]


def brighter_with_velocity(zones: list[Zone], cutoffs: tuple[float, ...]) -> list[Zone]:
    """Return each zone in the bands of :data:`BANDS`, its filter moved by so many cents in each."""
    out = []
    for zone in zones:
        base = zone.generators.get(sf.FILTER, 13500)
        for band, move in zip(BANDS, cutoffs, strict=True):
            first, last = max(band[0], zone.velocities[0]), min(band[1], zone.velocities[1])
            if first <= last:
                out.append(replace(zone.with_(filter=min(base + move, 13500)), velocities=(first, last)))
    return out
