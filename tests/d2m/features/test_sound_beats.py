"""Beats of sound: spectrogram, network in NumPy and PyTorch, tracker and training."""

import numpy as np
import pytest

from d2m.datasets.studio.beat_band import Band
from d2m.datasets.studio.beat_clock import Clock
from d2m.datasets.studio.beat_mix import encoded, mixed, spoiled
from d2m.datasets.studio.beat_sounds import RATE, DrumSounds, babble, crowd, open_font
from d2m.errors import D2MError
from d2m.evaluation.beats import beat_f_measure
from d2m.features.sound_beats import track_sound
from d2m.features.sound_spectrum import MELS, spectrum
from d2m.symbolic.sound import find_soundfont


@pytest.fixture(scope="module")
def band():
    font = find_soundfont()
    return Band([open_font(font)], DrumSounds([font], []))


def beat(tempo, seconds, first=0.4, rate=RATE):
    """Kick, snare and hats made from formulas, and a bass note a bar."""
    rng = np.random.default_rng(3)
    beats = np.arange(first, seconds, 60.0 / tempo)
    time = np.arange(int(seconds * rate)) / rate
    wave = 0.01 * rng.standard_normal(len(time))
    for i, at in enumerate(beats):
        after = np.clip(time - at, 0, None)
        on = time >= at
        if i % 2 == 0:
            wave += on * np.sin(2 * np.pi * (50 * after + 4 * (1 - np.exp(-30 * after)))) * np.exp(-12 * after)
        else:
            wave += on * 0.5 * rng.standard_normal(len(time)) * np.exp(-25 * after)
        for half in (0.0, 30.0 / tempo):
            after = np.clip(time - at - half, 0, None)
            wave += 0.15 * (time >= at + half) * rng.standard_normal(len(time)) * np.exp(-80 * after)
    return (0.4 * wave).astype(np.float32), beats


@pytest.mark.slow
def test_a_slow_pattern_with_eighth_notes_may_count_double_but_misses_no_beat():
    wave, beats = beat(84.0, 16)
    found = track_sound(wave, RATE)
    assert min(abs(found.tempo / 84.0 - 1), abs(found.tempo / 168.0 - 1)) < 0.02
    assert np.abs(beats[:, None] - found.beats).min(axis=1).max() < 0.07


@pytest.mark.slow
@pytest.mark.parametrize("tempo", [100.0, 120.0, 150.0])
def test_beats_of_a_drum_pattern_are_found(tempo):
    wave, beats = beat(tempo, 16)
    found = track_sound(wave, RATE)
    assert beat_f_measure(beats, found.beats) > 0.95
    assert found.tempo == pytest.approx(tempo, rel=0.02)
    assert found.confidence > 0.7
    assert found.activation.shape == (800, 2)


@pytest.mark.slow
def test_channels_and_rate_change_little():
    wave, beats = beat(110.0, 12, rate=48000)
    stereo = track_sound(np.stack([wave, 0.5 * wave]), 48000)
    assert beat_f_measure(beats, stereo.beats) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_speech_crowds_and_silence_have_no_clear_beat(seed):
    rng = np.random.default_rng(seed)
    assert track_sound(babble(10, rng), RATE).confidence < 0.4
    assert track_sound(crowd(10, rng), RATE).confidence < 0.4
    assert track_sound(np.zeros(10 * RATE, np.float32), RATE).confidence < 0.2


@pytest.mark.slow
def test_a_song_of_the_band_is_tracked_in_noise(band):
    scores = []
    for seed in (2, 4, 6):
        rng = np.random.default_rng(seed)
        song = band.play(16.0, rng)
        wave = spoiled(mixed(song, rng), rng)
        scores.append(beat_f_measure(song.beats, track_sound(wave, RATE).beats))
    assert np.median(scores) > 0.85


def test_very_short_sound_has_no_beats():
    found = track_sound(np.zeros(100, np.float32), RATE)
    assert len(found.beats) == 0
    assert found.confidence == 0.0


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 9)), np.full(RATE * 2, np.nan)])
def test_unusable_sound_is_refused(bad):
    with pytest.raises(D2MError, match="finite samples"):
        track_sound(bad, RATE)
    with pytest.raises(D2MError, match="resample"):
        track_sound(np.zeros(9000), 4000)


def test_spectrum_does_not_depend_on_level_and_marks_time():
    click = np.zeros(RATE * 2, np.float32)
    click[RATE : RATE + 40] = 1.0
    loud, soft = spectrum(click, RATE), spectrum(0.1 * click, RATE)
    assert loud.shape == (100, MELS)
    assert np.allclose(loud, soft, atol=0.05)
    assert abs(int(loud.sum(axis=1).argmax()) - 50) <= 1


def test_numpy_and_torch_compute_the_same():
    torch = pytest.importorskip("torch")
    from d2m.features.sound_forward import activations
    from d2m.features.sound_net import BeatNet, BeatNetConfig

    torch.manual_seed(1)
    net = BeatNet(BeatNetConfig(first=4, second=6, channels=8, blocks=4)).eval()
    # More frames than are computed at once.
    frames = np.random.default_rng(0).uniform(0, 8, (2300, MELS)).astype(np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(net(torch.from_numpy(frames)[None]))[0].numpy()
    found = activations(frames, {name: value.numpy() for name, value in net.state_dict().items()})
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.slow
def test_the_band_plays_on_its_beats(band):
    """Most kicks fall within a tenth of a beat of a beat; evenly spread ones would in a fifth of all cases."""
    distances = []
    for seed in range(12):
        song = band.play(12.0, np.random.default_rng(seed))
        kicks = np.array([k for k in song.strokes.get("kick", []) if song.beats[0] < k < song.beats[-1]])
        if len(kicks):
            distances.append(np.abs(kicks[:, None] - song.beats).min(axis=1) / np.median(np.diff(song.beats)))
        assert np.all(np.diff(song.downbeats) > 0)
    near = np.concatenate(distances) < 0.1
    assert near.mean() > 0.5


def test_swing_keeps_beats_in_place():
    clock = Clock(np.arange(20) * 0.5, 4, 2, 0.6, 0.66)
    assert clock.time(np.array([0.0, 1.0, 4.0])) == pytest.approx([1.0, 1.5, 3.0])
    assert float(clock.time(0.5)) == pytest.approx(1.33, abs=0.01)


def test_an_encoder_moves_nothing():
    wave, _ = beat(120.0, 4)
    back = encoded(wave, "mp3", 32000)
    assert len(back) == len(wave)
    around = [np.corrcoef(wave[2000:60000], back[2000 + k : 60000 + k])[0, 1] for k in (-220, 0, 220)]
    assert around[1] == max(around)


@pytest.mark.slow
def test_training_learns_and_resumes(tmp_path):
    pytest.importorskip("torch")
    from d2m.features.sound_net import BeatNetConfig
    from d2m.training.beats import BeatTask, BeatTraining
    from d2m.training.loop import LoopConfig, train

    wave, beats = beat(120.0, 8)
    frames = np.clip(np.rint(spectrum(wave, RATE) * 28), 0, 255).astype(np.uint8)
    arrays = {f"frames{i}": frames for i in range(2)} | {f"beats{i}": beats for i in range(2)}
    arrays |= {f"downbeats{i}": np.arange(0, len(beats), 4) for i in range(2)}
    for folder in ("train", "held_out"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "000000.npz", **arrays)

    def run(steps, limit):
        settings = BeatTraining(tmp_path, limit, batch=2, length=200, judged=1, learning_rate=0.02)
        task = BeatTask(settings, BeatNetConfig(first=4, second=4, channels=16, blocks=4))
        losses = []
        step = task.step
        task.step = lambda *a: losses.append(step(*a)) or losses[-1]
        train(task, LoopConfig(tmp_path / "run", steps, accelerator="cpu", precision="32-true", evaluate_every=10**6))
        return [figure["loss"] for figure in losses]

    losses = run(20, 40) + run(40, 40)
    assert len(losses) == 40
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_damaged_training_music_is_named(tmp_path):
    pytest.importorskip("torch")
    from d2m.training.beats import read_folder

    with pytest.raises(D2MError, match="no music with beats"):
        read_folder(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(D2MError, match="damaged"):
        read_folder(tmp_path)
