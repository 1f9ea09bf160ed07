"""Speech is found, music is not taken for it, and the mix puts the voice above the music."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from d2m.audio.voice import VoiceSegment, duck, find_voice, mix_voice, presence, segments_of, voice_probability
from d2m.media import mux, open_video, read_audio
from d2m.media.write import duck as duck_under

RATE = 16000


def spoken(seconds: float, seed: int = 0) -> np.ndarray:
    """Vowels of three formants, four syllables a second, float32 (1, n), which the network takes for speech."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    out = []
    vowels = [(730, 1090, 2440), (270, 2290, 3010), (570, 840, 2410), (530, 1840, 2480), (300, 870, 2240)]
    while sum(map(len, out)) < seconds * RATE:
        count = int(RATE * rng.uniform(0.14, 0.22))
        pitch = np.linspace(rng.uniform(110, 150), rng.uniform(95, 130), count)
        phase = np.cumsum(pitch) / RATE
        wave = (np.diff(np.floor(phase), prepend=0) > 0) * 1.0 + 0.01 * rng.standard_normal(count)
        for formant in vowels[int(rng.integers(5))]:
            radius = np.exp(-np.pi * 80 / RATE)
            wave = lfilter([1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], wave)
        noise = lfilter([1, -0.9], [1], rng.standard_normal(int(RATE * 0.05))) * 0.02
        out += [wave * np.hanning(count) / np.abs(wave).max() * 0.5, noise]
    return np.concatenate(out)[None, : round(seconds * RATE)].astype(np.float32)


def music(seconds: float) -> np.ndarray:
    """Chords and a kick drum, float32 (1, n)."""
    time = np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6))
    beat = time % 0.5
    kick = np.sin(2 * np.pi * 60 * beat) * np.exp(-beat * 20)
    return (0.08 * chord + 0.4 * kick)[None].astype(np.float32)


def test_speech_is_found_where_it_is() -> None:
    silence = np.zeros((1, 2 * RATE), np.float32)
    segments = find_voice(np.concatenate([silence, spoken(2.0), silence], axis=1), RATE)
    assert len(segments) >= 1
    assert segments[0].start == pytest.approx(2.0, abs=0.3)
    assert segments[-1].end == pytest.approx(4.0, abs=0.4)
    assert all(0.4 < segment.probability <= 1.0 for segment in segments)


def test_music_and_silence_are_no_speech() -> None:
    assert find_voice(music(4.0), RATE) == ()
    assert find_voice(np.zeros((2, 3 * RATE), np.float32), RATE) == ()
    assert find_voice(np.zeros((1, 0), np.float32), RATE) == ()
    assert len(voice_probability(np.zeros((1, 100), np.float32), 44100)) == 1


def test_the_number_of_threads_stays() -> None:
    import torch

    before = torch.get_num_threads()
    find_voice(music(0.5), RATE)
    assert torch.get_num_threads() == before


def test_short_gaps_are_closed_and_short_bursts_left_out() -> None:
    frames = np.zeros(200, np.float32)
    frames[[10, 11]] = 0.9
    frames[50:80], frames[86:120] = 0.9, 0.8
    segments = segments_of(frames, 6.4)
    assert len(segments) == 1
    assert segments[0].start == pytest.approx(50 * 0.032 - 0.08, abs=1e-6)
    assert segments[0].end == pytest.approx(120 * 0.032 + 0.08, abs=1e-6)


def test_music_is_down_when_speech_begins_and_returns_after_it() -> None:
    level = np.ones((2, 10 * RATE), np.float32)
    out = duck(level, [VoiceSegment(4.0, 6.0, 0.9)], RATE, level_db=-12.0, attack=0.25, release=0.6)
    low = 10 ** (-12 / 20)
    np.testing.assert_allclose(out[:, 4 * RATE : 6 * RATE], low, atol=5e-3)
    np.testing.assert_allclose(out[:, : int(3.7 * RATE)], 1.0)
    np.testing.assert_allclose(out[:, int(6.7 * RATE) :], 1.0)
    decibels = 20 * np.log10(out[0])
    assert np.abs(np.diff(decibels)).max() < 12.0 / (0.25 * RATE) * 1.1
    assert duck(level, [], RATE) is not None
    np.testing.assert_array_equal(duck(level, [], RATE), level)


def test_between_close_segments_the_music_returns_as_far_as_there_is_time() -> None:
    curve = presence([VoiceSegment(1.0, 2.0, 1.0), VoiceSegment(2.4, 3.0, 1.0)], 5 * RATE, RATE, 0.25, 0.6)
    assert curve.shape == (5 * RATE,)
    assert 0.2 < curve[2 * RATE : int(2.4 * RATE)].min() < 0.9
    assert curve[0] == 0.0


def test_only_the_voice_is_kept_and_its_level_is_set() -> None:
    own = np.full((1, 6 * RATE), 0.2, np.float32)
    mixed = mix_voice(np.zeros((2, 6 * RATE), np.float32), own, RATE, [VoiceSegment(2.0, 3.0, 1.0)], level_db=-6.0)
    assert mixed.shape == (2, 6 * RATE)
    assert mixed[0, int(2.5 * RATE)] == pytest.approx(0.2 * 10 ** (-6 / 20), rel=1e-3)
    assert np.abs(mixed[:, : int(1.9 * RATE)]).max() == 0.0
    loud = mix_voice(np.ones((1, RATE), np.float32), np.ones((1, RATE), np.float32), RATE, [VoiceSegment(0, 1, 1.0)])
    assert np.abs(loud).max() <= 0.981


@pytest.fixture
def talking(tmp_path: Path) -> Path:
    """A video of 5 s whose sound is speech from 2 to 4 s over a steady tone."""
    import av

    path = tmp_path / "talk.mp4"
    time = np.arange(5 * RATE) / RATE
    sound = (0.05 * np.sin(2 * np.pi * 3000 * time)).astype(np.float32)[None]
    sound[:, 2 * RATE : 4 * RATE] += spoken(2.0)
    with av.open(str(path), "w") as container:
        picture, track = container.add_stream("mpeg4", rate=10), container.add_stream("aac", rate=RATE)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        track.layout = "mono"
        for index in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * index, np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        container.mux(picture.encode())
        for start in range(0, sound.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound[:, start : start + 1024]), format="fltp", layout="mono"
            )
            block.sample_rate, block.pts = RATE, start
            container.mux(track.encode(block))
        container.mux(track.encode())
    return path


def loudness_of(path: Path, frequency: float, first: float, last: float) -> float:
    """RMS of what is left of a sound around one frequency."""
    sound = read_audio(path, RATE)[0, round(first * RATE) : round(last * RATE)]
    spectrum, pitch = np.fft.rfft(sound), np.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum[np.abs(pitch - frequency) > 30] = 0
    return float(np.sqrt(np.mean(np.fft.irfft(spectrum, len(sound)) ** 2)))


@pytest.mark.slow
def test_mux_keeps_the_voice_and_leaves_out_the_rest(talking: Path, tmp_path: Path) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 1000 * np.arange(5 * 44100) / 44100)).astype(np.float32)[None]
    voice = mux(talking, tone, 44100, tmp_path / "voice.mp4", keep_audio="voice")
    everything = mux(talking, tone, 44100, tmp_path / "all.mp4", keep_audio="all", audio_level=-6.0)
    assert loudness_of(voice, 3000, 0.2, 1.4) < 0.1 * loudness_of(everything, 3000, 0.2, 1.4)
    assert loudness_of(voice, 1000, 2.5, 3.5) < 0.4 * loudness_of(voice, 1000, 0.2, 1.4)
    assert loudness_of(everything, 3000, 0.2, 1.4) == pytest.approx(0.05 / np.sqrt(2) / 2, rel=0.25)
    assert open_video(voice).has_audio


def test_a_truth_value_still_keeps_everything(talking: Path, tmp_path: Path) -> None:
    tone = np.zeros((1, 5 * 44100), np.float32)
    kept = [mux(talking, tone, 44100, tmp_path / f"{n}.mp4", keep_audio=how) for n, how in enumerate((True, "all"))]
    np.testing.assert_array_equal(*(read_audio(path, RATE) for path in kept))
    with pytest.raises(ValueError, match="keep_audio"):
        mux(talking, tone, 44100, tmp_path / "x.mp4", keep_audio="speech")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="audio_level"):
        mux(talking, tone, 44100, tmp_path / "x.mp4", keep_audio="all", audio_level=float("nan"))
    assert duck_under(tone, tone, 44100).shape == tone.shape
