"""Filters, dynamics, spaces, the mixer and mastering."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import oaconvolve, sosfilt, sosfreqz

from d2m.audio.dynamics import STEP, Compression, Compressor, Ducker, Limiter
from d2m.audio.filters import SweptLowpass, biquad, lowpass
from d2m.audio.loudness import loudness, true_peak
from d2m.audio.mastering import MOST_LIMITING_DB, finish, master
from d2m.audio.mixer import BLOCK, Mixer, SampleLane, saturate
from d2m.audio.presets import BAND, CHANNELS, characters, preset
from d2m.audio.space import PingPong, Rooms, room_response
from d2m.types import GENRES

RATE = 44100


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (level * rng.standard_normal((2, int(seconds * RATE)))).astype(np.float32)


def decibels(wave: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(np.square(wave, dtype=np.float64)) + 1e-20))


def blocks(wave: np.ndarray):
    for start in range(0, wave.shape[1] - BLOCK + 1, BLOCK):
        yield start, wave[:, start : start + BLOCK]


@pytest.mark.parametrize(
    ("kind", "at", "gain"),
    [
        ("peak", 1000, 6.0),
        ("peak", 10, 0.0),
        ("low_shelf", 20, 6.0),
        ("low_shelf", 20000, 0.0),
        ("high_shelf", 20000, 6.0),
    ],
)
def test_equaliser_bands_boost_where_they_should(kind, at, gain):
    _, response = sosfreqz(biquad(kind, 1000.0, 6.0, 0.71, RATE), [at], fs=RATE)
    assert 20 * np.log10(abs(response[0])) == pytest.approx(gain, abs=0.2)


def test_a_swept_filter_closes_and_opens_without_a_click():
    tone = np.sin(2 * np.pi * 3000 * np.arange(BLOCK) / RATE).astype(np.float32)[None].repeat(2, 0)
    sweep = SweptLowpass(RATE)
    steps = BLOCK // SweptLowpass.STEP
    opened = sweep(tone, np.full(steps, 22000.0))
    np.testing.assert_array_equal(opened, tone)
    closing = sweep(tone, np.geomspace(19000, 100, steps))
    assert decibels(closing[:, -1000:]) < decibels(tone) - 40
    assert np.abs(np.diff(closing)).max() < 1.2 * np.abs(np.diff(tone)).max()


def test_a_compressor_reduces_by_its_ratio():
    tone = 0.5 * np.sin(2 * np.pi * 3000 * np.arange(4 * BLOCK) / RATE).astype(np.float32)[None].repeat(2, 0)
    made = Compressor(Compression(threshold=-19.0, ratio=4.0, knee=0.1), RATE)(tone)
    over = decibels(tone) + 19.0
    assert decibels(made[:, -BLOCK:]) - decibels(tone) == pytest.approx(-0.75 * over, abs=0.3)
    quiet = 0.05 * tone
    assert decibels(Compressor(Compression(threshold=-19.0, ratio=4.0), RATE)(quiet)) == pytest.approx(
        decibels(quiet), abs=0.01
    )


def test_the_ducker_follows_the_kick():
    ducker = Ducker(0.2, RATE)
    depth = ducker.depth(0, BLOCK // STEP, [(4410, 1.0)])
    time = STEP * np.arange(1, len(depth) + 1) / RATE
    assert not depth[time < 0.1].any()
    assert depth[np.abs(time - 0.12).argmin()] > 0.95
    assert depth[np.abs(time - 0.35).argmin()] < 0.02


def test_the_limiter_keeps_true_peaks_and_leaves_quiet_music_as_it_is():
    # Hardly any music has treble as strong as white noise.
    sound = sosfilt(lowpass(6000.0, RATE), noise(2.0, 0.3), axis=1).astype(np.float32)
    sound[:, 30_000:30_050] *= 20
    limiter = Limiter(-1.3, RATE)
    count = sound.shape[1] // STEP * STEP
    made = np.concatenate([limiter(sound[:, a:b]) for a, b in ((0, 6400), (6400, 30_016), (30_016, count))], axis=1)
    late = limiter.delay
    assert true_peak(made) <= -1.0
    assert np.array_equal(made[:, late:20_000], sound[:, : 20_000 - late])
    gains = made[0, late:] / sound[0, : count - late]
    clear = np.abs(sound[0, 29_000:31_000]) > 0.05
    assert np.abs(np.diff(gains[29_000:31_000][clear])).max() < 0.15


def test_rooms_answer_as_their_impulse_responses():
    responses = [room_response(0.4, 0.01, 9000.0, RATE), room_response(1.3, 0.02, 6000.0, RATE, 3)]
    rooms = Rooms(responses, BLOCK)
    sends = noise(4 * BLOCK / RATE)
    made = np.concatenate([rooms(block) for _, block in blocks(sends)], axis=1)
    count = made.shape[1]
    expected = sum(
        oaconvolve(send[None], response, axes=1)[:, :count] for send, response in zip(sends, responses, strict=True)
    )
    np.testing.assert_allclose(made, expected, atol=1e-4)


def test_a_room_dies_away_as_fast_as_asked_and_treble_faster():
    answer = room_response(1.0, 0.0, 20000.0, RATE)
    early, late = (decibels(answer[:, a : a + 4410]) for a in (4410, 4410 + RATE // 2))
    assert early - late == pytest.approx(30, abs=5)
    spectra = [np.abs(np.fft.rfft(answer[0, a : a + 4096])) for a in (4410, 22050)]
    bright = [s[1000:1800].mean() / s[50:200].mean() for s in spectra]
    assert bright[1] < 0.5 * bright[0]


def test_echoes_come_back_from_side_to_side():
    click = np.zeros(2 * BLOCK, np.float32)
    click[100] = 1.0
    echo = PingPong(0.1, 0.5, RATE)
    made = np.concatenate([echo(click[:BLOCK]), echo(click[BLOCK:])], axis=1)
    energy = [np.square(made[:, 100 + k * 4410 - 50 : 100 + k * 4410 + 400]).sum(1) for k in (1, 2, 3)]
    assert energy[0][0] > 100 * energy[0][1]
    assert energy[1][1] > 100 * energy[1][0]
    assert energy[2][0] > 100 * energy[2][1]
    assert energy[1][1] < 0.3 * energy[0][0]


def test_saturation_keeps_quiet_samples_and_bends_loud_ones():
    quiet, loud = np.array([[0.01]], np.float32), np.array([[1.0]], np.float32)
    assert saturate(quiet, 6.0)[0, 0] == pytest.approx(0.01, rel=1e-3)
    assert saturate(loud, 6.0)[0, 0] < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("genre", [None, *GENRES])
def test_stems_add_up_to_the_mix(genre):
    music = {name: noise(3 * BLOCK / RATE, 0.05, i) for i, name in enumerate(CHANNELS)}
    together, apart = Mixer(preset(genre), 117.0), Mixer(preset(genre), 117.0, stems=True)
    for start in range(0, 3 * BLOCK, BLOCK):
        block = {name: wave[:, start : start + BLOCK] for name, wave in music.items()}
        mix, stems = together(block, start, [(start + 5, 1.0)]), apart(block, start, [(start + 5, 1.0)])
        np.testing.assert_allclose(stems.mix, mix.mix, atol=1e-4)
        np.testing.assert_allclose(sum(stems.stems.values()), stems.mix, atol=1e-4)
        assert np.isfinite(mix.mix).all()


def test_a_copy_of_a_mixer_goes_on_in_the_same_way():
    mixer = Mixer(preset(BAND), 117.0)
    first, second = ({"kick": noise(BLOCK / RATE, 0.2, i), "lead": noise(BLOCK / RATE, 0.1, 9 + i)} for i in range(2))
    mixer(first, 0, [(0, 1.0)])
    other = mixer.copy()
    there = other(second, BLOCK, [])
    other(first, 2 * BLOCK, [])
    np.testing.assert_array_equal(mixer(second, BLOCK, []).mix, there.mix)


def test_lanes_move_gain_and_treble():
    lanes = (
        SampleLane("pad", "gain", np.array([0.0, BLOCK]), np.array([0.0, -60.0])),
        SampleLane("mix", "lowpass", np.array([BLOCK, BLOCK + 1]), np.array([21000.0, 200.0])),
    )
    mixer, plain = Mixer(preset(BAND), 120.0, lanes=lanes), Mixer(preset(BAND), 120.0)
    pad = {"pad": noise(BLOCK / RATE)}
    levels = [decibels(mixer(pad, 0, []).mix[:, -500:]) - decibels(plain(pad, 0, []).mix[:, -500:])]
    assert levels[0] < -10
    treble = [np.diff(m({"hats": noise(BLOCK / RATE)}, BLOCK, []).mix) for m in (mixer, plain)]
    assert decibels(treble[0]) < decibels(treble[1]) - 15


def test_bass_is_in_the_middle():
    time = np.arange(4 * BLOCK) / RATE
    low = 0.2 * np.stack([np.sin(2 * np.pi * 50 * time), np.zeros_like(time)]).astype(np.float32)
    mixer = Mixer(preset(BAND), 120.0)
    made = np.concatenate([mixer({"bass": block}, start, []).mix for start, block in blocks(low)], axis=1)[:, BLOCK:]
    assert decibels(made[0] - made[1]) < decibels(made[0] + made[1]) - 10


@pytest.mark.parametrize("level", [0.001, 0.1, 2.0])
@pytest.mark.parametrize("crest", [11.0, 12.0])
def test_mastering_reaches_loudness_peak_and_crest(level, crest):
    music = noise(4.0, level) * (1 + 0.2 * (np.arange(4 * RATE) % 22050 < 2000))
    made = master(music, RATE, 4.0, crest)
    assert loudness(made, RATE) == pytest.approx(-14, abs=0.3)
    assert true_peak(made) <= -1.0
    assert 20 * np.log10(np.abs(made).max()) - decibels(made) <= crest + 0.7


def test_spikes_are_limited_no_further_than_they_may_be():
    music = noise(3.0, 0.001)
    music[:, 22050] = 0.9
    made = master(music, RATE, 3.0)
    assert true_peak(made) <= -1.0
    assert loudness(made, RATE) < -25
    gain = finish(music, RATE).gain
    assert 20 * np.log10(gain.max() / gain.min()) < MOST_LIMITING_DB + 1


def test_silence_stays_silence():
    assert not master(np.zeros((2, RATE), np.float32), RATE, 1.0).any()


def test_loudness_of_a_full_scale_tone_is_that_of_the_standard():
    for rate in (22050, 44100, 48000):
        tone = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate)[None]
        assert loudness(tone, rate) == pytest.approx(-3.01, abs=0.1)


def test_true_peaks_lie_between_samples():
    tone = np.sin(2 * np.pi * RATE / 4 * np.arange(4000) / RATE + np.pi / 4)[None]
    assert 20 * np.log10(np.abs(tone).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(tone[:, 500:-500]) == pytest.approx(0.0, abs=0.5)


def test_characters_change_a_mix_and_every_genre_names_known_ones():
    plain = preset("gMH")
    for genre in GENRES:
        for name in characters(genre):
            assert isinstance(preset(genre, name).bus.crest, float)
    lofi = preset("gMH", "lofi")
    assert lofi.bus.eq[: len(plain.bus.eq)] == plain.bus.eq
    assert len(lofi.bus.eq) > len(plain.bus.eq)
    assert lofi.strips["keys"].drive == plain.strips["keys"].drive + 8.0
    assert preset("gMH") == plain
