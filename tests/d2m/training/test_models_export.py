"""``d2m models export``: kind, command and seed come from the folder of the run; what does not fit is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

import d2m.training
from d2m import codec as codecs
from d2m import generator as generators
from d2m import weights
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.features.sound_net import BeatNet, BeatNetConfig
from d2m.generator.temporal import TemporalConfig, TemporalGenerator
from d2m.training.export_kinds import KINDS
from d2m.training.export_run import read_scores
from d2m.training.settings import write_settings

SMALL = BeatNetConfig(first=2, second=2, channels=4, blocks=1)
ARGUMENTS = ["train", "beats", "--data", "my music", "--run", "runs/beats"]


def save_run(folder: Path, modules: dict, task: dict, settings: dict | None, arguments: list[str] = ARGUMENTS) -> Path:
    """A folder as the loop leaves it, with a checkpoint after 7 steps."""
    folder.mkdir()
    torch.save({"step": 7, "modules": modules, "task": task}, folder / "last.ckpt")
    if settings is not None:
        write_settings(folder, settings, {})
        content = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
        content["latest start"]["arguments"] = arguments
        (folder / "settings.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.fixture
def run(tmp_path):
    """A run of a small beat network."""
    net = BeatNet(SMALL)
    settings = {"task": "BeatTask", "seed": 5, "data": "my music"}
    return save_run(tmp_path / "run", {"beats": net.state_dict()}, {"config": net.settings()}, settings)


def test_the_folder_of_a_run_says_what_the_card_needs(run, tmp_path, capsys):
    out = tmp_path / "mine.safetensors"
    assert main(["models", "export", str(run), "-o", str(out), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["exported"]
    card = weights.verify(out)
    assert (told["sha256"], told["path"]) == (card.sha256, str(out))
    assert (card.name, card.kind, card.seed, card.steps) == ("mine", "beats", 5, 7)
    assert card.command == "d2m train beats --data 'my music' --run runs/beats"
    assert card.data == "contents of the folder my music"
    assert card.licence == "not stated"
    assert card.config == BeatNet(SMALL).settings()


def test_options_are_on_the_card_instead(run, tmp_path, capsys):
    (tmp_path / "scores.json").write_text('{"beats": 0.5}', encoding="utf-8")
    words = ["--command", "one", "--data", "songs (CC BY)", "--licence", "MIT", "--seed", "2", "--steps-before", "3"]
    words += ["--scores", str(tmp_path / "scores.json"), "--scores", "tempo=1", "--kind", "beats"]
    assert main(["models", "export", str(run / "last.ckpt"), "-o", str(tmp_path / "a.safetensors"), *words]) == 0
    assert "a.safetensors: step 10, " in capsys.readouterr().out
    card = weights.verify(tmp_path / "a.safetensors")
    assert (card.command, card.data, card.licence) == ("one", "songs (CC BY)", "MIT")
    assert (card.seed, card.steps, card.scores) == (2, 10, {"beats": 0.5, "tempo": 1.0})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kind", "wavenet"], "there is no kind 'wavenet'; choose from codec, "),
        (["--kind", "genre"], "is not a run of 'd2m train genre'"),
        (["--kind", "decoder"], "is not a run of 'd2m train decoder'"),
        (["--scores", "nothing.json"], "name=value"),
        (["-o", "mine.bin"], "weights are .safetensors files"),
        (["-o", "{}/last.ckpt/mine.safetensors"], "cannot write"),
    ],
)
def test_what_cannot_be_exported_is_one_line(run, tmp_path, capsys, words, message):
    words = [word.format(run) for word in words]
    assert main(["models", "export", str(run), "-o", str(tmp_path / "a.safetensors"), *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


@pytest.mark.parametrize(
    ("settings", "task", "message"),
    [
        (None, {"config": {}}, "give its kind with --kind"),
        ({"task": "OtherTask"}, {"config": {}}, "choose its kind with --kind"),
        ({"task": "BeatTask"}, {}, "is not a run of 'd2m train beats'"),
        ({"task": "BeatTask"}, {"config": 3}, "is not a run of 'd2m train beats'"),
        ({"task": "BeatTask"}, {"config": {"a": torch.zeros(1)}}, "is not a run of 'd2m train beats'"),
        ({"task": "BeatTask"}, 3, "is not a checkpoint of d2m"),
        ({"task": "GeneratorTask"}, {}, "is not a run of 'd2m train generator'"),
    ],
)
def test_a_run_that_lacks_something_is_one_line(tmp_path, capsys, settings, task, message):
    run = save_run(tmp_path / "run", {"beats": {"weight": torch.ones(2)}}, task, settings)
    assert main(["models", "export", str(run), "-o", str(tmp_path / "a.safetensors")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "a.safetensors").exists()


def test_a_run_that_another_program_started_needs_the_command(tmp_path, capsys):
    net = BeatNet(SMALL)
    settings = {"task": "BeatTask"}
    run = save_run(tmp_path / "run", {"beats": net.state_dict()}, {"config": net.settings()}, settings, ["-m", "x"])
    assert main(["models", "export", str(run), "-o", str(tmp_path / "a.safetensors")]) == 1
    assert "give it with --command" in capsys.readouterr().err


@pytest.mark.slow
def test_a_generator_names_the_codec_that_it_was_trained_on(tmp_path, capsys):
    own = codecs.load()
    codec = tmp_path / "own.safetensors"
    weights.save_state(codec, own.state_dict(), "spectral-codec", own.settings())
    torch.manual_seed(0)
    net = TemporalGenerator(TemporalConfig(own.feature_size))
    arguments = ["train", "generator", f"--codec={codec}", "--data", "data"]
    settings = {"task": "GeneratorTask", "train": "data/train"}
    run = save_run(tmp_path / "run", {"generator": net.state_dict()}, {}, settings, arguments)
    words = ["models", "export", str(run), "-o", str(tmp_path / "a.safetensors")]
    assert main(words) == 0
    assert weights.verify(tmp_path / "a.safetensors").data == "contents of the folder data"
    assert generators.load(tmp_path / "a.safetensors")[1] == str(codec)
    assert main([*words, "--codec", "studio-codec"]) == 0
    assert generators.load(tmp_path / "a.safetensors")[1] == "studio-codec"
    assert main([*words, "--codec", "nothing"]) == 1
    assert "name it with --codec" in capsys.readouterr().err
    net = TemporalGenerator(TemporalConfig(own.feature_size + 1))
    other = save_run(tmp_path / "other", {"generator": net.state_dict()}, {}, settings, arguments)
    assert main(["models", "export", str(other), "-o", str(tmp_path / "b.safetensors")]) == 1
    assert f"predicts {own.feature_size + 1} numbers per frame" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()


def test_every_task_of_the_training_commands_has_a_kind():
    source = "".join(path.read_text(encoding="utf-8") for path in Path(d2m.training.__file__).parent.glob("*.py"))
    tasks = set(re.findall(r"^class (\w+)\(\w*Task\):", source, re.MULTILINE))
    assert tasks == {kind.task for kind in KINDS.values()}


def test_scores_are_pairs_and_files(tmp_path):
    flat, measured = tmp_path / "flat.json", tmp_path / "measured.json"
    flat.write_text('{"a": 0.123456789}', encoding="utf-8")
    measured.write_text(
        '{"songs": 3, "seconds": 10, "results": {"codec": {"mel": 0.5}, "white noise": {"mel": 1}}}', encoding="utf-8"
    )
    assert read_scores([str(flat), "b=2", str(measured)]) == {
        "a": 0.12346,
        "b": 2.0,
        "codec: mel, 3 held-out songs of 10 s": 0.5,
    }
    for word in ("nothing.json", "b=two", str(tmp_path)):
        with pytest.raises(D2MError, match="name=value"):
            read_scores([word])


@pytest.mark.parametrize("text", ["[1]", '{"a": "x"}', '{"results": {"a": 3}}', '{"results": {"a": {"b": [1]}}}', "{"])
def test_files_without_figures_are_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(D2MError, match="a.json"):
        read_scores([str(path)])
