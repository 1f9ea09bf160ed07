"""Mix presets: settings of the mixer channels for each genre, read from ``presets.toml``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from functools import cache
from importlib.resources import files

from d2m.audio.dynamics import Compression
from d2m.genres import added_genre

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Channels of a mix.
CHANNELS = ("kick", "snare", "hats", "percussion", "bass", "keys", "guitar", "pad", "lead", "effects")
#: The preset of music without a genre.
BAND = "band"
_OFF = -120.0


@dataclass(frozen=True)
class Equaliser:
    """Band of an equaliser: ``"peak"``, ``"low_shelf"`` or ``"high_shelf"``, hertz, dB and quality factor."""

    kind: str
    frequency: float
    gain: float
    q: float = 0.71


@dataclass(frozen=True)
class Strip:
    """Settings of a channel.

    Attributes:
        gain: gain in dB.
        spread: how far its parts stand from the middle, times their usual place.
        highpass, lowpass: corners in hertz; 0 for none.
        eq: bands of the equaliser.
        compression: compression of the channel, or None.
        drive: saturation in dB; 0 for none.
        room, hall, echo: sends in dB.
        duck: dB by which the kick drum lowers it.
    """

    gain: float = 0.0
    spread: float = 1.0
    highpass: float = 0.0
    lowpass: float = 0.0
    eq: tuple[Equaliser, ...] = ()
    compression: Compression | None = None
    drive: float = 0.0
    room: float = _OFF
    hall: float = _OFF
    echo: float = _OFF
    duck: float = 0.0


@dataclass(frozen=True)
class Bus:
    """Settings of the mix bus.

    Attributes:
        eq: bands of the equaliser.
        glue: compression of the whole.
        low, middle, high: compression of the bands below 140 Hz, to 3 kHz and above.
        crest: peak over RMS in dB that the finished mix should have at most.
        mono_below: hertz under which the sides are taken away.
        width: factor of the side signal above.
    """

    eq: tuple[Equaliser, ...] = ()
    glue: Compression | None = None
    low: Compression | None = None
    middle: Compression | None = None
    high: Compression | None = None
    crest: float = 11.0
    mono_below: float = 120.0
    width: float = 1.0


@dataclass(frozen=True)
class Space:
    """Settings of the reverberations and the echo.

    Attributes:
        room, hall: reverberation times in seconds.
        room_bright, hall_bright: corners in hertz.
        echo: delay time in beats.
        feedback: linear gain from echo to echo.
        duck_release: beats in which the gain comes back after a kick.
    """

    room: float = 0.5
    hall: float = 1.6
    room_bright: float = 9000.0
    hall_bright: float = 6500.0
    echo: float = 0.75
    feedback: float = 0.35
    duck_release: float = 0.45


@dataclass(frozen=True)
class Preset:
    """Settings of a mix: a strip for each channel, the mix bus and the spaces."""

    strips: dict[str, Strip]
    bus: Bus = field(default_factory=Bus)
    space: Space = field(default_factory=Space)


@cache
def preset(name: str | None, character: str = "") -> Preset:
    """Read the mix preset of a genre (AIST code or added genre); None or a genre without one gives :data:`BAND`.

    Args:
        name: name of the genre.
        character: one of the table's ``characters``, a way to mix that suits several genres: its values are added to
            those of the genre, its equalisers follow theirs.
    """
    table = _table()
    base, own = table[BAND], _of(name)
    change = table["characters"][character] if character else {}
    strips = {}
    for channel in CHANNELS:
        values = {**base["strips"].get(channel, {}), **own.get("strips", {}).get(channel, {})}
        strips[channel] = _strip(_changed(values, change.get("strips", {}).get(channel, {})))
    bus = _bus(_changed({**base.get("bus", {}), **own.get("bus", {})}, change.get("bus", {})))
    space = {**base.get("space", {}), **own.get("space", {})}
    return Preset(strips, bus, Space(**_changed(space, change.get("space", {}))))


def characters(genre: str | None) -> dict[str, float]:
    """Return the mix characters of a genre and their weights.

    Args:
        genre: AIST code, or None for music without a genre.

    Returns:
        Name of a character -> relative frequency.
    """
    return _of(genre).get("characters", {"": 1.0})


def _of(genre: str | None) -> dict:
    """The table of a genre; that of an added genre is laid over that of the genre that it is like."""
    added = added_genre(genre)
    if added is None:
        return _table().get(genre or BAND, {})
    return _laid_over(_table().get(added.like, {}), added.mix)


def _laid_over(table: dict, change: dict) -> dict:
    """Replace the values of a table by those that another one has, in tables within it too."""
    made = dict(table)
    for name, value in change.items():
        known = made.get(name)
        made[name] = _laid_over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return made


def _changed(values: dict, change: dict) -> dict:
    """Add numbers to numbers and rows to rows; sends that are off stay off."""
    made = dict(values)
    for name, value in change.items():
        known = made.get(name)
        if isinstance(value, list):
            made[name] = [*(known or []), *value]
        elif known is not None:
            made[name] = known + value
        elif name not in ("room", "hall", "echo") or value > 0:
            made[name] = value + _DEFAULTS.get(name, 0.0)
    return made


#: Defaults of numbers in a preset.
_DEFAULTS = {"crest": Bus.crest, "width": Bus.width, "spread": 1.0, "room": -30.0, "hall": -30.0, "echo": -34.0}


@cache
def _table() -> dict[str, dict]:
    return tomllib.loads(files("d2m.audio").joinpath("presets.toml").read_text("utf-8"))


def _bands(rows: list[list]) -> tuple[Equaliser, ...]:
    return tuple(Equaliser(*row) for row in rows)


def _strip(values: dict) -> Strip:
    compression = Compression(**values["compression"]) if values.get("compression") else None
    return Strip(**{**values, "eq": _bands(values.get("eq", [])), "compression": compression})


def _bus(values: dict) -> Bus:
    names = [entry.name for entry in fields(Bus) if entry.name in ("glue", "low", "middle", "high")]
    made = {name: Compression(**values[name]) for name in names if values.get(name)}
    return Bus(**{**values, "eq": _bands(values.get("eq", [])), **made})
