"""POP909: songs are read, arranged and cut; what is no song is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from d2m.datasets.pop909 import arrange, extract, parse_chord, read_song, song_folders
from d2m.errors import D2MError
from d2m.symbolic.excerpt import excerpt

PROGRAMS = {"drums": (0,), "piano": (4,), "guitar": (27,), "bass": (33,), "strings": (48,)}


@pytest.fixture(scope="module")
def song(shared, tmp_path_factory) -> Path:
    archive = shared / "pop909" / "pop909.zip"
    if not archive.is_file():
        pytest.skip("needs shared/pop909/pop909.zip beside the checkout")
    folder = tmp_path_factory.mktemp("pop")
    with zipfile.ZipFile(archive) as source:
        source.extractall(folder, [name for name in source.namelist() if "/001/" in name])
    return song_folders(folder / "POP909")[0]


def test_songs_are_found_in_their_folder_and_in_the_one_it_was_unpacked_into(tmp_path):
    for name in ("001", "002"):
        place = tmp_path / "POP909" / name
        place.mkdir(parents=True)
        (place / f"{name}.mid").touch()
    assert [place.name for place in song_folders(tmp_path)] == ["001", "002"]
    assert song_folders(tmp_path) == song_folders(tmp_path / "POP909")
    with pytest.raises(D2MError, match="no POP909 songs"):
        song_folders(tmp_path / "POP909" / "001")


@pytest.mark.parametrize(
    ("label", "chord"),
    [
        ("C:maj", (0, 0, (0, 4, 7))),
        ("Gb:maj7/3", (6, 10, (6, 10, 1, 5))),
        ("A:min7", (9, 9, (9, 0, 4, 7))),
        ("N", None),
    ],
)
def test_chords_are_spelled_out(label, chord):
    assert parse_chord(label) == chord


def test_a_song_gets_bass_and_drums_on_its_beats(song):
    score = arrange(song, np.random.default_rng(1), PROGRAMS)
    tracks = {part.track for part in score.parts}
    assert {"drums", "bass", "piano"} <= tracks
    drums = next(part for part in score.parts if part.is_drum)
    np.testing.assert_allclose(drums.starts * 4, np.round(drums.starts * 4), atol=1e-6)
    assert all(np.all(np.diff(part.starts) >= 0) for part in score.parts)


def test_an_excerpt_keeps_its_notes_where_they_were(song):
    score = arrange(song, np.random.default_rng(1), PROGRAMS)
    cut = excerpt(score, 20.0, 10.0)
    whole, part = score.parts[0], cut.parts[0]
    time = score.grid.time_of(whole.starts)
    expected = time[(time >= 20) & (time < 30)] - 20
    np.testing.assert_allclose(cut.grid.time_of(part.starts), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content"), [("chord_midi.txt", "0 1 H:maj"), ("beat_midi.txt", "1 1 1"), ("001.mid", "x")]
)
def test_a_damaged_song_is_one_clear_line(song, tmp_path, name, content):
    folder = tmp_path / "001"
    folder.mkdir()
    for path in song.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_text(content)
    with pytest.raises(D2MError):
        read_song(folder)


def test_an_archive_cannot_leave_its_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../outside.txt", "x")
    with pytest.raises(D2MError, match="leaves its folder"):
        extract(tmp_path / "bad.zip", tmp_path / "in")
    assert not (tmp_path / "outside.txt").exists()
