"""Banks above 0: synthesisers for dance music, other versions of acoustic instruments, and effects.

A preset's program is the General MIDI program nearest to it, so that a player without these banks falls back to it.
Effects, in bank 16, have no such program; their numbers only tell them apart.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from . import dsp, effects, performed, struck, sung
from . import patches_waves as wave
from .gm_bank import _PIANO_ROOTS, quieter, shaped, strings
from .model import Preset, Sample, Zone, brighter_with_velocity, spread_keys, timecents
from .one_shots import one_shot
from .recorded import instrument
from .waves import COMPUTED, moved, paired, tuned

EFFECT_BANK = 16
#: Keys of the spoken phrases.
TALK_KEYS = range(48, 60)
_SOFT = (-1900, -1000, -400, 0)


@lru_cache(maxsize=1)
def _house_piano() -> list[Zone]:
    """The grand struck hard, squeezed and brightened: the piano of house records, in the middle."""
    roots = tuple(root for root in _PIANO_ROOTS if 36 <= root <= 92)
    zones = performed.instrument(
        "house grand", "musescore", 0, roots, ((118, 0, 127),), 2.6, "splendid", stereo=False, quality=0.4, release=0.3,
        lengths=(2.6, 1.1),
    )  # fmt: skip
    for zone in zones:
        sound = np.asarray(zone.sample.wave, dtype=np.float64)
        sound = dsp.shelf(dsp.high_pass(dsp.bell(sound, 2600.0, 4.0, 0.8), 130.0, 1), 6500.0, 4.0)
        sound = dsp.compressed(dsp.peak(sound), -20.0, 3.0, 0.006, 0.12)
        zone.sample.wave = dsp.peak(dsp.saturate(dsp.peak(sound), 1.3)).astype(np.float32)
    return brighter_with_velocity(zones, (-1800, -1000, -400, 0))


def _chops(name: str, roots: range) -> list[Zone]:
    """Sung syllables, another one every two keys, of women (``"high"``) or men (``"low"``)."""
    zones = []
    for number, (root, keys) in enumerate(zip(roots, spread_keys(roots), strict=True)):
        syllable = sung.SUNG[number % len(sung.SUNG)]
        wave_ = 0.89 * sung.sung(syllable, root, name == "high", 1000 + root)
        sample = Sample(f"{name} {syllable.name} {root}", wave_.astype(np.float32), COMPUTED, root=root, quality=0.4)
        zones.append(Zone(sample, keys))
    return tuned(zones, release=timecents(0.12))


def _talk(name: str) -> list[Zone]:
    """Spoken phrases of women (``"high"``) or men (``"low"``), another one on each key."""
    zones = []
    for key in TALK_KEYS:
        wave_ = 0.89 * sung.talk(name == "high", 7000 + key)
        sample = Sample(f"{name} talk {key}", wave_.astype(np.float32), COMPUTED, root=key, quality=0.4)
        zones.append(Zone(sample, (key, key)))
    return tuned(zones, release=timecents(0.08))


def _crowd(program: int, syllable: sung.Syllable) -> Preset:
    """A crowd of six that shouts."""
    return _effect(
        program, f"crowd {syllable.name}", list(sung.crowd(syllable, (50, 52, 53, 57, 60, 55), True, program))
    )


def _instruments() -> list[Preset]:
    mix = quieter
    return [
        # Basses
        Preset(1, 38, "Bass Analogue", shaped(struck.analogue_bass(), release=0.1, velocity=_SOFT)),
        Preset(2, 38, "Bass Reese", shaped(wave.reese(), 0.006, 0.15, 3500.0, velocity=_SOFT)),
        Preset(3, 38, "Bass Acid", shaped(struck.acid_bass(), release=0.08)),
        Preset(4, 38, "Bass 808", shaped(struck.bass_808(), 0.001, 0.25)),
        Preset(
            5,
            38,
            "Bass Saw Stab",
            shaped(
                wave.saw_pair() + mix(moved(wave.sub(), 0), 3.0),
                0.002,
                0.1,
                420.0,
                6.0,
                3400,
                0.001,
                0.28,
                0.05,
                velocity=_SOFT,
            ),
        ),
        Preset(1, 39, "Bass Sub", shaped(wave.sub(), 0.006, 0.12)),
        Preset(2, 39, "Bass FM", shaped(struck.fm_bass(), release=0.1, velocity=_SOFT)),
        Preset(3, 39, "Bass Organ", shaped(struck.organ_bass(), 0.001, 0.09)),
        Preset(
            4,
            39,
            "Bass Square Sub",
            shaped(
                wave.square() + mix(wave.sub(), 1.0), 0.004, 0.1, 260.0, 3.0, 2200, 0.001, 0.35, 0.1, velocity=_SOFT
            ),
        ),
        Preset(1, 87, "Bass Growl", shaped(wave.growl() + mix(wave.sub(), 4.0), 0.006, 0.12, velocity=_SOFT)),
        # Leads
        Preset(
            1,
            80,
            "Lead Square",
            shaped(wave.square(), 0.003, 0.12, 5200.0, 2.0, 1200, 0.001, 0.4, 0.3, vibrato=12, velocity=_SOFT),
        ),
        Preset(
            2,
            80,
            "Lead Pulse",
            shaped(wave.narrow_pulse(), 0.003, 0.1, 3000.0, 3.0, 2200, 0.001, 0.5, 0.3, vibrato=9, velocity=_SOFT),
        ),
        Preset(
            3,
            80,
            "Lead Whistle",
            shaped(wave.sine() + mix(wave.square(), 20.0), 0.02, 0.14, vibrato=16, vibrato_after=0.25),
        ),
        Preset(
            1,
            81,
            "Lead Supersaw",
            shaped(wave.supersaw(), 0.004, 0.22, 5200.0, 1.5, 1900, 0.001, 0.8, 0.5, velocity=_SOFT),
        ),
        Preset(
            2,
            81,
            "Lead Saw",
            shaped(wave.saw_one(), 0.004, 0.1, 4200.0, 3.0, 2000, 0.001, 0.5, 0.35, vibrato=12, velocity=_SOFT),
        ),
        Preset(3, 81, "Lead Acid", shaped(moved(struck.acid_bass(), 0), release=0.1)),
        Preset(4, 81, "Pluck Saw", shaped(struck.pluck(), 0.001, 0.25, velocity=_SOFT)),
        Preset(
            1,
            84,
            "Lead Driven",
            shaped(wave.reese() + mix(moved(wave.saw_one(), 12), 5.0), 0.003, 0.12, 6500.0, vibrato=8, velocity=_SOFT),
        ),
        Preset(
            1,
            86,
            "Lead Fifths",
            shaped(wave.supersaw() + mix(moved(wave.saw_one(), 7), 5.0), 0.004, 0.2, 6000.0, velocity=_SOFT),
        ),
        # Keys
        Preset(1, 1, "House Piano", _house_piano()),
        Preset(1, 5, "Keys FM", shaped(struck.keys_fm(), release=0.4)),
        Preset(
            1,
            4,
            "Keys Tine Chorus",
            tuned(instrument("musescore", 4, 0, 4, 0.5), pan=-330, fine=-4)
            + tuned(instrument("musescore", 4, 0, 4, 0.5), pan=330, fine=5),
        ),
        Preset(
            1, 17, "Organ House", shaped(wave.organ(), 0.003, 0.08) + mix(shaped(struck.stab_organ(), 0.001, 0.1), 6.0)
        ),
        Preset(1, 16, "Organ Drawbars", shaped(wave.organ(), 0.004, 0.1)),
        Preset(2, 17, "Stab Organ", shaped(struck.stab_organ(), 0.001, 0.15)),
        Preset(1, 90, "Stab Minor", shaped(struck.stab_minor(), 0.001, 0.25, velocity=_SOFT)),
        Preset(
            2,
            90,
            "Chord Supersaw",
            shaped(wave.supersaw(), 0.002, 0.25, 900.0, 4.0, 3600, 0.001, 0.55, 0.15, velocity=_SOFT),
        ),
        Preset(1, 98, "Bell FM", shaped(struck.bell_fm(), 0.001, 0.9)),
        # Guitars and brass
        Preset(8, 28, "Funk Guitar", instrument("musescore", 28, 8, 4, 0.5)),
        Preset(1, 62, "Brass Synth", shaped(struck.brass_stab(), 0.002, 0.14, velocity=_SOFT)),
        Preset(
            1,
            61,
            "Brass Layered",
            instrument("musescore", 61, 0, 4, 0.5) + mix(shaped(struck.brass_stab(), 0.004, 0.16, 6000.0), 7.0),
        ),
        # Strings and pads
        Preset(1, 50, "String Machine", shaped(wave.strings_machine(), 0.09, 0.45, 11000.0)),
        Preset(
            1,
            48,
            "Disco Strings",
            tuned(strings("fast"), attack=timecents(0.02), release=timecents(0.28))
            + mix(shaped(wave.strings_machine(), 0.05, 0.3), 8.0),
        ),
        Preset(1, 89, "Pad Warm", shaped(wave.warm(), 0.25, 1.0)),
        Preset(2, 89, "Pad Dark", shaped(wave.supersaw(), 0.35, 1.1, 620.0, 2.0, 700, 1.5, 5.0, 0.6)),
        Preset(1, 95, "Pad Sweep", shaped(wave.supersaw(), 0.2, 1.1, 450.0, 5.0, 4500, 2.4, 6.0, 0.4)),
        Preset(1, 91, "Pad Choir", shaped(wave.choir(), 0.3, 1.1)),
        Preset(1, 92, "Pad Glass", shaped(wave.glass(), 0.2, 1.2) + mix(shaped(wave.warm(), 0.3, 1.2), 6.0)),
        Preset(1, 88, "Pad Air", shaped(wave.air(), 0.3, 1.2) + mix(shaped(wave.warm(), 0.3, 1.2), 2.0)),
        Preset(1, 85, "Voice Chop High", _chops("high", range(55, 80, 2))),
        Preset(2, 85, "Voice Chop Low", _chops("low", range(43, 68, 2))),
        Preset(3, 85, "Voice Talk High", _talk("high")),
        Preset(4, 85, "Voice Talk Low", _talk("low")),
        Preset(1, 54, "Voice Stab", shaped(wave.choir(), 0.006, 0.25, decay=3.0, sustain=40.0)),
    ]


def _effect(
    program: int, name: str, sides: list[np.ndarray], source: str = COMPUTED, origin: str = "", loop: float = 0.0
) -> Preset:
    """One sound on key 60, a semitone a key."""
    loudest = max(float(np.abs(side).max()) for side in sides)
    made = []
    for side, letter in zip(sides, "LR" if len(sides) > 1 else " ", strict=True):
        sound, place = side * (0.89 / loudest), None
        if loop:
            sound, place = dsp.looped(sound, len(sound) - int(loop * 44100), len(sound), int(0.4 * 44100))
        made.append(
            Sample(
                f"fx {name}"[:18] + letter.strip(),
                sound.astype(np.float32),
                source,
                loop=place,
                quality=0.4,
                origin=origin,
            )
        )
    return Preset(EFFECT_BANK, program, f"FX {name.title()}", tuned(paired(made, (24, 96)), release=timecents(0.4)))


def _recorded_effect(program: int, name: str, file: str, seconds: float) -> Preset:
    wave_ = one_shot(file)[:, : int(seconds * 44100)]
    sides = [dsp.faded(side, 0.25 * seconds) for side in wave_]
    return _effect(program, name, sides, "sonic-pi", file)


def _effects() -> list[Preset]:
    both = (0, 1)
    return [
        _effect(0, "riser 4s", [effects.riser(4.0, side) for side in both]),
        _effect(1, "riser 2s", [effects.riser(2.0, side) for side in both]),
        _effect(2, "fall", [effects.fall(3.0, side) for side in both]),
        _effect(3, "impact", [effects.impact(side) for side in both]),
        _effect(4, "sub drop", [effects.sub_drop()]),
        _effect(5, "reverse cymbal", [effects.reverse_cymbal(side) for side in both]),
        _effect(6, "sweep", [effects.sweep(4.0, side) for side in both]),
        _effect(7, "zap", [effects.zap()]),
        _effect(8, "siren", [effects.siren()]),
        _effect(9, "horn", [effects.horn(side) for side in both]),
        _effect(10, "vinyl", [effects.vinyl(11), effects.vinyl(12)], loop=2.6),
        _effect(11, "scratch a", [effects.scratch(21, 0.11, 0.13)]),
        _effect(12, "scratch b", [effects.scratch(22, 0.07, 0.20)]),
        _effect(13, "boom", [effects.boom_808()]),
        _recorded_effect(14, "scratch rec", "vinyl_scratch", 0.27),
        _recorded_effect(15, "backspin", "vinyl_backspin", 1.06),
        _recorded_effect(16, "rewind", "vinyl_rewind", 2.6),
        _recorded_effect(17, "cineboom", "misc_cineboom", 3.0),
        _recorded_effect(18, "woosh", "ambi_dark_woosh", 3.5),
        _recorded_effect(19, "swoosh", "ambi_swoosh", 1.8),
        _recorded_effect(20, "drop", "bass_drop_c", 2.3),
        _recorded_effect(21, "choir", "ambi_choir", 1.5),
        _recorded_effect(22, "hiss", "vinyl_hiss", 3.0),
        _crowd(23, sung.HEY),
        _crowd(24, sung.HO),
        _crowd(25, sung.YEAH),
        _crowd(26, sung.UH),
    ]


def presets() -> list[Preset]:
    return _instruments() + _effects()
