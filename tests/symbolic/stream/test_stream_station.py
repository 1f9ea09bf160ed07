"""A station: one programme for many, skips and wishes, restarts, the server and its page."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browsers import missing, open_visit
from streams import frames, programme, songs, write_song

from d2m.errors import D2MError
from d2m.symbolic.sound.player import RATE, Player
from d2m.symbolic.stream.recording import pcm, prepare
from d2m.symbolic.stream.server import StreamServer
from d2m.symbolic.stream.station import AHEAD, KEPT, LEAD, Station

pytestmark = pytest.mark.slow


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path) -> Path:
    return songs(tmp_path / "songs", tempo=200.0)


@contextlib.contextmanager
def station(folder: Path, memory: Path | None = None, **settings) -> Iterator[Station]:
    made = Station(programme(folder), memory, **settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.02)


def hear(station: Station, first: int, last: int, clock: Clock | None = None) -> np.ndarray:
    """int16 (frames, 2) of segments, as fast as they come."""
    found = []
    for number in range(first, last + 1):
        if clock:
            clock.now += 1.0
        found.append(np.frombuffer(station.segment(number, 60.0)[1], "<i2").reshape(-1, 2))
    return np.concatenate(found)


def bridges(station: Station) -> list[dict]:
    return [s for s in station.state()["stretches"] if s["kind"] == "bridge"]


def test_listeners_hear_the_programme_sample_by_sample(folder):
    with station(folder) as radio:
        heard = hear(radio, 0, 9)
    made = programme(folder)
    prepare(made, 20 * RATE)
    expected = np.frombuffer(pcm(Player(made.planner.font, made).read(10 * RATE)), "<i2").reshape(-1, 2)
    assert np.abs(heard.astype(int) - expected).max() <= 1


def test_nothing_is_played_that_nobody_asks_for_and_nobody_can_hurry(folder):
    clock = Clock()
    with station(folder, clock=clock) as radio:
        until(lambda: radio.rendered == LEAD)
        time.sleep(0.3)
        assert radio.rendered == LEAD
        assert radio.segment(AHEAD + 20) is None
        hear(radio, 0, 11)
        with pytest.raises(TimeoutError):
            radio.segment(12, patience=-1)
        until(lambda: radio.rendered == 12 + LEAD)
        time.sleep(0.3)
        assert radio.rendered == 12 + LEAD
        clock.now += 1.0
        assert radio.segment(12, patience=60)
        hear(radio, 13, 60, clock)
        assert len(radio.segments) <= KEPT + LEAD + 2
        assert len(radio._snapshots) <= AHEAD + LEAD + 2
        assert len(radio.programme.sections) < 20
        assert radio.segment(3) is None


def test_ten_listeners_hear_the_same(folder):
    with station(folder) as radio:
        heard: list[bytes] = []

        def listen() -> None:
            heard.append(hear(radio, 0, 9).tobytes())

        crowd = [threading.Thread(target=listen) for _ in range(10)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join()
        assert len(set(heard)) == 1
        assert len(heard) == 10
        assert radio.state()["live"] == 9 - AHEAD


def test_a_skip_leaves_the_song_at_the_next_bar_and_changes_nothing_before(folder):
    with station(folder) as radio:
        before = hear(radio, 0, 8)
        until(lambda: bridges(radio))
        first = bridges(radio)[0]
        assert first["start"] > 8
        start = radio.state()["stretches"][0]["start"]
        until(lambda: len(radio.segments) > 10)
        radio.skip(start)
        radio.skip(start)
        until(lambda: not radio.skipping)
        state = radio.state()
        bridge = bridges(radio)[0]
        # Within notice, one bar of 1.2 s, and the moment that composing takes.
        assert bridge["start"] < first["start"]
        assert 8 - AHEAD + 3 <= bridge["start"] < 8 - AHEAD + 3 + 1.2 + 4
        assert state["revision"] == 1
        assert state["stretches"][0]["name"] == "a.mid"
        assert [s["name"] for s in state["stretches"] if s["kind"] == "song"][:2] == ["a.mid", "b.mid"]
        after = hear(radio, 0, 8)
        same = int(bridge["start"] * RATE) - radio.player.delay
        assert np.abs(before[:same].astype(int) - after[:same]).max() <= 1
        assert np.abs(before[same + RATE :].astype(int) - after[same + RATE :]).max() > 100
        assert {r for k, r in state["revisions"].items() if int(k) < int(bridge["start"]) - 1} <= {0}
        # The same song cannot be skipped twice.
        radio.skip(start)
        time.sleep(0.2)
        until(lambda: not radio.skipping)
        assert bridges(radio)[0]["start"] == bridge["start"]


def test_wishes_come_next_in_their_order_and_leave_when_they_are_played(folder):
    clock = Clock()
    with station(folder, clock=clock) as radio:
        until(lambda: radio.state()["next"] == "b.mid" and radio.names())
        radio.wish("c.mid")
        until(lambda: radio.state()["next"] == "c.mid")
        radio.wish("a.mid")
        second = radio.state()["queue"][1]["number"]
        radio.move(second, 0)
        until(lambda: radio.state()["next"] == "a.mid")
        assert [w["name"] for w in radio.state()["queue"]] == ["a.mid", "c.mid"]
        radio.unwish(second)
        until(lambda: radio.state()["next"] == "c.mid")
        with pytest.raises(D2MError, match="no song"):
            radio.wish("../secret.mid")
        end = bridges(radio)[0]["end"]
        hear(radio, 0, int(end) + 12, clock)
        until(lambda: not radio.state()["queue"])
        until(lambda: radio.programme.last.name == "b.mid" or radio.state()["next"] == "b.mid")


def test_files_may_come_go_and_break_while_it_plays(folder):
    clock, told = Clock(), []
    with station(folder, clock=clock, tell=told.append) as radio:
        radio.programme.tell = told.append
        until(lambda: radio.state()["next"] == "b.mid")
        write_song(folder / "d.mid", tempo=200.0)
        (folder / "c.mid").write_text("broken now")
        clock.now += 5
        until(lambda: "d.mid" in radio.names())
        heard = {}
        for number in range(100):
            hear(radio, number, number, clock)
            heard |= {s["start"]: s["name"] for s in radio.state()["stretches"] if s["kind"] == "song"}
        assert "d.mid" in heard.values()
        # What was composed before it broke is played.
        assert list(heard.values()).count("c.mid") <= 1
        assert [line for line in told if "c.mid" in line]
        assert radio.state()["skipped"][0]["name"] == "c.mid"
        assert str(folder) not in radio.state()["skipped"][0]["reason"]
        for path in folder.iterdir():
            path.unlink()
        hear(radio, 100, 140, clock)


def test_broken_files_are_not_counted_and_cannot_be_wished_for(folder):
    (folder / "x.mid").write_text("no music")
    with station(folder, clock=Clock()) as radio:
        until(lambda: not radio.state()["unread"])
        assert radio.state()["songs"] == 3
        assert [file["name"] for file in radio.state()["skipped"]] == ["x.mid"]
        with pytest.raises(D2MError, match="there is no song x.mid"):
            radio.wish("x.mid")
        radio.wish("b.mid")


def test_a_file_that_nobody_has_read_yet_is_read_when_it_is_wished_for(folder):
    (folder / "x.mid").write_text("no music")
    told: list[str] = []
    radio = Station(programme(folder), None, told.append)
    radio.programme.tell = told.append
    radio._list()
    assert radio.state()["unread"] == radio.state()["songs"] == 4
    with pytest.raises(D2MError, match="^x.mid is not a usable MIDI file"):
        radio.wish("x.mid")
    radio.wish("b.mid")
    assert radio.state()["songs"] == 3
    assert radio.state()["unread"] == 2
    assert [line for line in told if "x.mid" in line]


def test_a_wish_after_a_skip_changes_where_it_leads_but_not_that_it_is_left(folder):
    with station(folder, clock=Clock()) as radio:
        hear(radio, 0, 8)
        until(lambda: bridges(radio))
        first = bridges(radio)[0]["start"]
        radio.skip()
        until(lambda: not radio.skipping)
        left = bridges(radio)[0]["start"]
        assert left < first
        radio.wish("c.mid")
        until(lambda: radio.state()["next"] == "c.mid")
        assert bridges(radio)[0]["start"] == left


def test_a_folder_that_cannot_be_looked_through_any_more_does_not_stop_the_music(folder, monkeypatch):
    told = []
    # Time flies: the folder is looked through every three of its seconds.
    with station(folder, clock=lambda: 20.0 * time.monotonic(), tell=told.append) as radio:
        until(radio.names)
        monkeypatch.setattr("d2m.symbolic.stream.library.MOST_SONGS", 2)
        hear(radio, 0, 5)
        until(lambda: told)
        assert "more than 2 songs" in told[0]
        monkeypatch.undo()
        hear(radio, 6, 24)
        assert radio.failure is None


def test_a_server_whose_station_has_failed_ends_and_says_why(folder, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("out of tune")

    with station(folder) as radio, StreamServer(radio, port=0) as server:
        monkeypatch.setattr(radio.programme, "plan_from", fail)
        radio.wish("c.mid")
        with pytest.raises(D2MError, match="the stream has stopped: RuntimeError: out of tune"):
            server.serve_forever(0.05)


@pytest.mark.parametrize("way", ["stopped", "killed"])
def test_a_restarted_station_goes_on_where_it_was(folder, tmp_path, way):
    memory = tmp_path / "state.json"
    clock = Clock()
    with station(folder, memory, clock=clock) as radio:
        until(lambda: radio.state()["next"])
        radio.wish("c.mid")
        hear(radio, 0, 30, clock)
        state = radio.state()
        if way == "killed":
            clock.now += 10
            hear(radio, 31, 31, clock)
            until(lambda: json.loads(memory.read_text())["head"] >= 30)
            kept = memory.read_bytes()
    if way == "killed":
        memory.write_bytes(kept)
    with station(folder, memory, clock=Clock()) as again:
        assert again.recalled
        found = again.state()
        assert found["programme"] == state["programme"]
        first = again.head - AHEAD
        assert first >= 30 - AHEAD
        assert found["stretches"] == state["stretches"] or found["stretches"][-1]["start"] >= state["live"]
        heard = hear(again, first, 30)
    expected = np.concatenate([np.frombuffer(radio.segments[k][1], "<i2").reshape(-1, 2) for k in range(first, 31)])
    # What rang for longer than six seconds is missing.
    assert np.abs(heard.astype(int) - expected).max() < 33


@pytest.mark.parametrize("harm", ["cut", "type", "bars", "deep", "file", "settings", "empty"])
def test_a_memory_that_does_not_fit_is_not_trusted(folder, tmp_path, harm):
    memory = tmp_path / "state.json"
    with station(folder, memory) as radio:
        hear(radio, 0, 3)
        until(lambda: len(radio.programme.sections) > 1)
    content = json.loads(memory.read_text())
    if harm == "cut":
        memory.write_bytes(memory.read_bytes()[:100])
    elif harm == "deep":
        memory.write_text("[" * 100_000)
    elif harm == "file":
        write_song(folder / "a.mid", "FGCaFGCaFGCa", tempo=150.0)
    else:
        if harm == "type":
            content["stretches"][0]["start"] = "x"
        elif harm == "bars":
            content["stretches"][0]["exit"] = 99
        elif harm == "empty":
            content["stretches"] = []
        else:
            content["settings"]["seed"] = 9
        memory.write_text(json.dumps(content))
    told: list[str] = []
    made = Station(programme(folder), memory, told.append)
    assert not made.recalled
    assert made.head == -1
    assert made.identity != content["programme"]
    assert len(told) == (harm != "settings")


def test_a_place_that_cannot_be_written_is_told_once(folder, tmp_path):
    told: list[str] = []
    (tmp_path / "file").write_text("")
    with station(folder, tmp_path / "file" / "state.json", tell=told.append) as radio:
        hear(radio, 0, 5)
    assert len([line for line in told if "remembered" in line]) == 1


@contextlib.contextmanager
def serving(radio: Station, port: int = 0, **settings) -> Iterator[StreamServer]:
    with StreamServer(radio, port=port, **settings) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


def post(url: str, content: object, **headers: str) -> dict:
    headers = {"Content-Type": "application/json"} | {k.replace("_", "-"): v for k, v in headers.items()}
    request = urllib.request.Request(url, json.dumps(content).encode(), headers)
    return json.load(urllib.request.urlopen(request))


def test_the_server_gives_the_page_segments_and_nothing_else(folder):
    with station(folder) as radio, serving(radio) as server:
        page = urllib.request.urlopen(server.url).read().decode()
        for file in re.findall(r'(?:src|href)="([^"]+)"', page):
            assert "//" not in file
            assert urllib.request.urlopen(server.url + file).read()
        reply = urllib.request.urlopen(server.url + "segment/0.wav")
        assert reply.headers["D2M-Revision"] == "0"
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert frames(reply.read()).shape == (RATE, 2)
        assert json.load(urllib.request.urlopen(server.url + "songs"))["songs"] == ["a.mid", "b.mid", "c.mid"]
        for path, status in (
            ("segment/99999.wav", 410), ("segment/x.wav", 404), ("segment/%B2.wav", 404), ("../state.json", 404),
            ("%2e%2e/server.py", 404), ("server.py", 404), ("segment/-1.wav", 404),
        ):  # fmt: skip
            with pytest.raises(urllib.error.HTTPError, match=str(status)):
                urllib.request.urlopen(server.url + path)
        json.load(urllib.request.urlopen(server.url + "state?listener=one"))
        assert json.load(urllib.request.urlopen(server.url + "state?listener=two"))["listeners"] == 2


def test_only_the_page_itself_may_change_things(folder):
    with station(folder) as radio, serving(radio) as server:
        until(radio.names)
        assert post(server.url + "queue", {"add": "c.mid"})["queue"][0]["name"] == "c.mid"
        for path, content, headers, status in (
            ("queue", {"add": "x.mid"}, {}, 400),
            ("queue", {"move": "x", "to": 1}, {}, 400),
            ("queue", [1], {}, 400),
            ("skip", [1], {}, 400),
            ("skip", {"start": 10**400}, {}, 400),
            ("else", {}, {}, 400),
            ("skip", {}, {"Content_Type": "text/plain"}, 403),
            ("skip", {}, {"Host": "evil.example"}, 403),
            ("queue", {"add": "x" * 5000}, {}, 413),
        ):
            with pytest.raises(urllib.error.HTTPError, match=str(status)):
                post(server.url + path, content, **headers)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(urllib.request.Request(server.url + "state", headers={"Host": "evil.example"}))
        assert not radio.skipping
        with pytest.raises(D2MError, match="choose another --port"):
            StreamServer(radio, port=server.server_address[1])


def test_a_locked_server_obeys_its_own_machine_only(folder, monkeypatch):
    with station(folder) as radio, serving(radio, locked=True) as server:
        until(radio.names)
        assert post(server.url + "queue", {"add": "c.mid"})["may_change"]
        monkeypatch.setattr("d2m.symbolic.stream.server.is_loopback", lambda host: False)
        server.loopback = False
        with pytest.raises(urllib.error.HTTPError, match="403"):
            post(server.url + "skip", {})
        assert not json.load(urllib.request.urlopen(server.url + "state"))["may_change"]


@pytest.mark.browser
@pytest.mark.skipif(bool(missing("chromium")), reason=missing("chromium"))
def test_a_browser_plays_across_a_bridge_skips_and_comes_back_after_a_restart(folder, tmp_path):
    memory = tmp_path / "state.json"
    with contextlib.ExitStack() as stack:
        visit = stack.enter_context(open_visit("chromium"))
        with station(folder, memory) as radio, serving(radio) as server:
            port = server.server_address[1]
            until(lambda: radio.rendered)
            visit.page.goto(server.url)
            visit.run("document.getElementById('play').click()")
            visit.until("d2m.place() > 1", 60)
            _tab_through(visit)
            until(lambda: bridges(radio))
            bridge = bridges(radio)[0]
            visit.until(f"d2m.place() > {bridge['start']}", 60)
            visit.until("document.getElementById('now').textContent.startsWith('Bridge into')", 5)
            visit.until(f"d2m.place() > {bridge['end']} + 0.3", 60)
            visit.until("document.getElementById('said').textContent.startsWith('Now playing b')", 5)
            shown = visit.run("document.getElementById('progress').getAttribute('aria-valuetext')")
            assert re.match(r"0:0\d of \d:\d\d, (bridge in \d:\d\d|the bridge is being composed)", shown)
            _keep_time(visit)
            # With the keyboard: the button is reached by tabs and pressed with enter.
            asked = visit.run("d2m.place()")
            visit.run("document.getElementById('skip').focus()")
            visit.page.keyboard.press("Enter")
            visit.until("document.getElementById('now').textContent.startsWith('Bridge into c')", 15)
            assert visit.run("d2m.place()") - asked < 9
        # The server is gone; what was fetched goes on sounding.
        place = visit.run("d2m.place()")
        visit.until("document.getElementById('said').textContent.includes('lost')", 10)
        visit.until("d2m.scheduled() === 0", 20)
        with station(folder, memory) as radio, serving(radio, port):
            assert radio.recalled
            visit.until("document.getElementById('said').textContent.includes('lost') === false", 20)
            visit.until(f"d2m.place() > {place} + 9", 40)
            _keep_time(visit)
        allowed = ("Failed to load resource: net::", "ERR_CONNECTION")
        assert [line for line in visit.complaints if not line.startswith(allowed)] == []


def _keep_time(visit) -> None:
    """Two seconds of sound take two seconds, and nothing stalls."""
    script = "new Promise(r => { const p = d2m.place(), t = performance.now(), s = d2m.stalls();"
    script += " setTimeout(() => r([d2m.place() - p, (performance.now() - t) / 1000, d2m.stalls() - s]), 2000); })"
    heard, passed, stalls = visit.run(script)
    assert heard == pytest.approx(passed, abs=0.25)
    assert stalls == 0


def _tab_through(visit) -> None:
    """The tab key reaches everything in the order of the page, and the focus can be seen."""
    visit.run("document.body.focus()")
    order = []
    for _ in range(5):
        visit.page.keyboard.press("Tab")
        order.append(visit.run("document.activeElement.id || document.activeElement.textContent"))
        assert visit.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert order == ["play", "skip", "volume", "wish", "Add to the queue"]
    names = "[...document.querySelectorAll('button, input')].every(e => e.textContent || e.labels?.length)"
    assert visit.run(names)
