"""Write a library as an SF3 file: SoundFont 2.04 tables, each sample as a separate Ogg Vorbis stream."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from collections import Counter
from pathlib import Path

import numpy as np

from d2m.symbolic.sound import soundfont_file as sf

from .model import Preset, Sample

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
#: What follows a loop in its stream, so that the coder sees the loop go on at its end.
_AFTER_LOOP = 1400


def write(path: Path, presets: list[Preset], info: dict[str, str], cache: Path) -> dict[str, int]:
    """Write the file.

    Args:
        path: to write; complete or absent.
        presets: in any order.
        info: chunks of INFO, four letters -> text.
        cache: folder of streams that were coded before.

    Returns:
        Name of each sample -> bytes of its stream.
    """
    presets = sorted(presets, key=lambda preset: (preset.bank, preset.program))
    samples = all_samples(presets)
    names = [sample.name for sample in samples]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    assert max(map(len, names)) <= 20, max(names, key=len)
    streams = [encode(sample, cache) for sample in samples]
    loops = [settled_loop(sample, stream) for sample, stream in zip(samples, streams, strict=True)]
    tables = _tables(presets, samples, streams, loops)
    text = b"".join(_chunk(name.encode(), _text(value)) for name, value in info.items())
    body = _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 3, 0)) + text)
    body += _list(b"sdta", _chunk(b"smpl", b"".join(streams)))
    body += _list(b"pdta", b"".join(_chunk(name, data) for name, data in tables))
    temporary = path.with_suffix(".part")
    temporary.write_bytes(_chunk(b"RIFF", b"sfbk" + body))
    temporary.replace(path)
    return {sample.name: len(stream) for sample, stream in zip(samples, streams, strict=True)}


def all_samples(presets: list[Preset]) -> list[Sample]:
    """Return every sample that the presets play, once, in the order in which they need it."""
    seen: dict[int, Sample] = {}
    for preset in presets:
        for zone in preset.zones:
            for sample in (zone.sample, zone.sample.partner):
                if sample is not None:
                    seen.setdefault(id(sample), sample)
    return list(seen.values())


def encode(sample: Sample, cache: Path) -> bytes:
    """Return the sample as an Ogg Vorbis stream; the same samples always give the same bytes."""
    import soundfile

    wave = np.asarray(sample.wave, dtype=np.float32)
    if sample.loop is not None:
        first, last = sample.loop
        wave = wave[:last]
        wave = np.concatenate([wave, np.resize(wave[first:last], _AFTER_LOOP)])
    key = hashlib.sha256(wave.tobytes() + f"{sample.rate} {sample.quality}".encode()).hexdigest()
    kept = cache / f"{key}.ogg"
    if not kept.exists():
        target = io.BytesIO()
        with soundfile.SoundFile(
            target, "w", sample.rate, 1, "VORBIS", format="OGG", compression_level=1.0 - sample.quality
        ) as file:
            # libsndfile overflows its stack where it is given long waves at once.
            for start in range(0, len(wave), 4096):
                file.write(wave[start : start + 4096])
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(_with_serial(target.getvalue(), 1))
    return kept.read_bytes()


def _with_serial(stream: bytes, serial: int) -> bytes:
    """An Ogg stream whose pages carry this serial number instead of a random one (RFC 3533, section 6)."""
    out, at = [], 0
    while at < len(stream):
        segments = stream[at + 26]
        size = 27 + segments + sum(stream[at + 27 : at + 27 + segments])
        page = bytearray(stream[at : at + size])
        page[14:18] = struct.pack("<I", serial)
        page[22:26] = bytes(4)
        page[22:26] = struct.pack("<I", _checksum(bytes(page)))
        out.append(bytes(page))
        at += size
    return b"".join(out)


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32: that of zlib with the bits of every byte and of the result turned round, from 0."""
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def settled_loop(sample: Sample, stream: bytes) -> tuple[int, int]:
    """Return the loop moved to where the coded sound meets itself best, both ends alike; (0, 0) without one.

    A coder's error differs at the two ends of a loop, which clicks in low, pure tones.
    """
    import soundfile

    if sample.loop is None:
        return 0, 0
    first, last = sample.loop
    wave, _ = soundfile.read(io.BytesIO(stream), dtype="float64")
    reach = np.arange(min(_AFTER_LOOP, len(wave) - last) - 16)
    apart = np.stack([wave[last + reach + step] - wave[first + reach + step] for step in (-1, 0, 1)])
    # A step in the slope is heard as soon as a step of a tenth of its size in the value over ten samples.
    cost = np.abs(apart).max(0) + 3.0 * np.abs(np.diff(apart, axis=0)).max(0)
    shift = int(np.argmin(cost))
    return first + shift, last + shift


def _tables(
    presets: list[Preset], samples: list[Sample], streams: list[bytes], loops: list[tuple[int, int]]
) -> list[tuple[bytes, bytes]]:
    place = {id(sample): number for number, sample in enumerate(samples)}
    heads, instruments, preset_bags, instrument_bags, generators = [], [], [], [], []
    for number, preset in enumerate(presets):
        heads.append(_name(preset.name) + struct.pack("<HHHIII", preset.program, preset.bank, number, 0, 0, 0))
        instruments.append(_name(preset.name) + struct.pack("<H", len(instrument_bags)))
        preset_bags.append(struct.pack("<HH", number, 0))
        for zone in _with_common(preset, place):
            assert len(generators) < 65536, "too many zones for the format"
            instrument_bags.append(struct.pack("<HH", len(generators), 0))
            generators += [struct.pack("<HH", op, amount & 0xFFFF) for op, amount in zone.items()]
    heads.append(_name("EOP") + struct.pack("<HHHIII", 0, 0, len(presets), 0, 0, 0))
    instruments.append(_name("EOI") + struct.pack("<H", len(instrument_bags)))
    preset_bags.append(struct.pack("<HH", len(presets), 0))
    instrument_bags.append(struct.pack("<HH", len(generators), 0))
    assert max(len(instrument_bags), len(generators)) < 65536, "too many zones for the format"
    played = [struct.pack("<HH", sf.INSTRUMENT, number) for number in range(len(presets))]
    return [
        (b"phdr", b"".join(heads)), (b"pbag", b"".join(preset_bags)), (b"pmod", bytes(10)),
        (b"pgen", b"".join(played) + bytes(4)), (b"inst", b"".join(instruments)),
        (b"ibag", b"".join(instrument_bags)), (b"imod", bytes(10)),
        (b"igen", b"".join(generators) + bytes(4)), (b"shdr", _headers(samples, streams, place, loops)),
    ]  # fmt: skip


def _with_common(preset: Preset, place: dict[int, int]) -> list[dict[int, int]]:
    """The generators of an instrument's zones in the order that the format asks for, with usual ones in a first zone.

    Values of the first zone hold for all zones that do not state their own. A file holds 65535 generators at most.
    """
    zones = []
    for zone in preset.zones:
        looped = {sf.MODE: 1} if zone.sample.loop is not None else {}
        zones.append(
            looped | {op: amount for op, amount in zone.generators.items() if amount != sf.DEFAULTS.get(op, 0)}
        )
    usual: dict[int, int] = {}
    for op in sorted({op for zone in zones for op in zone}):
        stated = Counter(zone.get(op, sf.DEFAULTS.get(op, 0)) for zone in zones)
        (value, count), default = stated.most_common(1)[0], stated.get(sf.DEFAULTS.get(op, 0), 0)
        if 1 + len(zones) - count < len(zones) - default:
            usual[op] = value
    out = [usual] if usual else []
    for zone, amounts in zip(preset.zones, zones, strict=True):
        ranges = {sf.KEYS: zone.keys, sf.VELOCITIES: zone.velocities}
        limits = {op: first | last << 8 for op, (first, last) in ranges.items() if (first, last) != (0, 127)}
        own = {}
        for op in sorted({*amounts, *usual}):
            default = sf.DEFAULTS.get(op, 0)
            if amounts.get(op, default) != usual.get(op, default):
                own[op] = amounts.get(op, default)
        out.append(limits | own | {sf.SAMPLE_ID: place[id(zone.sample)]})
    return out


def _headers(samples: list[Sample], streams: list[bytes], place: dict[int, int], loops: list[tuple[int, int]]) -> bytes:
    out, at = [], 0
    for sample, stream, (first, last) in zip(samples, streams, loops, strict=True):
        kind = 0x11
        if sample.partner is not None:
            kind = 0x14 if place[id(sample)] < place[id(sample.partner)] else 0x12
        link = place[id(sample.partner)] if sample.partner is not None else 0
        numbers = (at, at + len(stream), first, last, sample.rate, sample.root, sample.cents, link, kind)
        out.append(_name(sample.name) + struct.pack("<IIIIIBbHH", *numbers))
        at += len(stream)
    return b"".join(out) + _name("EOS") + bytes(26)


def _name(text: str) -> bytes:
    return text.encode("ascii")[:20].ljust(20, b"\0")


def _text(text: str) -> bytes:
    data = text.encode("ascii") + b"\0"
    return data + b"\0" * (len(data) % 2)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def _list(kind: bytes, data: bytes) -> bytes:
    return _chunk(b"LIST", kind + data)
