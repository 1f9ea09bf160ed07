"""Local processes: :class:`Workers` is a pool that survives a dying process.

A damaged video can crash a decoder written in C. Each worker is one process with its own pipe, so the task that
crashed is known, only that task fails, and the worker is replaced.

Processes are spawned: a fork would copy the threads of whatever library is loaded, and may hang. Together they use as
many threads as there are cores. Ctrl-C is handled by the parent, which ends them; their unfinished files are removed.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

#: Parts of a task between two reports.
_STEP = 0.02
#: Seconds that a process is given to end.
_PATIENCE = 10.0


def cores() -> int:
    """Return how many threads this process should use: all cores, or a worker process's share of them."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return max(int(told), 1) if told.isdecimal() else os.cpu_count() or 1


@dataclass(frozen=True)
class Crash:
    """Result of a task whose process died.

    Attributes:
        code: exit status; -N for signal N; None if it is not known.
        attempts: how many processes died of it.
    """

    code: int | None
    attempts: int = 1

    @property
    def in_words(self) -> str:
        """How the process ended, after "the process"."""
        if self.code is None:
            return f"died in each of {self.attempts} attempts" if self.attempts > 1 else "died"
        return f"was ended by signal {-self.code}" if self.code < 0 else f"ended with status {self.code}"


@dataclass(frozen=True)
class Done:
    """Result of a task that needs no process.

    Attributes:
        result: what is returned for it.
    """

    result: Any


@dataclass
class Workers:
    """Pool of processes, stopped at the end of a ``with`` block.

    Attributes:
        count: how many.
        function: called as ``function(task, tell)`` in one of them; found by its name, so that it must be at the top
            of a module. ``tell`` takes the part done, 0..1. It must not raise.
    """

    count: int
    function: Callable[[Any, Callable[[float], None]], Any]
    _busy: dict[Connection, _Worker] = field(default_factory=dict)
    _idle: list[_Worker] = field(default_factory=list)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exc: object) -> None:
        workers = [*self._busy.values(), *self._idle]
        for worker in workers:
            worker.process.terminate()
        for worker in workers:
            worker.stop()

    def terminate(self) -> None:
        """End the tasks that are running; each of them is a :class:`Crash`. Another thread may call this."""
        for worker in list(self._busy.values()):
            worker.process.terminate()

    def run(self, tasks: Iterable[Any], tell: Callable[[Any, float], None]) -> Iterator[tuple[Any, Any]]:
        """Run tasks and yield each with its result or :class:`Crash`, in the order in which they are finished.

        Args:
            tasks: taken one by one as processes become free; a :class:`Done` among them is answered at once.
            tell: called with a task and the share of it that is done, 0 to 1.

        Raises:
            RuntimeError: if no process can be started, as from a script whose main part is not under
                ``if __name__ == "__main__"``.
        """
        rest = iter(tasks)
        left = True
        while True:
            while left and len(self._busy) < self.count:
                task = next(rest, self)
                left = task is not self
                if isinstance(task, Done):
                    yield task, task.result
                elif left:
                    self._start(task)
            if not self._busy:
                return
            ready = wait(list(self._busy))
            for pipe in [pipe for pipe in self._busy if pipe in ready]:
                yield from self._heard(pipe, tell)

    def _start(self, task: Any) -> None:
        worker = self._idle.pop() if self._idle else _Worker(self.function, self.count)
        worker.task = task
        self._busy[worker.pipe] = worker
        # The death of a worker shows at the other end of its pipe.
        with contextlib.suppress(OSError):
            worker.pipe.send(task)

    def _heard(self, pipe: Connection, tell: Callable[[Any, float], None]) -> Iterator[tuple[Any, Any]]:
        worker = self._busy[pipe]
        try:
            kind, content = pipe.recv()
        except (EOFError, OSError):
            if not worker.ready:
                raise RuntimeError(
                    "a process could not be started; in a script, call this under if __name__ == '__main__'"
                ) from None
            del self._busy[pipe]
            worker.process.join(_PATIENCE)
            yield worker.task, Crash(worker.process.exitcode)
            worker.stop()
            return
        if kind == "ready":
            worker.ready = True
            return
        if kind == "share":
            tell(worker.task, content)
            return
        del self._busy[pipe]
        self._idle.append(worker)
        yield worker.task, content


class _Worker:
    def __init__(self, function: Callable, count: int):
        context = multiprocessing.get_context("spawn")
        self.task: Any = None
        self.ready = False
        self.pipe, other = context.Pipe()
        threads = max(1, (os.cpu_count() or 1) // count)
        self.process = context.Process(target=_serve, args=(other, function, threads), daemon=True)
        self.process.start()
        other.close()

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join(_PATIENCE)
        # A worker that is stuck in a decoder does not react.
        self.process.kill()
        self.process.join()


def _serve(pipe: Connection, function: Callable, threads: int) -> None:
    # Ctrl-C reaches every process of a terminal; the parent decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Unwinds, so that unfinished files are removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    pipe.send(("ready", None))
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        last = 0.0

        def tell(share: float) -> None:
            nonlocal last
            if share >= last + _STEP:
                last = share
                pipe.send(("share", share))

        try:
            pipe.send(("done", function(task, tell)))
        except OSError:
            return  # the parent is gone
