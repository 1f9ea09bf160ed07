"""Candidates: several pieces for one video, ranked, of which one is finished."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from d2m import engines
from d2m.candidate_distance import distance, distances, song_distance
from d2m.candidate_pieces import Impression, Piece, fit_to
from d2m.candidate_wishes import wish_of
from d2m.candidates import make_candidates, pick, rank
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.generate_options import GenerateOptions
from d2m.plans.make import plan_for
from d2m.types import BeatGrid, Dance, Soundtrack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(clip, tone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("candidates")
    video = clip(folder / "flash & <b>.mp4", duration=3.0, size=(320, 240), sound=tone(3.0, 300))
    return video, *make_candidates(video, folder / "out", 3, genre="house", seed=4)


def test_each_has_its_music_and_plan_and_all_have_a_page_and_a_picture(made) -> None:
    video, folder, candidates = made
    assert folder == video.parent / "out" / "flash & <b>.d2m.candidates"
    names = {"1.wav", "2.wav", "3.wav", "1.toml", "2.toml", "3.toml", "index.html", "sheet.png", "candidates.json"}
    assert {path.name for path in folder.iterdir()} == names
    assert sorted(each.seed for each in candidates) == [4, 5, 6]
    assert [each.number for each in candidates] == [1, 2, 3]
    assert min(each.variety for each in candidates) > 0.1
    assert sorted(each.mood for each in candidates) == ["", "", "bright:0.4"]
    page = (folder / "index.html").read_text()
    assert "flash &amp; &lt;b&gt;" in page
    assert 'src="../../flash &amp; &lt;b&gt;.mp4"' in page
    assert "http" not in page.replace("http-equiv", "")
    assert json.loads((folder / "candidates.json").read_text())["video"] == "../../flash & <b>.mp4"


def test_they_differ_in_seed_mood_and_arranger_unless_the_user_decides() -> None:
    asked = GenerateOptions(genre="house", seed=4)
    wishes = [wish_of(asked, index) for index in range(8)]
    assert [wish.seed for wish, _ in wishes] == list(range(4, 12))
    assert [wish.mood for wish, _ in wishes[:3]] == [None, None, "bright:0.4"]
    assert len({wish.mood for wish, _ in wishes}) == 4
    assert [arranger for _, arranger in wishes] == 5 * ["composer"] + ["musegan"] + 2 * ["composer"]
    gloomy = replace(asked, mood="gloomy:0.6")
    assert {wish_of(gloomy, index)[0].mood for index in range(8)} == {"gloomy:0.6"}
    assert {wish_of(replace(asked, subject="speech"), index)[0].mood for index in range(8)} == {None}
    assert {wish_of(asked, index, "song.mid")[1] for index in range(8)} == {"song.mid"}


def test_a_picked_one_sounds_as_it_did(made) -> None:
    video, folder, _ = made
    assert main(["pick", str(video), "2", "-o", str(folder.parent)]) == 0
    assert (folder.parent / "flash & <b>.d2m.wav").read_bytes() == (folder / "2.wav").read_bytes()
    assert (folder.parent / "flash & <b>.d2m.mp4").is_file()


def test_what_cannot_be_picked_is_said(made, tmp_path) -> None:
    video, folder, _ = made
    with pytest.raises(D2MError, match="there is no candidate 4; choose 1 to 3"):
        pick(video, 4, folder.parent)
    with pytest.raises(D2MError, match="no candidates in .*make them with d2m generate"):
        pick(video, 1, tmp_path)
    shutil.copytree(folder, tmp_path / folder.name)
    (tmp_path / folder.name / "candidates.json").write_text("{}")
    with pytest.raises(D2MError, match="make the candidates again"):
        pick(video, 1, tmp_path)
    report = json.loads((folder / "candidates.json").read_text())
    report["settings"] = {"output_dir": "/"}
    (tmp_path / folder.name / "candidates.json").write_text(json.dumps(report))
    with pytest.raises(D2MError, match="has an unknown setting 'output_dir'"):
        pick(video, 1, tmp_path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--candidates", "3", "--plan", "p.toml"], "--plan belongs to one piece"),
        (["--candidates", "3", "--stems"], "--stems belongs to one piece"),
        (["other.mp4", "--candidates", "3"], "one video at a time"),
    ],
)
def test_options_of_one_piece_are_refused(made, capsys, words, message) -> None:
    assert main(["generate", str(made[0]), *words]) == 1
    assert message in capsys.readouterr().err


def test_fit_follows_the_energy_and_distance_the_notes() -> None:
    grid = BeatGrid.steady(120, 8.0)
    energy = np.tile([0.2, 0.9], len(grid.beats))[: len(grid.beats)].astype(np.float32)
    dance = Dance(8.0, None, grid, energy, np.zeros_like(energy), "gHO")
    samples = np.arange(8 * 8000) / 8000
    loud = np.where((samples // 0.5) % 2 == 1, 0.5, 0.05) * np.sin(2 * np.pi * 200 * samples)
    follows, against = (Soundtrack(wave[None].astype(np.float32), 8000, grid) for wave in (loud, np.roll(loud, 4000)))
    assert fit_to(follows, dance) > 0.99
    assert fit_to(against, dance) < -0.99
    assert fit_to(replace(follows, waveform=np.zeros((1, 64000), np.float32)), dance) == 0.0
    sounds = (against, follows)
    pieces = [
        Piece(plan_for(dance, seed=seed), sound, Impression.of(sound, dance)) for seed, sound in enumerate(sounds, 1)
    ]
    order, ranked = rank(pieces, dance)
    assert order == [1, 0]
    assert [each.seed for each in ranked] == [2, 1]
    arranger = engines.load("symbolic").arranger
    house, krump = arranger.write(dance, 1), arranger.write(replace(dance, genre="gKR"), 1)
    assert distance(house, house) == 0.0
    assert distance(house, krump) > 0.2
    assert distance(house, arranger.write(dance, 2)) > 0.1


def test_sounds_are_as_far_apart_as_the_genre_network_hears_them() -> None:
    grid = BeatGrid.steady(120, 4.0)
    rng = np.random.default_rng(1)
    time = np.arange(4 * 22050) / 22050
    tone, other = np.sin(2 * np.pi * 110 * time), np.sin(2 * np.pi * 112 * time)
    waves = (tone, other, rng.standard_normal(len(time)), np.zeros(len(time)))
    found = distances([Soundtrack((0.3 * wave)[None].astype(np.float32), 22050, grid) for wave in waves], "gHO")
    assert np.array_equal(found.sound, found.sound.T)
    assert np.diag(found.sound).max() == 0.0
    assert found.sound[0, 2] > 3 * found.sound[0, 1] > 0.0
    # Silence has no sound to be compared.
    assert not found.sound[3].any()
    assert found.both.max() <= 0.5
    assert song_distance("gHO") != song_distance("gKR")
    assert song_distance("salsa") == song_distance(None) > 0.0


def test_the_folder_is_replaced_as_a_whole(clip, tmp_path) -> None:
    video = clip(tmp_path / "a.mp4", duration=1.5)
    folder, _ = make_candidates(video, tmp_path, 3, genre="house")
    again, candidates = make_candidates(video, tmp_path, 2, genre="krump")
    assert again == folder
    assert not (folder / "3.wav").exists()
    assert len(candidates) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.d2m.candidates", "a.mp4"]


def test_a_picked_one_gets_the_files_that_were_asked_for(made, tmp_path) -> None:
    video, folder, _ = made
    shutil.copytree(folder, tmp_path / folder.name)
    report = json.loads((tmp_path / folder.name / "candidates.json").read_text())
    assert report["files"] == {}
    report["files"] = {"markers": True, "write_video": False}
    (tmp_path / folder.name / "candidates.json").write_text(json.dumps(report))
    assert main(["pick", str(video), "1", "-o", str(tmp_path)]) == 0
    assert (tmp_path / "flash & <b>.d2m.markers.txt").is_file()
    assert not (tmp_path / "flash & <b>.d2m.mp4").exists()


@pytest.mark.parametrize("files", [{"crf": "20"}, {"plan": "x.toml"}, {"stems": 1}, {"audio_level": True}, [1], 3])
def test_wishes_of_another_kind_are_refused(made, tmp_path, files) -> None:
    video, folder, _ = made
    shutil.copytree(folder, tmp_path / folder.name)
    report = json.loads((folder / "candidates.json").read_text()) | {"files": files}
    (tmp_path / folder.name / "candidates.json").write_text(json.dumps(report))
    with pytest.raises(D2MError, match="cannot be read"):
        pick(video, 1, tmp_path)
