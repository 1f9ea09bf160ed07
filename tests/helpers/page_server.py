"""A small server that answers as the studio's server does, so that its page can be tested without making music.

It follows the routes of ``d2m app``: jobs advance by themselves in steps, and pieces are made of test tones. Where
``ramp`` is set, the sum of every piece rises evenly from -0.5 to 0.5, so that a sample says where in the piece it lies.
"""

from __future__ import annotations

import contextlib
import copy
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from page_music import LIMITS, OPTIONS, RATE, TRACKS, plan_of, wav

import d2m

PAGE = Path(d2m.__file__).parent / "web" / "page"
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'"
)
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
OVER = ("done", "failed", "cancelled", "interrupted")


class FakeStudio:
    """State of the server: clips, jobs and pieces."""

    def __init__(self, video: Path, duration: float, *, step: float = 0.03, ramp: bool = False) -> None:
        self.video, self.duration, self.step, self.ramp = video, duration, step, ramp
        self.lock = threading.RLock()
        self.clips: dict[str, dict[str, Any]] = {}
        self.plans: dict[str, dict[str, Any]] = {}
        self.wishes: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.failures: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self.count = 0

    def number(self, letter: str) -> str:
        self.count += 1
        return f"{letter}_{self.count}"

    def clip(self, name: str, size: int, make: dict[str, Any] | None) -> dict[str, Any]:
        now = time.time()
        key = self.number("c")
        root = f"/api/clips/{key}"
        clip = {"id": key, "name": name, "bytes": size, "created": now, "expires": now + 3600, "state": "queued"}
        clip |= {"message": "", "video": None, "jobs": [], "pieces": []}
        names = ("events", "video")
        clip["urls"] = {"self": root, **{each: f"{root}/{each}" for each in names}}
        clip["urls"] |= {"proxy": None, "analysis": None, "landmarks": None, "click": None}
        with self.lock:
            self.clips[key] = clip
            self.job(clip, {"kind": "watch"})
            if make:
                self.job(clip, make)
        return clip

    def job(self, clip: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
        key = self.number("j")
        job = {"id": key, "kind": wish["kind"], "state": "queued", "stage": "open", "share": 0.0, "place": 1}
        job |= {"wait": 1.0, "left": 3.0, "created": time.time(), "started": 0.0, "ended": 0.0, "message": ""}
        job |= {"retry": False, "wish": wish, "pieces": [], "reused": []}
        job["url"] = f"{clip['urls']['self']}/jobs/{key}"
        with self.lock:
            clip["jobs"].append(job)
            self.wishes.append(wish)
        threading.Thread(target=self._work, args=(clip, job), daemon=True).start()
        return job

    def _work(self, clip: dict[str, Any], job: dict[str, Any]) -> None:
        while any(each["state"] not in OVER for each in clip["jobs"][: clip["jobs"].index(job)]):
            time.sleep(0.005)
        kind = job["kind"]
        if job["state"] in OVER:
            return
        job |= {"state": "running", "place": 0, "stage": "watch" if kind == "watch" else "compose"}
        if kind == "watch":
            clip["state"] = "watching"
            clip["video"] = {"duration": self.duration, "width": 640, "height": 360, "fps": 30.0, "rotation": 0}
            clip["video"] |= {"codec": "h264", "sound": True}
        count = job["wish"].get("count", 1)
        for index in range(count):
            for part in range(4):
                time.sleep(self.step)
                self.hold.wait()
                if job["state"] == "cancelled":
                    return
                job |= {"share": (index + part / 4) / count, "left": 1.0}
            with self.lock:
                self._finish_part(clip, job, index)
        if self.failures and kind != "watch":
            job |= {"state": "failed", "message": self.failures.pop(), "retry": True, "place": None}
            return
        with self.lock:
            for rank, key in enumerate(job["pieces"], 1):
                if kind == "compose":
                    self.piece(clip, key)["rank"] = rank
            job |= {"state": "done", "share": 1.0, "place": None, "left": None}

    def _finish_part(self, clip: dict[str, Any], job: dict[str, Any], index: int) -> None:
        kind, wish = job["kind"], job["wish"]
        if self.failures and kind != "watch":
            return
        if kind == "watch":
            clip["state"] = "ready"
            clip["urls"] |= {name: f"{clip['urls']['self']}/{name}" for name in ("analysis", "landmarks")}
        elif kind == "compose":
            options = wish.get("options", {})
            seed = options.get("seed", 0) + index
            self._add(clip, job, plan_of(self.duration, seed, options), None)
        elif kind == "play":
            base = self.piece(clip, wish["base"])
            reused = [each in self.plans[base["id"]]["section"] for each in wish["plan"]["section"]]
            job["reused"] = reused
            self._add(clip, job, wish["plan"], base["id"])
        elif kind == "export":
            piece = self.piece(clip, wish["piece"])
            address = f"{clip['urls']['self']}/pieces/{piece['id']}/clip.mp4"
            piece["files"] = {"mp4": {"url": address, "name": "dance.d2m.mp4", "bytes": self.video.stat().st_size}}
        elif kind == "proxy":
            clip["urls"]["proxy"] = f"{clip['urls']['self']}/proxy"

    def _add(self, clip: dict[str, Any], job: dict[str, Any], plan: dict[str, Any], base: str | None) -> None:
        key = self.number("p")
        root = f"{clip['urls']['self']}/pieces/{key}"
        seed = plan["section"][0]["seed"]
        piece = {"id": key, "base": base, "job": job["id"], "number": len(clip["pieces"]) + 1, "rank": None}
        piece |= {"created": time.time(), "seed": seed, "genre": plan["section"][0]["genre"], "key": "A:min"}
        piece |= {"tempo": 120.0, "fit": 0.4, "variety": 1.0, "instruments": [], "duration": self.duration}
        sections = [{**each, "key": "A:min"} for each in plan["section"]]
        piece |= {"reused": job["reused"] or [False] * len(sections), "sections": sections, "hits": plan.get("hit", [])}
        piece["peaks"] = [round(abs(float(np.sin(n / (7 + seed)))), 3) for n in range(400)]
        piece["sound"] = f"{root}/sound.wav"
        out = plan.get("mix", {}).get("without", [])
        piece["stems"] = {name: f"{root}/stem.{name}.wav" for name, track in TRACKS.items() if track not in out}
        piece |= {"tracks": TRACKS, "midi": f"{root}/notes.mid", "plan": f"{root}/plan", "toml": f"{root}/plan.toml"}
        piece["files"] = {}
        self.plans[key] = plan
        clip["pieces"].append(piece)
        job["pieces"].append(key)

    def piece(self, clip: dict[str, Any], key: str) -> dict[str, Any]:
        return next(each for each in clip["pieces"] if each["id"] == key)

    def sound(self, key: str, name: str) -> bytes:
        """The sum of a piece (``sound.wav``), or one of its channels."""
        times = np.arange(round(self.duration * RATE)) / RATE
        if name == "sound.wav" and self.ramp:
            return wav(times / self.duration - 0.5)
        channel = name.split(".")[1] if name.startswith("stem") else ""
        pitches = {"kick": 110.0, "bass": 220.0, "keys": 440.0}
        chosen = [channel] if channel in pitches else list(pitches)
        return wav(sum(0.2 * np.sin(2 * np.pi * pitches[each] * times) for each in chosen))  # type: ignore[arg-type]

    def landmarks(self) -> bytes:
        """A figure that sways in the middle of the picture: 33 joints on an ellipse."""
        frames = round(self.duration * 30)
        angle = np.linspace(0, 2 * np.pi, 33)
        sway = 0.05 * np.sin(np.arange(frames) / 8)
        out = np.ones((1, frames, 33, 3), "<f4")
        out[0, :, :, 0] = 0.5 + sway[:, None] + 0.1 * np.cos(angle)
        out[0, :, :, 1] = 0.5 + 0.35 * np.sin(angle)
        return out.tobytes()

    def analysis(self, clip: dict[str, Any]) -> dict[str, Any]:
        frames = round(self.duration * 30)
        shape = {"url": clip["urls"]["landmarks"], "people": 1, "frames": frames, "fps": 30.0, "joints": 33}
        beats = [{"time": n / 2, "strength": 0.5, "energy": 0.5, "downbeat": n % 4 == 0} for n in range(20)]
        found = {"duration": self.duration, "width": 640, "height": 360, "fps": 30.0, "landmarks": shape}
        found |= {"bones": [[11, 12], [11, 13], [13, 15]], "tempo": 120.0, "beats_per_bar": 4, "source": "dance"}
        found |= {"confidence": 0.7, "forgiving": False, "beats": beats, "motion_beats": [], "energy": []}
        return found | {"cuts": [3.1], "dissolves": [], "sections": [], "hits": [], "genre": "house", "notes": []}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def _send(self, data: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(data)

    def _json(self, value: object, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _fault(self, status: int, code: str, message: str, **more: object) -> None:
        self._json({"error": {"message": message, "code": code, **more}}, status)

    def _ranged(self, data: bytes, kind: str) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not asked:
            return self._send(data, kind, Accept_Ranges="bytes")
        first, last = int(asked[1]), int(asked[2] or len(data) - 1)
        where = f"bytes {first}-{last}/{len(data)}"
        return self._send(data[first : last + 1], kind, 206, Accept_Ranges="bytes", Content_Range=where)

    def do_GET(self) -> None:
        studio = self.server.studio
        path = unquote(urlsplit(self.path).path)
        studio.requests.append(path)
        if path == "/" or re.fullmatch(r"/[\w-]+\.\w+", path):
            file = PAGE / (path[1:] or "index.html")
            return self._send(file.read_bytes(), TYPES[file.suffix]) if file.is_file() else self.send_error(404)
        if path == "/api/options":
            return self._json(OPTIONS)
        if path == "/api/session":
            clips = list(studio.clips.values())[::-1]
            return self._json({"clips": clips, "limits": LIMITS, "expires": time.time() + 3600, "queue": {}})
        if path == "/api/examples":
            return self._json([{"id": "house", "title": "House", "duration": studio.duration}])
        match = re.match(r"/api/clips/(\w+)(?:/(.*))?$", path)
        clip = studio.clips.get(match[1]) if match else None
        if clip is None:
            return self._fault(404, "not_found", "there is no such clip; send it again")
        return self._of_clip(clip, (match and match[2]) or "")

    def _of_clip(self, clip: dict[str, Any], rest: str) -> None:
        studio = self.server.studio
        if rest == "":
            return self._json(clip)
        if rest == "events":
            return self._events(clip)
        if rest in ("video", "proxy"):
            return self._ranged(studio.video.read_bytes(), "video/mp4")
        if rest == "analysis":
            return self._json(studio.analysis(clip))
        if rest == "landmarks":
            return self._send(studio.landmarks(), "application/octet-stream")
        _, key, name = rest.split("/")
        if name == "plan":
            return self._json(studio.plans[key])
        if name.endswith(".wav"):
            return self._ranged(studio.sound(key, name), "audio/wav")
        if name == "clip.mp4":
            headers = {"Content_Disposition": 'attachment; filename="dance.d2m.mp4"'}
            return self._send(studio.video.read_bytes(), "video/mp4", **headers)
        return self._send(b"content", "application/octet-stream", Content_Disposition="attachment")

    def _events(self, clip: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        studio, before = self.server.studio, ""
        with contextlib.suppress(OSError):
            while not self.server.closing and clip["id"] in studio.clips:
                with studio.lock:
                    now = json.dumps(clip)
                if now != before:
                    self.wfile.write(f"event: clip\ndata: {now}\n\n".encode())
                    self.wfile.flush()
                    before = now
                time.sleep(0.02)
            self.wfile.write(b"event: gone\ndata: {}\n\n")

    def do_POST(self) -> None:
        studio = self.server.studio
        if self.server.closing:
            self.close_connection = True
            return None
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        asked = parse_qs(address.query)
        if address.path == "/api/clips":
            make = json.loads(asked["make"][0]) if "make" in asked else None
            return self._json(studio.clip(asked["name"][0], len(body), make), 201)
        if address.path.startswith("/api/examples/"):
            return self._json(studio.clip("house.mp4", 1, None), 201)
        match = re.match(r"/api/clips/(\w+)/jobs(?:/(\w+)/retry)?$", address.path)
        clip = studio.clips[match[1]] if match else {}
        if match and match[2]:
            old = next(job for job in clip["jobs"] if job["id"] == match[2])
            old |= {"state": "queued", "message": "", "retry": False}
            threading.Thread(target=studio._work, args=(clip, old), daemon=True).start()
            return self._json(old, 202)
        wish = json.loads(body)
        for index, section in enumerate(wish.get("plan", {}).get("section", [])):
            if section["seed"] == 666:
                where = {"table": "section", "index": index, "key": "seed"}
                return self._fault(422, "invalid", f"section {index + 1}, seed: 666 is not usable", **where)
        return self._json(copy.deepcopy(studio.job(clip, wish)), 202)

    def do_DELETE(self) -> None:
        studio = self.server.studio
        path = urlsplit(self.path).path
        match = re.match(r"/api/clips/(\w+)(?:/(jobs|pieces)/(\w+))?$", path)
        if path == "/api/session":
            studio.clips.clear()
        elif match and match[2] == "jobs":
            job = next(each for each in studio.clips[match[1]]["jobs"] if each["id"] == match[3])
            job |= {"state": "cancelled", "place": None, "retry": True}
            return self._json(job)
        elif match and match[2] == "pieces":
            clip = studio.clips[match[1]]
            clip["pieces"] = [each for each in clip["pieces"] if each["id"] != match[3]]
        elif match:
            studio.clips.pop(match[1], None)
        self.send_response(204)
        self.end_headers()
        return None


class Server(ThreadingHTTPServer):
    """The server on a free port of this machine."""

    daemon_threads = True

    def __init__(self, studio: FakeStudio) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.studio, self.closing = studio, False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


@contextlib.contextmanager
def serving(studio: FakeStudio) -> Iterator[Server]:
    """Serve until the block ends."""
    with Server(studio) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield server
        finally:
            server.closing = True
            server.shutdown()
