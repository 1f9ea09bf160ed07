"""Endless streams: order of the songs, one continuous performance, files of any length."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from repository import SCRIPTS
from streams import planner, programme, songs, weights, write_song
from test_bridge_songs import DRUMS, bars_of, roll_of
from typer.testing import CliRunner

from d2m.audio.loudness import loudness
from d2m.cli.symbolic import app
from d2m.errors import D2MError
from d2m.symbolic.pianoroll import Metre
from d2m.symbolic.pianoroll_midi import write_roll
from d2m.symbolic.sound.player import RATE, Player
from d2m.symbolic.stream import recording
from d2m.symbolic.stream.library import Library, Place
from d2m.symbolic.stream.recording import outline, prepare, record

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return songs(tmp_path_factory.mktemp("music") / "songs")


def order(library: Library, count: int, **how) -> list[str]:
    place, found = Place(), []
    for _ in range(count):
        place = library.after(place, how.get("shuffle", False), how.get("seed", 0))
        found.append(place.name)
    return found


def test_songs_come_in_order_round_after_round(folder):
    assert order(Library(folder), 5) == ["a.mid", "b.mid", "c.mid", "a.mid", "b.mid"]


def test_shuffled_rounds_have_every_song_once_and_none_twice_in_a_row(tmp_path):
    library = Library(songs(tmp_path, 5))
    found = order(library, 50, shuffle=True, seed=3)
    assert all(len(set(found[k : k + 5])) >= 4 for k in range(0, 50, 5))
    assert all(x != y for x, y in zip(found, found[1:], strict=False))
    assert found == order(library, 50, shuffle=True, seed=3)
    assert found != order(library, 50, shuffle=True, seed=4)
    assert len(set(map(tuple, np.array(found).reshape(-1, 5)))) > 3


@pytest.mark.parametrize("shuffle", [False, True])
def test_files_may_come_and_go(tmp_path, shuffle):
    library = Library(songs(tmp_path, 3))
    place = library.after(Place(), shuffle, 1)
    (tmp_path / place.name).unlink()
    (tmp_path / "sub").mkdir()
    write_song(tmp_path / "sub" / "new.mid")
    found = []
    for _ in range(6):
        place = library.after(place, shuffle, 1)
        found.append(place.name)
    assert "sub/new.mid" in found
    assert len(set(found)) == 3
    for path in library.songs().values():
        path.unlink()
    assert library.after(place, shuffle, 1) is None


def test_a_playlist_keeps_its_order_and_leaves_out_what_is_not_there(folder, tmp_path):
    playlist = tmp_path / "list.m3u"
    playlist.write_text(f"#EXTM3U\n{folder}/c.mid\n\nmissing.mid\n{folder}/a.mid\nnotes.txt\n")
    assert order(Library(playlist), 3) == ["c.mid", "a.mid", "c.mid"]
    write_song(tmp_path / "c.mid")
    playlist.write_text(f"{folder}/c.mid\nc.mid\n{folder}/c.mid\n")
    assert order(Library(playlist), 2) == ["c.mid", f"{tmp_path.name}/c.mid"]


def test_a_file_that_goes_between_two_looks_stops_nothing(folder, monkeypatch):
    made = programme(folder)
    looks = iter([{"c.mid": folder / "c.mid"}, *[{}] * 9])
    monkeypatch.setattr(Library, "songs", lambda library: next(looks))
    made.extend()
    assert made.last.name == "c.mid"


def test_lines_of_a_playlist_that_are_no_names_of_files_are_left_out(folder, tmp_path):
    playlist = tmp_path / "list.txt"
    playlist.write_text(f"{'x' * 5000}.mid\n{folder / 'a.mid'}\nnull\0.mid\n")
    assert list(Library(playlist).songs()) == ["a.mid"]


def test_folders_without_songs_are_told(tmp_path):
    with pytest.raises(D2MError, match="names no songs"):
        Library(tmp_path)
    with pytest.raises(D2MError, match="no folder or playlist"):
        Library(tmp_path / "none")
    (tmp_path / "x.jpg").write_bytes(b"x")
    with pytest.raises(D2MError, match="neither a folder"):
        Library(tmp_path / "x.jpg")


def test_broken_files_are_left_out_by_name_until_they_change(tmp_path):
    songs(tmp_path, 2)
    (tmp_path / "aa.mid").write_text("no music")
    write_roll(roll_of(bars_of("Ca", 0), 2), tmp_path / "ab.mid")
    told = []
    made = programme(tmp_path, tell=told.append)
    for _ in range(4):
        made.extend()
    assert [s.name for s in made.sections if s.song] == ["a.mid", "b.mid", "a.mid", "b.mid", "a.mid"]
    assert len(told) == 2
    assert "aa.mid" in told[0]
    assert "two bars" in told[1]
    write_song(tmp_path / "aa.mid")
    made.extend()
    assert made.last.name == "aa.mid"


def test_stretches_follow_each_other_to_the_sample(folder):
    made = programme(folder)
    for _ in range(4):
        made.extend()
    for first, second in zip(made.sections, made.sections[1:], strict=False):
        assert first.stop == second.start
    for section in made.sections[:-1]:
        assert section.notes.starts.min() >= section.start
        assert section.notes.starts.max() < section.stop
        assert section.notes.ends.max() <= section.stop + 0.03 * RATE
    bars = [s.exit - s.entry + 1 for s in made.sections[:-1] if s.song]
    assert all(count >= 8 for count in bars)


def test_one_song_alone_goes_back_into_itself_through_a_bridge(tmp_path):
    made = programme(songs(tmp_path, 1))
    made.extend()
    made.extend()
    assert [s.kind for s in made.sections] == ["song", "bridge", "song", "bridge", "song"]
    assert len(made.sections[1].notes)
    (tmp_path / "a.mid").unlink()
    made.extend()
    assert made.last.name == "a.mid"


@pytest.fixture(scope="module")
def played(folder):
    """A programme, and its first seconds as one block, from beyond its first two seams."""
    made = programme(folder)
    prepare(made, 60 * RATE)
    seam = made.sections[1].start
    return made, Player(made.planner.font, made).read(seam + 8 * RATE)


def test_blocks_of_any_size_make_the_same_sound(played):
    made, whole = played
    player = Player(made.planner.font, made)
    sizes = [1, 44100, 777, 100_000, 12_345]
    parts = [player.read(size) for size in sizes * 3]
    assert np.abs(np.concatenate(parts, axis=1) - whole[:, : sum(sizes) * 3]).max() < 2e-5


def test_a_player_may_begin_anywhere_as_if_it_had_gone_on(played):
    made, whole = played
    at = made.sections[1].start + RATE
    again = Player(made.planner.font, made, at, lead=6 * RATE).read(2 * RATE)
    assert np.abs(again - whole[:, at : at + 2 * RATE]).max() < 1e-3


def test_what_rings_at_a_seam_rings_on(played):
    made, whole = played
    seam = made.sections[1].start
    earlier = made.sections[0].notes

    class Before:
        def notes(self, first, stop):
            return earlier.within(first, stop)

    ringing = Player(made.planner.font, Before()).read(seam + RATE)[:, seam:]
    levels = [float(np.sqrt((ringing[:, k : k + 4410] ** 2).mean())) for k in range(0, RATE, 4410)]
    assert levels[0] > 1e-3
    assert levels[1] > 1e-4
    assert levels[0] > 2 * levels[8]
    # No step at the seam beyond those that notes make anyway.
    steps = np.abs(np.diff(whole, axis=1)).max(axis=0)
    assert steps[seam - 50 : seam + 2].max() < np.quantile(steps, 0.9999)


def test_loud_and_quiet_songs_are_played_equally_loud(tmp_path):
    made = programme(songs(tmp_path, 2))
    quiet = made.planner.read(tmp_path / "b.mid")
    faint = tuple(replace(p, velocities=np.full(len(p.pitches), 30)) for p in quiet.score.parts)
    made.planner._songs[next(k for k in made.planner._songs if k[0].name == "b.mid")] = replace(
        quiet, score=replace(quiet.score, parts=faint)
    )
    made.extend()
    made.extend()
    player = Player(made.planner.font, made)
    sound = player.read(made.last.start)
    levels = [loudness(sound[:, s.start : s.stop], RATE) for s in made.sections[:-1] if s.song]
    assert made.sections[2].gain > made.sections[0].gain + 5
    assert np.ptp(levels) < 2
    assert np.mean(levels) == pytest.approx(-14, abs=2)


def test_metres_that_change_are_played_and_songs_left_in_four(tmp_path):
    notes = bars_of("CaFGCaFGCaFGCaFG", 0)
    lines = np.cumsum([0, 16, 16, 16, 12, 12, 16, 16, 16, 16, 12, 16, 16, 16, 16, 16])
    metres = tuple(Metre(int(at), n, 4) for at, n in ((0, 4), (48, 3), (72, 4), (lines[9], 3), (lines[10], 4)))
    write_roll(replace(roll_of(notes, 16), downbeats=lines, metres=metres), tmp_path / "a.mid")
    made = programme(tmp_path)
    for _ in range(3):
        made.extend()
    for section in made.sections[:-1]:
        if section.song:
            assert section.song.whole[[section.entry, section.exit]].all()
            bars = np.diff(np.append(section.song.positions, 0))[section.entry : section.exit + 1]
            assert section.stop - section.start == pytest.approx(bars.sum() * 0.5 * RATE, abs=2)


@pytest.mark.parametrize("kind", ["no drums", "drums only", "three bars"])
def test_odd_bands_play(tmp_path, kind):
    notes = bars_of("CaF" if kind == "three bars" else "CaFGCaFGCaFG", 0)
    if kind != "three bars":
        notes = notes[(notes[:, 0] == DRUMS) == (kind == "drums only")]
    write_roll(roll_of(notes, 3 if kind == "three bars" else 12), tmp_path / "a.mid")
    made = programme(tmp_path)
    prepare(made, 20 * RATE)
    sound = Player(made.planner.font, made).read(18 * RATE)
    assert loudness(sound, RATE) > -30
    tracks = {int(t) for s in made.sections for t in s.notes.tracks}
    assert (DRUMS in tracks) == (kind != "no drums")
    assert (tracks == {DRUMS}) == (kind == "drums only")


def test_half_an_hour_of_one_song_is_played_in_little_memory(tmp_path):
    write_song(tmp_path / "a.mid", "CaFG" * 225, tempo=120)
    made = programme(tmp_path)
    assert len(made.last.song) == 900
    made.extend()
    assert made.sections[0].exit >= 675
    sound = Player(made.planner.font, made, 20 * 60 * RATE, lead=RATE).read(RATE)
    assert np.abs(sound).max() > 0.01


def test_a_recording_is_as_long_as_asked_and_fades_out(folder, tmp_path):
    made = programme(folder)
    shares = []
    played = record(made, Player(made.planner.font, made), 0.5, tmp_path / "x.wav", shares.append)
    sound, rate = soundfile.read(tmp_path / "x.wav")
    assert (rate, sound.shape) == (44100, (30 * 44100, 2))
    assert shares[-1] == 1.0
    assert np.abs(sound[-100:]).max() < 1e-3
    assert played == outline(programme(folder), 0.5)
    assert played[0]["kind"] == "song"
    assert played[1]["start"] == played[0]["end"]
    quiet = np.abs(sound[: 26 * 44100]).reshape(-1, 441, 2).max(axis=(1, 2)) < 5e-4
    assert "11111" not in "".join(str(int(q)) for q in quiet)


def test_an_interrupted_recording_leaves_nothing(folder, tmp_path):
    made = programme(folder)

    def interrupt(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(made, Player(made.planner.font, made), 0.5, tmp_path / "x.wav", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_space_is_told_before(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("", (), {"free": 1000})())
    made = programme(folder)
    with pytest.raises(D2MError, match="fewer --minutes"):
        record(made, Player(made.planner.font, made), 1, tmp_path / "x.wav")


def test_files_of_more_than_four_gigabytes_count_in_64_bits(folder, tmp_path, monkeypatch):
    total = 8 * 3600 * RATE
    head = recording.header(total)
    assert head[:4] == b"RF64"
    assert int.from_bytes(head[28:36], "little") == 4 * total
    assert recording.header(3600 * RATE)[:4] == b"RIFF"
    monkeypatch.setattr(recording, "_MOST_PLAIN", 0)
    made = programme(folder)
    record(made, Player(made.planner.font, made), 0.05, tmp_path / "x.wav")
    assert soundfile.info(tmp_path / "x.wav").frames == 3 * RATE
    assert soundfile.info(tmp_path / "x.wav").format == "RF64"


def test_the_programme_on_the_command_line(folder, tmp_path):
    words = ["stream", str(folder), "--model", weights(tmp_path), "--soundfont", "TimGM6mb"]
    done = CliRunner().invoke(app, [*words, "--minutes", "1", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [entry["kind"] for entry in told["programme"][:3]] == ["song", "bridge", "song"]
    assert told["programme"][-1]["start"] < 60
    out = tmp_path / "x.wav"
    done = CliRunner().invoke(app, [*words, "--minutes", "0.1", "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert soundfile.info(out).frames == 6 * RATE


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-o", "x.wav"], "with --minutes"),
        (["-o", "x.mp3", "--minutes", "1"], "should end in .wav"),
        (["--serve", "--minutes", "1"], "plays without end"),
        (["--method", "best"], "no method 'best'"),
        (["--soundfont", "none.sf2"], "no soundfont"),
    ],
)
def test_bad_requests_on_the_command_line(folder, words, reason):
    done = CliRunner().invoke(app, ["stream", str(folder), *words])
    assert isinstance(done.exception, D2MError)
    assert reason in str(done.exception)


def test_a_folder_in_which_nothing_can_be_played_is_told_in_one_line(tmp_path):
    (tmp_path / "a.mid").write_text("no music")
    waltz = replace(roll_of(bars_of("CaFG", 0), 4), downbeats=np.arange(0, 64, 12), metres=(Metre(0, 3, 4),))
    write_roll(waltz, tmp_path / "b.mid")
    with pytest.raises(D2MError, match="no song of .* can be played") as told:
        programme(tmp_path)
    assert "\n" not in str(told.value)


def test_the_search_can_be_told_where_to_leave(folder):
    made = planner()
    song = made.read(folder / "a.mid")
    plan = made.plan(song, (4, 4), folder / "b.mid", 1)
    assert plan.point.bar_a == 4
    with pytest.raises(D2MError, match="has no mix point after bar 12"):
        made.plan(song, (11, 11), folder / "b.mid", 1)


def test_the_measuring_script_hears_gaps_and_steps(folder, tmp_path, monkeypatch, capsys):
    path = SCRIPTS / "measure_stream.py"
    if not path.is_file():
        pytest.skip("needs the scripts of the repository")
    spec = importlib.util.spec_from_file_location("measure_stream", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    noise = np.random.default_rng(0).integers(-3000, 3000, (10 * RATE, 2)).astype(np.int16)
    held = np.ones(1000, bool)
    assert script.silences(noise, held)["gaps over 50 ms"] == 0
    noise[2 * RATE : 2 * RATE + RATE // 10] = 0
    assert script.silences(noise, held)["gaps over 50 ms"] == 1
    assert script.silences(noise, ~held)["gaps over 50 ms"] == 0
    smooth = np.zeros((RATE, 2), np.int16)
    smooth[20_000:] = 16_384
    assert script._step(smooth, 20_100) == 0.5
    monkeypatch.setattr("sys.argv", ["x", str(folder), "--minutes", "0.6", "--json", "--model", weights(tmp_path)])
    script.main()
    found = json.loads(capsys.readouterr().out)
    assert found["silence"]["gaps over 50 ms"] == 0
    assert found["seams"]["seams"] >= 2
    assert found["seams"]["second synthesiser differs by"] <= 2
    assert abs(found["loudness"]["LUFS, mean"] + 14) < 3
