"""A studio whose workers do what a test says, and helpers for requests to it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from d2m.web.app.application import Application, build
from d2m.web.app.pieces import TRACK_OF
from d2m.web.app.pool import Pool
from d2m.web.app.settings import Limits, Settings

#: Beginning of an mp4 file, which is all that the server looks at.
MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(2000)
#: A plan of 8 seconds with two sections that meet at a bar line.
PLAN: dict[str, Any] = {
    "version": 1,
    "duration": 8.0,
    "section": [
        {"start": 0.0, "end": 4.0, "genre": "house"},
        {"start": 4.0, "end": 8.0, "genre": "house", "seed": 3},
    ],
    "tempo": {
        "bpm": 120.0,
        "beats": [i / 2 for i in range(17)],
        "downbeats": [0, 4, 8, 12, 16],
        "energy": [0.5] * 17,
    },
}


class Actor:
    """A worker that does nothing by itself."""

    def __init__(self, number: int, heard: Any) -> None:
        self.number, self._heard = number, heard
        self.task: dict[str, Any] | None = None
        self.clip, self.ready, self.reason, self.tasks, self.base = "", True, "", 0, 0
        self.began = self.allowed = 0.0
        self.done: list[dict[str, Any]] = []

    @property
    def idle(self) -> bool:
        return self.task is None and not self.reason

    def start(self, task: dict[str, Any], allowed: float) -> None:
        self.task, self.clip, self.began, self.allowed = task, task["clip"], time.monotonic(), allowed
        self.done.append(task)

    def cancel(self) -> None:
        self._heard(self, {"type": "end", "state": "cancelled"})

    def kill(self, reason: str) -> None:
        self.reason = reason

    def memory(self) -> int:
        return 0


@dataclass
class Stage:
    """A studio on a stage.

    Attributes:
        client: sends requests as one visitor.
        app: the application.
        actors: the workers.
    """

    client: TestClient
    app: Application
    actors: list[Actor]

    def visitor(self) -> TestClient:
        """Another visitor."""
        other = TestClient(self.app, base_url="http://127.0.0.1")
        other.portal = self.client.portal
        return other

    def say(self, actor: Actor, kind: str, **content: Any) -> None:
        """Let a worker say something."""
        assert self.client.portal is not None
        self.client.portal.call(actor._heard, actor, {"type": kind, **content})

    def busy(self) -> Actor:
        """The first worker that has a task."""
        return next(actor for actor in self.actors if actor.task is not None)

    def watched(self, clip: dict[str, Any]) -> dict[str, Any]:
        """Let the clip be watched; what the API shows of it."""
        actor = next(a for a in self.actors if a.task and a.task["clip"] == clip["id"] and a.task["kind"] == "watch")
        about = {"duration": 8.0, "width": 64, "height": 48, "fps": 30.0, "rotation": 0, "codec": "h264", "sound": True}
        self.say(actor, "video", video=about)
        Path(actor.task["folder"], "analysis.json").write_text("{}")  # type: ignore[index]
        self.say(actor, "end", state="done")
        return self.client.get(clip["urls"]["self"]).json()

    def piece(self, actor: Actor, number: int = 1, stems: bool = True) -> str:
        """Let a worker write a piece; its name."""
        assert actor.task is not None
        name = f"p_{number}"
        base = f"{actor.task['base']}/pieces/{name}"
        folder = Path(actor.task["folder"]) / "pieces" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "sound.wav").write_bytes(b"RIFF" + bytes(range(100)))
        (folder / "plan.toml").write_text('version = 1\nduration = 8.0\n[[section]]\ngenre = "house"\n')
        piece = {
            "id": name, "job": actor.task["job"], "number": number, "created": time.time(), "seed": number - 1,
            "genre": "house", "key": "A:min", "tempo": 120.0, "fit": 0.5, "instruments": [], "duration": 8.0,
            "reused": [False], "sections": [], "hits": [], "peaks": [0.0], "sound": f"{base}/sound.wav",
            "stems": {"bass": f"{base}/stem.bass.wav"} if stems else None, "tracks": TRACK_OF, "midi": None,
            "plan": f"{base}/plan", "toml": f"{base}/plan.toml",
        }  # fmt: skip
        (folder / "piece.json").write_text(json.dumps(piece))
        self.say(actor, "piece", piece=piece)
        return name


@contextlib.contextmanager
def staged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, workers: int = 2, token: str = "", keep: bool = True, **limits: Any
) -> Iterator[Stage]:
    """A studio in a folder, with workers that do what the test says."""
    actors: list[Actor] = []

    def start(self: Pool) -> None:
        self._open = True
        actors.extend(Actor(number, self._heard) for number in range(self.count))
        self.workers.extend(actors)  # type: ignore[arg-type]

    async def close(self: Pool) -> None:
        self._open = False

    monkeypatch.setattr(Pool, "open", start)
    monkeypatch.setattr(Pool, "close", close)
    monkeypatch.setattr(Pool, "_start", lambda self, number: self.workers.append(Actor(number, self._heard)))
    app = build(Settings(folder, keep, workers, token, Limits(**limits)))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield Stage(client, app, actors)


def upload(client: TestClient, name: str = "dance.mp4", content: bytes = MP4, **query: str) -> dict[str, Any]:
    """Upload a clip; what the API shows of it."""
    headers = {"Content-Type": "video/mp4"}
    answer = client.post("/api/clips", params={"name": name, **query}, content=content, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()
