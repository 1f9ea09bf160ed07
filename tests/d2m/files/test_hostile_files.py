"""Small files that would fill the memory, or hide from a check what is loaded afterwards, are refused in one line."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from d2m import weights
from d2m.datasets.archives import unpack
from d2m.datasets.examples import read_song
from d2m.datasets.melodies import load_melodies
from d2m.datasets.studio.music import read_score
from d2m.errors import D2MError
from d2m.files import plain_pickle
from d2m.files.plain_pickle import load_pickle
from d2m.training.export import read_checkpoint
from d2m.training.settings import read_settings
from d2m.weights.checkpoint import load_checkpoint
from d2m.weights.tf_tar import tar_files

MANY = 20_000_000


@contextlib.contextmanager
def little_memory(most: int = 8 << 20):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def repacked(path: Path, change, method: int = zipfile.ZIP_STORED) -> Path:
    """A checkpoint whose entries went through ``change(name, content)``."""
    original = io.BytesIO()
    torch.save({"step": 1, "modules": {"a": {"w": torch.zeros(4)}}}, original)
    with zipfile.ZipFile(original) as old, zipfile.ZipFile(path, "w", method) as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))
    return path


def greedy(name: str, content: bytes) -> tuple[str, bytes]:
    """The pickle builds a long bytearray beside what it held."""
    if not name.endswith("data.pkl"):
        return name, content
    return name, content[:-1] + b"0cbuiltins\nbytearray\nJ" + struct.pack("<i", MANY) + b"\x85R."


def shouting(name: str, content: bytes) -> tuple[str, bytes]:
    name, content = greedy(name, content)
    return name.replace("data.pkl", "DATA.PKL"), content


@pytest.mark.parametrize("read", [load_checkpoint, read_checkpoint])
@pytest.mark.parametrize("change", [greedy, shouting])
def test_a_checkpoint_that_builds_a_long_bytearray_is_refused(tmp_path, read, change):
    path = repacked(tmp_path / "model.pt", change)
    with little_memory(), pytest.raises(D2MError, match="memory of any length"):
        read(path)


def test_so_is_one_in_the_older_format(tmp_path):
    torch.save({"w": torch.zeros(3)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "old.pt")["w"].shape == (3,)
    content = (tmp_path / "old.pt").read_bytes()
    (tmp_path / "old.pt").write_bytes(greedy("data.pkl", b"\x80\x02N.")[1] + content)
    with little_memory(), pytest.raises(D2MError, match="memory of any length"):
        load_checkpoint(tmp_path / "old.pt")


def two_directories(packed: Path, stored: Path) -> bytes:
    """An archive whose end names the directory of ``packed``, with the harmless one of ``stored`` just before it."""
    first, second = packed.read_bytes(), stored.read_bytes()
    end = first[-22:]
    shown = second[struct.unpack("<L", second[-6:-2])[0] : -22]
    return first[:-22] + shown + end


@pytest.mark.parametrize("read", [load_checkpoint, read_checkpoint])
def test_an_archive_cannot_show_python_another_directory_than_pytorch(tmp_path, read):
    def as_it_is(name: str, content: bytes) -> tuple[str, bytes]:
        return name, content

    stored = repacked(tmp_path / "stored.pt", as_it_is)
    assert read(stored)
    packed = repacked(tmp_path / "packed.pt", as_it_is, zipfile.ZIP_DEFLATED)
    with pytest.raises(D2MError, match="compressed archive"):
        read(packed)
    # Python finds no end here, PyTorch the one before.
    (tmp_path / "tail.pt").write_bytes(packed.read_bytes() + b"PK\x05\x06..")
    assert not zipfile.is_zipfile(tmp_path / "tail.pt")
    assert torch.load(tmp_path / "tail.pt", weights_only=True)
    (tmp_path / "two.pt").write_bytes(two_directories(packed, stored))
    for name in ("tail.pt", "two.pt"):
        with pytest.raises(D2MError, match=r"damaged or not a PyTorch file|is not a checkpoint"):
            read(tmp_path / name)


@pytest.mark.parametrize(
    "content", [{"step": "x", "modules": {}}, {"step": 1, "modules": [1]}, {"step": 1, "modules": {"a": 1}}]
)
def test_a_checkpoint_of_other_contents_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "last.ckpt")
    with pytest.raises(D2MError, match="is not a checkpoint of d2m"):
        read_checkpoint(tmp_path / "last.ckpt")


def header(kind: bytes, body: bytes) -> bytes:
    info = tarfile.TarInfo("x")
    info.size, info.type = len(body), kind
    return info.tobuf(tarfile.USTAR_FORMAT) + body + b"\0" * (-len(body) % 512)


def comment(length: int) -> bytes:
    return b"%d comment=%s\n" % (length, b"a" * (length - 9 - len(str(length)) - 1))


@pytest.mark.slow
def test_what_headers_of_a_tar_hold_is_not_kept(tmp_path):
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        for number in range(300):
            file.write(header(b"x", comment(100_000)) + tarfile.TarInfo(f"f{number}").tobuf(tarfile.USTAR_FORMAT))
        file.write(b"\0" * 1024)
    with little_memory():
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 300


@pytest.mark.parametrize("kind", [b"x", b"g"])
def test_a_long_header_is_refused_unread(tmp_path, kind):
    with gzip.open(tmp_path / "a.tar.gz", "wb", compresslevel=1) as file:
        file.write(header(kind, comment(MANY)) + tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    with little_memory(), pytest.raises(D2MError, match="damaged or not a zip or tar file"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "out")


@pytest.mark.parametrize(("kind", "body"), [(b"L", b"name\0"), (b"x", b"12 path=abc\n")])
def test_headers_nested_without_end_are_one_line(tmp_path, kind, body):
    path = tmp_path / "a.tar"
    path.write_bytes(header(kind, body) * 3000 + tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT) + b"\0" * 1024)
    with pytest.raises(D2MError, match="damaged or not a zip or tar file"):
        unpack(path, tmp_path / "out")
    with contextlib.ExitStack() as stack, pytest.raises(D2MError, match="damaged or not a tar file"):
        tar_files(path, stack)


@pytest.mark.slow
def test_a_pickle_of_millions_of_empty_lists_is_refused(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + b"]" * 1_100_000 + b".")
    with pytest.raises(D2MError, match="more single values than arrays do"):
        load_pickle(tmp_path / "a.pkl")


@pytest.mark.parametrize("name", [b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"cnumpy.core.multiarray\n_reconstruct\n"])
def test_a_pickle_cannot_alter_what_reads_it(tmp_path, name):
    before = {key: dict(vars(value)) for key, value in vars(plain_pickle).items() if isinstance(value, type)}
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02" + name + b"N}X\x03\x00\x00\x00newK\x01s\x86b0}.")
    with pytest.raises(D2MError):
        load_pickle(tmp_path / "a.pkl")
    assert before == {key: dict(vars(value)) for key, value in vars(plain_pickle).items() if isinstance(value, type)}


@pytest.mark.parametrize("line", ["a" + ".a" * 30_000 + " = 1", "[a" + " . 'a'" * 30_000 + "]", "a = " + "9" * 9000])
def test_a_card_of_absurd_keys_or_numbers_takes_no_memory(tmp_path, line):
    (tmp_path / "a.toml").write_text(line)
    with little_memory(), pytest.raises(D2MError, match="weights card"):
        weights.Card.read(tmp_path / "a.toml")


def test_settings_nested_without_end_are_one_line(tmp_path):
    (tmp_path / "settings.json").write_text("[" * 100_000)
    with pytest.raises(D2MError, match="is damaged"):
        read_settings(tmp_path)


def test_numbers_of_unknown_kinds_are_refused(tmp_path):
    entry = json.dumps({"a": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "a.safetensors").write_bytes(struct.pack("<Q", len(entry)) + entry + b"\0\0")
    with pytest.raises(D2MError, match="numbers of a kind that no model here has"):
        weights.load_state(tmp_path / "a.safetensors", None)


def test_nothing_in_a_checkpoint_is_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "owned"),)

    content = {"step": 1, "modules": {"a": {"w": torch.zeros(1)}}, "x": Attack(), "n": np.float64(1)}
    for zipped in (True, False):
        torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=zipped)
        for read in (load_checkpoint, read_checkpoint):
            with pytest.raises(D2MError):
                read(tmp_path / "a.pt")
    assert not (tmp_path / "owned").exists()


def test_an_example_cannot_hide_a_large_member_behind_a_small_one(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, waveform=np.ones(100, np.int16))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("waveform", b"\0" * MANY)
    with little_memory():
        assert len(read_song(path)) == 100
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("waveform.npy", b"no array")
    with pytest.raises(D2MError, match="is something else"):
        read_song(path)


def test_melodies_that_are_no_arrays_are_refused(tmp_path):
    good = {
        "melodies": np.zeros((2, 256), np.uint8),
        "songs": np.zeros(2),
        "bars": np.zeros(2),
        "names": np.array(["a"]),
    }
    for changed in ({"songs": np.array(5)}, {"bars": np.zeros((2, 2))}, {"melodies": np.array(1, np.uint8)}):
        np.savez(tmp_path / "train.npz", **(good | changed))
        with pytest.raises(D2MError, match="holds no melodies"):
            load_melodies(tmp_path, "train")
    with zipfile.ZipFile(tmp_path / "train.npz", "w") as archive:
        for name in good:
            archive.writestr(f"{name}.npy", b"no array")
    with pytest.raises(D2MError, match="holds no melodies"):
        load_melodies(tmp_path, "train")


def test_damaged_and_swollen_scores_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(D2MError, match="cannot read the score"):
        read_score(tmp_path / "a.npz")
    np.savez_compressed(tmp_path / "b.npz", beats=np.zeros(3_000_000))
    with little_memory(), pytest.raises(D2MError, match="cannot read the score"):
        read_score(tmp_path / "b.npz")
