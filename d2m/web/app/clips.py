"""Clips and visitors as the server knows them."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from d2m.errors import D2MError
from d2m.web.app.records import OVER, Clip, Job, Piece, VideoInfo
from d2m.web.app.store import Disk, write_clip

#: Length in seconds that is assumed of a clip that was not opened yet.
UNKNOWN = 10.0


@dataclass
class ClipState:
    """A clip with its jobs and pieces.

    Attributes:
        visitor: name of its visitor.
        id, name: of the clip; the name is that of the file.
        folder: its folder.
        bytes: size of the file.
        created: seconds since 1970.
        jobs, pieces: by their names, in their order.
        tag: start tag and number of the job that watches it (:mod:`d2m.web.app.queue`).
        gone: whether it was removed.
    """

    visitor: str
    id: str
    name: str
    folder: Path
    bytes: int
    created: float
    state: str = "queued"
    message: str = ""
    video: dict[str, Any] | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    pieces: dict[str, Piece] = field(default_factory=dict)
    tag: tuple[float, int] = (0.0, 0)
    gone: bool = False
    listeners: set[asyncio.Event] = field(default_factory=set)

    @property
    def base(self) -> str:
        """Address of the clip."""
        return f"/api/clips/{self.id}"

    @property
    def source(self) -> Path:
        """The uploaded file."""
        return self.folder / "source" / self.name

    @property
    def seconds(self) -> float:
        """Length in seconds, or a guess."""
        return float(self.video["duration"]) if self.video else UNKNOWN

    @property
    def ready(self) -> bool:
        """Whether it was watched."""
        return self.state == "ready"

    @property
    def watching(self) -> Job:
        """The job that watches it."""
        return next(job for job in self.jobs.values() if job.kind == "watch")

    def open_jobs(self) -> list[Job]:
        """Return the jobs that wait or run."""
        return [job for job in self.jobs.values() if job.state not in OVER]

    def changed(self) -> None:
        """Wake up who listens."""
        for event in self.listeners:
            event.set()

    def save(self) -> None:
        """Write what a restart needs."""
        names = ("id", "name", "bytes", "created", "state", "message", "video")
        record = {name: getattr(self, name) for name in names}
        jobs = [job.model_dump(exclude={"place", "wait", "left", "url"}) for job in self.jobs.values()]
        # Where the disk is full the clip is there until a restart.
        with contextlib.suppress(D2MError):
            write_clip(self.folder, record | {"jobs": jobs})

    def take_ranking(self, job: Job, ranking: list[dict[str, Any]]) -> None:
        """Note the ranking of the candidates of a job.

        Args:
            job: the job.
            ranking: ``seed``, ``rank`` and ``variety`` of each candidate.
        """
        by_seed = {ranked["seed"]: ranked for ranked in ranking}
        for piece in (self.pieces[name] for name in job.pieces if name in self.pieces):
            if piece.seed in by_seed:
                piece.rank, piece.variety = by_seed[piece.seed]["rank"], by_seed[piece.seed]["variety"]

    def shown(self, expires: float) -> Clip:
        """Return the clip as the API shows it.

        Args:
            expires: seconds since 1970 at which it is removed.
        """
        base = self.base
        proxy = any(job.kind == "proxy" and job.state == "done" for job in self.jobs.values())
        urls = {"self": base, "events": f"{base}/events", "video": f"{base}/video"}
        urls["proxy"] = f"{base}/proxy" if proxy else None  # type: ignore[assignment]
        for name in ("analysis", "landmarks"):
            urls[name] = f"{base}/{name}" if self.ready else None  # type: ignore[assignment]
        urls["click"] = f"{base}/click.wav" if self.ready else None  # type: ignore[assignment]
        return Clip(
            id=self.id,
            name=self.name,
            bytes=self.bytes,
            created=self.created,
            expires=expires,
            state=self.state,  # type: ignore[arg-type]
            message=self.message,
            video=VideoInfo(**self.video) if self.video else None,
            urls=dict(urls),
            jobs=[job.model_copy(update={"url": f"{base}/jobs/{job.id}"}) for job in self.jobs.values()],
            pieces=list(self.pieces.values()),
        )


@dataclass
class Visitor:
    """A visitor.

    Attributes:
        name: hash of the cookie.
        seen: seconds since 1970 of the last request.
        addresses: from which the visitor came.
        clips: by their names, in their order.
        streams: open streams of events.
        arriving: clips whose files are arriving.
    """

    name: str
    seen: float = field(default_factory=time.time)
    addresses: set[str] = field(default_factory=set)
    clips: dict[str, ClipState] = field(default_factory=dict)
    streams: int = 0
    arriving: int = 0

    @contextlib.contextmanager
    def adding(self) -> Iterator[None]:
        """Count a clip that is arriving."""
        self.arriving += 1
        try:
            yield
        finally:
            self.arriving -= 1

    def open_jobs(self) -> list[Job]:
        """Return the jobs that wait or run."""
        return [job for clip in self.clips.values() for job in clip.open_jobs()]


class Arrivals:
    """Clips that came from each address within an hour.

    Args:
        most: clips that may come from one address.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._times: dict[str, list[float]] = {}

    def another(self, address: str) -> bool:
        """Tell whether another clip may come from an address, and count it.

        Args:
            address: the address.
        """
        hour = time.monotonic() - 3600
        self._times = {name: times for name, times in self._times.items() if times[-1] > hour}
        times = [when for when in self._times.get(address, []) if when > hour]
        if len(times) >= self.most:
            return False
        self._times[address] = [*times, time.monotonic()]
        return True


def new_id(kind: str) -> str:
    """Return a name that nobody can guess.

    Args:
        kind: letter that it begins with.
    """
    return f"{kind}_{secrets.token_urlsafe(16)}"


def read_clip(visitor: str, folder: Path, record: dict[str, Any]) -> ClipState:
    """Return a clip of an earlier run; jobs that were not over are interrupted.

    Args:
        visitor: name of the visitor.
        folder: folder of the clip.
        record: as stored.

    Raises:
        ValueError: if the record is not one of this version.
        KeyError, TypeError: likewise.
    """
    clip = ClipState(
        visitor, str(record["id"]), str(record["name"]), folder, int(record["bytes"]), float(record["created"])
    )
    if clip.id != folder.name or not clip.source.is_file():
        raise ValueError(clip.id)
    clip.state, clip.message, clip.video = str(record["state"]), str(record["message"]), record["video"]
    for each in record["jobs"]:
        job = Job(**each)
        if job.state not in OVER:
            job.state, job.retry, job.ended = "interrupted", True, time.time()
            job.message = "the server was restarted; run the job again, it goes on with what is there"
        clip.jobs[job.id] = job
    if clip.state == "watching":
        clip.state = "queued"
    for each in record["pieces"]:
        piece = Piece(**each)
        clip.pieces[piece.id] = piece
        owner = clip.jobs.get(piece.job)
        if owner is not None and piece.id not in owner.pieces:
            owner.pieces.append(piece.id)
    return clip


def read_visitors(disk: Disk) -> dict[str, Visitor]:
    """Return the visitors of an earlier run with their clips; what cannot be read is removed.

    Args:
        disk: folder of the visitors' files.

    Returns:
        Visitors by their names.
    """
    visitors: dict[str, Visitor] = {}
    for name, seen, records in disk.known():
        visitor = visitors[name] = Visitor(name, seen)
        for record in records:
            folder = disk.of_visitor(name) / str(record.get("id"))
            try:
                clip = read_clip(name, folder, record)
            except (ValueError, KeyError, TypeError):
                disk.remove(folder)
                continue
            visitor.clips[clip.id] = clip
            clip.save()
    return visitors


def drop_unfinished(clip: ClipState, job: Job) -> None:
    """Remove the pieces of a job that was interrupted before their stems were written, so that it makes them again.

    Args:
        clip: the clip.
        job: the job.
    """
    for name in list(job.pieces):
        piece = clip.pieces.get(name)
        # One that the visitor has removed is not made again.
        if piece is None or piece.stems is not None or job.state == "done":
            continue
        job.pieces.remove(name)
        del clip.pieces[name]
        shutil.rmtree(clip.folder / "pieces" / name, ignore_errors=True)
