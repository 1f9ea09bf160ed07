"""MIDI files as other people's programs write them are read as those programs' makers mean them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_midi_damage import END, TUNE, chunk, notes, number, smf

from d2m.errors import D2MWarning
from d2m.symbolic.melody import FIRST_KEY
from d2m.symbolic.melody_extract import read_melody
from d2m.symbolic.midi import read_midi
from d2m.symbolic.midi_file import MidiFile, parse

GM_ON = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"
GS_RESET = b"\x00\xf0\x0a\x41\x10\x42\x12\x40\x00\x7f\x00\x41\xf7"
XG_ON = b"\x00\xf0\x08\x43\x10\x4c\x00\x00\x7e\x00\xf7"
GM2_ON = b"\x00\xf0\x05\x7e\x7f\x09\x03\xf7"
BEAT = notes(36, 42, 38, 42)


def name(text: bytes, kind: int = 3) -> bytes:
    return bytes([0, 0xFF, kind, len(text)]) + text


def control(value: int, number: int, channel: int = 0, delta: int = 0) -> bytes:
    return bytes([delta, 0xB0 | channel, number, value])


def program(number: int, channel: int = 0) -> bytes:
    return bytes([0, 0xC0 | channel, number])


def form(data: bytes, kind: int) -> bytes:
    return data[:8] + kind.to_bytes(2, "big") + data[10:]


def read(*tracks: bytes, division: int = 480) -> MidiFile:
    return parse(smf(*(chunk(track + END) for track in tracks), division=division), 1000)


def heard(file: MidiFile) -> list[tuple[int, int, int]]:
    """(onset, length, key) of every note, in order."""
    return sorted((start, end - start, key) for found in file.notes.values() for start, end, key, _ in found)


PLAIN = heard(read(TUNE))


@pytest.mark.parametrize(
    "before",
    [
        GM_ON,
        b"\x00\xf0\x03\x43\x12\x00" + b"\x00\xf7\x03\x43\x12\xf7",
        b"\x00\xf0\x03\x43\x12\x00" + b"\x00\xf7\x01\x01" + b"\x00\xf7\x02\x02\xf7",
        b"\x00\xf7\x02\xf3\x01",
        b"\x00\xf0\x00",
        b"\x00\xf0\x81\x00" + b"\x01" * 127 + b"\xf7",
        b"\x00\xfe" + b"\x00\xf8" + b"\x00\xfa",
        b"\x00\xf2\x00\x00" + b"\x00\xf3\x01" + b"\x00\xf6" + b"\x00\xf1\x20",
        b"\x00\xff\x7f\x03\x00\x00\x41",
    ],
)
def test_messages_that_are_no_notes_delay_nothing(before):
    file = read(before + TUNE)
    assert heard(file) == PLAIN
    assert not file.mended
    halves = notes(60, 64) + before + notes(67, 72)
    assert heard(read(halves)) == PLAIN


@pytest.mark.parametrize(
    "between", [name(b"%+", 1), GM_ON, b"\x00\xfe", b"\x00\xff\x51\x03\x07\xa1\x20", b"\x00\xf7\x01\x00"]
)
def test_running_status_goes_on_after_events_of_no_channel(between):
    body = b"\x00\x90\x3c\x5a" + number(480) + b"\x3c\x00" + between + b"\x00\x40\x5a" + number(480) + b"\x40\x00"
    assert heard(read(body)) == PLAIN[:2]


def test_data_bytes_beyond_127_count_as_127():
    assert next(iter(read(b"\x00\x90\x3c\xff" + number(480) + b"\x80\x3c\x00").notes.values()))[0][3] == 127


def riff(midi: bytes, before: bytes = b"") -> bytes:
    body = b"RMID" + before + b"data" + len(midi).to_bytes(4, "little") + midi + bytes(len(midi) % 2)
    body += b"LIST\x04\0\0\0INFO"
    return b"RIFF" + len(body).to_bytes(4, "little") + body


WHOLE = smf(chunk(TUNE + END), chunk(program(73, 1) + notes(72, channel=1) + END))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (riff(WHOLE), ""),
        (riff(WHOLE, b"LIST\x06\0\0\0INFOab"), ""),
        (riff(WHOLE).replace(b"RIFF", b"RIFF")[:-12], ""),
        (bytes(128) + WHOLE, ""),
        (b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE, "19 bytes before its header"),
        (WHOLE.replace(b"\0\0\0\x06", b"\0\0\0\x08", 1)[:14] + b"ab" + WHOLE[14:], ""),
        (WHOLE + b"\0" * 300, ""),
        (WHOLE.replace(b"MTrk", b"XFIH\0\0\0\x02abMTrk", 1), ""),
        (form(WHOLE, 7), "format 7"),
    ],
)
def test_wrapped_files_are_read(data, said):
    file = parse(data, 100)
    assert file.notes == parse(WHOLE, 100).notes
    assert said in "; ".join(file.mended)
    assert bool(said) == bool(file.mended)


@pytest.mark.parametrize("wrong", [3, 40, 10**6, -5, -20])
def test_a_wrong_length_in_the_middle_harms_no_track(wrong):
    body = TUNE + END
    data = smf(
        chunk(body, len(body) + wrong), chunk(program(32, 1) + notes(36, 43, channel=1) + END), chunk(TUNE + END)
    )
    file = parse(data, 100)
    assert heard(file) == sorted(2 * PLAIN + [(0, 480, 36), (480, 480, 43)])
    assert "read to their own ends" in file.mended[0]


def test_a_length_that_takes_in_the_next_track_is_not_believed():
    body, other = TUNE + END, chunk(notes(48, channel=1) + END)
    assert heard(parse(smf(chunk(body, len(body + other)), other), 100)) == sorted([*PLAIN, (0, 480, 48)])


def instruments(file: MidiFile) -> dict[str, tuple[int, bool]]:
    return {file.name_of(source): (source.program, source.drums) for source in file.notes}


@pytest.mark.parametrize("place", ["first", "last"])
def test_programs_of_a_setup_track_belong_to_the_channels(place):
    setup = b"".join(program(number, channel) for channel, number in enumerate((56, 33, 48)))
    rest = [name(text) + notes(60, channel=channel) for channel, text in enumerate((b"Trumpet", b"Bass", b"Strings"))]
    file = read(setup, *rest) if place == "first" else read(*rest, setup)
    assert instruments(file) == {"Trumpet": (56, False), "Bass": (33, False), "Strings": (48, False)}


def test_a_program_change_of_another_track_counts_from_its_time():
    file = read(notes(60, 62, 64), program(5) + number(480) + b"\xc0\x18")
    assert [(s.program, [n[2] for n in found]) for s, found in file.notes.items()] == [(5, [60]), (24, [62, 64])]


def test_tracks_that_share_a_channel_keep_their_own_programs():
    file = read(name(b"a") + program(56) + notes(60), name(b"b") + program(33) + notes(40))
    assert instruments(file) == {"a": (56, False), "b": (33, False)}


def test_ports_have_channels_of_their_own():
    file = read(b"\x00\xff\x21\x01\x00" + program(56) + notes(60), b"\x00\xff\x21\x01\x01" + notes(40))
    assert [(source.channel, source.program) for source in file.notes] == [(0, 56), (16, 0)]


def gs_part(block: int, kind: int) -> bytes:
    return bytes([0, 0xF0, 10, 0x41, 0x10, 0x42, 0x12, 0x40, 0x10 | block, 0x15, kind, 0x10, 0xF7])


def beat(channel: int) -> bytes:
    return notes(36, 42, 38, 42, channel=channel)


@pytest.mark.parametrize(
    ("body", "drums"),
    [
        (beat(9), True),
        (beat(3), False),
        (gs_part(0xA, 2) + beat(10), True),
        (gs_part(1, 1) + beat(0), True),
        (gs_part(0, 0) + beat(9), False),
        (b"\x00\xf0\x05" + gs_part(0xA, 2)[3:8] + b"\x00\xf7\x05" + gs_part(0xA, 2)[8:] + beat(10), True),
        (control(127, 0, 3) + control(0, 32, 3) + program(0, 3) + beat(3), True),
        (XG_ON + control(127, 0, 3) + program(0, 3) + beat(3), True),
        (XG_ON + control(0, 0, 9) + program(0, 9) + beat(9), False),
        (GM_ON + control(0, 0, 9) + program(0, 9) + beat(9), True),
        (b"\x00\xf0\x08\x43\x10\x4c\x08\x04\x07\x02\xf7" + beat(4), True),
        (control(120, 0, 5) + program(0, 5) + beat(5), True),
        (GM2_ON + control(121, 0, 9) + program(5, 9) + beat(9), False),
        (GS_RESET + control(127, 0, 3) + program(0, 3) + beat(3), False),
        (control(127, 0, 3) + program(0, 3) + control(0, 0, 3) + program(4, 3) + beat(3), False),
        (name(b"Drums") + beat(0), True),
        (name(b"Drum Kit 2") + program(0) + beat(0), True),
        (name("드럼".encode()) + beat(0), True),
        (name("ドラム".encode("cp932")) + beat(0), True),
        (name(b"Steel Drums") + beat(0), False),
        (name(b"Drums") + program(114) + beat(0), False),
        (name(b"Drums of the sea") + beat(0), False),
        (name(b"Drums") + notes(90, 95), False),
    ],
)
def test_drums_are_what_the_file_makes_drums(body, drums):
    assert [source.drums for source in read(body).notes] == [drums]


@pytest.mark.parametrize("tempo", [0, 1])
def test_a_tempo_that_no_music_has_is_left_out_and_said(tempo, tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(smf(chunk(b"\x00\xff\x51\x03" + tempo.to_bytes(3, "big") + TUNE + END)))
    with pytest.warns(D2MWarning, match="tempo of"):
        assert read_midi(path).duration == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("division", "ticks"), [(0xE728, 1000), (0xE850, 1920), (0xE250, 2400), (0xE350, 80 * 30_000 / 1001), (0xE801, 24)]
)
def test_film_frames_count_seconds_whatever_the_tempo(division, ticks, tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(smf(chunk(b"\x00\xff\x51\x03\x0f\x42\x40" + TUNE + END), division=division))
    score = read_midi(path)
    assert score.duration == pytest.approx(4 * 480 / ticks, rel=1e-4)


def test_patterns_of_format_2_follow_each_other_with_tempos_of_their_own(tmp_path):
    fast = b"\x00\xff\x51\x03\x03\xd0\x90"
    path = tmp_path / "a.mid"
    path.write_bytes(form(smf(chunk(fast + TUNE + END), chunk(TUNE + END), chunk(END), chunk(fast + TUNE + END)), 2))
    score = read_midi(path)
    starts = np.sort(np.concatenate([score.grid.time_of(part.starts) for part in score.parts]))
    first = np.arange(4) * 0.25
    np.testing.assert_allclose(starts, [*first, *(1 + 2 * first), *(3 + first)], atol=1e-6)
    assert score.duration == pytest.approx(4.0)


@pytest.mark.parametrize("far", [480 * 200, 480 * 5000, (1 << 28) - 1])
def test_a_note_that_nothing_ends_is_cut(far):
    file = read(TUNE + b"\x00\x90\x3c\x40" + number(far) + b"\xff\x01\x00")
    assert heard(file)[-1] == (1920, 1920, 60)
    assert "cut" in file.mended[0]


@pytest.mark.parametrize("stop", [120, 123, 126])
def test_all_notes_off_ends_notes(stop):
    assert heard(read(b"\x00\x90\x3c\x5a" + number(480) + bytes([0xB0, stop, 0]) + number(480) + b"\xff\x01\x00")) == [
        (0, 480, 60)
    ]


@pytest.mark.parametrize(
    ("master", "members", "drums"),
    [(0, 15, False), (0, 9, False), (0, 8, True), (15, 6, False), (15, 5, True), (3, 15, True)],
)
def test_channel_10_is_pitched_in_a_zone_of_mpe(master, members, drums):
    zone = b"".join(bytes([0, 0xB0 | master, number, value]) for number, value in ((101, 0), (100, 6), (6, members)))
    assert [source.drums for source in read(zone + beat(9)).notes] == [drums]
    off = bytes([0, 0xB0 | master, 6, 0])
    assert [source.drums for source in read(zone + off + beat(9)).notes] == [True]


def test_what_begins_before_a_clip_begins_with_the_track():
    before = b"\x8f\xff\xff\xff\x00\x90\x3c\x5a"  # 128 ticks before
    assert heard(read(before + number(480) + b"\x80\x3c\0" + notes(62))) == [(0, 352, 60), (352, 480, 62)]
    # Later, or longer, it is no time.
    for time in (b"\x8f\xff\xff\xff\xff\x00", b"\x60\x90\x3e\x5a\x8f\xff\xff\xff\x00"):
        assert "track 1 is damaged" in read(b"\x00\x90\x3c\x5a" + time + b"\x80\x3c\0").mended[0]


def test_a_file_of_no_tracks_is_said_to_have_none():
    with pytest.raises(ValueError, match="^it has no tracks$"):
        parse(smf(), 100)


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp949"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_melody_is_found_by_its_korean_name(charset, order, tmp_path):
    high = name("피아노".encode(charset)) + notes(*[72, 76, 79, 84] * 4)
    low = name("멜로디".encode(charset)) + notes(*[60, 62, 64, 65] * 4, channel=1)
    path = tmp_path / "a.mid"
    path.write_bytes(smf(*(chunk((high, low)[i] + END) for i in order)))
    keys = [v for part in read_melody(path) for v in part if v >= FIRST_KEY]
    assert min(keys) == keys[0]
    assert len(set(keys)) == 4
    assert set(np.diff(sorted(set(keys))).tolist()) == {2, 1}


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("멜로디", "cp949"), ("보컬 1", "cp949"), ("드럼", "cp949"), ("피아노 왼손", "cp949"), ("노래", "cp949"),
        ("メロディ", "cp932"), ("ピアノ", "cp932"), ("うた", "cp932"), ("ボーカル", "cp932"),
        ("Flöte", "latin-1"), ("Mélodie", "latin-1"), ("Übung für Klavier", "latin-1"), ("Ärger", "latin-1"),
        ("été à la plage", "latin-1"), ("© 1998 Müller", "latin-1"), ("Canção", "latin-1"), ("Voilà", "latin-1"),
        ("ﾒﾛﾃﾞｨ", "cp932"), ("弦楽器", "cp932"), ("主旋律", "gbk"), ("千本樱", "gbk"), ("吉他 2", "gbk"),
        ("Мелодия", "cp1251"), ("Бэк-вокал", "cp1251"), ("соло", "cp1251"), ("Гитара (Lead)", "cp1251"),
        ("Flöte", "utf-8"), ("メロディ", "utf-8"), ("旋律", "utf-8"), ("Мелодия", "utf-8"), ("Lead", "ascii"),
    ],
)  # fmt: skip
def test_names_are_read_in_their_charset(text, charset):
    assert read(name(text.encode(charset)) + TUNE).names == {0: text}


def test_all_names_of_a_file_together_tell_its_charset():
    names = ["钢琴", "主旋律", "鼓", "贝司", "钟灵毓秀"]
    tracks = [chunk(name(text.encode("gbk")) + TUNE + END) for text in names]
    assert list(parse(smf(*tracks), 100).names.values()) == names


def test_a_name_is_one_line_whatever_it_holds():
    assert read(name(b"\x1b[31mLead\n\r\tone\0rubbish") + TUNE).names == {0: "[31mLead one"}


def test_channels_of_one_track_have_names_of_their_own():
    prefix = b"\x00\xff\x20\x01"
    body = prefix + b"\x00" + name(b"Flute", 4) + prefix + b"\x01" + name(b"Drums", 4) + notes(60) + beat(1)
    assert instruments(form_0(body)) == {"Flute": (0, False), "Drums": (0, True)}


def form_0(body: bytes) -> MidiFile:
    return parse(form(smf(chunk(body + END)), 0), 100)


def test_kar_files_are_midi_files(tmp_path: Path):
    path = tmp_path / "song.kar"
    path.write_bytes(smf(chunk(name(b"Words") + name(b"@KMIDI KARAOKE FILE", 1) + END), chunk(TUNE + END)))
    assert read_midi(path).duration == pytest.approx(2.0)


def test_a_repeated_program_counts_after_another_track_has_changed_it():
    first = program(75) + notes(60) + b"\x8f\x00" + program(75)[1:] + notes(62)
    file = read(first, notes(40, channel=1) + program(26) + notes(41, channel=1))
    assert {
        source.program: [note[2] for note in found] for source, found in file.notes.items() if not source.channel
    } == {75: [60, 62]}
