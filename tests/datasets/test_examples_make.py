"""``d2m data examples``: examples that training reads, the same in any number of processes; bad input is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from d2m.cli.main import main
from d2m.datasets.pairs import load_pairs
from d2m.datasets.studio.music import compose_song
from d2m.types import GENRES


def make(*words: object) -> int:
    return main(["data", "examples", *map(str, words)])


@pytest.mark.slow
def test_examples_are_pairs_and_a_run_is_resumed(tmp_path, capsys):
    words = (tmp_path / "a", "--studio-songs", 2, "--held-out", 1, "--seconds", 4, "--seed", 3)
    assert make(*words) == 0
    assert capsys.readouterr().err == f"3 examples in {tmp_path / 'a'}\n"
    files = sorted((tmp_path / "a").rglob("*.npz"))
    assert [f"{path.parent.name}/{path.stem}" for path in files] == [
        "held_out/studio-00000",
        "train/studio-00000",
        "train/studio-00001",
    ]
    pairs = load_pairs(files)
    assert [pair.genre for pair in pairs] == [0, 0, 1]
    assert len(GENRES) == 10
    for pair in pairs:
        assert pair.frames == 4 * 22050 // 256
        assert len(pair.motion) == pair.frames
        assert np.abs(pair.waveform).max() > 3000
    assert not np.array_equal(pairs[0].waveform, pairs[1].waveform)
    before = files[1].read_bytes()
    files[1].unlink()
    kept = files[2].stat().st_mtime_ns
    assert make(*words, "--processes", 2) == 0
    assert (files[1].read_bytes(), files[2].stat().st_mtime_ns) == (before, kept)
    capsys.readouterr()
    assert make(*words[:-1], 4) == 1
    assert "contains examples of other settings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "nothing to make"),
        (["--pop-songs", 3], "needs --pop909"),
        (["--studio-songs", 1, "--seconds", 1], "choose 2 to 600 seconds"),
        (["--studio-songs", 1, "--seconds", "nan"], "choose 2 to 600 seconds"),
        (["--pop-songs", 1, "--pop909", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_made_is_one_line(tmp_path, capsys, words, what):
    assert make(tmp_path / "out", *words) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert what in error
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_named(tmp_path, capsys):
    (tmp_path / "out").write_text("", encoding="utf-8")
    assert make(tmp_path / "out", "--studio-songs", 1) == 1
    assert f"cannot write {tmp_path / 'out'}" in capsys.readouterr().err


def test_damaged_settings_are_named(tmp_path, capsys):
    (tmp_path / "examples.json").write_text("{", encoding="utf-8")
    assert make(tmp_path, "--studio-songs", 1) == 1
    assert "examples.json is damaged" in capsys.readouterr().err


def test_an_example_that_fails_is_a_warning_and_the_others_are_made(tmp_path, capsys, monkeypatch):
    def one(index: int, seed: int, held_out: bool, seconds: float, vocals: bool, band: bool, path: Path) -> None:
        if index == 0:
            raise ValueError("out of tune")
        path.write_bytes(b"x")

    monkeypatch.setattr("d2m.datasets.examples_make.studio_example", one)
    assert make(tmp_path, "--studio-songs", 3, "--held-out", 0) == 1
    assert capsys.readouterr().err.splitlines() == [
        "warning: studio-00000.npz: ValueError('out of tune')",
        "error: 1 of 3 files could not be made, see the warnings; the others are complete",
    ]
    assert len(list(tmp_path.rglob("*.npz"))) == 2
    assert json.loads((tmp_path / "examples.json").read_text(encoding="utf-8")) == {"seed": 1, "seconds": 24.0}


def test_every_second_round_of_genres_keeps_its_voices(tmp_path, monkeypatch):
    def one(index: int, seed: int, held_out: bool, seconds: float, vocals: bool, band: bool, path: Path) -> None:
        path.write_bytes(b"band" if band else b"voices" if vocals else b"none")

    monkeypatch.setattr("d2m.datasets.examples_make.studio_example", one)
    assert make(tmp_path / "a", "--studio-songs", 30, "--held-out", 0, "--vocals") == 0
    found = [path.read_bytes() for path in sorted((tmp_path / "a" / "train").glob("*.npz"))]
    assert found == [b"none"] * 10 + [b"voices"] * 10 + [b"none"] * 10
    assert make(tmp_path / "a", "--studio-songs", 30, "--held-out", 0) == 1
    assert make(tmp_path / "b", "--studio-songs", 30, "--held-out", 0) == 0
    assert {path.read_bytes() for path in (tmp_path / "b" / "train").glob("*.npz")} == {b"band"}


def test_songs_have_voices_only_if_asked():
    with_voices, without = (
        compose_song("gHO", 16.0, np.random.default_rng(1), vocals=vocals)[0] for vocals in (True, False)
    )
    assert len(with_voices.parts) > len(without.parts)
    assert [len(part.starts) for part in with_voices.without_vocals().parts] == [len(p.starts) for p in without.parts]


@pytest.mark.slow
def test_music_for_the_stereo_codec_is_resumed_and_has_examples_for_a_generator(tmp_path, capsys):
    words = ["data", "music", tmp_path, "--hours", 0.003, "--seconds", 5, "--held-out", 1, "--own", 1, "--seed", 2]
    assert main([*map(str, words)]) == 0
    assert capsys.readouterr().err == f"4 songs in {tmp_path}\n"
    songs = sorted(tmp_path.rglob("*.flac"))
    assert [f"{song.parent.name}/{song.stem}" for song in songs] == [
        "held_out/studio-00000",
        "train/studio-00000",
        "train/studio-00001",
        "train/studio-00002",
    ]
    waves = [soundfile.read(song)[0] for song in songs]
    assert all(wave.shape == (5 * 44100, 2) and np.abs(wave).max() > 0.1 for wave in waves)
    assert not np.array_equal(waves[0], waves[1])
    pairs = load_pairs([song.with_suffix(".npz") for song in songs])
    assert [pair.genre for pair in pairs] == [0, 0, 1, 2]
    before = songs[2].read_bytes()
    songs[2].unlink()
    songs[2].with_suffix(".npz").unlink()
    assert main([*map(str, words)]) == 0
    assert songs[2].read_bytes() == before


@pytest.mark.slow
def test_music_with_beats_has_clicks_where_the_beats_are(tmp_path, capsys):
    words = ["data", "beats", tmp_path, "--songs", 2, "--empty", 0, "--seed", 4]
    assert main([*map(str, words)]) == 0
    assert capsys.readouterr().err == f"2 songs in {tmp_path}\n"
    with np.load(tmp_path / "held_out" / "000000.npz") as data:
        frames, beats = data["frames0"].astype(float) / 28, data["beats0"]
    assert frames.shape[1] == 80
    assert len(beats) > 20
    assert (np.diff(beats) > 0.25).all()
    onsets = np.maximum(np.diff(frames, axis=0), 0).sum(1)
    at = np.rint(beats * len(frames) / 32).astype(int)
    at = at[(at > 2) & (at < len(onsets) - 2)]
    on_beats = np.mean([onsets[k - 2 : k + 2].max() for k in at])
    between = (at[1:] + at[:-1]) // 2 + (at[1:] - at[:-1]) // 8
    assert on_beats > 1.2 * np.mean([onsets[k - 2 : k + 2].max() for k in between])


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["music", "out", "--hours", 0], "at most 1000 hours"),
        (["music", "out", "--seconds", 1], "4 to 600 s"),
        (["music", "out", "--font", "nothing"], "no soundfont 'nothing'"),
        (["beats", "out", "--font", "nothing.sf2"], "nothing.sf2"),
    ],
)
def test_music_that_cannot_be_made_is_one_line(tmp_path, monkeypatch, capsys, words, what):
    monkeypatch.chdir(tmp_path)
    assert main(["data", *map(str, words)]) == 1
    error = capsys.readouterr().err
    assert what in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
