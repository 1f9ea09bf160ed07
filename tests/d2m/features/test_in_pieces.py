"""People are found in pieces of a video on several cores, in order and the same for any number of threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from d2m.features.cuts import Boundary
from d2m.features.in_pieces import PIECE, find_people
from d2m.features.people import Person
from d2m.features.pose_models import PoseModel
from d2m.media import Frame

RATE = 10.0


class Counter(PoseModel):
    """A model whose detection says how many frames it has seen, and whether it was told that the picture is new."""

    begun: list[int]
    open_models = 0

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self.seen = 0
        type(self).open_models += 1

    def find(self, rgb: np.ndarray, index: int, cut: bool = False) -> list[Person]:
        assert int(rgb[0, 0, 0]) == index % 256
        assert cut == (self.seen == 0 or index == 33) or index == 0
        if self.seen == 0:
            self.begun.append(index)
        self.seen += 1
        self.count = self.seen
        return []

    def close(self) -> None:
        type(self).open_models -= 1


@pytest.fixture
def model(monkeypatch) -> type[Counter]:
    monkeypatch.setattr(Counter, "begun", [], raising=False)
    monkeypatch.setattr(Counter, "open_models", 0)
    return Counter


def film(count: int) -> Iterator[tuple[Frame, Boundary]]:
    for index in range(count):
        rgb = np.full((2, 2, 3), index % 256, np.uint8)
        yield Frame(index / RATE, rgb), "cut" if index == 33 else ""


def found(model: type[PoseModel], warm_up: int | None, count: int, threads: int) -> list[tuple[float, str, int]]:
    detections = find_people(model, warm_up, RATE, film(count), count / RATE, threads)
    return [(each.time, each.boundary, each.count) for each in detections]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_pieces_begin_early_and_the_result_does_not_depend_on_the_threads(model, threads):
    rows = found(model, 4, 230, threads)
    assert [time for time, _, _ in rows] == [index / RATE for index in range(230)]
    assert [index for index, row in enumerate(rows) if row[1]] == [33]
    length = 39  # Six pieces of at most five seconds.
    assert length <= PIECE * RATE
    assert sorted(model.begun) == [0, *(k * length - 4 for k in range(1, 6))]
    assert [count for _, _, count in rows] == [k % length + (5 if k >= length else 1) for k in range(230)]
    assert model.open_models == 0


def test_a_model_that_needs_all_frames_gets_them_in_their_order(model):
    rows = found(model, None, 230, 3)
    assert model.begun == [0]
    assert [count for _, _, count in rows] == list(range(1, 231))


def test_a_short_clip_is_one_piece_and_no_frames_are_none(model):
    assert len(found(model, 4, 15, 2)) == 15
    assert model.begun == [0]
    assert found(model, 4, 0, 2) == []


def test_more_frames_than_the_video_claims_are_found_too(model):
    detections = list(find_people(model, 4, RATE, film(130), 4.0, 2))
    assert len(detections) == 130


def test_an_error_in_a_piece_is_raised_and_nothing_stays_open(model, monkeypatch):
    plain = Counter.find

    def find(self, rgb, index, cut=False):
        if index == 60:
            raise ValueError("broken")
        return plain(self, rgb, index, cut)

    monkeypatch.setattr(Counter, "find", find)
    with pytest.raises(ValueError, match="broken"):
        found(model, 4, 230, 2)
    assert model.open_models == 0


def test_who_stops_in_the_middle_leaves_no_thread_behind(model):
    before = set(threading.enumerate())
    detections = find_people(model, 4, RATE, film(500), 50.0, 2)
    next(detections)
    detections.close()
    deadline = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not set(threading.enumerate()) - before
    assert model.open_models == 0
