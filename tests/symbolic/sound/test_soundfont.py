"""Soundfonts, SF2 and SF3: the same tones from both, presets of any bank, damaged and hostile files."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from d2m.errors import D2MError
from d2m.symbolic.sound import find_soundfont
from d2m.symbolic.sound import soundfont_file as sf
from d2m.symbolic.sound.soundfont import SoundFont

RATE = 44100


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def stream(wave: np.ndarray, channels: int = 1, rate: int = RATE) -> bytes:
    target = io.BytesIO()
    data = np.repeat(wave[:, None], channels, axis=1)
    with soundfile.SoundFile(target, "w", rate, channels, "VORBIS", format="OGG", compression_level=0.1) as file:
        for start in range(0, len(wave), 4096):
            file.write(data[start : start + 4096])
    return target.getvalue()


def font_file(
    path: Path,
    wave: np.ndarray,
    presets: dict[tuple[int, int], dict[int, int]],
    packed: bytes | None = None,
    loop: tuple[int, int] = (0, 0),
) -> Path:
    """A soundfont of one sample (key 69) that each preset plays with its generators; ``packed`` makes it an SF3."""
    samples = packed if packed is not None else (np.round(wave * 32767).astype("<i2").tobytes() + bytes(92))
    end, kind = (len(packed), 0x11) if packed is not None else (len(wave), 1)
    heads = inst = pbag = ibag = pgen = igen = b""
    for number, ((bank, program), generators) in enumerate(presets.items()):
        heads += b"p".ljust(20, b"\0") + struct.pack("<HHHIII", program, bank, number, 0, 0, 0)
        inst += b"i".ljust(20, b"\0") + struct.pack("<H", number)
        pbag += struct.pack("<HH", number, 0)
        ibag += struct.pack("<HH", len(igen) // 4, 0)
        pgen += struct.pack("<HH", sf.INSTRUMENT, number)
        for op, amount in generators.items():
            igen += struct.pack("<Hh", op, amount)
        igen += struct.pack("<HH", sf.SAMPLE_ID, 0)
    count = len(presets)
    heads += b"EOP".ljust(20, b"\0") + struct.pack("<HHHIII", 0, 0, count, 0, 0, 0)
    inst += b"EOI".ljust(20, b"\0") + struct.pack("<H", count)
    pbag += struct.pack("<HH", count, 0)
    ibag += struct.pack("<HH", len(igen) // 4, 0)
    header = b"s".ljust(20, b"\0") + struct.pack("<IIIIIBbHH", 0, end, *loop, RATE, 69, 0, 0, kind)
    tables = (
        (b"phdr", heads), (b"pbag", pbag), (b"pmod", bytes(10)), (b"pgen", pgen + bytes(4)), (b"inst", inst),
        (b"ibag", ibag), (b"imod", bytes(10)), (b"igen", igen + bytes(4)), (b"shdr", header + bytes(46)),
    )  # fmt: skip
    body = chunk(b"LIST", b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 1)))
    body += chunk(b"LIST", b"sdta" + chunk(b"smpl", samples))
    body += chunk(b"LIST", b"pdta" + b"".join(chunk(name, data) for name, data in tables))
    path.write_bytes(chunk(b"RIFF", b"sfbk" + body))
    return path


def tone(hertz: float = 440.0, seconds: float = 1.0, harmonics: int = 8) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return 0.1 * sum(np.sin(2 * np.pi * hertz * n * time) / n for n in range(1, harmonics + 1))


def strength(wave: np.ndarray, hertz: float) -> float:
    """Level of a frequency, dB."""
    time = np.arange(len(wave)) / RATE
    return float(20 * np.log10(abs(np.mean(wave * np.hanning(len(wave)) * np.exp(-2j * np.pi * hertz * time))) + 1e-9))


def test_an_sf3_sounds_like_the_sf2_that_it_was_made_of(tmp_path: Path) -> None:
    wave, presets = tone(), {(0, 0): {sf.MODE: 1, sf.RELEASE: -1200}}
    plain = SoundFont(font_file(tmp_path / "a.sf2", wave, presets, loop=(4410, 44000)))
    packed = SoundFont(font_file(tmp_path / "a.sf3", wave, presets, stream(wave), loop=(4410, 44000)))
    for key, seconds in ((69, 0.5), (57, 3.0), (76, 2.5)):
        one, other = (font.tone(0, False, key, 100, RATE, seconds, 2) for font in (plain, packed))
        assert one is not None
        assert other is not None
        assert one.wave.shape == other.wave.shape
        assert one.release == other.release
        assert np.abs(one.wave - other.wave).max() < 0.05 * np.abs(one.wave).max()


@pytest.mark.parametrize(
    ("program", "drums", "key", "velocity"),
    [(0, False, 60, 100), (33, False, 40, 80), (48, False, 64, 110), (0, True, 38, 120)],
)
def test_sf2_files_are_played_without_what_only_sf3_files_ask_for(
    program: int, drums: bool, key: int, velocity: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("d2m.symbolic.sound.soundfont.moving_low_pass", never)
    monkeypatch.setattr("d2m.symbolic.sound.soundfont.moving_pitch", never)
    found = SoundFont(find_soundfont("TimGM6mb")).tone(program, drums, key, velocity, RATE, 0.5, 2)
    assert found is not None
    assert np.abs(found.wave).max() > 0.01


def test_banks_and_programs_that_are_missing_fall_to_near_ones(tmp_path: Path) -> None:
    presets = dict.fromkeys([(0, 0), (0, 33), (0, 48), (3, 38), (128, 0), (128, 24)], {})
    font = SoundFont(font_file(tmp_path / "a.sf2", tone(), presets))
    assert font.presets == ((0, 0), (0, 33), (0, 48), (3, 38), (128, 0), (128, 24))
    assert font.preset(38, False, 3) == (3, 38)
    assert font.preset(48, False, 3) == (0, 48)
    assert font.preset(38, False) == (0, 33)
    assert font.preset(50, False, 9) == (0, 48)
    assert font.preset(127, False) == (0, 48)
    assert font.preset(24, True) == font.preset(25, True) == (128, 24)
    assert font.preset(40, True) == (128, 0)
    assert font.tone(38, False, 60, 100, RATE, 0.2, 1, bank=3) is not None


def test_a_font_without_kits_says_so(tmp_path: Path) -> None:
    font = SoundFont(font_file(tmp_path / "a.sf2", tone(), {(0, 0): {}}))
    with pytest.raises(D2MError, match="no drum kit"):
        font.tone(0, True, 36, 100, RATE, 0.2, 1)


def test_the_modulation_envelope_opens_the_filter_and_closes_it(tmp_path: Path) -> None:
    wave = tone(220.0, 2.0, 40)
    dark = {sf.ROOT: 57, sf.FILTER: 6500}
    presets = {(0, 0): dark, (0, 1): dark | {sf.MOD_FILTER: 5000, sf.MOD_DECAY: 0, sf.MOD_SUSTAIN: 1000}}
    font = SoundFont(font_file(tmp_path / "a.sf3", wave, presets, stream(wave)))
    still, moving = (font.tone(program, False, 57, 100, RATE, 1.6, 1).wave[0] for program in (0, 1))
    early, late = slice(2000, 8000), slice(50000, 60000)
    assert strength(moving[early], 3960) > strength(still[early], 3960) + 15
    assert strength(moving[late], 3960) < strength(still[late], 3960) + 3


def test_a_filter_resonates_at_its_cutoff(tmp_path: Path) -> None:
    wave = tone(220.0, 1.0, 40)
    cutoff = round(1200 * np.log2(1760 / 8.176))
    presets = {(0, 0): {sf.ROOT: 57, sf.FILTER: cutoff}, (0, 1): {sf.ROOT: 57, sf.FILTER: cutoff, sf.RESONANCE: 180}}
    font = SoundFont(font_file(tmp_path / "a.sf3", wave, presets, stream(wave)))
    flat, peaked = (font.tone(program, False, 57, 100, RATE, 0.8, 1).wave[0] for program in (0, 1))
    assert strength(peaked, 1760) - strength(flat, 1760) == pytest.approx(9.0, abs=2.5)
    assert strength(peaked, 220) - strength(flat, 220) == pytest.approx(-9.0, abs=1.5)


def test_vibrato_begins_after_its_delay(tmp_path: Path) -> None:
    wave = tone(440.0, 2.0, 1)
    rate = round(1200 * np.log2(6.0 / 8.176))
    presets = {(0, 0): {sf.VIBRATO_PITCH: 50, sf.VIBRATO_RATE: rate, sf.VIBRATO_DELAY: -1200}}
    font = SoundFont(font_file(tmp_path / "a.sf3", wave, presets, stream(wave)))
    found = font.tone(0, False, 69, 100, RATE, 1.6, 1).wave[0]
    crossings = np.flatnonzero((found[:-1] < 0) & (found[1:] >= 0))
    exact = crossings - found[crossings] / (found[crossings + 1] - found[crossings])
    periods, when = np.diff(exact), exact[1:]
    assert np.ptp(periods[when < 0.45 * RATE]) < 0.5
    assert 1200 * np.log2(periods[when > 0.6 * RATE].max() / periods[when > 0.6 * RATE].min()) == pytest.approx(
        100, abs=12
    )


def test_a_tone_does_not_depend_on_how_long_it_was_asked_for_before(tmp_path: Path) -> None:
    wave = tone()
    presets = {(0, 0): {sf.MODE: 1, sf.FILTER: 7000, sf.MOD_FILTER: 3000, sf.RESONANCE: 90, sf.MOD_DECAY: 600}}
    path = font_file(tmp_path / "a.sf3", wave, presets, stream(wave), loop=(4410, 40000))
    font, other = SoundFont(path), SoundFont(path)
    font.tone(0, False, 60, 100, RATE, 0.1, 1)
    longer, once = (one.tone(0, False, 60, 100, RATE, 1.5, 1).wave for one in (font, other))
    np.testing.assert_array_equal(longer, once)


@pytest.mark.parametrize("damage", ["no stream", "cut", "two channels", "another coding"])
def test_a_damaged_stream_is_one_clear_error(damage: str, tmp_path: Path) -> None:
    wave = tone(seconds=0.3)
    packed = stream(wave, 2 if damage == "two channels" else 1)
    if damage == "no stream":
        packed = bytes(400)
    elif damage == "cut":
        packed = packed[:300]
    elif damage == "another coding":
        packed = b"OggS" + bytes(500)
    font = SoundFont(font_file(tmp_path / "a.sf3", wave, {(0, 0): {}}, packed))
    with pytest.raises(D2MError, match="damaged") as refused:
        font.tone(0, False, 69, 100, RATE, 0.2, 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("damage", ["claims 2**40 samples", "noise"])
def test_a_stream_never_decodes_to_more_than_it_holds(damage: str, tmp_path: Path) -> None:
    wave = tone(seconds=0.3)
    packed = stream(wave)
    if damage == "noise":
        packed = packed[:4200] + np.random.default_rng(0).bytes(len(packed) - 4200)
    else:
        last = packed.rindex(b"OggS")
        packed = packed[: last + 6] + struct.pack("<q", 1 << 40) + packed[last + 14 :]
    font = SoundFont(font_file(tmp_path / "a.sf3", wave, {(0, 0): {}}, packed))
    try:
        found = font.tone(0, False, 69, 100, RATE, 5.0, 1)
    except D2MError:
        return
    assert found is not None
    assert np.count_nonzero(found.wave[0]) <= 0.31 * RATE


@pytest.mark.slow
def test_a_bomb_of_silence_is_refused(tmp_path: Path) -> None:
    packed = stream(np.zeros(9_000_000, dtype=np.float32))
    font = SoundFont(font_file(tmp_path / "a.sf3", tone(), {(0, 0): {}}, packed))
    with pytest.raises(D2MError, match="too long"):
        font.tone(0, False, 69, 100, RATE, 0.2, 1)


@pytest.mark.slow
def test_a_preset_with_millions_of_zones_is_refused(tmp_path: Path) -> None:
    path = font_file(tmp_path / "a.sf2", tone(), {(0, 0): {}})
    data = path.read_bytes()
    zones = 400
    # Zones that all begin with the same generator: every second one of them plays.
    for name in (b"pbag", b"ibag"):
        at = data.index(name)
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        data = data[:at] + chunk(name, struct.pack("<HHHH", 0, 0, 1, 0) * (zones // 2 + 1)) + data[at + 8 + size :]
    for name, last in ((b"phdr", 38 + 24), (b"inst", 22 + 20)):
        at = data.index(name) + 8 + last
        data = data[:at] + struct.pack("<H", zones) + data[at + 2 :]
    path.write_bytes(data)
    with pytest.raises(D2MError, match="damaged"):
        SoundFont(path).tone(0, False, 69, 100, RATE, 0.2, 1)
