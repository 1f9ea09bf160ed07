"""Scores sound: at the right moments, at the right pitch and strength, never clipped, exactly as long as asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.symbolic.composer import compose
from d2m.symbolic.sound import find_soundfont, render, render_parts
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.types import BeatGrid, Part, Score

RATE = 22050


def one(track: str, program: int, notes: list[tuple[float, float, int, int]], duration: float = 3.0) -> Score:
    """A score of one part; a beat lasts a second."""
    starts, ends, keys, velocities = np.array(sorted(notes), dtype=np.float64).T
    part = Part(track, program, starts, ends, keys.astype(np.int64), velocities.astype(np.int64))
    return Score((part,), BeatGrid.steady(60, duration), duration)


def level(wave: np.ndarray, start: float, end: float) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(wave[..., int(start * RATE) : int(end * RATE)] ** 2)) + 1e-9))


@pytest.mark.slow
@pytest.mark.parametrize("stereo", [False, True])
@pytest.mark.parametrize("rate", [22050, 44100])
def test_a_piece_is_exactly_as_long_as_asked_and_never_clips(rate: int, stereo: bool) -> None:
    score = compose(BeatGrid.steady(117, 4.321), 4.321, "gHO", np.random.default_rng(0))
    wave = render(score, rate, stereo=stereo)
    assert wave.dtype == np.float32
    assert wave.shape == (2 if stereo else 1, round(4.321 * rate))
    assert 0.4 < np.abs(wave).max() <= 10 ** (-2 / 20) + 1e-6
    assert np.sum(np.abs(wave) > 0.79) < 0.01 * wave.size
    assert np.sqrt(np.mean(wave**2)) > 0.05


def test_onsets_fall_on_the_grid_when_the_tempo_drifts() -> None:
    gaps = np.array([0.5, 0.62, 0.44, 0.7, 0.51, 0.5, 0.5])
    grid = BeatGrid(0.2 + np.concatenate([[0.0], np.cumsum(gaps)]), np.array([0, 4]), 110.0, 1.0)
    beats = np.arange(6.0)
    part = Part("drums", 0, beats, beats + 0.2, np.full(6, 37), np.full(6, 110))
    wave = render(Score((part,), grid, 4.0), RATE, room=False)[0]
    for moment in grid.time_of(beats):
        at = int(moment * RATE)
        assert np.abs(wave[at - 330 : at - 30]).max() < 0.05
        assert np.abs(wave[at : at + 440]).max() > 0.2


def test_pitch_is_right() -> None:
    wave = render_parts(one("strings", 73, [(0.0, 2.0, 69, 100)]), RATE)[0][0]
    spectrum = np.abs(np.fft.rfft(wave[RATE // 2 : RATE // 2 + RATE] * np.hanning(RATE)))
    assert abs(np.argmax(spectrum) - 440) <= 4 or abs(np.argmax(spectrum) - 880) <= 8


def test_velocity_is_loudness() -> None:
    soft, loud = (render_parts(one("piano", 4, [(0.0, 1.0, 60, v)]), RATE)[0] for v in (50, 100))
    assert level(loud, 0, 1) - level(soft, 0, 1) == pytest.approx(12.0, abs=2.5)


def test_crashes_ring_and_closed_hats_choke_open_ones() -> None:
    crash = render_parts(one("drums", 0, [(0.0, 0.1, 49, 110)]), RATE)[0]
    assert level(crash, 0.8, 1.0) > level(crash, 0.0, 0.2) - 30
    ringing = render_parts(one("drums", 0, [(0.0, 0.1, 46, 110)]), RATE)[0]
    choked = render_parts(one("drums", 0, [(0.0, 0.1, 46, 110), (0.3, 0.4, 42, 30)]), RATE)[0]
    assert level(choked, 0.5, 0.7) < level(ringing, 0.5, 0.7) - 10


def test_a_short_note_stops_and_a_long_one_goes_on() -> None:
    short, long = (render_parts(one("strings", 48, [(0.0, end, 60, 100)]), RATE)[0] for end in (0.5, 2.5))
    assert level(long, 2.0, 2.4) > level(short, 2.0, 2.4) + 30


@pytest.mark.slow
def test_stereo_spreads_the_parts() -> None:
    score = compose(BeatGrid.steady(110, 4.0), 4.0, "gLO", np.random.default_rng(0))
    wide = render(score, RATE, stereo=True)
    assert np.sqrt(np.mean((wide[0] - wide[1]) ** 2)) > 0.1 * np.sqrt(np.mean(wide**2))
    assert level(wide[0], 0, 4) == pytest.approx(level(wide[1], 0, 4), abs=3)


@pytest.mark.slow
def test_rendering_twice_gives_the_same_samples() -> None:
    score = compose(BeatGrid.steady(100, 3.0), 3.0, "gJB", np.random.default_rng(1))
    np.testing.assert_array_equal(render(score), render(score))


@pytest.mark.skipif("FluidR3" not in find_soundfont().name, reason="balanced for FluidR3, not installed")
def test_drums_and_bass_carry_and_nothing_is_buried() -> None:
    for genre in ("gBR", "gLH", "gWA", "gJB"):
        score = compose(BeatGrid.steady(112, 8.0), 8.0, genre, np.random.default_rng(0))
        tracks: dict[str, np.ndarray] = {}
        for part, wave in zip(score.parts, render_parts(score), strict=True):
            tracks[part.track] = tracks.get(part.track, 0) + wave
        power = {track: level(wave, 0, 8) for track, wave in tracks.items()}
        loudest = max(power.values())
        assert power["drums"] > loudest - 6
        assert power["bass"] > loudest - 10
        assert min(power.values()) > loudest - 18


def test_an_empty_score_is_silence() -> None:
    wave = render(Score((), BeatGrid.steady(120, 1.0), 1.0))
    assert wave.shape == (1, RATE)
    assert not wave.any()


@pytest.mark.slow
def test_the_packaged_soundfont_plays_too() -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    path = Path(pretty_midi.__file__).parent / "TimGM6mb.sf2"
    assert find_soundfont("TimGM6mb") == path
    score = compose(BeatGrid.steady(120, 3.0), 3.0, "gPO", np.random.default_rng(0)).instruments()
    for part, wave in zip(score.parts, render_parts(score, RATE, path), strict=True):
        assert level(wave, 0, 3) > -60, (part.track, part.program)


@pytest.mark.slow
def test_what_was_played_before_does_not_change_the_sound() -> None:
    one, other = (compose(BeatGrid.steady(112, 5.0), 5.0, genre, np.random.default_rng(0)) for genre in ("gBR", "gPO"))
    for font in {"TimGM6mb", find_soundfont().name}:
        first = render(one, RATE, font)
        render(other, RATE, font)
        np.testing.assert_array_equal(render(one, RATE, font), first)


def test_a_missing_soundfont_is_named() -> None:
    with pytest.raises(D2MError, match="no-such-font"):
        find_soundfont("no-such-font")


def test_a_sample_rate_out_of_range_is_refused() -> None:
    with pytest.raises(D2MError, match="Hz"):
        render(one("piano", 0, [(0, 1, 60, 90)]), 100)


def test_damaged_soundfonts_are_refused_or_played_but_never_crash(tmp_path: Path) -> None:
    path = tmp_path / "x.sf2"
    for content in (b"", b"RIFF\0\0\0\0sfbk", b"RIFF" + b"\xff" * 400):
        path.write_bytes(content)
        with pytest.raises(D2MError):
            SoundFont(path)
