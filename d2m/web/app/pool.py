"""Worker processes of the studio, which start before they are needed and are replaced when they die.

:class:`d2m.parallel.Workers` does a list of tasks and ends; these go on, can be told to stop, and are watched.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from d2m.web.app.work import serve

#: Seconds that a worker is given to stop a task by itself.
PATIENCE = 2.0
#: Tasks after which a worker is replaced, so that what leaks does not grow.
MOST_TASKS = 300
#: Seconds to wait before a worker that died while starting is started again; doubled each time.
_PAUSE = 1.0
_CRASHED = "the worker process died; run the job again, it goes on with what is there"
_KILLED = {
    "memory": "this clip needs more memory than is allowed; use a shorter or smaller one",
    "time": "this took longer than is allowed; use a shorter or smaller clip",
}


class Worker:
    """A worker process.

    Args:
        number: for logs.
        memory: bytes that a task may take.
        heard: called in the event loop with the worker and a message; ``{"type": "died"}`` is the last one.

    Attributes:
        task: what it does, or None.
        clip: clip of its last task.
        ready: whether it has loaded everything.
        reason: why the server killed it, or "".
        base: bytes that it had when it was ready.
    """

    def __init__(self, number: int, memory: int, heard: Callable[[Worker, dict[str, Any]], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.number, self._heard, self._loop = number, heard, asyncio.get_running_loop()
        self.task: dict[str, Any] | None = None
        self.clip, self.ready, self.reason, self.tasks, self.base = "", False, "", 0, 0
        self.began = self.allowed = 0.0
        self._cancel = context.Event()
        self._pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, self._cancel, memory), daemon=True)
        self.process.start()
        other.close()
        threading.Thread(target=self._listen, daemon=True, name=f"worker {number}").start()

    @property
    def idle(self) -> bool:
        """Whether it can take a task."""
        return self.ready and self.task is None and not self.reason

    def start(self, task: dict[str, Any], allowed: float) -> None:
        """Give a task to the worker.

        Args:
            task: the task.
            allowed: seconds that it may take.
        """
        self._cancel.clear()
        self.task, self.clip, self.tasks = task, task["clip"], self.tasks + 1
        self.began, self.allowed = time.monotonic(), allowed
        # The death of a worker shows at the other end of its pipe.
        with contextlib.suppress(OSError):
            self._pipe.send_bytes(json.dumps(task).encode())

    def cancel(self) -> None:
        """Stop the task; a worker that does not stop soon is killed."""
        self._cancel.set()
        task = self.task
        self._loop.call_later(PATIENCE, lambda: self.kill("cancelled") if self.task is task and task else None)

    def kill(self, reason: str) -> None:
        """End the process at once.

        Args:
            reason: why.
        """
        self.reason = self.reason or reason
        self.process.kill()

    def memory(self) -> int:
        """Return the bytes of memory that the process has in use."""
        import psutil

        try:
            return int(psutil.Process(self.process.pid).memory_info().rss)
        except psutil.Error:
            return 0

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                self._tell(json.loads(self._pipe.recv_bytes()))
        self.process.join(10)
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._tell({"type": "died", "code": self.process.exitcode})

    def _tell(self, message: dict[str, Any]) -> None:
        # The loop is closed when the server ends.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._heard, self, message)


class Pool:
    """Workers.

    Args:
        count: how many.
        memory: bytes that a task may take beyond what a worker has when it is ready.
        heard: called in the event loop with a worker and a message.

    Attributes:
        workers: the workers.
        deaths: workers that died.
        trouble: why a worker could not start, or "".
    """

    def __init__(self, count: int, memory: int, heard: Callable[[Worker, dict[str, Any]], None]) -> None:
        self.count, self._limit, self._told = count, memory, heard
        self.workers: list[Worker] = []
        self.deaths, self._failed, self._open, self.trouble = 0, 0, False, ""
        self._watching: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Start the workers; called in the event loop."""
        self._open = True
        for number in range(self.count):
            self._start(number)
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """End all workers and wait for them."""
        self._open = False
        if self._watching is not None:
            self._watching.cancel()
        for worker in self.workers:
            worker.kill("closed")
        for worker in self.workers:
            await asyncio.to_thread(worker.process.join, 10)

    @property
    def alive(self) -> int:
        """Number of workers that can take tasks, or have one."""
        return sum(worker.ready and not worker.reason for worker in self.workers)

    def idle(self, clip: str) -> Worker | None:
        """Return a worker that can take a task, one that knows the clip first.

        Args:
            clip: the clip.
        """
        free = [worker for worker in self.workers if worker.idle]
        return next((worker for worker in free if worker.clip == clip), free[0] if free else None)

    def busy(self) -> list[Worker]:
        """Return the workers that have a task."""
        return [worker for worker in self.workers if worker.task is not None]

    def retire(self, worker: Worker) -> None:
        """Replace a worker that has done many tasks or has grown; called when its task is done.

        Args:
            worker: the worker.
        """
        if worker.tasks >= MOST_TASKS or (worker.base and worker.memory() > worker.base + self._limit // 2):
            worker.kill("retired")

    def _start(self, number: int) -> None:
        if self._open:
            self.workers.append(Worker(number, self._limit, self._heard))

    def _heard(self, worker: Worker, message: dict[str, Any]) -> None:
        if message["type"] == "ready":
            worker.ready, worker.base, self._failed, self.trouble = True, worker.memory(), 0, ""
        elif message["type"] == "broken":
            self.trouble = f"a worker cannot start: {message['message']}"
            print(self.trouble, file=sys.stderr, flush=True)
        elif message["type"] == "died":
            if worker in self.workers:
                self.workers.remove(worker)
            if self._open and worker.reason != "retired":
                self.deaths += 1
            self._failed = self._failed + 1 if not worker.ready else 0
            pause = min(_PAUSE * 2 ** (self._failed - 1), 60.0) if self._failed else 0.0
            asyncio.get_running_loop().call_later(pause, self._start, worker.number)
        self._told(worker, message)

    async def _watch(self) -> None:
        """Kill workers whose task takes too much memory or time."""
        while True:
            await asyncio.sleep(0.5)
            for worker in self.busy():
                if worker.base and worker.memory() > worker.base + self._limit:
                    worker.kill("memory")
                elif time.monotonic() - worker.began > worker.allowed:
                    worker.kill("time")


def end_of(reason: str) -> tuple[str, str]:
    """Return how a job ends whose worker died.

    Args:
        reason: why the server killed the worker, as of :class:`Worker`; "" if it did not.

    Returns:
        State of the job, and a message for the visitor.
    """
    if reason in _KILLED:
        return "failed", _KILLED[reason]
    return ("cancelled", "") if reason == "cancelled" else ("interrupted", _CRASHED)
