"""Records of the API: clips, jobs and pieces, as they are sent as JSON and stored on disk."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

JobKind = Literal["watch", "compose", "play", "export", "proxy"]
JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
#: States of jobs that are over.
OVER = ("done", "failed", "cancelled", "interrupted")


class Record(BaseModel):
    """Record whose unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Where(Record):
    """Part of a plan that an error is about."""

    table: str = ""
    index: int | None = None
    key: str = ""


class VideoInfo(Record):
    """Properties of the video of a clip; width and height as shown."""

    duration: float
    width: int
    height: int
    fps: float
    rotation: int
    codec: str
    sound: bool


class ExportOptions(Record):
    """Options of the files of a piece, as of ``d2m generate``."""

    video: bool = True
    stems: bool = False
    markers: bool = False
    keep_audio: Literal["", "voice", "all"] = ""
    audio_level: float = Field(default=0.0, ge=-40, le=20)
    reencode: bool = False
    crf: int = Field(default=20, ge=0, le=51)


class ComposeOptions(Record):
    """Options of the music, as of ``d2m generate``."""

    genre: str | None = Field(default=None, max_length=500)
    seed: int = Field(default=0, ge=0, lt=2**63)
    mood: str | None = Field(default=None, max_length=500)
    key: str | None = Field(default=None, max_length=20)
    tempo: str | float | None = None
    beats: str | float = "auto"
    offset: float = 0.0
    downbeat: float | None = None
    scenes: Literal["auto", "off"] = "auto"
    begin: float = 0.0
    end: float | None = None
    length: float | None = None
    loop: bool = False
    fade_in: float = 0.0
    fade_out: float = 0.0
    without: str | None = Field(default=None, max_length=200)
    solo: str | None = Field(default=None, max_length=200)
    instruments: str | None = Field(default=None, max_length=500)
    mix: str | None = Field(default=None, max_length=200)
    arranger: str | None = Field(default=None, max_length=100)


class ComposeWish(Record):
    """Make candidates with seeds that count up."""

    kind: Literal["compose"]
    count: int = Field(default=1, ge=1)
    options: ComposeOptions = Field(default_factory=lambda: ComposeOptions())


class PlayWish(Record):
    """Play a plan: JSON with the structure of the TOML file, or its text."""

    kind: Literal["play"]
    plan: dict[str, Any] | str
    base: str | None = Field(default=None, max_length=64)


class ExportWish(Record):
    """Write the files of a piece."""

    kind: Literal["export"]
    piece: str = Field(max_length=64)
    options: ExportOptions = Field(default_factory=lambda: ExportOptions())


class ProxyWish(Record):
    """Make an H.264 copy of the clip for browsers that cannot play the original."""

    kind: Literal["proxy"]


Wish = ComposeWish | PlayWish | ExportWish | ProxyWish


class Job(Record):
    """A job; docs/app.md tells its states."""

    id: str
    kind: JobKind
    state: JobState = "queued"
    stage: str = ""
    share: float = 0.0
    place: int | None = None
    wait: float | None = None
    left: float | None = None
    created: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    message: str = ""
    retry: bool = False
    tries: int = 0
    wish: dict[str, Any] = Field(default_factory=dict)
    pieces: list[str] = Field(default_factory=list)
    reused: list[bool] = Field(default_factory=list)
    url: str = ""


class FileInfo(Record):
    """A file of a piece that can be downloaded."""

    url: str
    name: str
    bytes: int


class Piece(Record):
    """A piece of music for a clip."""

    id: str
    base: str | None = None
    job: str
    number: int
    rank: int | None = None
    created: float
    seed: int
    genre: str
    key: str | None
    tempo: float
    fit: float
    variety: float | None = None
    instruments: list[str]
    duration: float
    reused: list[bool]
    sections: list[dict[str, Any]]
    hits: list[dict[str, Any]]
    peaks: list[float]
    sound: str
    stems: dict[str, str] | None = None
    tracks: dict[str, str]
    midi: str | None
    plan: str
    toml: str
    files: dict[str, FileInfo] = Field(default_factory=dict)


class Clip(Record):
    """A clip with its jobs and pieces."""

    id: str
    name: str
    bytes: int
    created: float
    expires: float
    state: Literal["queued", "watching", "ready", "failed"]
    message: str = ""
    video: VideoInfo | None = None
    urls: dict[str, str | None]
    jobs: list[Job]
    pieces: list[Piece]
