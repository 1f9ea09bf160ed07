"""Weights files and cards: written whole, read back, checked, refused when they are not what is needed."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from d2m import weights
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.weights import Card
from d2m.weights.checkpoint import load_checkpoint, state_of
from d2m.weights.recognise import recognise


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"a.weight": torch.randn(4, 3, generator=generator), "a.count": torch.tensor([7])}


def card_for(path, **changes) -> Card:
    values = {
        "name": "demo-codec",
        "kind": "spectral-codec",
        "architecture": 'a "small" codec',
        "data": "rendered music\nof two kinds",
        "licence": "MIT",
        "command": "d2m train codec --seed 3",
        "seed": 3,
        "steps": 1000,
        "sha256": sha256_of(path),
        "file": path.name,
        "config": {"hop": 256, "sizes": [1, 2.5], "nested": {"on": True}},
        "scores": {"log-mel L1, 10 songs": 0.16},
    }
    return Card(**{**values, **changes})


@pytest.fixture
def shipped(tmp_path, tensors, monkeypatch):
    """A folder of weights that stands in for the package's own."""
    monkeypatch.setattr("d2m.weights.store.FOLDER", tmp_path)
    for name, kind in (("demo-codec", "spectral-codec"), ("demo-generator", "generator")):
        path = tmp_path / f"{name}.safetensors"
        weights.save_state(path, tensors, kind, {"hop": 256})
        card_for(path, name=name, kind=kind).write(tmp_path / f"{name}.toml")
    return tmp_path


def test_state_comes_back_in_float32_with_its_configuration(tmp_path, tensors):
    path = tmp_path / "w.safetensors"
    weights.save_state(path, tensors, "generator", {"width": 8, "levels": [1, 2]})
    state, config = weights.load_state(path, "generator")
    assert config == {"width": 8, "levels": [1, 2]}
    assert state["a.weight"].dtype == torch.float32
    assert state["a.count"].dtype == torch.int64
    assert torch.allclose(state["a.weight"], tensors["a.weight"], atol=2e-3)


def test_half_precision_is_half_the_size_and_keeps_large_values(tmp_path):
    big = {"w": torch.randn(10_000), "huge": torch.tensor([1e6])}
    weights.save_state(tmp_path / "half.safetensors", big, "generator", {})
    weights.save_state(tmp_path / "full.safetensors", big, "generator", {}, half=False)
    assert (tmp_path / "half.safetensors").stat().st_size < 0.52 * (tmp_path / "full.safetensors").stat().st_size
    assert float(weights.load_state(tmp_path / "half.safetensors", "generator")[0]["huge"]) == 1e6


def test_values_that_are_not_finite_are_not_saved(tmp_path):
    with pytest.raises(D2MError, match="not finite"):
        weights.save_state(tmp_path / "w.safetensors", {"w": torch.tensor([float("nan")])}, "generator", {})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, tensors, monkeypatch):
    path = tmp_path / "w.safetensors"
    weights.save_state(path, tensors, "generator", {})
    before = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(D2MError, match="cannot write .*disk is full"):
        weights.save_state(path, tensors, "generator", {"other": 1})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_wrong_model_is_named_beside_the_one_needed(tmp_path, tensors):
    path = tmp_path / "w.safetensors"
    weights.save_state(path, tensors, "jukebox-vqvae", {})
    with pytest.raises(D2MError, match="holds a JukeBox VQ-VAE, but a spectral VQ codec is needed"):
        weights.load_state(path, "spectral-codec")
    assert weights.load_state(path, None)[0]


@pytest.mark.parametrize("keep", [0, 4, 9, 60, -1])
def test_a_truncated_file_is_refused(tmp_path, tensors, keep):
    path = tmp_path / "w.safetensors"
    weights.save_state(path, tensors, "generator", {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(D2MError, match=r"w\.safetensors"):
        weights.load_state(path, "generator")


def test_a_header_that_asks_for_memory_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{}")
    with pytest.raises(D2MError, match="header of 1099511627776 bytes"):
        weights.load_state(path, "generator")
    table = {"w": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}
    header = json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(D2MError, match="damaged or incomplete"):
        weights.load_state(path, "generator")


def test_other_formats_and_missing_files_are_one_line(tmp_path, tensors):
    torch.save(tensors, tmp_path / "model.pt")
    (tmp_path / "text.txt").write_text("hello, this is no weights file")
    for name, message in (
        ("model.pt", "is a PyTorch file"),
        ("text.txt", "not a weights file"),
        ("no", "cannot read"),
    ):
        with pytest.raises(D2MError, match=message):
            weights.load_state(tmp_path / name, "generator")


def test_a_configuration_that_is_not_a_table_is_refused(tmp_path, tensors):
    from safetensors.torch import save_file

    for config in ("[1]", "{", "[" * 100_000):
        save_file(tensors, tmp_path / "w.safetensors", {"kind": "generator", "config": config})
        with pytest.raises(D2MError, match="configuration"):
            weights.load_state(tmp_path / "w.safetensors", "generator")


# Cards ------------------------------------------------------------------------------------------------------


def test_a_card_is_read_as_it_was_written(shipped):
    path = shipped / "demo-codec.safetensors"
    assert Card.read(shipped / "demo-codec.toml") == card_for(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not valid TOML"),
        ("name = 'x'", "needs an entry 'kind'"),
        ("name = 3", "needs an entry 'name' of type str"),
        ("a = " + "[" * 50_000, "not valid TOML"),
    ],
)
def test_a_broken_card_says_what_is_wrong(tmp_path, text, message):
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(D2MError, match=message):
        Card.read(tmp_path / "card.toml")


def test_a_card_cannot_point_out_of_its_folder(shipped):
    path = shipped / "demo-codec.safetensors"
    card_for(path, file="../../etc/passwd").write(shipped / "demo-codec.toml")
    with pytest.raises(D2MError, match="must name a file beside it"):
        weights.find("demo-codec")


def test_weights_are_found_by_name_family_and_path(shipped):
    assert [card.name for card in weights.list_cards()] == ["demo-codec", "demo-generator"]
    path, card = weights.find("demo-codec", "spectral-codec")
    assert path == shipped / "demo-codec.safetensors"
    assert card.steps == 1000
    assert weights.find("demo", "generator")[0].name == "demo-generator.safetensors"
    assert weights.find(path)[1] == card
    torch.save({}, shipped / "own.pt")
    assert weights.find(shipped / "own.pt", "generator") == (shipped / "own.pt", None)


def test_unknown_and_wrong_names_say_what_there_is(shipped):
    with pytest.raises(D2MError, match="no weights called 'nothing'; .*demo-codec, demo-generator"):
        weights.find("nothing")
    with pytest.raises(D2MError, match="'demo-codec' is a spectral VQ codec, but a music generator is needed"):
        weights.find("demo-codec", "generator")
    with pytest.raises(D2MError, match="is a folder"):
        weights.find(shipped)


def test_verify_notices_a_changed_file(shipped):
    assert weights.verify("demo-codec").name == "demo-codec"
    path = shipped / "demo-codec.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(D2MError, match="not the file that its card describes"):
        weights.verify("demo-codec")


def test_shipped_weights_are_the_ones_on_their_cards():
    cards = weights.list_cards()
    if not cards:
        pytest.skip("no weights in the package yet")
    for card in cards:
        assert weights.verify(card.name) == card
        state, _ = weights.load_state(weights.find(card.name)[0], card.kind)
        assert state


# Files from elsewhere ---------------------------------------------------------------------------------------


def test_a_packed_archive_is_refused(tmp_path, tensors):
    torch.save(tensors, tmp_path / "model.pt")
    with (
        zipfile.ZipFile(tmp_path / "model.pt") as original,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in original.namelist():
            packed.writestr(entry, original.read(entry))
    with pytest.raises(D2MError, match="compressed archive"):
        load_checkpoint(tmp_path / "packed.pt")


def test_a_checkpoint_without_parameters_is_refused(tmp_path):
    torch.save({"step": 3}, tmp_path / "model.pt")
    with pytest.raises(D2MError, match="holds no parameters"):
        state_of(load_checkpoint(tmp_path / "model.pt"), "model.pt")
    torch.save([1, 2], tmp_path / "model.pt")
    with pytest.raises(D2MError, match="holds list"):
        load_checkpoint(tmp_path / "model.pt")


def test_numbers_of_numpy_are_data_and_its_objects_are_not(tmp_path):
    held = {"rate": np.float64(0.25), "step": np.int64(7), "w": torch.zeros(2)}
    for zipped in (True, False):
        torch.save(held, tmp_path / "model.pt", _use_new_zipfile_serialization=zipped)
        content = load_checkpoint(tmp_path / "model.pt")
        assert (content["rate"], content["step"]) == (0.25, 7)
    torch.save({"w": np.array([{}], dtype=object)}, tmp_path / "model.pt")
    with pytest.raises(D2MError, match="refused"):
        load_checkpoint(tmp_path / "model.pt")


def test_models_are_recognised_by_their_parameters():
    assert recognise(["module.bottleneck.level_blocks.0.k"]) == "jukebox-vqvae"
    assert recognise(["lin1.weight", "lin2.weight", "model.1.bias"]) == "d2m-gan-motion-encoder"
    assert recognise(["fc.weight", "model.1.bias"]) == "d2m-gan-generator"
    assert recognise(["model.disc_0.model.layer_0.1.bias"]) == "discriminator"
    assert recognise(["conv1.weight"]) is None


def test_matrices_stored_in_8_bits_come_back_within_half_a_step(tmp_path):
    torch.manual_seed(0)
    state = {"wide": torch.randn(64, 128) * torch.logspace(-3, 1, 64)[:, None], "bias": torch.randn(64)}
    weights.save_state(tmp_path / "a.safetensors", state, "musicvae", {}, rows=True)
    weights.save_state(tmp_path / "b.safetensors", state, "musicvae", {})
    back, _ = weights.load_state(tmp_path / "a.safetensors", "musicvae")
    assert (tmp_path / "a.safetensors").stat().st_size < 0.65 * (tmp_path / "b.safetensors").stat().st_size
    assert back.keys() == state.keys()
    step = state["wide"].abs().amax(dim=1, keepdim=True) / 127
    assert ((back["wide"] - state["wide"]).abs() <= 0.52 * step).all()


def test_a_scale_without_its_matrix_is_damage(tmp_path):
    state = {"m.row_scale": torch.ones(4), "m": torch.ones(3, 4)}
    weights.save_state(tmp_path / "a.safetensors", state, "musicvae", {})
    with pytest.raises(D2MError, match="damaged"):
        weights.load_state(tmp_path / "a.safetensors", "musicvae")


@pytest.mark.slow
def test_loading_an_engine_does_not_import_the_compiler_of_pytorch() -> None:
    code = "import sys\nfrom d2m.engines import load\nload('vq')\nprint('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
