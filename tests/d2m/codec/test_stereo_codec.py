"""The stereo codec: shapes, growth from the mono codec, saving, losses and a step of training."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch

from d2m import codec as codecs
from d2m import weights
from d2m.codec.reconstruct import reconstruct
from d2m.codec.spectral import SpectralCodec, SpectralConfig
from d2m.codec.stereo import StereoCodec, StereoConfig, grow, middle_side
from d2m.codec.stereo_losses import StereoLoss
from d2m.errors import D2MError
from d2m.training.stereo_audio import StereoCrops, reimaged
from d2m.training.stereo_codec import StereoTask, StereoTraining

pytestmark = pytest.mark.slow

SMALL = {
    "encoder_channels": 16, "encoder_blocks": 1, "decoder_channels": 16, "decoder_blocks": 1, "feature_size": 8,
    "codebook_count": 2, "codebook_size": 16,
}  # fmt: skip


def music(seconds: float, seed: int = 0) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 44100)) / 44100
    tones = [0.1 * np.sin(2 * np.pi * f * time + rng.random()) for f in (110, 440, 1760)]
    both = np.stack([sum(tones) + 0.02 * rng.standard_normal(len(time)) for _ in range(2)])
    return torch.from_numpy(both.astype(np.float32))[None]


@pytest.fixture(scope="module")
def small() -> StereoCodec:
    torch.manual_seed(0)
    made = StereoCodec(StereoConfig(**SMALL)).eval()
    made.quantiser.codebooks.normal_()
    return made


@torch.no_grad()
def test_codes_of_a_second_make_a_second(small):
    codes = small.encode(music(1.0))
    assert codes.shape == (1, 2, 86)
    assert small.decode(codes).shape == (1, 2, 86 * 512)


@torch.no_grad()
def test_long_music_is_decoded_in_chunks_without_a_seam(small):
    vectors = small.lookup(small.encode(music(3.0)))
    whole, parts = (small.decode_features(vectors, 1000, chunk) for chunk in (512, 50))
    np.testing.assert_allclose(parts.numpy(), whole.numpy(), atol=1e-4)


@torch.no_grad()
def test_a_grown_codec_sounds_like_the_mono_codec_in_the_middle():
    torch.manual_seed(1)
    mono = SpectralCodec(SpectralConfig(**SMALL)).eval()
    mono.quantiser.codebooks.normal_()
    grown = grow(mono, StereoConfig(**SMALL | {"encoder_blocks": 2, "decoder_blocks": 3, "codebook_count": 3})).eval()
    vectors = torch.randn(1, 8, 60)
    stereo = grown.decode_features(vectors, 0)
    middle, _ = middle_side(stereo)
    half = mono.decode_features(vectors, 0)
    low = torch.fft.rfft(middle)[..., : half.shape[-1] // 2] / 2
    same = torch.fft.rfft(half)[..., : half.shape[-1] // 2]
    # Up to 5 kHz: between there and 11 kHz the sample rates' own edges differ.
    count = same.shape[-1] * 5 // 11
    error = (low - same)[..., :count].abs().square().sum() / same[..., :count].abs().square().sum()
    assert error < 0.02


def test_weights_are_saved_and_read_and_mono_weights_grow(tmp_path, small):
    path = tmp_path / "small.safetensors"
    weights.save_state(path, small.state_dict(), "stereo-codec", small.settings())
    again = codecs.load(path)
    assert again.settings() == small.settings()
    assert torch.equal(again.encode(music(0.5)), small.encode(music(0.5)))
    assert isinstance(again, StereoCodec)


def test_the_loss_hears_what_is_panned():
    loss, both = StereoLoss(), music(1.0)
    swapped = both.flip(1) * torch.tensor([[[1.0], [0.5]]])
    assert loss(both, both)["total"] < 1e-4
    assert loss(both * 0.5, both)["mel"] > 0.2
    assert loss(swapped, both)["side"] > 0.1


def test_crops_come_from_the_disk(tmp_path):
    for number in range(2):
        soundfile.write(tmp_path / f"{number}.flac", music(2.0, number)[0].numpy().T, 44100)
    crops = StereoCrops(tmp_path)
    batch = crops.batch(np.random.default_rng(0), 3, 20480, gain_db=6)
    assert batch.shape == (3, 2, 20480)
    assert np.array_equal(batch, StereoCrops(tmp_path).batch(np.random.default_rng(0), 3, 20480, gain_db=6))
    assert 0.01 < batch.std() < 0.2


@pytest.mark.parametrize("kind", ["none", "mono", "rate", "damaged"])
def test_other_folders_are_refused(tmp_path, kind):
    wave = music(2.0)[0].numpy().T
    if kind == "mono":
        soundfile.write(tmp_path / "a.wav", wave[:, 0], 44100)
    elif kind == "rate":
        soundfile.write(tmp_path / "a.wav", wave, 22050)
    elif kind == "damaged":
        (tmp_path / "a.flac").write_bytes(b"fLaC but not really")
    with pytest.raises(D2MError):
        StereoCrops(tmp_path)


def test_the_image_of_crops_varies_and_half_of_them_are_as_they_were():
    crop, changed = music(0.2)[0].numpy(), []
    for seed in range(60):
        made = reimaged(crop, 44100, np.random.default_rng(seed))
        assert made.shape == crop.shape
        assert np.abs(made).max() <= 1.0
        changed.append(not np.array_equal(made, crop))
    assert 0.3 < np.mean(changed) < 0.7


@pytest.mark.parametrize(("channels", "rate"), [(1, 22050), (2, 44100), (2, 48000)])
def test_recordings_of_any_rate_and_channels_go_through(small, channels, rate):
    sound = np.random.default_rng(0).normal(0, 0.1, (channels, 30001)).astype(np.float32)
    through = reconstruct(small, sound, rate)
    assert through.shape == sound.shape
    assert through.dtype == np.float32
    if channels == 2 and rate == 44100:
        padded = torch.from_numpy(np.pad(sound, ((0, 0), (0, -30001 % 512))))[None]
        assert np.array_equal(through, small.decode(small.encode(padded))[0, :, :30001].numpy())


def test_training_learns(tmp_path):
    noise = np.random.default_rng(1).normal(0, 0.1, (2 * 44100, 2)) * (1.0, 0.5)
    for part in ("train", "held_out"):
        (tmp_path / part).mkdir()
        soundfile.write(tmp_path / part / "a.flac", noise, 44100)
    from lightning import Fabric

    torch.manual_seed(0)
    settings = StereoTraining(
        tmp_path / "train",
        tmp_path / "held_out",
        16,
        batch=2,
        length=16384,
        learning_rate=0.02,
        quantise_after=15,
        adversarial_after=15,
    )
    task = StereoTask(settings, StereoCodec(StereoConfig(**SMALL)))
    task.setup(Fabric(accelerator="cpu"))
    rng = np.random.default_rng(0)
    figures = [task.step(step, rng) for step in range(15)]
    assert figures[-1]["total"] < 0.8 * figures[0]["total"]
    assert 0 < task.evaluate(15)["total"] < 100
    figures.append(task.step(15, rng))
    assert task.started
    assert "adversarial" in figures[-1]
    assert "adversarial" not in figures[-2]
