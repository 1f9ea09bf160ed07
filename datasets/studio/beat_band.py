"""Music with known beats in many styles, tempos, metres and sounds, for training the beat tracker.

Unlike the composer's, harmony and form are simple, and variety is more important than musical quality. A song is a list
of stems with one list of beats.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from d2m.datasets.studio.beat_clock import Clock, clock
from d2m.datasets.studio.beat_sounds import RATE, DrumSounds, sung
from d2m.symbolic.sound.soundfont import SoundFont

#: Drum patterns of one bar of four beats in sixteenths: digits are probabilities in tenths (x is always). ``half``
#: patterns fill two beats' worth of feeling into one bar: the backbeat falls on the third beat.
STYLES: dict[str, dict[str, str]] = {
    "rock": {"kick": "x000100030x02010", "snare": "0000x000000 0x001", "closed": "x0x0x0x0x0x0x0x0"},
    "rock 16": {"kick": "x002001020x10200", "snare": "0000x0010100x001", "closed": "x6x6x6x6x6x6x6x6"},
    "pop": {"kick": "x000000210x02000", "snare": "0000x0000000x000", "closed": "x0x0x0x0x0x0x0x0",
        "clap": "0000300000003000"},
    "four": {"kick": "x000x000x000x002", "clap": "0000x0000000x000", "open": "00x000x000x000x0",
        "closed": "5555555555555555"},
    "techno": {"kick": "x000x000x000x000", "closed": "00x000x000x000x0", "perc": "1020013010200130",
        "rim": "0001000200010002"},
    "trance": {"kick": "x000x000x000x000", "open": "00x000x000x000x0", "snare": "0000x0000000x001",
        "closed": "x5x5x5x5x5x5x5x5"},
    "disco": {"kick": "x000x000x000x000", "snare": "0000x0000000x000", "open": "00x000x000x000x0",
        "closed": "x0x0x0x0x0x0x0x0"},
    "funk": {"kick": "x0030020 40x20030", "snare": "0000x0020210x002", "closed": "x8x8x8x8x8x8x8x8",
        "open": "0000001000000030"},
    "hip hop": {"kick": "x00200030 3x10020", "snare": "0000x0000000x000", "closed": "x2x2x2x2x2x2x2x2"},
    "boom bap": {"kick": "x0010002 00x40000", "snare": "0000x0010000x010", "closed": "x0x0x0x0x0x0x0x0"},
    "trap": {"kick": "x002001030020010", "clap": "00000000x0000000", "closed": "x7x7x7x7x7x7x7x7"},
    "half time": {"kick": "x00000020 1020000", "snare": "00000000x0000000", "closed": "x0x0x0x0x0x0x0x0"},
    "drum and bass": {"kick": "x00000000 0x00000", "snare": "0000x0010010x000", "closed": "x0x0x0x0x0x0x0x0",
        "ride": "3030303030303030"},
    "break": {"kick": "x0x0000000xx0000", "snare": "0000x00x0x00x00x", "closed": "x0x0x0x0x0x0x0x0"},
    "reggae": {"kick": "00000000x0000000", "rim": "00000000x0000000", "closed": "x0x0x0x0x0x0x0x0"},
    "dembow": {"kick": "x000x000x000x000", "snare": "000x00x0000x00x0", "closed": "x0x0x0x0x0x0x0x0"},
    "tresillo": {"kick": "x00x00x0x00x00x0", "clap": "0000x0000000x000", "shaker": "x5x5x5x5x5x5x5x5"},
    "bossa": {"kick": "x00xx00xx00xx00x", "rim": "x00x00x000x00x00", "closed": "x0x0x0x0x0x0x0x0"},
    "latin": {"kick": "000x000x000x000x", "perc": "x0xxx0x0x0xxx0x0", "shaker": "x5x5x5x5x5x5x5x5",
        "rim": "00x0x000x00x00x0"},
    "samba": {"kick": "x00x x00xx00xx00x", "snare": "x3x2x3xxx3x2x3x2", "shaker": "xxxxxxxxxxxxxxxx"},
    "afro": {"kick": "x000x000x000x000", "perc": "x02x20x030x02x30", "shaker": "x5x5x5x5x5x5x5x5",
        "rim": "x00x00x000x0x000"},
    "march": {"kick": "x0000000x0000000", "snare": "x0xxx0x0x0xxx0x0", "crash": "1000000000000000"},
    "ballad": {"kick": "x00000000 0500000", "rim": "0000x0000000x000", "closed": "x0x0x0x0x0x0x0x0"},
    "ride": {"ride": "x000x00xx000x00x", "closed": "0000x0000000x000", "kick": "3000200020002001",
        "snare": "0001001000010010"},
    "toms": {"tom": "x03x02x0x03x02x0", "kick": "x0000000x0000000", "clap": "0000200000002000"},
    "metal": {"kick": "xxx0xxx0xxx0xxx0", "snare": "0000x0000000x000", "crash": "x000x000x000x000"},
    "punk": {"kick": "x0x0x0x0x0x0x0x0", "snare": "00x000x000x000x0", "closed": "x0x0x0x0x0x0x0x0"},
    "motown": {"kick": "x000x010x000x010", "snare": "x000x000x000x000", "shaker": "x0x0x0x0x0x0x0x0"},
    "hats": {"closed": "x0x0x0x0x0x0x0x0"},
    "claps": {"clap": "0000x0000000x000", "kick": "3000000030000000"},
    "snaps": {"clap": "0000x0000000x000"},
    "stomp": {"kick": "x0x00000x0x00000", "clap": "0000x0000000x000"},
    "shaker": {"shaker": "x5x5x5x5x5x5x5x5", "kick": "x000000000000000"},
    "none": {},
}  # fmt: skip
#: Rhythms of chords, in sixteenths.
COMPS = (
    "x000000000000000", "x0000000x0000000", "x000x000x000x000", "x0x0x0x0x0x0x0x0", "00x000x000x000x0",
    "x00x00x000x00000", "0000x0000000x000", "x00x00x0x00x00x0", "xxxxxxxxxxxxxxxx", "x00x000000x00000",
    "x5x5x5x5x5x5x5x5",
    "x000002000000000", "0x00x0x00x00x0x0", "x00x00x00x00x0x0",
)  # fmt: skip
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10))
COMP_PROGRAMS = (
    0, 1, 2, 4, 5, 6, 7, 11, 15, 16, 17, 18, 19, 21, 24,
    25, 26, 27, 28, 29, 30, 45, 46, 48, 61, 62, 63, 80, 81, 90,
)  # fmt: skip
PAD_PROGRAMS = (48, 49, 50, 51, 52, 54, 88, 89, 90, 91, 92, 94, 95, 19, 16)
LEAD_PROGRAMS = (
    0, 4, 11, 22, 25, 27, 29, 30, 40, 42, 56, 57, 60, 65,
    66, 68, 71, 73, 75, 79, 80, 81, 82, 84, 85, 87, 104, 105,
)  # fmt: skip
BASS_PROGRAMS = (32, 33, 34, 35, 36, 37, 38, 39, 43, 58, 87)


@dataclass
class Beats:
    """A finished song.

    Attributes:
        stems: float32 (samples,) by name.
        beats: float64 (N,), seconds.
        downbeats: int64, indices of the downbeats in ``beats``.
        strokes: times of the drum strokes in seconds, by kind of drum.
    """

    stems: dict[str, np.ndarray]
    beats: np.ndarray
    downbeats: np.ndarray
    strokes: dict[str, list[float]] = field(default_factory=dict)


class Band:
    """Generator of songs.

    Args:
        fonts: soundfonts for the pitched instruments.
        drums: source of the drum strokes.
    """

    def __init__(self, fonts: list[SoundFont], drums: DrumSounds):
        self.fonts, self.drums = fonts, drums

    def play(self, seconds: float, rng: np.random.Generator) -> Beats:
        """Generate one song.

        Args:
            seconds: length in seconds.
            rng: random generator.

        Returns:
            The song; stems that are silent are left out.
        """
        style = str(rng.choice(list(STYLES)))
        if rng.random() < 0.07:
            style = "none"
        time = clock(seconds, style, rng)
        bars = int((len(time.beats) - time.first) // time.bar) + 1
        plan = _Plan(time, bars, rng)
        count = int(seconds * RATE)
        stems = {"drums": np.zeros(count, np.float32)}
        strokes: dict[str, list[float]] = {}
        if STYLES[style]:
            strokes = self._drums(stems["drums"], style, plan, rng)
        chance = 0.98 if style == "none" else 0.85
        if rng.random() < chance:
            stems["bass"] = self._bass(count, plan, strokes.get("kick", []), rng)
        for i in range(int(rng.choice([0, 1, 2], p=[0.15, 0.55, 0.3])) + (style == "none")):
            stems[f"comp {i}"] = self._comp(count, plan, rng)
        if rng.random() < 0.4:
            stems["pad"] = self._pad(count, plan, rng)
        if rng.random() < 0.5:
            stems["lead"] = self._lead(count, plan, rng, rng.random() < 0.5)
        inside = (time.beats >= 0) & (time.beats < seconds)
        index = np.flatnonzero(inside)
        downbeats = np.flatnonzero((index - time.first) % time.bar == 0)
        return Beats(
            {k: v for k, v in stems.items() if np.abs(v).max(initial=0) > 0}, time.beats[index], downbeats, strokes
        )

    def _drums(self, out: np.ndarray, style: str, plan: _Plan, rng: np.random.Generator) -> dict[str, list[float]]:
        kit, bar = self.drums.kit(rng), plan.time.bar
        loose = rng.uniform(0.0, 0.012) if rng.random() < 0.5 else 0.0
        lag = {kind: rng.normal(0, loose) for kind in kit}
        grooves = [_groove(STYLES[style], bar, rng) for _ in range(3)]
        levels = {k: rng.uniform(0.5, 1.0) * {"kick": 1.3, "snare": 1.0, "clap": 0.8}.get(k, 0.5) for k in kit}
        hit: dict[str, list[float]] = {}
        for number in range(-1, plan.bars):
            if number not in plan.drummed:
                continue
            groove = grooves[0 if number % 4 < 3 or rng.random() < 0.5 else 1]
            fill = rng.random() < 0.5 and (number + 1) % 4 == 0
            events = [(k, s, p) for k, row in groove.items() for s, p in enumerate(row) if p > rng.random()]
            if number % 8 == 0 and rng.random() < 0.5:
                events.append(("crash", 0, 1.0))
            if fill:
                start = 4 * bar - int(rng.choice([4, 8]))
                events = [e for e in events if e[1] < start or e[0] == "kick"]
                kinds = ["snare", "tom"] if rng.random() < 0.7 else ["snare"]
                events += [(str(rng.choice(kinds)), s, 0.8) for s in range(start, 4 * bar) if rng.random() < 0.7]
            for kind, step, strength in events:
                at = float(plan.time.time(number * bar + step / 4)) + lag[kind] + rng.normal(0, loose * 0.5)
                accent = 1.0 if step % 4 == 0 else (0.8 if step % 2 == 0 else 0.6)
                gain = levels[kind] * (accent if kind not in ("kick", "clap") else 1.0) * rng.uniform(0.8, 1.0)
                mix_in(out, kit[kind], at, gain * (0.5 + 0.5 * min(strength, 1.0)))
                hit.setdefault(kind, []).append(at)
        return hit

    def tones(
        self, count: int, notes: list[tuple[float, float, int, float]], program: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Play notes on an instrument of one of the SoundFonts.

        Args:
            count: length in samples.
            notes: (start s, end s, key, gain 0..1).
            program: 0 to 127.
            rng: random generator.
        """
        out = np.zeros(count, np.float32)
        font = self.fonts[int(rng.integers(len(self.fonts)))]
        velocity = int(rng.integers(60, 120))
        for start, end, key, gain in notes:
            held = min(end - start, 4.0)
            if held <= 0.01 or start < -0.01 or start * RATE >= count:
                continue
            # A few lengths only, so that the soundfont's cache of tones is of use.
            tone = font.tone(
                program, False, int(np.clip(key, 21, 108)), velocity, RATE, float(2 ** np.ceil(np.log2(held + 0.2))), 1
            )
            if tone is None:
                continue
            body = int((held + 0.15) * RATE)
            wave = tone.wave[0, :body].copy()
            fade = min(int(0.12 * RATE), len(wave))
            wave[len(wave) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
            mix_in(out, wave, start, gain)
        return out

    def _bass(self, count: int, plan: _Plan, kicks: list[float], rng: np.random.Generator) -> np.ndarray:
        notes, bar = [], plan.time.bar
        manner = rng.choice(["kick", "pattern", "eighths", "walking", "long", "offbeat", "octaves"])
        pattern = _row(str(rng.choice(COMPS)), bar)
        gate = rng.uniform(0.5, 0.98)
        for number in plan.playing("bass"):
            for step in range(4 * bar):
                chord = plan.chord(number, step)
                key = 28 + (chord[0] - 4) % 12
                first = step == 0 or plan.changes(number, step)
                if manner == "kick" or manner == "pattern":
                    play, length = pattern[step] > rng.random() or first, 2
                elif manner == "eighths":
                    play, length = step % 2 == 0, 2
                elif manner == "walking":
                    play, length = step % 4 == 0, 4
                    key += int(rng.choice([0, 4, 7, 5, 9])) if not first else 0
                elif manner == "long":
                    play, length = first, 8
                elif manner == "offbeat":
                    play, length = step % 4 == 2, 2
                else:
                    play, length = step % 2 == 0, 2
                    key += 12 * (step % 4 == 2)
                if play:
                    start, end = plan.time.time([number * bar + step / 4, number * bar + (step + length) / 4])
                    notes.append((start, start + gate * (end - start), key, rng.uniform(0.8, 1.0) + 0.2 * first))
        return self.tones(count, notes, int(rng.choice(BASS_PROGRAMS)), rng)

    def _comp(self, count: int, plan: _Plan, rng: np.random.Generator) -> np.ndarray:
        notes, bar = [], plan.time.bar
        pattern, low = _row(str(rng.choice(COMPS)), bar), int(rng.integers(48, 64))
        broken, gate, size = rng.random() < 0.35, rng.uniform(0.3, 1.0), int(rng.integers(2, 5))
        loose, turn = rng.uniform(0, 0.015), 0
        for number in plan.playing("comp"):
            places = [s for s in range(4 * bar) if pattern[s] > rng.random()]
            for step, after in zip(places, [*places[1:], 4 * bar], strict=True):
                start, end = plan.time.time([number * bar + step / 4, number * bar + after / 4])
                chord = [low + (tone - low) % 12 for tone in plan.chord(number, step)[:size]]
                if broken:
                    chord, turn = [chord[turn % len(chord)] + 12 * (turn // len(chord) % 2)], turn + 1
                accent = 1.0 if step % 4 == 0 else 0.8
                for key in chord:
                    at = start + rng.normal(0, loose)
                    notes.append((at, at + gate * (end - start), key, accent * rng.uniform(0.7, 1.0)))
        return self.tones(count, notes, int(rng.choice(COMP_PROGRAMS)), rng)

    def _pad(self, count: int, plan: _Plan, rng: np.random.Generator) -> np.ndarray:
        notes, bar, low = [], plan.time.bar, int(rng.integers(50, 66))
        for number in plan.playing("pad"):
            start, end = plan.time.time([number * bar, (number + 1) * bar])
            notes += [(start, end, low + (tone - low) % 12, 0.7) for tone in plan.chord(number, 0)[:3]]
        return self.tones(count, notes, int(rng.choice(PAD_PROGRAMS)), rng)

    def _lead(self, count: int, plan: _Plan, rng: np.random.Generator, voice: bool) -> np.ndarray:
        """Play a tune of a repeated motif, with freer timing than the band."""
        bar, low = plan.time.bar, int(rng.integers(48, 72))
        motif = [(rng.random(4 * bar) < np.tile([0.6, 0.2, 0.45, 0.2], bar)) for _ in range(2)]
        scale = np.array(plan.scale)
        loose, lag, notes, place = rng.uniform(0, 0.04), rng.normal(0, 0.02), [], 3
        for number in plan.playing("lead"):
            if rng.random() < 0.15:
                continue
            steps = np.flatnonzero(motif[number // 2 % 2])
            for step, after in zip(steps, [*steps[1:], 4 * bar], strict=True):
                start, end = plan.time.time([number * bar + step / 4, number * bar + after / 4])
                place = int(np.clip(place + rng.integers(-2, 3), 0, 2 * len(scale) - 1))
                key = low + int(scale[place % len(scale)]) + 12 * (place // len(scale)) + plan.tonic % 12
                start += lag + rng.normal(0, loose)
                notes.append((start, start + min(end - start, 1.5) * rng.uniform(0.6, 1.0), key, rng.uniform(0.7, 1.0)))
        if voice and notes:
            table = np.array(sorted(notes))[:, :3]
            return sung(table - [0, 0, 7], count / RATE, rng) * np.float32(0.5)
        return self.tones(count, notes, int(rng.choice(LEAD_PROGRAMS)), rng)


class _Plan:
    """Chords of a song, and the bars in which each part plays."""

    def __init__(self, time: Clock, bars: int, rng: np.random.Generator):
        self.time, self.bars = time, bars
        self.scale, self.tonic = SCALES[int(rng.integers(3))], int(rng.integers(12))
        size = int(rng.choice([1, 2, 4, 8], p=[0.1, 0.2, 0.5, 0.2]))
        degrees = rng.choice([0, 1, 2, 3, 4, 5, 6], size=2 * size, p=[0.3, 0.08, 0.08, 0.2, 0.16, 0.14, 0.04])
        self.degrees, self.halves = degrees, rng.random() < 0.15
        section = int(rng.choice([4, 8]))
        self.absent = {
            who: {s for s in range(bars // section + 2) if rng.random() < chance and s > 0}
            for who, chance in (("drums", 0.14), ("bass", 0.12), ("comp", 0.15), ("pad", 0.3), ("lead", 0.25))
        }
        for who in ("drums", "bass", "comp", "lead"):
            if rng.random() < 0.12:
                self.absent[who].add(0)
        self.section = section
        self.drummed = set(self.playing("drums"))
        # A bar may be left to the others just before a section.
        self.drummed -= {s * section - 1 for s in range(1, 9) if rng.random() < 0.12}

    def playing(self, who: str) -> list[int]:
        return [n for n in range(-1, self.bars) if max(n, 0) // self.section not in self.absent[who]]

    def changes(self, number: int, step: int) -> bool:
        return self.halves and step == 2 * self.time.bar

    def chord(self, number: int, step: int) -> list[int]:
        """Return the pitch classes of a chord, root first."""
        half = self.halves and step >= 2 * self.time.bar
        degree = int(self.degrees[(2 * number + half) % len(self.degrees)])
        count = len(self.scale)
        return [(self.tonic + self.scale[(degree + 2 * k) % count]) % 12 for k in range(4)]


def _row(pattern: str, bar: int) -> list[float]:
    """Return the probabilities of a pattern's sixteenths, cut or repeated to `bar` beats."""
    row = [1.0 if c == "x" else int(c) / 10 for c in pattern.replace(" ", "")]
    return (row * 2)[: 4 * bar]


def _groove(style: dict[str, str], bar: int, rng: np.random.Generator) -> dict[str, list[float]]:
    """Draw the strokes of a style's pattern once, so that bars repeat; occasionally a kind of drum is exchanged."""
    groove = {}
    swaps = {
        "closed": ["closed", "closed", "ride", "shaker"],
        "snare": ["snare", "snare", "clap", "rim"],
        "clap": ["clap", "snare"],
    }
    for kind, pattern in style.items():
        row = [1.0 if p == 1.0 else (0.9 if rng.random() < p else 0.02) for p in _row(pattern, bar)]
        if rng.random() < 0.1:
            row = [p if s % 2 == 0 or rng.random() < 0.5 else 0.0 for s, p in enumerate(row)]
        groove[str(rng.choice(swaps.get(kind, [kind])))] = row
    if rng.random() < 0.15:
        extra = str(rng.choice(["perc", "shaker", "rim", "closed"]))
        groove.setdefault(extra, [float(rng.random() < 0.35) for _ in range(4 * bar)])
    return groove


def mix_in(out: np.ndarray, wave: np.ndarray, at: float, gain: float) -> None:
    """Add a waveform to another in place; samples outside are left out.

    Args:
        out: float32 (samples,), which is changed.
        wave: float32 (n,).
        at: time of its first sample in seconds.
        gain: linear gain.
    """
    first = int(round(at * RATE))
    low, high = max(first, 0), min(first + len(wave), len(out))
    if high > low:
        out[low:high] += np.float32(gain) * wave[low - first : high - first]
