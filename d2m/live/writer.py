"""Writer of phrases in a process of its own, so that the sound does not wait while a phrase is written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from d2m.engines.arrangers import load_arranger
from d2m.live.phrases import Phrase, PhraseWriter, Wish
from d2m.live.process import GIVES_WAY, Answer, AskedProcess


class WriterProcess:
    """Process that writes phrases; it is started once, before the session.

    Args:
        arranger: name of the arranger, or None for the default.

    Raises:
        D2MError: if there is no such arranger, or the process does not start.
    """

    def __init__(self, arranger: str | None = None) -> None:
        lost = "the process that writes the music has ended; start again"
        self.process = AskedProcess(lost, _writing, arranger, nice=GIVES_WAY)

    def __call__(self, wish: Wish) -> PhraseWriter:
        """Return a writer whose phrases are written by the process.

        Args:
            wish: what the music is to be.
        """
        self.process.ask("begin", wish)
        return _RemoteWriter(self.process, wish)


class _RemoteWriter(PhraseWriter):
    """Writer whose phrases are written by a :class:`WriterProcess`."""

    def __init__(self, process: AskedProcess, wish: Wish) -> None:
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


@contextlib.contextmanager
def _writing(arranger: str | None) -> Iterator[Answer]:
    """Write for a :class:`WriterProcess`."""
    writer = PhraseWriter(load_arranger(arranger), Wish(""))

    def answer(kind: str, *given: Any) -> Any:
        nonlocal writer
        if kind == "begin":
            writer = PhraseWriter(writer.arranger, *given)
            return None
        phrase = writer.write(*given)
        return phrase, writer.mix, writer.character, writer.key

    yield answer
