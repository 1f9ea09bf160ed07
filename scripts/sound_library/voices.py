"""Single drums of the kits: a few samples each, with softer strokes and a second take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import dsp
from . import machines as m
from . import percussion as p
from .model import Sample
from .one_shots import mono
from .recorded import instrument
from .waves import COMPUTED

Takes = Callable[[int, int], np.ndarray]

#: Cents that the filter moves in each band of velocities, by the kind of drum.
SOFTER = {
    "kick": (-3300, -2000, -900, 0), "snare": (-2400, -1300, -500, 0), "hat": (-1900, -1100, -400, 0),
    "tom": (-3000, -1700, -700, 0), "dry": (-1500, -900, -300, 0), "none": (0, 0, 0, 0),
}  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """A drum.

    Attributes:
        make: (take, side) -> a sound.
        kind: how it softens, a name of :data:`SOFTER`.
        takes: how many differ; further ones are detuned by a few cents.
        stereo: whether its sides differ.
        source: whose recording it is.
        origin: what the source calls it.
        quality: quality of the coder.
    """

    make: Takes
    kind: str
    takes: int = 1
    stereo: bool = False
    source: str = COMPUTED
    origin: str = ""
    quality: float = 0.7


def _fixed(make: Callable[[], np.ndarray], kind: str) -> Voice:
    return Voice(lambda take, side: make(), kind)


def _shot(name: str, kind: str, change: Callable[[np.ndarray], np.ndarray] = dsp.peak, seconds: float = 3.0) -> Voice:
    return Voice(lambda take, side: change(mono(name, seconds)), kind, source="sonic-pi", origin=name)


def _kit_drum(key: int, change: Callable[[np.ndarray], np.ndarray], kind: str, program: int = 0) -> Voice:
    """A drum of MuseScore General's kits, changed."""

    def make(take: int, side: int) -> np.ndarray:
        zones = [zone for zone in instrument("musescore", program, 128) if zone.keys[0] <= key <= zone.keys[1]]
        loudest = max(zones, key=lambda zone: (zone.velocities[1], len(zone.sample.wave)))
        sample = loudest.sample
        wave = np.asarray(sample.wave, dtype=np.float64)
        if sample.rate != 44100:
            import soxr

            wave = soxr.resample(wave, sample.rate, 44100)
        return dsp.trimmed(change(wave), -58.0, 0.03)

    return Voice(make, kind, source="musescore", origin=f"kit {program}, key {key}")


def _reverbed(voice: Voice, t60: float, amount: float) -> Voice:
    def make(take: int, side: int) -> np.ndarray:
        wet = dsp.room(voice.make(take, side), t60, amount, 60 + side)
        return dsp.peak(dsp.trimmed(wet, -50.0, 0.05))

    return Voice(make, voice.kind, voice.takes, True, voice.source, voice.origin, voice.quality)


def _with_boom(wave: np.ndarray) -> np.ndarray:
    """A bass drum over the decaying sine that engineers gate to it."""
    return dsp.mixed(wave, 0.55 * m.kick_808(0.5, 55.0, 0.0))


VOICES: dict[str, Voice] = {
    # 808
    "k808": _fixed(lambda: m.kick_808(0.9), "kick"),
    "k808 long": _fixed(lambda: m.kick_808(2.0, 48.0, 0.6), "kick"),
    "s808": Voice(lambda take, side: m.snare_808(0.8, 0.75, 31 + 5 * take), "snare", 2),
    "s808 low": Voice(lambda take, side: m.snare_808(0.5, 1.0, 41 + 5 * take, 0.34), "snare", 2),
    "clap808": Voice(lambda take, side: m.clap(51 + take), "snare", 2),
    "ch808": Voice(lambda take, side: m.hat_808(0.075, 0.13 + 0.05 * take), "hat", 2),
    "oh808": Voice(lambda take, side: m.hat_808(0.62, 0.13 + 0.05 * take), "hat", 1),
    "ph808": _fixed(lambda: m.hat_808(0.13, 0.21), "hat"),
    "cy808": _fixed(m.cymbal_808, "hat"),
    "cow808": _fixed(m.cowbell_808, "dry"),
    "rim808": _fixed(m.rim_808, "dry"),
    "clave808": _fixed(m.clave_808, "none"),
    "mar808": Voice(lambda take, side: m.maracas_808(61 + take), "dry", 2),
    "lt808": _fixed(lambda: m.tom_808(92.0, 0.52, 0.16, 71), "tom"),
    "mt808": _fixed(lambda: m.tom_808(135.0, 0.42, 0.16, 72), "tom"),
    "ht808": _fixed(lambda: m.tom_808(188.0, 0.34, 0.16, 73), "tom"),
    "lc808": _fixed(lambda: m.tom_808(185.0, 0.26, 0.0, 74), "tom"),
    "mc808": _fixed(lambda: m.tom_808(280.0, 0.21, 0.0, 75), "tom"),
    "hc808": _fixed(lambda: m.tom_808(410.0, 0.17, 0.0, 76), "tom"),
    # 909
    "k909": _fixed(lambda: m.kick_909(0.42), "kick"),
    "k909 long": _fixed(lambda: m.kick_909(0.75, 48.0, 0.7, 0.04, 1.8), "kick"),
    "s909": Voice(lambda take, side: m.snare_909(176.0, 0.55, 0.75, 81 + 5 * take), "snare", 2),
    "s909 high": Voice(lambda take, side: m.snare_909(208.0, 0.4, 1.0, 91 + 5 * take, 0.22), "snare", 2),
    "clap909": Voice(
        lambda take, side: m.clap(101 + 2 * take + side, (0.0, 0.0102, 0.0214), 0.38, 820.0), "snare", 2, True
    ),
    "ch909": Voice(lambda take, side: m.hat(0.15, 111 + 3 * take), "hat", 2),
    "oh909": Voice(lambda take, side: m.hat(1.0, 121 + 3 * take, 4600.0), "hat", 1),
    "ph909": _fixed(lambda: m.hat(0.17, 118, 5600.0), "hat"),
    "crash909": Voice(
        lambda take, side: m.cymbal(1.9, 350.0, 15000.0, 131 + side, build=0.004), "hat", 1, True, quality=0.5
    ),
    "ride909": _fixed(lambda: m.cymbal(1.5, 420.0, 14000.0, 141, bell=0.35, wash=0.45), "hat"),
    "bell909": _fixed(lambda: m.cymbal(1.3, 500.0, 12000.0, 142, bell=1.6, wash=0.2), "hat"),
    "rim909": _fixed(m.rim_909, "dry"),
    "lt909": _fixed(lambda: m.tom_909(82.0, 0.55, 151), "tom"),
    "mt909": _fixed(lambda: m.tom_909(116.0, 0.48, 152), "tom"),
    "ht909": _fixed(lambda: m.tom_909(158.0, 0.40, 153), "tom"),
    # Produced
    "k house": _fixed(lambda: p.kick_layered(49.0, 0.40, 0.55, 2.2, 161), "kick"),
    "k punch": _fixed(lambda: p.kick_layered(57.0, 0.26, 0.8, 2.4, 162, 0.018), "kick"),
    "k deep": _fixed(lambda: p.kick_layered(43.0, 0.62, 0.6, 2.6, 163, 0.028), "kick"),
    "k trap": _fixed(lambda: p.knocking(dsp.saturate(m.kick_808(1.3, 44.0, 1.3), 2.0), 165), "kick"),
    "k krump": _fixed(lambda: p.knocking(p.kick_distorted(43.0, 1.1), 166), "kick"),
    "k disco": _fixed(lambda: p.kick_layered(62.0, 0.22, 0.75, 1.8, 164, 0.012, 3.0), "kick"),
    "s tight": Voice(lambda take, side: p.snare_tight(212.0, 171 + 7 * take), "snare", 2),
    "s tight low": Voice(lambda take, side: p.snare_tight(184.0, 181 + 7 * take, 0.22), "snare", 2),
    "s big": Voice(lambda take, side: p.snare_big(191 + 7 * take, side), "snare", 2, True),
    "clap wide": Voice(lambda take, side: p.clap_wide(201 + 50 * take, side), "snare", 2, True),
    "clap short": Voice(lambda take, side: p.clap_wide(211 + 50 * take, side, 0.16), "snare", 2, True),
    "snap": Voice(lambda take, side: p.snap(221 + take), "dry", 2),
    "shaker": Voice(lambda take, side: p.shaker(231 + take, 0.13, 0.03), "dry", 2),
    "shaker long": Voice(lambda take, side: p.shaker(241 + take, 0.22, 0.07), "dry", 2),
    "tamb": Voice(lambda take, side: p.tambourine(251 + take, 0.26), "dry", 2),
    "ch trap": Voice(
        lambda take, side: dsp.peak(dsp.high_pass(m.hat(0.09, 261 + 3 * take, 7500.0), 7000.0)), "hat", 2, quality=0.9
    ),
    "oh house": Voice(lambda take, side: m.hat(0.75, 271 + 3 * take, 5200.0, 0.8), "hat", 1),
    "crash": Voice(
        lambda take, side: m.cymbal(2.4, 300.0, 16000.0, 281 + side, wash=1.4, build=0.006), "hat", 1, True, quality=0.5
    ),
    "block hi": _fixed(lambda: p.block(1180.0, 0.11), "dry"),
    "block lo": _fixed(lambda: p.block(790.0, 0.13), "dry"),
    # Recorded
    "k break": _shot("drum_heavy_kick", "kick", lambda w: p.sampled(p.produced(w, "kick"), 0.97)),
    "s break": _shot("drum_snare_hard", "snare", lambda w: p.sampled(p.produced(w, "snare"), 1.06)),
    "ch break": _shot("drum_cymbal_closed", "hat", lambda w: p.sampled(p.produced(w, "cymbal"), 1.04)),
    "oh break": _shot("drum_cymbal_open", "hat", lambda w: p.sampled(p.produced(w, "cymbal"), 1.04), 1.1),
    "ph break": _shot("drum_cymbal_pedal", "hat", lambda w: p.produced(w, "cymbal")),
    "crash break": _shot("drum_splash_hard", "hat", lambda w: p.produced(w, "cymbal"), 2.4),
    "ride break": _shot("drum_cymbal_soft", "hat", lambda w: p.produced(w, "cymbal"), 1.0),
    "lt break": _shot("drum_tom_lo_hard", "tom", lambda w: p.produced(w, "tom")),
    "mt break": _shot("drum_tom_mid_hard", "tom", lambda w: p.produced(w, "tom")),
    "ht break": _shot("drum_tom_hi_hard", "tom", lambda w: p.produced(w, "tom")),
    "k boom": _shot("drum_bass_hard", "kick", lambda w: p.sampled(_with_boom(p.produced(w, "kick")), 0.96)),
    "k fat": _shot("bd_fat", "kick", lambda w: p.sampled(w, 0.92)),
    "k haus": _shot("bd_haus", "kick"),
    "s dub": _shot("sn_dub", "snare", lambda w: dsp.peak(dsp.saturate(w, 1.6))),
    "s boom": _shot(
        "sn_dolf", "snare", lambda w: p.sampled(dsp.peak(dsp.bell(dsp.bell(w, 190.0, 4.0), 4000.0, 3.0)), 0.94)
    ),
    "s zome": _shot("sn_zome", "snare"),
    "snap rec": _shot("perc_snap", "dry", lambda w: dsp.peak(dsp.high_pass(w, 400.0))),
    "cow rec": _shot("drum_cowbell", "dry"),
    "k live": _kit_drum(36, lambda w: p.produced(w, "kick"), "kick"),
    "s live": _kit_drum(38, lambda w: p.produced(w, "snare"), "snare"),
    "s live 2": _kit_drum(40, lambda w: p.produced(w, "snare"), "snare"),
    "k power": _kit_drum(36, lambda w: dsp.saturate(p.produced(w, "kick"), 1.5), "kick", 16),
    "s power": _kit_drum(38, lambda w: dsp.saturate(p.produced(w, "snare"), 1.5), "snare", 16),
}
VOICES["s room"] = _reverbed(VOICES["s live"], 0.35, 0.5)
VOICES["s disco"] = _reverbed(VOICES["s live 2"], 0.22, 0.35)


@cache
def take(name: str, number: int) -> tuple[tuple[Sample, ...], int]:
    """Return the samples (one or two sides) of a voice's take, and the cents by which a take without its own
    differs.
    """
    voice = VOICES[name]
    own = number % voice.takes
    samples = _made(name, own)
    return samples, (0 if own == number else (7, -8, 4)[number % 3])


@cache
def _made(name: str, number: int) -> tuple[Sample, ...]:
    voice = VOICES[name]
    sides = [np.asarray(voice.make(number, side)) for side in range(2 if voice.stereo else 1)]
    count = max(map(len, sides))
    sides = [np.concatenate([wave, np.zeros(count - len(wave))]) for wave in sides]
    loudest = max(float(np.abs(wave).max()) for wave in sides)
    samples = tuple(
        Sample(
            f"{name} {number + 1}{letter}".strip(), (0.89 / loudest * wave).astype(np.float32), voice.source,
            quality=voice.quality, origin=voice.origin,
        )
        for wave, letter in zip(sides, "LR" if voice.stereo else " ", strict=True)
    )  # fmt: skip
    if voice.stereo:
        samples[0].partner, samples[1].partner = samples[1], samples[0]
    return samples
