"""Bank 0: the 128 instruments of General MIDI; acoustic ones are recorded, synthesisers are synthesised."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from d2m.symbolic.sound import soundfont_file as sf

from . import patches_waves as wave
from . import performed, struck
from .model import Preset, Zone, brighter_with_velocity, cutoff_cents, decibels, timecents
from .recorded import instrument
from .waves import moved, tuned

NAMES: list[str] = [
    "Grand Piano",
    "Bright Piano",
    "Electric Grand",
    "Honky-Tonk",
    "Tine Piano",
    "FM Piano",
    "Harpsichord",
    "Clavinet",
    "Celesta",
    "Glockenspiel",
    "Music Box",
    "Vibraphone",
    "Marimba",
    "Xylophone",
    "Tubular Bells",
    "Dulcimer",
    "Drawbar Organ",
    "Percussive Organ",
    "Rock Organ",
    "Church Organ",
    "Reed Organ",
    "Accordion",
    "Harmonica",
    "Bandoneon",
    "Nylon Guitar",
    "Steel Guitar",
    "Jazz Guitar",
    "Clean Guitar",
    "Muted Guitar",
    "Overdrive Guitar",
    "Distortion Guitar",
    "Harmonics",
    "Acoustic Bass",
    "Fingered Bass",
    "Picked Bass",
    "Fretless Bass",
    "Slap Bass",
    "Pop Bass",
    "Synth Bass 1",
    "Synth Bass 2",
    "Violin",
    "Viola",
    "Cello",
    "Contrabass",
    "Tremolo Strings",
    "Pizzicato",
    "Harp",
    "Timpani",
    "Strings",
    "Slow Strings",
    "Synth Strings 1",
    "Synth Strings 2",
    "Choir Aahs",
    "Voice Oohs",
    "Synth Voice",
    "Orchestra Hit",
    "Trumpet",
    "Trombone",
    "Tuba",
    "Muted Trumpet",
    "French Horns",
    "Brass Section",
    "Synth Brass 1",
    "Synth Brass 2",
    "Soprano Sax",
    "Alto Sax",
    "Tenor Sax",
    "Baritone Sax",
    "Oboe",
    "English Horn",
    "Bassoon",
    "Clarinet",
    "Piccolo",
    "Flute",
    "Recorder",
    "Pan Flute",
    "Bottle",
    "Shakuhachi",
    "Whistle",
    "Ocarina",
    "Square Lead",
    "Saw Lead",
    "Calliope",
    "Chiff",
    "Charang",
    "Solo Voice",
    "Fifths",
    "Bass and Lead",
    "Fantasia",
    "Warm Pad",
    "Polysynth",
    "Space Voice",
    "Bowed Glass",
    "Metal Pad",
    "Halo Pad",
    "Sweep Pad",
    "Ice Rain",
    "Soundtrack",
    "Crystal",
    "Atmosphere",
    "Brightness",
    "Goblin",
    "Echo Drops",
    "Star Theme",
    "Sitar",
    "Banjo",
    "Shamisen",
    "Koto",
    "Kalimba",
    "Bagpipe",
    "Fiddle",
    "Shenai",
    "Tinker Bell",
    "Agogo",
    "Steel Drums",
    "Woodblock",
    "Taiko",
    "Melodic Tom",
    "Synth Drum",
    "Reverse Cymbal",
    "Fret Noise",
    "Breath Noise",
    "Seashore",
    "Bird Tweet",
    "Telephone",
    "Helicopter",
    "Applause",
    "Gunshot",
]

#: What is recorded: program -> (soundfont, fewest semitones between roots, quality of the coder).
_RECORDED: dict[int, tuple[str, int, float]] = {
    2: ("musescore", 6, 0.4), 4: ("musescore", 4, 0.6), 6: ("musescore", 5, 0.4), 7: ("musescore", 4, 0.6),
    8: ("musescore", 6, 0.5), 9: ("musescore", 6, 0.5), 10: ("musescore", 6, 0.5), 11: ("musescore", 5, 0.6),
    12: ("musescore", 6, 0.5), 13: ("musescore", 7, 0.5), 14: ("musescore", 1, 0.5), 15: ("musescore", 8, 0.4),
    16: ("musescore", 1, 0.6), 17: ("musescore", 5, 0.45), 18: ("musescore", 5, 0.5), 19: ("musescore", 7, 0.6),
    20: ("musescore", 7, 0.4), 21: ("musescore", 7, 0.4), 22: ("musescore", 5, 0.4), 23: ("musescore", 7, 0.35),
    24: ("musescore", 4, 0.5), 25: ("musescore", 4, 0.5), 26: ("musescore", 4, 0.6), 27: ("musescore", 4, 0.6),
    28: ("musescore", 4, 0.6), 29: ("musescore", 6, 0.5), 30: ("musescore", 6, 0.4), 31: ("musescore", 8, 0.6),
    32: ("musescore", 4, 0.6), 33: ("musescore", 4, 0.6), 34: ("musescore", 5, 0.6), 35: ("musescore", 4, 0.5),
    36: ("musescore", 4, 0.6), 37: ("musescore", 6, 0.6), 40: ("musescore", 4, 0.5), 41: ("musescore", 6, 0.4),
    42: ("musescore", 5, 0.5), 43: ("musescore", 6, 0.4), 46: ("musescore", 6, 0.4), 47: ("musescore", 6, 0.4),
    52: ("musescore", 6, 0.4), 53: ("musescore", 6, 0.5), 54: ("musescore", 6, 0.4), 55: ("musescore", 1, 0.5),
    56: ("musescore", 3, 0.6), 57: ("musescore", 4, 0.5), 58: ("musescore", 5, 0.4), 59: ("musescore", 4, 0.5),
    60: ("musescore", 6, 0.4), 61: ("musescore", 4, 0.6), 64: ("musescore", 6, 0.4), 65: ("musescore", 4, 0.5),
    66: ("musescore", 4, 0.5), 67: ("musescore", 7, 0.4), 68: ("musescore", 6, 0.4), 69: ("musescore", 7, 0.4),
    70: ("musescore", 7, 0.4), 71: ("musescore", 4, 0.4), 72: ("musescore", 6, 0.4), 73: ("musescore", 4, 0.5),
    74: ("musescore", 6, 0.4), 75: ("musescore", 6, 0.5), 76: ("musescore", 1, 0.4), 77: ("musescore", 1, 0.5),
    78: ("musescore", 1, 0.5), 79: ("musescore", 6, 0.4), 83: ("musescore", 1, 0.4),
    104: ("musescore", 5, 0.4), 105: ("musescore", 6, 0.4), 106: ("musescore", 6, 0.4), 107: ("musescore", 1, 0.4),
    108: ("musescore", 5, 0.5), 109: ("musescore", 7, 0.3), 110: ("musescore", 5, 0.4), 111: ("musescore", 5, 0.4),
    112: ("musescore", 1, 0.4), 113: ("musescore", 1, 0.4), 114: ("musescore", 1, 0.4), 115: ("musescore", 1, 0.4),
    116: ("musescore", 1, 0.4), 119: ("musescore", 1, 0.4), 120: ("musescore", 1, 0.4), 121: ("musescore", 1, 0.4),
    122: ("musescore", 1, 0.3), 123: ("musescore", 1, 0.4), 124: ("musescore", 1, 0.3), 125: ("musescore", 1, 0.3),
    126: ("musescore", 1, 0.3), 127: ("musescore", 1, 0.4),
}  # fmt: skip

#: Drums, noises, and bells whose partials are no harmonics.
_WITHOUT_PITCH = {14, 47, 112, 55, 113, 115, 116, *range(119, 128)}
_PIANO_ROOTS = (21, 27, 33, 38, 43, 48, 53, 58, 63, 68, 73, 79, 85, 92, 100)


def shaped(
    zones: list[Zone],
    attack: float = 0.003,
    release: float = 0.3,
    cutoff: float = 20000.0,
    resonance: float = 0.0,
    opened: int = 0,
    rise: float = 0.001,
    fall: float = 1.0,
    held: float = 0.0,
    decay: float = 0.001,
    sustain: float = 0.0,
    vibrato: int = 0,
    vibrato_after: float = 0.4,
    velocity: tuple[int, ...] = (),
) -> list[Zone]:
    """Return zones with envelopes and a filter.

    Args:
        zones: to change.
        attack, release: seconds of the volume.
        cutoff: cutoff of the filter, hertz.
        resonance: decibels.
        opened: cents by which the modulation envelope opens the filter.
        rise, fall: seconds of that envelope.
        held: what it keeps, 0 to 1.
        decay: seconds in which the volume falls by 100 dB, down to ``sustain`` decibels under the attack.
        sustain: decibels.
        vibrato: cents at 5.4 Hz.
        vibrato_after: seconds.
        velocity: cents that the filter moves in each band of velocities.
    """
    shape: dict[str, int] = {"attack": timecents(attack), "release": timecents(release)}
    if cutoff < 20000.0:
        shape["filter"] = cutoff_cents(cutoff)
    if resonance:
        shape["resonance"] = round(10 * resonance)
    if opened:
        shape |= {"mod_filter": opened, "mod_attack": timecents(rise), "mod_decay": timecents(fall)}
        shape["mod_sustain"] = round(1000 * (1.0 - held))
    if sustain:
        shape |= {"decay": timecents(decay), "sustain": round(10 * sustain)}
    if vibrato:
        shape |= {
            "vibrato_pitch": vibrato,
            "vibrato_rate": cutoff_cents(5.4),
            "vibrato_delay": timecents(vibrato_after),
        }
    out = tuned(zones, **shape)
    return brighter_with_velocity(out, velocity) if velocity else out


def quieter(zones: list[Zone], decibel: float) -> list[Zone]:
    more = decibels(decibel)
    return [zone.with_(attenuation=zone.generators.get(sf.ATTENUATION, 0) + more) for zone in zones]


@lru_cache(maxsize=1)
def piano() -> list[Zone]:
    """Return the Splendid Grand in three strengths."""
    layers = ((48, 0, 62), (86, 63, 100), (122, 101, 127))
    return performed.instrument(
        "grand",
        "musescore",
        0,
        _PIANO_ROOTS,
        layers,
        5.0,
        "splendid",
        quality=0.45,
        release=0.45,
        lengths=(5.0, 1.2),
    )


def _bright_piano() -> list[Zone]:
    hard = [zone for zone in piano() if zone.velocities[0] >= 101]
    return brighter_with_velocity(
        [Zone(z.sample, z.keys, (0, 127), dict(z.generators)) for z in hard], (-2200, -1300, -600, 0)
    )


def _honky() -> list[Zone]:
    left = [zone for zone in piano() if zone.velocities[0] == 63 and zone.generators[sf.PAN] < 0]
    plain = [Zone(z.sample, z.keys, (0, 127), dict(z.generators)) for z in left]
    return tuned(plain, pan=-250, fine=-9) + tuned(plain, pan=250, fine=10)


@lru_cache(maxsize=4)
def strings(kind: str) -> list[Zone]:
    """Return sections of the chamber orchestra: ``"fast"``, ``"slow"``, ``"tremolo"`` or ``"pizzicato"``."""
    program, seconds, loop, roots, velocity, quality = {
        "fast": (48, 3.4, 1.6, tuple(range(30, 97, 6)), 100, 0.45),
        "slow": (49, 3.8, 1.6, tuple(range(36, 91, 9)), 80, 0.35),
        "tremolo": (44, 3.0, 1.5, tuple(range(36, 91, 9)), 90, 0.3),
        "pizzicato": (45, 1.0, 0.0, tuple(range(36, 91, 6)), 100, 0.4),
    }[kind]
    names = {"fast": "strings", "slow": "slow str", "tremolo": "tremolo", "pizzicato": "pizzicato"}
    stereo = kind == "fast"
    return performed.instrument(
        names[kind], "musescore", program, roots, ((velocity, 0, 127),), seconds, "vsco", loop, 0, stereo, quality, 0.4
    )


def _computed() -> dict[int, Callable[[], list[Zone]]]:
    soft = (-1900, -1000, -400, 0)
    bells, glass = struck.bell_fm, wave.glass
    return {
        0: piano,
        1: _bright_piano,
        3: _honky,
        5: lambda: shaped(struck.keys_fm(), release=0.35),
        38: lambda: shaped(struck.analogue_bass(), release=0.12, velocity=soft),
        39: lambda: shaped(struck.fm_bass(), release=0.12, velocity=soft),
        44: lambda: strings("tremolo"),
        45: lambda: strings("pizzicato"),
        48: lambda: brighter_with_velocity(strings("fast"), (-1500, -800, -300, 0)),
        49: lambda: tuned(strings("slow"), attack=timecents(0.25), release=timecents(0.7)),
        50: lambda: shaped(wave.strings_machine(), 0.12, 0.5, 9000.0),
        51: lambda: shaped(wave.strings_machine(), 0.35, 0.9, 2200.0, 0, 1500, 1.2, 4.0, 0.6),
        62: lambda: shaped(struck.brass_stab(), 0.004, 0.16, velocity=soft),
        63: lambda: shaped(wave.saw_pair(), 0.03, 0.25, 900.0, 2.0, 2400, 0.10, 1.2, 0.5, velocity=soft),
        80: lambda: shaped(wave.square(), 0.004, 0.12, 5200.0, vibrato=12, velocity=soft),
        81: lambda: shaped(wave.saw_pair(), 0.004, 0.12, 9000.0, vibrato=10, velocity=soft),
        82: lambda: shaped(wave.sine() + quieter(moved(wave.air(), 12), 12.0), 0.03, 0.15, vibrato=10),
        84: lambda: shaped(wave.reese() + quieter(moved(wave.saw_one(), 12), 6.0), 0.004, 0.15, 5000.0, velocity=soft),
        85: lambda: shaped(wave.choir(), 0.05, 0.25, vibrato=14),
        86: lambda: shaped(wave.saw_pair() + moved(wave.saw_one(), 7, -2.0), 0.004, 0.15, 7000.0, velocity=soft),
        87: lambda: shaped(
            wave.saw_pair() + quieter(moved(wave.square(), -12), 3.0),
            0.003,
            0.12,
            1400.0,
            4.0,
            2600,
            0.001,
            0.5,
            0.2,
            velocity=soft,
        ),
        88: lambda: shaped(wave.warm(), 0.25, 1.2) + quieter(shaped(bells(), 0.002, 1.2), 5.0),
        89: lambda: shaped(wave.warm(), 0.30, 1.1),
        90: lambda: shaped(wave.supersaw(), 0.006, 0.25, 2600.0, 3.0, 2400, 0.001, 0.9, 0.3, velocity=soft),
        91: lambda: shaped(wave.choir(), 0.35, 1.2),
        92: lambda: shaped(glass(), 0.18, 1.1),
        93: lambda: shaped(glass(), 0.02, 1.0) + quieter(shaped(moved(bells(), 12), 0.002, 1.0), 8.0),
        94: lambda: shaped(wave.choir(), 0.5, 1.4) + quieter(shaped(moved(wave.air(), 12), 0.5, 1.2), 9.0),
        95: lambda: shaped(wave.supersaw(), 0.25, 1.2, 500.0, 6.0, 4200, 2.2, 5.0, 0.4),
        96: lambda: shaped(moved(bells(), 12), 0.002, 0.8) + quieter(shaped(glass(), 0.1, 0.8), 6.0),
        97: lambda: shaped(wave.warm(), 0.7, 1.6) + quieter(shaped(moved(wave.supersaw(), 7), 0.9, 1.4, 1800.0), 9.0),
        98: lambda: shaped(bells(), 0.002, 0.9),
        99: lambda: shaped(struck.pluck(), 0.002, 0.6) + quieter(shaped(wave.warm(), 0.2, 0.9), 5.0),
        100: lambda: (
            shaped(glass(), 0.004, 0.6, decay=8.0, sustain=18.0) + quieter(shaped(struck.pluck(), 0.002, 0.5), 5.0)
        ),
        101: lambda: shaped(wave.growl(), 0.25, 1.0, 700.0, 8.0, 3600, 1.8, 4.0, 0.5),
        102: lambda: shaped(wave.air(), 0.08, 1.2) + quieter(shaped(bells(), 0.004, 1.0), 6.0),
        103: lambda: shaped(struck.pluck(), 0.002, 0.6) + quieter(shaped(moved(glass(), 12), 0.05, 1.0), 7.0),
        117: lambda: shaped(struck.tom_melodic(), 0.001, 0.8),
        118: lambda: tuned(
            shaped(struck.tom_melodic(), 0.001, 0.5), mod_pitch=900, mod_decay=timecents(0.08), mod_sustain=1000
        ),
    }


def presets() -> list[Preset]:
    """Return the 128 presets of bank 0."""
    out = []
    computed = _computed()
    for program, name in enumerate(NAMES):
        if program in computed:
            zones = computed[program]()
        else:
            font, step, quality = _RECORDED[program]
            zones = instrument(font, program, 0, step, quality, tuned=program not in _WITHOUT_PITCH)
        out.append(Preset(0, program, name, zones))
    return out
