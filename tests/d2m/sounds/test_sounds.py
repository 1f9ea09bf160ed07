"""The shipped sound library: whole, equally loud, in tune, every sample's licence told, patches that exist."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
from repository import SCRIPTS

from d2m.sounds import LIBRARY
from d2m.sounds.patches import SLOTS, genre_sounds, patches
from d2m.symbolic.sound.soundfont import DRUM_BANK, SoundFont
from d2m.types import GENRES, TRACKS

RATE = 44100
#: Presets whose samples are too short or too peaky for the common level, and beds that lie under the music.
QUIETER = {(0, 10), (0, 69), (0, 115), (16, 10), (16, 22)}


@pytest.fixture(scope="module")
def font() -> SoundFont:
    return SoundFont(LIBRARY)


@pytest.fixture(scope="module")
def phrases():
    sys.path.insert(0, str(SCRIPTS))
    try:
        from sound_library import phrases as module
    finally:
        sys.path.remove(str(SCRIPTS))
    return module


def test_general_midi_is_complete(font: SoundFont) -> None:
    have = set(font.presets)
    assert {(0, program) for program in range(128)} <= have
    assert {(DRUM_BANK, kit) for kit in (0, 8, 16, 24, 25, 26, 32, 40, 48)} <= have
    for kit in (0, 8, 16, 24, 25, 26, 32, 40):
        silent = [key for key in range(35, 82) if not font.regions(kit, True, key, 100)]
        assert not silent, (kit, silent)
    for program in range(128):
        for velocity in (1, 64, 127):
            assert font.regions(program, False, 60, velocity), (program, velocity)


def test_the_package_stays_small() -> None:
    assert LIBRARY.stat().st_size < 28_000_000


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_presets_are_equally_loud(part: int, font: SoundFont, phrases) -> None:
    found = {}
    for bank, program in font.presets[part::4]:
        found[bank, program] = phrases.level(font, bank, program) - phrases.TARGET
    wrong = {preset: round(away, 1) for preset, away in found.items() if abs(away) > 2.0 and preset not in QUIETER}
    assert not wrong
    assert all(-13.0 < found[preset] < 2.0 for preset in QUIETER & set(found))


@pytest.mark.slow
def test_instruments_are_in_tune(font: SoundFont, phrases) -> None:
    from sound_library.tuning import deviation

    chosen = [0, 4, 5, 11, 16, 24, 25, 27, 32, 33, 36, 38, 39, 50, 56, 61, 65, 66, 73, 80, 81, 89]
    presets = [(0, program) for program in chosen] + [(1, 39), (2, 39), (3, 80), (2, 81), (1, 17), (1, 1), (1, 98)]
    away = []
    for bank, program in presets:
        _, low, high = phrases.role(bank, program)
        for key in np.linspace(low + 2, high - 2, 4).round().astype(int):
            tone = font.tone(program, False, int(key), 100, RATE, 1.0, 1, bank=bank)
            assert tone is not None
            wave = tone.wave[0, 5000:].astype(np.float64)
            away.append(deviation(wave, RATE, 440.0 * 2.0 ** ((key - 69) / 12)))
    assert np.median(np.abs(away)) < 2.0
    assert np.mean(np.abs(away) < 5.0) > 0.9
    assert np.abs(away).max() < 12.0


def test_loops_go_on_without_a_click(font: SoundFont) -> None:
    for bank, program, key in (
        (1, 39, 31),
        (0, 38, 34),
        (0, 39, 29),
        (0, 48, 60),
        (1, 81, 60),
        (0, 56, 67),
        (1, 89, 57),
    ):
        tone = font.tone(program, False, key, 100, RATE, 8.0, 1, bank=bank)
        assert tone is not None
        wave = tone.wave[0, RATE:].astype(np.float64)
        # A click is wide-band: its slope stands out, unless it is 60 dB below the tone, as beside a pure sine.
        bends = np.abs(np.diff(wave, 3))
        assert bends.max() < max(6.0 * np.quantile(bends, 0.999), 3e-3 * np.abs(wave).max()), (bank, program)
        assert np.sqrt(np.mean(wave[-RATE:] ** 2)) > 0.25 * np.sqrt(np.mean(wave[:RATE] ** 2))


def test_drums_speak_at_once(font: SoundFont) -> None:
    for kit in (0, 1, 3, 9, 25, 26, 27, 28, 29, 30):
        for key in (36, 38, 42):
            tone = font.tone(kit, True, key, 110, RATE, 0.5, 1)
            assert tone is not None
            wave = np.abs(tone.wave[0])
            assert np.argmax(wave > 0.25 * wave.max()) < 0.012 * RATE, (kit, key)


def test_machines_have_the_pitch_of_their_circuits(font: SoundFont) -> None:
    def strongest(kit: int, key: int) -> float:
        tone = font.tone(kit, True, key, 127, RATE, 0.8, 1)
        assert tone is not None
        spectrum = np.abs(np.fft.rfft(tone.wave[0], 1 << 17))
        return float(np.argmax(spectrum) * RATE / (1 << 17))

    assert strongest(25, 36) == pytest.approx(50.0, abs=3.0)
    assert strongest(25, 38) == pytest.approx(182.0, abs=8.0)
    assert strongest(25, 56) == pytest.approx(800.0, abs=15.0)
    assert strongest(25, 75) == pytest.approx(2500.0, abs=60.0)
    assert strongest(26, 36) == pytest.approx(53.0, abs=5.0)
    assert strongest(25, 42) > 6000.0


def test_every_sample_is_in_the_list_with_its_licence(font: SoundFont) -> None:
    with LIBRARY.with_name("samples.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["sample"]: row for row in csv.DictReader(file)}
    names = {header["name"].decode("ascii") for header in font._file.headers[:-1]}
    assert names == set(rows)
    for row in rows.values():
        assert row["licence"] in ("MIT", "CC0-1.0", "public domain"), row
        assert row["made by"], row
        assert row["link"], row


def test_patches_exist_in_the_library(font: SoundFont) -> None:
    have = set(font.presets)
    for patch in patches().values():
        assert patch.track in TRACKS
        assert 0 <= patch.low < patch.high <= 127
        assert patch.is_effect == patch.name.startswith("fx.")
        assert patch.is_drum == (patch.bank == DRUM_BANK)
        for program in (patch.program, *patch.alternates):
            assert (patch.bank, program) in have, patch.name
        if patch.fallback is not None:
            assert ((DRUM_BANK if patch.is_drum else 0), patch.fallback) in have
        if not patch.is_drum:
            for key in (patch.low, patch.high):
                assert font.regions(patch.program, False, key, 100, patch.bank), patch.name


def test_each_genre_has_patches_for_every_slot() -> None:
    sounds = genre_sounds()
    assert set(sounds) == set(GENRES)
    rng = np.random.default_rng(0)
    for sound in sounds.values():
        assert set(sound.weights) == set(SLOTS)
        for slot, weights in sound.weights.items():
            assert all(patches()[name] for name in weights)
            assert min(weights.values()) > 0
            chosen = {sound.choose(slot, rng).name for _ in range(60)}
            assert chosen <= set(weights)
            assert len(chosen) == len(weights) or len(weights) > 4
        assert all(patches()[name].is_drum for name in sound.weights["drums"])
        assert all(patches()[name].track == "bass" for name in sound.weights["bass"])
        assert all(patches()[name].is_effect for name in sound.weights["effects"])


def test_takes_alternate_and_differ(font: SoundFont) -> None:
    kit = patches()["kit.house"]
    assert {kit.take(number, 3) for number in range(4)} == {29, 93}
    assert kit.take(1) != kit.take(2)
    one, other = (font.tone(kit.take(number), True, 42, 100, RATE, 0.1, 1).wave[0] for number in range(2))
    count = min(len(one), len(other))
    assert np.corrcoef(one[:count], other[:count])[0, 1] < 0.5
