"""Settings and limits of the studio."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from d2m.errors import D2MError


@dataclass(frozen=True)
class Limits:
    """Limits of what visitors may ask for.

    Attributes:
        bytes: size of a clip.
        seconds: length of a clip, and of its music.
        pixels: pixels of a frame; the default is 8K.
        clips: clips of a visitor at a time.
        jobs: jobs of a visitor that wait or run.
        address_jobs: the same of all visitors of one address.
        address_uploads: clips that come from one address within an hour.
        address_connections: open streams of events of one address.
        candidates: candidates of one job.
        visitor_bytes: size of all files of a visitor.
        total_bytes: size of all files.
        keep_seconds: seconds after which everything of a visitor is removed, counted from the last request.
        job_seconds: time that a job may take besides a multiple of the clip's length.
        worker_bytes: memory that a worker may take beyond what it has before its first job.
    """

    bytes: int = 500_000_000
    seconds: float = 300.0
    pixels: int = 8192 * 4608
    clips: int = 10
    jobs: int = 8
    address_jobs: int = 24
    address_uploads: int = 60
    address_connections: int = 24
    candidates: int = 8
    visitor_bytes: int = 4_000_000_000
    total_bytes: int = 20_000_000_000
    keep_seconds: float = 3600.0
    job_seconds: float = 120.0
    worker_bytes: int = 3_500_000_000

    def shown(self) -> dict[str, float]:
        """Return the limits that the page shows."""
        names = ("bytes", "seconds", "pixels", "clips", "jobs", "candidates", "keep_seconds")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Settings:
    """Settings of the studio.

    Attributes:
        folder: folder of the visitors' files.
        keep: keep the files of visitors when the server ends; they are removed when their time is over.
        workers: number of worker processes; 0 for the default.
        token: token that is asked for; "" for none.
        limits: limits of what visitors may ask for.
    """

    folder: Path
    keep: bool = False
    workers: int = 0
    token: str = ""
    limits: Limits = field(default_factory=Limits)

    @property
    def processes(self) -> int:
        """Number of worker processes: at least two, so that a long clip does not hold up everybody else."""
        return self.workers or max(2, cores() // 2)

    def check(self) -> Settings:
        """Check the settings and return them.

        Raises:
            D2MError: if they cannot be used.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise D2MError(f"{self.folder}: this is a file; choose another --folder")
        if self.token and len(self.token) < 16:
            raise D2MError("the token is shorter than 16 characters; choose a longer one")
        return self


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_folder() -> Path:
    """Return the default folder of the visitors' files, in the user's state folder."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "d2m" / "app"
