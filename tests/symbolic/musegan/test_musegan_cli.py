"""``d2m symbolic generate`` and ``accompany``, and ``d2m train musegan``, as a user calls them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from d2m import weights as weights_module
from d2m.cli.main import main
from d2m.cli.symbolic_out import midi_path, midi_paths, wav_path
from d2m.datasets.phrases import PhraseSet, pack, save_phrases
from d2m.errors import D2MError
from d2m.symbolic.musegan import COMPACT, save
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.pianoroll_midi import read_roll
from d2m.symbolic.pianoroll_tensor import COMPACT as RESOLUTION
from d2m.symbolic.pianoroll_tensor import from_tensor
from d2m.types import TRACKS

pytestmark = pytest.mark.slow

SMALL = replace(COMPACT, temporal_width=16, width=8, encoder_width=4, critic_width=4, latent=16)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Files of untrained models loud enough to make notes: from scratch, and with a given piano."""
    folder, files = tmp_path_factory.mktemp("weights"), []
    for name, condition in (("scratch", -1), ("piano", 1)):
        torch.manual_seed(0)
        generator = Generator(replace(SMALL, condition=condition))
        for bars in generator.bars:
            bars.semitones.linear.weight.data.mul_(60)
        files.append(folder / f"{name}.safetensors")
        save(generator, files[-1])
    return files


def piano_piece(path, track: int = 1):
    from d2m.symbolic.pianoroll_midi import write_roll

    tensor = np.zeros((5, 16, 72, 5), bool)
    tensor[:, ::4, [36, 40, 43], track] = True
    return write_roll(from_tensor(tensor, RESOLUTION, 96.0), path)


def test_generate_writes_what_it_says(weights, tmp_path, capsys):
    out = tmp_path / "song.mid"
    words = ["symbolic", "generate", "--model", str(weights[0]), "--phrases", "2", "--tempo", "93", "--seed", "7"]
    assert main([*words, "-o", str(out), "--png", "--json"]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["files"] == [str(out), str(out.with_suffix(".png"))]
    roll = read_roll(out, 4)
    assert roll.steps <= 128
    assert roll.tempo[0] == pytest.approx(93, abs=0.01)
    first = out.read_bytes()
    assert main([*words, "-o", str(out)]) == 0
    assert out.read_bytes() == first
    assert main([*words[:-1], "8", "-o", str(out)]) == 0
    assert out.read_bytes() != first


def test_phrases_lead_from_one_seed_to_another(weights, tmp_path, capsys):
    def notes(name, *words):
        out = tmp_path / f"{name}.mid"
        assert main(["symbolic", "generate", "--model", str(weights[0]), *words, "-o", str(out), "--json"]) == 0
        capsys.readouterr()
        return [read_roll(out, 4).excerpt(64 * i, 64 * (i + 1)).held for i in range(int(words[1]))]

    way = notes("way", "--phrases", "4", "--seed", "3", "--interpolate", "8")
    first, last = (notes(seed, "--phrases", "1", "--seed", seed)[0] for seed in ("3", "8"))
    assert np.array_equal(way[0], first)
    assert np.array_equal(way[-1][:, : last.shape[1]], last)
    ends = (way[0] != way[-1]).sum()
    assert all(0 < (a != b).sum() < ends for a, b in zip(way, way[1:], strict=False))


def test_accompany_keeps_the_track_and_adds_the_others(weights, tmp_path, capsys):
    source, out = piano_piece(tmp_path / "in.mid"), tmp_path / "out.mid"
    assert main(["symbolic", "accompany", str(source), "--model", str(weights[1]), "-o", str(out), "--json"]) == 0
    assert "piano" in json.loads(capsys.readouterr().out)["tracks"]
    before, after = read_roll(source, 24), read_roll(out, 24)
    assert np.array_equal(after.notes(1), before.notes(1))
    assert sum(len(after.notes(track)) for track in (0, 2, 3, 4)) > 20


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "--model", "{piano}"], "accompanies a piano track"),
        (["generate", "--model", "{piano}", "--interpolate", "3"], "accompanies a piano track"),
        (["generate", "--model", "{scratch}", "--phrases", "1", "--interpolate", "3"], "2 phrases or more"),
        (["generate", "--model", "{scratch}", "--unrelated", "--interpolate", "3"], "exclude each other"),
        (["generate", "--model", "studio-codec"], "a MuseGAN is needed here"),
        (["generate", "--model", "{scratch}", "-o", "song.wav"], "should end in .mid"),
        (["generate", "--model", "{scratch}", "--binarise", "dice"], "choose threshold or bernoulli"),
        (["accompany", "{guitar}", "--model", "{piano}"], "no piano track to accompany, it plays guitar"),
        (["accompany", "{guitar}", "--model", "{piano}", "--track", "guitar"], "accompanies piano, not guitar"),
        (["accompany", "{guitar}", "--track", "flute"], "no track called 'flute'"),
        (["accompany", "{text}", "--model", "{piano}"], "text.mid"),
        (["accompany", "missing.mid", "--model", "{piano}"], "missing.mid"),
    ],
)
def test_bad_input_is_one_clear_line(weights, tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    places = {"scratch": weights[0], "piano": weights[1], "guitar": piano_piece(tmp_path / "guitar.mid", 2)}
    places["text"] = tmp_path / "text.mid"
    places["text"].write_text("no music")
    assert main(["symbolic", *(word.format(**places) for word in words)]) == 1
    told = capsys.readouterr().err.strip()
    assert message in told
    assert told.startswith("error: ")
    assert "\n" not in told


@pytest.mark.parametrize("track", range(5))
def test_each_track_is_accompanied_with_shipped_weights(tmp_path, track):
    piece = piano_piece(tmp_path / "song.mid", track)
    assert main(["symbolic", "accompany", str(piece), "--track", TRACKS[track], "-o", str(tmp_path / "band.mid")]) == 0
    roll = read_roll(tmp_path / "band.mid", 4)
    assert sum(len(roll.notes(other)) for other in range(5) if other != track) > 20
    assert len(roll.notes(track)) > 20


def test_a_track_without_shipped_weights_is_refused(tmp_path, capsys, monkeypatch):
    cards = [card for card in weights_module.list_cards() if card.name != "studio-musegan-guitar"]
    monkeypatch.setattr(weights_module, "list_cards", lambda: cards)
    piece = piano_piece(tmp_path / "song.mid", 2)
    assert main(["symbolic", "accompany", str(piece), "--track", "guitar"]) == 1
    assert "none for guitar; give --track bass, or --model" in capsys.readouterr().err


def test_train_makes_a_run_from_prepared_phrases(tmp_path, capsys):
    rng = np.random.default_rng(0)
    bits = pack(rng.random((40, 4, 16, 72, 5)) < 0.03)
    song = np.zeros(40, np.int32)
    shard = PhraseSet(bits, bits, song, song, np.full(40, 100, np.float32), ("noise",), RESOLUTION)
    (tmp_path / "data" / "train").mkdir(parents=True)
    save_phrases(tmp_path / "data" / "train" / "a.npz", shard)
    words = ["train", "musegan", "--data", str(tmp_path / "data"), "--accelerator", "cpu", "--no-tensorboard"]
    run = [*words, "--run", str(tmp_path / "run"), "--batch", "2", "--critic-steps", "1", "--measured", "4"]
    run += ["--model", "jamming"]
    assert main([*run, "--condition", "bass", "--steps", "1", "--log-every", "1", "--samples-every", "1"]) == 0
    assert (tmp_path / "run" / "samples" / "000001.png").exists()
    assert (tmp_path / "run" / "losses.png").exists()
    assert {"distance from data", "EB bass"} <= set((tmp_path / "run" / "log.jsonl").read_text().split('"'))
    assert main([*run, "--condition", "bass", "--steps", "2", "--batch", "4"]) == 1
    assert "batch is 2, not 4" in capsys.readouterr().err
    assert main([*words, "--run", str(tmp_path / "other"), "--resolution", "paper"]) == 1
    assert "the model needs 4 x 96 x 84 x 5" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("accompany",), ("emotion", "-e", "bright", "--from"), ("bridge",)])
def test_the_music_that_is_read_is_never_written_over(tmp_path, capsys, words):
    source = piano_piece(tmp_path / "mine.mid")
    before = source.read_bytes()
    sources = [str(source)] * (2 if words == ("bridge",) else 1)
    (tmp_path / "link.mid").symlink_to(source)
    for out in (source, tmp_path / "link.mid"):
        assert main(["symbolic", *words, *sources, "-o", str(out)]) == 1
        assert "is an input file" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_name_without_an_ending_gets_one_and_a_folder_is_refused(tmp_path):
    usual = "usual.mid"
    assert midi_path(str(tmp_path / "song"), usual) == tmp_path / "song.mid"
    assert midi_path(str(tmp_path / "song.MIDI"), usual) == tmp_path / "song.MIDI"
    assert wav_path(str(tmp_path / "song"), "usual.wav") == tmp_path / "song.wav"
    for folder in (str(tmp_path), f"{tmp_path}/new/"):
        with pytest.raises(D2MError, match="is a folder"):
            midi_path(folder, usual)


@pytest.mark.parametrize("ending", [".mid", ".png", ".wav"])
def test_a_name_that_the_user_did_not_give_is_numbered_where_a_file_has_it(tmp_path, ending):
    usual = tmp_path / "song.v1.mid"
    assert midi_path(None, usual) == usual
    (tmp_path / f"song.v1{ending}").write_bytes(b"mine")
    assert midi_path(None, usual) == tmp_path / "song.v1-2.mid"
    (tmp_path / f"song.v1-2{ending}").symlink_to(tmp_path / "nowhere")
    assert midi_path(None, usual) == tmp_path / "song.v1-3.mid"
    (tmp_path / f"song.v1-3-02{ending}").write_bytes(b"mine")
    assert midi_paths(None, usual, 2) == [tmp_path / f"song.v1-0{number}.mid" for number in (1, 2)]
    # The user's own name is the user's own choice.
    assert midi_path(str(usual), "usual.mid") == usual


@pytest.mark.parametrize(
    ("words", "first", "second"),
    [
        (["generate", "--model", "{scratch}", "--phrases", "1"], "musegan.mid", "musegan-2.mid"),
        (["accompany", "{piece}", "--model", "{piano}"], "piece_band.mid", "piece_band-2.mid"),
        (["bridge", "{piece}", "{piece}"], "joined.mid", "joined-2.mid"),
        (["emotion", "-e", "bright"], "emotion.mid", "emotion-2.mid"),
        (["emotion", "-e", "bright", "--count", "2"], "emotion-01.mid", "emotion-2-01.mid"),
        (["render", "{piece}"], "piece.wav", "piece-2.wav"),
    ],
)
def test_a_second_run_replaces_nothing(weights, tmp_path, monkeypatch, words, first, second):
    monkeypatch.chdir(tmp_path)
    places = {"scratch": weights[0], "piano": weights[1], "piece": piano_piece(tmp_path / "piece.mid")}
    words = ["symbolic", *(word.format(**places) for word in words)]
    assert main(words) == 0
    (tmp_path / first).write_bytes(b"worked on")
    assert main(words) == 0
    assert (tmp_path / first).read_bytes() == b"worked on"
    assert (tmp_path / second).stat().st_size > 100
