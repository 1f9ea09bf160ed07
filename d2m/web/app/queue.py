"""Order of the jobs: start-time fair queueing (Goyal, Vin and Cheng 1996) over visitors.

Each job gets a start tag: the virtual time at which the visitor's earlier jobs would be done, if every visitor had the
same share of the workers. The job with the smallest tag is next. A visitor with many jobs therefore waits for their
sake alone, and nobody starves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

#: Estimated seconds above which a job is long: one worker is always left to the others.
LONG = 45.0


@dataclass
class Entry:
    """A job that waits.

    Attributes:
        visitor, clip, job: their names.
        cost: estimated seconds of work.
        start: start tag in seconds of virtual time.
        number: breaks ties in the order of arrival.
    """

    visitor: str
    clip: str
    job: str
    cost: float
    start: float = 0.0
    number: int = 0

    @property
    def is_long(self) -> bool:
        """Whether the job is long."""
        return self.cost > LONG


@dataclass
class FairQueue:
    """Jobs that wait, in a fair order."""

    _waiting: list[Entry] = field(default_factory=list)
    _finish: dict[str, float] = field(default_factory=dict)
    _now: float = 0.0
    _count: itertools.count[int] = field(default_factory=itertools.count)

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, entry: Entry, again: bool = False) -> None:
        """Add a job.

        Args:
            entry: the job; gets its tag and number.
            again: the job goes on where it was interrupted for others: it keeps its tag.
        """
        if not again:
            entry.start = max(self._now, self._finish.get(entry.visitor, 0.0))
            entry.number = next(self._count)
        self._finish[entry.visitor] = max(self._finish.get(entry.visitor, 0.0), entry.start + entry.cost)
        self._waiting.append(entry)
        self._waiting.sort(key=lambda each: (each.start, each.number))

    def remove(self, job: str) -> None:
        """Remove a job, if it waits.

        Args:
            job: its name.
        """
        self._waiting = [each for each in self._waiting if each.job != job]

    def order(self) -> list[Entry]:
        """Return the jobs in their order; those of one clip keep theirs."""
        return list(self._waiting)

    def next(self, busy: Iterable[str], may_be_long: bool, free: Callable[[Entry], bool]) -> Entry | None:
        """Take the next job.

        Args:
            busy: clips that a job is running for; jobs of one clip run one after another.
            may_be_long: whether a long job may start.
            free: tells whether a job can run now.

        Returns:
            The job, or None if none can run.
        """
        taken = set(busy)
        for entry in self._waiting:
            if entry.clip in taken:
                continue
            # A later job of this clip must not overtake an earlier one.
            taken.add(entry.clip)
            if (entry.is_long and not may_be_long) or not free(entry):
                continue
            self._waiting.remove(entry)
            self._now = max(self._now, entry.start)
            if not self._waiting:
                self._finish = {name: end for name, end in self._finish.items() if end > self._now}
            return entry
        return None


@dataclass
class Estimates:
    """Estimated seconds of work: running means of what was measured, for each second of the clip."""

    #: Before anything was measured: seconds for each second of the clip, and seconds besides.
    rates: dict[str, float] = field(
        default_factory=lambda: {"watch": 0.8, "compose": 0.25, "play": 0.25, "export": 0.2, "proxy": 0.5}
    )
    fixed: dict[str, float] = field(
        default_factory=lambda: {"watch": 1.0, "compose": 0.7, "play": 0.7, "export": 1.0, "proxy": 0.5}
    )

    def of(self, kind: str, seconds: float) -> float:
        """Return the estimated seconds of a job.

        Args:
            kind: of the job.
            seconds: length of the clip.
        """
        return self.fixed[kind] + self.rates[kind] * seconds

    def learn(self, kind: str, seconds: float, took: float) -> None:
        """Learn from a job that is done.

        Args:
            kind: of the job.
            seconds: length of the clip.
            took: seconds that the job took.
        """
        measured = max(took - self.fixed[kind], 0.0) / max(seconds, 1.0)
        self.rates[kind] += 0.3 * (measured - self.rates[kind])
