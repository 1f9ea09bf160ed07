"""A score made audible: soundfont tones mixed per instrument, a little room, an even level.

Notes are placed by the score's own grid in seconds, so any tempo curve plays exactly. The level: the loudest
0.4 s is brought to -15 dBFS, a look-ahead limiter keeps every sample under -2 dBFS and takes at most 6 dB off; what
still rings at the end fades out over the last 40 ms.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from d2m.errors import D2MError
from d2m.symbolic.controls import automation, rings
from d2m.symbolic.soundfont import SoundFont, read_between
from d2m.types import Part, Score

#: Where Debian's fluid-soundfont-gm and its alternatives put General MIDI soundfonts.
_PLACES = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),
    Path("/usr/local/share/soundfonts/FluidR3_GM.sf2"),
)
# Samples are recorded at 44.1 kHz: played at that rate and brought down once, their highs do not fold back.
_PLAYED_AT = 44100
_LOUDNESS_DB, _CEILING_DB, _MOST_LIMITING_DB = -15.0, -2.0, 6.0
_LONGEST_RING = 3.5
#: How much of each track goes into the room.
ROOM_SEND = {"drums": 0.10, "piano": 0.16, "guitar": 0.16, "bass": 0.02, "strings": 0.24}
# Faders in dB, measured on FluidR3: equally loud at equal velocity, with drums and bass in front.
_KIT_FADER = {0: 7.5, 8: 6.0, 16: 4.5, 24: 2.5, 25: -2.0, 40: 6.0}
_FADER = {
    0: 3.0, 4: -5.0, 5: -1.0, 7: -3.0, 11: 6.0, 16: 0.0, 17: -6.0, 18: -4.0,
    24: -1.0, 25: -0.5, 26: -1.5, 27: -1.0, 28: 3.0, 29: -5.0,
    32: 2.0, 33: 1.5, 34: 2.0, 35: -3.0, 36: 2.0, 38: 4.0, 39: -3.5,
    48: 2.0, 49: -2.0, 50: -5.5, 56: 0.0, 61: -3.0, 62: -1.5, 65: -2.0, 66: -1.0, 73: -1.0, 80: 0.0, 81: 0.0, 89: -3.0,
}  # fmt: skip
#: Stereo place of each track, -1 left to 1 right; a track's second and third parts move outwards and across.
_PAN = {"drums": 0.0, "piano": -0.3, "guitar": 0.38, "bass": 0.0, "strings": -0.1}


def find_soundfont(name: str | Path | None = None) -> Path:
    """The soundfont file to play with.

    Args:
        name: a path, or a file name (``.sf2`` may be left out) to look for beside FluidR3 and TimGM6mb.
            None takes FluidR3 where Debian installs it, else the TimGM6mb that comes with pretty_midi.

    Raises:
        D2MError: if there is none.
    """
    if name is not None:
        wanted = Path(name).expanduser()
        folders = [Path(), *(place.parent for place in (*_PLACES, *_packaged()))]
        for candidate in (folder / wanted.parent / (wanted.name + end) for folder in folders for end in ("", ".sf2")):
            if candidate.is_file():
                return candidate
        raise D2MError(f"no soundfont '{name}'; give the path of a .sf2 file")
    for place in (*_PLACES, *_packaged()):
        if place.is_file():
            return place
    raise D2MError("no General MIDI soundfont found; install fluid-soundfont-gm or pretty_midi, or give a .sf2 file")


def _packaged() -> tuple[Path, ...]:
    from importlib.util import find_spec

    found = find_spec("pretty_midi")
    return (Path(found.origin).parent / "TimGM6mb.sf2",) if found and found.origin else ()


@lru_cache(maxsize=2)
def _open(path: Path) -> SoundFont:
    return SoundFont(path)


def render(
    score: Score,
    sample_rate: int = 22050,
    soundfont: str | Path | None = None,
    stereo: bool = False,
    *,
    room: bool = True,
) -> np.ndarray:
    """Play a score.

    Args:
        score: what to play; notes that begin before 0 or after its duration are left out.
        sample_rate: hertz, 8000 to 96000.
        soundfont: see :func:`find_soundfont`.
        stereo: two channels, the parts spread by pan; otherwise one.
        room: a short reverberation around everything but kick and bass weight.

    Returns:
        float32 (channels, round(duration * sample_rate)), within -2 dBFS. Silence for a score without notes.

    Raises:
        D2MError: if the rate is out of range or the soundfont is unusable.
    """
    channels, total = 2 if stereo else 1, int(round(score.duration * sample_rate))
    mix = np.zeros((channels, total), dtype=np.float32)
    send = np.zeros(total, dtype=np.float32)
    # Part by part: a long piece for many players would not fit into memory all at once.
    for part, dry in zip(score.parts, _rendered(score, sample_rate, soundfont, stereo), strict=True):
        mix += dry
        send += np.float32(ROOM_SEND[part.track]) * dry.mean(0)
    if room and score.parts:
        mix += _room(send, sample_rate, channels)
    return _level(mix, sample_rate)


def render_parts(
    score: Score, sample_rate: int = 22050, soundfont: str | Path | None = None, stereo: bool = False
) -> list[np.ndarray]:
    """Each part alone at its place in the mix, before room and levelling: float32 (channels, samples) each.

    The parts of a score share one scale, so their powers may be compared.
    """
    return list(_rendered(score, sample_rate, soundfont, stereo))


def _rendered(score: Score, sample_rate: int, soundfont: str | Path | None, stereo: bool) -> Iterator[np.ndarray]:
    if not 8000 <= sample_rate <= 96000:
        raise D2MError(f"cannot render at {sample_rate} Hz; choose 8000 to 96000")
    font = _open(find_soundfont(soundfont))
    places = pans(score.parts) if stereo else [None] * len(score.parts)
    for part, pan in zip(score.parts, places, strict=True):
        yield _render_part(part, score, font, sample_rate, pan)


def pans(parts: tuple[Part, ...]) -> list[float]:
    """The stereo place of each part, -1 left to 1 right."""
    seen: dict[str, int] = {}
    found = []
    for part in parts:
        turn = seen.get(part.track, 0)
        seen[part.track] = turn + 1
        pan = _PAN.get(part.track, 0.0)
        found.append(float(np.clip((pan or 0.25) * (-1) ** turn * (1 + 0.5 * turn), -0.8, 0.8)) if turn else pan)
    return found


def fader(program: int, drums: bool) -> float:
    """What an instrument is multiplied by to be as loud as the others."""
    return 10.0 ** ((_KIT_FADER if drums else _FADER).get(program, 0.0) / 20.0)


def balance(pan: float) -> tuple[float, float]:
    """What the left and the right of a tone are multiplied by.

    The centre keeps its level, the far side falls: a balance control, since tones are stereo already.
    """
    return min(1.0, 1.0 - pan), min(1.0, 1.0 + pan)


def _render_part(part: Part, score: Score, font: SoundFont, sample_rate: int, pan: float | None) -> np.ndarray:
    """float32 (channels, samples) at ``sample_rate``; ``pan`` None is one channel."""
    from scipy.signal import resample_poly

    played_at = max(sample_rate, _PLAYED_AT)
    channels = 1 if pan is None else 2
    total = int(round(score.duration * sample_rate))
    length = int(np.ceil(score.duration * played_at)) + 1
    mix = np.zeros((channels, length), dtype=np.float32)
    starts = score.grid.time_of(part.starts)
    ends = np.maximum(score.grid.time_of(rings(part)), starts + 0.03)
    moves = automation(part, lambda beats: score.grid.time_of(beats) * played_at, played_at)
    heard = np.nonzero((starts > -1e-6) & (starts < score.duration))[0]
    starts = np.maximum(starts, 0.0)
    for i, key, held in _notes(part, starts, ends, heard, font):
        velocity = int(part.velocities[i])
        release = 0.06 if held < 0 else min(font.release(part.program, part.is_drum, key, velocity), 2.5)
        # Under 2 ms the fade below would be longer than the tone asked for, and its end left to what the font keeps.
        release = max(release, 0.002)
        held, at = abs(held), int(round(starts[i] * played_at))
        bend = moves.bend(at) if moves else 0.0
        places = moves.places(at, at + (held + release) * played_at) if moves else None
        seconds = held + release if places is None else places[1][-1] / played_at
        tone = font.tone(part.program, part.is_drum, key, velocity, played_at, seconds, channels, bend)
        if tone is None:
            continue
        wave = tone.wave if places is None else bent(tone.wave, places, 0, int((held + release) * played_at))
        gain = (velocity / 127.0) ** 2
        if moves:
            gain = gain * moves.gain(at, min(wave.shape[1], int((held + release) * played_at) + 64))
        _add(mix, wave, at, held, release, played_at, gain)
    mix *= np.float32(fader(part.program, part.is_drum))
    if pan is not None:
        mix *= np.array(balance(pan), dtype=np.float32)[:, None]
    if played_at != sample_rate:
        common = int(np.gcd(played_at, sample_rate))
        mix = resample_poly(mix, sample_rate // common, played_at // common, axis=1).astype(np.float32)
    out = np.zeros((channels, total), dtype=np.float32)
    count = min(total, mix.shape[1])
    out[:, :count] = mix[:, :count]
    return out


def _notes(part: Part, starts: np.ndarray, ends: np.ndarray, heard: np.ndarray, font: SoundFont):
    """Yields (index, key, seconds held); drums ring on, held < 0 where another drum of the class chokes them."""
    if not part.is_drum:
        for i in heard:
            yield int(i), int(part.pitches[i]), float(ends[i] - starts[i])
        return
    choked_by: dict[int, float] = {}
    for i in reversed(heard.tolist()):
        key, start = int(part.pitches[i]), float(starts[i])
        found = font.regions(part.program, True, key, int(part.velocities[i]))
        group = max((r[57] for r in found), default=0) or 1000 + key
        stop = choked_by.get(group, np.inf)
        choked_by[group] = start
        yield i, key, (-(max(stop - start, 1e-3)) if stop - start < _LONGEST_RING else _LONGEST_RING)


def bent(wave: np.ndarray, places: tuple[np.ndarray, np.ndarray], first: int, stop: int) -> np.ndarray:
    """Samples ``first`` to ``stop`` of a tone (channels, n) whose pitch moves, silent beyond its end.

    Args:
        wave: the tone at the pitch that it begins with.
        places: see :meth:`d2m.symbolic.controls.Automation.places`.
        first, stop: samples since it began.
    """
    place = np.interp(np.arange(first, stop), *places)
    sound = read_between(wave, place)
    sound[:, place > wave.shape[1] - 1] = 0.0
    return sound


def _add(
    mix: np.ndarray, wave: np.ndarray, at: int, held: float, release: float, rate: int, gain: float | np.ndarray
) -> None:
    """Mixes a tone in: full while held, then falling 100 dB in ``release`` seconds (heard down to -80)."""
    sustain, tail = int(held * rate), max(int(release * 0.8 * rate), 64)
    count = min(sustain + tail, wave.shape[1], mix.shape[1] - at)
    if count <= 0:
        return
    if isinstance(gain, np.ndarray):
        count = min(count, len(gain))
        wave, gain = wave[:, :count] * gain[:count], 1.0
    body = min(sustain, count)
    mix[:, at : at + body] += np.float32(gain) * wave[:, :body]
    if count > body:
        fall = np.exp(np.arange(count - body, dtype=np.float32) * np.float32(-np.log(1e4) / tail)) * np.float32(gain)
        mix[:, at + body : at + count] += fall * wave[:, body:count]


def _room(send: np.ndarray, rate: int, channels: int) -> np.ndarray:
    """What the room answers to ``send`` (samples,), as long."""
    from scipy.signal import oaconvolve

    answer = room_answer(rate, channels)
    delay = room_delay(rate)
    wet = oaconvolve(send[None].astype(np.float64), answer, axes=1)
    out = np.zeros((channels, len(send)), dtype=np.float32)
    out[:, delay:] = wet[:, : max(len(send) - delay, 0)]
    return out


def room_delay(rate: int) -> int:
    """Samples before the room answers."""
    return int(0.012 * rate)


def room_answer(rate: int, channels: int) -> np.ndarray:
    """The impulse response of a small bright room, which falls by 60 dB in 0.7 s: float64 (channels, samples)."""
    from scipy.signal import butter, sosfilt

    shape = np.random.default_rng(7)
    count = int(0.7 * rate)
    answer = shape.standard_normal((channels, count)) * 10.0 ** (-3.0 * np.arange(count) / count)
    answer = sosfilt(butter(2, [250.0, min(6500.0, 0.45 * rate)], "bandpass", fs=rate, output="sos"), answer)
    return 2.0 * answer / np.sqrt((answer**2).sum(axis=1, keepdims=True))


def _level(mix: np.ndarray, rate: int) -> np.ndarray:
    """Loudest 0.4 s to the target, peaks limited with 5 ms of look-ahead; the shape of the piece is kept."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    peak = float(np.abs(mix).max(initial=0.0))
    if peak < 1e-5:
        return mix.astype(np.float32)
    window = min(int(0.4 * rate), mix.shape[1])
    power = uniform_filter1d((mix.astype(np.float64) ** 2).mean(axis=0), window)
    ceiling = 10.0 ** (_CEILING_DB / 20)
    gain = 10.0 ** (_LOUDNESS_DB / 20) / np.sqrt(max(power.max(), 1e-12))
    gain = min(gain, ceiling * 10.0 ** (_MOST_LIMITING_DB / 20) / peak)
    mix = mix * np.float32(gain)
    ahead = 2 * int(0.005 * rate) + 1
    needed = np.minimum(1.0, ceiling / np.maximum(np.abs(mix).max(axis=0), 1e-9))
    # The mean of minima over the same window never exceeds what the sample in its middle needs.
    smooth = uniform_filter1d(minimum_filter1d(needed, ahead), ahead)
    fade = min(int(0.04 * rate), mix.shape[1])
    smooth[len(smooth) - fade :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    return np.clip(mix * smooth, -ceiling, ceiling).astype(np.float32)
