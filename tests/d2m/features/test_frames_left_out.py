"""Frames that the pose model leaves out while one person moves slowly."""

from __future__ import annotations

import numpy as np
import pytest
from repository import EXAMPLE

from d2m.features.finder import SLOW, PeopleFinder
from d2m.features.landmarker import BUNDLE
from d2m.features.people import Person
from d2m.features.pose import follow_dancers
from d2m.media import open_video

RATE = 30.0


class Moving(PeopleFinder):
    """A finder whose one person moves to the right, at a speed that each test sets.

    Args:
        speeds: body heights per second, of each frame.
    """

    def __init__(self, speeds: list[float]) -> None:
        super().__init__(BUNDLE, RATE)
        self.looked: list[int] = []
        self._places = np.cumsum(speeds) / RATE
        self._trackers[0].follow = self._follow  # type: ignore[method-assign]

    def _look_for_all(self, rgb: np.ndarray, index: int, thorough: bool = False) -> list[Person]:
        return []

    def _follow(self, rgb: np.ndarray, index: int, insist: bool = False) -> Person:
        self.looked.append(index)
        joints = np.zeros((33, 3), np.float32)
        joints[27:29, 1] = 1.0
        joints[:, 0] = self._places[index]
        return Person(index, joints, joints, np.full(33, 0.9, np.float32), np.zeros(6, np.float32))

    def run(self, cuts: tuple[int, ...] = ()) -> list[int]:
        """The frames in which the person was looked for."""
        rgb = np.zeros((8, 8, 3), np.uint8)
        for index in range(len(self._places)):
            people = self.find(rgb, index, cut=index in cuts)
            assert self.alternating == (not people)
        return self.looked


def test_a_slow_person_is_looked_for_in_every_second_frame():
    finder = Moving([0.5 * SLOW] * 30)
    finder.is_interpolated = True
    assert finder.run() == [0, 1, *range(2, 30, 2)]


def test_a_fast_person_is_looked_for_in_every_frame():
    finder = Moving([0.5 * SLOW] * 10 + [1.6 * SLOW] * 20)
    finder.is_interpolated = True
    assert finder.run() == [0, 1, 2, 4, 6, 8, *range(10, 30)]


def test_after_a_cut_two_frames_are_looked_at_before_any_is_left_out():
    finder = Moving([0.0] * 20)
    finder.is_interpolated = True
    looked = finder.run(cuts=(7,))
    assert [index for index in looked if index >= 6] == [6, 7, 8, 10, 12, 14, 16, 18]


@pytest.mark.parametrize("rate", [15.0, 30.0])
def test_no_frame_is_left_out_at_low_rates_or_where_nobody_interpolates(rate):
    finder = Moving([0.0] * 20)
    finder.rate, finder.is_interpolated = rate, rate < 20
    assert finder.run() == list(range(20))


@pytest.mark.slow
def test_landmarks_stay_where_they_are_with_frames_left_out(monkeypatch):
    left_out = follow_dancers(open_video(EXAMPLE)).motion
    monkeypatch.setattr("d2m.features.finder.SLOW", 0.0)
    whole = follow_dancers(open_video(EXAMPLE)).motion
    assert whole is not None
    assert left_out is not None
    height = np.median(np.ptp(whole.joints[..., 1], axis=1))
    apart = np.linalg.norm(whole.joints[:, 11:29, :2] - left_out.joints[:, 11:29, :2], axis=-1) / height
    assert 0 < np.median(apart) < 0.006
    assert np.quantile(apart, 0.99) < 0.03
