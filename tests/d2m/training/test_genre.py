"""The genre network learns what tells genres apart, retrieves, and refuses what has no genre."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from d2m import music_genre as genre
from d2m import weights
from d2m.errors import D2MError
from d2m.music_genre_net import GenreConfig
from d2m.training.genre import GenreTask, GenreTraining
from d2m.training.loop import LoopConfig, train

SMALL = GenreConfig(channels=4, stages=3, embedding=16)


def music(kind: int, seed: int, seconds: float = 6.0) -> np.ndarray:
    """Two made-up genres: bursts of noise twice a second, or held tones."""
    rng = np.random.default_rng([kind, seed])
    t = np.arange(int(seconds * 22050)) / 22050
    if kind:
        return (0.3 * np.sin(2 * np.pi * rng.uniform(150, 600) * t)).astype(np.float32)
    return (0.3 * rng.standard_normal(len(t)) * np.exp(-20 * (t % 0.5))).astype(np.float32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genre")
    for split, first in (("train", 0), ("held_out", 50)):
        (folder / split).mkdir()
        for i in range(8):
            wave = np.round(music(i % 2, first + i) * 32767).astype(np.int16)
            np.savez(folder / split / f"{i}.npz", waveform=wave, genre=[2, 7][i % 2])
        np.savez(folder / split / "unknown.npz", waveform=wave, genre=-1)
    torch.manual_seed(0)
    task = GenreTask(GenreTraining(folder / "train", folder / "held_out", 60, batch=8, learning_rate=1e-2), SMALL)
    config = LoopConfig(folder / "run", 60, log_every=10, evaluate_every=60, accelerator="cpu", precision="32-true")
    train(task, config)
    path = folder / "net.safetensors"
    weights.save_state(path, task.net.state_dict(), "genre", task.net.settings())
    return path, task


def test_songs_without_a_genre_are_left_out(trained):
    assert len(trained[1].songs) == 8


def test_it_learns_two_genres_and_finds_their_songs(trained):
    judge = genre.load(trained[0])
    heard = [judge.hear(music(i % 2, 100 + i), 22050) for i in range(6)]
    truth = [[2, 7][i % 2] for i in range(6)]
    assert genre.classification(truth, heard) == 1.0
    assert genre.retrieval(judge, truth, heard) == 1.0
    assert all(abs(h.probabilities.sum() - 1) < 1e-5 for h in heard)


def test_rate_channels_and_length_do_not_matter(trained):
    judge = genre.load(trained[0])
    from scipy.signal import resample_poly

    wave = music(0, 7)
    stereo = np.stack([resample_poly(wave, 2, 1)] * 2)
    assert judge.hear(stereo, 44100).genre == judge.hear(wave, 22050).genre == judge.hear(wave[:22050], 22050).genre


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(22050), np.full(22050, np.nan)])
def test_silence_and_damage_have_no_genre(trained, wave):
    with pytest.raises(D2MError, match="silent|empty"):
        genre.load(trained[0]).hear(wave, 22050)


def test_confusion_counts_truth_by_row():
    table = genre.confusion([0, 0, 3], [0, 3, 3])
    assert table.accuracy == pytest.approx(2 / 3)
    assert table.counts[0, 3] == 1
    assert len(str(table).splitlines()) == 11


def test_a_folder_without_genres_and_other_weights_are_refused(tmp_path):
    with pytest.raises(D2MError, match="no music with a genre"):
        GenreTask(GenreTraining(tmp_path, tmp_path, 1))
    with pytest.raises(D2MError, match="genre"):
        genre.load("studio-codec")


def test_recordings_are_judged_against_the_genre_their_names_tell(trained, tmp_path, capsys):
    import json

    from d2m.cli.main import main
    from d2m.media.write import write_wav

    for name, kind in (("a-gLO", 0), ("mKR2", 1), ("wrong_gKR_x", 0), ("nameless", 1)):
        write_wav(tmp_path / f"{name}.wav", music(kind, 300)[None], 22050)
    write_wav(tmp_path / "clip.d2m.wav", music(0, 301)[None], 22050)
    (tmp_path / "clip.d2m.json").write_text('{"genre": "lock"}')
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert main(["evaluate", "genre", str(tmp_path), "--weights", str(trained[0]), "--json"]) == 1
    found = capsys.readouterr()
    report = json.loads(found.out)
    assert "broken" in found.err
    assert report["counted"] == 4
    assert report["classification"] == report["retrieval"] == 0.75
    truth = {row["name"]: row["genre"] for row in report["recordings"]}
    assert truth == {"a-gLO": "lock", "mKR2": "krump", "wrong_gKR_x": "krump", "nameless": None, "clip": "lock"}
    assert np.sum(report["confusion"]["counts"]) == 4
    assert main(["evaluate", "genre", str(tmp_path), "--genre", "polka", "--weights", str(trained[0])]) == 1
    assert "unknown genre 'polka'" in capsys.readouterr().err


def test_held_out_songs_give_the_confusion_matrix(trained, tmp_path, capsys):
    import json
    import shutil

    from d2m.cli.main import main

    folder = shutil.copytree(trained[0].parent / "held_out", tmp_path / "held_out")
    (folder / "damaged.npz").write_bytes((folder / "0.npz").read_bytes()[:300])
    words = ["evaluate", "genre", str(folder), "--weights", str(trained[0])]
    assert main([*words, "--json"]) == 1
    said = capsys.readouterr()
    report = json.loads(said.out)
    assert "damaged.npz is damaged" in said.err
    assert len(report["recordings"]) == 9
    assert report["counted"] == 8
    names = report["confusion"]["genres"]
    for table in ("counts", "nearest"):
        counts = np.array(report["confusion"][table])
        assert counts[names.index("lock"), names.index("lock")] == 4
        assert counts[names.index("krump"), names.index("krump")] == 4
        assert counts.sum() == 8
    main(words)
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert [line.split(" | ")[0] for line in table[2:]] == ["| lock", "| krump"]
    assert {line.count("|") for line in table} == {len(names) + 2}
