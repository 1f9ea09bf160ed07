"""Measures of sound and beats give the values that known signals must have."""

from __future__ import annotations

import numpy as np
import pytest

from d2m.audio.loudness import loudness
from d2m.evaluation import beats, fidelity, sound

RATE = 22050


def music(seconds: float = 8.0, seed: int = 0, tempo: float = 120.0) -> np.ndarray:
    """Plucked chords and noise bursts on a steady beat: enough like music for the measures, made in no time."""
    rng = np.random.default_rng(seed)
    out = np.zeros(int(seconds * RATE))
    period = 60 / tempo
    decay = np.exp(-np.arange(int(0.4 * RATE)) / (0.12 * RATE))
    time = np.arange(len(decay)) / RATE
    for beat in range(int(seconds / period)):
        root = 110 * 2 ** (rng.integers(12) / 12)
        tone = sum(np.sin(2 * np.pi * root * i * k * time) / k for i in (1, 1.26, 1.5) for k in range(1, 6))
        hit = 0.06 * tone * decay + 0.1 * rng.standard_normal(len(decay)) * np.exp(-time / 0.02)
        start = int(beat * period * RATE)
        out[start : start + len(hit)] += hit[: len(out) - start]
    return out.astype(np.float32)


def noise(seconds: float = 8.0, level: float = 0.1, seed: int = 1) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(int(seconds * RATE))).astype(np.float32)


def sine(hertz: float, seconds: float, rate: int, level: float = 1.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


# Against an original -------------------------------------------------------------------------------------------


def test_a_recording_is_no_distance_from_itself():
    x = music()
    assert fidelity.log_mel_l1(x, x, RATE) == 0
    assert fidelity.stft_distance(x, x, RATE) == fidelity.StftDistance(0, 0)
    assert fidelity.onset_correlation(x, x, RATE) == pytest.approx(1)


def test_log_mel_l1_counts_decades():
    x = noise(2)
    assert fidelity.log_mel_l1(x * 0.1, x, RATE) == pytest.approx(1.0, abs=0.01)
    assert fidelity.log_mel_l1(x * 0.1, x, RATE, n_mels=128, n_fft=2048, lowest=32) == pytest.approx(1.0, abs=0.01)


def test_the_lowest_mels_hear_the_bass_and_nothing_else():
    x = noise(2)
    treble = x + sine(6000, 2, RATE, 0.5)
    bass = x + sine(80, 2, RATE, 0.5)
    settings = {"n_mels": 128, "n_fft": 2048, "lowest": 32}
    # A window's side lobes leak a little of anything everywhere.
    assert fidelity.log_mel_l1(treble, x, RATE, **settings) < 0.02
    assert fidelity.log_mel_l1(bass, x, RATE, **settings) > 0.05


def test_the_evaluations_mel_agrees_with_the_training_losses_mel():
    import torch

    from d2m.nn.mel import LogMel

    a, b = music(4), noise(4)
    mel = LogMel(RATE, 1024, 256, 80)
    with torch.no_grad():
        trained = float((mel(torch.from_numpy(a)[None]) - mel(torch.from_numpy(b)[None])).abs().mean())
    assert fidelity.log_mel_l1(a, b, RATE) == pytest.approx(trained, rel=0.02)


def test_worse_copies_are_farther():
    x = music()
    rng = np.random.default_rng(0)
    near, far = (x + level * rng.standard_normal(len(x)).astype(np.float32) for level in (0.002, 0.02))
    assert 0 < fidelity.log_mel_l1(near, x, RATE) < fidelity.log_mel_l1(far, x, RATE)
    a, b = fidelity.stft_distance(near, x, RATE), fidelity.stft_distance(far, x, RATE)
    assert a.convergence < b.convergence
    assert a.log_magnitude < b.log_magnitude
    assert fidelity.onset_correlation(near, x, RATE) > fidelity.onset_correlation(noise(), x, RATE)


def test_other_onsets_do_not_correlate():
    assert fidelity.onset_correlation(music(tempo=97), music(tempo=120), RATE) < 0.3


def test_recordings_of_different_length_are_refused_and_a_codecs_padding_is_not():
    x = music(3)
    assert fidelity.log_mel_l1(x[:-200], x, RATE) == pytest.approx(0, abs=0.01)
    with pytest.raises(ValueError, match=r"3\.00"):
        fidelity.log_mel_l1(x[:RATE], x, RATE)


def test_what_is_no_waveform_is_refused():
    for bad in (np.zeros(0), np.zeros((9, 9, 9)), np.array([0.0, np.nan])):
        with pytest.raises(ValueError):
            fidelity.mono(bad)


# Sets of recordings --------------------------------------------------------------------------------------------


def test_frechet_distance_of_known_normal_distributions():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((50_000, 3))
    b = rng.standard_normal((50_000, 3)) * 2 + np.array([1.0, 0, 0])
    # |difference of means|^2 + sum of (1 - 2)^2 over the axes.
    assert fidelity.frechet_distance(a, b) == pytest.approx(1 + 3, rel=0.03)
    assert fidelity.frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert fidelity.frechet_distance(a, b, shrink=False) == pytest.approx(fidelity.frechet_distance(a, b), rel=0.01)


def test_shrinkage_makes_the_covariance_of_few_vectors_invertible_and_keeps_its_trace():
    x = np.random.default_rng(3).standard_normal((8, 12)) @ np.diag(np.arange(1, 13))
    plain, shrunk = (fidelity._moments(x, shrink)[1] for shrink in (False, True))
    assert np.linalg.matrix_rank(plain) < 12 == np.linalg.matrix_rank(shrunk)
    assert np.trace(shrunk) == pytest.approx(np.trace(plain))


@pytest.mark.slow
def test_music_is_nearer_to_music_than_music_in_pieces_and_noise():
    real, other = (fidelity.embed_all([music(9, seed=s) for s in seeds], RATE) for seeds in ((0, 1, 2), (3, 4, 5)))
    rng = np.random.default_rng(0)
    hiss = fidelity.embed_all([noise(9, seed=s) for s in (0, 1, 2)], RATE)
    chopped = []
    for seed in (6, 7, 8):
        pieces = music(9, seed=seed)[: 9 * RATE // 2205 * 2205].reshape(-1, 2205)
        chopped.append(pieces[rng.permutation(len(pieces))].ravel())
    chopped = fidelity.embed_all(chopped, RATE)
    near, middle, far = (fidelity.music_distance(x, real) for x in (other, chopped, hiss))
    assert near < middle < far


def test_the_embedding_ignores_level():
    x = music(6)
    assert np.allclose(fidelity.embed(x, RATE), fidelity.embed(x * 0.25, RATE), atol=0.02)


def test_too_little_music_cannot_be_embedded():
    with pytest.raises(ValueError, match=r"3\.0 s"):
        fidelity.embed(music(2), RATE)


# One recording -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_loudness_of_the_standards_test_tone(rate):
    """BS.1770: a 997 Hz sine at full scale in one channel reads -3.01 LUFS."""
    assert loudness(sine(997, 5, rate)[None], rate) == pytest.approx(-3.01, abs=0.05)
    stereo = np.stack([sine(997, 5, rate, 10 ** (-23 / 20))] * 2)
    assert loudness(stereo, rate) == pytest.approx(-23.0, abs=0.06)


def test_loudness_gates_silence():
    """EBU Tech 3341, case 3: the quiet parts around a tone at -23 LUFS do not count."""
    parts = [(-36, 10), (-23, 60), (-36, 10)]
    tone = np.concatenate([sine(1000, seconds, RATE, 10 ** (level / 20)) for level, seconds in parts])
    assert sound.levels(np.stack([tone, tone]), RATE).loudness_lufs == pytest.approx(-23.0, abs=0.1)


def test_levels_see_clipping_silence_and_unsteady_loudness():
    steady = music(9)
    fine = sound.levels(steady, RATE)
    assert (fine.clipped, fine.silent_seconds < 0.3) == (0, True)
    broken = np.clip(steady * 30, -1, 1)
    broken[3 * RATE : 5 * RATE] = 0
    bad = sound.levels(broken, RATE)
    assert bad.clipped > 1000
    assert bad.silent_seconds == pytest.approx(2, abs=0.15)
    assert bad.peak_dbfs == pytest.approx(0, abs=1e-3)
    fading = sound.levels(steady * np.linspace(1, 0.03, len(steady), dtype=np.float32), RATE)
    assert fading.loudness_spread > 4 * fine.loudness_spread
    assert sound.levels(np.zeros(RATE), RATE).loudness_lufs == float("-inf")


@pytest.mark.slow
def test_texture_tells_music_from_noise_and_tone():
    tone, tune, hiss = sine(440, 4, RATE, 0.3), music(4), noise(4)
    assert sound.spectral_flatness(tone) < sound.spectral_flatness(tune) < sound.spectral_flatness(hiss)
    assert sound.spectral_flatness(hiss) > 0.5
    assert sound.harmonic_salience(hiss, RATE) < 8 < 12 < sound.harmonic_salience(tune, RATE)
    assert sound.onset_strength(tune, RATE) > 3 * sound.onset_strength(hiss, RATE)
    assert sound.onset_rate(tune, RATE) == pytest.approx(2, abs=0.6)


def test_a_seam_is_heard_and_its_absence_too():
    x = music(12, tempo=113) + noise(12, 0.003)
    times = np.arange(0.73, 11.5, 1.1)
    index = (times * RATE).astype(int)
    clean = sound.seams(x, RATE, times)
    assert min(clean.p_click, clean.p_jump) > 0.02
    clicks = x.copy()
    clicks[index] += 0.05
    assert sound.seams(clicks, RATE, times).p_click < 0.01
    hops = x.copy()
    for start, end in zip(index[::2], index[1::2], strict=False):
        hops[start:end] *= 0.3
    assert sound.seams(hops, RATE, times).p_jump < 0.01
    with pytest.raises(ValueError, match="no instant"):
        sound.seams(x, RATE, np.array([0.0, 50.0]))


# Beats ---------------------------------------------------------------------------------------------------------


def test_beats_within_70_ms_are_right():
    truth = np.arange(0, 8, 0.5)
    assert beats.beat_f_measure(truth, truth + 0.06) == 1
    assert beats.beat_f_measure(truth, truth + 0.08) == 0
    assert beats.beat_f_measure(truth, truth[::2]) == pytest.approx(2 / 3)
    assert beats.beat_f_measure(truth, np.array([])) == 0


def test_beats_of_the_first_seconds_count():
    assert beats.beat_f_measure(np.array([1.0, 2.0]), np.array([1.0, 2.0])) == 1


def test_tempos_agree_within_four_per_cent():
    assert beats.tempo_ratio(90, 120) == 0.75
    assert beats.tempo_agrees(123, 120)
    assert not beats.tempo_agrees(60, 120)
    assert beats.tempo_agrees(60, 120, multiples=True)
    assert not beats.tempo_agrees(90, 120, multiples=True)
    with pytest.raises(ValueError):
        beats.tempo_ratio(0, 120)


def test_beats_are_tracked_in_music():
    tempo, found = beats.track_beats(music(12, tempo=110), RATE)
    assert beats.tempo_agrees(tempo, 110)
    assert beats.beat_f_measure(np.arange(0, 12, 60 / 110)[1:-1], found) > 0.8


@pytest.mark.parametrize(("number", "expected"), [(1, 0.8333), (2, 0.5)])
def test_coverage_and_hit_are_the_published_scripts(shared, number, expected):
    import soundfile

    folder = shared / "golden" / "beats"
    (generated, rate), (reference, _) = (
        soundfile.read(folder / f"{n}_{number}.wav") for n in ("generated", "reference")
    )
    assert rate == RATE
    assert beats.coverage_and_hit(generated, reference, RATE) == pytest.approx((expected, expected), abs=1e-4)
    assert beats.coverage_and_hit(generated, reference, RATE, "loris") == (1.0, 1.0)


def clicks(times: list[float], seconds: float = 6.0) -> np.ndarray:
    x = noise(seconds, 1e-4)
    for time in times:
        x[int(time * RATE) :][:400] += noise(1, 0.5)[:400]
    return x


def test_coverage_and_hit_count_whole_seconds():
    reference = clicks([0.5, 1.5, 3.5, 4.5])
    generated = clicks([1.2, 1.7, 2.5])
    assert list(beats.seconds_with_onsets(reference, RATE)) == [0, 1, 3, 4]
    assert beats.coverage_and_hit(generated, reference, RATE) == (0.5, 0.25)
    assert beats.coverage_and_hit(generated, reference, RATE, "loris") == (0.5, 0.25)
    assert np.isnan(beats.coverage_and_hit(generated, np.zeros(RATE * 6), RATE)).all()


def test_the_summary_is_loris_table():
    table = beats.summarise([(1.0, 0.5), (0.5, 0.5), (float("nan"), float("nan"))])
    assert (table.coverage, table.hit) == (0.75, 0.5)
    assert table.coverage_deviation == pytest.approx(np.std([1, 0.5], ddof=1))
    assert table.f1 == pytest.approx(0.6)
