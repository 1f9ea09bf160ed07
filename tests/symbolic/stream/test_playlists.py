"""Playlists as programs on any system write them: charsets, backslashes, addresses, comments, missing files."""

from __future__ import annotations

import json
import os
import time
import unicodedata
from pathlib import Path

import pytest
from streams import programme, songs, weights, write_song
from typer.testing import CliRunner

from d2m.cli.symbolic import app
from d2m.errors import D2MError
from d2m.symbolic.stream.library import Library
from d2m.symbolic.stream.playlist import read_playlist

NAMES = ["Jump!.mid", "Über Tälern.mid", "100%25 사랑.mid", "a b.kar", "c.rmi"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Musik").mkdir()
    for name in NAMES:
        (tmp_path / "Musik" / name).write_bytes(b"MThd")
    return tmp_path


def found(folder: Path, data: bytes | str, name: str = "list.m3u") -> list[str]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    library = Library(path)
    assert not library.missing
    return [song.name for song in library.songs().values()]


LINES = "#EXTM3U\r\n#EXTINF:123,Jump\r\nMusik/Jump!.mid\r\n\r\nMusik/Über Tälern.mid\r\n"


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("turn", [lambda text: text, lambda text: text.replace("Musik/", "Musik\\")])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_songs_are_found_in_any_charset(folder, charset, turn, end):
    assert found(folder, turn(LINES).replace("\r\n", end).encode(charset)) == NAMES[:2]


def test_utf_16_with_a_mark_in_either_order(folder):
    for mark, charset in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        assert found(folder, mark + LINES.encode(charset)) == NAMES[:2]


@pytest.mark.parametrize("charset", ["cp949", "utf-8"])
def test_korean_names_are_found(folder, charset):
    (folder / "Musik" / "안녕.mid").write_bytes(b"MThd")
    assert found(folder, "Musik\\안녕.mid\r\n".encode(charset)) == ["안녕.mid"]


@pytest.mark.parametrize(
    ("name", "charset"),
    [
        ("千本樱", "gbk"), ("台灣", "big5"), ("Мелодия", "cp1251"), ("Мелодия", "koi8_r"), ("Мелодия", "cp866"),
        ("Łódź", "cp1250"), ("Dvořák", "cp852"), ("Ελλάδα", "cp1253"), ("İstanbul", "cp1254"), ("Šiauliai", "cp1257"),
        ("onur özer", "cp850"), ("onur özer", "mac_roman"),
    ],
)  # fmt: skip
def test_names_in_charsets_of_many_countries_are_found(tmp_path, name, charset):
    (tmp_path / f"{name}.mid").write_bytes(b"")
    found = read_playlist(f"{name}.mid\r\n".encode(charset) * 2, tmp_path)
    assert [line.path for line in found] == [tmp_path / f"{name}.mid"] * 2


@pytest.mark.slow
def test_a_long_list_of_names_in_no_charset_is_looked_up_quickly(tmp_path):
    (tmp_path / "Łódź.mid").write_bytes(b"")
    lines = b"".join(b"\xe9\xa3%d.mid\n" % number for number in range(5000)) + "Łódź.mid".encode()
    began = time.process_time()
    assert [line.path for line in read_playlist(lines, tmp_path) if line.path] == [tmp_path / "Łódź.mid"]
    assert time.process_time() - began < 5.0


def test_lists_that_were_put_together_bring_a_mark_each(folder):
    one = b"\xef\xbb\xbf#EXTM3U\nMusik/Jump!.mid\n"
    found = read_playlist(one + one + b"\xef\xbb\xbfMusik/Jump!.mid\n", folder)
    assert [line.path for line in found] == [folder / "Musik" / "Jump!.mid"] * 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_a_folder_is_no_song(tmp_path):
    (tmp_path / "a.mid").write_bytes(b"")
    (tmp_path / "lost.mid").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.mid")
    assert list(Library(tmp_path).songs()) == ["a.mid", "lost.mid"]


def test_a_line_in_another_charset_than_the_others_is_found(folder):
    data = "Musik/Über Tälern.mid\n".encode() + "Musik/Jump!.mid\nMusik/Über Tälern.mid\n".encode("cp1252")
    assert found(folder, data) == [NAMES[1], NAMES[0]]


def test_names_that_are_written_with_bytes_of_no_charset_are_found(folder):
    try:
        (folder / "x\udce9.mid").write_bytes(b"MThd")
    except OSError:
        pytest.skip("this file system knows no such names")
    assert found(folder, b"x\xe9.mid\n") == ["x\udce9.mid"]


@pytest.mark.parametrize(
    ("line", "song"),
    [
        ("file://{folder}/Musik/Jump!.mid", NAMES[0]),
        ("file://localhost{folder}/Musik/Jump!.mid", NAMES[0]),
        ("file:{folder}/Musik/Jump!.mid", NAMES[0]),
        ("FILE://{folder}/Musik/%C3%9Cber%20T%C3%A4lern.mid", NAMES[1]),
        ("file://{folder}/Musik/Über Tälern.mid", NAMES[1]),
        ("file:///C:/anna/Musik/Jump!.mid", NAMES[0]),
        ("file:///music/Musik/Jump!.mid", NAMES[0]),
        ("Musik/%C3%9Cber%20T%C3%A4lern.mid", NAMES[1]),
        ("Musik/%DCber%20T%E4lern.mid", NAMES[1]),
        ("Musik/100%25 사랑.mid", NAMES[2]),
        ("Musik/100%2525%20%EC%82%AC%EB%9E%91.mid", NAMES[2]),
        ("./Musik/../Musik/a b.kar", NAMES[3]),
        (".\\Musik\\c.rmi", NAMES[4]),
        ("D:\\Sachen\\Musik\\Jump!.mid", NAMES[0]),
        ("\\\\server\\share\\Musik\\Jump!.mid", NAMES[0]),
        ("musik/JUMP!.MID", NAMES[0]),
        (unicodedata.normalize("NFD", "Musik/Über Tälern.mid"), NAMES[1]),
        ('"Musik/a b.kar"', NAMES[3]),
        ("  Musik/a b.kar\t", NAMES[3]),
    ],
)
def test_a_line_is_taken_for_what_it_names(folder, line, song):
    assert found(folder, line.format(folder=folder) + "\n") == [song]


def test_a_file_whose_name_begins_like_a_comment_is_a_song(folder):
    (folder / "#1 hit.mid").write_bytes(b"MThd")
    assert found(folder, "#1 hit.mid\n# a comment\n#EXTINF:1,x\n") == ["#1 hit.mid"]


def test_lines_that_name_nothing_are_named(folder):
    path = folder / "list.m3u"
    lines = [
        f"Musik/{NAMES[0]}",
        "gone.mid",
        "http://example.org/a.mid",
        "/nowhere/Jump!.mid",
        "../list.m3u",
        "x" * 5000,
        "a\0b.mid",
    ]
    path.write_text("#EXTM3U\n" + "\n".join(lines))
    library = Library(path)
    assert list(library.songs()) == [NAMES[0]]
    told = list(library.missing)
    assert [line.split(":")[0] for line in told] == [f"line {n} of list.m3u" for n in range(3, 9)]
    assert "'gone.mid'" in told[0]
    assert all(len(line) < 200 and line.isprintable() for line in told)
    assert library.left_out() == library.missing


def test_a_line_for_a_folder_or_another_kind_of_file_is_named(folder):
    (folder / "cover.jpg").write_bytes(b"x")
    path = folder / "list.m3u"
    path.write_text("Musik/Jump!.mid\nMusik\ncover.jpg\n")
    assert list(Library(path).missing.values()) == ["names no file that is there", "names a file that is no song"]


def test_a_playlist_without_songs_names_its_first_line(folder):
    (folder / "list.m3u").write_text("gone.mid\n")
    with pytest.raises(D2MError, match=r"names no songs \(line 1 of list.m3u: 'gone.mid' names no file"):
        Library(folder / "list.m3u")


def test_karaoke_and_riff_files_in_a_folder_are_songs(folder):
    assert sorted(Library(folder).songs()) == sorted(f"Musik/{name}" for name in NAMES)


@pytest.mark.slow
def test_a_programme_names_each_line_once_and_the_list_shows_them(tmp_path):
    songs(tmp_path, 2)
    path = tmp_path / "list.m3u"
    path.write_text("a.mid\ngone.mid\nb.mid\n" + "".join(f"no{n}.mid\n" for n in range(30)))
    told: list[str] = []
    made = programme(path, tell=told.append)
    for _ in range(3):
        made.extend()
    assert told[0] == "skipped: line 2 of list.m3u: 'gone.mid' names no file that is there"
    assert len(told) == 21
    assert "11 more lines" in told[-1]
    write_song(tmp_path / "gone.mid")
    made.extend()
    assert "line 2 of list.m3u: 'gone.mid'" not in made.library.left_out()


@pytest.mark.slow
def test_the_command_names_them_on_stderr_and_in_its_json(tmp_path):
    songs(tmp_path, 2)
    (tmp_path / "list.m3u").write_text("a.mid\ngone.mid\nb.mid\n")
    words = ["stream", str(tmp_path / "list.m3u"), "--minutes", "0.5", "--model", str(weights(tmp_path)), "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0
    assert "'gone.mid'" in done.stderr
    assert list(json.loads(done.stdout)["skipped"]) == ["line 2 of list.m3u: 'gone.mid'"]


def test_bytes_of_any_kind_are_read_without_harm(tmp_path):
    for data in (b"", b"\0", b"\xff\xfe", b"\xff\xfe\x00", b"%", b"%zz", b"file:", b"file://", b"file:///", b"/", b"//",
                 b"\\\\", b"C:\\", b'""', b'"', b"#", b"..", b"~", b"\xff" * 99, b"a/" * 4000):  # fmt: skip
        assert all(line.path is None for line in read_playlist(data, tmp_path))
