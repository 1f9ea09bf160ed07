"""Training examples that are damaged, or are none: one line that names the file."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from d2m.cli.main import main
from d2m.datasets.examples import read_example
from d2m.datasets.pairs import load_pairs
from d2m.errors import D2MError
from d2m.generator.conditions import MOTION_SIZE, RHYTHM_SIZE
from d2m.generator.sketch import ROWS
from d2m.training.audio import SongCrops
from d2m.training.genre import labelled_songs

pytestmark = pytest.mark.slow

FRAMES = 20
GOOD = {
    "waveform": np.arange(FRAMES * 256, dtype=np.int16),
    "rows": np.zeros((1, FRAMES, ROWS), np.uint8),
    "programs": np.zeros(1, np.int64),
    "motion": np.zeros((FRAMES, MOTION_SIZE), np.float16),
    "rhythm": np.zeros((FRAMES, RHYTHM_SIZE), np.float16),
    "genre": np.int64(3),
}


@pytest.fixture
def example(tmp_path):
    """Writes b.npz, with some arrays changed or (None) left out, beside a good a.npz."""

    def write(**changes):
        for name, arrays in (("a", GOOD), ("b", {**GOOD, **changes})):
            np.savez_compressed(tmp_path / f"{name}.npz", **{k: v for k, v in arrays.items() if v is not None})
        return tmp_path / "b.npz"

    return write


READERS = (SongCrops, labelled_songs, lambda folder: load_pairs(sorted(folder.glob("*.npz"))))


def test_good_examples_are_read_by_all(example):
    folder = example().parent
    assert len(SongCrops(folder)) == 2
    songs, genres = labelled_songs(folder)
    assert genres.tolist() == [3, 3]
    assert np.array_equal(songs[1], GOOD["waveform"])
    assert load_pairs([folder / "b.npz"])[0].frames == FRAMES


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"",
        lambda data: b"not an archive",
        lambda data: data[: len(data) // 2],
        lambda data: data[:60] + bytes(40) + data[100:],
    ],
)
def test_a_damaged_file_is_named_by_every_training(example, spoil):
    path = example()
    path.write_bytes(spoil(path.read_bytes()))
    for read in READERS:
        with pytest.raises(D2MError, match=r"b\.npz"):
            read(path.parent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"waveform": None}, "has no 'waveform'"),
        ({"waveform": np.zeros((2, 5000), np.int16)}, "'waveform' is something else"),
        ({"waveform": np.zeros(5000, np.float32)}, "'waveform' is something else"),
        ({"waveform": np.array([{}], object)}, "is damaged"),
    ],
)
def test_what_holds_no_music_is_refused_by_all(example, changes, message):
    folder = example(**changes).parent
    for read in READERS:
        with pytest.raises(D2MError, match=message):
            read(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"motion": np.full((FRAMES, MOTION_SIZE), np.nan, np.float16)}, "'motion' holds numbers that are not finite"),
        ({"motion": np.zeros((FRAMES - 1, MOTION_SIZE), np.float16)}, "do not fit each other"),
        ({"programs": np.zeros(2, np.int64)}, "do not fit each other"),
        ({"rhythm": np.zeros((FRAMES, 3), np.float16)}, "do not fit each other"),
        ({"rows": np.zeros((1, FRAMES, ROWS), np.float32)}, "'rows' is something else"),
        ({"genre": None}, "has no 'genre'"),
    ],
)
def test_arrays_of_a_pair_must_fit_each_other(example, changes, message):
    with pytest.raises(D2MError, match=message):
        load_pairs([example(**changes)])


def test_music_without_sound_is_refused(example):
    with pytest.raises(D2MError, match="no sound"):
        SongCrops(example(waveform=np.zeros(0, np.int16)).parent)


def test_an_array_larger_than_any_example_is_not_unpacked(example, monkeypatch):
    monkeypatch.setattr("d2m.datasets.examples._LARGEST", 1000)
    with pytest.raises(D2MError, match="something else"):
        read_example(example(), waveform=(np.int16, 1))


def test_wav_files_are_mixed_and_bad_ones_named(tmp_path):
    sound = np.stack([np.full(1000, 0.5), np.full(1000, -0.25)], 1)
    soundfile.write(tmp_path / "a.wav", sound, 22050)
    assert SongCrops(tmp_path).songs[0].tolist() == [round(0.125 * 32768)] * 1000
    whole = (tmp_path / "a.wav").read_bytes()
    soundfile.write(tmp_path / "nan.wav", np.full(1000, np.nan), 22050, "FLOAT")
    soundfile.write(tmp_path / "rate.wav", sound, 44100)
    for name, content, message in (
        ("b", whole[:30], "damaged or not a .wav file"),
        ("b", whole[:44], "no sound"),
        ("b", (tmp_path / "nan.wav").read_bytes(), "not numbers"),
        ("b", (tmp_path / "rate.wav").read_bytes(), "44100 Hz"),
    ):
        folder = tmp_path / message.replace(" ", "")
        folder.mkdir()
        (folder / f"{name}.wav").write_bytes(content)
        with pytest.raises(D2MError, match=message) as error:
            SongCrops(folder)
        assert "b.wav" in str(error.value)


@pytest.mark.parametrize("model", ["genre", "codec", "vqvae"])
def test_on_the_command_line_it_is_no_bug_of_d2m(tmp_path, capsys, model):
    for part in ("train", "held_out"):
        (tmp_path / part).mkdir()
        np.savez(tmp_path / part / "a.npz", **GOOD)
    path = tmp_path / "train" / "a.npz"
    path.write_bytes(path.read_bytes()[:500])
    words = ["train", model, "--data", str(tmp_path), "--run", str(tmp_path / "run"), "--steps", "1"]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert "a.npz is damaged" in told
    assert "bug" not in told
    assert told.count("\n") == 1
