"""Worker process of the studio: it loads packages and networks once, then does one task after another.

Tasks and messages are JSON, since a worker reads files of strangers and nothing that it says may run code in the
server. A worker ends when the server does.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from d2m.errors import D2MError

#: Seconds between two reports of progress.
_STEP = 0.1


class Cancelled(BaseException):
    """The task is wanted no more. Not an :class:`Exception`, so that nothing takes it for a fault of a file."""


class Reporter:
    """What a task tells the server.

    Args:
        pipe: to the server.
        cancelled: returns whether the task is wanted no more.
    """

    def __init__(self, pipe: Connection, cancelled: Callable[[], bool]) -> None:
        self._pipe, self._cancelled, self._last, self._stage = pipe, cancelled, 0.0, ""

    def say(self, kind: str, **content: Any) -> None:
        """Send a message.

        Args:
            kind: its kind.
            content: plain JSON values.
        """
        self._pipe.send_bytes(json.dumps({"type": kind, **content}, allow_nan=False).encode())

    def stage(self, name: str, first: float, last: float) -> Callable[[float], None]:
        """Return a function that takes the share done of a stage.

        Args:
            name: of the stage.
            first, last: shares of the whole task at which the stage begins and ends.
        """

        def tell(share: float) -> None:
            if self._cancelled():
                raise Cancelled
            now = time.monotonic()
            if name != self._stage or now - self._last >= _STEP or share >= 1.0:
                self._stage, self._last = name, now
                whole = first + (last - first) * min(max(float(share), 0.0), 1.0)
                self.say("progress", stage=name, share=round(whole, 4))

        tell(0.0)
        return tell


def serve(pipe: Connection, cancel: Any, memory: int) -> None:
    """Do tasks until the server closes the pipe.

    Args:
        pipe: to the server.
        cancel: event that ends the task.
        memory: bytes that the process may take beyond what it has when it is ready; 0 for any.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _end_with_server()
    with contextlib.suppress(OSError, AttributeError):
        # Answers of the server, which is the same machine, come first.
        os.nice(5)
    warnings.simplefilter("ignore")
    try:
        from d2m.web.app.tasks import Desk

        desk = Desk()
        desk.warm_up()
    except Exception as error:
        with contextlib.suppress(OSError):
            said = f"{type(error).__name__}: {error}"[:500]
            pipe.send_bytes(json.dumps({"type": "broken", "message": said}).encode())
        return
    limit_memory(memory)
    with contextlib.suppress(EOFError, OSError):
        pipe.send_bytes(json.dumps({"type": "ready"}).encode())
        for task in _tasks(pipe):
            _run(desk, task, Reporter(pipe, cancel.is_set))


def _tasks(pipe: Connection) -> Iterator[dict[str, Any]]:
    while True:
        yield json.loads(pipe.recv_bytes())


def _run(desk: Any, task: dict[str, Any], reporter: Reporter) -> None:
    """Do a task and say how it ended; whatever a file does to the code that reads it ends this task alone."""
    try:
        reporter.say("end", state="done", **(desk.run(task, reporter) or {}))
    except Cancelled:
        reporter.say("end", state="cancelled")
    except D2MError as error:
        reporter.say("end", state="failed", message=_without_paths(str(error), task))
    except MemoryError:
        desk.forget()
        message = "this clip needs more memory than is allowed; use a shorter or smaller one"
        reporter.say("end", state="failed", message=message)
    except (BrokenPipeError, EOFError):
        raise
    except Exception as error:
        if not Path(task["folder"]).is_dir():
            reporter.say("end", state="cancelled")
            return
        message = f"this did not work ({type(error).__name__}); it is a fault of d2m, please report it"
        reporter.say("end", state="failed", message=message, fault=f"{type(error).__name__}: {error}"[:500])


def _without_paths(message: str, task: dict[str, Any]) -> str:
    """Return a message without the names of folders, which are nobody's business."""
    message = message.replace(task["source"], task["name"])
    return message.replace(task["folder"], "").replace(str(Path(task["folder"]).parent), "")


def limit_memory(most: int) -> None:
    """Limit the address space of this process to what it has now and ``most`` bytes more.

    Args:
        most: bytes; 0 for no limit.
    """
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not most or not Path("/proc/self/statm").exists():
        return
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    # Libraries reserve addresses that they never fill; the server watches the memory that is in use.
    limit = now + most + 2_000_000_000
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_server() -> None:
    """End this process when the server's ends, however it does."""
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent").start()
