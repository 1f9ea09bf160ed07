"""Tasks for the workers, and estimates of when the jobs that wait begin and end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from d2m.web.app.clips import ClipState
    from d2m.web.app.queue import Entry
    from d2m.web.app.records import Job
    from d2m.web.app.settings import Limits
    from d2m.web.app.studio import Studio

#: Seconds that a worker takes to start.
_STARTING = 8.0


def task_of(clip: ClipState, job: Job, entry: Entry, limits: Limits) -> dict[str, Any]:
    """Return the task of a job.

    Args:
        clip: its clip.
        job: the job.
        entry: its entry of the queue.
        limits: limits of the studio.

    Returns:
        JSON object with ``kind`` of the job; the ids ``clip`` and ``job``; ``name`` of the uploaded file, ``source``,
        its path, and ``folder`` of the clip; ``base``, the address of the clip; ``limits`` in seconds and pixels;
        ``first``, whether there is no music yet; ``long`` and ``entry`` of the queue. By kind: ``count`` of
        candidates, the number ``done`` and their ``options``; the file ``plan`` and the id ``piece_base``; or the id
        ``piece`` and the ``options`` of its files.
    """
    task: dict[str, Any] = {
        "kind": job.kind,
        "clip": clip.id,
        "job": job.id,
        "name": clip.name,
        "folder": str(clip.folder),
        "source": str(clip.source),
        "base": clip.base,
        "long": entry.is_long,
        "limits": {"seconds": limits.seconds, "pixels": limits.pixels},
        "first": not clip.pieces,
        "entry": [entry.start, entry.number, entry.cost],
    }
    if job.kind == "compose":
        task |= {"count": job.wish["count"], "options": job.wish["options"], "done": len(job.pieces)}
    elif job.kind == "play":
        task |= {"plan": str(clip.folder / "jobs" / f"{job.id}.toml"), "piece_base": job.wish.get("base")}
    elif job.kind == "export":
        task |= {"piece": job.wish["piece"], "options": job.wish["options"]}
    return task


def tell_places(studio: Studio) -> None:
    """Estimate when the jobs that wait begin, and when all end.

    Args:
        studio: the studio, whose jobs get their ``place``, ``wait`` and ``left``.
    """
    now = time.monotonic()
    free = []
    for worker in studio.pool.workers:
        left = 0.0 if worker.ready else _STARTING
        found = studio.of_task(worker.task)
        if found is not None:
            clip, job = found
            left = _left(studio, clip, job, now - worker.began)
            job.left = round(left, 1)
        free.append(left)
    free = sorted(free) or [0.0]
    for place, entry in enumerate(studio.queue.order(), 1):
        known = studio.clip_of(entry)
        if known is None or entry.job not in known.jobs:
            continue
        job = known.jobs[entry.job]
        begins, whole = free[0], _whole(studio, known, job)
        free = sorted([begins + entry.cost, *free[1:]])
        if job.state == "queued":
            job.place, job.wait, job.left = place, round(begins, 1), round(begins + whole, 1)
            known.changed()


def _whole(studio: Studio, clip: ClipState, job: Job) -> float:
    """Return the estimated seconds of what is left of a job that does not run."""
    count = max(job.wish["count"] - len(job.pieces), 1) if job.kind == "compose" else 1
    return count * studio.estimates.of(job.kind, clip.seconds)


def _left(studio: Studio, clip: ClipState, job: Job, elapsed: float) -> float:
    """Return the estimated seconds until a job that runs is done."""
    whole = studio.estimates.of(job.kind, clip.seconds)
    count = job.wish["count"] if job.kind == "compose" else 1
    share = job.share * count - (len(job.pieces) if job.kind == "compose" else 0)
    if share > 0.15:
        whole = elapsed / min(share, 1.0)
    rest = max(count - len(job.pieces) - 1, 0) * studio.estimates.of(job.kind, clip.seconds)
    return max(whole - elapsed, 0.0) + rest
