"""Segments of prepared data: what is cut where, and what a folder that is not whole says."""

from __future__ import annotations

import json
import pickle
import zipfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from tasks import total

from d2m.datasets.prepared import Manifest, Sequence, read_sequence, write_music, write_sequence, write_split
from d2m.datasets.segments import Segments
from d2m.errors import D2MError

pytestmark = pytest.mark.slow

RATE = 22050


def make(folder, visual: bool = True, frames: int = 600, samples: int = 11 * RATE, offset: int = 0):
    """Two sequences whose values tell their place: motion the frame, music the sample, picture the row."""
    Manifest("aist", RATE, 60.0, 3, 4 if visual else None, 2.0, "made", "0").write(folder)
    rows = np.repeat(np.arange(5.0)[:, None], 4, axis=1) if visual else None
    for name, count in (("long", frames), ("short", 100)):
        motion = np.repeat(np.arange(count, dtype=np.float32)[:, None], 3, axis=1)
        write_sequence(folder, name, Sequence(motion, "song", offset, 7, rows))
    write_music(folder, "song", (np.arange(samples) % 30_000).astype(np.int16))
    write_split(folder, "train", ["short", "long"])
    for split in ("val", "test"):
        write_split(folder, split, [])
    return folder


def test_segments_follow_each_other_as_in_the_paper(tmp_path) -> None:
    data = Segments(make(tmp_path), "train")
    assert (len(data), data.names, data.skipped) == (5, ("long",), ("short",))
    assert (data.kind, data.motion_fps, data.motion_size, data.visual_size, data.sample_rate) == (
        "aist", 60.0, 3, 4, RATE,
    )  # fmt: skip
    for i, segment in enumerate(data):
        assert (segment.name, segment.start, segment.genre) == ("long", 2.0 * i, 7)
        assert segment.motion.shape == (120, 3)
        assert segment.waveform.shape == (44100,)
        assert segment.motion.dtype == segment.waveform.dtype == segment.visual.dtype == np.float32
        assert segment.motion[0, 0] == 120 * i
        assert segment.waveform[0] == pytest.approx(44100 * i % 30_000 / 32768)
        assert np.allclose(segment.visual, i)
    assert data[-1].start == 8.0
    with pytest.raises(IndexError):
        data[5]


def test_length_and_stride_are_options(tmp_path) -> None:
    data = Segments(make(tmp_path), "train", seconds=4, stride=1)
    assert len(data) == 7
    assert [s.start for s in data] == [0, 1, 2, 3, 4, 5, 6]
    assert data[1].motion.shape == (240, 3)
    assert data[1].waveform.shape == (88200,)
    # 1 to 5 s: half of row 0, all of row 1, half of row 2
    assert np.allclose(data[1].visual, (0 * 1 + 1 * 2 + 2 * 1) / 4)


def test_music_that_ends_first_ends_the_segments(tmp_path) -> None:
    assert len(Segments(make(tmp_path / "a", samples=5 * RATE), "train")) == 2
    assert len(Segments(make(tmp_path / "b", samples=4 * RATE), "train")) == 2
    assert len(Segments(make(tmp_path / "c", samples=4 * RATE - 1), "train")) == 1


def test_music_may_begin_before_the_dance(tmp_path) -> None:
    data = Segments(make(tmp_path, offset=1000), "train")
    assert data[0].waveform[0] == pytest.approx(1000 / 32768)


def test_every_segment_of_odd_lengths_is_whole(tmp_path) -> None:
    # half a sample at either end, 22050 / 60 = 367.5
    make(tmp_path, visual=False, frames=600, samples=10 * RATE)
    data = Segments(tmp_path, "train", seconds=11 / 60 + 1, stride=7 / 60)
    assert {len(s.waveform) for s in data} == {round((11 / 60 + 1) * RATE)}


def test_without_pictures_there_is_no_visual(tmp_path) -> None:
    data = Segments(make(tmp_path, visual=False), "train")
    assert data.visual_size is None
    assert data[0].visual is None


def test_other_processes_read_the_same(tmp_path) -> None:
    data = Segments(make(tmp_path), "train")
    assert len(pickle.dumps(data)) < 4000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(total, [data] * 5, range(5))) == [total(data, i) for i in range(5)]


def test_impossible_lengths_and_splits_are_refused(tmp_path) -> None:
    make(tmp_path)
    for seconds in (0, -1, float("nan"), 1000, 0.999):
        with pytest.raises(D2MError, match="not possible"):
            Segments(tmp_path, "train", seconds=seconds)
    with pytest.raises(D2MError, match="is 12 s long; choose shorter"):
        Segments(tmp_path, "train", seconds=12)
    with pytest.raises(D2MError, match="no split 'all'"):
        Segments(tmp_path, "all")
    with pytest.raises(D2MError, match="the split 'val' of .* is empty"):
        Segments(tmp_path, "val")


def test_a_folder_that_is_not_whole_says_so(tmp_path) -> None:
    with pytest.raises(D2MError, match="not a prepared data set"):
        Segments(tmp_path, "train")
    make(tmp_path)
    data = Segments(tmp_path, "train")
    (tmp_path / "music" / "song.npy").write_bytes((tmp_path / "music" / "song.npy").read_bytes()[:100_000])
    with pytest.raises(D2MError, match=r"song\.npy is cut short"):
        data[4]
    with pytest.raises(D2MError, match=r"song\.npy is damaged"):
        Segments(tmp_path, "train")
    (tmp_path / "music" / "song.npy").unlink()
    with pytest.raises(D2MError, match=r"song\.npy is missing"):
        Segments(tmp_path, "train")
    write_music(tmp_path, "song", np.zeros(11 * RATE, np.int16))
    (tmp_path / "sequences" / "long.npz").unlink()
    with pytest.raises(D2MError, match=r"long\.npz is missing"):
        Segments(tmp_path, "train")


@pytest.mark.parametrize("change", [{"kind": "other"}, {"motion_fps": -1}, {"sample_rate": "x"}, {"format": 99}])
def test_a_manifest_that_is_wrong_is_refused(tmp_path, change) -> None:
    make(tmp_path)
    entries = json.loads((tmp_path / "prepared.json").read_text())
    (tmp_path / "prepared.json").write_text(json.dumps(entries | change))
    with pytest.raises(D2MError, match="prepare"):
        Segments(tmp_path, "train")


def _damages() -> dict[str, object]:
    def cut(path):
        path.write_bytes(path.read_bytes()[:2000])

    def packed(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("motion.npy", bytes(1000))

    def lies(path):
        path.write_bytes(path.read_bytes().replace(b"'shape': (600, 3)", b"'shape': (999, 3)"))

    def objects(path):
        path.write_bytes(path.read_bytes().replace(b"'descr': '<f4'", b"'descr': '|O8'"))

    def other_size(path):
        write_sequence(path.parent.parent, "long", Sequence(np.zeros((600, 5), np.float32), "song"))

    def header(path):
        path.write_bytes(path.read_bytes().replace(b"'shape': (600, 3)", b"'shape': ((00, 3)"))

    def text(path):
        path.write_text("hello")

    def name(path):
        path.write_bytes(path.read_bytes().replace(b"motion.npy", b"notion.npy"))

    return {
        "name": name,
        "cut": cut,
        "packed": packed,
        "lies": lies,
        "objects": objects,
        "size": other_size,
        "text": text,
        "header": header,
    }


@pytest.mark.parametrize("kind", list(_damages()))
def test_a_damaged_sequence_is_named(tmp_path, kind) -> None:
    _damages()[kind](make(tmp_path) / "sequences" / "long.npz")
    with pytest.raises(D2MError, match=r"long\.npz (is damaged|does not fit)"):
        Segments(tmp_path, "train")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".x", "a..b", "x" * 200])
def test_names_cannot_lead_out_of_the_folder(tmp_path, name) -> None:
    make(tmp_path)
    with pytest.raises(D2MError, match="not the name"):
        write_split(tmp_path, "train", [name])
    (tmp_path / "train.txt").write_text(f"{name or '..'}\n")
    with pytest.raises(D2MError, match="not the name"):
        Segments(tmp_path, "train")


def test_a_sequence_is_read_back_whole(tmp_path) -> None:
    make(tmp_path)
    read = read_sequence(tmp_path, "long", Manifest.read(tmp_path))
    assert (read.music, read.offset, read.genre, read.visual_seconds) == ("song", 0, 7, 2.0)
    assert read.motion.shape == (600, 3)
    assert read.visual.shape == (5, 4)
