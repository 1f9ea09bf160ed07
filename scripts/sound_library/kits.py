"""Drum kits of bank 128: those of General MIDI's usual extensions, and one for each dance genre.

Each kit n below 64 has another take of itself at n + 64, which a player may alternate with.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont import DRUM_BANK

from . import dsp
from .levels import hit_level
from .model import Preset, Sample, Zone, brighter_with_velocity, decibels, timecents
from .recorded import instrument
from .voices import SOFTER, VOICES, take

#: Level of each key against the bass drum in decibels: K-weighted energy of its first 0.2 s at equal velocity.
LEVELS: dict[int, float] = {
    35: 0, 36: 0, 37: -4, 38: 0, 39: -0.5, 40: 0, 41: -1, 42: -5.5, 43: -1, 44: -6.5, 45: -1, 46: -4, 47: -1, 48: -1,
    49: -0.5, 50: -1, 51: -5.5, 52: -2, 53: -6, 54: -5, 55: -3, 56: -5, 57: -0.5, 58: -7, 59: -5, 60: -4, 61: -4,
    62: -4.5, 63: -3, 64: -3, 65: -4, 66: -4, 67: -6, 68: -6, 69: -7, 70: -7, 71: -7, 72: -6, 73: -7, 74: -7, 75: -6,
    76: -6, 77: -6, 78: -6, 79: -5, 80: -9, 81: -7, 82: -7,
}  # fmt: skip
_OTHER_LEVEL = -5.0
#: Keys that silence each other: the hats, whistles, guiros, cuicas and triangles.
_CHOKES = {42: 1, 44: 1, 46: 1, 71: 2, 72: 2, 73: 3, 74: 3, 78: 4, 79: 4, 80: 5, 81: 5}
_PANS = {42: 60, 44: 60, 46: 60, 41: -180, 43: -120, 45: -60, 47: 60, 48: 120, 50: 180, 51: -140, 53: -140, 59: -140,
         54: 120, 56: -90, 62: 110, 63: 110, 64: 150, 69: -150, 70: -150, 82: -150}  # fmt: skip

_808 = {
    35: "k808 long", 36: "k808", 37: "rim808", 38: "s808", 39: "clap808", 40: "s808 low", 41: "lt808", 42: "ch808",
    43: "lt808", 44: "ph808", 45: "mt808", 46: "oh808", 47: "mt808", 48: "ht808", 49: "cy808", 50: "ht808", 51: "cy808",
    54: "tamb", 56: "cow808", 57: "cy808", 62: "mc808", 63: "hc808", 64: "lc808", 70: "mar808", 75: "clave808",
    76: "block hi", 77: "block lo", 82: "shaker",
}  # fmt: skip
_909 = _808 | {
    35: "k909 long", 36: "k909", 37: "rim909", 38: "s909", 39: "clap909", 40: "s909 high", 41: "lt909", 42: "ch909",
    43: "lt909", 44: "ph909", 45: "mt909", 46: "oh909", 47: "mt909", 48: "ht909", 49: "crash909", 50: "ht909",
    51: "ride909", 53: "bell909", 57: "crash909", 59: "ride909",
}  # fmt: skip
_LIVE = {
    35: "k live", 36: "k live", 38: "s live", 40: "s live 2", 54: "tamb", 70: "shaker", 82: "shaker long",
}  # fmt: skip
_BREAK = _LIVE | {
    35: "k fat", 36: "k break", 38: "s break", 40: "s live 2", 39: "clap808", 41: "lt break", 42: "ch break",
    43: "lt break", 44: "ph break", 45: "mt break", 46: "oh break", 47: "mt break", 48: "ht break", 49: "crash break",
    50: "ht break", 51: "ride break", 56: "cow rec", 57: "crash break",
}  # fmt: skip

#: What drums do not need: their own root, and envelopes by key.
_NEEDLESS = {sf.ROOT, sf.SCALE, sf.COARSE, sf.FINE, sf.HOLD_BY_KEY, sf.DECAY_BY_KEY, 31, 32, 57}

#: program -> (name, kit of MuseScore General under it, key -> voice).
KITS: dict[int, tuple[str, int, dict[int, str]]] = {
    0: ("Standard", 0, _LIVE),
    1: ("Break", 0, _BREAK),
    2: ("Lock", 0, _LIVE | {35: "k disco", 38: "s live 2", 40: "s live", 39: "clap wide", 42: "ch break",
                            44: "ph break", 46: "oh break", 56: "cow rec"}),
    3: ("Boom Bap", 0, _BREAK | {35: "k break", 36: "k boom", 38: "s boom", 40: "s break", 39: "snap rec",
                                 37: "rim808"}),
    8: ("Room", 8, _LIVE | {38: "s room", 40: "s disco"}),
    9: ("Disco", 8, _LIVE | {35: "k live", 36: "k disco", 38: "s disco", 40: "s live 2", 39: "clap wide", 42: "ch909",
                             44: "ph909", 46: "oh house", 49: "crash", 57: "crash909", 56: "cow rec", 63: "hc808",
                             64: "lc808"}),
    10: ("Street Jazz", 8, _LIVE | {35: "k live", 36: "k punch", 38: "s tight low", 40: "s room", 39: "clap short",
                                    37: "snap", 42: "ch909", 44: "ph909", 46: "oh909", 49: "crash", 57: "crash909"}),
    16: ("Power", 16, _LIVE | {35: "k deep", 36: "k power", 38: "s power", 40: "s big"}),
    24: ("Electronic", 24, _909 | {35: "k deep", 36: "k punch", 38: "s tight", 40: "s big", 39: "clap wide"}),
    25: ("808", 25, _808),
    26: ("909", 24, _909),
    27: ("LA Hip-Hop", 25, _808 | {35: "k808 long", 36: "k trap", 38: "s tight", 39: "clap wide", 40: "clap short",
                                   37: "snap", 42: "ch trap", 44: "ch808", 46: "oh808", 49: "crash", 57: "crash909"}),
    28: ("Krump", 25, _909 | {35: "k deep", 36: "k krump", 38: "s big", 39: "clap wide", 40: "s tight low",
                              42: "ch trap", 44: "ph909", 46: "oh909", 49: "crash", 41: "lt909", 56: "block lo"}),
    29: ("House", 24, _909 | {35: "k909", 36: "k house", 38: "clap909", 39: "clap wide", 40: "s909", 46: "oh house",
                              37: "rim909", 70: "shaker", 82: "shaker long"}),
    30: ("Popping", 24, _808 | {35: "k808", 36: "k punch", 38: "s big", 39: "clap808", 40: "s zome", 42: "ch808",
                                44: "ph808", 46: "oh808", 49: "crash", 57: "cy808", 37: "rim808", 50: "ht909",
                                48: "ht909", 47: "mt909", 45: "mt909", 43: "lt909", 41: "lt909"}),
    32: ("Jazz", 32, {}),
    33: ("Ballet Jazz", 32, {36: "k live", 39: "snap", 70: "shaker", 82: "shaker long", 54: "tamb"}),
    40: ("Brush", 40, {39: "snap", 70: "shaker", 82: "shaker long"}),
    48: ("Orchestra", 48, {}),
}  # fmt: skip


def presets() -> list[Preset]:
    """Return every kit and its other take."""
    made = []
    for program, (name, base, voices) in KITS.items():
        for number in range(2):
            zones = _kit(base, voices, number)
            made.append(Preset(128, program + 64 * number, name if not number else f"{name} b", zones))
    return made


def _kit(base: int, voices: dict[int, str], number: int) -> list[Zone]:
    rows: dict[int, list[Zone]] = {}
    # The standard kit fills what the kit below lacks.
    for under in (base, 0):
        missing = set(range(27, 88)) - set(voices) - set(rows)
        for zone in instrument("musescore", under, DRUM_BANK, quality=0.45, seconds=2.6):
            for key in missing & set(range(zone.keys[0], zone.keys[1] + 1)):
                rows.setdefault(key, []).append(_at(zone, key))
    for key, name in voices.items():
        rows[key] = _voice(key, name, number)
    return [zone for key, row in sorted(rows.items()) for zone in _levelled(key, row)]


def _at(zone: Zone, key: int) -> Zone:
    """A zone on one key of its range, at the pitch that it has there."""
    root = zone.generators.get(sf.ROOT, zone.sample.root)
    scale = zone.generators.get(sf.SCALE, 100)
    at = (key - root) * scale / 100.0
    cents = round(100 * at) + 100 * zone.generators.get(sf.COARSE, 0) + zone.generators.get(sf.FINE, 0)
    coarse, fine = divmod(cents + 50, 100)
    kept = {op: v for op, v in zone.generators.items() if op not in _NEEDLESS}
    sample = _tamed(zone.sample) if key in (35, 36, 38, 40) else zone.sample
    # A scale of 0 leaves the pitch to coarse and fine tuning: kits need no root for each key.
    placed = Zone(sample, (key, key), zone.velocities, kept).with_(scale=0, coarse=coarse, fine=fine - 50)
    return placed.with_(choke=_CHOKES.get(key, 0))


@cache
def _tamed(sample: Sample) -> Sample:
    """A recorded bass drum or snare with its highest peaks rounded off, so that it can be as loud as the others."""
    wave = np.asarray(sample.wave, dtype=np.float64)
    loud = dsp.saturate(dsp.peak(wave, 1.0), 2.2) * 0.89
    return replace(sample, name=f"{sample.name[:18]} t", wave=loud.astype(np.float32))


def _voice(key: int, name: str, number: int) -> list[Zone]:
    samples, cents = take(name, number)
    # The same toms serve neighbouring keys, two semitones apart.
    lower = {41: -200, 45: -200, 48: -200}.get(key, 0) if name[:2] in ("lt", "mt", "ht") else 0
    zones = []
    for side, sample in enumerate(samples):
        pan = (-500, 500)[side] if len(samples) == 2 else _PANS.get(key, 0)
        zone = Zone(sample, (key, key)).with_(scale=0, fine=cents + lower, pan=pan, release=timecents(1.5))
        zones.append(zone.with_(choke=_CHOKES.get(key, 0)))
    kind = SOFTER[VOICES[name].kind]
    return zones if not any(kind) else brighter_with_velocity(zones, kind)


def _levelled(key: int, zones: list[Zone]) -> list[Zone]:
    """Zones of one key, as loud as :data:`LEVELS` asks for, over a floor that the kit's gain lifts later."""
    loudest = [zone for zone in zones if zone.velocities[0] <= 110 <= zone.velocities[1]] or zones
    wanted = LEVELS.get(key, _OTHER_LEVEL)
    less = hit_level(loudest) - wanted
    return [zone.with_(attenuation=zone.generators.get(sf.ATTENUATION, 0) + _signed(less)) for zone in zones]


def _signed(less: float) -> int:
    """An attenuation that may be negative until the whole preset is levelled."""
    return decibels(less) if less >= 0 else -decibels(-less)
