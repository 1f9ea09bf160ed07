"""What a station's server withstands: crowds, requests that are none, proxies, files and disks that come and go."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from browsers import missing, open_visit
from streams import songs, write_song
from test_stream_station import Clock, hear, post, serving, station, until

from d2m.errors import D2MError
from d2m.symbolic.stream.library import Library
from d2m.symbolic.stream.server import StreamServer

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path) -> Path:
    return songs(tmp_path / "songs", tempo=200.0)


def connect(server: StreamServer) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=10)


def reply(server: StreamServer, request: bytes) -> bytes:
    """All that the server says until it closes the connection."""
    with connect(server) as line:
        line.sendall(request)
        said = b""
        with contextlib.suppress(ConnectionError):
            while got := line.recv(65536):
                said += got
        return said


def test_more_connections_than_there_is_room_for_are_closed_and_leave_files_to_the_songs(folder, monkeypatch):
    monkeypatch.setattr(StreamServer, "most_connections", 3)
    with station(folder) as radio, serving(radio) as server:
        idle = [connect(server) for _ in range(3)]
        with connect(server) as late:
            assert late.recv(10) == b""
        for line in idle:
            line.close()
        request = b"GET /state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        # A connection that ends gives its place back, again and again.
        for _ in range(8):
            until(lambda: b"200 OK" in reply(server, request), 20)


def test_requests_that_are_none_are_answered_and_never_taken_for_two(folder):
    with station(folder) as radio, serving(radio) as server:
        assert b" 404 " in reply(server, b"GET //[x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert b" 403 " in reply(server, b"GET / HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n")
        inner = b"GET /songs HTTP/1.1\r\nHost: localhost\r\n\r\n"
        head = b"GET /state HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner)
        said = reply(server, head + inner)
        assert said.count(b"HTTP/1.1") == 1
        assert b'"songs": [' not in said


@pytest.mark.parametrize("header", ["Forwarded", "X_Forwarded_For", "Via"])
def test_who_comes_through_a_proxy_is_not_this_machine(folder, header):
    with station(folder) as radio, serving(radio, locked=True) as server:
        until(radio.names)
        assert post(server.url + "queue", {"add": "c.mid"})["queue"]
        with pytest.raises(urllib.error.HTTPError, match="403"):
            post(server.url + "skip", {}, **{header: "for=203.0.113.7"})
        assert not radio.skipping


def test_another_name_for_this_machine_does_not_unlock_it(folder):
    with station(folder) as radio, StreamServer(radio, "0.0.0.0", 0, locked=True) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        with pytest.raises(urllib.error.HTTPError, match="403"):
            post(address + "skip", {}, Host="evil.example")
        server.shutdown()


def test_an_address_of_another_machine_is_told_as_such(folder):
    with station(folder) as radio:
        with pytest.raises(D2MError, match="choose another --host"):
            StreamServer(radio, "203.0.113.7", 0)
        if socket.has_ipv6:
            try:
                server = StreamServer(radio, "::1", 0)
            except D2MError as error:
                pytest.skip(str(error))
            with server:
                threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
                assert "//[::1]:" in server.url
                assert json.load(urllib.request.urlopen(server.url + "state"))["programme"] == radio.identity
                server.shutdown()


def test_a_disk_that_comes_back_is_written_again(folder, tmp_path):
    told: list[str] = []
    clock, place = Clock(), tmp_path / "disk"
    place.write_text("not a folder yet")
    with station(folder, place / "state.json", tell=told.append, clock=clock) as radio:
        hear(radio, 0, 4, clock)
        until(lambda: told)
        place.unlink()
        clock.now += 60
        hear(radio, 5, 9, clock)
        until((place / "state.json").is_file, 20)
        until(lambda: len(told) == 2, 20)
    assert "cannot be remembered" in told[0]
    assert "again" in told[1]


def test_broken_files_that_are_gone_are_named_no_more(folder, tmp_path):
    bad, mute = folder / "bad.mid", folder / "mute.mid"
    for path in (bad, mute):
        path.write_text("no music")
    library = Library(folder)
    for path in (bad, mute):
        assert library.mark(path.name, path, "it is text")
    assert list(library.playable()) == ["a.mid", "b.mid", "c.mid"]
    bad.rename(tmp_path / "bad.mid")
    library.playable()
    assert list(library.broken) == ["mute.mid"]
    # Read where it could not be: a permission changes neither time nor size.
    time.sleep(0.02)
    mute.chmod(0o600)
    assert "mute.mid" in library.playable()
    assert not library.broken


@pytest.mark.browser
@pytest.mark.skipif(bool(missing("chromium")), reason=missing("chromium"))
def test_the_page_knows_songs_by_their_new_names_and_counts_who_listens(folder, tmp_path):
    with open_visit("chromium") as visit, station(folder) as radio, serving(radio) as server:
        until(radio.names)
        visit.page.goto(server.url)
        visit.run("document.getElementById('wish').focus()")
        visit.until("document.getElementById('songs').children.length === 3", 10)
        visit.until("document.getElementById('crowd').textContent === '3 songs; 0 listeners.'", 10)
        (folder / "c.mid").rename(folder / "d.mid")
        until(lambda: radio.names() == ["a.mid", "b.mid", "d.mid"], 20)
        visit.run("(document.getElementById('wish').value = 'd', document.getElementById('add').requestSubmit())")
        visit.until("document.getElementById('said').textContent === 'd is in the queue.'", 10)
        visit.run("document.getElementById('play').click()")
        visit.until("document.getElementById('crowd').textContent === '3 songs; 1 listener.'", 20)
        # Behind other wishes, so that nobody has read it when it breaks.
        write_song(folder / "z.mid")
        until(lambda: "z.mid" in radio.names(), 20)
        for _ in range(5):
            radio.wish("b.mid")
        visit.run("(document.getElementById('wish').value = 'z', document.getElementById('add').requestSubmit())")
        visit.until("document.getElementById('said').textContent === 'z is in the queue.'", 10)
        (folder / "z.mid").write_text("no music")
        radio.move(radio.state()["queue"][-1]["number"], 0)
        visit.until("document.getElementById('said').textContent === 'z cannot be played and has left the queue.'", 30)
        visit.until("document.getElementById('skipped').textContent.startsWith('z.mid is not a usable MIDI')", 10)
        (folder / "z.mid").unlink()
        visit.until("document.getElementById('skipped').textContent === ''", 20)
        # One broken file in another's place is named, though there are as many as before.
        for name in ("x", "y"):
            write_song(folder / f"{name}.mid")
        radio.programme.library.mark("x.mid", folder / "x.mid", "first")
        visit.until("document.getElementById('skipped').textContent === 'x.mid: first'", 10)
        (folder / "x.mid").unlink()
        radio.programme.library.playable()
        radio.programme.library.mark("y.mid", folder / "y.mid", "second")
        visit.until("document.getElementById('skipped').textContent === 'y.mid: second'", 10)
        assert visit.complaints == []
