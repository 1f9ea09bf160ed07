"""Read SoundFont files: their tables, the zones of their presets, and their samples, raw or as Vorbis streams.

The layout is that of the SoundFont 2.04 specification (E-mu, 2006), sections 7 and 8. SF3 is MuseScore's variant:
bit 4 of a sample's type marks the sample as a separate Ogg Vorbis stream, ``start`` and ``end`` are then bytes within
the chunk of samples, and the loop counts from the first value of the sample.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_SAMPLE = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
        ("rate", "<u4"), ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2"),
    ]
)  # fmt: skip
TABLES = {
    b"phdr": np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]),
    b"pbag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"pgen": np.dtype([("op", "<u2"), ("amount", "<i2")]),
    b"inst": np.dtype([("name", "S20"), ("bag", "<u2")]),
    b"ibag": np.dtype([("gen", "<u2"), ("mod", "<u2")]),
    b"igen": np.dtype([("op", "<u2"), ("amount", "<i2")]),
    b"shdr": _SAMPLE,
}

# Generator numbers, section 8.1.2 of the specification.
VIBRATO_PITCH, MOD_PITCH, FILTER, RESONANCE, MOD_FILTER, PAN = 6, 7, 8, 9, 11, 17
VIBRATO_DELAY, VIBRATO_RATE = 23, 24
MOD_DELAY, MOD_ATTACK, MOD_HOLD, MOD_DECAY, MOD_SUSTAIN = 25, 26, 27, 28, 29
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, HOLD_BY_KEY, DECAY_BY_KEY = 33, 34, 35, 36, 37, 38, 39, 40
INSTRUMENT, KEYS, VELOCITIES, ATTENUATION, COARSE, FINE, SAMPLE_ID = 41, 43, 44, 48, 51, 52, 53
MODE, SCALE, CHOKE, ROOT = 54, 56, 57, 58
OFFSETS = {0: 1, 4: 32768}, {1: 1, 12: 32768}, {2: 1, 45: 32768}, {3: 1, 50: 32768}
_TIMES = (VIBRATO_DELAY, MOD_DELAY, MOD_ATTACK, MOD_HOLD, MOD_DECAY, DELAY, ATTACK, HOLD, DECAY, RELEASE)
DEFAULTS = {FILTER: 13500, SCALE: 100, ROOT: -1} | dict.fromkeys(_TIMES, -12000)
# Ranges and substitutions only mean something inside an instrument, section 8.5.
_NOT_IN_PRESETS = {0, 1, 2, 3, 4, 12, 45, 46, 47, 50, MODE, CHOKE, ROOT, INSTRUMENT, SAMPLE_ID}

_COMPRESSED = 0x10
#: 190 s at 44.1 kHz: far above any instrument's sample, and 34 MB once it is decoded.
_LONGEST_STREAM = 1 << 23
_MOST_REGIONS = 20_000
#: Bytes of a title, by the specification.
_LONGEST_TITLE = 256


@dataclass(frozen=True)
class Region:
    """One sample of a preset and the keys and velocities that play it.

    Attributes:
        keys, velocities: lowest and highest, inclusive.
        sample: index into the file's sample headers.
        values: generator number -> value in the specification's own units.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    sample: int
    values: dict[int, int]

    def __getitem__(self, generator: int) -> int:
        return self.values.get(generator, DEFAULTS.get(generator, 0))

    def seconds(self, generator: int) -> float:
        """Convert a time generator (timecents) to seconds.

        Args:
            generator: its number.
        """
        return float(2.0 ** (np.clip(self[generator], -12000, 8000) / 1200.0))


class SoundFontFile:
    """The tables of a file, its samples left on disk.

    Attributes:
        presets: (bank, program) -> index of the preset.
        headers: the table of samples.
        compressed: whether some sample is a Vorbis stream (SF3).
        title: the name in the file's header.

    Raises:
        OSError, ValueError: if the file is not a SoundFont file.
    """

    def __init__(self, path: Path):
        self._tables, first, size, self.title = _read_tables(path)
        self.headers = self._tables[b"shdr"]
        self.compressed = bool(np.any(self.headers["kind"] & _COMPRESSED))
        self._bytes = np.memmap(path, dtype=np.uint8, mode="r", offset=first, shape=(size,))
        self._samples = np.memmap(path, dtype="<i2", mode="r", offset=first, shape=(size // 2,))
        head = self._tables[b"phdr"][:-1]
        self.presets = {(int(h["bank"]), int(h["program"])): i for i, h in enumerate(head)}

    def stored(self, sample: int) -> tuple[np.ndarray, int, int, int, int] | None:
        """Return an uncompressed sample.

        Args:
            sample: its number.

        Returns:
            Values, start, end, loop start and loop end; None for a Vorbis stream.
        """
        header = self.headers[sample]
        if header["kind"] & _COMPRESSED:
            return None
        places = (int(header[field]) for field in ("start", "end", "loop_start", "loop_end"))
        return self._samples, *places  # type: ignore[return-value]

    def decode(self, sample: int) -> np.ndarray:
        """Decode a Vorbis stream.

        Args:
            sample: its number.

        Returns:
            float32 (n,), about -32768 to 32767.

        Raises:
            ValueError: if the stream is damaged, has more than one channel or more than 2**23 values.
        """
        import soundfile

        header = self.headers[sample]
        name = header["name"].decode("ascii", "replace")
        stream = self._bytes[int(header["start"]) : int(header["end"])].tobytes()
        if stream[:4] != b"OggS":
            raise ValueError(f"no Vorbis stream in its sample '{name}'")
        try:
            with soundfile.SoundFile(io.BytesIO(stream)) as file:
                if file.subtype != "VORBIS" or file.channels != 1 or file.frames > _LONGEST_STREAM:
                    raise ValueError(f"a stream of another kind, or too long, in its sample '{name}'")
                return file.read(dtype="float32") * np.float32(32768.0)
        except (RuntimeError, MemoryError) as error:
            raise ValueError(f"a damaged stream in its sample '{name}'") from error

    def regions(self, preset: int) -> list[Region]:
        """Return the regions of a preset, with the generators of preset and instrument combined.

        Args:
            preset: its number.

        Raises:
            IndexError, ValueError: if the tables contradict each other.
        """
        regions: list[Region] = []
        common: dict[int, int] = {}
        for number, zone in enumerate(self._zones(b"phdr", b"pbag", b"pgen", preset)):
            if INSTRUMENT not in zone:
                # A first zone without a target is the others' default.
                common = zone if number == 0 else common
                continue
            regions += self._instrument_regions(common | zone)
            if len(regions) > _MOST_REGIONS:
                raise ValueError("too many zones")
        return [r for r in regions if 0 <= r.sample < len(self.headers) - 1]

    def _instrument_regions(self, outer: dict[int, int]) -> list[Region]:
        regions = []
        shared: dict[int, int] = {}
        for place, inner in enumerate(self._zones(b"inst", b"ibag", b"igen", outer[INSTRUMENT])):
            if SAMPLE_ID not in inner:
                shared = inner if place == 0 else shared
                continue
            values = shared | inner
            keys = _overlap(_range(values, KEYS), _range(outer, KEYS))
            velocities = _overlap(_range(values, VELOCITIES), _range(outer, VELOCITIES))
            for op, amount in outer.items():
                if op not in _NOT_IN_PRESETS:
                    values[op] = values.get(op, DEFAULTS.get(op, 0)) + amount
            regions.append(Region(keys, velocities, values[SAMPLE_ID], values))
        return regions

    def _zones(self, head: bytes, bag: bytes, gen: bytes, index: int) -> list[dict[int, int]]:
        """The generators of each zone of a preset or instrument, one dict per zone."""
        first, last = int(self._tables[head][index]["bag"]), int(self._tables[head][index + 1]["bag"])
        bags, generators = self._tables[bag]["gen"], self._tables[gen]
        return [
            {int(g["op"]): int(g["amount"]) for g in generators[int(bags[b]) : int(bags[b + 1])]}
            for b in range(first, last)
        ]


def _read_tables(path: Path) -> tuple[dict[bytes, np.ndarray], int, int, str]:
    """The file's tables, the byte where its samples begin, how many bytes they take, and the file's title."""
    tables: dict[bytes, np.ndarray] = {}
    first, count, title = 0, 0, ""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"RIFF" or head[8:] != b"sfbk":
            raise ValueError("no SoundFont header")
        while len(chunk := file.read(8)) == 8:
            name, length = chunk[:4], int.from_bytes(chunk[4:], "little")
            if name == b"LIST":
                file.read(4)
                continue
            where = file.tell()
            if where + length > size:
                raise ValueError("cut short")
            if name == b"smpl":
                first, count = where, length
            elif name == b"INAM":
                title = file.read(min(length, _LONGEST_TITLE)).split(b"\0")[0].decode("latin-1")
            elif name in TABLES:
                kind = TABLES[name]
                tables[name] = np.frombuffer(file.read(length // kind.itemsize * kind.itemsize), dtype=kind)
            file.seek(where + length + length % 2)
    if set(tables) != set(TABLES) or count < 2:
        raise ValueError("tables or samples missing")
    return tables, first, count, title


def _range(zone: dict[int, int], generator: int) -> tuple[int, int]:
    value = zone.get(generator, 127 << 8) & 0xFFFF
    return value & 0xFF, value >> 8


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    return max(a[0], b[0]), min(a[1], b[1])
