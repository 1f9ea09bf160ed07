"""Markers come back from the files that audio editors read, and lists of hits are read or refused by line."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.features.scenes import Scene
from d2m.markers import Marker, audacity_labels, markers_of, read_hits, reaper_list, write_markers
from d2m.symbolic.composer import compose
from d2m.symbolic.instrument_names import instrument_name
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.midi_head import key_signature
from d2m.types import BeatGrid, Score

GRID = BeatGrid.steady(120.0, 12.0, first_beat=0.25)
SCENES = (Scene(0.0, 4.25, "start", 0.4), Scene(4.25, 12.0, "cut", 0.8))


def markers() -> tuple[Marker, ...]:
    return markers_of(GRID, 12.0, scenes=SCENES, hits=[6.5, 2.125], kinds=("scene", "hit", "bar", "beat"))


def test_markers_are_in_the_order_of_time_and_numbered() -> None:
    found = markers()
    assert [m.time for m in found] == sorted(m.time for m in found)
    assert [(m.time, m.name) for m in found if m.kind == "scene"] == [(0.0, "scene 1 (start)"), (4.25, "scene 2 (cut)")]
    assert [(m.time, m.name) for m in found if m.kind == "hit"] == [(2.125, "hit 1"), (6.5, "hit 2")]
    bars = [m for m in found if m.kind == "bar"]
    assert [round(m.time, 6) for m in bars[:3]] == [0.25, 2.25, 4.25]
    assert [m.name for m in bars[:2]] == ["bar 1", "bar 2"]
    assert [m.name for m in found if 0.25 < m.time < 2.25 and m.kind == "beat"] == ["beat 1.2", "beat 1.3", "beat 1.4"]
    assert {m.kind for m in markers_of(GRID, 12.0, scenes=SCENES, hits=[1.0])} == {"scene", "hit", "bar"}


def test_audacity_reads_starts_ends_and_names(tmp_path: Path) -> None:
    path = write_markers(tmp_path / "new" / "a.txt", markers())
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    assert all(len(row) == 3 for row in rows)
    assert rows[0] == ["0.000000", "4.250000", "scene 1 (start)"]
    assert audacity_labels([Marker(1.5, "a\tb\nc", "hit")]) == "1.500000\t1.500000\ta b c\n"
    assert read_hits(path, 12.0)[:3] == (0.0, 0.25, 0.75)


def test_reaper_reads_regions_and_markers(tmp_path: Path) -> None:
    path = write_markers(tmp_path / "a.csv", [*markers(), Marker(64.5, 'a "hit", loud', "hit")])
    rows = list(csv.DictReader(path.open(encoding="utf-8")))
    assert [row["#"] for row in rows if row["#"].startswith("R")] == ["R1", "R2"]
    assert rows[-1]["Start"] == "1:04.500"
    assert rows[-1]["Name"] == 'a "hit", loud'
    region = rows[0]
    assert (region["Start"], region["End"], region["Length"]) == ("0:00.000", "0:04.250", "0:04.250")
    assert reaper_list([]).startswith("#,Name,Start,End,Length")
    assert read_hits(path, 70.0)[-1] == 64.5


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(D2MError, match=r"\.txt or \.csv"):
        write_markers(tmp_path / "a.rpp", markers())
    assert not list(tmp_path.iterdir())


@pytest.fixture
def score() -> Score:
    gaps = 0.5 + 0.06 * np.sin(np.arange(39) / 4)
    grid = BeatGrid(-0.31 + np.concatenate([[0.0], np.cumsum(gaps)]), np.arange(2, 40, 4), 120.0, 0.8)
    return replace(compose(grid, 15.0, "gLO", np.random.default_rng(4)), key="Bb:min")


def test_a_midi_file_holds_markers_key_metre_names_and_programs(score: Score, tmp_path: Path) -> None:
    wanted = [Marker(0.0, "scene 1", "scene", 7.0), Marker(7.03, "hit é", "hit"), Marker(15.5, "late", "hit")]
    file = mido.MidiFile(write_midi(score, tmp_path / "a.mid", wanted), charset="utf-8")
    head, *tracks = file.tracks
    kinds = {message.type for message in head}
    assert {"set_tempo", "time_signature", "key_signature", "marker"} <= kinds
    assert [m.key for m in head if m.type == "key_signature"] == ["Bbm"]
    assert [m.text for m in head if m.type == "marker"] == ["scene 1", "hit é"]
    assert file.type == 1
    parts = score.instruments().parts
    for part, track in zip(parts, tracks, strict=True):
        assert track.name.startswith(part.name or instrument_name(part.track, part.program))
        programs = [m for m in track if m.type == "program_change"]
        assert programs[0].program == part.program
        assert all((m.channel == 9) == part.is_drum for m in track if m.type in ("note_on", "program_change"))


def test_markers_come_at_their_seconds_under_a_drifting_tempo(score: Score, tmp_path: Path) -> None:
    times = np.arange(0.0, 15.0, 0.7)
    path = write_midi(score, tmp_path / "a.mid", [Marker(float(t), f"m{t:.1f}", "hit") for t in times])
    seconds, found = 0.0, []
    for message in mido.MidiFile(path):
        seconds += message.time
        if message.type == "marker":
            found.append(seconds)
    np.testing.assert_allclose(found, times, atol=2e-3)


def test_symusic_reads_the_same(score: Score, tmp_path: Path) -> None:
    from symusic import Score as Read

    read = Read(str(write_midi(score, tmp_path / "a.mid", [Marker(3.0, "scene 2", "scene", 9.0)])))
    assert [marker.text for marker in read.markers] == ["scene 2"]
    assert [(signature.key, signature.tonality) for signature in read.key_signatures] == [(-5, 1)]
    assert sum(len(track.notes) for track in read.tracks) > 50


def test_a_file_with_markers_is_the_same_music(score: Score, tmp_path: Path) -> None:
    plain = read_midi(write_midi(score, tmp_path / "a.mid"))
    marked = read_midi(write_midi(score, tmp_path / "b.mid", markers()))
    assert [p.pitches.tolist() for p in plain.parts] == [p.pitches.tolist() for p in marked.parts]
    assert [p.name for p in plain.parts] == [p.name for p in marked.parts]
    np.testing.assert_array_equal(plain.grid.beats, marked.grid.beats)


@pytest.mark.parametrize(
    ("key", "content"),
    [
        ("C:maj", b"\0\0"), ("A:min", b"\0\1"), ("F#:maj", b"\6\0"), ("Bb:maj", b"\xfe\0"), ("G#:min", b"\5\1"),
        ("D#:maj", b"\xfd\0"), ("Db:min", b"\4\1"), (None, None), ("", None), ("H:maj", None),
    ],
)  # fmt: skip
def test_key_signatures_count_sharps(key: str | None, content: bytes | None) -> None:
    assert key_signature(key) == content


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("0.5\n1:04.5\n# later\n\n2,25\n", (0.5, 2.25, 64.5)),
        ("0.5 first\n3 second # note\n", (0.5, 3.0)),
        ("1.000000\t1.000000\tkick\n\\\t100.0\t200.0\n5.5\t6.0\t\n", (1.0, 5.5)),
        ("time,name\n1.5,a\n0.5,b\n", (0.5, 1.5)),
        ("name;start\na;1,5\nb;2,5\n", (1.5, 2.5)),
        ("#,Name,Start,End,Length\nM1,a,0:01.500,,\nR1,\"b, c\",0:02.000,0:03.000,0:01.000\n", (1.5, 2.0)),
        ("1.5,a\n2.5,b\n", (1.5, 2.5)),
        ("time\n4\n4.001\n", (4.0,)),
        ("\ufeff7\r\n8\r\n", (7.0, 8.0)),
    ],
)  # fmt: skip
def test_hits_are_read_in_three_forms(tmp_path: Path, text: str, times: tuple[float, ...]) -> None:
    (tmp_path / "a.txt").write_bytes(text.encode())
    assert read_hits(tmp_path / "a.txt", 90.0) == pytest.approx(times)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1\ntwo\n", "line 2: 'two' is no time"),
        ("1\n\n91\n", "line 3: 91 s is not within the video of 90 s"),
        ("-1\n", "line 1: -1 s"),
        ("inf\n1\n", "line 1: 'inf' is no time"),
        ("bar,name\n1.1.00,x\n", "line 1: no column of times"),
        ("#,Name,Start\nM1,a,2.1.00\n", "line 2: '2.1.00' is no time"),
        ("time,name\n1,a\n,b\n", "line 3: '' is no time"),
        ("# nothing\n", "no times in this file"),
        ("", "no times in this file"),
        ("1:75\n", "line 1: '1:75' is no time"),
    ],
)
def test_what_is_wrong_in_a_list_of_hits_is_named_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    with pytest.raises(D2MError) as error:
        read_hits(tmp_path / "a.txt", 90.0)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_rubbish_is_refused_in_one_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    messages = []
    for index in range(60):
        path = tmp_path / f"{index}.csv"
        signs = list('0123456789.,;:\t\n#"\\-e nastart') if index % 2 else [chr(c) for c in range(256)]
        path.write_text("".join(rng.choice(signs, 80)), encoding="utf-8")
        try:
            assert all(0 <= time <= 90 for time in read_hits(path, 90.0))
        except D2MError as error:
            messages.append(str(error))
    assert messages
    assert not any("\n" in message for message in messages)
    with pytest.raises(D2MError, match="cannot read"):
        read_hits(tmp_path / "none.txt", 90.0)
