"""Figures of the studio for Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from d2m.web.app.clips import ClipState
    from d2m.web.app.records import Job
    from d2m.web.app.studio import Studio

_SECONDS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Counters and gauges of one studio."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = Counter("d2m_jobs", "Jobs that are over", ["kind", "state"], registry=self.registry)
        self.uploads = Counter("d2m_uploads", "Clips that were taken", registry=self.registry)
        self.refused = Counter("d2m_refused", "Requests that were refused", ["code"], registry=self.registry)
        self.seconds = Histogram(
            "d2m_task_seconds", "Seconds that a task took", ["kind"], buckets=_SECONDS, registry=self.registry
        )
        self.sound = Histogram(
            "d2m_first_sound_seconds",
            "Seconds from a clip's arrival to its first music",
            buckets=_SECONDS,
            registry=self.registry,
        )
        names = {
            "queue": "Jobs that wait",
            "running": "Jobs that run",
            "workers": "Workers that are ready",
            "worker_deaths": "Workers that died",
            "worker_bytes": "Memory of all workers",
            "visitors": "Visitors with clips",
            "clips": "Clips",
            "stored_bytes": "Size of all files",
        }
        self._gauges = {name: Gauge(f"d2m_{name}", text, registry=self.registry) for name, text in names.items()}

    def first_sound(self, clip: ClipState, job: Job) -> None:
        """Note that a piece can be heard; counted for the first one of a clip.

        Args:
            clip: the clip.
            job: which made the piece.
        """
        if not clip.pieces:
            self.sound.observe(time.time() - clip.created)

    def text(self, studio: Studio) -> bytes:
        """Return all figures in Prometheus's text format.

        Args:
            studio: the studio.
        """
        pool = studio.pool
        values = {
            "queue": len(studio.queue),
            "running": len(pool.busy()),
            "workers": pool.alive,
            "worker_deaths": pool.deaths,
            "worker_bytes": sum(worker.memory() for worker in pool.workers),
            "visitors": len(studio.visitors),
            "clips": sum(len(visitor.clips) for visitor in studio.visitors.values()),
            "stored_bytes": studio.stored,
        }
        for name, value in values.items():
            self._gauges[name].set(value)
        return generate_latest(self.registry)
