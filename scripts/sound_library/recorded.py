"""Instruments taken from other SoundFonts zone by zone: fewer keys, one side, velocity curves converted to layers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont import DRUM_BANK
from d2m.symbolic.sound.soundfont_file import Region, SoundFontFile

from . import sources
from .model import BANDS, Sample, Zone, spread_keys
from .tuning import in_tune

_MODULATOR = np.dtype([("source", "<u2"), ("target", "<u2"), ("amount", "<i2"), ("by", "<u2"), ("shape", "<u2")])
_VELOCITY, _KEY = 2, 3
PEAK = 0.89
#: Reverberation and chorus are the mixer's; chains of modulators mean nothing once they are baked in.
_DROPPED = {sf.KEYS, sf.VELOCITIES, sf.SAMPLE_ID, sf.INSTRUMENT, sf.MODE, 15, 16, 0, 1, 2, 3, 4, 12, 45, 50, 46, 47}
#: The modulation LFO moves nothing in the presets that are taken, beside loudness for the modulation wheel.
_LFO = {5, 10, 13, 21, 22}


@dataclass(frozen=True)
class Modulated:
    """A region with the modulators of its velocity and key: (source, target, amount)."""

    region: Region
    modulators: tuple[tuple[int, int, int], ...]


class Font(SoundFontFile):
    """A soundfont whose modulators are read too."""

    def __init__(self, path: Path):
        super().__init__(path)
        self._modulators = {name: _read_modulators(path, name) for name in (b"pmod", b"imod")}

    def modulated(self, bank: int, program: int) -> list[Modulated]:
        """Return what :meth:`regions` gives, in its order, with modulators."""
        preset = self.presets[bank, program]
        regions = iter(self.regions(preset))
        found, outer_common = [], []
        for outer, outer_mods in self._both(b"phdr", b"pbag", b"pgen", b"pmod", preset):
            if sf.INSTRUMENT not in outer:
                outer_common = outer_mods
                continue
            inner_common: list[tuple[int, int, int]] = []
            for inner, mods in self._both(b"inst", b"ibag", b"igen", b"imod", outer[sf.INSTRUMENT]):
                if sf.SAMPLE_ID not in inner:
                    inner_common = mods
                    continue
                own = {(m[0], m[1]): m for m in inner_common} | {(m[0], m[1]): m for m in mods}
                found.append(Modulated(next(regions), (*own.values(), *outer_common, *outer_mods)))
        return found

    def _both(self, head: bytes, bag: bytes, gen: bytes, mod: bytes, index: int):
        first = int(self._tables[head][index]["bag"])
        places = self._tables[bag]["mod"]
        for number, zone in enumerate(self._zones(head, bag, gen, index), first):
            rows = self._modulators[mod][int(places[number]) : int(places[number + 1])]
            yield zone, [(int(m["source"]), int(m["target"]), int(m["amount"])) for m in rows if _baked(m)]


def _baked(modulator: np.void) -> bool:
    """Whether a modulator depends on velocity or key alone, and moves something other than loudness."""
    source = int(modulator["source"])
    steady = not source & 0x80 and source & 0x7F in (_VELOCITY, _KEY) and int(modulator["by"]) == 0
    return steady and int(modulator["target"]) != sf.ATTENUATION


def _read_modulators(path: Path, name: bytes) -> np.ndarray:
    data = path.read_bytes()[-4_000_000:]
    at = data.rindex(name)
    size = int.from_bytes(data[at + 4 : at + 8], "little")
    return np.frombuffer(data[at + 8 : at + 8 + size], dtype=_MODULATOR)


def _curve(source: int, value: float) -> float:
    """A controller's value through its modulator's curve (section 8.2)."""
    x = value / 127.0
    if source & 0x100:
        x = 1.0 - x
    kind = source >> 10
    if kind == 1:
        x = min(-20.0 / 48.0 * float(np.log10(max(1.0 - x, 1e-6))), 1.0)
    elif kind == 2:
        x = max(1.0 + 20.0 / 48.0 * float(np.log10(max(x, 1e-6))), 0.0)
    elif kind == 3:
        x = float(x >= 0.5)
    return 2.0 * x - 1.0 if source & 0x200 else x


def _moved(one: Modulated, velocity: float) -> dict[int, int]:
    values = dict(one.region.values)
    key = 0.5 * (one.region.keys[0] + min(one.region.keys[1], 108))
    for source, target, amount in one.modulators:
        value = velocity if source & 0x7F == _VELOCITY else key
        values[target] = one.region[target] if target not in values else values[target]
        values[target] += round(amount * _curve(source, value))
    return values


@lru_cache(maxsize=2)
def font(name: str) -> Font:
    return Font(sources.soundfont(name))


def _stored(name: str, index: int) -> np.ndarray:
    stored = font(name).stored(index)
    assert stored is not None
    return stored[0][stored[1] : stored[2]]


@cache
def _sample(name: str, index: int, source: str, quality: float, seconds: float) -> Sample:
    file = font(name)
    header = file.headers[index]
    stored = file.stored(index)
    assert stored is not None
    data, start, end, loop_start, loop_end = stored
    rate = int(header["rate"])
    wave = np.asarray(data[start:end], dtype=np.float32) / 32768.0
    loop = (loop_start - start, loop_end - start)
    label = header["name"].decode("latin1").strip("\0 ")
    tidy = "".join(c for c in label if c.isalnum() or c in " #-").strip()[:13]
    prefix = name[0].upper()
    steady = loop if loop[1] - loop[0] > 8 and 0 <= loop[0] < loop[1] <= len(wave) else None
    wave = wave - (wave[slice(*steady)] if steady is not None else wave).mean()
    wave *= PEAK / max(float(np.abs(wave).max()), 1e-6)
    if steady is None and len(wave) > seconds * rate:
        wave = _cut(wave, int(seconds * rate), int(0.3 * seconds * rate))
    root, cents = int(header["pitch"]), int(header["correction"])
    return Sample(f"{prefix}{index} {tidy}", wave, source, rate, root, cents, steady, quality, None, label)


def _cut(wave: np.ndarray, count: int, fade: int) -> np.ndarray:
    out = wave[:count].copy()
    out[count - fade :] *= 0.5 + 0.5 * np.cos(np.pi * np.arange(1, fade + 1) / fade)
    return out


def instrument(
    name: str,
    program: int,
    bank: int = 0,
    step: int = 1,
    quality: float = 0.3,
    seconds: float = 4.0,
    source: str = "",
    stereo: bool = False,
    layers: int = 99,
    tuned: bool = True,
) -> list[Zone]:
    """Return a preset of another soundfont.

    Args:
        name: name of its source in :mod:`sound_library.sources`.
        program, bank: program and bank of the preset.
        step: fewest semitones between the roots that are kept.
        quality: quality of the coder.
        seconds: longest sample without a loop.
        source: whose samples they are, if not the soundfont's own.
        stereo: keep both sides of pairs; otherwise the left one, in the middle.
        layers: most velocity layers; the loudest and those spread below it are kept.
        tuned: whether its pitch is measured and put right.
    """
    kept = _thinned(
        [one for one in font(name).modulated(bank, program) if stereo or one.region[sf.PAN] <= 0], step, layers
    )
    zones = []
    for one in kept:
        sample = _sample(name, one.region.sample, source or name, quality, seconds)
        by_velocity = _moved(one, BANDS[0][0]) != _moved(one, 127.0)
        for band in BANDS if by_velocity else ((0, 127),):
            velocities = max(band[0], one.region.velocities[0]), min(band[1], one.region.velocities[1])
            if velocities[0] > velocities[1]:
                continue
            lifted = PEAK / max(float(np.abs(_stored(name, one.region.sample).astype(float)).max()) / 32768.0, 1e-6)
            values = {op: v for op, v in _moved(one, float(np.mean(velocities))).items() if op not in _DROPPED | _LFO}
            # Samples are stored at full scale; what that adds is taken off again, below 0 until the preset is levelled.
            values[sf.ATTENUATION] = values.get(sf.ATTENUATION, 0) + round(500.0 * np.log10(lifted))
            if not stereo:
                values.pop(sf.PAN, None)
            if one.region[sf.MODE] not in (1, 3) and sample.loop is not None:
                sample = replace(sample, loop=None, name=sample.name + "u") if sample.loop else sample
            zones.append(Zone(sample, one.region.keys, velocities, values))
    return in_tune(_shared(zones)) if tuned and bank != DRUM_BANK else _shared(zones)


def _shared(zones: list[Zone]) -> list[Zone]:
    """The same zones with one object for samples of one name."""
    known: dict[str, Sample] = _NAMES
    return [replace(zone, sample=known.setdefault(zone.sample.name, zone.sample)) for zone in zones]


_NAMES: dict[str, Sample] = {}


def _thinned(found: list[Modulated], step: int, layers: int) -> list[Modulated]:
    """Fewer roots and layers, the ranges of those that stay widened over the gaps."""
    bands = sorted({one.region.velocities for one in found}, key=lambda band: band[1])
    if len(bands) > layers:
        wanted = [bands[i] for i in np.unique(np.linspace(0, len(bands) - 1, layers).round().astype(int))]
        edges = [0, *(band[1] + 1 for band in wanted[:-1]), 128]
        widened = {band: (edges[i], edges[i + 1] - 1) for i, band in enumerate(wanted)}
        found = [
            replace(o, region=replace(o.region, velocities=widened[o.region.velocities]))
            for o in found
            if o.region.velocities in widened
        ]
    if step <= 1:
        return found
    out: list[Modulated] = []
    for band in sorted({one.region.velocities for one in found}):
        row = [one for one in found if one.region.velocities == band]
        centres = sorted({one.region.keys for one in row})
        middle = {keys: _root(next(o for o in row if o.region.keys == keys)) for keys in centres}
        chosen: list[tuple[int, int]] = []
        for keys in centres:
            if not chosen or middle[keys] - middle[chosen[-1]] >= step:
                chosen.append(keys)
        spans = spread_keys([middle[keys] for keys in chosen], centres[0][0], max(keys[1] for keys in centres))
        for keys, span in zip(chosen, spans, strict=True):
            out += [replace(o, region=replace(o.region, keys=span)) for o in row if o.region.keys == keys]
    return out


def _root(one: Modulated) -> int:
    return int(np.clip(0.5 * (one.region.keys[0] + one.region.keys[1]), 0, 127))
