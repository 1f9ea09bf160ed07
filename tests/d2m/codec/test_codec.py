"""The spectral codec and what it is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from d2m import codec as codecs
from d2m import weights
from d2m.codec.losses import SpectralLoss
from d2m.codec.quantiser import ResidualQuantiser
from d2m.codec.spectral import SpectralCodec, SpectralConfig
from d2m.codec.tones import ToneBank
from d2m.errors import D2MError
from d2m.load_librosa import load_librosa
from d2m.nn.mel import InverseStft, LogMel, Stft, mel_filters

SMALL = SpectralConfig(
    encoder_channels=32, encoder_blocks=2, decoder_channels=32, decoder_blocks=2, feature_size=16, codebook_count=3,
    codebook_size=32,
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> SpectralCodec:
    torch.manual_seed(0)
    codec = SpectralCodec(SMALL).eval().requires_grad_(False)
    codec.quantiser.start(torch.randn(500, 16))
    return codec


def chord(seconds: float, rate: int = 22050) -> np.ndarray:
    """A decaying chord struck twice a second."""
    t = np.arange(int(seconds * rate)) / rate
    tones = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((110.0, 220.0, 277.18, 329.63, 440.0)))
    return (0.2 * tones * np.exp(-4 * (t % 0.5))).astype(np.float32)


def test_mel_filters_are_those_of_librosa():
    librosa = load_librosa()
    for n_fft, n_mels in ((1024, 80), (2048, 128)):
        reference = librosa.filters.mel(sr=22050, n_fft=n_fft, n_mels=n_mels)
        np.testing.assert_allclose(mel_filters(22050, n_fft, n_mels).numpy(), reference, atol=1e-6)


def test_inverse_stft_returns_the_signal():
    x = torch.randn(2, 256 * 40)
    for n_fft in (1024, 2048):
        y = InverseStft(n_fft, 256)(Stft(n_fft, 256)(x))
        inner = slice(n_fft, -n_fft)
        torch.testing.assert_close(y[:, inner], x[:, inner], atol=1e-4, rtol=1e-4)


def test_tones_sound_at_their_notes_and_go_on_across_chunks():
    bank = ToneBank(22050, 256)
    gains = torch.zeros(1, 128, bank.count)
    gains[..., 69 - 23] = 0.5
    wave = bank(gains, torch.tensor([0]))[0]
    spectrum = torch.fft.rfft(wave[4000:20384] * torch.hann_window(16384)).abs()
    assert abs(float(spectrum.argmax()) * 22050 / 16384 - 440) < 1.5
    assert abs(float(wave[1000:-1000].abs().max()) - 0.5) < 0.03
    second = bank(gains[:, :64], torch.tensor([64 * 256]))[0]
    torch.testing.assert_close(wave[64 * 256 + 300 : -300], second[300:-300], atol=1e-4, rtol=0)


def test_residual_quantiser_gets_closer_with_each_codebook():
    torch.manual_seed(0)
    vectors = torch.randn(4000, 8)
    errors = []
    for count in (1, 2, 4):
        quantiser = ResidualQuantiser(count, 64, 8)
        quantiser.start(vectors)
        codes, quantised = quantiser.quantise(vectors.T[None])
        torch.testing.assert_close(quantiser.lookup(codes), quantised, atol=1e-5, rtol=1e-5)
        errors.append(float((quantised - vectors.T[None]).square().mean()))
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]


def test_unused_entries_are_restarted():
    quantiser = ResidualQuantiser(1, 32, 4)
    quantiser.codebooks[0] = 100.0
    quantiser.codebooks[0, 0] = 0.0
    features = torch.randn(1, 4, 500)
    for _ in range(150):
        quantiser.follow(features, quantiser.quantise(features)[0])
    assert len(quantiser.quantise(features)[0].unique()) > 16


def test_codec_shapes_and_frames(small):
    wave = torch.randn(2, 256 * 30 + 100) * 0.1
    codes = small.encode(wave)
    assert codes.shape == (2, 3, 30)
    assert codes.dtype == torch.int64
    assert small.decode(codes).shape == (2, 30 * 256)


def test_decoding_in_chunks_gives_the_same_samples(small):
    codes = torch.randint(0, 32, (1, 3, 300))
    vectors = small.lookup(codes)
    whole = small.decode_features(vectors, chunk=1000)
    pieces = small.decode_features(vectors, chunk=64)
    torch.testing.assert_close(pieces, whole, atol=1e-5, rtol=1e-4)


def test_loss_is_zero_for_the_target_and_sees_a_wrong_note():
    loss = SpectralLoss()
    target = torch.from_numpy(chord(1.0))[None]
    assert float(loss(target, target)["total"]) == 0.0
    wrong = torch.from_numpy(np.interp(np.arange(22050) * 1.06, np.arange(22050), chord(1.0)).astype(np.float32))[None]
    assert float(loss(wrong, target)["low"]) > 0.1


def test_shipped_codec_keeps_the_music():
    codec = codecs.load("studio-codec")
    wave = torch.from_numpy(chord(4.0))[None]
    frames = wave.shape[1] // 256 * 256
    decoded = codec.decode(codec.encode(wave))
    mel = LogMel(22050, 1024, 256, 80)
    noise = torch.randn(1, frames) * wave.std()
    kept = float((mel(decoded) - mel(wave[:, :frames])).abs().mean())
    assert kept < 0.5 * float((mel(noise) - mel(wave[:, :frames])).abs().mean())


@pytest.mark.slow
def test_shipped_codec_keeps_the_pitch_of_the_bass():
    from d2m.symbolic.sound import render
    from d2m.types import BeatGrid, Part, Score

    pitches = np.array([31, 38, 36, 43, 33, 40, 28, 35])
    starts = np.arange(8) * 2.0
    part = Part("bass", 33, starts, starts + 1.8, pitches, np.full(8, 100))
    wave = torch.from_numpy(render(Score((part,), BeatGrid.steady(120, 8.0), 8.0), 22050))
    codec = codecs.load("studio-codec")
    decoded = codec.decode(codec.encode(wave))
    right = [strongest_note(decoded[0, i * 22050 + 2000 : i * 22050 + 19000], pitch) for i, pitch in enumerate(pitches)]
    assert np.mean(right) >= 0.75


def strongest_note(sound: torch.Tensor, pitch: int) -> bool:
    """Do the first four harmonics of ``pitch`` hold more than those of the notes up to three semitones away?"""
    spectrum = torch.fft.rfft(sound * torch.hann_window(len(sound)), 65536).abs()
    held = {}
    for step in range(-3, 4):
        fundamental = 440 * 2 ** ((pitch + step - 69) / 12)
        held[step] = sum(float(spectrum[round(fundamental * h * 65536 / 22050)]) for h in (1, 2, 3, 4))
    return max(held, key=held.get) == 0


@pytest.mark.parametrize(
    "forged", [{"decoder_channels": 10**9}, {"decoder_blocks": 10**9}, {"hop": "256"}, {"hop": -1}]
)
def test_a_forged_configuration_takes_no_memory(tmp_path, small, forged):
    path = tmp_path / "forged.safetensors"
    weights.save_state(path, small.state_dict(), "spectral-codec", small.settings() | forged)
    with pytest.raises(D2MError, match="does not fit"):
        codecs.load(path)
