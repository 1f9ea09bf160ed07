"""D2M-GAN's models give the authors' values, read their files, and run where the published ones do not."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from repository import DATA

from d2m.errors import D2MError
from d2m.generator import load_d2m_gan
from d2m.generator.d2m_gan import D2MGAN, DATASETS, LEVELS, MODALITIES, D2MGANConfig, NormedConv1d, VQGenerator
from d2m.generator.d2m_gan_checkpoint import check_part, save_d2m_gan
from d2m.generator.d2m_gan_discriminator import D2MGANDiscriminator

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread():
    """Small models are faster on one core, and the other may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def tables() -> dict[str, dict[str, list[int]]]:
    return json.loads((DATA / "d2m_gan_keys.json").read_text())


@pytest.fixture(scope="module")
def golden():
    """What the original research code gives, every 16th frame of the long outputs."""
    return np.load(DATA / "d2m_gan.npz")


@pytest.fixture(scope="module")
def state(tables):
    """A function that makes the parameters behind the golden values, which follow from their names."""

    def make(table: str) -> dict[str, torch.Tensor]:
        made = {}
        for name, shape in tables[table].items():
            rng = np.random.default_rng(zlib.crc32(name.encode()))
            values = rng.standard_normal(shape).astype(np.float32)
            last = name.split(".")[-1]
            if last == "bias":
                values *= 0.02
            elif last == "weight_g":
                values = np.abs(values) * 0.1 + 0.9
            elif values.ndim > 1:
                values *= 1 / np.sqrt(np.prod(shape[1:]))
            made[name] = torch.from_numpy(values.astype(np.float32))
        return made

    return make


@pytest.fixture(scope="module")
def files(state, tmp_path_factory) -> Path:
    """The golden parameters as the authors' files: bare, inside a dictionary, and from data-parallel training."""
    folder = tmp_path_factory.mktemp("published")
    torch.save(state("aist_motion_encoder"), folder / "aist_mencoder.pt")
    torch.save(state("aist_generator_high"), folder / "aist_netG.pt")
    torch.save({"state_dict": state("tiktok_motion_encoder")}, folder / "tiktok_mencoder.pt")
    inside = {f"module.{name}": value for name, value in state("tiktok_generator_high").items()}
    torch.save({"model": inside, "step": 7}, folder / "tiktok_netG.pt")
    return folder


@pytest.fixture(scope="module")
def aist(files) -> D2MGAN:
    return load_d2m_gan(files / "aist_mencoder.pt", files / "aist_netG.pt")


def close(found: torch.Tensor, wanted: np.ndarray) -> bool:
    """Within 1e-3 of every value, or of the deviation of all where a value is near 0."""
    scale = np.maximum(np.abs(wanted), wanted.std())
    return found.shape == wanted.shape and bool((np.abs(found.numpy() - wanted) <= 1e-3 * scale).all())


@torch.no_grad()
def test_high_level_on_aist_gives_the_original_values(aist, golden):
    motion, visual = torch.from_numpy(golden["aist_motion"]), torch.from_numpy(golden["aist_visual"])[:, 0]
    assert close(aist.motion_encoder(motion), golden["aist_motion_encoded"])
    genre = torch.from_numpy(golden["genre_onehot"]).argmax(1)
    made = aist(motion, visual, genre)
    assert made.shape == (1, 64, 344)
    assert close(made[..., ::16], golden["aist_vq_high"])


@torch.no_grad()
def test_high_level_on_tiktok_gives_the_original_values(files, golden):
    model = load_d2m_gan(files / "tiktok_mencoder.pt", files / "tiktok_netG.pt")
    assert (model.config.dataset, model.config.level, model.config.seconds) == ("tiktok", "high", 2.0)
    motion, visual = torch.from_numpy(golden["tiktok_motion"]), torch.from_numpy(golden["tiktok_visual"])[:, 0]
    assert close(model.motion_encoder(motion), golden["tiktok_motion_encoded"])
    assert close(model(motion, visual, None)[..., ::16], golden["tiktok_vq_high"])


@torch.no_grad()
def test_low_level_gives_the_original_values_and_runs_on_tiktok_too(aist, state, golden):
    """The two low-level networks have all parameters but three in common, so one set serves both tests."""
    shared = state("aist_generator_low")
    low = VQGenerator(D2MGANConfig(level="low")).eval()
    low.load_state_dict(shared, strict=True)
    fused = torch.cat([torch.from_numpy(golden["aist_motion_encoded"]), torch.from_numpy(golden["aist_visual"])], 2)
    genre = torch.from_numpy(golden["genre_onehot"]).argmax(1)
    made = low(fused, genre)
    assert made.shape == (1, 64, 1378)
    assert close(made[..., ::16], golden["aist_vq_low"])

    tiktok = VQGenerator(D2MGANConfig("tiktok", "low")).eval()
    for name in ("lin.weight", "lin.bias", "genre_embed.weight"):
        del shared[name]
    tiktok.load_state_dict(shared, strict=True)
    # Nothing of its input may be lost on the way: the cut is the same at both ends, and the first values are heard.
    changed = fused.clone()
    changed[..., :30] += 1.0
    made = tiktok(torch.cat([fused, changed]))
    assert made.shape == (2, 64, 1378)
    assert float((made[0] - made[1]).abs().max()) > 1e-3


@torch.no_grad()
def test_discriminator_gives_the_original_values_and_maps(aist, state, golden):
    model = D2MGANDiscriminator().eval()
    model.load_state_dict(state("discriminator"), strict=True)
    motion, visual = torch.from_numpy(golden["aist_motion"]), torch.from_numpy(golden["aist_visual"])[:, 0]
    features = aist(motion, visual, torch.from_numpy(golden["genre_onehot"]).argmax(1))
    for scale, (logits, maps) in enumerate(model(features)):
        assert close(logits, golden[f"disc_{scale}_logits"])
        for number, found in enumerate([*maps, logits]):
            assert list(found.shape) == golden[f"disc_{scale}_{number}_shape"].tolist()


@torch.no_grad()
def test_long_outputs_in_full(shared, aist):
    """Every frame, where the data folder is at hand."""
    full = np.load(shared / "golden" / "d2m_gan.npz")
    genre = torch.from_numpy(full["genre_onehot"]).argmax(1)
    made = aist(torch.from_numpy(full["aist_motion"]), torch.from_numpy(full["aist_visual"])[:, 0], genre)
    assert close(made, full["aist_vq_high"])


def test_names_shapes_and_order_of_every_published_table(tables):
    with torch.device("meta"):
        for dataset in DATASETS:
            for level in LEVELS:
                model = D2MGAN(D2MGANConfig(dataset, level))
                for part, table in (
                    (model.motion_encoder, f"{dataset}_motion_encoder"),
                    (model.generator, f"{dataset}_generator_{level}"),
                ):
                    found = {name: list(value.shape) for name, value in part.state_dict().items()}
                    assert list(found.items()) == list(tables[table].items())
        found = {name: list(value.shape) for name, value in D2MGANDiscriminator().state_dict().items()}
        assert list(found.items()) == list(tables["discriminator"].items())


@pytest.mark.parametrize("seconds", [2.5, 6])
def test_every_ablation_can_be_built_and_run(seconds):
    with torch.device("meta"):
        for dataset in DATASETS:
            for level in LEVELS:
                for modality in MODALITIES:
                    config = D2MGANConfig(dataset, level, seconds, modality, sigma=1.0)
                    shape = (2, config.motion_frames, config.data.motion_size)
                    genre = torch.zeros(2, dtype=torch.long)
                    made = D2MGAN(config)(torch.zeros(shape), torch.zeros(2, 2048), genre)
                    assert made.shape == (2, 64, int(seconds * 22050) // config.hop)


def test_discriminator_ablations_change_what_it_sees():
    features = torch.randn(2, 64, 344)
    for scales in (1, 2, 3):
        assert len(D2MGANDiscriminator(scales)(features)) == scales
    logits, maps = D2MGANDiscriminator(1, reshaping=False)(features)[0]
    assert maps[0].shape == (2, 32, 343)
    assert logits.shape[:2] == (2, 1)
    with pytest.raises(ValueError, match="1 to 3 scales"):
        D2MGANDiscriminator(4)


@torch.no_grad()
def test_sigma_is_the_only_thing_between_scaled_and_unscaled(aist, golden):
    plain = VQGenerator(D2MGANConfig(sigma=1.0)).eval()
    plain.load_state_dict(aist.generator.state_dict())
    fused = torch.randn(1, 1, 3072)
    genre = torch.tensor([2])
    assert torch.allclose(plain(fused, genre) * 100, aist.generator(fused, genre), rtol=1e-5)
    assert float(plain(fused, genre).abs().max()) <= 1


def test_weight_normalisation_is_that_of_pytorch_and_trains():
    ours = NormedConv1d(4, 6, 3, dilation=2)
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(4, 6, 3, dilation=2))
    # PyTorch reads the old spelling, too.
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 4, 20)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)
    ours(x).square().sum().backward()
    theirs(x).square().sum().backward()
    assert torch.allclose(ours.weight_g.grad, theirs.parametrizations.weight.original0.grad, rtol=1e-4, atol=1e-5)


# Files --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_our_own_files_say_what_they_are(aist, files, tmp_path):
    aist.codec, aist.codebook = "studio-vqvae", "abc"
    try:
        save_d2m_gan(aist, tmp_path / "m.safetensors", tmp_path / "g.safetensors")
    finally:
        aist.codec = aist.codebook = ""
    model = load_d2m_gan(tmp_path / "m.safetensors", tmp_path / "g.safetensors")
    assert model.config == aist.config
    assert (model.codec, model.codebook) == ("studio-vqvae", "abc")
    fused, genre = torch.randn(1, 1, 3072), torch.tensor([1])
    before, after = aist.generator(fused, genre), model.generator(fused, genre)
    assert float((before - after).abs().mean()) < 0.01 * float(before.abs().mean())
    check_part(tmp_path / "m.safetensors")
    # One of ours goes with one of theirs.
    assert load_d2m_gan(files / "aist_mencoder.pt", tmp_path / "g.safetensors").config == aist.config


def test_parts_of_different_models_are_refused(files, tmp_path):
    for encoder, generator, message in (
        ("aist_mencoder.pt", "tiktok_netG.pt", "encoder for AIST.*generator for TikTok.*same model"),
        ("tiktok_mencoder.pt", "aist_netG.pt", "encoder for TikTok.*generator for AIST"),
        ("aist_netG.pt", "aist_mencoder.pt", "holds a D2M-GAN generator, but a D2M-GAN motion encoder is needed"),
        (None, "aist_netG.pt", "needs the motion encoder"),
    ):
        with pytest.raises(D2MError, match=message):
            load_d2m_gan(None if encoder is None else files / encoder, files / generator)


def few(config: D2MGANConfig, folder: Path, name: str, **header) -> tuple[Path, Path]:
    """A model's two files with no more parameters than tell what they are."""
    from d2m.weights import save_state

    encoder = {"lin1.weight": torch.zeros(800, config.data.motion_size), "lin2.bias": torch.zeros(1024)}
    encoder["model.0.weight"] = torch.zeros(256, config.motion_frames, 6)
    generator = {"lin.weight": torch.zeros(4, 3072), "model.0.bias": torch.zeros(32)}
    paths = folder / f"{name}-m.safetensors", folder / f"{name}-g.safetensors"
    save_state(paths[0], encoder, "d2m-gan-motion-encoder", config.to_dict() | header)
    save_state(paths[1], generator, "d2m-gan-generator", config.to_dict() | header)
    return paths


def test_levels_and_lengths_that_do_not_go_together_are_refused(tmp_path):
    two, _ = few(D2MGANConfig("tiktok"), tmp_path, "two")
    _, six = few(D2MGANConfig("tiktok", seconds=6), tmp_path, "six")
    with pytest.raises(D2MError, match=r"reads 2 s of motion, but .* makes 6 s"):
        load_d2m_gan(two, six)
    with pytest.raises(D2MError, match=r"trained for the high level, .* for the low one"):
        load_d2m_gan(two, few(D2MGANConfig("tiktok", "low"), tmp_path, "low")[1])


def test_a_header_cannot_ask_for_more_than_the_file_holds(tmp_path):
    encoder, generator = few(D2MGANConfig("tiktok"), tmp_path, "forged", seconds=6.0, level="low")
    with pytest.raises(D2MError, match="reads 2 s of motion, but .* makes 6 s"):
        load_d2m_gan(encoder, generator)
    _, generator = few(D2MGANConfig("tiktok"), tmp_path, "absurd", seconds=1e9)
    with pytest.raises(D2MError, match="2 to 6 seconds"):
        load_d2m_gan(encoder, generator)
    encoder, generator = few(D2MGANConfig("tiktok"), tmp_path, "short")
    with pytest.raises(D2MError, match="lacks parameter"):
        load_d2m_gan(encoder, generator)


def test_unsafe_damaged_and_other_files_are_one_line(files, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    torch.save({"genre_embed.weight": Bomb()}, tmp_path / "evil.pt")
    with pytest.raises(D2MError, match="contains code that would run"):
        load_d2m_gan(files / "aist_mencoder.pt", tmp_path / "evil.pt")
    assert not (tmp_path / "boom").exists()
    whole = (files / "aist_netG.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(D2MError, match="damaged"):
        load_d2m_gan(files / "aist_mencoder.pt", tmp_path / "cut.pt")
    torch.save(
        {"conv1.weight": torch.zeros(3), "layer1.0.x": torch.zeros(1), "fc.weight": torch.zeros(1)}, tmp_path / "r.pt"
    )
    with pytest.raises(D2MError, match="holds a ResNet for pictures, but a D2M-GAN generator is needed"):
        load_d2m_gan(files / "aist_mencoder.pt", tmp_path / "r.pt")
    torch.save({"bottleneck.level_blocks.0.k": torch.zeros(3)}, tmp_path / "vqvae.pt")
    with pytest.raises(D2MError, match="holds a JukeBox VQ-VAE, but a D2M-GAN motion encoder is needed"):
        load_d2m_gan(tmp_path / "vqvae.pt", files / "aist_netG.pt")


def test_a_parameter_that_is_missing_or_not_finite_is_named(files, state, tmp_path):
    table = state("tiktok_motion_encoder")
    gone = table.pop("model.2.shortcut.weight_g")
    torch.save(table, tmp_path / "m.pt")
    with pytest.raises(D2MError, match=r"lacks parameter 'model.2.shortcut.weight_g'"):
        load_d2m_gan(tmp_path / "m.pt", files / "tiktok_netG.pt")
    torch.save(table | {"model.2.shortcut.weight_g": gone * float("nan")}, tmp_path / "m.pt")
    with pytest.raises(D2MError, match="not finite"):
        load_d2m_gan(tmp_path / "m.pt", files / "tiktok_netG.pt")


def test_input_of_another_shape_is_named(aist):
    with pytest.raises(ValueError, match="needs motion of B x 120 x 219, not of 1 x 60 x 75"):
        aist(torch.zeros(1, 60, 75), torch.zeros(1, 2048), torch.tensor([0]))
    with pytest.raises(ValueError, match="needs visual features"):
        aist(torch.zeros(1, 120, 219), None, torch.tensor([0]))
    with pytest.raises(ValueError, match="needs a genre"):
        aist(torch.zeros(1, 120, 219), torch.zeros(1, 2048))
