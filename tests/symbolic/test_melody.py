"""Melodies are found in music, put on the grid, and lose nothing there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from d2m.cli.main import main
from d2m.datasets.melodies import (
    is_pop909,
    load_melodies,
    make_melodies,
    midi_melodies,
    part_of,
    pop909_melodies,
)
from d2m.errors import D2MError
from d2m.symbolic import melody as grid
from d2m.symbolic.emotion.statistics import describe, note_f1, sounding, summary
from d2m.symbolic.melody_extract import WindowRules, melody_notes, melody_on_grid, read_melody, sections, windows
from d2m.symbolic.midi import write_midi
from d2m.types import BeatGrid, Part, Score


def random_notes(rng: np.random.Generator, steps: int = grid.STEPS) -> np.ndarray:
    """Notes of 1 to 6 steps with rests between some of them."""
    notes, at = [], int(rng.integers(0, 4))
    while at < steps - 1:
        end = min(at + int(rng.integers(1, 7)), steps)
        notes.append((at, end, int(rng.integers(grid.LOWEST, grid.HIGHEST + 1))))
        at = end + int(rng.choice([0, 0, 1, 3]))
    return np.array(notes)


def part(notes, track="piano", program=0) -> Part:
    starts, ends, pitches = np.array(notes, float).reshape(-1, 3).T
    return Part(track, program, starts, ends, pitches.astype(np.int64), np.full(len(starts), 90))


def score(*parts: Part, bars: int = 17, pickup: int = 0) -> Score:
    beats = np.arange(bars * 4 + pickup + 1) * 0.5
    return Score(parts, BeatGrid(beats, np.arange(pickup, len(beats), 4), 120.0, 1.0), float(beats[-1]))


TUNE = [(i * 0.5, i * 0.5 + 0.5, 60 + (0, 2, 4, 5, 7, 9, 11, 12)[i * 5 % 8]) for i in range(16 * 8)]


@pytest.mark.parametrize("seed", range(5))
def test_notes_on_the_grid_come_back_as_they_were(seed):
    notes = random_notes(np.random.default_rng(seed))
    melody = grid.from_notes(notes)
    assert melody.shape == (256,)
    assert melody.dtype == np.uint8
    np.testing.assert_array_equal(grid.to_notes(melody), notes)
    np.testing.assert_array_equal(grid.canonical(melody), melody)


def test_classes_are_those_of_magenta():
    melody = grid.from_notes(np.array([[0, 2, 21], [2, 3, 108]]), 16)
    assert grid.CLASSES == 90
    assert melody.tolist() == [2, 0, 89, 1] + [0] * 12


def test_any_classes_are_a_melody():
    noise = np.random.default_rng(0).integers(0, grid.CLASSES, 256).astype(np.uint8)
    tidy = grid.canonical(noise)
    np.testing.assert_array_equal(grid.to_notes(tidy), grid.to_notes(noise))
    assert len(grid.to_notes(np.zeros(256, np.uint8))) == 0
    assert len(grid.to_notes(np.ones(256, np.uint8))) == 0


@pytest.mark.parametrize("notes", [[[0, 1, 20]], [[0, 1, 109]], [[0, 2, 60], [0, 1, 64]], [[3, 3, 60]]])
def test_what_is_no_melody_is_refused(notes):
    with pytest.raises(ValueError):
        grid.from_notes(np.array(notes))


def test_melodies_move_by_semitones_as_far_as_there_is_room():
    melodies = np.stack([grid.from_notes(np.array([[0, 4, low], [4, 8, low + 12]])) for low in (21, 60)])
    down, up = grid.room(melodies)
    assert down.tolist() == [0, -39]
    assert up.tolist() == [75, 36]
    moved = grid.transpose(melodies, np.array([5, -3]))
    assert [grid.to_notes(m)[:, 2].tolist() for m in moved] == [[26, 38], [57, 69]]
    with pytest.raises(ValueError, match="leave"):
        grid.transpose(melodies, -1)


def test_a_melody_survives_a_midi_file(tmp_path):
    melody = grid.from_notes(np.array([[int(s * 4), int(e * 4), p] for s, e, p in TUNE]))
    path = write_midi(grid.to_score(melody, tempo=87), tmp_path / "tune.mid")
    np.testing.assert_array_equal(read_melody(path)[0], melody)


def test_the_tune_is_found_among_other_parts():
    bass = part([(i, i + 1, 36) for i in range(64)], "bass", 33)
    chords = part([(i * 2, i * 2 + 2, p) for i in range(32) for p in (84, 88, 91)], "strings", 48)
    drums = part([(i, i + 0.2, 42) for i in range(64)], "drums")
    notes = melody_notes(score(bass, chords, part(TUNE), drums))
    np.testing.assert_allclose(notes, TUNE)


def test_a_name_decides():
    low = part([(i, i + 1, 50 + i % 5) for i in range(64)])
    music = score(part(TUNE), low)
    np.testing.assert_allclose(melody_notes(music)[:, 2], part(TUNE).pitches)
    np.testing.assert_allclose(melody_notes(music, ["Piano", "Vocals"])[:, 2], low.pitches)
    np.testing.assert_allclose(melody_notes(music, ["My melody", "My melody"])[:, 2], part(TUNE).pitches)


def test_track_names_are_read_from_the_file(tmp_path):
    music = score(part([(i, i + 1, 50 + i % 5) for i in range(64)], "strings", 48), part(TUNE))
    path = write_midi(music, tmp_path / "a.mid")
    assert read_melody(path)[0].max() == 60 + 12 - grid.LOWEST + grid.FIRST_KEY
    path.write_bytes(path.read_bytes().replace(b"strings", b"Melody "))
    assert read_melody(path)[0].max() == 54 - grid.LOWEST + grid.FIRST_KEY


def test_the_skyline_of_piano_music_is_its_upper_voice():
    hands = TUNE + [(i, i + 1, p) for i in range(64) for p in (48, 52, 55)]
    np.testing.assert_allclose(melody_notes(score(part(hands)))[:, 2], part(TUNE).pitches)


def test_grace_notes_give_way_and_overlaps_are_cut():
    tune = [(0.0, 0.05, 62), (0.02, 1.1, 64), (1.0, 2.0, 60), (2.0, 3.0, 62), (3.0, 9.0, 65)]
    found = grid.to_notes(melody_on_grid(score(part(tune), bars=4))[0])
    assert found.tolist() == [[0, 4, 64], [4, 8, 60], [8, 12, 62], [12, 36, 65]]


def test_a_pickup_stands_outside_the_bars():
    shifted = [(s + 1, e + 1, p) for s, e, p in TUNE]
    music = score(part([(0, 1, 55), *shifted]), pickup=1)
    assert sections(music) == [(1.0, 17)]
    assert grid.to_notes(melody_on_grid(music)[0])[0].tolist() == [0, 2, 60]


def test_bars_of_other_metres_part_the_sections():
    beats = np.arange(40) * 0.5
    music = Score((), BeatGrid(beats, np.array([0, 4, 8, 11, 14, 18, 22]), 120.0, 1.0), 13.0)
    assert sections(music) == [(0.0, 2), (14.0, 3)]


def test_windows_with_too_little_melody_are_dropped():
    melody = grid.from_notes(np.array([[int(s * 4), int(e * 4), p] for s, e, p in TUNE]))
    rules = WindowRules()
    assert [bar for bar, _ in windows(np.concatenate([melody, melody]), rules)] == list(range(17))
    silent = melody.copy()
    silent[64:128] = 0
    assert not list(windows(silent, rules))
    assert not list(windows(np.where(melody > 1, 40, melody), rules))


def test_a_note_held_into_a_window_is_left_out():
    notes = np.array([[14, 20, 60], *[[20 + 4 * i, 23 + 4 * i, 60 + i % 5] for i in range(63)]])
    cut = dict(windows(grid.from_notes(notes, 17 * 16), WindowRules()))[1]
    assert cut[:4].tolist() == [0, 0, 0, 0]
    np.testing.assert_array_equal(grid.canonical(cut), cut)


@pytest.mark.parametrize(
    ("music", "message"),
    [
        (score(part([(i, i + 0.2, 42) for i in range(8)], "drums")), "drums only"),
        (score(part([(0, 1, 10), (1, 2, 120)])), "no note lies"),
        (Score((part(TUNE),), BeatGrid(np.arange(70.0), np.arange(0, 70, 3), 60.0, 1.0, 3), 60.0), "4/4"),
    ],
)
def test_music_without_a_melody_is_one_clear_line(music, message):
    with pytest.raises(D2MError, match=message):
        melody_on_grid(music)


def test_figures_of_a_melody():
    bar = [(0, 4, 60), (4, 8, 64), (8, 12, 67)]
    notes = np.array([(s + 16 * b, e + 16 * b, p) for b in range(15) for s, e, p in bar])
    figures = summary(grid.from_notes(notes)[None])
    assert figures["notes a bar"] == pytest.approx(45 / 16)
    assert figures["rest"] == pytest.approx(1 - 180 / 256)
    assert figures["mean pitch"] == pytest.approx(191 / 3)
    assert figures["repeated bars"] == figures["in key"] == figures["on the beat"] == 1.0
    assert figures["silent bars"] == pytest.approx(1 / 16)
    assert np.isnan(describe(np.zeros((1, 256), np.uint8))["mean pitch"][0])
    melody = grid.from_notes(notes)[None]
    assert note_f1(melody, melody) == 1.0
    assert note_f1(melody, grid.transpose(melody, 1)) == 0.0
    assert sounding(melody)[0, :16].tolist() == [60] * 4 + [64] * 4 + [67] * 4 + [0] * 4


@pytest.fixture(scope="module")
def tunes(tmp_path_factory) -> Path:
    """A folder of MIDI files with tunes of 18 bars."""
    folder = tmp_path_factory.mktemp("tunes")
    for i in range(24):
        melody = grid.from_notes(random_notes(np.random.default_rng(i), 18 * 16), 18 * 16)
        write_midi(grid.to_score(melody), folder / f"{i:03d}.mid")
    (folder / "broken.mid").write_bytes(b"MThd")
    return folder


def test_a_data_set_keeps_songs_apart(tunes, tmp_path):
    record = make_melodies(tmp_path, midi_melodies(tunes), "tests")
    parts = {name: load_melodies(tmp_path, name) for name in ("train", "valid", "held_out")}
    assert sum(len(p.names) for p in parts.values()) == 24
    assert record["train"]["windows"] == len(parts["train"]) == 3 * len(parts["train"].names)
    for name, found in parts.items():
        assert {part_of(song) for song in found.names} == {name}
    batch = parts["train"].batch(np.random.default_rng(0), 8, shift=6)
    assert batch.shape == (8, 256)
    assert len(parts["train"].spread(5)) == 5


@pytest.mark.slow
def test_names_of_files_need_not_be_text(tunes, tmp_path, capsys):
    odd = Path(shutil.copytree(tunes, tmp_path / "odd"))
    first = sorted(odd.glob("*.mid"))[0]
    try:
        first.rename(first.with_name("b\udcffd.mid"))
    except OSError:
        pytest.skip("this file system takes names of text only")
    assert main(["symbolic", "melodies", str(odd), "-o", str(tmp_path / "melodies"), "--stride", "2"]) == 0
    assert main(["symbolic", "prepare", str(odd), "-o", str(tmp_path / "phrases")]) in (0, 1)
    assert "a bug in d2m" not in capsys.readouterr().err


def test_melodies_of_pop909_stand_on_their_annotated_bars(tmp_path):
    melody = grid.from_notes(np.array([[int(s * 4), int(e * 4), p] for s, e, p in TUNE]))
    beats = np.arange(70) * 0.6 + 0.25
    for name in ("001", "005", "010"):
        folder = tmp_path / name
        folder.mkdir()
        sung = part([(0.5, 1, 50), *[(s + 1, e + 1, p) for s, e, p in TUNE]])
        music = Score((sung,), BeatGrid(beats, np.arange(1, 70, 4), 100.0, 1.0), 42.0)
        write_midi(music, folder / f"{name}.mid")
        raw = (folder / f"{name}.mid").read_bytes().replace(b"\x05piano", b"\x06MELODY")
        at = raw.rindex(b"MTrk")
        raw = raw[: at + 4] + (int.from_bytes(raw[at + 4 : at + 8], "big") + 1).to_bytes(4, "big") + raw[at + 8 :]
        (folder / f"{name}.mid").write_bytes(raw)
        lines = [f"{time} 0 {int(i % 4 == 1)}" for i, time in enumerate(beats)]
        (folder / "beat_midi.txt").write_text("\n".join(lines))
        (folder / "chord_midi.txt").write_text("0.25 42 C:maj")
    assert is_pop909(tmp_path)
    make_melodies(tmp_path / "out", pop909_melodies(tmp_path), "tests")
    for name in ("train", "valid", "held_out"):
        np.testing.assert_array_equal(load_melodies(tmp_path / "out", name).melodies[0], melody)


def test_the_command_tells_what_it_made(tunes, tmp_path, capsys):
    assert main(["symbolic", "melodies", str(tunes), "-o", str(tmp_path / "out"), "--stride", "2", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["rules"]["stride"] == 2
    assert told["train"]["windows"] == 2 * told["train"]["songs"]
    assert told["figures"]["held_out"]["notes a bar"] > 2
    assert main(["symbolic", "melodies", str(tmp_path / "nothing"), "-o", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("error: no MIDI files")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("content", [None, b"", b"not a zip file"])
def test_a_damaged_data_set_is_one_clear_line(tmp_path, content):
    if content is not None:
        (tmp_path / "train.npz").write_bytes(content)
    with pytest.raises(D2MError, match="d2m symbolic melodies"):
        load_melodies(tmp_path, "train")


def test_every_damaged_byte_is_noticed_or_harmless(tmp_path):
    path, none = tmp_path / "train.npz", np.zeros(8, np.int32)
    np.savez_compressed(path, melodies=np.zeros((8, 256), np.uint8), songs=none, bars=none, names=["a"])
    good, refused = path.read_bytes(), 0
    for place in range(0, len(good), 3):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0xFF]) + good[place + 1 :])
        try:
            load_melodies(tmp_path, "train")
        except D2MError:
            refused += 1
    assert refused > 20


def test_classes_beyond_the_last_are_refused(tmp_path):
    none = np.zeros(1, np.int32)
    np.savez(tmp_path / "train.npz", melodies=np.full((1, 256), 90, np.uint8), songs=none, bars=none, names=["a"])
    with pytest.raises(D2MError, match="no melodies"):
        load_melodies(tmp_path, "train")


def test_the_scale_of_a_melody_has_most_of_its_onsets():
    d_major = [62, 64, 66, 67, 69, 71, 73, 74]
    line = grid.from_notes(np.array([(4 * i, 4 * i + 4, d_major[i % 8]) for i in range(64)]))
    silence = np.zeros(256, np.uint8)
    roots = grid.scale_roots(np.stack([line, grid.transpose(line, 3), silence]))
    assert roots.tolist() == [2, 5, 0]
    allowed = grid.in_scale(roots)
    assert allowed.shape == (3, grid.CLASSES)
    assert allowed[:, : grid.FIRST_KEY].all()
    assert allowed[0, line].all()
    assert (np.flatnonzero(allowed[0])[2:] - grid.FIRST_KEY + grid.LOWEST)[:3].tolist() == [21, 23, 25]


def test_melodies_move_along_their_scale():
    d_major = [62, 64, 66, 67, 69, 71, 73, 74]
    line = grid.from_notes(np.array([(4 * i, 4 * i + 4, d_major[i % 8]) for i in range(64)]))
    moved = grid.diatonic(np.stack([line] * 4), np.array([0, 1, -1, 7]))
    np.testing.assert_array_equal(moved[0], line)
    assert grid.to_notes(moved[1])[:8, 2].tolist() == [*d_major[1:], 76]
    assert grid.to_notes(moved[2])[:8, 2].tolist() == [61, *d_major[:-1]]
    np.testing.assert_array_equal(moved[3], grid.transpose(line, 12))
    # A note between two tones goes with the one below; silence stays.
    other = np.array(line)
    other[0] = 65 - grid.LOWEST + grid.FIRST_KEY
    assert grid.to_notes(grid.diatonic(other[None], np.array([1]))[0])[0, 2] == 67
    np.testing.assert_array_equal(grid.diatonic(np.zeros((2, 256), np.uint8), np.array([2, -2])), 0)
    edge = grid.from_notes(np.array([(0, 4, 108), (4, 8, 21)]))[None]
    for degrees in (3, -3):
        assert len(grid.to_notes(grid.diatonic(edge, np.array([degrees]))[0])) == 2
