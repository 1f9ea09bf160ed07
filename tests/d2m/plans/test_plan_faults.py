"""Plans that users edit wrongly, or for other lengths: what is refused and what is kept."""

from __future__ import annotations

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_plans import dance_of

from d2m import engines
from d2m.cli.main import main
from d2m.errors import D2MError
from d2m.files.staging import left_over
from d2m.generate_options import GenerateOptions
from d2m.plans import Cut, Hit, plan_for, play, read_plan, write_plan
from d2m.plans.files import plan_text
from d2m.plans.make import looping
from d2m.symbolic.midi import write_midi

RATE = 44100
TEXT = plan_text(replace(plan_for(dance_of(8.0), seed=3), hits=[Hit(2.0)]))
HUGE = "0x" + "f" * 6000


@pytest.fixture(scope="module")
def engine():
    return engines.load("symbolic")


def reading(folder: Path, text: str | bytes) -> str:
    """Return the message about a plan that cannot be read."""
    file = folder / "p.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(D2MError) as caught:
        read_plan(file)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize("number", [HUGE, "9" * 400, "9" * 6000, "-" + "9" * 400])
@pytest.mark.parametrize("key", ["duration", "start", "seed", "genre", "mood", "bpm", "beats_per_bar", "time"])
def test_numbers_of_thousands_of_digits_are_refused(tmp_path, key: str, number: str) -> None:
    lines = [f"{key} = {number}" if line.startswith(f"{key} =") else line for line in TEXT.splitlines()]
    text = "\n".join(lines).replace("time = 2.0", f"time = {number}" if key == "time" else "time = 2.0")
    assert number in text
    assert "too large" in (message := reading(tmp_path, text)) or "too many digits" in message


@pytest.mark.parametrize("row", ["beats", "downbeats", "energy"])
def test_rows_with_huge_numbers_are_refused(tmp_path, row: str) -> None:
    assert "line" in reading(tmp_path, TEXT.replace(f"\n{row} = [", f"\n{row} = [{HUGE}, "))


@pytest.mark.parametrize("key", ["arranger", "mood", "cause"])
@pytest.mark.parametrize("value", ["\\u0000.mid", "\\u001b[2J.mid", "a" * 5000 + ".mid"])
def test_texts_that_are_long_or_contain_control_characters_are_refused(tmp_path, key: str, value: str) -> None:
    lines = [f'{key} = "{value}"' if line.startswith(f"{key} =") else line for line in TEXT.splitlines()]
    assert "the text is too long, or contains control characters" in reading(tmp_path, "\n".join(lines))


@pytest.mark.parametrize(
    ("beats", "told"),
    [
        ("[-1e9, -999999999.5]", "far from the music"),
        ("[1e6, 1000000.5]", "far from the music"),
        ("[0.0, 4.0, 1e9]", "more than 12 s apart"),
    ],
)
def test_beats_that_would_fill_the_memory_are_refused(tmp_path, beats: str, told: str) -> None:
    text = TEXT.split("\nbeats = ")[0] + f"\nbeats = {beats}\ndownbeats = [0]\n"
    assert told in reading(tmp_path, text)


def test_beats_of_a_bar_are_whole_and_instruments_are_programs_or_names(tmp_path) -> None:
    assert "whole number" in reading(tmp_path, TEXT.replace("beats_per_bar = 4", "beats_per_bar = 3.5"))
    for value in ("true", "38.0", "[]"):
        assert "give a program" in reading(tmp_path, f"{TEXT}\n[mix]\ninstruments = {{ bass = {value} }}\n")
    for value in ("9" * 17, "128"):
        assert "0 to 127" in reading(tmp_path, f"{TEXT}\n[mix]\ninstruments = {{ bass = {value} }}\n")


def test_an_unknown_track_of_the_mix_is_told_with_its_line(tmp_path) -> None:
    message = reading(tmp_path, f"{TEXT}\n[mix]\n\ntuba = 1.0\n")
    assert f"line {len(TEXT.splitlines()) + 4}:" in message


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path) -> None:
    file = tmp_path / "p.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert plan_text(read_plan(file)) == TEXT


@pytest.mark.parametrize("name", ["dance.mp4", "plan", "folder.toml", "file/x.toml"])
def test_a_plan_is_not_written_over_a_video_or_folder(tmp_path, name: str) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(D2MError, match="--write-plan"):
        GenerateOptions(write_plan=str(tmp_path / name)).check()


def test_no_plan_is_shared_by_several_videos(clip, tmp_path, capsys) -> None:
    videos = [str(clip(tmp_path / f"{name}.mp4", duration=1.0)) for name in "ab"]
    for flag in ("--plan", "--write-plan"):
        assert main(["generate", *videos, flag, str(tmp_path / "p.toml"), "-o", str(tmp_path / "out")]) == 1
        assert f"{flag} belongs to one video" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_end_before_the_beginning_is_told_before_the_work_begins() -> None:
    with pytest.raises(D2MError, match="give a later --to"):
        GenerateOptions(begin=3.0, end=2.0).check()


@pytest.mark.slow
def test_the_music_lasts_as_the_plan_says(clip, tmp_path, capsys) -> None:
    video = clip(tmp_path / "a.mp4", duration=2.0)
    plan = plan_for(dance_of(5.0), seed=1)
    write_plan(plan, tmp_path / "p.toml")
    assert main(["generate", str(video), "--plan", str(tmp_path / "p.toml"), "-o", str(tmp_path)]) == 0
    assert "the plan lasts 5.00 s and the video 2.00 s" in capsys.readouterr().err
    with wave.open(str(tmp_path / "a.d2m.wav")) as sound:
        assert sound.getnframes() == 5 * sound.getframerate()
    report = json.loads((tmp_path / "a.d2m.json").read_text())
    assert report["duration"] == 5.0
    assert max(report["beats"]) > 4.0


@pytest.mark.slow
def test_a_rest_after_a_short_section_is_silent(engine) -> None:
    plan = plan_for(dance_of(16.0), seed=3, cuts=[Cut(6.0, "cut"), Cut(8.0, "cut")], genres=["ballet-jazz"])
    plan = replace(plan, sections=plan.sections[:2])
    assert plan.sections[1].end == 8.0
    sound = play(plan, engine).waveform
    assert not sound[:, 8 * RATE + 10 :].any()
    assert np.abs(sound[:, 7 * RATE : 8 * RATE]).max() > 0.01


@pytest.mark.slow
def test_what_sounds_on_after_a_short_loop_goes_round_until_it_ends(engine) -> None:
    plan = replace(plan_for(looping(dance_of(2.0)), seed=3), loop=True)
    looped = play(plan, engine).waveform
    straight = replace(plan, loop=False, duration=2.0)
    assert looped.shape == play(straight, engine).waveform.shape
    # One bar is followed by the two in which it fades: three rounds of it.
    from d2m.plans.cut import pieces_of
    from d2m.plans.join import lay

    piece = next(iter(pieces_of(plan, None)))
    sound = np.ones((1, round(piece.dance.duration * 1000)), np.float32)
    laid = np.zeros((1, round(plan.duration * 1000)), np.float32)
    lay(laid, sound, plan, [piece], 0, 1000)
    rest = np.arange(1, sound.shape[1] - 2000 + 1) / (0.95 * (sound.shape[1] - 2000))
    assert np.isclose(laid.sum(), 2000 + (0.5 + 0.5 * np.cos(np.pi * np.minimum(rest, 1.0))).sum(), rtol=1e-5)


def test_stems_and_markers_of_an_earlier_run_are_named(tmp_path) -> None:
    for name in ("a.d2m.kick.wav", "a.d2m.markers.txt", "a.d2m.wav"):
        (tmp_path / name).touch()
    assert left_over(tmp_path, "a", {"wav": "a.d2m.wav"}, ("kick", "snare")) == ["a.d2m.markers.txt", "a.d2m.kick.wav"]


def test_music_that_loops_has_no_fades_and_whole_bars(tmp_path) -> None:
    with pytest.raises(D2MError, match="fades would be a seam"):
        GenerateOptions(loop=True, fade_out=1.0).check()
    plan = plan_for(looping(dance_of(8.0)), seed=3)
    assert replace(plan, loop=True).check().loop
    with pytest.raises(D2MError, match="fades would be a seam"):
        replace(plan, loop=True, fade_in=1.0).check()
    with pytest.raises(D2MError, match="bar line at its beginning and end"):
        replace(plan_for(dance_of(7.0), seed=3), loop=True).check()


@pytest.mark.slow
def test_the_report_says_the_seed_of_the_plan(clip, tmp_path) -> None:
    video = clip(tmp_path / "a.mp4", duration=2.0)
    write_plan(plan_for(dance_of(2.0), seed=7), tmp_path / "p.toml")
    asked = ["generate", str(video), "--plan", str(tmp_path / "p.toml"), "-o", str(tmp_path), "--no-video"]
    assert main(asked) == 0
    assert json.loads((tmp_path / "a.d2m.json").read_text())["seed"] == 7


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"mix": "drums=-3"}, "leave out --mix"),
        ({"without": "drums"}, "leave out --without"),
        ({"solo": "drums"}, "leave out --solo"),
        ({"instruments": "bass=38"}, "leave out --instruments"),
        ({"seed": 3}, "leave out --seed"),
    ],
)
def test_what_the_plan_says_is_not_said_again(asked: dict, told: str) -> None:
    with pytest.raises(D2MError, match=told):
        GenerateOptions(plan="p.toml", **asked).check()


@pytest.mark.slow
def test_an_arranger_that_the_plan_does_not_name_is_refused(clip, tmp_path, capsys) -> None:
    video = clip(tmp_path / "a.mp4", duration=2.0)
    plan = plan_for(dance_of(2.0), seed=7)
    write_plan(plan, tmp_path / "p.toml")
    asked = ["generate", str(video), "--plan", str(tmp_path / "p.toml"), "-o", str(tmp_path / "o"), "--no-video"]
    write_midi(play(plan, engines.load("symbolic")).score, tmp_path / "s.mid", ())
    assert main([*asked, "--sketch", str(tmp_path / "s.mid")]) == 1
    assert "no section of the plan has the arranger" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
    plan.section(1).arranger = str(tmp_path / "s.mid")
    write_plan(plan, tmp_path / "p.toml")
    assert main([*asked, "--sketch", str(tmp_path / "s.mid")]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("asked", [["--mix", "drums=-3"], ["--instruments", "piano=keys.organ"], ["--stems"]])
def test_an_engine_without_channels_refuses_levels_patches_and_stems(clip, tmp_path, capsys, asked: list[str]) -> None:
    video = clip(tmp_path / "a.mp4", duration=1.0)
    assert main(["generate", str(video), "--engine", "vq", "-o", str(tmp_path / "o"), "--no-video", *asked]) == 1
    assert "makes the whole band at once; use --engine symbolic for" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
