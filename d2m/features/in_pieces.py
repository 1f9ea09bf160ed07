"""Detection of the people in the frames of a video on several cores: pieces of the video, each followed anew.

A pose model follows people from frame to frame, which keeps one core busy. A model that says after how many frames its
detections no longer depend on where it began (:attr:`~d2m.features.pose_models.PoseModel.warm_up`) is therefore given
pieces of the video, each with that many frames before it. The pieces depend on the video alone, so that the result is
the same for any number of threads.
"""

from __future__ import annotations

import math
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from d2m.features.cuts import Boundary
from d2m.features.people import Person
from d2m.features.pose_models import PoseModel
from d2m.media import Frame

#: Longest piece in seconds, and most threads: each holds the frames of a piece, about 1 MB a frame.
PIECE, MOST_THREADS = 5.0, 4
#: Shortest piece in seconds that is worth the time that a model needs to begin.
SHORTEST = 2.0


@dataclass(frozen=True)
class Detection:
    """What was found in a frame.

    Attributes:
        time: seconds from the first picture.
        boundary: how a shot begins with the frame; empty where none begins.
        people: detections.
        alternating: whether somebody was left out in this frame and has to be interpolated.
        count: number of people followed.
    """

    time: float
    boundary: Boundary
    people: list[Person]
    alternating: bool
    count: int


@dataclass(frozen=True)
class _Entry:
    """A frame that waits for its detection; of frames that only warm the model up nothing is kept."""

    index: int
    frame: Frame
    boundary: Boundary
    kept: bool


class _Piece:
    """Consecutive frames, and what was found in them.

    Attributes:
        frames: frames to look at; None at the end.
        found: detections; None at the end.
        job: the thread's work.
    """

    job: Future[None]

    def __init__(self) -> None:
        self.frames: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self.found: queue.SimpleQueue[Detection | None] = queue.SimpleQueue()

    def detections(self) -> Iterator[Detection]:
        """Wait for the detections until the end, and raise the error if there was one."""
        while (detection := self.found.get()) is not None:
            yield detection
        self.job.result()


def find_people(
    model: Callable[[float], PoseModel],
    warm_up: int | None,
    rate: float,
    frames: Iterator[tuple[Frame, Boundary]],
    seconds: float,
    threads: int,
) -> Generator[Detection, None, None]:
    """Detect the people in all frames.

    Args:
        model: makes a pose model for a frame rate.
        warm_up: frames before a piece with which the model begins; None gives one model all frames.
        rate: frames per second.
        frames: frames in their order, with the shot boundaries.
        seconds: length of the video, as far as it is known.
        threads: number of pieces at a time; a model that needs all frames in order has one.

    Yields:
        Detections in the order of the frames.
    """
    if warm_up is None:
        with model(rate) as finder:
            finder.is_interpolated = True
            for index, (frame, boundary) in enumerate(frames):
                yield _find(finder, _Entry(index, frame, boundary, True), bool(boundary))
        return
    count = max(min(threads, MOST_THREADS), 1)
    with _Pool(model, rate, count) as pool:
        length, before = _length(seconds, rate), deque[_Entry](maxlen=warm_up)
        pieces = deque[_Piece]()
        piece: _Piece | None = None
        for index, (frame, boundary) in enumerate(frames):
            if piece is None or index % length == 0:
                if piece is not None:
                    piece.frames.put(None)
                while sum(not each.job.done() for each in pieces) >= count:
                    yield from pieces.popleft().detections()
                piece = pool.begin(before)
                pieces.append(piece)
            piece.frames.put(_Entry(index, frame, boundary, True))
            before.append(_Entry(index, frame, boundary, False))
        if piece is not None:
            piece.frames.put(None)
        while pieces:
            yield from pieces.popleft().detections()


def _length(seconds: float, rate: float) -> int:
    """Return the length of a piece in frames: an even number of equal pieces, so that two cores have as much to do."""
    count = 2 * max(math.ceil(seconds / (2 * PIECE)), 1)
    return max(math.ceil(seconds * rate / count), round(SHORTEST * rate), 1)


def _find(finder: PoseModel, entry: _Entry, cut: bool) -> Detection:
    people = finder.find(entry.frame.rgb, entry.index, cut)
    return Detection(entry.frame.time, entry.boundary, people, finder.alternating, finder.count)


class _Pool:
    """Threads that each look at one piece at a time, with a pose model of its own."""

    def __init__(self, model: Callable[[float], PoseModel], rate: float, threads: int) -> None:
        self._model, self._rate = model, rate
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="pose")
        self._newest: _Piece | None = None
        self._stopped = threading.Event()

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._newest is not None:
            # Its thread may be waiting for frames that do not come any more.
            self._newest.frames.put(None)
        self._threads.shutdown(cancel_futures=True)

    def begin(self, before: deque[_Entry]) -> _Piece:
        """Begin a piece with the frames before it."""
        piece = _Piece()
        for entry in before:
            piece.frames.put(entry)
        piece.job = self._threads.submit(self._work, piece)
        self._newest = piece
        return piece

    def _work(self, piece: _Piece) -> None:
        try:
            with self._model(self._rate) as finder:
                finder.is_interpolated = is_first = True
                while (entry := piece.frames.get()) is not None and not self._stopped.is_set():
                    detection = _find(finder, entry, is_first or bool(entry.boundary))
                    is_first = False
                    if entry.kept:
                        piece.found.put(detection)
        finally:
            piece.found.put(None)
