"""Watcher: landmarks and beats of the dancer, in this process or in one of its own.

The pose model, the tracker and the mixer all need Python's lock for a part of their time. In real time the watcher
therefore has a process of its own, so that neither pictures nor sound wait for the other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Any, Protocol

import numpy as np

from d2m.errors import D2MError
from d2m.features.causal import CausalTracker, Seen
from d2m.features.genre import choose_genre
from d2m.features.pose import FRAME_HEIGHT
from d2m.live.dancer import DancerFinder, small
from d2m.types import BeatGrid


@dataclass(frozen=True)
class Look:
    """Result for one picture.

    Attributes:
        seen: what is known of the dance.
        tracking: seconds that the tracker took after the landmarks were known.
    """

    seen: Seen
    tracking: float


class Watching(Protocol):
    """A watcher."""

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture.

        Args:
            time: seconds of the session at which it was taken.
            rgb: uint8 (height, width, 3).
        """
        ...

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre of the dance so far.

        Args:
            tempo: beats per minute.
            energy: float (N,), energy of each picture.

        Returns:
            AIST code.
        """
        ...

    def close(self) -> None:
        """Release the pose model."""
        ...


class Watcher:
    """Watcher in this process.

    Args:
        pose: name of the pose model.
        tempo: tempo of the beats if it is known, in beats per minute.

    Raises:
        D2MError: if there is no pose model of that name.
    """

    def __init__(self, pose: str, tempo: float | None) -> None:
        self._finder, self._tracker = DancerFinder(pose), CausalTracker(tempo)
        # What is loaded by its first use takes a second or two.
        import scipy.signal  # noqa: F401

        self._finder.find(np.full((FRAME_HEIGHT, FRAME_HEIGHT, 3), 128, np.uint8), -np.inf)

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture; see :meth:`Watching.see`.

        Args:
            time: seconds of the session.
            rgb: uint8 (height, width, 3).
        """
        person = self._finder.find(rgb, time)
        found = perf_counter()
        if person is None:
            seen = self._tracker.add(time, None, None, None)
        else:
            world = person.world if self._finder.metres else None
            seen = self._tracker.add(time, person.joints, world, person.confidence)
        return Look(seen, perf_counter() - found)

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre; see :meth:`Watching.genre`.

        Args:
            tempo: beats per minute.
            energy: float (N,).
        """
        motion, _ = self._tracker.motion()
        return choose_genre(BeatGrid.steady(tempo, max(motion.duration, 1.0)), energy, motion)

    def close(self) -> None:
        """Release the pose model."""
        self._finder.close()


class WatcherProcess:
    """Watcher in a process of its own; it takes a second or two to start.

    Args:
        pose: name of the pose model.
        tempo: tempo of the beats if it is known, in beats per minute.

    Raises:
        D2MError: if there is no pose model of that name, or the process does not start.
    """

    def __init__(self, pose: str, tempo: float | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, inner = context.Pipe()
        self._asking = threading.Lock()
        self._process = context.Process(target=_serve, args=(inner, pose, tempo), name="watcher", daemon=True)
        self._process.start()
        inner.close()
        self._answer()

    def see(self, time: float, rgb: np.ndarray) -> Look:
        """Look at the next picture; see :meth:`Watching.see`.

        Args:
            time: seconds of the session.
            rgb: uint8 (height, width, 3).
        """
        picture = small(rgb)
        with self._asking:
            self._send(("see", time, picture.shape), np.ascontiguousarray(picture))
            return self._answer()

    def genre(self, tempo: float, energy: np.ndarray) -> str:
        """Recognise the genre; see :meth:`Watching.genre`.

        Args:
            tempo: beats per minute.
            energy: float (N,).
        """
        with self._asking:
            self._send(("genre", tempo, np.asarray(energy, np.float32)))
            return self._answer()

    def close(self) -> None:
        """End the process."""
        with self._asking:
            self._pipe.close()
        self._process.join(5.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()

    def _send(self, question: tuple[Any, ...], picture: np.ndarray | None = None) -> None:
        try:
            self._pipe.send(question)
            if picture is not None:
                self._pipe.send_bytes(picture.tobytes())
        except (OSError, ValueError):
            raise D2MError("the process that watches the dancer has ended; start again") from None

    def _answer(self) -> Any:
        try:
            answer = self._pipe.recv()
        except (EOFError, OSError):
            raise D2MError("the process that watches the dancer has ended; start again") from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(pipe: Connection, pose: str, tempo: float | None) -> None:
    """Answer the questions of a :class:`WatcherProcess` until it closes the pipe."""
    # Ctrl-C reaches all processes of a terminal; this one ends with its pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with contextlib.closing(Watcher(pose, tempo)) as watcher:
            pipe.send(None)
            while True:
                kind, *given = pipe.recv()
                if kind == "see":
                    moment, shape = given
                    pipe.send(watcher.see(moment, np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(shape)))
                else:
                    pipe.send(watcher.genre(*given))
    except (EOFError, OSError):
        return
    except Exception as error:
        pipe.send(error if isinstance(error, D2MError) else D2MError(f"{type(error).__name__}: {error}"))
