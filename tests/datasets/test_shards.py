"""Shards of training examples: packing, reading, the order of a run, and training from them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import soundfile
import torch

from d2m.cli.main import main
from d2m.codec.spectral import SpectralCodec, SpectralConfig
from d2m.datasets.pairs import Pair, load_pairs, save_pair
from d2m.datasets.shards import ShardOrder, read_shard, shard_names, write_shards
from d2m.errors import D2MError
from d2m.files.store import open_store
from d2m.generator.conditions import MOTION_SIZE, RHYTHM_SIZE
from d2m.generator.sketch import ROWS
from d2m.generator.temporal import TemporalConfig
from d2m.training.generator import GeneratorTask, GeneratorTraining
from d2m.training.loop import LoopConfig, train

SMALL = SpectralConfig(
    encoder_channels=16, encoder_blocks=1, decoder_channels=16, decoder_blocks=1, feature_size=8, codebook_count=1,
    codebook_size=16,
)  # fmt: skip
FRAMES = 40


def example(number, frames=FRAMES):
    rng = np.random.default_rng(number)
    return Pair(
        (rng.standard_normal(frames * 256) * 2000).astype(np.int16),
        rng.integers(0, 127, (1, frames, ROWS)).astype(np.uint8),
        np.zeros(1, np.int64),
        rng.standard_normal((frames if number % 2 else 0, MOTION_SIZE)).astype(np.float16),
        rng.standard_normal((frames, RHYTHM_SIZE)).astype(np.float16),
        number % 10,
    )


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    """Nine examples, of which one has its music in a file of its own, and two held out."""
    folder = tmp_path_factory.mktemp("examples")
    for part, numbers in (("train", range(9)), ("held_out", (20, 21))):
        for number in numbers:
            save_pair(example(number), folder / part / f"song {number}.v2.npz")
    alone = folder / "train" / "song 0.v2.npz"
    soundfile.write(alone.with_suffix(".flac"), example(0).waveform, 22050)
    return folder


@pytest.fixture
def shards(examples, tmp_path):
    """Shards of about two examples each."""
    size = 2 * (examples / "train" / "song 1.v2.npz").stat().st_size
    write_shards(examples, open_store(tmp_path / "shards"), size - 100)
    return tmp_path / "shards"


def described(pairs):
    return sorted((pair.genre, pair.rows.tobytes(), pair.sound(0, 300).tobytes()) for pair in pairs)


def test_all_examples_are_in_the_shards_once(examples, shards):
    store = open_store(shards)
    names = shard_names(store, "train")
    assert len(names) > 2
    read = [pair for name in names for pair in read_shard(store, name)]
    assert described(read) == described(load_pairs(sorted((examples / "train").glob("*.npz"))))
    assert sum(isinstance(pair.music, bytes) for pair in read) == 1
    assert len(read_shard(store, shard_names(store, "held_out")[0])) == 2


def test_packing_again_changes_nothing_and_removes_what_is_no_longer_packed(examples, shards):
    store = open_store(shards)
    before = store.names()
    size = 2 * (examples / "train" / "song 1.v2.npz").stat().st_size
    write_shards(examples, store, size - 100)
    assert store.names() == before
    assert write_shards(examples, store, 1 << 30) == {"train": 1, "held_out": 1}
    assert shard_names(store, "train") == ["train/000000.tar"]


def test_archives_of_other_names_are_left_alone(examples, shards):
    other = shards / "train" / "photographs.tar"
    other.write_bytes(b"mine")
    write_shards(examples, open_store(shards), 1 << 30)
    assert sorted(path.name for path in (shards / "train").iterdir()) == ["000000.tar", "photographs.tar"]
    assert other.read_bytes() == b"mine"


def test_a_shard_that_unpacks_to_too_much_is_one_clear_line(shards, monkeypatch):
    monkeypatch.setattr("d2m.datasets.shards.MOST_UNPACKED", 1000)
    with pytest.raises(D2MError, match=r"000000.tar unpacks to more than"):
        read_shard(open_store(shards), "train/000000.tar")


def test_shards_lie_at_a_url_too(examples):
    store = open_store("memory://bucket/shards")
    write_shards(examples, store, 1)
    names = shard_names(store, "train")
    assert len(names) == 9
    assert sum(len(read_shard(store, name)) for name in names) == 9
    write_shards(examples, store, 1 << 30)
    assert shard_names(store, "train") == ["train/000000.tar"]


def test_shards_are_those_of_webdataset(shards):
    with tarfile.open(shards / "train" / "000000.tar") as archive:
        names = archive.getnames()
    assert names == sorted(names)
    assert {name.split(".", 1)[1] for name in names} <= {"npz", "flac"}


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_shard_is_read_once_in_an_epoch_by_one_process(world):
    orders = [ShardOrder(12, 3, 10, seed=5, rank=rank, world=world) for rank in range(world)]
    # The newest shard at each change, and those of the beginning.
    read = [shard for order in orders for shard in order.at(0)]
    read += [order.at(10 * change)[-1] for change in range(1, 12 // world - 2) for order in orders]
    assert sorted(read) == list(range(12))


def test_what_is_in_memory_depends_on_the_step_alone():
    order = ShardOrder(20, 4, 10, seed=1)
    assert order.at(0) == order.at(9)
    assert order.at(10)[:-1] == order.at(9)[1:]
    assert order.at(10) != order.at(9)
    assert [order.at(10 * k)[0] for k in range(20)] != [order.at(10 * k)[0] for k in range(20, 40)]


def task_of(data, **options):
    torch.manual_seed(0)
    codec = SpectralCodec(SMALL)
    codec.quantiser.start(torch.randn(200, 8) * 0.1)
    settings = GeneratorTraining(data, 8, batch=2, frames=32, resident=2, shard_steps=2, **options)
    return GeneratorTask(settings, codec, TemporalConfig(8, 16, 1, part_channels=8, part_blocks=1))


def losses(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return {line["step"]: line["codebook"] for line in lines if not line.get("held_out")}


@pytest.mark.slow
def test_training_from_shards_is_resumed_exactly_and_holds_two_at_a_time(shards, tmp_path):
    def loop(name, steps):
        return LoopConfig(tmp_path / name, steps, log_every=1, evaluate_every=8, checkpoint_every=4, accelerator="cpu")

    task = task_of(shards)
    train(task, loop("whole", 8))
    assert len(task.source._held) <= 2
    train(task_of(shards), loop("parts", 5))
    train(task_of(shards), loop("parts", 8))
    assert losses(tmp_path / "parts") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import test_shards as tests
tests.train_one_process(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def train_one_process(shards, out):
    """One of several processes: what it has read, and its network."""
    torch.set_num_threads(1)
    task = task_of(shards)
    train(task, LoopConfig(out / "run", 6, log_every=1, evaluate_every=6, checkpoint_every=6, accelerator="cpu"))
    network = torch.cat([parameter.detach().flatten() for parameter in task.generator.parameters()])
    torch.save((task.source.order.at(5), network), out / f"{task.fabric.global_rank}.pt")


@pytest.mark.slow
def test_two_processes_read_shards_of_their_own_and_train_one_network(shards, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(tests=os.path.dirname(__file__)))
    call = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    result = subprocess.run([*call, script, shards, tmp_path], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]
    (first, one), (second, other) = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert set(first).isdisjoint(second)
    torch.testing.assert_close(one, other)


def test_examples_that_are_too_short_are_named(shards):
    task = task_of(shards)
    object.__setattr__(task.settings, "frames", 99)
    with pytest.raises(D2MError, match="no examples of 99 frames or more in .*tar"):
        train(task, LoopConfig(shards / "run", 1, accelerator="cpu"))


@pytest.mark.parametrize("content", [b"", b"no tar", tarfile.TarInfo("a.npz").tobuf()])
def test_a_damaged_shard_is_one_clear_line(tmp_path, content):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "0.tar").write_bytes(content)
    with pytest.raises(D2MError, match=r"0.tar.* is damaged"):
        read_shard(open_store(tmp_path), "train/0.tar")


def test_a_shard_whose_member_is_cut_off_is_damaged(shards):
    path = shards / "train" / "000000.tar"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(D2MError, match="damaged"):
        read_shard(open_store(shards), "train/000000.tar")


def test_links_and_folders_in_a_shard_are_left_alone(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("0.npz")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        folder = tarfile.TarInfo("1.npz")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "0.tar").write_bytes(buffer.getvalue())
    assert read_shard(open_store(tmp_path), "train/0.tar") == []


def test_a_file_in_place_of_a_folder_is_one_line(tmp_path, capsys):
    (tmp_path / "shards.tar").touch()
    words = ["train", "generator", "--data", str(tmp_path / "shards.tar"), "--run", str(tmp_path / "run")]
    assert main(words) == 1
    assert "shards.tar is a file; --data takes a folder" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_no_examples_is_one_line(tmp_path, capsys):
    assert main(["data", "shards", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert "no examples in" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_packs(examples, tmp_path, capsys):
    assert main(["data", "shards", str(examples), "-o", str(tmp_path / "out")]) == 0
    assert "1 shard for training and 1 held out" in capsys.readouterr().err
