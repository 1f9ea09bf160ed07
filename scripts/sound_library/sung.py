"""Sung and shouted syllables by formant synthesis: a glottal source, noise of breath, and resonances that move.

Formants of the vowels: G. E. Peterson and H. L. Barney, "Control Methods Used in a Study of the Vowels", 1952, table II
(means of men and women); the fourth and fifth and all bandwidths after D. H. Klatt, "Software for a Cascade/Parallel
Formant Synthesizer", 1980. The source is the derivative of Rosenberg's polynomial pulse ("Effect of Glottal Pulse Shape
on the Quality of Natural Vowels", 1971) with an open phase of 60 %. Sung vowels have their first formant raised to the
pitch where the pitch is above it, as singers do (J. Sundberg, "The Science of the Singing Voice", 1987).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy.signal import lfilter

from . import dsp
from .model import RATE
from .waves import hertz_of

#: First three formants of men and of women, in hertz.
_VOWELS = {
    "i": ((270, 2290, 3010), (310, 2790, 3310)),
    "e": ((530, 1840, 2480), (610, 2330, 2990)),
    "ae": ((660, 1720, 2410), (860, 2050, 2850)),
    "a": ((730, 1090, 2440), (850, 1220, 2810)),
    "o": ((570, 840, 2410), (590, 920, 2710)),
    "u": ((300, 870, 2240), (370, 950, 2670)),
    "uh": ((640, 1190, 2390), (760, 1400, 2780)),
}
#: Fourth and fifth formants of men and of women, and bandwidths of all five.
_UPPER = ((3300, 3750), (3900, 4600))
_WIDTHS = (70.0, 90.0, 130.0, 230.0, 300.0)
#: Formants of a nasal murmur.
_MURMUR = (260.0, 1100.0, 2200.0, 3200.0, 3800.0)
#: Part of a period in which the glottis is open.
_OPEN = 0.6
#: Samples over which the resonances stay the same.
_BLOCK = 64

#: Noise of consonants: lowest and highest frequency in hertz, seconds, level, and seconds of breath before the voice.
_NOISES = {
    "s": (5000.0, 10500.0, 0.06, 0.5, 0.0),
    "sh": (2300.0, 7000.0, 0.065, 0.55, 0.0),
    "ch": (2500.0, 8000.0, 0.04, 0.7, 0.0),
    "t": (3500.0, 9000.0, 0.012, 0.8, 0.03),
    "k": (1300.0, 3200.0, 0.018, 0.8, 0.035),
    "d": (2500.0, 5500.0, 0.008, 0.5, 0.0),
    "b": (100.0, 900.0, 0.008, 0.4, 0.0),
}
#: First three formants from which a vowel begins after a consonant.
_LOCI = {
    "d": (300.0, 1750.0, 2700.0), "t": (400.0, 1750.0, 2700.0), "s": (350.0, 1750.0, 2600.0),
    "sh": (320.0, 1950.0, 2600.0), "ch": (320.0, 1950.0, 2600.0), "k": (350.0, 2000.0, 2300.0),
    "b": (300.0, 800.0, 2200.0),
    "l": (360.0, 1250.0, 2700.0), "w": (300.0, 620.0, 2200.0), "y": (280.0, 2250.0, 3000.0),
}  # fmt: skip

Onset = Literal["", "h", "d", "b", "n", "s", "sh", "ch", "t", "k", "l", "w", "y"]


@dataclass(frozen=True)
class Syllable:
    """What is sung.

    Attributes:
        name: as it is written.
        onset: consonant before the vowels; "" for none.
        vowels: keys of the table of vowels, and the share of the syllable at which each is reached.
        seconds: length.
    """

    name: str
    onset: Onset
    vowels: tuple[tuple[str, float], ...]
    seconds: float


#: Syllables that are sung on notes.
SUNG = (
    Syllable("da", "d", (("a", 0.0), ("a", 0.6), ("uh", 1.0)), 0.5),
    Syllable("way", "w", (("e", 0.0), ("e", 0.35), ("i", 0.8), ("i", 1.0)), 0.5),
    Syllable("sha", "sh", (("ae", 0.0), ("a", 0.5), ("uh", 1.0)), 0.5),
    Syllable("no", "n", (("o", 0.0), ("o", 0.4), ("u", 0.9), ("u", 1.0)), 0.5),
    Syllable("take", "t", (("e", 0.0), ("e", 0.3), ("i", 0.7), ("i", 1.0)), 0.42),
    Syllable("my", "n", (("a", 0.0), ("a", 0.35), ("i", 0.85), ("i", 1.0)), 0.5),
    Syllable("so", "s", (("uh", 0.0), ("o", 0.5), ("u", 1.0)), 0.5),
    Syllable("yeah", "y", (("e", 0.0), ("ae", 0.5), ("uh", 1.0)), 0.5),
    Syllable("come", "k", (("uh", 0.0), ("uh", 0.6), ("uh", 1.0)), 0.42),
    Syllable("now", "n", (("ae", 0.0), ("a", 0.4), ("u", 1.0)), 0.5),
    Syllable("hey", "h", (("e", 0.0), ("e", 0.4), ("i", 0.9), ("i", 1.0)), 0.5),
    Syllable("low", "l", (("o", 0.0), ("o", 0.5), ("u", 1.0)), 0.5),
    Syllable("check", "ch", (("e", 0.0), ("e", 0.6), ("e", 1.0)), 0.36),
)
#: Shouts.
HEY = Syllable("hey", "h", (("e", 0.0), ("e", 0.5), ("i", 1.0)), 0.34)
HO = Syllable("ho", "h", (("o", 0.0), ("o", 0.6), ("u", 1.0)), 0.34)
UH = Syllable("uh", "", (("uh", 0.0), ("uh", 1.0)), 0.22)
YEAH = Syllable("yeah", "", (("i", 0.0), ("e", 0.25), ("ae", 0.5), ("uh", 1.0)), 0.42)


def sung(
    syllable: Syllable,
    key: float,
    female: bool,
    seed: int,
    scoop: float = 1.5,
    vibrato: float = 0.25,
    fall: float = 0.0,
) -> np.ndarray:
    """Sing a syllable on a pitch.

    Args:
        syllable: the syllable.
        key: MIDI number.
        female: formants of women.
        seed: random seed of the irregularities.
        scoop: semitones below the pitch from which the voice begins.
        vibrato: semitones to either side, after a quarter of a second.
        fall: semitones by which the pitch falls until the end.

    Returns:
        float64 (n,), at most 1.
    """
    rng = np.random.default_rng(seed)
    time = dsp.seconds(syllable.seconds)
    drift = np.cumsum(rng.standard_normal(len(time) // 400 + 2))
    wander = 0.12 * np.interp(
        np.arange(len(time)), 400.0 * np.arange(len(drift)), drift / max(np.abs(drift).max(), 1.0)
    )
    bend = -scoop * np.exp(-time / 0.04) + wander - fall * np.clip(time / syllable.seconds - 0.3, 0.0, 1.0)
    bend = bend + vibrato * np.clip((time - 0.25) / 0.15, 0.0, 1.0) * np.sin(2.0 * np.pi * 5.6 * time)
    hertz = hertz_of(key) * 2.0 ** (bend / 12.0)
    voiced, opened = _glottis(hertz)
    breath = dsp.high_pass(rng.standard_normal(len(time)), 800.0)
    start = _voicing(syllable.onset, time)
    source = voiced * start + 0.015 * breath * (0.3 + opened) * start
    begin = _onset_of_voice(syllable.onset)
    if syllable.onset in ("h", "t", "k"):
        release = 0.0 if syllable.onset == "h" else _NOISES[syllable.onset][2]
        airy = np.clip((time - release) / 0.006, 0.0, 1.0) * np.clip(1.0 - (time - begin) / 0.03, 0.0, 1.0)
        source = source + 0.06 * breath * airy
    out = _resonate(source, _formants(syllable, time, float(hertz.mean()), female))
    if syllable.onset in _NOISES:
        out = out + _consonant(syllable.onset, time, rng) * np.abs(out).max()
    # As close to a microphone, with its presence.
    out = out + 1.6 * dsp.high_pass(out, 2200.0, 1) + 0.004 * np.abs(out).max() * dsp.high_pass(breath, 5000.0) * start
    fade = np.clip(time / 0.008, 0.0, 1.0) * np.clip((syllable.seconds - time) / 0.09, 0.0, 1.0)
    out = out * fade
    return np.tanh(1.8 * out / np.abs(out).max()) / np.tanh(1.8)


def talk(female: bool, seed: int) -> np.ndarray:
    """Speak three to six syllables that mean nothing, at the speed of rap: 0.12 to 0.24 s each.

    Args:
        female: formants of women.
        seed: random seed.

    Returns:
        float64 (n,), at most 1.
    """
    rng = np.random.default_rng(seed)
    low = 56.0 if female else 46.0
    out, at = np.zeros(2 * RATE), 0.0
    for number in range(int(rng.integers(3, 7))):
        length = 0.125 * float(rng.choice([1.0, 1.0, 1.0, 1.5, 2.0]))
        syllable = replace(SUNG[int(rng.integers(0, len(SUNG)))], seconds=length + 0.09)
        key = low + 2.0 + 2.1 * rng.standard_normal() - 0.5 * number
        bends = {"scoop": 0.8 * rng.standard_normal(), "fall": 1.0 + 1.5 * rng.standard_normal(), "vibrato": 0.0}
        voice = sung(syllable, key, female, int(rng.integers(0, 2**31)), **bends)
        begin = round(at * RATE)
        out[begin : begin + len(voice)] += rng.uniform(0.6, 1.0) * voice
        at += length
    out = out[: round((at + 0.09) * RATE)]
    return out / np.abs(out).max()


def crowd(syllable: Syllable, keys: tuple[float, ...], female: bool, seed: int) -> np.ndarray:
    """Shout a syllable with several voices, which are not quite together and fall in pitch.

    Args:
        syllable: the syllable.
        keys: pitch of each voice.
        female: formants of women in every second voice.
        seed: random seed.

    Returns:
        float64 (2, n), left and right.
    """
    rng = np.random.default_rng(seed)
    longest = round((syllable.seconds + 0.05) * RATE)
    sides = np.zeros((2, longest))
    for number, key in enumerate(keys):
        voice = sung(
            syllable, key, female and number % 2 == 1, seed + number, scoop=-rng.uniform(1.0, 3.0), vibrato=0.0
        )
        at, place = round(rng.uniform(0.0, 0.03) * RATE), rng.uniform(0.15, 0.85)
        for side, gain in enumerate((np.cos(place * np.pi / 2), np.sin(place * np.pi / 2))):
            sides[side, at : at + len(voice)] += gain * rng.uniform(0.7, 1.0) * voice
    return np.tanh(1.6 * sides / np.abs(sides).max()) / np.tanh(1.6)


def _glottis(hertz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivative of the glottal flow, and the opening of the glottis, 0 to 1."""
    from scipy.signal import resample_poly

    fine = np.repeat(hertz, 4) / (4 * RATE)
    turn = np.cumsum(fine) % 1.0
    share = turn / _OPEN
    open_ = share < 1.0
    flow = np.where(open_, share**2 * (1.0 - share) * 6.75, 0.0)
    slope = np.where(open_, (2.0 * share - 3.0 * share**2) * 6.75, 0.0) / 6.75
    return resample_poly(slope, 1, 4)[: len(hertz)], flow[::4]


def _onset_of_voice(onset: Onset) -> float:
    """Return the seconds after which the voice begins."""
    if onset == "h":
        return 0.035
    _, _, length, _, breath = _NOISES.get(onset, (0.0, 0.0, 0.0, 0.0, 0.0))
    return length + breath


def _voicing(onset: Onset, time: np.ndarray) -> np.ndarray:
    """Return how loud the voice is: it begins after an unvoiced consonant, and softly in a murmur."""
    if onset == "n":
        return np.where(time < 0.05, 0.25, np.clip(0.25 + (time - 0.05) / 0.015, 0.25, 1.0))
    if onset in ("l", "w", "y"):
        return np.clip(0.3 + time / 0.06, 0.0, 1.0) * np.clip(time / 0.01, 0.0, 1.0)
    begin = _onset_of_voice(onset)
    return np.clip((time - begin) / (0.02 if onset in ("", "h") else 0.008), 0.0, 1.0)


def _formants(syllable: Syllable, time: np.ndarray, hertz: float, female: bool) -> np.ndarray:
    """Return the five formants at each instant, (n, 5) in hertz."""
    sex = 1 if female else 0
    at = [share * syllable.seconds for _, share in syllable.vowels]
    targets = np.array([(*_VOWELS[vowel][sex], *_UPPER[sex]) for vowel, _ in syllable.vowels], np.float64)
    made = np.stack([np.interp(time, at, targets[:, formant]) for formant in range(5)], axis=1)
    begin = _onset_of_voice(syllable.onset)
    if (locus := _LOCI.get(syllable.onset)) is not None:
        near = np.exp(-np.maximum(time - begin, 0.0) / (0.04 if syllable.onset in ("l", "w", "y") else 0.022))[:, None]
        made[:, :3] = made[:, :3] * (1.0 - near) + np.array(locus) * near
    if syllable.onset == "n":
        near = np.clip((0.075 - time) / 0.02, 0.0, 1.0)[:, None]
        made = made * (1.0 - near) + np.array(_MURMUR) * near
    made[:, 0] = np.maximum(made[:, 0], hertz)
    return made


def _resonate(source: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Pass the source through five resonators in cascade, whose frequencies change from block to block."""
    out = source
    for formant, width in enumerate(_WIDTHS):
        made, state = np.empty_like(out), np.zeros(2)
        for begin in range(0, len(out), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            radius = np.exp(-np.pi * width / RATE)
            angle = 2.0 * np.pi * formants[begin, formant] / RATE
            poles = [1.0, -2.0 * radius * np.cos(angle), radius**2]
            made[part], state = lfilter([sum(poles)], poles, out[part], zi=state)
        out = made
    return out


def _consonant(onset: Onset, time: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the noise of a consonant: a hiss, or the release of a stop."""
    low, high, length, level, _ = _NOISES[onset]
    noise = dsp.band_pass(rng.standard_normal(len(time)), low, high)
    if onset in ("s", "sh"):
        shape = np.clip(time / 0.02, 0.0, 1.0) * np.clip((length + 0.012 - time) / 0.02, 0.0, 1.0)
    else:
        shape = np.exp(-time / (0.5 * length)) * np.clip(time / 0.001, 0.0, 1.0)
    return level * shape * noise / np.abs(noise).max()
