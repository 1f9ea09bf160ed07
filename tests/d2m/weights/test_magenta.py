"""Magenta's MusicVAE: its TensorFlow checkpoints are read without TensorFlow, and mean the same here."""

from __future__ import annotations

import contextlib
import gzip
import io
import runpy
import shutil
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from repository import DATA, SCRIPTS
from tf_files import MAGIC, block, entry, field, header, index_file, masked, varint, write_bundle

from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.symbolic import emotion
from d2m.symbolic.emotion import magenta
from d2m.symbolic.emotion.musicvae import FULL, HierarchicalMusicVae, MusicVaeConfig
from d2m.weights.catalogue import find_entry, home
from d2m.weights.catalogue_fetch import verify
from d2m.weights.crc32c import crc32c
from d2m.weights.tf_bundle import is_bundle, open_bundle

GENUINE = DATA / "magenta" / "magenta.ckpt"
TINY = MusicVaeConfig(3, 4, 2, False, 5, 6, 2)
KERNEL = "encoder/mu/kernel"


def random_variables(config: MusicVaeConfig, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        for name, shape in magenta.variables(config).items()
    }


@pytest.fixture
def tiny(tmp_path) -> Path:
    return write_bundle(tmp_path / "tiny.ckpt", random_variables(TINY))


def pack(prefix: Path, path: Path, mode: str = "w") -> Path:
    """The files of a checkpoint in a tar file, as Magenta publishes them."""
    with tarfile.open(path, mode) as archive:
        for file in sorted(prefix.parent.glob(prefix.name + ".*")):
            archive.add(file, f"{prefix.name}/{file.name}")
    return path


# What Magenta's own networks answer


def test_it_answers_as_magentas_own_networks_do():
    golden = np.load(GENUINE.with_suffix(".npz"))
    vae = emotion.load(GENUINE)
    assert vae.config == MusicVaeConfig(6, 5, 2, False, 4, 4, 2)
    mu, sigma = vae.encode(golden["melodies"])
    np.testing.assert_allclose(mu, golden["mu"], atol=1e-6)
    np.testing.assert_allclose(sigma, golden["sigma"], atol=1e-6)
    with torch.no_grad():
        logits = vae.network.decoder(torch.from_numpy(golden["z"]), torch.from_numpy(golden["melodies"]))
    np.testing.assert_allclose(logits[:, golden["steps"]].numpy(), golden["logits"], atol=1e-6)
    assert golden["logits"].std() > 0.1


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def cell(values: dict[str, np.ndarray], name: str, x: np.ndarray, state: tuple) -> tuple[np.ndarray, tuple]:
    """``LSTMBlockCell``: the new output, and the new (c, h)."""
    c, h = state
    i, j, f, o = np.split(np.concatenate([x, h], 1) @ values[f"{name}/kernel"] + values[f"{name}/bias"], 4, axis=1)
    c = logistic(f + 1) * c + logistic(i) * np.tanh(j)
    return logistic(o) * np.tanh(c), (c, logistic(o) * np.tanh(c))


def dense(values: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return x @ values[f"{name}/kernel"] + values[f"{name}/bias"]


def test_it_answers_as_the_equations_do_in_numpy(tiny):
    values = {name: value.astype(np.float64) for name, value in random_variables(TINY).items()}
    rng = np.random.default_rng(1)
    melodies = rng.integers(0, 90, (2, 256)).astype(np.uint8)
    heard = np.eye(90)[melodies]
    layer = heard
    for number in range(2):
        both, last = [], []
        for direction, order in (("fw", range(256)), ("bw", range(255, -1, -1))):
            name = f"encoder/cell_{number}/bidirectional_rnn/{direction}/multi_rnn_cell/cell_0/lstm_cell"
            state, out = (np.zeros((2, 4)), np.zeros((2, 4))), np.zeros((2, 256, 4))
            for step in order:
                out[:, step], state = cell(values, name, layer[:, step], state)
            both.append(out)
            last.append(state[1])
        layer = np.concatenate(both, 2)
    seen = np.concatenate(last, 1)
    vae = emotion.load(tiny)
    mu, sigma = vae.encode(melodies)
    np.testing.assert_allclose(mu, dense(values, "encoder/mu", seen), atol=1e-6)
    np.testing.assert_allclose(sigma, np.log1p(np.exp(dense(values, "encoder/sigma", seen))), atol=1e-6)

    z = rng.standard_normal((2, 3)).astype(np.float32)
    level = "decoder/hierarchical_level_0"
    c0, h0, c1, h1 = np.split(np.tanh(dense(values, f"{level}/initial_state", z)), 4, axis=1)
    low, high, told, logits = (c0, h0), (c1, h1), np.zeros((2, 90)), []
    for bar in range(3):
        said, low = cell(values, f"{level}/cell_0/lstm_cell", np.zeros((2, 1)), low)
        said, high = cell(values, f"{level}/cell_1/lstm_cell", said, high)
        c0, h0, c1, h1 = np.split(np.tanh(dense(values, "core_decoder/decoder/z_to_initial_state", said)), 4, axis=1)
        first, second, name = (c0, h0), (c1, h1), "core_decoder/decoder/multi_rnn_cell/cell_{}/lstm_cell"
        for step in range(16):
            out, first = cell(values, name.format(0), np.concatenate([told, said], 1), first)
            out, second = cell(values, name.format(1), out, second)
            logits.append(dense(values, "core_decoder/decoder/output_projection", out))
            told = heard[:, 16 * bar + step]
    with torch.no_grad():
        found = vae.network.decoder(torch.from_numpy(z), torch.from_numpy(melodies))[:, :48].numpy()
    np.testing.assert_allclose(found, np.stack(logits, 1), atol=1e-6)


def test_the_full_size_has_the_published_names_and_shapes():
    wanted = magenta.variables(FULL)
    prefix = "encoder/cell_1/bidirectional_rnn/bw/multi_rnn_cell/cell_0/lstm_cell"
    assert wanted["encoder/cell_0/bidirectional_rnn/bw/multi_rnn_cell/cell_0/lstm_cell/kernel"] == (2138, 8192)
    assert wanted[f"{prefix}/kernel"] == (6144, 8192)
    assert wanted["decoder/hierarchical_level_0/cell_0/lstm_cell/kernel"] == (1025, 4096)
    assert wanted["core_decoder/decoder/multi_rnn_cell/cell_0/lstm_cell/kernel"] == (2138, 4096)
    assert wanted["core_decoder/decoder/z_to_initial_state/kernel"] == (1024, 4096)
    assert wanted["core_decoder/decoder/output_projection/kernel"] == (1024, 90)
    assert len(wanted) == 26
    assert magenta.sizes(wanted, "x") == FULL
    with torch.device("meta"):
        parameters = sum(p.numel() for n, p in HierarchicalMusicVae(FULL).named_parameters() if "bias_hh" not in n)
    assert parameters == sum(int(np.prod(shape)) for shape in wanted.values()) == 176_061_530


def test_tar_file_name_and_safetensors_lead_to_the_same(tiny, tmp_path, monkeypatch, capsys):
    melodies = np.random.default_rng(2).integers(0, 90, (1, 256))
    expected = emotion.load(tiny).encode(melodies)[0]
    ways = [pack(tiny, tmp_path / "a.tar"), pack(tiny, tmp_path / "b.tar.gz", "w:gz"), Path(f"{tiny}.index")]
    ways.append(tmp_path / "c.safetensors")
    convert(monkeypatch, ways[0], ways[-1])
    assert "latent size 3" in capsys.readouterr().out
    for way in ways:
        np.testing.assert_array_equal(emotion.load(way).encode(melodies)[0], expected)
    with pytest.raises(SystemExit, match="error: .*not a TensorFlow checkpoint"):
        convert(monkeypatch, tmp_path / "nothing", ways[-1])
    with pytest.raises(SystemExit, match="error: .*must end in .safetensors"):
        convert(monkeypatch, ways[0], tmp_path / "a.pt")


def convert(monkeypatch, source: Path, target: Path) -> None:
    script = SCRIPTS / "convert_magenta.py"
    monkeypatch.setattr(sys, "argv", [script.name, str(source), "-o", str(target)])
    monkeypatch.syspath_prepend(str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def test_the_catalogue_checks_it_by_loading(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("D2M_HOME", str(tmp_path / "home"))
    known = find_entry("hierdec-mel_16bar")
    assert known is not None
    known.path.parent.mkdir(parents=True)
    pack(tiny, known.path)
    with pytest.raises(D2MError, match="of other sizes than hierdec-mel_16bar"):
        verify(known)
    monkeypatch.setattr(magenta, "FULL", TINY)
    assert home() in known.path.parents
    assert "loads strictly" in verify(known)
    assert emotion.load("hierdec-mel_16bar").config == TINY
    values = random_variables(TINY)
    del values[KERNEL]
    pack(write_bundle(tmp_path / "less.ckpt", values), known.path)
    assert main(["models", "verify", "hierdec-mel_16bar", "--json"]) == 1
    assert f"lacks variable '{KERNEL}'" in capsys.readouterr().err


def test_fetching_loads_it_and_keeps_nothing_else(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("D2M_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(magenta, "FULL", TINY)
    published = pack(tiny, tmp_path / "published.tar")

    def download(url: str, path: Path, **_: object) -> None:
        assert url.endswith("/hierdec-mel_16bar.tar")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(published, path)

    monkeypatch.setattr("d2m.weights.catalogue_fetch.download", download)
    whole = published.read_bytes()
    published.write_bytes(whole[:-30_000] + b"\1" * 30_000)
    assert main(["models", "fetch", "hierdec-mel_16bar", "--yes"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not find_entry("hierdec-mel_16bar").present
    published.write_bytes(whole)
    assert main(["models", "fetch", "hierdec-mel_16bar", "--yes"]) == 0
    assert emotion.load("hierdec-mel_16bar").config == TINY


def test_what_an_optimiser_left_is_passed_over_and_doubles_are_read(tmp_path):
    values = random_variables(TINY)
    expected = values[KERNEL]
    values |= {f"{KERNEL}/Adam": expected, f"{KERNEL}/Adam_1": expected, "beta1_power": np.float32(0.9).reshape(())}
    values |= {"global_step": np.array(7, np.int64), KERNEL: expected.astype(np.float64)}
    tensors, config = magenta.load_checkpoint(write_bundle(tmp_path / "a.ckpt", values))
    assert config["latent"] == 3
    np.testing.assert_array_equal(tensors["mu.weight"].numpy(), expected.T)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({KERNEL: None}, f"lacks variable '{KERNEL}'"),
        ({"encoder/mu/bias": None}, "lacks variable 'encoder/mu/bias'"),
        ({"more/kernel": np.zeros(3, np.float32)}, "has an unexpected variable 'more/kernel'"),
        ({KERNEL: np.zeros((3, 8), np.float32)}, rf"'{KERNEL}' has shape \(3, 8\), \(8, 3\) is needed"),
        ({"encoder/mu/bias": np.zeros((0,), np.float32)}, r"'encoder/mu/bias' has shape \(0,\), which no such"),
        ({KERNEL: np.full((8, 3), np.nan, np.float32)}, f"'{KERNEL}' holds values that are not finite"),
        ({KERNEL: np.zeros((8, 3), np.int64)}, f"'{KERNEL}' holds values that are not finite numbers"),
    ],
)
def test_other_variables_are_named(tmp_path, change, said):
    values = {name: value for name, value in (random_variables(TINY) | change).items() if value is not None}
    with pytest.raises(D2MError, match=said) as raised:
        emotion.load(write_bundle(tmp_path / "a.ckpt", values))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"size": 1 << 40}, "shorter than its index says"),
        ({"offset": 1 << 50}, "cut short"),
        ({"offset": (1 << 64) - 8}, "cut short"),
        ({"offset": 4}, "checksum of"),
        ({"shard": 3}, "a data file that is not there"),
        ({"type": 7}, "not an array of numbers"),
        ({"shape": (1 << 45, 3)}, "a shape in it cannot be"),
        ({"shape": (1,) * 9}, "a shape in it cannot be"),
        ({"shape": (8, 1 << 30)}, "has shape"),
    ],
)
def test_false_entries_are_refused(tmp_path, changed, said):
    path = write_bundle(tmp_path / "a.ckpt", random_variables(TINY), {KERNEL: changed})
    with pytest.raises(D2MError, match=said) as raised:
        emotion.load(path)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_every_cut_and_flipped_byte_of_an_index_is_noticed(tmp_path):
    for suffix in (".index", ".data-00000-of-00001"):
        shutil.copy(f"{GENUINE}{suffix}", tmp_path / f"a.ckpt{suffix}")
    index = tmp_path / "a.ckpt.index"
    whole = index.read_bytes()
    for size in range(0, len(whole), 29):
        index.write_bytes(whole[:size])
        with pytest.raises(D2MError, match="download the file again"), open_bundle(tmp_path / "a.ckpt"):
            pass
    unread = 0
    for place in range(0, len(whole), 7):
        index.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        with contextlib.suppress(D2MError), open_bundle(tmp_path / "a.ckpt"):
            unread += 1
    # The block of statistics, which is empty, and the padding of the footer say nothing.
    assert unread < 10


def test_a_flipped_bit_and_a_cut_in_the_data_are_noticed(tiny):
    data = tiny.with_name("tiny.ckpt.data-00000-of-00001")
    whole = data.read_bytes()
    data.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    with pytest.raises(D2MError, match="the checksum of '.*' is wrong"):
        emotion.load(tiny)
    data.write_bytes(whole[:-4])
    with pytest.raises(D2MError, match="shorter than its index says"):
        emotion.load(tiny)
    data.unlink()
    with pytest.raises(D2MError, match=r"'...\.data-00000-of-00001' is missing"):
        emotion.load(tiny)


def pairs_of(*more: tuple[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    return [(b"", header()), *more]


ONE = entry(np.zeros(1, np.float32), 0)


@pytest.mark.parametrize(
    ("index", "said"),
    [
        (b"", "does not end as such a file does"),
        (index_file([]), "no header"),
        (index_file([(b"", header(0))]), "a header that cannot be"),
        (index_file([(b"", header(1 << 30))]), "a header that cannot be"),
        (index_file([(b"", header(endianness=1))]), "big-endian"),
        (index_file(pairs_of((b"a", ONE), (b"a", ONE))), "out of order"),
        (index_file(pairs_of((b"a" * 2000, ONE))), "holds what cannot be"),
        (index_file(pairs_of((b"a", b"\xff" * 12))), "a number in it does not end"),
        (index_file(pairs_of((b"a", field(2, b"xx")[:-1]))), "an entry in it is cut short"),
        (index_file(pairs_of((b"a", b"\x0b"))), "an entry in it is cut short"),
        (index_file(pairs_of((b"a", ONE)), kind=1), "compressed"),
        (bytes(5 << 20), "more than any model here needs"),
    ],
)
def test_hostile_tables_are_refused(tmp_path, index, said):
    (tmp_path / "a.index").write_bytes(index)
    (tmp_path / "a.data-00000-of-00001").write_bytes(bytes(4))
    with pytest.raises(D2MError, match=said) as raised, open_bundle(tmp_path / "a"):
        pass
    assert "\n" not in str(raised.value)


def test_blocks_that_are_read_again_and_again_are_refused(tmp_path):
    raw = block([]) + b"\0"
    content = raw + masked(raw)
    handle = varint(0) + varint(len(raw) - 1)
    again = block([(b"a", handle), (b"b", handle)])
    footer = handle + varint(len(content)) + varint(len(again))
    content += again + b"\0" + masked(again + b"\0") + footer.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")
    (tmp_path / "a.index").write_bytes(content)
    with pytest.raises(D2MError, match="its blocks overlap"), open_bundle(tmp_path / "a"):
        pass


def tar_of(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def named(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return info


def test_hostile_tar_files_are_refused(tiny, tmp_path):
    index = Path(f"{tiny}.index").read_bytes()
    a = tmp_path / "a.tar"
    cases = {
        "holds no TensorFlow checkpoints": tar_of(a, (named("readme"), b"x")),
        "holds 2 TensorFlow checkpoints": tar_of(tmp_path / "b.tar", (named("a.index"), b""), (named("b.index"), b"")),
        "twice": tar_of(tmp_path / "c.tar", (named("a.index"), index), (named("a.index"), index)),
        "is missing": tar_of(
            tmp_path / "d.tar", (named("a.index"), index), (named("a.data-00000-of-00001", tarfile.SYMTYPE), b"")
        ),
        "damaged or not a tar file": tmp_path / "cut.tar",
        "unfolds to far more": tmp_path / "bomb.tar.gz",
    }
    whole = pack(tiny, tmp_path / "whole.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:9000])
    tar_of(tmp_path / "zeros.tar", (named("a.data-00000-of-00001"), bytes(8 << 20)), (named("a.index"), index))
    (tmp_path / "bomb.tar.gz").write_bytes(gzip.compress((tmp_path / "zeros.tar").read_bytes()))
    for said, path in cases.items():
        with pytest.raises(D2MError, match=said) as raised:
            emotion.load(path)
        assert "\n" not in str(raised.value)
    assert {p.name for p in tmp_path.iterdir()} == {
        *(path.name for path in cases.values()),
        *("tiny.ckpt.index", "tiny.ckpt.data-00000-of-00001", "whole.tar", "zeros.tar"),
    }


def test_names_of_macos_and_folders_do_not_confuse(tiny, tmp_path):
    files = [(named(f"x/{p.name}"), p.read_bytes()) for p in sorted(tmp_path.glob("tiny.ckpt.*"))]
    hidden = [(named(f"x/._{p.name}"), b"x") for p in sorted(tmp_path.glob("tiny.ckpt.*"))]
    path = tar_of(tmp_path / "a.tar", (named("x", tarfile.DIRTYPE), b""), *hidden, *files)
    assert emotion.load(path).config == TINY


def test_other_files_are_no_bundles(tmp_path):
    (tmp_path / "text").write_text("hello", encoding="utf-8")
    for path in (tmp_path / "text", tmp_path, tmp_path / "nothing", Path("")):
        assert not is_bundle(path)
    assert not is_bundle("..")
    # A header of 0x088B1F bytes begins as a gzip file does.
    (tmp_path / "a.safetensors").write_bytes((0x088B1F).to_bytes(8, "little") + b'{"a":')
    assert not is_bundle(tmp_path / "a.safetensors")


def test_the_checksum_is_crc32c():
    # RFC 3720, appendix B.4.
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
    assert crc32c(b"123456789") == 0xE3069283
    content = np.random.default_rng(0).bytes((1 << 22) + 12345)
    whole = crc32c(content)
    assert crc32c(content[77_777:], crc32c(content[:77_777])) == whole
    assert crc32c(content[:-1] + b"!") != whole
