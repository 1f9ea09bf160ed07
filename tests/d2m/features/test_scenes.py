"""Scenes begin on bar lines, at cuts and where the dance changes, and are few."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from dances import FPS, dance, steady_beats

from d2m.errors import D2MError
from d2m.features.scene_file import read_scenes
from d2m.features.scenes import Scene, find_scenes
from d2m.types import BeatGrid, Motion

TEMPO = 120.0
BAR = 2.0


def grid_of(duration: float) -> BeatGrid:
    return BeatGrid.steady(TEMPO, duration)


def even(grid: BeatGrid) -> np.ndarray:
    return np.full(len(grid.beats), 0.6)


def calm(motion: Motion, first: float, last: float, share: float) -> Motion:
    """The motion with its movement made smaller between two times."""
    joints = motion.joints.copy()
    frames = slice(round(first * FPS), round(last * FPS))
    middle = joints[frames].mean(axis=0)
    joints[frames] = middle + share * (joints[frames] - middle)
    return replace(motion, joints=joints)


def starts(scenes: tuple[Scene, ...]) -> list[tuple[float, str]]:
    return [(round(scene.start, 3), scene.cause) for scene in scenes]


def test_a_cut_moves_to_the_nearest_bar_line_and_a_dissolve_says_so() -> None:
    grid = grid_of(40.0)
    scenes = find_scenes(None, [12.7, 27.5], grid, 40.0, even(grid), dissolves=[27.5])
    assert starts(scenes) == [(0.0, "start"), (12.0, "cut"), (28.0, "dissolve")]
    assert [scene.end for scene in scenes] == [12.0, 28.0, 40.0]
    assert all(scene.energy == pytest.approx(0.6) for scene in scenes)


def test_a_scene_beside_a_cut_has_two_bars_at_least() -> None:
    grid = grid_of(40.0)
    assert starts(find_scenes(None, [2.2], grid, 40.0, even(grid))) == [(0.0, "start")]
    assert len(find_scenes(None, [4.1], grid, 40.0, even(grid))) == 2


def test_quick_cutting_gives_about_one_scene_in_eight_seconds() -> None:
    grid = grid_of(60.0)
    scenes = find_scenes(None, list(np.arange(1.5, 59.0, 1.5)), grid, 60.0, even(grid))
    assert 2 <= len(scenes) <= 8


def test_a_change_of_energy_begins_a_scene_within_a_bar() -> None:
    motion = calm(dance(steady_beats(TEMPO, 32.0, 0.0), 32.0, seed=3), 0.0, 16.0, 0.3)
    grid = grid_of(32.0)
    energy = np.where(grid.beats < 16.0, 0.25, 0.8)
    scenes = find_scenes(motion, [], grid, 32.0, energy)
    assert [scene.cause for scene in scenes] == ["start", "energy"]
    assert abs(scenes[1].start - 16.0) <= BAR
    assert scenes[0].energy < 0.35 < scenes[1].energy


def test_setting_off_after_a_pause_begins_a_scene() -> None:
    motion = calm(dance(steady_beats(TEMPO, 32.0, 0.0), 32.0, seed=4), 12.0, 16.0, 0.0)
    grid = grid_of(32.0)
    scenes = find_scenes(motion, [], grid, 32.0, even(grid))
    assert [scene.cause for scene in scenes] == ["start", "pause"]
    assert abs(scenes[1].start - 16.0) <= BAR


@pytest.mark.parametrize("seed", range(4))
def test_a_dance_that_stays_the_same_is_one_scene(seed: int) -> None:
    grid = grid_of(32.0)
    assert len(find_scenes(dance(steady_beats(TEMPO, 32.0, 0.0), 32.0, seed), [], grid, 32.0, even(grid))) == 1


@pytest.mark.parametrize("seed", range(12))
def test_scenes_have_no_gaps_begin_on_bar_lines_and_are_long_enough(seed: int) -> None:
    rng = np.random.default_rng(seed)
    duration = float(rng.uniform(0.5, 70.0))
    beats = np.cumsum(rng.uniform(0.35, 0.7, int(duration / 0.35) + 3)) - 1.0
    grid = BeatGrid(beats, np.arange(int(rng.integers(4)), len(beats), 4), 110.0, 0.5)
    cuts = sorted(rng.uniform(0.0, duration, int(rng.integers(0, 12))))
    motion = None
    if rng.random() < 0.5 and duration > 2:
        motion = dance(beats, duration, seed)
    scenes = find_scenes(motion, cuts, grid, duration, rng.random(len(beats)))
    lines = grid.covering(duration).beats[grid.covering(duration).downbeats]
    assert scenes[0].start == 0.0
    assert scenes[-1].end == duration
    for before, scene in zip(scenes[:-1], scenes[1:], strict=True):
        assert before.end == scene.start
        assert np.abs(lines - scene.start).min() < 1e-9
        inside = int(((lines > before.start + 1e-9) & (lines <= scene.start + 1e-9)).sum())
        assert inside >= (2 if {before.cause, scene.cause} & {"cut", "dissolve"} else 4) - (before.start == 0.0)
    assert len(scenes) - 1 <= duration / 8 + 0.25
    assert all(0 <= scene.energy <= 1 for scene in scenes)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_of_times_with_genres_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "# my scenes\n\n4.5 house\n1:04,5  # slow part\n")
    scenes = read_scenes(path, 90.0)
    assert [(s.start, s.end, s.genre, s.line) for s in scenes] == [
        (0.0, 4.5, None, 0), (4.5, 64.5, "gHO", 3), (64.5, 90.0, None, 4),
    ]  # fmt: skip


def test_a_toml_list_is_read(tmp_path: Path) -> None:
    text = '[[scene]]\nstart = 0\ngenre = "krump"\n[[scene]]\nstart = "0:12.5"\nmood = "calm"\n'
    scenes = read_scenes(written(tmp_path, "a.toml", text), 30.0)
    assert [(s.start, s.end, s.genre, s.mood) for s in scenes] == [(0.0, 12.5, "gKR", None), (12.5, 30.0, None, "calm")]
    scenes = read_scenes(written(tmp_path, "b.toml", "scenes = [0, 10, 20.5]\n"), 30.0)
    assert [s.start for s in scenes] == [0.0, 10.0, 20.5]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "1.0\nten\n", "line 2: 'ten' is no time"),
        ("a.txt", "1.0\n\n45\n", "line 3: 45 s is not within"),
        ("a.txt", "5\n5.2\n", "line 2: 5.2 s is not 0.5 s after"),
        ("a.txt", "9\n5\n", "line 2: 5 s is not"),
        ("a.txt", "-1\n", "line 1"),
        ("a.txt", "nan\n", "line 1: 'nan' is no time"),
        ("a.txt", "1 polka\n", "line 1: unknown genre 'polka'"),
        ("a.txt", "# nothing\n", "no times"),
        ("a.toml", "scenes = [0, 1\n", "line"),
        ("a.toml", "[[scene]]\nstart = 0\n[[scene]]\nbegin = 4\n", "line 3: unknown key 'begin'"),
        ("a.toml", "[[scene]]\ngenre = 'house'\n", "line 1: the scene has no start"),
        ("a.toml", "[[scene]]\nstart = true\n", "line 1: start = True is no time"),
        ("a.toml", f"scenes = [0, 1{'0' * 400}]\n", "line 1: start = "),
        ("a.toml", f"scenes = [0, 1{'0' * 5000}]\n", "not a TOML file"),
        ("a.toml", "scenes = [0, nan]\n", "line 1: start = nan is no time"),
        ("a.toml", "scenes = " + "[" * 5000, "not a TOML file"),
        ("a.toml", "[[scene]]\nstart = 1\ngenre = 3\n", "line 1: genre is not text"),
        ("a.toml", "scenes = 4\n", "scenes are not a list"),
        ("a.toml", "title = 'x'\n", "unknown key 'title'"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(D2MError) as error:
        read_scenes(written(tmp_path, name, text), 30.0)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_no_lists_are_refused(tmp_path: Path) -> None:
    with pytest.raises(D2MError, match="cannot read"):
        read_scenes(tmp_path / "none.txt", 30.0)
    (tmp_path / "b.txt").write_bytes(bytes(range(256)))
    with pytest.raises(D2MError, match="not a text file"):
        read_scenes(tmp_path / "b.txt", 30.0)
    (tmp_path / "c.txt").write_bytes(b"1\n" * 600_000)
    with pytest.raises(D2MError, match="larger than 1 MB"):
        read_scenes(tmp_path / "c.txt", 30.0)
