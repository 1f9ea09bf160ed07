"""MIDI files hold the same music at the same seconds, and bad ones are refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.symbolic.composer import compose
from d2m.symbolic.midi import read_midi, track_of, write_midi
from d2m.types import BeatGrid, Part, Score


def drifting_grid(first_beat: float = -0.31, count: int = 40) -> BeatGrid:
    """Beats that slow down and speed up, bar lines from the third one on."""
    gaps = 0.5 + 0.06 * np.sin(np.arange(count - 1) / 4)
    beats = first_beat + np.concatenate([[0.0], np.cumsum(gaps)])
    return BeatGrid(beats, np.arange(2, count, 4), 120.0, 0.8)


@pytest.fixture
def score() -> Score:
    return compose(drifting_grid(), 15.0, "gLO", np.random.default_rng(4))


def seconds(score: Score) -> list[tuple[str, int, float, float, int]]:
    """(track, key, start s, end s, velocity) of every note that is heard, in order."""
    notes = []
    for part in score.parts:
        starts, ends = score.grid.time_of(part.starts), score.grid.time_of(part.ends)
        for row in zip(starts, ends, part.pitches, part.velocities, strict=True):
            notes.append((part.track, int(row[2]), float(row[0]), float(row[1]), int(row[3])))
    return sorted(notes, key=lambda n: (n[0], n[1], n[2]))


def test_notes_come_back_at_the_same_seconds_under_a_drifting_tempo(score: Score, tmp_path: Path) -> None:
    again = read_midi(write_midi(score, tmp_path / "a.mid"))
    before, after = seconds(score.instruments()), seconds(again)
    assert [(n[0], n[1], n[4]) for n in before] == [(n[0], n[1], n[4]) for n in after]
    np.testing.assert_allclose([n[2] for n in before], [n[2] for n in after], atol=1e-3)
    np.testing.assert_allclose([n[3] for n in before], [n[3] for n in after], atol=2e-3)


def test_bar_lines_and_beats_come_back_with_a_pickup(score: Score, tmp_path: Path) -> None:
    again = read_midi(write_midi(score, tmp_path / "a.mid"))
    lines = score.grid.beats[score.grid.downbeats]
    lines = lines[(lines > 0) & (lines < 14)]
    found = again.grid.beats[again.grid.downbeats]
    assert all(np.abs(found - line).min() < 2e-3 for line in lines)
    assert again.grid.beats_per_bar == 4
    beats = score.grid.beats[(score.grid.beats > 0) & (score.grid.beats < 14)]
    assert all(np.abs(again.grid.beats - beat).min() < 2e-3 for beat in beats)


def test_programs_and_tracks_come_back(score: Score, tmp_path: Path) -> None:
    again = read_midi(write_midi(score, tmp_path / "a.mid"))
    assert [(p.track, p.program) for p in again.parts] == [(p.track, p.program) for p in score.instruments().parts]


def test_other_programs_read_the_file_alike(score: Score, tmp_path: Path) -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    file = pretty_midi.PrettyMIDI(str(write_midi(score, tmp_path / "a.mid")))
    heard = sorted(n.start for i in file.instruments if i.is_drum for n in i.notes)
    drums = next(p for p in score.parts if p.is_drum)
    np.testing.assert_allclose(heard, np.sort(score.grid.time_of(drums.starts)), atol=1e-3)


@pytest.mark.parametrize(
    ("program", "track"),
    [(0, "piano"), (11, "piano"), (19, "piano"), (27, "guitar"), (33, "bass"), (48, "strings"), (61, "strings"),
     (81, "strings"), (105, "guitar"), (127, "strings")],
)  # fmt: skip
def test_families_map_to_the_five_tracks(program: int, track: str) -> None:
    assert track_of(program) == track


@pytest.mark.parametrize(
    "content",
    [b"", b"not music at all", b"MThd\0\0\0\6\0\1\0\1\1\xe0", b"MThd\0\0\0\6\0\1\xff\xff\1\xe0MTrk\xff\xff\xff\xff\0"],
)
def test_garbage_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    with pytest.raises(D2MError) as error:
        read_midi(path)
    assert "\n" not in str(error.value)
    assert "x.mid" in str(error.value)


@pytest.mark.slow
def test_damaged_files_never_raise_anything_else(score: Score, tmp_path: Path) -> None:
    data = bytearray(write_midi(score, tmp_path / "a.mid").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "b.mid"
    for _ in range(60):
        broken = data.copy()
        for at in rng.integers(0, len(data), 12):
            broken[at] = int(rng.integers(0, 256))
        path.write_bytes(broken[: int(rng.integers(20, len(data)))])
        try:
            read = read_midi(path)
        except D2MError:
            continue
        assert read.duration <= 4 * 3600
        assert all(np.all(np.diff(p.starts) >= 0) for p in read.parts)


def test_a_folder_that_is_not_there_is_made_and_one_that_cannot_be_is_named(score: Score, tmp_path: Path) -> None:
    assert write_midi(score, tmp_path / "new" / "one" / "a.mid").stat().st_size > 50
    (tmp_path / "file").touch()
    with pytest.raises(D2MError, match="cannot write"):
        write_midi(score, tmp_path / "file" / "a.mid")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "new"]


def test_a_file_of_one_note_has_a_grid(tmp_path: Path) -> None:
    part = Part("piano", 0, np.array([0.0]), np.array([0.5]), np.array([60]), np.array([90]))
    again = read_midi(write_midi(Score((part,), BeatGrid.steady(100, 1.0), 1.0), tmp_path / "n.mid"))
    assert len(again.grid.beats) >= 2
    assert again.parts[0].pitches.tolist() == [60]


@pytest.mark.parametrize("tempo", [126.0, 68.0, 58.0, 97.3])
def test_music_of_one_tempo_has_one_in_the_file_and_keeps_time(tmp_path: Path, tempo: float) -> None:
    from symusic import Score as Read

    grid = BeatGrid.steady(tempo, 240.0)
    starts = np.arange(0.0, len(grid.beats) - 1.0, 4.0)
    notes = (np.full(len(starts), 60), np.full(len(starts), 80))
    music = Score((Part("piano", 0, starts, starts + 1.0, *notes),), grid, 240.0)
    path = write_midi(music, tmp_path / "steady.mid")
    assert len(Read(str(path)).tempos) <= 2
    back = read_midi(path)
    np.testing.assert_allclose(back.grid.time_of(back.parts[0].starts), grid.time_of(starts), atol=3e-4)
