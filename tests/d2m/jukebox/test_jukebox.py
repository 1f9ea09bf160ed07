"""The JukeBox VQ-VAE gives the original's values, reads its checkpoints, works on any length, and learns."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from repository import DATA

import d2m.jukebox
from d2m.codec.base import Codec
from d2m.errors import D2MError
from d2m.jukebox import VQVAE, JukeboxCodec, VQVAEConfig
from d2m.jukebox.bottleneck import Codebook


@pytest.fixture(autouse=True)
def one_thread():
    """Small models are faster on one core, and the other may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def golden():
    return np.load(DATA / "jukebox_vqvae.npz")


@pytest.fixture(scope="module")
def golden_state() -> dict[str, torch.Tensor]:
    """The parameters behind the golden values, which follow from their names."""
    state = {}
    for name, shape in json.loads((DATA / "jukebox_vqvae_keys.json").read_text()).items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.standard_normal(shape).astype(np.float32)
        last = name.split(".")[-1]
        if last == "k":
            values *= 5.0
        elif last == "bias":
            values *= 0.02
        elif values.ndim > 1:
            values *= 1 / np.sqrt(np.prod(shape[1:]))
        state[name] = torch.from_numpy(values.astype(np.float32))
    return state


@pytest.fixture(scope="module")
def vqvae(golden_state) -> VQVAE:
    model = VQVAE().eval().requires_grad_(False)
    model.load_state_dict(golden_state, strict=True)
    return model


@pytest.fixture(scope="module")
def waveform(golden) -> torch.Tensor:
    return torch.from_numpy(golden["waveform"])[None]


def small(seed: int = 0) -> VQVAE:
    torch.manual_seed(seed)
    return VQVAE(VQVAEConfig((2, 1), (2, 2), (8, 8), (2, 2), 8, 32), seed=seed)


def relative(actual: torch.Tensor, expected: np.ndarray) -> float:
    return float(np.abs(actual.numpy() - expected).max() / np.abs(expected).max())


# The original's values --------------------------------------------------------------------------------------


def test_parameters_have_the_published_names_in_the_published_order():
    table = json.loads((DATA / "jukebox_vqvae_keys.json").read_text())
    assert [(k, list(v.shape)) for k, v in VQVAE().state_dict().items()] == list(table.items())


@pytest.mark.slow
def test_codes_are_identical_to_the_original(vqvae, waveform, golden):
    codes = vqvae.encode(waveform)
    assert [tuple(c.shape) for c in codes] == [(1, 5504), (1, 1376), (1, 344)]
    for level in range(3):
        assert np.array_equal(codes[level][0].numpy(), golden[f"codes_level{level}"])


@pytest.mark.slow
def test_encoder_output_is_the_originals(vqvae, waveform, golden):
    assert relative(vqvae.features(waveform, 2)[0], golden["encoded_level2"]) < 1e-4
    for level in (0, 1):
        assert relative(vqvae.features(waveform, level)[0, :, :64], golden[f"encoded_level{level}_first64"]) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2])
def test_decoded_audio_is_the_originals(vqvae, golden, level):
    codes = [torch.from_numpy(golden[f"codes_level{i}"].astype(np.int64))[None] for i in range(3)]
    decoded = vqvae.decode(codes, level=level)
    assert decoded.shape == (1, 44032)
    assert relative(decoded[0, :8192], golden[f"decoded_level{level}"]) < 1e-4
    assert torch.equal(vqvae.decode(codes[level:], level=level), decoded)
    assert torch.equal(vqvae.decode(codes[level], level=level), decoded)


# Any length -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("level", [0, 1, 2])
def test_chunks_leave_no_seam(level):
    torch.manual_seed(level)
    model = VQVAE(VQVAEConfig(widths=(6, 6, 6), codebook_size=256)).eval().requires_grad_(False)
    book = model.bottleneck.level_blocks[level].k.normal_()
    rng = np.random.default_rng(3)
    sound = torch.from_numpy(rng.standard_normal((1, 120_003), dtype=np.float32))
    frames = torch.from_numpy(rng.integers(len(book), size=(1, 120_000 // model.config.hops[level])))
    whole = model.features(sound, level), model.decode(frames, level), model.encode_level(sound, level)
    model.chunk = 1 << 14
    pieces = model.features(sound, level), model.decode(frames, level), model.encode_level(sound, level)
    for one, many in zip(whole[:2], pieces[:2], strict=True):
        assert one.shape == many.shape
        assert float((one - many).abs().max() / one.abs().max()) < 1e-5
    # A vector half-way between two entries may fall to either by rounding.
    assert float((whole[2] == pieces[2]).float().mean()) > 0.999


def test_the_margin_of_a_chunk_is_needed(monkeypatch):
    """The test above would notice a receptive field that is too small."""
    torch.manual_seed(0)
    model = VQVAE(VQVAEConfig(widths=(6, 6, 6), codebook_size=256)).eval().requires_grad_(False)
    sound = torch.randn(1, 60_000)
    whole = model.features(sound, 2)
    model.chunk = 1 << 14
    monkeypatch.setattr("d2m.jukebox.vqvae.encoder_reach", lambda *_: 128)
    assert float((whole - model.features(sound, 2)).abs().max() / whole.abs().max()) > 1e-5


@pytest.mark.parametrize("samples", [128, 1000, 44_100, 44_101])
def test_every_length_gives_its_whole_number_of_codes(samples):
    model = VQVAE(VQVAEConfig(widths=(4, 4, 4), depths=(1, 1, 1))).eval()
    codes = model.encode(torch.zeros(2, samples))
    assert [c.shape for c in codes] == [(2, samples // hop) for hop in (8, 32, 128)]


@pytest.mark.slow
def test_two_seconds_are_344_codes_at_the_high_level_and_1378_at_the_low():
    model = VQVAE(VQVAEConfig(widths=(4, 4, 4), depths=(1, 1, 1))).eval()
    assert JukeboxCodec(model, "high").encode(torch.zeros(1, 44_100)).shape == (1, 1, 344)
    assert JukeboxCodec(model, "low").encode(torch.zeros(1, 44_100)).shape == (1, 1, 1378)


def test_a_waveform_shorter_than_a_code_is_refused():
    with pytest.raises(ValueError, match="at least 128 samples"):
        VQVAE(VQVAEConfig(widths=(4, 4, 4), depths=(1, 1, 1))).encode_level(torch.zeros(1, 100), 2)


def test_codes_outside_the_codebook_are_refused(vqvae):
    with pytest.raises(ValueError, match=r"0\.\.2047"):
        vqvae.decode(torch.full((1, 4), 2048), level=2)


def test_a_codec_is_one_level_of_the_model(vqvae, waveform, golden):
    codec = JukeboxCodec(vqvae, "high")
    assert isinstance(codec, Codec)
    assert (codec.hop, codec.feature_size, codec.codebook_count, codec.codebook_size) == (128, 64, 1, 2048)
    codes, vectors = codec.quantise(codec.features(waveform))
    assert np.array_equal(codes[0, 0].numpy(), golden["codes_level2"])
    assert torch.equal(vectors, codec.lookup(codes))
    assert relative(codec.decode(codes)[0, :8192], golden["decoded_level2"]) < 1e-4
    assert codec.bits_per_second == pytest.approx(22050 / 128 * 11)


# Checkpoints ------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_openai_checkpoint_is_read(tmp_path, golden_state, waveform, golden):
    prefixed = {f"module.{name}": tensor for name, tensor in golden_state.items()}
    path = tmp_path / "vqvae.pth.tar"
    torch.save({"model": prefixed, "hps": {"sr": 44100, "levels": 3}, "opt": None, "step": 7}, path)
    model = d2m.jukebox.load(path)
    assert model.config == VQVAEConfig(sample_rate=44100)
    assert not model.training
    assert np.array_equal(model.encode(waveform)[2][0].numpy(), golden["codes_level2"])


@pytest.mark.slow
@pytest.mark.parametrize("zipped", [False, True], ids=["old format", "zip format"])
def test_d2m_gan_checkpoint_is_read(tmp_path, golden_state, zipped):
    torch.save(golden_state, tmp_path / "vqvae_high.pt", _use_new_zipfile_serialization=zipped)
    model = d2m.jukebox.load(tmp_path / "vqvae_high.pt")
    assert model.config == VQVAEConfig()
    assert all(torch.equal(model.state_dict()[k], v) for k, v in golden_state.items())


def test_our_file_brings_back_the_model(tmp_path):
    model = small().eval()
    d2m.jukebox.save(model, tmp_path / "small.safetensors", half=False)
    again = d2m.jukebox.load(tmp_path / "small.safetensors")
    assert again.config == model.config
    assert all(torch.equal(again.state_dict()[k], v) for k, v in model.state_dict().items())


def test_the_shape_is_told_from_the_parameters(tmp_path):
    model = small()
    torch.save(model.state_dict(), tmp_path / "small.pt")
    assert d2m.jukebox.load(tmp_path / "small.pt").config == model.config


class _Evil:
    def __reduce__(self):
        return (Path.touch, (Path("d2m-was-here"),))


def test_a_malicious_pickle_is_refused_and_does_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"model": _Evil()}, "zip.pt")
    torch.save({"model": _Evil()}, "old.pt", _use_new_zipfile_serialization=False)
    Path("bare.pt").write_bytes(pickle.dumps(_Evil()))
    for name in ("zip.pt", "old.pt", "bare.pt"):
        with pytest.raises(D2MError, match=name):
            d2m.jukebox.load(name)
    assert not Path("d2m-was-here").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, zipped, share):
    path = tmp_path / "vqvae.pt"
    torch.save(small().state_dict(), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(D2MError):
        d2m.jukebox.load(path)


def test_another_models_weights_are_named(tmp_path):
    torch.save({"genre_embed.weight": torch.zeros(3), "lin.weight": torch.zeros(3)}, tmp_path / "netG.pt")
    with pytest.raises(D2MError, match="holds a D2M-GAN generator, but a JukeBox VQ-VAE is needed"):
        d2m.jukebox.load(tmp_path / "netG.pt")
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.pt")
    with pytest.raises(D2MError, match="unknown model.*conv1.weight"):
        d2m.jukebox.load(tmp_path / "resnet.pt")


def test_missing_misshapen_and_broken_parameters_are_named(tmp_path):
    for change, message in (
        (lambda s: s.pop("decoders.1.out.bias"), r"lacks parameter 'decoders.1.out.bias'"),
        (lambda s: s.pop("bottleneck.level_blocks.0.k"), "lacks parameters"),
        (
            lambda s: s.update({"decoders.0.out.bias": torch.zeros(2)}),
            r"'decoders.0.out.bias' has shape \(2,\)",
        ),
        (lambda s: s.update({"decoders.0.out.bias": torch.full((1,), np.nan)}), "not finite"),
        (lambda s: s.update({"decoders.0.out.extra": torch.zeros(1)}), "unexpected"),
    ):
        state = dict(small().state_dict())
        change(state)
        torch.save(state, tmp_path / "model.pt")
        with pytest.raises(D2MError, match=message):
            d2m.jukebox.load(tmp_path / "model.pt")


@pytest.mark.parametrize("change", [{"widths": [8]}, {"widths": "wide"}, {"codebook_size": 1 << 40}, {"surprise": 1}])
def test_a_header_with_an_impossible_shape_is_refused(tmp_path, change):
    from d2m.weights import save_state

    save_state(tmp_path / "w.safetensors", small().state_dict(), "jukebox-vqvae", small().config.to_dict() | change)
    with pytest.raises(D2MError, match="configuration"):
        d2m.jukebox.load(tmp_path / "w.safetensors")


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(D2MError, match="cannot read"):
            d2m.jukebox.load(path)


# Learning ---------------------------------------------------------------------------------------------------


def test_the_codebook_starts_from_what_it_sees():
    book = Codebook(16, 4).train()
    seen = torch.randn(2, 4, 40, generator=torch.Generator().manual_seed(1)) + 5
    book(seen)
    assert float(book.k.mean()) == pytest.approx(5, abs=0.5)


def test_the_codebook_moves_to_the_means_of_its_clusters():
    rng = np.random.default_rng(0)
    centres = torch.tensor([[-3.0, 0.0], [3.0, 0.0], [0.0, 3.0], [0.0, -3.0]])
    book = Codebook(4, 2, decay=0.9, threshold=1.0).train()
    book.k.copy_(centres * 0.4)
    for _ in range(100):
        points = centres[torch.from_numpy(rng.integers(4, size=64))]
        noise = torch.from_numpy(rng.standard_normal((64, 2), dtype=np.float32)) * 0.1
        book((points + noise).T[None])
    assert torch.allclose(book.k, centres, atol=0.05)


def test_dead_entries_are_restarted_from_the_data():
    book = Codebook(8, 2, threshold=0.5).train()
    book.k.fill_(100.0)
    book.k[0] = 0.0
    x = torch.randn(1, 2, 64, generator=torch.Generator().manual_seed(0))
    shares = [book(x).used for _ in range(400)]
    assert min(shares) < 1.0
    assert float(book.k.abs().max()) < 5.0


def test_evaluation_leaves_the_codebook_alone():
    book = Codebook(8, 2).eval()
    book.k.normal_(generator=torch.Generator().manual_seed(0))
    before = book.k.clone()
    book(torch.randn(1, 2, 64))
    assert torch.equal(book.k, before)


def test_gradients_pass_the_bottleneck():
    model = small().train()
    first = model(torch.randn(2, 256) * 0.1)[1]
    (first.waveform.square().mean() + first.commitment).backward()
    assert float(model.encoders[1].level_blocks[0].model[0][0].weight.grad.abs().sum()) > 0
