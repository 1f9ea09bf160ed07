"""``d2m symbolic accompany`` leaves every event of a MIDI file where it is and adds tracks beside it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import mido
import numpy as np
import pytest
from test_midi_damage import END, chunk, number, smf
from test_midi_field import control, name, program
from test_musegan_cli import piano_piece, weights  # noqa: F401

from d2m.cli.main import main
from d2m.symbolic.midi import read_midi
from d2m.symbolic.midi_events import free_channels, only, read_events
from d2m.symbolic.midi_file import parse
from d2m.symbolic.pianoroll_file import load_npz, save_npz
from d2m.symbolic.pianoroll_midi import read_roll
from d2m.types import TRACKS


def played(*keys: int, channel: int = 0, length: int = 480, velocity: int = 33) -> bytes:
    """Notes one after another, each louder than the one before."""
    out = b""
    for index, key in enumerate(keys):
        out += bytes([0, 0x90 | channel, key, velocity + index]) + number(length) + bytes([0x80 | channel, key, 5])
    return out


HEAD = b"\x00\xff\x51\x03\x07\x53\x00" + b"\x00\xff\x58\x04\x04\x02\x18\x08" + b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"
GRAND = (
    name(b"Fl\xfcgel")
    + program(4, 3)
    + control(127, 64, 3)
    + control(90, 7, 3)
    + played(*[60, 64, 67, 72] * 4, channel=3)
)
GRAND += control(0, 64, 3) + b"\x00\xa3\x3c\x10" + b"\x00\xff\x05\x02la"
FLUTE = name("피리".encode("cp949")) + program(73) + b"\x00\xe0\x10\x50" + played(*range(72, 88))
EFFECT = name(b"Rain") + program(96, 1) + played(60, channel=1, length=7680)


def mine(path: Path, *tracks: bytes, **more) -> Path:
    path.write_bytes(smf(*(chunk(track + END) for track in tracks), **more))
    return path


def accompany(source: Path, model: Path, *words: str, capsys=None) -> tuple[Path, dict]:
    out = source.with_name("new") / "band.mid"
    capsys.readouterr()
    assert main(["symbolic", "accompany", str(source), "--model", str(model), "-o", str(out), "--json", *words]) == 0
    return out, json.loads(capsys.readouterr().out)


def messages(data: bytes) -> list[list]:
    return [list(track) for track in mido.MidiFile(file=io.BytesIO(data), clip=True).tracks]


@pytest.mark.slow
def test_every_event_of_the_file_stays(weights, tmp_path, capsys):  # noqa: F811
    source = mine(tmp_path / "in.mid", HEAD, GRAND, FLUTE, EFFECT)
    out, about = accompany(source, weights[1], "--wav", "--png", capsys=capsys)
    before, after = messages(source.read_bytes()), messages(out.read_bytes())
    assert after[:4] == before
    assert about["added"] == ["drums", "guitar", "bass"]
    assert [track[0].name for track in after[4:]] == about["added"]
    channels = {m.channel for track in before for m in track if not m.is_meta and m.type != "sysex"}
    for track, added in zip(after[4:], about["added"], strict=True):
        assert {m.type for m in track} <= {"track_name", "program_change", "note_on", "note_off", "end_of_track"}
        assert not channels & {m.channel for m in track if m.type == "note_on"}
        sound = next(m.program for m in track if m.type == "program_change")
        assert {"drums": sound == 0, "guitar": 24 <= sound < 32, "bass": 32 <= sound < 40}[added]
        assert sum(m.type == "note_on" for m in track) > 3
    assert about["files"] == [str(out.with_suffix(end)) for end in (".mid", ".png", ".wav")]
    assert all(Path(file).stat().st_size for file in about["files"])


def test_a_name_that_is_taken_gets_a_number(weights, tmp_path, capsys):  # noqa: F811
    source = mine(tmp_path / "in.mid", HEAD, name(b"Bass") + GRAND[10:])
    out, about = accompany(source, weights[1], capsys=capsys)
    assert "bass 2" in [track[0].name for track in messages(out.read_bytes())[2:]]
    assert "bass" in about["added"]


@pytest.mark.slow
def test_anew_keeps_the_given_track_alone(weights, tmp_path, capsys):  # noqa: F811
    source = mine(tmp_path / "in.mid", HEAD, GRAND, FLUTE, EFFECT)
    out, about = accompany(source, weights[1], "--anew", capsys=capsys)
    before, after = messages(source.read_bytes()), messages(out.read_bytes())
    assert after[:2] == before[:2]
    assert about["added"] == ["drums", "guitar", "bass", "strings"]
    assert len(after) == 6
    assert not any(m.type == "pitchwheel" for track in after for m in track)


@pytest.mark.slow
def test_a_file_that_plays_all_five_is_left_alone_unless_anew(weights, tmp_path, capsys):  # noqa: F811
    source = mine(tmp_path / "in.mid", HEAD, GRAND)
    out, _ = accompany(source, weights[1], "--anew", capsys=capsys)
    full = tmp_path / "full.mid"
    full.write_bytes(out.read_bytes())
    assert main(["symbolic", "accompany", str(full), "--model", str(weights[1]), "-o", str(tmp_path / "no.mid")]) == 1
    assert "plays all five tracks already; give --anew" in capsys.readouterr().err
    assert not (tmp_path / "no.mid").exists()
    again, about = accompany(full, weights[1], "--anew", capsys=capsys)
    assert len(about["added"]) == 4
    assert messages(again.read_bytes())[1] == messages(full.read_bytes())[1]


def test_names_tell_the_given_track_before_programs(weights, tmp_path, capsys):  # noqa: F811
    lead = name(b"Melody") + played(*range(72, 88), channel=1)
    source = mine(tmp_path / "in.mid", HEAD, name(b"Piano") + played(*[60, 64, 67, 72] * 4), lead)
    _, about = accompany(source, weights[1], capsys=capsys)
    assert about["added"] == ["drums", "guitar", "bass"]
    # Without a piano by name its program tells.
    source = mine(tmp_path / "in2.mid", HEAD, lead)
    assert accompany(source, weights[1], capsys=capsys)[1]["added"] == ["drums", "guitar", "bass", "strings"]


@pytest.mark.slow
@pytest.mark.parametrize("form", [0, 1, 2])
def test_files_of_every_format_keep_their_notes(weights, tmp_path, capsys, form):  # noqa: F811
    grand = HEAD + GRAND
    tracks = [grand] if form == 0 else [grand, GRAND] if form == 2 else [HEAD, GRAND]
    data = smf(*(chunk(track + END) for track in tracks))
    source = tmp_path / "in.mid"
    source.write_bytes(data[:8] + form.to_bytes(2, "big") + data[10:])
    out, about = accompany(source, weights[1], capsys=capsys)
    old, new = parse(source.read_bytes(), 9999), parse(out.read_bytes(), 9999)
    for instrument, notes in old.notes.items():
        assert new.notes[instrument] == notes
        assert np.array_equal(new.controls[instrument.channel], old.controls[instrument.channel])
    assert not new.mended
    assert set(about["added"]) == {TRACKS[n] for n in (0, 2, 3, 4)}
    assert read_midi(out).duration >= read_midi(source).duration


def test_film_time_stays_film_time(weights, tmp_path, capsys):  # noqa: F811
    source = mine(tmp_path / "in.mid", GRAND, division=0xE728)
    out, _ = accompany(source, weights[1], capsys=capsys)
    assert out.read_bytes()[12:14] == b"\xe7\x28"
    old, new = read_midi(source), read_midi(out)
    assert np.array_equal(old.grid.time_of(old.parts[0].starts), new.grid.time_of(new.parts[0].starts))


@pytest.mark.slow
def test_rolls_keep_their_other_tracks_too(weights, tmp_path, capsys):  # noqa: F811
    roll = read_roll(piano_piece(tmp_path / "in.mid"), 24)
    held, onsets = roll.held.copy(), roll.onsets.copy()
    held[4], onsets[4] = held[1], onsets[1]
    from dataclasses import replace

    save_npz(replace(roll, held=held, onsets=onsets), tmp_path / "in.npz")
    _, about = accompany(tmp_path / "in.npz", weights[1], capsys=capsys)
    assert about["added"] == ["drums", "guitar", "bass"]
    assert load_npz(tmp_path / "in.npz").held[4].any()
    assert accompany(tmp_path / "in.npz", weights[1], "--anew", capsys=capsys)[1]["added"][-1] == "strings"


def test_a_file_without_a_free_channel_is_told(weights, tmp_path, capsys):  # noqa: F811
    tracks = [program(73, channel) + played(72, 74, channel=channel) for channel in range(16) if channel not in (3, 9)]
    source = mine(tmp_path / "in.mid", HEAD, GRAND, *tracks)
    assert main(["symbolic", "accompany", str(source), "--model", str(weights[1]), "-o", str(tmp_path / "o.mid")]) == 1
    assert "has no free channel" in capsys.readouterr().err
    assert not (tmp_path / "o.mid").exists()


def test_events_are_read_as_they_stand():
    data = smf(*(chunk(track + END) for track in (HEAD, GRAND, FLUTE)))
    assert messages(read_events(data).to_bytes()) == messages(data)
    late = smf(chunk(GRAND + b"\x83\x00\xff\x2f\x00"))
    assert messages(read_events(late).to_bytes()) == messages(late)
    file = parse(data, 999)
    flute = [source for source in file.notes if source.program == 73]
    rest = parse(only(read_events(data), file, flute).to_bytes(), 999)
    assert list(rest.notes.values()) == [file.notes[flute[0]]]
    assert rest.tempos == file.tempos


def test_channels_that_nobody_speaks_of_are_taken_first():
    data = smf(chunk(control(0, 7, 0) + program(3, 1) + played(60, channel=2) + played(36, channel=9) + END))
    pitched, drums = free_channels(read_events(data))
    assert pitched == [3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 0, 1]
    assert not drums
