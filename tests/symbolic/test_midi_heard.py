"""Pedals, volume, expression and pitch bend of MIDI files are heard, in renders, streams and sketches, and are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_midi_damage import END, chunk, notes, number, smf
from test_midi_field import control, name, program

from d2m.engines.arrangers_midi import read_piece
from d2m.errors import D2MError
from d2m.symbolic.controls import automation, bends, levels, rings
from d2m.symbolic.midi import read_midi, write_midi
from d2m.symbolic.sound import find_soundfont, render, render_parts
from d2m.symbolic.sound.notes import notes_of
from d2m.symbolic.sound.player import RATE, Player
from d2m.symbolic.sound.soundfont import SoundFont
from d2m.types import BeatGrid, Part, Score

FONT = "TimGM6mb"
UP = b"\x00\xe0\x7f\x7f"
OCTAVE = control(0, 101) + control(0, 100) + control(12, 6)
LONG = b"\x00\x90\x3c\x5a" + number(1920) + b"\x80\x3c\x00"


def rest(ticks: int) -> bytes:
    return number(ticks) + b"\xff\x01\x00"


@pytest.fixture
def score(tmp_path: Path):
    def make(body: bytes, *others: bytes) -> Score:
        path = tmp_path / "a.mid"
        path.write_bytes(smf(*(chunk(track + END) for track in (body, *others))))
        return read_midi(path)

    return make


def power(sound: np.ndarray, rate: int, start: float, stop: float) -> float:
    return float((sound[:, int(start * rate) : int(stop * rate)] ** 2).mean())


def loudest(sound: np.ndarray, rate: int) -> float:
    """The strongest frequency in Hz."""
    wave = sound.mean(axis=0) * np.hanning(sound.shape[1])
    return float(np.argmax(np.abs(np.fft.rfft(wave, 1 << 18))) * rate / (1 << 18))


def streamed(one: Score, seconds: float) -> np.ndarray:
    def sample_of(beats: np.ndarray) -> np.ndarray:
        return np.round(one.grid.time_of(beats) * RATE).astype(np.int64)

    found = notes_of([(part, 0.0) for part in one.parts], sample_of, lambda beats: np.zeros(len(beats)), RATE)

    class All:
        def notes(self, first: int, stop: int):
            return found.within(first, stop)

    player = Player(SoundFont(find_soundfont(FONT)), All(), plain=True)
    # In blocks, which must not be heard.
    return np.concatenate([player.read(5000) for _ in range(int(seconds * RATE / 5000))], axis=1)


def played(one: Score, way: str) -> tuple[np.ndarray, int]:
    longer = replace(one, duration=one.duration + 1.0)
    if way == "render":
        return np.sum(render_parts(longer, 22050, FONT), axis=0), 22050
    return streamed(longer, longer.duration), RATE


WAYS = pytest.mark.parametrize("way", ["render", "stream"])


def test_notes_ring_until_the_pedal_is_lifted_or_their_key_is_struck_again(score):
    down, up = control(127, 64), control(0, 64)
    part = score(down + notes(60, 64, 60) + rest(480) + up + notes(67)).parts[0]
    assert rings(part).tolist() == [2.0, 4.0, 4.0, 5.0]
    assert part.ends.tolist() == [1.0, 2.0, 3.0, 5.0]
    late = score(notes(60) + down + rest(480) + up + notes(62)).parts[0]
    assert rings(late).tolist() == [2.0, 3.0]
    assert rings(score(down + notes(60) + rest(480) + notes(64)).parts[0]).tolist() == [3.0, 3.0]
    assert rings(score(control(63, 64) + notes(60)).parts[0]).tolist() == [1.0]
    assert rings(score(down + notes(60) + rest(480) + control(0, 121) + rest(480)).parts[0]).tolist() == [2.0]


def test_sostenuto_holds_what_sounds_when_it_is_pressed(score):
    body = b"\x00\x90\x3c\x5a" + number(240) + b"\xb0\x42\x7f" + number(240) + b"\x80\x3c\x00" + notes(64) + rest(480)
    assert rings(score(body + control(0, 66)).parts[0]).tolist() == [3.0, 2.0]


def test_the_pedal_of_another_track_holds_its_channel_and_no_other(score):
    one = score(control(127, 64) + rest(1920) + control(0, 64), notes(60), notes(64, channel=1))
    assert [rings(part).tolist() for part in one.parts] == [[4.0], [1.0]]


@WAYS
def test_the_pedal_is_heard(score, way):
    (plain, rate), (held, _) = (
        played(score(first + notes(60) + rest(1440) + control(0, 64)), way) for first in (b"", control(127, 64))
    )
    assert power(held, rate, 1.2, 1.45) > 100 * power(plain, rate, 1.2, 1.45)


@WAYS
def test_volume_and_expression_are_heard(score, way):
    (usual, rate), *others = (
        played(score(first + program(48) + LONG), way)
        for first in (b"", control(0, 7), control(0, 11), control(50, 7), control(127, 7) + control(64, 11))
    )
    base = power(usual, rate, 0.5, 1.5)
    shares = [power(sound, rate, 0.5, 1.5) / base for sound, _ in others]
    assert shares[:2] == [0.0, 0.0]
    assert shares[2] == pytest.approx(0.5**4, rel=0.01)
    assert shares[3] == pytest.approx((1.27 * 64 / 127) ** 4, rel=0.01)


@WAYS
def test_volume_moves_while_a_note_is_held(score, way):
    swell = b"\x00\x90\x3c\x5a" + number(960) + b"\xb0\x0b\x20" + number(960) + b"\x80\x3c\x00"
    sound, rate = played(score(program(19) + swell), way)
    drop = power(sound, rate, 1.3, 1.8) / power(sound, rate, 0.5, 0.9)
    assert drop == pytest.approx((32 / 127) ** 4, rel=0.3)


@WAYS
@pytest.mark.parametrize(
    ("before", "semitones"),
    [
        (UP, 2),
        (OCTAVE + UP, 12),
        (b"\x00\xe0\x00\x00", -2),
        (OCTAVE + b"\x00\xe0\x00\x60", 6),
        (UP + control(0, 121), 0),
    ],
)
def test_pitch_bend_is_heard(score, way, before, semitones):
    sound, rate = played(score(program(74) + before + LONG), way)
    middle = sound[:, int(0.5 * rate) : int(1.5 * rate)]
    assert 12 * np.log2(loudest(middle, rate) / 261.63) % 12 == pytest.approx(semitones % 12, abs=0.15) or abs(
        12 * np.log2(loudest(middle, rate) / 261.63) - semitones
    ) % 12 == pytest.approx(12, abs=0.15)


@WAYS
def test_a_note_is_bent_while_it_is_held(score, way):
    body = program(74) + OCTAVE + b"\x00\x90\x3c\x5a" + number(960) + b"\xe0\x7f\x7f" + number(960) + b"\x80\x3c\x00"
    sound, rate = played(score(body), way)
    first, second = (loudest(sound[:, int(a * rate) : int(b * rate)], rate) for a, b in ((0.3, 0.9), (1.2, 1.9)))
    assert second / first == pytest.approx(2.0, rel=0.02)


def test_drums_are_not_bent(score):
    one = score(b"\x00\xe9\x7f\x7f" + notes(36, 38, channel=9))
    assert bends(one.parts[0]) is None


def test_master_volume_is_heard(score):
    half = b"\x00\xf0\x07\x7f\x7f\x04\x01\x00\x40\xf7"
    assert levels(score(half + notes(60)).parts[0])[-1, 1] == pytest.approx((64 / 127) ** 2)


def test_render_plays_files_that_move_everything_and_stays_within_its_ceiling(score):
    body = b"".join(
        control(int(v), n) + bytes([20, 0xE0, 0, int(v)]) for n in (7, 11, 64) for v in np.linspace(0, 127, 30)
    )
    sound = render(score(b"\x00\x90\x3c\x5a" + body + b"\x00\x80\x3c\x00", notes(64, 67, 72)), 22050, FONT, stereo=True)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 0.8


def test_sketches_have_the_pedal_the_volume_and_the_bend_in_their_notes(tmp_path):
    path = tmp_path / "a.mid"
    loud = control(127, 64) + control(64, 7) + OCTAVE + UP + notes(60) + rest(480) + control(0, 64) + notes(62)
    mute = control(0, 7, 1) + program(56, 1) + notes(72, channel=1)
    path.write_bytes(smf(chunk(loud + END), chunk(mute + END)))
    piece = read_piece(path)
    assert [part.track for part in piece.parts] == ["piano"]
    assert piece.parts[0].pitches.tolist() == [72, 74]
    assert (piece.parts[0].ends - piece.parts[0].starts).tolist() == [2.0, 1.0]
    assert piece.parts[0].velocities.tolist() == [58, 58]
    path.write_bytes(smf(chunk(mute + END)))
    with pytest.raises(D2MError, match="volume is 0"):
        read_piece(path)


def test_names_pedals_bends_and_volumes_come_back_from_a_file(score, tmp_path):
    first = name(b"Grand") + control(127, 64) + notes(60, 64) + control(0, 64)
    second = name("멜로디".encode("cp949")) + program(73, 1) + control(90, 7, 1) + OCTAVE.replace(b"\xb0", b"\xb1")
    second += b"\x00\xe1\x00\x60" + notes(72, 74, channel=1)
    one = score(first, second)
    again = read_midi(write_midi(one, tmp_path / "b.mid"))
    assert [(p.name, p.program, p.track) for p in again.parts] == [("Grand", 0, "piano"), ("멜로디", 73, "strings")]
    for before, after in zip(one.parts, again.parts, strict=True):
        np.testing.assert_allclose(rings(after), rings(before), atol=1e-3)
        for what in (levels, bends):
            assert (what(before) is None) == (what(after) is None)
            if what(before) is not None:
                np.testing.assert_allclose(what(after), what(before), atol=1e-3)


def parts_of(count: int, span: float, at: float = 0.0) -> tuple[Part, ...]:
    starts = np.arange(at, at + span)
    keys, loud = np.full(len(starts), 60), np.full(len(starts), 80)
    return tuple(Part("piano", p, starts, starts + 1.0, keys, loud, f"{at:.0f} {p}") for p in range(count))


def test_more_instruments_than_channels_take_turns(tmp_path):
    grid = BeatGrid.steady(120, 20.0)
    music = Score((*parts_of(12, 8), *parts_of(12, 8, 16.0)), grid, 16.0)
    again = read_midi(write_midi(music, tmp_path / "a.mid"))
    assert {(part.name, part.program) for part in again.parts} == {(p.name, p.program) for p in music.parts}
    crowd = Score(parts_of(20, 8), grid, 16.0)
    again = read_midi(write_midi(crowd, tmp_path / "b.mid"))
    assert len({part.program for part in again.parts}) == 15
    assert sum(len(part.starts) for part in again.parts) == 160


@pytest.mark.parametrize("first", [-0.05, -0.3, -0.45, -0.8, -1.1, -1.37, -1.9, -3.4, 0.0])
def test_a_file_begins_with_whole_beats_or_one_plain_note_value(first, tmp_path):
    from symusic import Score as Read

    beats = first * 0.5 + 0.5 * np.arange(40)
    for lines in (np.arange(0, 40, 4), np.arange(1, 40, 4), np.arange(2, 40, 4)):
        grid = BeatGrid(beats, lines, 120.0, 1.0)
        starts = np.arange(np.ceil(grid.position_of(0.0)), 30.0)
        part = Part("piano", 0, starts, starts + 1, np.full(len(starts), 60), np.full(len(starts), 80))
        path = write_midi(Score((part,), grid, 15.0), tmp_path / "a.mid")
        signs = [(sign.numerator, sign.denominator) for sign in Read(str(path)).time_signatures]
        assert signs[-1] == (4, 4)
        assert all(numerator == 1 or denominator == 4 for numerator, denominator in signs)
        tempos = [tempo.qpm for tempo in Read(str(path)).tempos]
        assert max(tempos) < 600
        again = read_midi(path)
        np.testing.assert_allclose(again.grid.time_of(again.parts[0].starts), grid.time_of(starts), atol=5e-4)
        marks = again.grid.beats[again.grid.downbeats]
        assert all(np.abs(marks - line).min() < 1e-3 for line in grid.beats[lines] if 0.01 < line < 14)


def test_nothing_moves_where_nothing_is_set(score):
    part = score(notes(60)).parts[0]
    assert automation(part, lambda beats: beats, RATE) is None
    assert rings(part) is part.ends or np.array_equal(rings(part), part.ends)


def test_two_songs_are_joined_with_all_their_tracks(tmp_path):
    from streams import Repeater

    from d2m.symbolic.bridge.joining import join
    from d2m.symbolic.bridge.mixpoints import MixPoint
    from d2m.symbolic.bridge.song import read_song

    def song(file: str, *bands: tuple[bytes, int, int, int]) -> Path:
        tracks = []
        for label, channel, sound, volume in bands:
            body = (name(label) if label else b"") + program(sound, channel) + control(volume, 7, channel)
            for bar in range(6):
                body += control(127, 64, channel) + notes(*[60 + bar, 64, 67, 72], channel=channel)
                body += control(0, 64, channel)
            tracks.append(chunk(body + END))
        path = tmp_path / file
        path.write_bytes(smf(*tracks))
        return path

    # Two pianos without a name, one of them silent, and a sound that none of the five tracks knows.
    first = song("a.mid", (b"", 0, 0, 100), (b"", 1, 0, 0), (b"Rain", 2, 96, 90), (b"Bass", 3, 33, 100))
    second = song("b.mid", (b"Upright", 0, 0, 80), ("하프".encode("cp949"), 1, 46, 70), (b"", 9, 8, 100))
    a, b = read_song(first), read_song(second)
    score = join(a, b, MixPoint(2, 3, 0, 0.0, "given"), Repeater(), 2).score
    again = read_midi(write_midi(score, tmp_path / "joined.mid"))
    for song_, span in ((a, slice(0, 3)), (b, slice(3, 6))):
        low, high = (song_.position(bar) for bar in (span.start, span.stop))
        for part in song_.score.parts:
            count = int(((part.starts >= low) & (part.starts < high)).sum())
            twins = [p for p in again.parts if (p.name or "", p.program) == (part.name or p.name, part.program)]
            assert any(len(twin.starts) >= count for twin in twins), part.name
    volumes = {
        round(float(levels(part)[0, 1]), 2) for part in again.parts if part.program == 0 and levels(part) is not None
    }
    assert {0.0, 0.64} <= volumes
    programs = {part.program for part in (*a.score.parts, *b.score.parts)}
    assert {part.program for part in again.parts} == programs
    for part in again.parts:
        if not part.is_drum:
            assert (part.controls[:, 1] == 64).sum() >= 6
            assert rings(part).max() <= score.grid.position_of(score.duration) + 1e-3
