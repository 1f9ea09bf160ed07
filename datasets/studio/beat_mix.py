"""Mix stems with known beats, and simulate microphones and sound tracks of videos."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from d2m.datasets.studio.beat_band import Band, Beats, mix_in
from d2m.datasets.studio.beat_sounds import RATE, babble, crowd
from d2m.types import BeatGrid, Score

#: General MIDI percussion keys -> kinds of strokes.
_KINDS = {
    35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 42: "closed", 44: "closed", 46: "open",
    49: "crash", 57: "crash", 55: "crash", 51: "ride", 53: "ride", 59: "ride", 54: "shaker", 70: "shaker", 82: "shaker",
    **dict.fromkeys((41, 43, 45, 47, 48, 50), "tom"),
}  # fmt: skip


def score_stems(score: Score, band: Band, seconds: float, rng: np.random.Generator, start: float = 0.0) -> Beats:
    """Play a score with the band's sounds; its own programs, random kits.

    Args:
        score: the score.
        band: sounds.
        seconds: length.
        rng: random generator.
        start: first second of the score.
    """
    count, grid = int(seconds * RATE), score.grid
    stems: dict[str, np.ndarray] = {}
    for i, part in enumerate(score.instruments().parts):
        starts, ends = grid.time_of(part.starts) - start, grid.time_of(part.ends) - start
        keep = (starts >= 0) & (starts < seconds)
        rows = zip(starts[keep], ends[keep], part.pitches[keep], part.velocities[keep] / 127.0, strict=True)
        if part.is_drum:
            kit, out = band.drums.kit(rng), np.zeros(count, np.float32)
            for at, _, key, velocity in rows:
                kind = _KINDS.get(int(key), "perc")
                mix_in(out, kit[kind], float(at), float(velocity) ** 2 * (1.0 if kind in ("kick", "snare") else 0.6))
            stems["drums"] = stems.get("drums", 0) + out
        else:
            notes = [(float(a), float(b), int(k), float(v) ** 2) for a, b, k, v in rows]
            stems["bass" if part.track == "bass" else f"{part.track} {i}"] = band.tones(count, notes, part.program, rng)
    beats = grid.beats - start
    inside = np.flatnonzero((beats >= 0) & (beats < seconds))
    downbeats = np.flatnonzero(np.isin(inside, grid.downbeats))
    return Beats({k: v for k, v in stems.items() if np.abs(v).max(initial=0) > 0}, beats[inside], downbeats)


def composed(band: Band, seconds: float, rng: np.random.Generator) -> Beats:
    """Generate a song by the project's composer, in a random genre and tempo.

    Args:
        band: sounds.
        seconds: length.
        rng: random generator.
    """
    from d2m.datasets.studio.beat_clock import clock
    from d2m.datasets.studio.music import song_shape
    from d2m.symbolic.composer import STYLES, compose

    time = clock(seconds, "any", rng)
    grid = BeatGrid(
        time.beats,
        np.arange(time.first % 4, len(time.beats), 4),
        float(60 / np.median(np.diff(time.beats))),
        1.0,
    )
    energy, accents = song_shape(grid, rng)
    genre = str(rng.choice(list(STYLES)))
    score = compose(grid, seconds, genre, rng, energy=energy, accents=accents).without_vocals()
    return score_stems(score, band, seconds, rng)


def recorded(folder: Path, band: Band, seconds: float, rng: np.random.Generator) -> Beats:
    """Generate a song of POP909: piano alone, its three tracks, or with bass, pad and drums.

    Args:
        folder: folder of POP909.
        band: sounds.
        seconds: length.
        rng: random generator.
    """
    from d2m.datasets.pop909 import arrange
    from d2m.symbolic.composer.style import PROGRAMS

    score = arrange(folder, rng, PROGRAMS)
    if rng.random() < 0.35:
        parts = tuple(replace(p, program=0) for p in score.parts if p.track == "piano")
        score = replace(score, parts=parts or score.parts)
    start = float(rng.uniform(0, max(score.duration - seconds - 5, 0.1)))
    return score_stems(score, band, seconds, rng, start)


def mixed(song: Beats, rng: np.random.Generator) -> np.ndarray:
    """Mix stems with random levels, ducking, room, drive and filters.

    Args:
        song: stems and beats.
        rng: random generator.

    Returns:
        float32 (samples,), peak 1.
    """
    out = np.zeros(len(next(iter(song.stems.values()))) if song.stems else RATE, np.float32)
    duck = _ducking(song, len(out), rng) if rng.random() < 0.25 else None
    for name, stem in song.stems.items():
        level = 10 ** (rng.normal({"drums": 0, "bass": -3}.get(name, -6), 4.0) / 20)
        wave = stem * np.float32(level / (np.sqrt(np.mean(stem**2)) * (3 if name == "drums" else 6) + 1e-6))
        if name != "drums" and rng.random() < 0.15:
            wave = np.tanh(wave * rng.uniform(1, 8) / (np.abs(wave).max() + 1e-6)) * level
        if duck is not None and name != "drums":
            wave = wave * duck
        out += wave.astype(np.float32)
    if rng.random() < 0.3:
        out = room(out, rng, rng.uniform(0.05, 0.5))
    if rng.random() < 0.4:
        out = np.tanh(out / (np.abs(out).max() + 1e-6) * rng.uniform(1, 5))
    if rng.random() < 0.06:
        out = _swept(out, rng)
    return (out / (np.abs(out).max() + 1e-6)).astype(np.float32)


def _ducking(song: Beats, count: int, rng: np.random.Generator) -> np.ndarray:
    gain, length = np.ones(count, np.float32), int(rng.uniform(0.1, 0.35) * RATE)
    dip = 1 - rng.uniform(0.4, 1.0) * np.linspace(1, 0, length, dtype=np.float32) ** 0.7
    for at in song.strokes.get("kick", song.beats):
        first = int(max(at, 0) * RATE)
        part = gain[first : first + length]
        np.minimum(part, dip[: len(part)], out=part)
    return gain


def room(wave: np.ndarray, rng: np.random.Generator, wet: float) -> np.ndarray:
    """Add reverberation of 0.2 to 2 s.

    Args:
        wave: samples.
        rng: random generator.
        wet: share of the reverberation.
    """
    from scipy.signal import oaconvolve

    decay = rng.uniform(0.2, 2.0)
    answer = rng.standard_normal(int(decay * RATE)) * 10 ** (-3 * np.arange(int(decay * RATE)) / (decay * RATE))
    answer = np.convolve(answer, np.ones(2) / 2, mode="same")
    echo = oaconvolve(wave, answer / np.sqrt((answer**2).sum()))[: len(wave)]
    return ((1 - wet) * wave + wet * echo).astype(np.float32)


def _swept(wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Crossfade a wave with its low-passed or high-passed version, as disc jockeys do with filters."""
    from scipy.signal import butter, sosfilt

    kind = str(rng.choice(["lowpass", "highpass"]))
    other = sosfilt(butter(2, 400 if kind == "lowpass" else 800, kind, fs=RATE, output="sos"), wave)
    share = np.clip(np.linspace(1.5, -1.5, len(wave)) * rng.choice([-1, 1]), 0, 1)
    return (share * other + (1 - share) * wave).astype(np.float32)


def spoiled(wave: np.ndarray, rng: np.random.Generator, strength: float = 1.0) -> np.ndarray:
    """Add random disturbances: noise, voices, a room, a telephone's loudspeaker, clipping and a low bit rate.

    Args:
        wave: samples.
        rng: random generator.
        strength: strength of the disturbances.
    """
    from scipy.signal import butter, sosfilt

    chance = rng.random(7) / max(strength, 1e-3)
    seconds = len(wave) / RATE
    if chance[0] < 0.3:
        wave = sosfilt(_shelves(rng), wave).astype(np.float32)
    if chance[1] < 0.15:
        wave = room(wave, rng, rng.uniform(0.2, 0.8))
    if chance[2] < 0.12:
        band = [rng.uniform(100, 500), rng.uniform(2500, 8000)]
        wave = sosfilt(butter(2, band, "bandpass", fs=RATE, output="sos"), wave).astype(np.float32)
    if chance[3] < 0.3:
        wave = with_noise(wave, noise(seconds, rng), rng.uniform(-3, 25))
    if chance[4] < 0.2:
        wave = with_noise(wave, babble(seconds, rng, int(rng.integers(1, 3)))[: len(wave)], rng.uniform(-3, 18))
    if chance[5] < 0.1:
        wave = np.clip(wave / (np.abs(wave).max() + 1e-9) * rng.uniform(1.5, 6), -1, 1)
    if chance[6] < 0.12:
        wave = encoded(wave, str(rng.choice(["aac", "mp3", "libopus"])), int(rng.choice([16, 24, 32, 48])) * 1000)
    return wave.astype(np.float32)


def _shelves(rng: np.random.Generator) -> np.ndarray:
    """Draw three peaking filters of mostly less than 10 dB, as second-order sections (3, 6)."""
    rows = []
    for _ in range(3):
        angle = 2 * np.pi * np.exp(rng.uniform(np.log(60), np.log(8000))) / RATE
        gain, alpha = 10 ** (rng.normal(0, 5) / 40), np.sin(angle) / (2 * rng.uniform(0.4, 1.5))
        a0 = 1 + alpha / gain
        cos = -2 * np.cos(angle)
        rows.append([v / a0 for v in (1 + alpha * gain, cos, 1 - alpha * gain, a0, cos, 1 - alpha / gain)])
    return np.array(rows)


def noise(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Generate white to brown noise, or a crowd.

    Args:
        seconds: length.
        rng: random generator.
    """
    if rng.random() < 0.5:
        return crowd(seconds, rng)
    from scipy.signal import lfilter

    white = rng.standard_normal(int(seconds * RATE))
    return lfilter([1.0], [1.0, -rng.uniform(0, 0.99)], white).astype(np.float32)


def with_noise(wave: np.ndarray, other: np.ndarray, decibels: float) -> np.ndarray:
    """Add another sound at a given level below the wave.

    Args:
        wave: samples.
        other: samples.
        decibels: decibels of the wave's power over the other's.
    """
    count = min(len(wave), len(other))
    scale = np.sqrt(np.mean(wave**2) / (np.mean(other[:count] ** 2) + 1e-12)) * 10 ** (-decibels / 20)
    out = wave.copy()
    out[:count] += np.float32(scale) * other[:count].astype(np.float32)
    return out


def encoded(wave: np.ndarray, codec: str, bits: int) -> np.ndarray:
    """Encode and decode at a low bit rate; length and position are kept to a few milliseconds.

    Args:
        wave: samples.
        codec: codec of FFmpeg.
        bits: per second.
    """
    import av

    rate = 24000 if codec == "libopus" else 22050
    form = {"aac": "adts", "mp3": "mp3", "libopus": "ogg"}[codec]
    buffer = io.BytesIO()
    peak = float(np.abs(wave).max()) + 1e-9
    pcm = (wave / peak * 30000).astype(np.int16)[None]
    with av.open(buffer, "w", format=form) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        if not isinstance(stream, av.AudioStream):
            raise ValueError(f"{codec} is no codec of sound")
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = RATE
        for part in _resampled(frame, stream.codec_context.format.name, rate, stream.codec_context.frame_size):
            target.mux(stream.encode(part))
        target.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        back = av.AudioResampler("flt", "mono", RATE)
        frames = [f for frame in source.decode(audio=0) for f in back.resample(frame)]
    out = np.concatenate([f.to_ndarray()[0] for f in frames]) * peak
    return aligned(out.astype(np.float32), wave)


def _resampled(frame, form: str, rate: int, size: int):
    import av

    return av.AudioResampler(form, "mono", rate, frame_size=size or 1024).resample(frame)


def aligned(out: np.ndarray, wave: np.ndarray) -> np.ndarray:
    """Remove the encoder's delay from a decoded wave.

    Args:
        out: the decoded wave.
        wave: the original.
    """
    from scipy.signal import correlate

    count = min(len(out), len(wave), 10 * RATE)
    if count < 4096:
        return np.resize(out, len(wave))
    lag = int(correlate(out[:count], wave[:count], method="fft").argmax()) - (count - 1)
    out = out[lag:] if lag > 0 else np.concatenate([np.zeros(-lag, np.float32), out])
    return np.pad(out[: len(wave)], (0, max(len(wave) - len(out), 0)))


def empty(seconds: float, band: Band, rng: np.random.Generator) -> np.ndarray:
    """Generate sound without a beat: speech, a crowd, noise, held chords, near silence.

    Args:
        seconds: length.
        band: sounds.
        rng: random generator.
    """
    kind = rng.choice(["speech", "crowd", "noise", "pad", "silence"])
    count = int(seconds * RATE)
    if kind == "speech":
        return babble(seconds, rng)
    if kind == "crowd":
        return crowd(seconds, rng)
    if kind == "noise":
        return noise(seconds, rng)
    if kind == "silence":
        return (1e-4 * rng.standard_normal(count)).astype(np.float32)
    notes, at = [], 0.0
    while at < seconds:
        length, root = rng.uniform(2, 9), int(rng.integers(36, 70))
        notes += [(at, at + length, root + int(k), 0.5) for k in rng.choice([0, 3, 4, 7, 10, 12, 16], 3)]
        at += length * rng.uniform(0.3, 1.0)
    return band.tones(count, notes, int(rng.choice([48, 49, 52, 88, 89, 91, 92, 94, 95])), rng)
