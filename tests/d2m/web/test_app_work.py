"""The studio with real workers: music from a clip, files as on the command line, hostile files, deaths and restarts."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from clips import write_clip

from d2m.cli.main import main
from d2m.plans.files import read_plan
from d2m.web.app.server import AppServer
from d2m.web.app.settings import Limits, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE = 240.0


class Client:
    """A visitor who sends requests to a server."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.jar = http.cookiejar.CookieJar()
        self.open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar)).open

    def get(self, path: str) -> Any:
        return json.load(self.open(self.url + path))

    def read(self, path: str) -> bytes:
        return self.open(self.url + path).read()

    def post(self, path: str, content: Any = None) -> Any:
        body = b"" if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        return json.load(self.open(request))

    def upload(self, path: Path, name: str = "", make: dict[str, Any] | None = None) -> dict[str, Any]:
        query = f"?name={quote(name or path.name)}" + (f"&make={quote(json.dumps(make))}" if make else "")
        headers = {"Content-Type": "video/mp4"}
        request = urllib.request.Request(f"{self.url}/api/clips{query}", path.read_bytes(), headers)
        return json.load(self.open(request))

    def until(self, clip: dict[str, Any], done) -> dict[str, Any]:
        """The clip as soon as it is as wanted."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            shown = self.get(clip["urls"]["self"])
            if done(shown):
                return shown
            time.sleep(0.05)
        raise AssertionError(shown)

    def over(self, clip: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
        """A job as soon as it is over."""
        states = ("done", "failed", "cancelled", "interrupted")
        shown = self.until(clip, lambda each: next(j for j in each["jobs"] if j["id"] == job["id"])["state"] in states)
        return next(each for each in shown["jobs"] if each["id"] == job["id"])


@contextlib.contextmanager
def served(folder: Path, **limits: Any) -> Iterator[AppServer]:
    """A server with one worker that is ready."""
    with AppServer(Settings(folder, True, 1, limits=Limits(**limits)), port=0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        until_healthy(server.url)
        yield server
        server.shutdown()
        thread.join(60)


def until_healthy(url: str) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if json.load(urllib.request.urlopen(f"{url}health"))["status"] == "ok":
                return
        time.sleep(0.1)
    raise AssertionError("no worker became ready")


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory) -> Path:
    """Four seconds of pictures with a sound that beats at 120 a minute."""
    rate = 44100
    sound = np.zeros((1, 4 * rate), np.float32)
    for beat in range(8):
        at = round(beat * 0.5 * rate)
        sound[0, at : at + 2000] = 0.5 * np.sin(np.arange(2000) * 0.1)
    return write_clip(tmp_path_factory.mktemp("clip") / "my dance.mp4", duration=4.0, rate=20, sound=sound)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[AppServer]:
    with served(tmp_path_factory.mktemp("studio"), seconds=30.0, pixels=1_000_000) as server:
        yield server


@pytest.fixture(scope="module")
def made(server, clip_file) -> tuple[Client, dict[str, Any]]:
    """A visitor with a clip and two candidates."""
    client = Client(server.url)
    options = {"genre": "house", "tempo": 120.0, "seed": 1}
    clip = client.upload(clip_file, make={"kind": "compose", "count": 2, "options": options})
    job = client.over(clip, clip["jobs"][1])
    assert job["state"] == "done", job["message"]
    return client, client.get(clip["urls"]["self"])


def test_candidates_have_sound_stems_and_a_plan_that_gives_the_same_on_the_command_line(made, clip_file, tmp_path):
    client, clip = made
    assert sorted(piece["rank"] for piece in clip["pieces"]) == [1, 2]
    assert [piece["seed"] for piece in clip["pieces"]] == [1, 2]
    analysis = client.get(clip["urls"]["analysis"])
    landmarks = client.read(clip["urls"]["landmarks"])
    about = analysis["landmarks"]
    assert len(landmarks) == 4 * about["people"] * about["frames"] * 33 * 3
    assert client.read(clip["urls"]["click"])[:4] == b"RIFF"
    piece = clip["pieces"][0]
    (tmp_path / "plan.toml").write_bytes(client.read(piece["toml"]))
    job = client.post(f"{clip['urls']['self']}/jobs", {
        "kind": "export", "piece": piece["id"], "options": {"stems": True, "markers": True},
    })  # fmt: skip
    assert client.over(clip, job)["state"] == "done"
    piece = client.get(f"{clip['urls']['self']}/pieces/{piece['id']}")
    command = ["generate", str(clip_file), "-o", str(tmp_path), "--plan", str(tmp_path / "plan.toml")]
    assert main([*command, "--stems", "--markers"]) == 0
    for kind, file in piece["files"].items():
        if kind not in ("json", "plan", "zip"):
            assert client.read(file["url"]) == (tmp_path / file["name"]).read_bytes(), kind
    ours, theirs = (
        json.loads(client.read(piece["files"]["json"]["url"])),
        json.loads((tmp_path / piece["files"]["json"]["name"]).read_text()),
    )
    for report in (ours, theirs):
        del report["seconds"]
    # By this key of video and options, --skip-existing knows the result.
    del theirs["unit"]
    assert ours == theirs
    # What is heard on the page is what is written.
    assert client.read(piece["sound"]) == client.read(piece["files"]["wav"]["url"])
    for channel, url in piece["stems"].items():
        assert client.read(url) == client.read(piece["files"][f"stem {channel}"]["url"])
    assert client.read(piece["midi"]) == client.read(piece["files"]["mid"]["url"])


def test_a_changed_section_alone_is_played_again(made):
    client, clip = made
    piece = clip["pieces"][0]
    plan = client.get(piece["plan"])
    lines = [plan["tempo"]["beats"][index] for index in plan["tempo"]["downbeats"]]
    line = min(lines, key=lambda time: abs(time - 2.0))
    (section,) = plan["section"]
    plan["section"] = [section | {"end": line}, section | {"start": line, "seed": 1}]
    url = f"{clip['urls']['self']}/jobs"
    first = client.over(clip, client.post(url, {"kind": "play", "plan": plan, "base": piece["id"]}))
    assert (first["state"], first["reused"]) == ("done", [False, False])
    plan["section"][1]["mood"] = "bright:0.3"
    second = client.over(clip, client.post(url, {"kind": "play", "plan": plan, "base": first["pieces"][0]}))
    assert (second["state"], second["reused"]) == ("done", [True, False])
    again = client.over(clip, client.post(url, {"kind": "play", "plan": plan}))
    assert again["reused"] == [True, True]
    sounds = [client.read(f"{clip['urls']['self']}/pieces/{job['pieces'][0]}/sound.wav") for job in (second, again)]
    assert sounds[0] == sounds[1]
    fresh = client.get(f"{clip['urls']['self']}/pieces/{second['pieces'][0]}")
    assert fresh["base"] == first["pieces"][0]
    assert [each["mood"] for each in fresh["sections"]] == ["", "bright:0.3"]


def test_files_that_are_no_videos_fail_with_one_line_and_leave_the_worker_alive(server, clip_file, tmp_path):
    whole = clip_file.read_bytes()
    large = write_clip(tmp_path / "large.mp4", duration=1.0, size=(1280, 960))
    long = write_clip(tmp_path / "long.mp4", duration=31.0, rate=2, size=(64, 48))
    cases = {
        "cut.mp4": (whole[: len(whole) // 3], "cut.mp4"),
        "zeros.mp4": (whole[:40] + bytes(len(whole)), "zeros.mp4"),
        "large.mp4": (large.read_bytes(), "pixels"),
        "long.mp4": (long.read_bytes(), "31 s"),
        "noise.webm": (b"\x1aE\xdf\xa3" + np.random.default_rng(1).bytes(20_000), "noise.webm"),
        "playlist.mp4": (b"\x00\x00\x00\x18ftypmp42" + b"#EXTM3U\nfile:///etc/passwd\n" * 40, "playlist.mp4"),
    }
    client = Client(server.url)
    alive = server._inner.studio.pool.workers[0].process.pid
    for name, (content, word) in cases.items():
        path = tmp_path / f"sent {name}"
        path.write_bytes(content)
        clip = client.upload(path, name)
        shown = client.until(clip, lambda each: each["state"] in ("failed", "ready"))
        assert shown["state"] == "failed", name
        assert word in shown["message"]
        assert "\n" not in shown["message"]
        assert str(server.settings.folder) not in shown["message"]
        client.open(urllib.request.Request(f"{client.url}{clip['urls']['self']}", method="DELETE"))
    assert server._inner.studio.pool.workers[0].process.pid == alive


def test_a_killed_worker_is_replaced_and_its_job_runs_again(server, clip_file):
    client = Client(server.url)
    clip = client.upload(clip_file)
    client.until(clip, lambda each: each["jobs"][0]["stage"] in ("watch", "beats"))
    os.kill(server._inner.studio.pool.workers[0].process.pid, signal.SIGKILL)
    job = client.over(clip, clip["jobs"][0])
    assert (job["state"], job["retry"]) == ("interrupted", True)
    client.post(f"{job['url']}/retry")
    assert client.until(clip, lambda each: each["state"] in ("ready", "failed"))["state"] == "ready"


def test_a_cancelled_job_stops_within_seconds(server, clip_file):
    client = Client(server.url)
    clip = client.upload(clip_file)
    client.until(clip, lambda each: each["jobs"][0]["stage"] == "watch" or each["state"] == "ready")
    with contextlib.suppress(urllib.error.HTTPError):
        client.open(urllib.request.Request(f"{client.url}{clip['jobs'][0]['url']}", method="DELETE"))
    began = time.monotonic()
    while server._inner.studio.pool.busy() and time.monotonic() - began < 20:
        time.sleep(0.05)
    assert time.monotonic() - began < 15


def test_a_killed_server_leaves_no_process_and_its_jobs_run_again_after_a_restart(tmp_path, clip_file, request):
    def start(port: int = 0) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-P", "-m", "d2m", "app", "--port", str(port), "--workers", "1"]
        process = subprocess.Popen([*command, "--folder", str(tmp_path / "studio")], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        url = process.stdout.readline().split(" at ")[1].partition(";")[0]
        request.addfinalizer(lambda: process.poll() is None and process.kill())
        until_healthy(url)
        return process, url

    process, url = start()
    client = Client(url)
    clip = client.upload(clip_file, make={"kind": "compose", "count": 1})
    client.until(clip, lambda each: each["jobs"][0]["stage"] == "watch" or each["state"] == "ready")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{child}/exe").exists() for child in children) and time.monotonic() < end:
        time.sleep(0.05)
    assert not [child for child in children if Path(f"/proc/{child}/exe").exists()]
    process, again = start(int(url.rstrip("/").rpartition(":")[2]))
    try:
        assert again == url
        shown = client.get(clip["urls"]["self"])
        states = {job["kind"]: job["state"] for job in shown["jobs"]}
        assert "interrupted" in states.values()
        wanted = shown["jobs"][1]
        assert "restarted" in wanted["message"]
        client.post(f"{wanted['url']}/retry")
        job = client.over(clip, wanted)
        assert job["state"] == "done", job["message"]
        assert len(client.get(clip["urls"]["self"])["pieces"]) == 1
        assert read_plan(next((tmp_path / "studio").rglob("plan.toml"))).sections
    finally:
        process.terminate()
        assert process.wait(60) == 143
