"""Sounds for music with known beats: drum strokes, tones of SoundFonts, sung lines, speech-like and crowd noise."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.symbolic.sound.soundfont import SoundFont

#: Samples a second of everything here.
RATE = 22050
#: Kinds of drum strokes, and what the names of their sample files look like.
DRUMS: dict[str, str] = {
    "kick": r"kick|bass ?drum|^bd|kik",
    "snare": r"snare|^sn|_sn",
    "clap": r"clap|snap",
    "rim": r"rim|stick|click",
    "closed": r"(hat|hh|cymbal).*(cl|light|01|02|03|pedal|^hh)|^hh|^chh|cymbal_closed",
    "open": r"(hat|hh|cymbal).*op|^ohh",
    "tom": r"tom",
    "crash": r"crash|splash|cymbal_hard|cra_",
    "ride": r"ride|cymbal_soft",
    "shaker": r"shak|marac|tamb|cabasa",
    "perc": r"conga|bongo|djembe|tabla|cowbell|agogo|wood|clav|perc|timbal|block",
}
#: General MIDI keys of the kinds.
_KEYS: dict[str, tuple[int, ...]] = {
    "kick": (35, 36), "snare": (38, 40), "clap": (39,), "rim": (37,), "closed": (42, 44), "open": (46,),
    "tom": (41, 43, 45, 47, 48, 50), "crash": (49, 57, 55), "ride": (51, 53, 59), "shaker": (70, 82, 54),
    "perc": (56, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 75, 76, 77),
}  # fmt: skip
_KITS = (0, 8, 16, 24, 25, 32, 40)
_LONGEST_STROKE = 1.6


@lru_cache(maxsize=8)
def open_font(path: Path) -> SoundFont:
    """Open a soundfont; the last eight are kept open in each process.

    Args:
        path: path of the file.

    Raises:
        D2MError: if the file cannot be read or is not a SoundFont 2 or SF3 file.
    """
    return SoundFont(path, cache_bytes=500_000_000)


class DrumSounds:
    """Drum strokes of many kits: from soundfonts, from sample files, and synthesised.

    Args:
        fonts: soundfont files.
        folders: folders that are searched for sample files, whose names say the kind of drum.

    Raises:
        D2MError: if a soundfont cannot be read.
    """

    def __init__(self, fonts: Iterable[Path], folders: Iterable[Path]):
        self.fonts = [open_font(Path(path)) for path in fonts]
        self.files: dict[str, list[Path]] = {kind: [] for kind in DRUMS}
        for folder in folders:
            for path in sorted(Path(folder).rglob("*")):
                if path.suffix.lower() in (".wav", ".flac", ".ogg", ".aiff", ".aif") and "loop" not in path.name:
                    kind = next((k for k, p in DRUMS.items() if re.search(p, path.stem.lower())), None)
                    if kind:
                        self.files[kind].append(path)

    def kit(self, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Draw one stroke of each kind.

        Args:
            rng: random generator.

        Returns:
            float32 (samples,) by kind, peaks about 1.
        """
        source = rng.choice(["font", "file", "formula", "mixed"], p=[0.35, 0.35, 0.15, 0.15])
        font, program = self.fonts[int(rng.integers(len(self.fonts)))], int(rng.choice(_KITS))
        strokes = {}
        for kind in DRUMS:
            here = str(rng.choice(["font", "file", "formula"])) if source == "mixed" else source
            wave = self._stroke(here, kind, font, program, rng)
            speed = float(2.0 ** (rng.normal(0, 1.5) / 12)) if here != "formula" else 1.0
            places = np.arange(0, len(wave) - 1, speed)
            wave = np.interp(places, np.arange(len(wave)), wave)
            strokes[kind] = (wave / (np.abs(wave).max() + 1e-6)).astype(np.float32)
        return strokes

    def _stroke(self, source: str, kind: str, font: SoundFont, program: int, rng: np.random.Generator) -> np.ndarray:
        if source == "file" and self.files[kind]:
            wave = _read_sample(self.files[kind][int(rng.integers(len(self.files[kind])))])
            if len(wave) > 64:
                return wave
        if source != "formula":
            key = int(rng.choice(_KEYS[kind]))
            tone = font.tone(program, True, key, int(rng.integers(90, 127)), RATE, _LONGEST_STROKE, 1)
            if tone is not None and tone.wave.shape[1] > 64:
                return tone.wave[0]
        return drum_formula(kind, rng)


@lru_cache(maxsize=600)
def _read_sample(path: Path) -> np.ndarray:
    import soundfile
    from scipy.signal import resample_poly

    try:
        wave, rate = soundfile.read(path, dtype="float32", always_2d=True, frames=int(2.5 * 48000))
    except (OSError, RuntimeError):
        return np.zeros(0, np.float32)
    wave = wave.mean(1)
    if len(wave) and rate != RATE:
        common = int(np.gcd(rate, RATE))
        wave = resample_poly(wave, RATE // common, rate // common)
    loud = np.flatnonzero(np.abs(wave) > 0.02 * (np.abs(wave).max(initial=0.0) + 1e-9))
    wave = wave[loud[0] if len(loud) else 0 :][: int(_LONGEST_STROKE * RATE)].astype(np.float32)
    wave[-min(200, len(wave)) :] *= np.linspace(1, 0, min(200, len(wave)), dtype=np.float32)
    return wave


def drum_formula(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Synthesise a stroke of an electronic drum: a falling sine, filtered noise, or both.

    Args:
        kind: kind of drum.
        rng: random generator.
    """
    length = {"kick": 0.5, "tom": 0.5, "crash": 1.5, "ride": 0.8, "open": 0.5}.get(kind, 0.25) * rng.uniform(0.5, 1.3)
    time = np.arange(int(length * RATE)) / RATE
    noise = rng.standard_normal(len(time))
    if kind in ("kick", "tom", "perc"):
        base = {"kick": rng.uniform(38, 62), "tom": rng.uniform(80, 200), "perc": rng.uniform(200, 700)}[kind]
        sweep = base * rng.uniform(0.5, 6.0) * np.exp(-time * rng.uniform(15, 70))
        tone = np.sin(2 * np.pi * np.cumsum(base + sweep) / RATE)
        wave = np.tanh(tone * rng.uniform(0.8, 3.0)) + rng.uniform(0, 0.3) * noise * np.exp(-time * 200)
        return wave * np.exp(-time * rng.uniform(4, 14) / length * 0.6)
    if kind in ("snare", "rim"):
        tone = np.sin(2 * np.pi * rng.uniform(160, 260) * time) * np.exp(-time * 30)
        return rng.uniform(0.2, 1.0) * tone + _high(noise, rng.uniform(500, 2500)) * np.exp(-time * rng.uniform(10, 40))
    if kind == "clap":
        hits = sum(np.exp(-np.maximum(time - d, 0) * 90) * (time >= d) for d in (0.0, 0.01, 0.02))
        return _high(noise, 900.0) * (hits + np.exp(-time * rng.uniform(12, 30)))
    fall = {"closed": 60.0, "shaker": 35.0, "open": 8.0, "ride": 5.0, "crash": 2.5}[kind] * rng.uniform(0.6, 1.6)
    attack = np.minimum(time / (0.02 if kind == "shaker" else 0.001), 1.0)
    return _high(noise, rng.uniform(3500, 7500)) * np.exp(-time * fall) * attack


def _high(wave: np.ndarray, cutoff: float) -> np.ndarray:
    from scipy.signal import butter, sosfilt

    return sosfilt(butter(2, cutoff, "highpass", fs=RATE, output="sos"), wave)


def sung(notes: np.ndarray, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return a voice made from formulas: float32 (samples,).

    Args:
        notes: float (N, 3), start (s), end (s), MIDI pitch; rising.
        seconds: length.
        rng: draws the singer.
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import lfilter

    count = int(seconds * RATE)
    if not len(notes):
        return np.zeros(count, np.float32)
    control = 200.0
    places = np.arange(int(seconds * control) + 1) / control
    which = np.clip(np.searchsorted(notes[:, 0], places, side="right") - 1, 0, len(notes) - 1)
    sounding = (places >= notes[which, 0]) & (places < notes[which, 1])
    pitch = gaussian_filter1d(notes[which, 2], rng.uniform(3, 10))
    pitch = pitch + rng.uniform(0.0, 0.5) * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * places)
    gate = gaussian_filter1d(sounding.astype(float), rng.uniform(2, 6))
    time = np.arange(count) / RATE
    hertz = 440.0 * 2.0 ** ((np.interp(time, places, pitch) - 69) / 12)
    phase = np.cumsum(hertz) / RATE
    source = 2.0 * (phase % 1.0) - 1.0 + 0.1 * rng.standard_normal(count)
    wave = np.zeros(count)
    for centre, gain in zip(rng.uniform([300, 900, 2300], [900, 2200, 3200]), (1.0, 0.6, 0.35), strict=True):
        radius = np.exp(-np.pi * rng.uniform(80, 160) / RATE)
        angle = 2 * np.pi * centre / RATE
        band = lfilter([1 - radius], [1, -2 * radius * np.cos(angle), radius**2], source)
        wave += gain * band / (band.std() + 1e-9)
    breath = np.interp(time, places, np.clip(np.diff(gate, prepend=0.0) * 20, 0, 1))
    wave = wave * np.interp(time, places, gate) + rng.uniform(0, 2) * breath * _high(rng.standard_normal(count), 3000.0)
    return (wave / (np.abs(wave).max() + 1e-9)).astype(np.float32)


def babble(seconds: float, rng: np.random.Generator, speakers: int = 1) -> np.ndarray:
    """Generate speech-like sound: syllables of irregular length with gliding pitch.

    Args:
        seconds: length.
        rng: random generator.
        speakers: number of speakers.
    """
    total = np.zeros(int(seconds * RATE), np.float32)
    for _ in range(speakers):
        starts, at, middle = [], rng.uniform(0, 1.0), rng.uniform(43, 62)
        while at < seconds:
            length = rng.gamma(4.0, 0.045)
            starts.append((at, at + 0.85 * length, middle + rng.normal(0, 2.0)))
            at += length + (rng.uniform(0.2, 1.2) if rng.random() < 0.12 else 0.0)
        total += sung(np.array(starts), seconds, rng) * rng.uniform(0.4, 1.0)
    return total


def crowd(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Generate applause, cheering or a murmur.

    Args:
        seconds: length.
        rng: random generator.

    Returns:
        float32 (samples,).
    """
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import butter, oaconvolve, sosfilt

    count = int(seconds * RATE)
    claps = (rng.random(count) < rng.uniform(20, 400) / RATE) * rng.uniform(0.2, 1.0, count)
    grain = rng.standard_normal(400) * np.exp(-np.arange(400) / 60)
    low = rng.uniform(300, 1200)
    band = butter(2, [low, low * rng.uniform(2.0, 6.0)], "bandpass", fs=RATE, output="sos")
    hiss = sosfilt(band, rng.standard_normal(count))
    slow = gaussian_filter1d(rng.standard_normal(int(seconds * 20) + 2), rng.uniform(5, 30))
    swell = np.interp(np.arange(count) / RATE, np.arange(len(slow)) / 20, slow / (slow.std() + 1e-9))
    parts = [oaconvolve(claps, grain, mode="full")[:count], hiss * np.exp(0.4 * swell)]
    shares = rng.dirichlet([0.6, 0.6, 0.4])
    parts.append(babble(seconds, rng, int(rng.integers(2, 4))) if shares[2] > 0.25 else np.zeros(count))
    return sum(s * p / (np.std(p) + 1e-9) for s, p in zip(shares, parts, strict=True)).astype(np.float32)
