"""MIDI files that are broken, hostile or not what is wanted: one clear line from everything that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from repository import EXAMPLE

from d2m.cli.main import main
from d2m.engines.arrangers import load_arranger
from d2m.errors import D2MError, D2MWarning
from d2m.symbolic.midi import read_midi
from d2m.symbolic.midi_file import parse
from d2m.symbolic.musegan import configure, save
from d2m.symbolic.musegan.generator import Generator
from d2m.symbolic.pianoroll_midi import read_roll

END = b"\x00\xff\x2f\x00"


def number(value: int) -> bytes:
    """A MIDI number of variable length."""
    parts = [value & 0x7F]
    while value := value >> 7:
        parts.append(value & 0x7F | 0x80)
    return bytes(reversed(parts))


def notes(*keys: int, channel: int = 0, length: int = 480) -> bytes:
    return b"".join(
        bytes([0, 0x90 | channel, key, 90]) + number(length) + bytes([0x80 | channel, key, 0]) for key in keys
    )


def metre(numerator: int, power: int) -> bytes:
    return bytes([0, 0xFF, 0x58, 4, numerator, power, 24, 8])


def chunk(body: bytes, length: int | None = None) -> bytes:
    return b"MTrk" + (len(body) if length is None else length).to_bytes(4, "big") + body


def smf(*tracks: bytes, announced: int | None = None, division: int = 480) -> bytes:
    count = len(tracks) if announced is None else announced
    return b"MThd\0\0\0\x06\0\x01" + count.to_bytes(2, "big") + division.to_bytes(2, "big") + b"".join(tracks)


TUNE = notes(60, 64, 67, 72)
GOOD = smf(chunk(TUNE + END), chunk(b"\x00\xc1\x20" + notes(36, 43, channel=1) + END))
BROKEN = {
    "empty": (b"", "it is empty"),
    "text": (b"this is not music at all", "no MIDI header"),
    "header": (GOOD[:14], "0 of 2 tracks"),
    "no status": (smf(chunk(b"\x00\x3c\x5a" + END)), "track 1 is damaged 1 bytes in"),
    "endless number": (smf(chunk(b"\xff\xff\xff\xff\xff" + TUNE + END)), "damaged"),
    "cut before a note": (smf(chunk(TUNE + END))[:24], "track 1 breaks off"),
    "no ticks": (smf(chunk(TUNE + END), division=0), "0 ticks a quarter note"),
    "film of 77 pictures": (smf(chunk(TUNE + END), division=0xB328), "77 film frames a second"),
    "200 tracks": (smf(*[chunk(TUNE + END)] * 200), "it has 200 tracks, at most 128"),
    "hidden tracks": (smf(*[chunk(TUNE + END)] * 200, announced=3), "more than 128 tracks"),
}
#: What can be read of these is read: how many notes, and what is said.
READABLE = {
    "half": (GOOD[: len(GOOD) // 2], 3, "track 1 breaks off"),
    "missing": (smf(chunk(TUNE + END), announced=3), 4, "it announces 3 tracks and has 1"),
    "too many": (smf(*[chunk(TUNE + END)] * 3, announced=1), 12, "it announces 1 track and has 3"),
    "mid-event": (smf(chunk((TUNE + END)[:-7])), 4, "track 1 breaks off"),
    "mid-number": (smf(chunk(TUNE + b"\x81")), 4, "track 1 breaks off"),
    "long meta": (smf(chunk(TUNE + b"\x00\xff\x01" + number(10**8))), 4, "track 1 breaks off"),
    "between events": (smf(chunk(TUNE, len(TUNE) + 500)), 4, "track 1 breaks off"),
    "first track damaged": (smf(chunk(TUNE + b"\xff" * 5), chunk(TUNE + END)), 8, "track 1 is damaged"),
    "an hour": (smf(chunk(notes(60, length=480 * 7200) + END)), 1, "notes that nothing ends are cut"),
}
SILENT = smf(chunk(b"\x00\xc0\x05" + END))
WALTZ = smf(chunk(metre(3, 2) + notes(*[60, 64, 67] * 8, length=400) + END))


@pytest.fixture
def folder(tmp_path: Path):
    def put(name: str, data: bytes) -> Path:
        path = tmp_path / f"{name}.mid"
        path.write_bytes(data)
        return path

    return put


@pytest.fixture(scope="module")
def accompanist(tmp_path_factory) -> Path:
    import torch

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "piano.safetensors"
    from dataclasses import replace

    save(Generator(replace(configure("hybrid", "piano"), width=8, encoder_width=4, latent=16)).eval(), path)
    return path


def failed(arguments: list[str], capsys) -> str:
    """The one line of a command that must fail."""
    capsys.readouterr()
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if line.strip()]
    assert len(lines) == 1, err
    assert lines[0].startswith("error: ")
    return lines[0]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_by_every_reader(name, folder):
    data, what = BROKEN[name]
    path = folder(name, data)
    for read in (read_midi, read_roll, lambda p: load_arranger(sketch=str(p))):
        with pytest.raises(D2MError, match=what) as error:
            read(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", READABLE)
def test_what_is_there_is_read_and_said(name, folder):
    data, count, what = READABLE[name]
    path = folder(name, data)
    with pytest.warns(D2MWarning, match=what) as caught:
        score = read_midi(path)
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    assert sum(len(part.starts) for part in score.parts) == count
    assert score.duration < 60


@pytest.mark.parametrize("name", ["empty", "text", "no ticks", "200 tracks"])
def test_the_commands_say_so_in_one_line(name, folder, accompanist, capsys, tmp_path):
    data, what = BROKEN[name]
    path = str(folder(name, data))
    out = str(tmp_path / "out.mid")
    assert what in failed(["symbolic", "render", path], capsys)
    assert what in failed(["symbolic", "metrics", path], capsys)
    assert what in failed(["symbolic", "accompany", path, "--model", str(accompanist), "-o", out], capsys)
    assert not Path(out).exists()
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".mid"]


@pytest.mark.slow
def test_generating_from_a_broken_file_writes_nothing(folder, capsys, tmp_path):
    example = EXAMPLE
    out = tmp_path / "out"
    for name, options in (("text", []), ("no ticks", ["--engine", "symbolic"])):
        data, what = BROKEN[name]
        line = failed(["generate", str(example), "-o", str(out), "--sketch", str(folder(name, data)), *options], capsys)
        assert what in line
        assert not out.exists()


def test_files_without_notes_are_named(folder, accompanist, capsys, tmp_path):
    path = str(folder("silent", SILENT))
    for arguments in (
        ["render", path],
        ["metrics", path],
        ["accompany", path, "--model", str(accompanist), "-o", str(tmp_path / "out.mid")],
    ):
        assert "no notes" in failed(["symbolic", *arguments], capsys)
    with pytest.raises(D2MError, match="no notes"):
        load_arranger(sketch=str(path))


@pytest.mark.slow
def test_three_four_is_refused_where_four_four_is_needed_and_played_where_not(folder, accompanist, capsys, tmp_path):
    path = str(folder("waltz", WALTZ))
    assert "4/4" in failed(["symbolic", "metrics", path], capsys)
    out = str(tmp_path / "out.mid")
    assert "4/4" in failed(["symbolic", "accompany", path, "--model", str(accompanist), "-o", out], capsys)
    assert main(["symbolic", "render", path]) == 0
    assert load_arranger(sketch=str(path)).name == "waltz.mid"


def test_a_track_to_accompany_that_is_not_there_is_named(folder, accompanist, capsys, tmp_path):
    path = str(folder("bass", smf(chunk(b"\x00\xc0\x20" + notes(36, 43, 36, 43) + END))))
    out = str(tmp_path / "out.mid")
    line = failed(["symbolic", "accompany", path, "--model", str(accompanist), "-o", out], capsys)
    assert "no piano track to accompany, it plays bass" in line


def test_what_programs_get_wrong_is_read_as_it_is_meant():
    whole = parse(smf(chunk(TUNE + END)), 100)
    body = TUNE + END
    variants = {
        "no end of track": smf(chunk(TUNE)),
        "length too great": smf(chunk(body, len(body) + 3)),
        "length too small": smf(chunk(body, len(body) - 6)),
        "bytes after the end": smf(chunk(body)) + b"\0\0\0\0",
        "text after the end": smf(chunk(body)) + b"written by somebody's program",
        "bytes after the end, inside": smf(chunk(body + b"\0\0\0\0\0")),
        "another chunk": smf(chunk(body)) + b"XFIH\0\0\0\x02ab",
    }
    for name, data in variants.items():
        assert parse(data, 100) == whole, name
    held = parse(smf(chunk(b"\x00\x90\x3c\x5a" + number(960) + b"\xff\x2f\x00")), 100)
    assert list(held.notes.values()) == [[(0, 960, 60, 90)]]


def test_a_file_cut_anywhere_is_read_up_to_there_or_refused():
    whole = [note for found in parse(GOOD, 100).notes.values() for note in found]
    for length in range(len(GOOD)):
        try:
            file = parse(GOOD[:length], 100)
        except ValueError:
            assert length < 38
            continue
        found = [note for notes in file.notes.values() for note in notes]
        assert {note[0] for note in found} <= {note[0] for note in whole}, length
        assert len(found) >= min((length - 30) // 9, 4), length
        assert file.mended, length


def test_random_bytes_never_raise_anything_else():
    rng = np.random.default_rng(0)
    for _ in range(300):
        data = bytearray(GOOD)
        for at in rng.integers(0, len(data), 4):
            data[at] = int(rng.integers(0, 256))
        try:
            parse(bytes(data), 100)
        except ValueError:
            continue


def test_system_exclusive_messages_do_not_move_the_notes(tmp_path):
    """Most files of the web begin with "GM on"; its length byte must not be taken for time."""
    plain, with_message = tmp_path / "plain.mid", tmp_path / "message.mid"
    plain.write_bytes(smf(chunk(TUNE + END)))
    with_message.write_bytes(smf(chunk(b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7" + TUNE + END)))
    expected, found = read_midi(plain).parts, read_midi(with_message).parts
    assert len(expected) == len(found) == 1
    np.testing.assert_array_equal(found[0].starts, expected[0].starts)
    np.testing.assert_array_equal(found[0].pitches, expected[0].pitches)
