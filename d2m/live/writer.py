"""Writer of phrases in a process of its own, so that the sound does not wait while a phrase is written."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from typing import Any

from d2m.engines.arrangers import load_arranger
from d2m.errors import D2MError
from d2m.live.phrases import Phrase, PhraseWriter, Wish


class WriterProcess:
    """Process that writes phrases; it is started once, before the session.

    Args:
        arranger: name of the arranger, or None for the default.

    Raises:
        D2MError: if there is no such arranger, or the process does not start.
    """

    def __init__(self, arranger: str | None = None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, inner = context.Pipe()
        self._asking = threading.Lock()
        self._process = context.Process(target=_serve, args=(inner, arranger), name="writer", daemon=True)
        self._process.start()
        inner.close()
        self.ask()

    def ask(self, *question: Any) -> Any:
        """Return the answer of the process to a question, or its first message.

        Args:
            question: kind and arguments.

        Raises:
            D2MError: if the question cannot be answered, or the process has ended.
        """
        with self._asking:
            try:
                if question:
                    self._pipe.send(question)
                answer = self._pipe.recv()
            except (EOFError, OSError, ValueError):
                raise D2MError("the process that writes the music has ended; start again") from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def __call__(self, wish: Wish) -> PhraseWriter:
        """Return a writer whose phrases are written by the process.

        Args:
            wish: what the music is to be.
        """
        self.ask("begin", wish)
        return _RemoteWriter(self, wish)


class _RemoteWriter(PhraseWriter):
    """Writer whose phrases are written by a :class:`WriterProcess`."""

    def __init__(self, process: WriterProcess, wish: Wish) -> None:
        super().__init__(load_arranger(), wish)
        self._process = process

    def write(self, number: int, role: str, tempo: float) -> tuple[Phrase, ...]:
        """Write a phrase; see :meth:`PhraseWriter.write`.

        Args:
            number: number of the phrase from 0.
            role: its role.
            tempo: beats per minute.
        """
        phrase, self._mix, self.character, self.key = self._process.ask("write", number, role, tempo)
        return phrase


def _serve(pipe: Connection, arranger: str | None) -> None:
    """Answer the questions of a :class:`WriterProcess` until it ends."""
    # Ctrl-C reaches all processes of a terminal; this one ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        writer = PhraseWriter(load_arranger(arranger), Wish(""))
        pipe.send(None)
        while True:
            kind, *given = pipe.recv()
            if kind == "begin":
                writer = PhraseWriter(writer.arranger, *given)
                pipe.send(None)
            else:
                phrase = writer.write(*given)
                pipe.send((phrase, writer.mix, writer.character, writer.key))
    except (EOFError, OSError):
        return
    except Exception as error:
        pipe.send(error if isinstance(error, D2MError) else D2MError(f"{type(error).__name__}: {error}"))
