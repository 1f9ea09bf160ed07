"""The studio's state: visitors, clips and jobs, and what happens to them. Everything here runs in the event loop."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from d2m.web.app.clips import Arrivals, ClipState, Visitor, drop_unfinished, new_id, read_visitors
from d2m.web.app.metrics import Metrics
from d2m.web.app.places import task_of, tell_places
from d2m.web.app.pool import Pool, Worker, end_of
from d2m.web.app.queue import Entry, Estimates, FairQueue
from d2m.web.app.records import OVER, Job, JobKind, Piece, VideoInfo
from d2m.web.app.settings import Settings
from d2m.web.app.store import Disk, size_of, sweep, visitor_name

#: Seconds between two looks for visitors whose time is over.
_ROUND = 15.0
#: Most tries of a job.
_TRIES = 5


class Studio:
    """Visitors with their clips and jobs.

    Args:
        settings: the settings.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.limits = settings, settings.limits
        self.visitors: dict[str, Visitor] = {}
        self.queue, self.estimates, self.metrics = FairQueue(), Estimates(), Metrics()
        self.pool = Pool(settings.processes, self.limits.worker_bytes, self._heard)
        self.stored = 0
        self.disk: Disk | None = None
        self._rounds: asyncio.Task[None] | None = None
        self.arrivals = Arrivals(self.limits.address_uploads)

    async def open(self) -> None:
        """Take the folder, read what an earlier run left, and start the workers."""
        self.disk = Disk(self.settings.folder)
        self.visitors = read_visitors(self.disk)
        self.stored = size_of(self.disk.visitors)
        self.pool.open()
        self._rounds = asyncio.create_task(self._go_round())

    async def close(self) -> None:
        """End the workers, and remove the files unless they are to be kept."""
        if self._rounds is not None:
            self._rounds.cancel()
        await self.pool.close()
        for visitor in self.visitors.values():
            for clip in visitor.clips.values():
                clip.gone = not self.settings.keep
                clip.changed()
        if self.disk is not None:
            for visitor in self.visitors.values():
                self.disk.seen(visitor.name, visitor.seen)
            await asyncio.to_thread(self.disk.close, self.settings.keep)

    def visitor(self, cookie: str, address: str) -> Visitor:
        """Return a visitor, who is known from the first clip on.

        Args:
            cookie: value of the cookie.
            address: from which the visitor comes.
        """
        visitor = self.visitors.get(visitor_name(cookie)) or Visitor(visitor_name(cookie))
        visitor.seen = time.time()
        if len(visitor.addresses) < 100:
            visitor.addresses.add(address)
        return visitor

    def folder_of(self, visitor: Visitor, clip: str) -> Path:
        """Return the folder of a clip of a visitor.

        Args:
            visitor: the visitor.
            clip: ``id`` of the clip.
        """
        assert self.disk is not None
        return self.disk.of_visitor(visitor.name) / clip

    def welcome(self, visitor: Visitor) -> Visitor:
        """Keep a visitor who is about to add a clip, and return the one that is kept.

        Args:
            visitor: the visitor.
        """
        return self.visitors.setdefault(visitor.name, visitor)

    def expires(self, visitor: Visitor) -> float:
        """Return when everything of a visitor is removed, in seconds since 1970; each request postpones it.

        Args:
            visitor: the visitor.
        """
        return visitor.seen + self.limits.keep_seconds

    def add_clip(self, visitor: Visitor, clip: ClipState) -> Job:
        """Add a clip whose file is complete, and start to watch it.

        Args:
            visitor: the visitor.
            clip: the clip.
        """
        assert self.disk is not None
        self.visitors[visitor.name] = visitor
        visitor.clips[clip.id] = clip
        self.disk.seen(visitor.name, visitor.seen)
        self.metrics.uploads.inc()
        return self.add_job(clip, "watch", {})

    def add_job(self, clip: ClipState, kind: JobKind, wish: dict[str, Any], name: str = "") -> Job:
        """Add a job to the queue.

        Args:
            clip: its clip.
            kind: of the job.
            wish: what is asked for.
            name: of the job, if it has one already.
        """
        job = Job(id=name or new_id("j"), kind=kind, created=time.time(), wish=wish)
        clip.jobs[job.id] = job
        self._enqueue(clip, job)
        clip.save()
        self.schedule()
        return job

    def retry(self, clip: ClipState, job: Job) -> None:
        """Run a job again that was cancelled or interrupted or failed; what it needs is run before it.

        Args:
            clip: its clip.
            job: the job.
        """
        watching = clip.watching
        wanted = [job] if clip.ready or job is watching or watching.state not in OVER else [watching, job]
        for each in wanted:
            drop_unfinished(clip, each)
            each.state, each.message, each.retry, each.share, each.stage = "queued", "", False, 0.0, ""
            each.started = each.ended = 0.0
            if each is watching:
                clip.state, clip.message = "queued", ""
            self._enqueue(clip, each)
        clip.save()
        self.schedule()

    def cancel(self, clip: ClipState, job: Job) -> None:
        """Cancel a job that waits or runs.

        Args:
            clip: its clip.
            job: the job.
        """
        self.queue.remove(job.id)
        for worker in self.pool.busy():
            if worker.task is not None and worker.task["job"] == job.id:
                worker.cancel()
        self._over(clip, job, "cancelled", "")
        self.schedule()

    async def remove_clip(self, clip: ClipState) -> None:
        """Cancel the jobs of a clip and remove it with all its files.

        Args:
            clip: the clip.
        """
        assert self.disk is not None
        clip.gone = True
        for job in clip.open_jobs():
            self.cancel(clip, job)
        if (visitor := self.visitors.get(clip.visitor)) is not None:
            visitor.clips.pop(clip.id, None)
        clip.changed()
        # A worker that is not done yet would write into a folder that is gone.
        for _ in range(100):
            if not any(worker.task and worker.task["clip"] == clip.id for worker in self.pool.workers):
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(self.disk.remove, clip.folder)

    async def remove_piece(self, clip: ClipState, piece: Piece) -> None:
        """Remove a piece.

        Args:
            clip: its clip.
            piece: the piece.
        """
        assert self.disk is not None
        del clip.pieces[piece.id]
        clip.changed()
        await asyncio.to_thread(self.disk.remove, clip.folder / "pieces" / piece.id)

    async def remove_visitor(self, visitor: Visitor) -> None:
        """Remove everything of a visitor.

        Args:
            visitor: the visitor.
        """
        assert self.disk is not None
        for clip in list(visitor.clips.values()):
            await self.remove_clip(clip)
        self.visitors.pop(visitor.name, None)
        await asyncio.to_thread(self.disk.remove, self.disk.of_visitor(visitor.name))

    def schedule(self) -> None:
        """Give tasks to the workers that are free."""
        while True:
            busy = self.pool.busy()
            clips = [worker.task["clip"] for worker in busy if worker.task]
            if not any(worker.idle for worker in self.pool.workers):
                break
            long = sum(bool(worker.task and worker.task["long"]) for worker in busy)
            entry = self.queue.next(clips, long < max(self.pool.count - 1, 1), self._can_run)
            if entry is None:
                break
            clip = self.clip_of(entry)
            worker = self.pool.idle(entry.clip)
            if clip is not None and worker is not None and entry.job in clip.jobs:
                self._start(worker, clip, clip.jobs[entry.job], entry)
        tell_places(self)

    def _can_run(self, entry: Entry) -> bool:
        clip = self.clip_of(entry)
        return clip is not None and (clip.ready or clip.jobs[entry.job].kind == "watch")

    def clip_of(self, entry: Entry) -> ClipState | None:
        """Return the clip of a job that waits.

        Args:
            entry: the job in the queue.

        Returns:
            The clip; None if it was removed.
        """
        return visitor.clips.get(entry.clip) if (visitor := self.visitors.get(entry.visitor)) else None

    def _enqueue(self, clip: ClipState, job: Job) -> None:
        entry = Entry(clip.visitor, clip.id, job.id, self.estimates.of(job.kind, clip.seconds))
        first = not any(each.kind == "compose" and each is not job for each in clip.jobs.values())
        if job.kind == "compose" and not clip.ready and first:
            # The first music of a clip follows its analysis at once, or everybody would wait for all analyses.
            entry.start, entry.number = clip.tag
            self.queue.add(entry, again=True)
            return
        self.queue.add(entry)
        if job.kind == "watch":
            clip.tag = (entry.start, entry.number)

    def _start(self, worker: Worker, clip: ClipState, job: Job, entry: Entry) -> None:
        job.state, job.place, job.wait = "running", 0, 0.0
        if not job.started:
            job.started, job.tries = time.time(), job.tries + 1
        if job.kind == "watch":
            clip.state = "watching"
        # Until a clip is opened its length is not known.
        allowed = self.limits.job_seconds + (12 * clip.seconds if clip.video else 0.0)
        worker.start(task_of(clip, job, entry, self.limits), allowed)
        clip.save()
        clip.changed()

    def _heard(self, worker: Worker, message: dict[str, Any]) -> None:
        """Take a message of a worker."""
        kind, found = message["type"], self.of_task(worker.task)
        if found is not None:
            try:
                self._take(worker, *found, message)
            except Exception as error:
                # Whatever a worker says, the others go on.
                self._over(*found, "failed", f"this is a fault of d2m ({type(error).__name__}); please report it")
            found[0].changed()
        if kind in ("end", "died"):
            worker.task = None
            if kind == "end":
                self.pool.retire(worker)
        if kind in ("ready", "end", "died"):
            self.schedule()

    def _take(self, worker: Worker, clip: ClipState, job: Job, message: dict[str, Any]) -> None:
        """Take a message about a job."""
        kind = message["type"]
        if kind == "progress" and job.state == "running":
            job.stage, job.share = str(message["stage"]), float(message["share"])
        elif kind == "video":
            clip.video = VideoInfo(**message["video"]).model_dump()
            worker.allowed = self.limits.job_seconds + 12 * clip.seconds
        elif kind == "piece":
            self._take_piece(clip, job, message["piece"])
        elif kind == "end":
            self._ended(worker, clip, job, message)
        elif kind == "died":
            self._died(worker, clip, job)

    def of_task(self, task: dict[str, Any] | None) -> tuple[ClipState, Job] | None:
        """Return the clip and job of a worker's task.

        Args:
            task: the task with ``clip`` and ``job``, their ids; None if the worker is idle.

        Returns:
            Both; None if the worker is idle or one of them was removed.
        """
        if task is None:
            return None
        for visitor in self.visitors.values():
            clip = visitor.clips.get(task["clip"])
            if clip is not None and task["job"] in clip.jobs:
                return clip, clip.jobs[task["job"]]
        return None

    def _take_piece(self, clip: ClipState, job: Job, content: dict[str, Any]) -> None:
        piece = Piece(**content)
        if piece.id not in job.pieces:
            job.pieces.append(piece.id)
            job.reused = piece.reused
            self.metrics.first_sound(clip, job)
        clip.pieces[piece.id] = piece
        clip.save()

    def _ended(self, worker: Worker, clip: ClipState, job: Job, message: dict[str, Any]) -> None:
        """Take the end of a task."""
        took, state = time.monotonic() - worker.began, message["state"]
        # A job that was cancelled may wait again already.
        if job.state != "running":
            return
        if state == "done":
            self.estimates.learn(job.kind, clip.seconds, took)
            self.metrics.seconds.labels(job.kind).observe(took)
        if state == "done" and job.kind == "compose":
            if len(job.pieces) < job.wish["count"]:
                assert worker.task is not None
                start, number, cost = worker.task["entry"]
                entry = Entry(clip.visitor, clip.id, job.id, self.estimates.of("compose", clip.seconds))
                entry.start, entry.number = start + cost, number
                self.queue.add(entry, again=True)
                return
            clip.take_ranking(job, message.get("ranking", []))
        if state == "done" and job.kind == "export" and message["piece"] in clip.pieces:
            piece = clip.pieces[message["piece"]]
            clip.pieces[piece.id] = Piece(**(piece.model_dump() | {"files": message["files"]}))
        notes = "; ".join(message.get("warnings", [])) if state == "done" else message.get("message", "")
        self._over(clip, job, state, notes)

    def _died(self, worker: Worker, clip: ClipState, job: Job) -> None:
        sweep(clip.folder)
        if job.state != "running":
            return
        self._over(clip, job, *end_of(worker.reason))

    def _over(self, clip: ClipState, job: Job, state: str, message: str) -> None:
        """End a job, and those that need it."""
        job.state, job.message, job.ended = state, message, time.time()  # type: ignore[assignment]
        job.place = job.wait = job.left = None
        job.share = 1.0 if state == "done" else job.share
        usable = state in ("cancelled", "interrupted") or (state == "failed" and job.kind != "watch")
        job.retry = usable and job.tries < _TRIES
        self.metrics.jobs.labels(job.kind, state).inc()
        if job.kind == "watch":
            clip.state = {"done": "ready", "failed": "failed"}.get(state, "queued")
            clip.message = message if state == "failed" else ""
            if state != "done":
                for other in clip.open_jobs():
                    self.queue.remove(other.id)
                    why = message if state == "failed" else f"the analysis was {state}; run it again"
                    self._over(clip, other, state, why)
        if not clip.gone:
            clip.save()
        clip.changed()

    async def _go_round(self) -> None:
        """Remove visitors whose time is over, look after the disk, and tell places anew."""
        assert self.disk is not None
        last = 0.0
        while True:
            await asyncio.sleep(1.0)
            tell_places(self)
            if time.monotonic() - last < min(_ROUND, self.limits.keep_seconds / 4):
                continue
            last = time.monotonic()
            for visitor in list(self.visitors.values()):
                if time.time() > self.expires(visitor) and not visitor.arriving:
                    await self.remove_visitor(visitor)
                else:
                    self.disk.seen(visitor.name, visitor.seen)
            self.stored = await asyncio.to_thread(size_of, self.disk.visitors)

    def free_bytes(self, visitor: Visitor) -> int:
        """Return the bytes that a visitor may still use.

        Args:
            visitor: the visitor.
        """
        assert self.disk is not None
        own = size_of(self.disk.of_visitor(visitor.name))
        return max(min(self.limits.visitor_bytes - own, self.limits.total_bytes - self.stored), 0)
