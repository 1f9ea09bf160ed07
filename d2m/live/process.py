"""Processes of a live session that answer questions: they watch, write and record while this process plays.

Python runs one thread of a process at a time, so that whatever computes beside the player would make it wait.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from typing import Any, TypeAlias

import numpy as np

from d2m.errors import D2MError

#: Answers questions: called with what was asked.
Answer: TypeAlias = Callable[..., Any]
#: Steps of priority by which a process gives way whose answers have time.
GIVES_WAY = 5
#: Seconds that a process is given to end.
_PATIENCE = 5.0


class AskedProcess:
    """Process that answers one question at a time; threads may share it.

    It ends when it is closed, when this process ends, and never by the Ctrl-C or SIGTERM that a terminal or a service
    manager sends to all processes of a command: this one decides what is still to be done.

    Args:
        lost: error message for when it has died.
        make: function of a module's top level; what it returns is entered in the process, and answers the questions.
        given: arguments of ``make``.
        nice: steps of priority by which the process gives way to others.

    Raises:
        D2MError: if ``make`` raises one, or the process does not start.
    """

    def __init__(
        self, lost: str, make: Callable[..., AbstractContextManager[Answer]], *given: Any, nice: int = 0
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._lost, self._asking = lost, threading.Lock()
        self._pipe, inner = context.Pipe()
        self._process = context.Process(target=_serve, args=(inner, nice, make, given), daemon=True)
        self._process.start()
        inner.close()
        # When Python ends, it waits for the process, which waits for questions until the pipe is closed.
        Finalize(self, self._pipe.close, exitpriority=1)
        self._answer()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return int(self._process.pid or 0)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def ask(self, *question: Any, array: np.ndarray | None = None) -> Any:
        """Return the answer of the process to a question.

        Args:
            question: arguments of the function that answers.
            array: its last argument, which is sent as raw bytes; None for none.

        Raises:
            D2MError: if the question cannot be answered, or the process has ended.
        """
        form = None if array is None else (array.shape, array.dtype.str)
        with self._asking:
            try:
                self._pipe.send((question, form))
                if array is not None:
                    self._pipe.send_bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
            except (OSError, ValueError):
                raise D2MError(self._lost) from None
            return self._answer()

    def close(self) -> None:
        """End the process after the question that it answers now."""
        with self._asking:
            self._pipe.close()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise D2MError(self._lost) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Connection, nice: int, make: Callable[..., AbstractContextManager[Answer]], given: tuple) -> None:
    """Answer questions until the other side closes the pipe or has ended."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        os.nice(nice)
    try:
        with make(*given) as answer:
            pipe.send(None)
            while True:
                question, form = pipe.recv()
                array = () if form is None else (np.frombuffer(pipe.recv_bytes(), form[1]).reshape(form[0]),)
                pipe.send(answer(*question, *array))
    except Exception as error:
        # Nobody listens where the pipe itself is what failed.
        with contextlib.suppress(OSError):
            pipe.send(error if isinstance(error, D2MError) else D2MError(f"{type(error).__name__}: {error}"))
