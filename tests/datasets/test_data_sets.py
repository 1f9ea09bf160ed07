"""The registry of data sets, and a data set that another package adds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from other_packages import install

from d2m.cli.main import main
from d2m.datasets import DATA_SETS, all_dance_data, dance_data
from d2m.datasets.base import Item
from d2m.datasets.catalogue import offers
from d2m.datasets.segments import Segments
from d2m.errors import D2MError
from d2m.evaluation.benchmark.inputs import read_inputs
from d2m.evaluation.benchmark.items import find_items
from d2m.evaluation.benchmark.published import published_for

MODULE = '''
from pathlib import Path

import numpy as np
from d2m.datasets.base import DanceData, Skip, Source, Take
from d2m.datasets.offers import Offer, Part
from d2m.datasets.prepared import Sequence
from d2m.features.to_mediapipe import tidied, to_mediapipe33

FPS = 25.0


class Club(Source):
    """A folder of .npy files with 17 keypoints, 25 frames a second, and a wav beside each."""

    kind, motion_fps, motion_size, visual_size = "club", FPS, 51, None

    def __init__(self, root):
        self.root = Path(root)

    def splits(self):
        return {split: tuple((self.root / f"{split}.txt").read_text().split()) for split in ("train", "test")}

    def music(self, name):
        return name

    def music_file(self, music):
        path = self.root / f"{music}.wav"
        if not path.is_file():
            raise Skip("without music", f"{path} is missing")
        return path

    def files(self, name):
        return (self.root / f"{name}.npy",)

    def sequence(self, name):
        return Sequence(np.load(self.files(name)[0]).astype(np.float32), name, 2205, 3)


class ClubData(DanceData):
    name, title = "club", "Club Dances"
    offers = (Offer("club", "dances in clubs", "CC0", "https://club.example/terms", False, "https://club.example",
                    (Part("all", "https://club.example/all.zip", "all"),)),)
    motion_fps, motion_size = FPS, 51

    def recognises(self, folder):
        return (folder / "club.txt").is_file()

    def source(self, folder, visual=None, protocol="crossmodal"):
        return Club(folder)

    def genre(self, name):
        return 3

    def take(self, frames, name):
        points = frames.reshape(len(frames), 17, 3)
        motion = tidied(points[..., :2], points[..., 2], FPS, "coco17")
        return Take(to_mediapipe33(motion), 0.0, motion.joints[..., :2], FPS, "picture", "17 keypoints in the picture")


CLUB = ClubData()
'''
SECONDS = 6.0


@pytest.fixture
def club(tmp_path, monkeypatch) -> Path:
    """A folder of a data set that a package of its own adds: two dances to train, one to test."""
    install(tmp_path / "site", monkeypatch, "club_data", MODULE, "[d2m.datasets]\nclub = club_data:CLUB\n")
    root = tmp_path / "club"
    root.mkdir()
    (root / "club.txt").write_text("")
    rng = np.random.default_rng(5)
    time = np.arange(round(25 * SECONDS)) / 25
    for split, names in {"train": ("a", "b"), "test": ("c",)}.items():
        (root / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
        for name in names:
            points = np.ones((len(time), 17, 3))
            points[..., :2] = rng.uniform(0.2, 0.8, (17, 2)) + 0.1 * np.abs(np.sin(np.pi * time))[:, None, None]
            np.save(root / f"{name}.npy", points.reshape(len(time), 51))
            sound = 0.2 * rng.standard_normal(round(22050 * (SECONDS + 0.1)))
            soundfile.write(root / f"{name}.wav", sound, 22050)
    return root


def test_a_data_set_of_another_package_is_prepared_verified_and_read_by_training(club, tmp_path, capfd):
    assert dance_data("club").title == "Club Dances"
    assert offers()["club"].parts[0].name == "all"
    assert main(["data", "prepare", "club", "--root", str(club), "-o", str(tmp_path / "out")]) == 0
    for folder, kind in ((club, "club"), (tmp_path / "out", "prepared club")):
        assert main(["data", "verify", str(folder), "--json"]) == 0
        report = json.loads(capfd.readouterr().out)
        assert (report["kind"], report["sequences"]["train"], report["sequences"]["test"]) == (kind, 2, 1)
    segments = Segments(tmp_path / "out", "train", seconds=2.0)
    assert (segments.kind, segments.motion_size, len(segments)) == ("club", 51, 6)
    assert segments[0].motion.shape == (50, 51)
    (club / "c.wav").unlink()
    assert main(["data", "verify", str(club), "--json"]) == 1
    assert "c.wav is missing" in json.loads(capfd.readouterr().out)["problems"][0]["what"]


@pytest.mark.slow
def test_the_benchmark_reads_a_data_set_of_another_package_raw_and_prepared(club, tmp_path):
    assert main(["data", "prepare", "club", "--root", str(club), "-o", str(tmp_path / "out")]) == 0
    raw, prepared = (find_items("club", root)[0] for root in (club, tmp_path / "out"))
    assert raw == Item("c", "c", "club", club, "gMH")
    assert prepared.prepared
    inputs = [read_inputs(item) for item in (raw, prepared)]
    for made in inputs:
        assert made.dance.duration == pytest.approx(SECONDS, abs=0.05)
        assert made.dance.genre == "gMH"
        assert made.judge == "17 keypoints in the picture"
    assert inputs[0].music == pytest.approx(inputs[1].music, abs=1e-3)
    assert published_for("club") == ()


def test_the_benchmark_has_a_command_for_it(club, tmp_path, monkeypatch):
    import importlib

    from d2m.cli import benchmark

    calls = []
    module = importlib.reload(benchmark)
    monkeypatch.setattr(module, "_run", lambda kind, data, out, as_json, given: calls.append((kind, data, out)))
    from typer.testing import CliRunner

    done = CliRunner().invoke(module.app, ["club", "--data", str(club), "-o", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert calls == [("club", club, tmp_path / "report")]
    monkeypatch.undo()
    importlib.reload(benchmark)


SONGS = """
from d2m.datasets.songs import STEPS_PER_BEAT, Song, SongData


class Scale(Song):
    kind = "scales"

    def load(self, seed):
        from d2m.symbolic.pianoroll_midi import read_roll

        return read_roll(self.place, STEPS_PER_BEAT)


class ScaleData(SongData):
    name, title = "scales", "Scales"

    def recognises(self, folder):
        return (folder / "scales.txt").is_file()

    def songs(self, folder):
        return [Scale(path.stem, str(path), path.stem == "b") for path in sorted(folder.glob("*.mid"))]


SCALES = ScaleData()
"""


def test_songs_of_a_data_set_of_another_package_become_phrases(tmp_path, monkeypatch, capsys):
    from d2m.datasets.phrases_make import Settings, prepare
    from d2m.symbolic.composer import compose
    from d2m.symbolic.midi_write import write_midi
    from d2m.types import BeatGrid

    install(tmp_path / "site", monkeypatch, "scale_data", SONGS, "[d2m.datasets]\nscales = scale_data:SCALES\n")
    root = tmp_path / "scales"
    root.mkdir()
    (root / "scales.txt").write_text("")
    for seed, name in enumerate("ab"):
        score = compose(BeatGrid.steady(120.0, 20.0), 20.0, "gHO", np.random.default_rng(seed))
        write_midi(score, root / f"{name}.mid")
    made = prepare([str(root)], tmp_path / "phrases", Settings(most_off_grid=1.0))
    assert made.songs == {"train": 1, "held_out": 1}
    assert made.phrases["train"] > 0
    assert [path.name for path in (tmp_path / "phrases" / "parts").iterdir()] == ["scales-00000.json"]


def test_every_data_set_says_what_it_is():
    assert list(DATA_SETS) == ["aist", "tiktok", "studio", "clips", "pop909"]
    assert [data_set.name for data_set in all_dance_data()] == ["aist", "tiktok", "studio", "clips"]
    for name in DATA_SETS:
        assert DATA_SETS.get(name).name == name
        assert DATA_SETS.get(name).title
    for name in ("pop909", "none"):
        with pytest.raises(D2MError, match=f"there is no data set '{name}'; choose aist, tiktok, studio or clips"):
            dance_data(name)


def test_a_protocol_that_a_data_set_lacks_is_an_error(tmp_path, capsys):
    words = ["data", "prepare", "tiktok", "--root", str(tmp_path), "-o", str(tmp_path / "o"), "--protocol", "pose"]
    assert main(words) == 1
    assert "tiktok has no protocol 'pose'; choose crossmodal" in capsys.readouterr().err
